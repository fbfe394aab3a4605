"""Kinds that compare records of one table with each other."""

from __future__ import annotations

from datasach.validate.context import PERSON, Check, Context, kind


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


@kind
def not_extreme(ctx: Context, field: str, by: list[str], least: str, limit: str) -> Check:
    """The amount is not far from those with the same `by`: its logarithm lies within `limit` robust standard
    deviations (1.4826 median deviations, at least 0.15) of their median. Groups of fewer than `least` records,
    blanks and amounts not above 0 are not asked; where the rule has a `when`, only such records are compared."""
    names = [*by, field]
    rows = ctx.rows(ctx.table, names, ctx.when)
    filled = " AND ".join([*(f'"{n}" IS NOT NULL' for n in by), f'"{field}" > 0'])
    keys = ", ".join(f'"{b}"' for b in by)
    group, alias = f'SELECT *, ln("{field}") AS x FROM {rows} WHERE {filled}', ctx.alias("z")
    joined = (
        f"LEFT JOIN (SELECT a._file, a._row, abs(a.x - g.m) > {float(limit)} * 1.4826 * greatest(g.d, 0.15) AS is_far"
        f" FROM ({group}) a JOIN (SELECT {keys}, median(x) AS m, mad(x) AS d FROM ({group}) GROUP BY ALL"
        f" HAVING count(*) >= {int(least)}) g USING ({keys})) {alias} ON {alias}._file = r._file AND {alias}._row = r._row"
    )
    return Check(
        f"{alias}._row IS NOT NULL", f"{alias}.is_far",
        joins=(joined,), reads=(ctx.table,), fields=tuple(names),
    )  # fmt: skip


def _among(ctx: Context, word: str, rows: str, names: list[str]) -> Check:
    """The check of a kind that finds its violations as rows of (_file, _row)."""
    joined, is_found = ctx.found(word, rows)
    asked = " AND ".join(f"{ctx.column(n)} IS NOT NULL" for n in names if n != PERSON)
    fields = tuple(n for n in names if n != PERSON)
    return Check(asked or "true", is_found, joins=(joined,), reads=(ctx.table,), fields=fields)
