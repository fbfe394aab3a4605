"""What kinds of rule are made of: the SQL of a check, and what a kind may know of the project.

Words every kind understands for a column: a field of the contract, a column of the identity block or of
the provenance, and `_key` (the record's key; facility|MA_LK for tables fed by envelopes), `_unit_key`
(facility|MA_LK for exchange tables that name an episode), `_event_on`, `_vintage`, `_received_at`.
Kinds that compare records also know `person_id`. A table may be named by its id or, inside the same
database first, by its table of the standard (`XML1`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from datasach.spec.contract import Table
from datasach.spec.load import suggestion
from datasach.spec.project import Project
from datasach.store.persons import person_join
from datasach.store.warehouse import sql_name, standard_columns
from datasach.validate.sandbox import RuleProblem, only_an_expression, qualified

Kind = Callable[..., "Check"]
KINDS: dict[str, Kind] = {}
PERSON = "person_id"
PSEUDO = {
    "_key": "VARCHAR", "_unit_key": "VARCHAR", "_received_at": "TIMESTAMP", "_event_on": "DATE",
    "_vintage": "VARCHAR", "_unit_problems": "VARCHAR", "_first_night": "DATE",
}  # fmt: skip
OF_THE_VIEW = frozenset({"_key", "_first_night"})
"""Of these, what stands in `current.<table>` itself and not only in the row a rule sees."""


@dataclass(frozen=True, slots=True)
class Check:
    """SQL of one rule. `applies` and `violated` are conditions over the row alias `r` and the joins'
    own aliases; `reads` names the tables the joins need; `fields` are what the rule is about."""

    applies: str
    violated: str
    joins: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    fields: tuple[str, ...] = field(default=())
    computed: tuple[tuple[str, str], ...] = ()
    """(name, SQL) of columns worked out over the bare row before any join: where a rule's own SQL lives,
    so that its column names can never be taken for a joined table's."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a kind may know besides its parameters."""

    project: Project
    table: str
    rule: str
    when: str | None = None
    """The rule's condition: kinds that compare records with each other compare only such records."""

    def column(self, name: str) -> str:
        """Qualified column; refuses a name the table does not have."""
        if name == "_unit_key":
            return unit_key(self.project, self.table, "r")
        known = types_of(self.project, self.table)
        if name not in known:
            raise RuleProblem(f'{self.table} has no column "{name}"{suggestion(name, known)}')
        return f'r."{name}"'

    def type_of(self, name: str) -> str:
        return types_of(self.project, self.table).get(name, "VARCHAR")

    def alias(self, word: str) -> str:
        """A join alias of this rule's own, so that joins of many rules can stand in one query."""
        return f"{word}_{re.sub(r'[^a-z0-9]', '_', self.rule.lower())}"

    def sent(self, name: str) -> str:
        """The contract's field for a part of the identity (`full_name`, `born`, `phone` …), else the name."""
        identity = self.project.tables[self.table].identity
        parts = identity.fields() if identity else {}
        return parts.get(name, name)

    def other(self, name: str) -> str:
        """Id of the table that a rule calls `name`: an id, or a table of the standard such as XML1."""
        tables = self.project.tables
        if name in tables:
            return name
        database = self.table.split(".")[0]
        same = [t for t in tables.values() if t.fields_from == name]
        same.sort(key=lambda t: (t.database != database, t.channel == "social_insurance"))
        if not same:
            raise RuleProblem(f'no table "{name}"{suggestion(name, tables)}')
        return same[0].id

    def rows(self, table: str, names: Iterable[str], where: str | None = None) -> str:
        """`table`'s current records as a FROM item: _file, _row and `names`, where `where` is true."""
        wanted = dict.fromkeys(names)
        join, person = person_join(self.project, table, "s") if PERSON in wanted else ("", "")
        if PERSON in wanted and not join:
            raise RuleProblem(f"{table} describes no person: person_id means nothing there")
        columns = ["s._file", "s._row"]
        for name in wanted:
            if name == PERSON:
                columns.append(f"{person} AS {PERSON}")
            elif name == "_unit_key":
                columns.append(f"{unit_key(self.project, table, 's')} AS _unit_key")
            elif name not in ("_file", "_row"):
                known_columns(self.project, table, [name], stored=True)
                columns.append(f's."{name}"')
        condition = f" WHERE {condition_on(self.project, table, where, 's')}" if where else ""
        return f"(SELECT {', '.join(columns)} FROM current.{sql_name(table)} s {join}{condition})"

    def found(self, word: str, rows: str) -> tuple[str, str]:
        """(join, condition) for a query of (_file, _row) of this table: the row is among them."""
        alias = self.alias(word)
        joined = f"LEFT JOIN ({rows}) {alias} ON {alias}._file = r._file AND {alias}._row = r._row"
        return joined, f"{alias}._row IS NOT NULL"


def kind(function: Kind) -> Kind:
    KINDS[function.__name__] = function
    return function


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def constants(values: Iterable[str]) -> str:
    """A list of texts as SQL."""
    return "[" + ", ".join(text(v) for v in values) + "]"


