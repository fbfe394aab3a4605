"""The kinds of rule. Each says, in SQL over one row `r`, when the row is a violation and what NULL means.

A kind returns a `Check`: `applies` (the row is asked at all: the denominator) and `violated` (never NULL
where `applies` is true), with joins for kinds that look beyond the row. A new kind is one function here
and one spec test; its docstring is what docs/reference/rules.md prints.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from datasach.spec.load import suggestion
from datasach.spec.project import Project
from datasach.spec.rule import Rule
from datasach.store.warehouse import sql_name, standard_columns
from datasach.validate.sandbox import RuleProblem, only_an_expression

Kind = Callable[..., "Check"]
KINDS: dict[str, Kind] = {}


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

    def column(self, name: str) -> str:
        """Qualified column; refuses a name the table does not have."""
        names = [n for n, _ in standard_columns(self.project.tables[self.table])]
        names += ["_key", "_received_at", "person_id"]
        if name not in names:
            raise RuleProblem(f'{self.table} has no column "{name}"{suggestion(name, names)}')
        return f'r."{name}"'

    def alias(self, word: str) -> str:
        """A join alias of this rule's own, so that joins of many rules can stand in one query."""
        return f"{word}_{re.sub(r'[^a-z0-9]', '_', self.rule.lower())}"


def kind(function: Kind) -> Kind:
    KINDS[function.__name__] = function
    return function


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _blank(column: str) -> str:
    return f"{column} IS NULL"


@kind
def required(ctx: Context, field: str) -> Check:
    """`field` is filled. Blank is the violation."""
    column = ctx.column(field)
    return Check("true", _blank(column), fields=(field,))


@kind
def one_of_required(ctx: Context, fields: list[str]) -> Check:
    """At least one of `fields` is filled."""
    columns = [ctx.column(f) for f in fields]
    return Check("true", " AND ".join(_blank(c) for c in columns), fields=tuple(fields))


@kind
def absent(ctx: Context, field: str) -> Check:
    """`field` is blank (under `when`)."""
    return Check("true", f"{ctx.column(field)} IS NOT NULL", fields=(field,))


@kind
def pattern(ctx: Context, field: str, matches: str) -> Check:
    """The whole value matches the regular expression. Blank is not asked."""
    column = ctx.column(field)
    return Check(
        f"{column} IS NOT NULL",
        f"NOT regexp_full_match(CAST({column} AS VARCHAR), {text(matches)})",
        fields=(field,),
    )


@kind
def in_set(ctx: Context, field: str, values: list[str]) -> Check:
    """The value is one of `values`. Blank is not asked."""
    column = ctx.column(field)
    listed = ", ".join(text(v) for v in values)
    return Check(f"{column} IS NOT NULL", f"{column} NOT IN ({listed})", fields=(field,))


@kind
def in_list(ctx: Context, field: str, list: str | None = None) -> Check:
    """The code is in its code list (the contract's, unless `list` names another). Blank is not asked."""
    name = list or ctx.project.tables[ctx.table].field(field).list
    if name is None:
        raise RuleProblem(f"{field} has no code list in its contract: name one")
    codes = code_list(ctx.project, name)
    if not codes:
        raise RuleProblem(f'there is no code list "{name}"')
    return in_set(ctx, field, codes)


@kind
def each_in_list(ctx: Context, field: str, list: str) -> Check:
    """Every part of a `;` list is in the code list. Blank is not asked."""
    column = ctx.column(field)
    codes = ", ".join(text(v) for v in code_list(ctx.project, list))
    parts = f"list_transform(string_split({column}, ';'), lambda x: trim(x))"
    return Check(
        f"{column} IS NOT NULL",
        f"NOT list_has_all([{codes}], list_filter({parts}, lambda x: x <> ''))",
        fields=(field,),
    )


@kind
def between(ctx: Context, field: str, low: str | None = None, high: str | None = None) -> Check:
    """A number or date lies within the bounds (both ends in). Blank is not asked."""
    column = ctx.column(field)
    tests = []
    if low is not None:
        tests.append(f"{column} < {_constant(low)}")
    if high is not None:
        tests.append(f"{column} > {_constant(high)}")
    if not tests:
        raise RuleProblem("between needs low, high or both")
    return Check(f"{column} IS NOT NULL", " OR ".join(tests), fields=(field,))


def _constant(value: str) -> str:
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return value
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return f"DATE {text(value)}"
    raise RuleProblem(f'"{value}" is neither a number nor a date')


@kind
def not_after(ctx: Context, field: str, other: str) -> Check:
    """`field` is not later than `other`. Compared by day unless both are times. A missing one is not asked."""
    a, b = ctx.column(field), ctx.column(other)
    return Check(f"{a} IS NOT NULL AND {b} IS NOT NULL", f"{a} > {b}", fields=(field, other))


