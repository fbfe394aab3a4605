"""The kinds of rule. Each says, in SQL over one row `r`, when the row is a violation and what NULL means.

A kind returns a `Check`: `applies` (the row is asked at all: the denominator) and `violated` (never NULL
where `applies` is true), with joins for kinds that look beyond the row. A new kind is one function here
and one spec test; its docstring is what docs/reference/rules.md prints.

Words every kind understands for a column: a field of the contract, a column of the identity block or of
the provenance, and `_key` (the record's key; facility|MA_LK for tables fed by envelopes), `_unit_key`
(facility|MA_LK for exchange tables that name an episode), `_event_on`, `_vintage`, `_received_at`.
Kinds that compare records also know `person_id`. A table may be named by its id or, inside the same
database first, by its table of the standard (`XML1`).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from datasach.spec.contract import Table
from datasach.spec.load import suggestion
from datasach.spec.project import Project
from datasach.spec.rule import Rule
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
FEW = 8
"""Up to so many values a list of comparisons is as fast as a search in a list."""


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
            return _unit_key(self.project, self.table, "r")
        known = _types(self.project, self.table)
        if name not in known:
            raise RuleProblem(f'{self.table} has no column "{name}"{suggestion(name, known)}')
        return f'r."{name}"'

    def type_of(self, name: str) -> str:
        return _types(self.project, self.table).get(name, "VARCHAR")

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
                columns.append(f"{_unit_key(self.project, table, 's')} AS _unit_key")
            elif name not in ("_file", "_row"):
                _known(self.project, table, [name], stored=True)
                columns.append(f's."{name}"')
        condition = f" WHERE {_condition(self.project, table, where, 's')}" if where else ""
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


# -- one row ---------------------------------------------------------------------------------------


@kind
def required(ctx: Context, field: str) -> Check:
    """`field` is filled. Blank is the violation."""
    return Check("true", f"{ctx.column(field)} IS NULL", fields=(field,))


@kind
def all_required(ctx: Context, fields: list[str]) -> Check:
    """Every one of `fields` is filled. A blank is the violation."""
    return Check(
        "true", " OR ".join(f"{ctx.column(f)} IS NULL" for f in fields), fields=tuple(fields)
    )


@kind
def one_of_required(ctx: Context, fields: list[str]) -> Check:
    """At least one of `fields` is filled."""
    return Check(
        "true", " AND ".join(f"{ctx.column(f)} IS NULL" for f in fields), fields=tuple(fields)
    )


@kind
def absent(ctx: Context, field: str) -> Check:
    """`field` is blank (under `when`)."""
    return Check("true", f"{ctx.column(field)} IS NOT NULL", fields=(field,))


@kind
def pattern(ctx: Context, field: str, matches: str) -> Check:
    """The whole value matches the regular expression. Blank is not asked. Slow: 120 ns a value."""
    column = ctx.column(field)
    if r"\d" in matches:
        raise RuleProblem(r"write [0-9], not \d: other engines read digits of other scripts as \d")
    return Check(
        f"{column} IS NOT NULL",
        f"NOT regexp_full_match(CAST({column} AS VARCHAR), {text(matches)})",
        fields=(field,),
    )


@kind
def in_set(ctx: Context, field: str, values: list[str]) -> Check:
    """The value is one of `values`. Blank is not asked."""
    column = ctx.column(field)
    if not values or None in values:
        raise RuleProblem("values must be texts: NULL among them would make every value pass")
    if ctx.type_of(field) != "VARCHAR":
        listed = ", ".join(_constant(v) for v in values)
        outside = f"{column} NOT IN ({listed})"
    elif len(values) <= FEW:
        outside = f"{column} NOT IN ({', '.join(text(v) for v in values)})"
    else:
        outside = f"NOT list_contains({constants(values)}, {column})"
    return Check(f"{column} IS NOT NULL", outside, fields=(field,))


@kind
def in_list(ctx: Context, field: str, list: str | None = None) -> Check:
    """The code is in its code list (the contract's, unless `list` names another). Blank is not asked."""
    name = list or ctx.project.tables[ctx.table].field(field).list
    if name is None:
        raise RuleProblem(f"{field} has no code list in its contract: name one")
    return in_set(ctx, field, _codes(ctx, name))


@kind
def each_in_list(ctx: Context, field: str, list: str) -> Check:
    """Every part of a `;` list is in the code list. Blank is not asked."""
    return _each_part(ctx, field, f"NOT list_contains({constants(_codes(ctx, list))}, part)")


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


@kind
def not_after(ctx: Context, field: str, other: str) -> Check:
    """`field` is not later than `other`. Compared by day unless both are times. A missing one is not asked."""
    a, b = ctx.column(field), ctx.column(other)
    filled = f"{a} IS NOT NULL AND {b} IS NOT NULL"
    if {ctx.type_of(field), ctx.type_of(other)} == {"DATE", "TIMESTAMP"}:
        a, b = f"CAST({a} AS DATE)", f"CAST({b} AS DATE)"
    return Check(filled, f"{a} > {b}", fields=(field, other))


@kind
def not_in_future(ctx: Context, field: str) -> Check:
    """The date or time is not after the night on which the record arrived. Blank is not asked."""
    column = ctx.column(field)
    return Check(f"{column} IS NOT NULL", f"CAST({column} AS DATE) > r._night", fields=(field,))


@kind
def event_not_in_future(ctx: Context) -> Check:
    """What the record tells of (the contract's `event`) is not after the night it arrived."""
    event = ctx.project.tables[ctx.table].event
    if event is None:
        raise RuleProblem(f"{ctx.table} has no event in its contract")
    return not_in_future(ctx, event)


@kind
def within_hours(ctx: Context, field: str, hours: str) -> Check:
    """The record arrived at most `hours` after `field`. Arrival is the end of the night's day in Viet
    Nam; an event without a time counts from the end of its day. Blank is not asked."""
    column = ctx.column(field)
    event = f"CAST({column} AS TIMESTAMP)"
    if ctx.type_of(field) == "DATE":
        event += " + INTERVAL 1 DAY"
    return Check(
        f"{column} IS NOT NULL",
        f"r._received_at > {event} + INTERVAL {int(hours)} HOUR",
        fields=(field,),
    )


@kind
def within_working_days(ctx: Context, field: str, days: str) -> Check:
    """The record arrived at most `days` working days (Monday to Friday; holidays are not known) after
    the day of `field`. Blank is not asked."""
    column = ctx.column(field)
    late = f"{_workday('r._night')} - {_workday(f'CAST({column} AS DATE)')} > {int(days)}"
    return Check(f"{column} IS NOT NULL", late, fields=(field,))


def _workday(day: str) -> str:
    """Number of a working day since Monday 3 January 2000; of a weekend, that of its Friday."""
    since = f"date_diff('day', DATE '2000-01-03', {day})"
    return f"({since} // 7 * 5 + least({since} % 7 + 1, 5))"


@kind
def lengths(ctx: Context) -> Check:
    """No text is longer than the standard allows, in characters. Fields without a limit are not asked."""
    limited = [
        f for f in ctx.project.tables[ctx.table].fields if f.max_length and f.sql_type == "VARCHAR"
    ]
    if not limited:
        raise RuleProblem(f"{ctx.table} has no field with a greatest length")
    # Bytes first: they cost nothing to count, and nearly every value is short in bytes already.
    tests = [
        f'(strlen(r."{f.name}") > {f.max_length} AND length(r."{f.name}") > {f.max_length})'
        for f in limited
    ]
    return Check("true", f"coalesce({' OR '.join(tests)}, false)")


@kind
def gs1_check_digit(ctx: Context, field: str) -> Check:
    """Thirteen digits, the last of which is right by the GS1 rule (weights 1 and 3). Blank is not asked."""
    column = ctx.column(field)
    digits = [f"TRY_CAST(substr({column}, {at}, 1) AS INTEGER)" for at in range(1, 14)]
    total = " + ".join(f"{1 if at % 2 == 0 else 3} * {digit}" for at, digit in enumerate(digits))
    wrong = f"length({column}) <> 13 OR ({total}) % 10 <> 0"
    return Check(f"{column} IS NOT NULL", f"coalesce({wrong}, true)", fields=(field,))


@kind
def expression(ctx: Context, holds: str, fields: list[str]) -> Check:
    """The SQL condition over the row holds. Where it is NULL (something it needs is blank) the row is not asked."""
    for name in fields:
        ctx.column(name)
    name = ctx.alias("_holds")
    return Check(
        f"r.{name} IS NOT NULL", f"NOT r.{name}", fields=tuple(fields),
        computed=((name, f"({_own(ctx, holds)})"),),
    )  # fmt: skip


# -- what was changed on the way in ------------------------------------------------------------------


@kind
def readable(ctx: Context, field: str) -> Check:
    """What was sent could be read as the field's type. Blank as sent is not asked. A part of the identity
    (`born`, `phone`) stands for the field the table has for it."""
    field = ctx.sent(field)
    column = ctx.column(field)
    joined, is_lost = ctx.found("u", _changed(ctx, ["unreadable"], [field]))
    return Check(f"({column} IS NOT NULL OR {is_lost})", is_lost, joins=(joined,), fields=(field,))


@kind
def all_readable(ctx: Context, types: list[str]) -> Check:
    """Whatever was sent in fields of these types could be read. Every row is asked."""
    names = [f.name for f in ctx.project.tables[ctx.table].fields if f.type in types]
    if not names:
        raise RuleProblem(f"{ctx.table} has no field of type {' or '.join(types)}")
    joined, is_lost = ctx.found("u", _changed(ctx, ["unreadable"], names))
    return Check("true", is_lost, joins=(joined,))


@kind
def sent_clean(ctx: Context, reasons: list[str], fields: list[str] | None = None) -> Check:
    """No value (of `fields`, or of the whole row) had to be changed for one of these reasons when it was
    standardised. Rows whose `fields` are all blank are not asked. A part of the identity (`full_name`)
    stands for the field the table has for it."""
    fields = [ctx.sent(f) for f in fields] if fields else None
    columns = [ctx.column(f) for f in fields or []]
    joined, is_changed = ctx.found("c", _changed(ctx, reasons, fields))
    asked = " OR ".join([*(f"{c} IS NOT NULL" for c in columns), is_changed]) if columns else "true"
    return Check(f"({asked})", is_changed, joins=(joined,), fields=tuple(fields or ()))


def _changed(ctx: Context, reasons: list[str], fields: list[str] | None) -> str:
    """Rows of the table with a change for one of the reasons; a change may have several."""
    any_reason = " OR ".join(f"contains(';' || reason || ';', {text(f';{r};')})" for r in reasons)
    named = f" AND list_contains({constants(fields)}, field)" if fields else ""
    return (
        "SELECT DISTINCT _file, _row FROM standard.changes"
        f" WHERE table_id = {text(ctx.table)} AND ({any_reason}){named}"
    )


# -- other records of the same table -----------------------------------------------------------------


@kind
def unique(ctx: Context, fields: list[str], day: str | None = None) -> Check:
    """No other record of the table has the same values (and the same day of `day`). Every member of a
    group is a violation; rows with a blank among them are not asked. Where the rule has a `when`, only
    such records are compared."""
    names = [*fields, *([day] if day else [])]
    by = [f'"{f}"' for f in fields] + ([f'CAST("{day}" AS DATE)'] if day else [])
    rows = ctx.rows(ctx.table, names, ctx.when)
    group = ", ".join(f"{b} AS k{i}" for i, b in enumerate(by))
    keys = ", ".join(f"k{i}" for i in range(len(by)))
    several = (
        f"SELECT s._file, s._row FROM (SELECT _file, _row, {group} FROM {rows}) s"
        f" SEMI JOIN (SELECT {keys} FROM (SELECT {group} FROM {rows}) GROUP BY ALL HAVING count(*) > 1) d"
        f" USING ({keys})"
    )
    return _among(ctx, "n", several, names)


@kind
def same_within(ctx: Context, by: list[str], field: str) -> Check:
    """All records with the same `by` have the same `field`; where they differ, all of them are
    violations. Blanks are not compared. Where the rule has a `when`, only such records are compared."""
    rows = ctx.rows(ctx.table, [*by, field], ctx.when)
    keys = ", ".join(f'"{b}"' for b in by)
    differing = (
        f'SELECT s._file, s._row FROM {rows} s SEMI JOIN (SELECT {keys} FROM {rows} WHERE "{field}" IS NOT NULL'
        f' GROUP BY ALL HAVING min("{field}") <> max("{field}")) d USING ({keys}) WHERE s."{field}" IS NOT NULL'
    )
    return _among(ctx, "w", differing, [*by, field])


@kind
def at_most_within(ctx: Context, by: list[str], of: str, limit: str) -> Check:
    """Records with the same `by` have at most `limit` different `of`; where there are more, all of them
    are violations. Blanks are not asked."""
    rows = ctx.rows(ctx.table, [*by, of], ctx.when)
    keys = ", ".join(f'"{b}"' for b in by)
    crowded = (
        f"SELECT s._file, s._row FROM {rows} s SEMI JOIN (SELECT {keys} FROM {rows} GROUP BY ALL"
        f' HAVING count(DISTINCT "{of}") > {int(limit)}) d USING ({keys})'
    )
    return _among(ctx, "m", crowded, [*by, of])


@kind
def no_overlap(ctx: Context, by: list[str], start: str, end: str) -> Check:
    """No two records with the same `by` overlap in time: both are violations. One may begin when the
    other ends. Blanks are not asked; where the rule has a `when`, only such records are compared."""
    names = [*by, start, end]
    rows = ctx.rows(ctx.table, names, ctx.when)
    filled = " AND ".join(f'"{n}" IS NOT NULL' for n in names)
    keys = ", ".join(f'"{b}"' for b in by)
    order = f'PARTITION BY {keys} ORDER BY "{start}", "{end}", _file, _row'
    overlapping = (
        "SELECT _file, _row FROM (SELECT _file, _row,"
        f' max("{end}") OVER ({order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) > "{start}"'
        f' OR min("{start}") OVER ({order} ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) < "{end}" AS bad'
        f" FROM {rows} WHERE {filled}) WHERE bad"
    )
    return _among(ctx, "o", overlapping, names)


@kind
def in_order(ctx: Context, by: list[str], number: str, date: str, days: str) -> Check:
    """Of the records with the same `by`, one with a higher `number` is dated at least `days` after the
    one before it. The later one is the violation. Blanks are not asked."""
    names = [*by, number, date]
    rows = ctx.rows(ctx.table, names, ctx.when)
    filled = " AND ".join(f'"{n}" IS NOT NULL' for n in names)
    keys = ", ".join(f'"{b}"' for b in by)
    # The dates of all lower numbers, so that a dose entered twice does not hide the one before it.
    too_soon = (
        f'SELECT _file, _row FROM (SELECT _file, _row, "{date}" AS on_day,'
        f' max("{date}") OVER (PARTITION BY {keys} ORDER BY "{number}"'
        " RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before"
        f" FROM {rows} WHERE {filled}) WHERE on_day < before + INTERVAL {int(days)} DAY"
    )
    return _among(ctx, "i", too_soon, names)


def _among(ctx: Context, word: str, rows: str, names: list[str]) -> Check:
    """The check of a kind that finds its violations as rows of (_file, _row)."""
    joined, is_found = ctx.found(word, rows)
    asked = " AND ".join(f"{ctx.column(n)} IS NOT NULL" for n in names if n != PERSON)
    fields = tuple(n for n in names if n != PERSON)
    return Check(asked or "true", is_found, joins=(joined,), reads=(ctx.table,), fields=fields)


# -- other tables ------------------------------------------------------------------------------------


@kind
def exists_in(
    ctx: Context, fields: list[str], table: str, other_fields: list[str] | None = None,
    where: str | None = None, since: str | None = None, days: str = "0",
) -> Check:  # fmt: skip
    """A record of `table` (for which `where` is true) has the same values. Rows with a blank among
    `fields` are not asked, nor is any row while `table` has no record at all (its register has not
    arrived), nor one whose `since` lies less than `days` before the latest night of the table."""
    other = ctx.other(table)
    others = other_fields or fields
    if len(others) != len(fields):
        raise RuleProblem("other_fields must have as many names as fields")
    alias = ctx.alias("e")
    matches, joins = _matching(ctx, fields, others, alias)
    names = ", ".join(f'"{o}"' for o in others)
    joined = f"LEFT JOIN (SELECT DISTINCT {names} FROM {ctx.rows(other, others, where)}) {alias} ON {matches}"
    asked = [f"{ctx.column(f)} IS NOT NULL" for f in fields if f != PERSON]
    asked.append(f"EXISTS (SELECT 1 FROM current.{sql_name(other)})")
    if since:
        tonight = f"(SELECT max(_night) FROM current.{sql_name(ctx.table)})"
        asked.append(f"CAST({ctx.column(since)} AS DATE) + INTERVAL {int(days)} DAY <= {tonight}")
    return Check(
        " AND ".join(asked), f'{alias}."{others[0]}" IS NULL', joins=(*joins, joined), reads=(other,),
        fields=tuple(f for f in fields if f != PERSON),
    )  # fmt: skip


@kind
def each_exists_in(ctx: Context, field: str, table: str, other_field: str) -> Check:
    """Every part of a `;` list is the `other_field` of a record of `table`. Blank is not asked, nor is
    any row while `table` has no record at all."""
    other = ctx.other(table)
    known = f'(SELECT "{other_field}" FROM {ctx.rows(other, [other_field])} WHERE "{other_field}" IS NOT NULL)'
    check = _each_part(ctx, field, f"part NOT IN {known}")
    asked = f"{check.applies} AND EXISTS (SELECT 1 FROM current.{sql_name(other)})"
    return Check(asked, check.violated, check.joins, (other,), check.fields)


@kind
def valid_on(
    ctx: Context, field: str, on: str, table: str, other_field: str, begins: str, ends: str,
) -> Check:  # fmt: skip
    """`field` is the `other_field` of a record of the register `table` that was in force on the day of
    `on`; an end that is blank has not come. Blank is not asked, nor is any row while the register is empty."""
    other = ctx.other(table)
    column, day, alias = ctx.column(field), f"CAST({ctx.column(on)} AS DATE)", ctx.alias("v")
    rows = ctx.rows(other, [other_field, begins, ends])
    joined = (
        f'LEFT JOIN (SELECT "{other_field}" AS k, min("{begins}") AS f,'
        f" max(coalesce(\"{ends}\", DATE '9999-12-31')) AS t FROM {rows} GROUP BY ALL) {alias}"
        f" ON {alias}.k = {column}"
    )
    return Check(
        f"{column} IS NOT NULL AND {day} IS NOT NULL AND EXISTS (SELECT 1 FROM current.{sql_name(other)})",
        f"{alias}.k IS NULL OR {day} > {alias}.t OR coalesce({day} < {alias}.f, false)",
        joins=(joined,), reads=(other,), fields=(field, on),
    )  # fmt: skip


@kind
def known_facility(ctx: Context, field: str, on: str | None = None) -> Check:
    """The code (every part of a `;` list) is a facility of the register, or the former code of one. With
    `on`, one that was in force that day; former codes were until 31/12/2025 (NĐ 188/2025/NĐ-CP, arts
    69–70). Blank is not asked, nor is any row while the register is empty."""
    register = f"current.{sql_name('facilities.facility')}"
    arrived = f"EXISTS (SELECT 1 FROM {register})"
    both = (
        f"SELECT ma_cskcb AS k, ngay_hieu_luc AS f, ngay_het_hieu_luc AS t FROM {register}"
        f" UNION ALL SELECT ma_cskcb_cu, NULL, DATE '2025-12-31' FROM {register}"
    )
    if on is None:
        check = _each_part(
            ctx, field, f"part NOT IN (SELECT k FROM ({both}) WHERE k IS NOT NULL)"
        )
        applies = f"{check.applies} AND {arrived}"
        return Check(applies, check.violated, check.joins, ("facilities.facility",), (field,))
    column, day, alias = ctx.column(field), f"CAST({ctx.column(on)} AS DATE)", ctx.alias("f")
    joined = (
        f"LEFT JOIN (SELECT k, min(coalesce(f, DATE '0001-01-01')) AS f, max(coalesce(t, DATE '9999-12-31')) AS t"
        f" FROM ({both}) WHERE k IS NOT NULL GROUP BY k) {alias} ON {alias}.k = {column}"
    )
    return Check(
        f"{column} IS NOT NULL AND {day} IS NOT NULL AND {arrived}",
        f"{alias}.k IS NULL OR {day} < {alias}.f OR {day} > {alias}.t",
        joins=(joined,), reads=("facilities.facility",), fields=(field, on),
    )  # fmt: skip


@kind
def has_lines(ctx: Context, table: str, field: str | None = None, where: str | None = None) -> Check:
    """The unit has at least one row in `table` (same facility and MA_LK), for which `where` is true."""
    return lines_between(ctx, table, field, where, low="1")


@kind
def has_parent(ctx: Context, table: str, field: str = "ma_lk") -> Check:
    """The unit's row exists in `table` (a line is no orphan)."""
    return lines_between(ctx, table, field, low="1")


@kind
def lines_between(
    ctx: Context, table: str, field: str | None = None, where: str | None = None,
    low: str | None = None, high: str | None = None, of: str | None = None, days_of: str | None = None,
) -> Check:  # fmt: skip
    """The number of the unit's rows in `table` for which `where` is true lies within the bounds: numbers,
    or fields of the row. Counted are rows, or the sum of `of`, or the different days of `days_of`. Where
    a bound is blank the row is not asked. No row counts as 0."""
    other = ctx.other(table)
    alias = ctx.alias("l")
    measure = "count(*)"
    if of:
        measure = f'sum("{of}")'
    elif days_of:
        measure = f'count(DISTINCT CAST("{days_of}" AS DATE))'
    names = ["_key", *(n for n in (of, days_of) if n)]
    joined = (
        f"LEFT JOIN (SELECT _key, {measure} AS n FROM {ctx.rows(other, names, where)} GROUP BY _key) {alias}"
        f" ON {alias}._key = {_unit(ctx)}"
    )
    bounds = {sign: _bound(ctx, value) for sign, value in (("<", low), (">", high)) if value is not None}
    if not bounds:
        raise RuleProblem("lines_between needs low, high or both")
    asked = " AND ".join(f"{b} IS NOT NULL" for b in bounds.values() if b.startswith("r."))
    wrong = " OR ".join(f"coalesce({alias}.n, 0) {sign} {bound}" for sign, bound in bounds.items())
    fields = tuple(dict.fromkeys([*([field] if field else []), *(v for v in (low, high) if v and not _is_number(v))]))
    for name in fields:
        ctx.column(name)
    return Check(asked or "true", wrong, joins=(joined,), reads=(other,), fields=fields)


@kind
def equals_sum(
    ctx: Context, fields: list[str], lines: list[str], of: list[str], within: str = "1",
    where: str | None = None,
) -> Check:  # fmt: skip
    """Each of `fields` equals the sum of its partner in `of` over the unit's rows in the tables `lines`
    for which `where` is true, within `within` (đồng). No row counts as 0. A blank field is no difference;
    a row whose `fields` are all blank is not asked."""
    if len(of) != len(fields):
        raise RuleProblem("of must have as many names as fields")
    columns, alias = [ctx.column(f) for f in fields], ctx.alias("s")
    tables = [ctx.other(t) for t in lines]
    amounts = ", ".join(f'"{o}" AS n{i}' for i, o in enumerate(of))
    parts = " UNION ALL ".join(
        f"SELECT _key, {amounts} FROM {ctx.rows(t, ['_key', *of], where)}" for t in tables
    )
    sums = ", ".join(f"sum(n{i}) AS n{i}" for i in range(len(of)))
    joined = (
        f"LEFT JOIN (SELECT _key, {sums} FROM ({parts}) GROUP BY _key) {alias}"
        f" ON {alias}._key = {_unit(ctx)}"
    )
    wrong = [
        f"coalesce(abs({c} - coalesce({alias}.n{i}, 0)) > {_constant(within)}, false)"
        for i, c in enumerate(columns)
    ]
    return Check(
        " OR ".join(f"{c} IS NOT NULL" for c in columns), " OR ".join(wrong),
        joins=(joined,), reads=tuple(tables), fields=tuple(fields),
    )  # fmt: skip


@kind
def agrees_with(
    ctx: Context, fields: list[str], table: str, other_fields: list[str] | None = None,
    on: list[str] | None = None, other_on: list[str] | None = None,
) -> Check:  # fmt: skip
    """The values equal those of the record of `table` with the same `on` (the unit's, if not said). A
    blank on either side is no difference; a row without such a record is not asked."""
    others = other_fields or fields
    differs = " OR ".join(
        f"({f} <> other.{o} AND {f} IS NOT NULL AND other.{o} IS NOT NULL)"
        for f, o in zip(fields, others, strict=True)
    )
    # NULL OR false is NULL: a blank among many fields must not hide that the others agree.
    return with_other(ctx, table, f"NOT coalesce({differs}, false)", fields, on, other_on)


@kind
def with_other(
    ctx: Context, table: str, holds: str, fields: list[str],
    on: list[str] | None = None, other_on: list[str] | None = None,
    where: str | None = None, taking: str = "any",
) -> Check:  # fmt: skip
    """The SQL condition holds over the row and the record of `table` with the same `on` (the unit's, if
    not said), whose columns are written `other.<field>`. Of several such records one is taken, or the
    `min` or `max` of each column. Rows without such a record, or where the condition is NULL, are not asked."""
    other = ctx.other(table)
    mine = on or ["_unit_key" if _is_exchange(ctx.project, ctx.table) else "_key"]
    theirs = other_on or on or ["_unit_key" if _is_exchange(ctx.project, other) else "_key"]
    if taking not in ("any", "min", "max"):
        raise RuleProblem('taking is "any", "min" or "max"')
    for name in fields:
        ctx.column(name)
    refs = only_an_expression(holds)
    _known(ctx.project, ctx.table, [r[0] for r in refs if len(r) == 1])
    wanted = sorted({r[1] for r in refs if len(r) == 2 and r[0] == "other"})
    if any(len(r) > 1 and r[0] != "other" for r in refs) or not wanted:
        raise RuleProblem('write columns of the row bare and of the other record as "other.<field>"')
    alias = ctx.alias("x")
    matches, joins = _matching(ctx, mine, theirs, alias, keys=True)
    pick = {"any": "any_value", "min": "min", "max": "max"}[taking]
    keys = ", ".join(f'"{t}" AS k{i}' for i, t in enumerate(theirs))
    columns = ", ".join(f'{pick}("{w}") AS "{w}"' for w in wanted)
    rows = ctx.rows(other, [*theirs, *wanted], where)
    group = ", ".join(f"k{i}" for i in range(len(theirs)))
    joined = f"LEFT JOIN (SELECT {keys}, {columns} FROM {rows} GROUP BY {group}) {alias} ON {matches}"
    condition = qualified(holds, lambda qualifier: alias if qualifier == "other" else "r")
    return Check(
        f"{alias}.k0 IS NOT NULL AND ({condition}) IS NOT NULL", f"NOT ({condition})",
        joins=(*joins, joined), reads=(other,), fields=tuple(fields),
    )  # fmt: skip


@kind
def not_during(
    ctx: Context, field: str, by: list[str], table: str, start: str, end: str, where: str | None = None
) -> Check:
    """`field` does not fall strictly inside a record's time from `start` to `end` in `table` that has
    the same `by` and is of another facility. Blanks are not asked."""
    other = ctx.other(table)
    names = [*by, "_facility", start, end]
    keys = " AND ".join(f'm."{b}" = t."{b}"' for b in by)
    mine = ctx.rows(ctx.table, [*by, "_facility", field], ctx.when)
    inside = (
        f"SELECT DISTINCT m._file, m._row FROM {mine} m JOIN {ctx.rows(other, names, where)} t"
        f' ON {keys} AND m."{field}" > t."{start}" AND m."{field}" < t."{end}" AND m._facility <> t._facility'
    )
    joined, is_found = ctx.found("d", inside)
    return Check(
        f"{ctx.column(field)} IS NOT NULL", is_found, joins=(joined,), reads=(other,), fields=(field,)
    )


# -- reference lists ---------------------------------------------------------------------------------


@kind
def icd_shaped(ctx: Context, field: str) -> Check:
    """Every code of the field has the form of an ICD-10 code after standardising: J18 or J18.9 or M54.56.
    Whether the code exists is not asked: the list at hand holds flagged codes only. Blank is not asked."""
    return _each_part(ctx, field, "NOT regexp_full_match(part, '[A-Z][0-9][0-9A-Z](\\.[0-9]{1,2})?')")


@kind
def in_reference(
    ctx: Context, field: str, list: str, columns: list[str],
    start: str = "1", length: str | None = None, also: list[str] | None = None,
) -> Check:  # fmt: skip
    """The value, or `length` characters of it from `start`, stands in the reference list (`columns` of
    `_reference/<list>.csv`, written together) or among `also`. Blank is not asked, nor a value too short."""
    frame = ctx.project.reference(list)
    for name in columns:
        if name not in frame.columns:
            raise RuleProblem(f'{list} has no column "{name}"{suggestion(name, frame.columns)}')
    codes = sorted({"".join(c or "" for c in row) for row in frame.select(columns).rows()} | {*(also or ())})
    column = ctx.column(field)
    part = f"substr({column}, {int(start)}, {int(length)})" if length else column
    asked = f"{column} IS NOT NULL"
    if length:
        asked += f" AND length({column}) >= {int(start) + int(length) - 1}"
    return Check(asked, f"NOT list_contains({constants(codes)}, {part})", fields=(field,))


@kind
def icd_not_flagged(ctx: Context, field: str, flag: str) -> Check:
    """No ICD-10 code of the field carries the flag in the list of TT 06/2026/TT-BYT: not_as_main,
    main_discouraged, more_specific_exists, cause_of_death_only, mainly_female, mainly_male. Blank is not asked."""
    frame = ctx.project.reference("icd10")
    flags = frame.columns[2:8]
    if flag not in flags:
        raise RuleProblem(f'the ICD-10 list has no flag "{flag}"{suggestion(flag, flags)}')
    flagged = frame.filter(frame[flag] == "1")["icd10"]
    return _each_part(ctx, field, f"part IN (SELECT unnest({constants(flagged)}))")


@kind
def commune_in_province(ctx: Context) -> Check:
    """The commune lies in the province, both in the lists of 2025 after conversion. Asked where both are known."""
    commune, province, alias = ctx.column("commune_code"), ctx.column("province_code"), ctx.alias("p")
    pairs = ctx.project.reference("wards").select("new_ward_code", "new_province_code").unique(
        maintain_order=True
    )
    joined = (
        f"LEFT JOIN (SELECT unnest({constants(pairs['new_ward_code'])}) AS commune,"
        f" unnest({constants(pairs['new_province_code'])}) AS province) {alias} ON {alias}.commune = {commune}"
    )
    return Check(
        f"{province} IS NOT NULL AND {alias}.commune IS NOT NULL",
        f"{alias}.province <> {province}",
        joins=(joined,), fields=("commune_code", "province_code"),
    )  # fmt: skip


def _each_part(ctx: Context, field: str, wrong: str) -> Check:
    """No part of the field's `;` list is `wrong` (SQL over `part`). Judged once per distinct value:
    millions of rows hold a few thousand lists."""
    column, alias = ctx.column(field), ctx.alias("p")
    values = f'SELECT DISTINCT "{field}" AS v FROM current.{sql_name(ctx.table)} WHERE "{field}" IS NOT NULL'
    joined = (
        f"LEFT JOIN (SELECT DISTINCT v FROM (SELECT v, trim(unnest(string_split(v, ';'))) AS part FROM ({values}))"
        f" WHERE part <> '' AND {wrong}) {alias} ON {alias}.v = {column}"
    )
    return Check(f"{column} IS NOT NULL", f"{alias}.v IS NOT NULL", joins=(joined,), fields=(field,))


def code_list(project: Project, name: str) -> list[str]:
    """Codes of one list of `_reference/code_lists.csv`, in their order."""
    frame = project.reference("code_lists")
    return [str(c) for c in frame.filter(frame["list"] == name)["code"].to_list()]


def _codes(ctx: Context, name: str) -> list[str]:
    codes = code_list(ctx.project, name)
    if not codes:
        raise RuleProblem(f'there is no code list "{name}"')
    return codes


# -- columns and conditions --------------------------------------------------------------------------


def _types(project: Project, table: str) -> dict[str, str]:
    """Every column a rule on the table can name, with its SQL type."""
    own = dict(standard_columns(project.tables[table]))
    pseudo = {n: t for n, t in PSEUDO.items() if n != "_unit_key" or _names_unit(project.tables[table])}
    return {**own, **pseudo}


def _names_unit(table: Table) -> bool:
    return "ma_lk" in table.field_names


def _is_exchange(project: Project, table: str) -> bool:
    """Not fed by envelopes, but naming an episode: its unit's key is put together from two columns."""
    return not project.tables[table].is_enveloped and _names_unit(project.tables[table])


def _unit_key(project: Project, table: str, alias: str) -> str:
    if not _names_unit(project.tables[table]):
        raise RuleProblem(f"{table} has no ma_lk: it names no episode")
    return f"({alias}._facility || '|' || {alias}.ma_lk)"


def _unit(ctx: Context) -> str:
    """The row's unit, to be compared with `_key` of tables fed by envelopes."""
    return ctx.column("_unit_key") if _is_exchange(ctx.project, ctx.table) else "r._key"


def _known(project: Project, table: str, names: Iterable[str], stored: bool = False) -> None:
    """Refuses a name the table does not have; `stored`: not in the table itself, only in a rule's row."""
    known = _types(project, table)
    if stored:
        known = {n: t for n, t in known.items() if n not in PSEUDO or n in OF_THE_VIEW}
    for name in names:
        if name not in known:
            raise RuleProblem(f'{table} has no column "{name}"{suggestion(name, known)}')


def _own(ctx: Context, sql: str) -> str:
    """A rule's own condition over its row, once its column names have been checked."""
    refs = only_an_expression(sql)
    if any(len(ref) != 1 for ref in refs):
        raise RuleProblem("write a column's name alone, without a table before it")
    _known(ctx.project, ctx.table, [ref[0] for ref in refs])
    if any(ref[0] == "_unit_key" for ref in refs):
        raise RuleProblem("_unit_key is for joins; write ma_lk")
    return sql


def _condition(project: Project, table: str, sql: str, alias: str) -> str:
    """A condition over rows of `table` under `alias`, for subqueries."""
    refs = only_an_expression(sql)
    if any(len(ref) != 1 for ref in refs):
        raise RuleProblem("write a column's name alone, without a table before it")
    _known(project, table, [ref[0] for ref in refs], stored=True)
    return qualified(sql, lambda _: alias)


def _matching(
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
        matches.append(f'{alias}.k{at} = {column}' if keys else f'{alias}."{other}" = {column}')
    return " AND ".join(matches), joins


def _constant(value: str) -> str:
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return value
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return f"DATE {text(value)}"
    raise RuleProblem(f'"{value}" is neither a number nor a date')


def _is_number(value: str) -> bool:
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) is not None


def _bound(ctx: Context, value: str) -> str:
    return value if _is_number(value) else ctx.column(value)


# -- the check of a rule -----------------------------------------------------------------------------


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
    ctx = Context(project, rule.table, rule.id, rule.when)
    check = function(ctx, **_typed(signature, rule.parameters))
    conditions = []
    computed = list(check.computed)
    if rule.when:
        when = f"coalesce(({_own(ctx, rule.when)}), false)"
        # CASE is evaluated only where its condition is true: a costly expression costs what it must.
        computed = [(name, f"CASE WHEN {when} THEN {sql} END") for name, sql in computed]
        if not check.computed:
            computed.append((ctx.alias("_when"), when))
            conditions.append(f"r.{ctx.alias('_when')}")
    if rule.vintages:
        conditions.append(f"r._vintage IN ({', '.join(text(v) for v in rule.vintages)})")
    if rule.valid_from:
        conditions.append(f"r._event_on >= DATE '{rule.valid_from}'")
    if rule.valid_to:
        conditions.append(f"r._event_on <= DATE '{rule.valid_to}'")
    applies = " AND ".join([*conditions, f"({check.applies})"])
    violated = f"CASE WHEN {applies} THEN {check.violated} ELSE false END"
    return Check(applies, violated, check.joins, check.reads, check.fields, tuple(computed))


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