# -- columns and conditions --------------------------------------------------------------------------


def types_of(project: Project, table: str) -> dict[str, str]:
    """Every column a rule on the table can name, with its SQL type."""
    own = dict(standard_columns(project.tables[table]))
    pseudo = {
        n: t for n, t in PSEUDO.items() if n != "_unit_key" or _names_unit(project.tables[table])
    }
    return {**own, **pseudo}


def _names_unit(table: Table) -> bool:
    return "ma_lk" in table.field_names


def is_exchange(project: Project, table: str) -> bool:
    """Not fed by envelopes, but naming an episode: its unit's key is put together from two columns."""
    return not project.tables[table].is_enveloped and _names_unit(project.tables[table])


def unit_key(project: Project, table: str, alias: str) -> str:
    if not _names_unit(project.tables[table]):
        raise RuleProblem(f"{table} has no ma_lk: it names no episode")
    return f"({alias}._facility || '|' || {alias}.ma_lk)"


def unit_of(ctx: Context) -> str:
    """The row's unit, to be compared with `_key` of tables fed by envelopes."""
    return ctx.column("_unit_key") if is_exchange(ctx.project, ctx.table) else "r._key"


def known_columns(project: Project, table: str, names: Iterable[str], stored: bool = False) -> None:
    """Refuses a name the table does not have; `stored`: not in the table itself, only in a rule's row."""
    known = types_of(project, table)
    if stored:
        known = {n: t for n, t in known.items() if n not in PSEUDO or n in OF_THE_VIEW}
    for name in names:
        if name not in known:
            raise RuleProblem(f'{table} has no column "{name}"{suggestion(name, known)}')


def own_condition(ctx: Context, sql: str) -> str:
    """A rule's own condition over its row, once its column names have been checked."""
    refs = only_an_expression(sql)
    if any(len(ref) != 1 for ref in refs):
        raise RuleProblem("write a column's name alone, without a table before it")
    known_columns(ctx.project, ctx.table, [ref[0] for ref in refs])
    if any(ref[0] == "_unit_key" for ref in refs):
        raise RuleProblem("_unit_key is for joins; write ma_lk")
    return sql


def condition_on(project: Project, table: str, sql: str, alias: str) -> str:
    """A condition over rows of `table` under `alias`, for subqueries."""
    refs = only_an_expression(sql)
    if any(len(ref) != 1 for ref in refs):
        raise RuleProblem("write a column's name alone, without a table before it")
    known_columns(project, table, [ref[0] for ref in refs], stored=True)
    return qualified(sql, lambda _: alias)


def matching(
    ctx: Context, mine: list[str], theirs: list[str], alias: str, keys: bool = False
) -> tuple[str, tuple[str, ...]]:
    """(join condition, joins before it) of equal columns; `keys`: theirs are called k0, k1 …"""
    if len(mine) != len(theirs):
        raise RuleProblem("on and other_on must have as many names")
    joins: tuple[str, ...] = ()
    matches = []
    for at, (own, other) in enumerate(zip(mine, theirs, strict=True)):
        if own == PERSON:
            person = ctx.alias("lp")
            joins = (
                f"LEFT JOIN {ctx.rows(ctx.table, [PERSON])} {person} ON {person}._file = r._file"
                f" AND {person}._row = r._row",
            )
            column = f"{person}.{PERSON}"
        else:
            column = ctx.column(own)
        matches.append(f"{alias}.k{at} = {column}" if keys else f'{alias}."{other}" = {column}')
    return " AND ".join(matches), joins


def constant(value: str) -> str:
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return value
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return f"DATE {text(value)}"
    raise RuleProblem(f'"{value}" is neither a number nor a date')


def is_number(value: str) -> bool:
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) is not None


def bound(ctx: Context, value: str) -> str:
    return value if is_number(value) else ctx.column(value)


def each_part(ctx: Context, field: str, wrong: str) -> Check:
    """No part of the field's `;` list is `wrong` (SQL over `part`). Judged once per distinct value:
    millions of rows hold a few thousand lists."""
    column, alias = ctx.column(field), ctx.alias("p")
    values = f'SELECT DISTINCT "{field}" AS v FROM current.{sql_name(ctx.table)} WHERE "{field}" IS NOT NULL'
    joined = (
        f"LEFT JOIN (SELECT DISTINCT v FROM (SELECT v, trim(unnest(string_split(v, ';'))) AS part FROM ({values}))"
        f" WHERE part <> '' AND {wrong}) {alias} ON {alias}.v = {column}"
    )
    return Check(
        f"{column} IS NOT NULL", f"{alias}.v IS NOT NULL", joins=(joined,), fields=(field,)
    )


def code_list(project: Project, name: str) -> list[str]:
    """Codes of one list of `_reference/code_lists.csv`, in their order."""
    frame = project.reference("code_lists")
    return [str(c) for c in frame.filter(frame["list"] == name)["code"].to_list()]


def codes_of(ctx: Context, name: str) -> list[str]:
    codes = code_list(ctx.project, name)
    if not codes:
        raise RuleProblem(f'there is no code list "{name}"')
    return codes