@kind
def not_in_future(ctx: Context, field: str) -> Check:
    """The date or time is not after the night on which the record arrived."""
    column = ctx.column(field)
    return Check(f"{column} IS NOT NULL", f"CAST({column} AS DATE) > r._night", fields=(field,))


@kind
def readable(ctx: Context, field: str) -> Check:
    """What was sent could be read as the field's type. Blank as sent is not asked."""
    column = ctx.column(field)
    alias = ctx.alias("u")
    joined = (
        f"LEFT JOIN (SELECT DISTINCT _file, _row FROM standard.changes WHERE table_id = {text(ctx.table)}"
        f" AND field = {text(field)} AND reason = 'unreadable') {alias}"
        f" ON {alias}._file = r._file AND {alias}._row = r._row"
    )
    return Check(
        f"({column} IS NOT NULL OR {alias}._row IS NOT NULL)",
        f"{alias}._row IS NOT NULL",
        joins=(joined,),
        fields=(field,),
    )


@kind
def unique(ctx: Context, fields: list[str]) -> Check:
    """No other current record of the table has the same values. Every member of a group is a violation;
    rows with a blank among `fields` are not asked."""
    columns = [ctx.column(f) for f in fields]
    alias = ctx.alias("n")
    names = ", ".join(f'"{f}"' for f in fields)
    joined = (
        f"LEFT JOIN (SELECT {names} FROM current.{sql_name(ctx.table)} GROUP BY {names} HAVING count(*) > 1) {alias}"
        f" ON {' AND '.join(f'{alias}.{chr(34)}{f}{chr(34)} = {c}' for f, c in zip(fields, columns, strict=True))}"
    )
    return Check(
        " AND ".join(f"{c} IS NOT NULL" for c in columns),
        f'{alias}."{fields[0]}" IS NOT NULL',
        joins=(joined,),
        reads=(ctx.table,),
        fields=tuple(fields),
    )


@kind
def exists_in(ctx: Context, fields: list[str], table: str, other_fields: list[str] | None = None) -> Check:
    """A current record of `table` has the same values. Rows with a blank among `fields` are not asked,
    nor is any row while `table` has no record at all (its register has not arrived)."""
    columns = [ctx.column(f) for f in fields]
    others = other_fields or fields
    _other_columns(ctx, table, others)
    alias = ctx.alias("e")
    names = ", ".join(f'"{f}"' for f in others)
    matches = " AND ".join(
        f'{alias}."{o}" = {c}' for o, c in zip(others, columns, strict=True)
    )
    joined = f"LEFT JOIN (SELECT DISTINCT {names} FROM current.{sql_name(table)}) {alias} ON {matches}"
    filled = " AND ".join(f"{c} IS NOT NULL" for c in columns)
    return Check(
        f"{filled} AND EXISTS (SELECT 1 FROM current.{sql_name(table)})",
        f'{alias}."{others[0]}" IS NULL',
        joins=(joined,),
        reads=(table,),
        fields=tuple(fields),
    )


@kind
def has_lines(ctx: Context, table: str, field: str | None = None) -> Check:
    """The unit has at least one row in `table` (same facility and MA_LK)."""
    alias = ctx.alias("h")
    joined = f"LEFT JOIN (SELECT DISTINCT _key FROM current.{sql_name(table)}) {alias} ON {alias}._key = r._key"
    return Check(
        "true", f"{alias}._key IS NULL", joins=(joined,), reads=(table,),
        fields=(field,) if field else (),
    )  # fmt: skip


@kind
def has_parent(ctx: Context, table: str, field: str = "ma_lk") -> Check:
    """The unit's row exists in `table` (a line is no orphan)."""
    return has_lines(ctx, table, field)


@kind
def equals_sum(
    ctx: Context, field: str, tables: list[str], of: str, within: str = "1", where: str | None = None
) -> Check:
    """`field` equals the sum of `of` over the unit's rows in `tables`, within `within` (đồng)."""
    column = ctx.column(field)
    alias = ctx.alias("s")
    condition = f"WHERE {where}" if where else ""
    parts = " UNION ALL ".join(
        f'SELECT _key, "{of}" AS amount FROM current.{sql_name(t)} {condition}' for t in tables
    )
    for table in tables:
        _other_columns(ctx, table, [of])
    joined = f"LEFT JOIN (SELECT _key, sum(amount) AS total FROM ({parts}) GROUP BY _key) {alias} ON {alias}._key = r._key"
    return Check(
        f"{column} IS NOT NULL",
        f"abs({column} - coalesce({alias}.total, 0)) > {_constant(within)}",
        joins=(joined,),
        reads=tuple(tables),
        fields=(field,),
    )


