"""Kinds that look at records of other tables: registers, lines, the unit's row, the other channel."""

from __future__ import annotations

from datasach.store.warehouse import sql_name
from datasach.validate.context import (
    PERSON,
    Check,
    Context,
    bound,
    constant,
    each_part,
    is_exchange,
    is_number,
    kind,
    known_columns,
    matching,
    unit_of,
)
from datasach.validate.sandbox import RuleProblem, only_an_expression, qualified


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
    matches, joins = matching(ctx, fields, others, alias)
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
    check = each_part(ctx, field, f"part NOT IN {known}")
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
        check = each_part(ctx, field, f"part NOT IN (SELECT k FROM ({both}) WHERE k IS NOT NULL)")
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
def has_lines(
    ctx: Context, table: str, field: str | None = None, where: str | None = None
) -> Check:
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
        f" ON {alias}._key = {unit_of(ctx)}"
    )
    bounds = {
        sign: bound(ctx, value) for sign, value in (("<", low), (">", high)) if value is not None
    }
    if not bounds:
        raise RuleProblem("lines_between needs low, high or both")
    asked = " AND ".join(f"{b} IS NOT NULL" for b in bounds.values() if b.startswith("r."))
    wrong = " OR ".join(f"coalesce({alias}.n, 0) {sign} {bound}" for sign, bound in bounds.items())
    fields = tuple(
        dict.fromkeys(
            [*([field] if field else []), *(v for v in (low, high) if v and not is_number(v))]
        )
    )
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
        f" ON {alias}._key = {unit_of(ctx)}"
    )
    wrong = [
        f"coalesce(abs({c} - coalesce({alias}.n{i}, 0)) > {constant(within)}, false)"
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
    mine = on or ["_unit_key" if is_exchange(ctx.project, ctx.table) else "_key"]
    theirs = other_on or on or ["_unit_key" if is_exchange(ctx.project, other) else "_key"]
    if taking not in ("any", "min", "max"):
        raise RuleProblem('taking is "any", "min" or "max"')
    for name in fields:
        ctx.column(name)
    refs = only_an_expression(holds)
    known_columns(ctx.project, ctx.table, [r[0] for r in refs if len(r) == 1])
    wanted = sorted({r[1] for r in refs if len(r) == 2 and r[0] == "other"})
    if any(len(r) > 1 and r[0] != "other" for r in refs) or not wanted:
        raise RuleProblem(
            'write columns of the row bare and of the other record as "other.<field>"'
        )
    alias = ctx.alias("x")
    matches, joins = matching(ctx, mine, theirs, alias, keys=True)
    pick = {"any": "any_value", "min": "min", "max": "max"}[taking]
    keys = ", ".join(f'"{t}" AS k{i}' for i, t in enumerate(theirs))
    columns = ", ".join(f'{pick}("{w}") AS "{w}"' for w in wanted)
    rows = ctx.rows(other, [*theirs, *wanted], where)
    group = ", ".join(f"k{i}" for i in range(len(theirs)))
    joined = (
        f"LEFT JOIN (SELECT {keys}, {columns} FROM {rows} GROUP BY {group}) {alias} ON {matches}"
    )
    condition = qualified(holds, lambda qualifier: alias if qualifier == "other" else "r")
    return Check(
        f"{alias}.k0 IS NOT NULL AND ({condition}) IS NOT NULL", f"NOT ({condition})",
        joins=(*joins, joined), reads=(other,), fields=tuple(fields),
    )  # fmt: skip


@kind
def not_during(
    ctx: Context,
    field: str,
    by: list[str],
    table: str,
    start: str,
    end: str,
    where: str | None = None,
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
        f"{ctx.column(field)} IS NOT NULL",
        is_found,
        joins=(joined,),
        reads=(other,),
        fields=(field,),
    )
