"""Kinds that look at one row: its values, and what had to be changed when it was standardised."""

from __future__ import annotations

from datasach.validate.context import (
    Check,
    Context,
    codes_of,
    constant,
    constants,
    each_part,
    kind,
    own_condition,
    text,
)
from datasach.validate.sandbox import RuleProblem

FEW = 8
"""Up to so many values a list of comparisons is as fast as a search in a list."""


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
        listed = ", ".join(constant(v) for v in values)
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
    return in_set(ctx, field, codes_of(ctx, name))


@kind
def each_in_list(ctx: Context, field: str, list: str) -> Check:
    """Every part of a `;` list is in the code list. Blank is not asked."""
    return each_part(ctx, field, f"NOT list_contains({constants(codes_of(ctx, list))}, part)")


@kind
def between(ctx: Context, field: str, low: str | None = None, high: str | None = None) -> Check:
    """A number or date lies within the bounds (both ends in). Blank is not asked."""
    column = ctx.column(field)
    tests = []
    if low is not None:
        tests.append(f"{column} < {constant(low)}")
    if high is not None:
        tests.append(f"{column} > {constant(high)}")
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
        computed=((name, f"({own_condition(ctx, holds)})"),),
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