@kind
def agrees_with(ctx: Context, fields: list[str], table: str, other_fields: list[str] | None = None) -> Check:
    """The values equal those of the unit's row in `table`. Blank on either side is not asked."""
    columns = [ctx.column(f) for f in fields]
    others = other_fields or fields
    _other_columns(ctx, table, others)
    alias = ctx.alias("a")
    names = ", ".join(f'any_value("{f}") AS "{f}"' for f in dict.fromkeys(others))
    joined = f"LEFT JOIN (SELECT _key, {names} FROM current.{sql_name(table)} GROUP BY _key) {alias} ON {alias}._key = r._key"
    differs = " OR ".join(
        f'({c} IS NOT NULL AND {alias}."{o}" IS NOT NULL AND {c} <> {alias}."{o}")'
        for o, c in zip(others, columns, strict=True)
    )
    return Check(
        f"{alias}._key IS NOT NULL", differs, joins=(joined,), reads=(table,), fields=tuple(fields)
    )


@kind
def within_hours(ctx: Context, field: str, hours: str) -> Check:
    """The record arrived at most `hours` after `field`. Arrival is the end of the night's day in Viet
    Nam; an event without a time counts from the end of its day."""
    column = ctx.column(field)
    is_day = ctx.project.tables[ctx.table].field(field).type in ("date", "birth")
    event = f"CAST({column} AS TIMESTAMP) + INTERVAL 1 DAY" if is_day else column
    return Check(
        f"{column} IS NOT NULL",
        f"r._received_at > {event} + INTERVAL {int(hours)} HOUR",
        fields=(field,),
    )


@kind
def expression(ctx: Context, holds: str, fields: list[str]) -> Check:
    """The SQL condition over the row holds. Where it is NULL (something it needs is blank) the row is not asked."""
    for name in fields:
        ctx.column(name)
    only_an_expression(holds)
    name = ctx.alias("_holds")
    return Check(
        f"r.{name} IS NOT NULL", f"NOT r.{name}", fields=tuple(fields), computed=((name, f"({holds})"),)
    )


def code_list(project: Project, name: str) -> list[str]:
    """Codes of one list of `_reference/code_lists.csv`, in their order."""
    frame = project.reference("code_lists")
    return [str(c) for c in frame.filter(frame["list"] == name)["code"].to_list()]


def _other_columns(ctx: Context, table: str, fields: list[str]) -> None:
    if table not in ctx.project.tables:
        raise RuleProblem(f'no table "{table}"{suggestion(table, ctx.project.tables)}')
    names = {n for n, _ in standard_columns(ctx.project.tables[table])} | {"_key", "person_id"}
    for name in fields:
        if name not in names:
            raise RuleProblem(f'{table} has no column "{name}"{suggestion(name, names)}')


def check_of(project: Project, rule: Rule) -> Check:
    """The rule's check, with its `when` and validity in `applies`.

    Raises RuleProblem when the kind is unknown or the parameters do not fit it.
    """
    function = KINDS.get(rule.kind)
    if function is None:
        raise RuleProblem(f'no kind "{rule.kind}"{suggestion(rule.kind, KINDS)}')
    signature = inspect.signature(function)
    known = [name for name in signature.parameters if name != "ctx"]
    for name in rule.parameters:
        if name not in known:
            raise RuleProblem(f'{rule.kind} takes no "{name}"{suggestion(name, known)}')
    for name, parameter in signature.parameters.items():
        if parameter.default is inspect.Parameter.empty and name != "ctx" and name not in rule.parameters:
            raise RuleProblem(f'{rule.kind} needs "{name}"')
    check = function(Context(project, rule.table, rule.id), **_typed(signature, rule.parameters))
    conditions = []
    computed = list(check.computed)
    if rule.when:
        only_an_expression(rule.when)
        name = Context(project, rule.table, rule.id).alias("_when")
        computed.append((name, f"coalesce(({rule.when}), false)"))
        conditions.append(f"r.{name}")
    if rule.vintages:
        conditions.append(f"r._vintage IN ({', '.join(text(v) for v in rule.vintages)})")
    if rule.valid_from:
        conditions.append(f"r._event_on >= DATE '{rule.valid_from}'")
    if rule.valid_to:
        conditions.append(f"r._event_on <= DATE '{rule.valid_to}'")
    applies = " AND ".join([*conditions, f"({check.applies})"])
    return Check(
        applies, check.violated, check.joins, check.reads, check.fields, tuple(computed)
    )


def _typed(signature: inspect.Signature, parameters: dict[str, Any]) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    for name, value in parameters.items():
        wants_list = str(signature.parameters[name].annotation).startswith("list[")
        if wants_list and not isinstance(value, list):
            raise RuleProblem(f'"{name}" must be a list')
        if not wants_list and isinstance(value, list):
            raise RuleProblem(f'"{name}" must be one value, not a list')
        typed[name] = value
    return typed
