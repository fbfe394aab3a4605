"""The open zone: counts of records and people, without those that would tell something about somebody.

Four breakdowns of each table share one total: place (nation, province, facility), sex, age band and
month of arrival. What must be hidden is decided over all of them together, because a total that is
hidden in one breakdown and printed in another is printed. Breakdowns are not crossed (province by
sex): hiding in a cross table safely needs more than the rule used here.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from datasach.protect.columns import birth_column
from datasach.protect.desk import Desk, is_about_people
from datasach.spec.contract import Table
from datasach.store.landing import sha256_of
from datasach.store.warehouse import sql_name

Sums = Sequence[tuple[str, list[str]]]
Hide = Callable[[Mapping[str, int], Sums], set[str]]
"""hide(counts, sums) → the names that must not be told; a sum is (whole, parts)."""

TOTAL = "nation"
HEADINGS = ("database", "table", "measure", "breakdown", "value", "count")
HIDDEN = ""
"""How a hidden count is written: nothing. A count that is zero is written 0."""


def write_open(desk: Desk, side: Path, hide: Hide) -> dict[str, dict[str, Any]]:
    """Writes counts.csv and hidden.csv (how many counts of which breakdown were hidden: the redaction log)."""
    rows: list[tuple[str, ...]] = []
    redacted: list[tuple[str, ...]] = []
    for table in desk.tables():
        if not is_about_people(desk.project, table):
            continue
        for measure in ("records", "people"):
            counts, sums = _counts(desk, table, measure)
            hidden = hide(counts, sums)
            for name, number in sorted(counts.items()):
                breakdown, _, value = name.partition("=")
                shown = HIDDEN if name in hidden else str(number)
                rows.append((table.database, table.name, measure, breakdown, value, shown))
            for breakdown in sorted({name.partition("=")[0] for name in hidden}):
                number = sum(name.partition("=")[0] == breakdown for name in hidden)
                redacted.append((table.database, table.name, measure, breakdown, str(number)))
    return {
        "counts.csv": _csv(side / "counts.csv", HEADINGS, rows),
        "hidden.csv": _csv(
            side / "hidden.csv",
            ("database", "table", "measure", "breakdown", "hidden"),
            redacted,
        ),
    }


def _counts(
    desk: Desk, table: Table, measure: str
) -> tuple[dict[str, int], list[tuple[str, list[str]]]]:
    """Counts by name (`sex=1`, `facility=79001`, …) and the sums they stand in.

    People seen at two facilities count once in each and once in their sum: such sums are no equations,
    and are treated as if they were.
    """
    number = "count(*)" if measure == "records" else "count(DISTINCT r.person_id)"
    by: dict[str, str] = {"month": "strftime(r._night, '%Y-%m')"}
    if table.identity is not None:
        by |= {"sex": "r.sex", "age": birth_column(desk.purpose, "r._night").sql}
    source = f"pub.{sql_name(table.id)} r"
    where = desk.rows_sql(table)
    total = desk.con.execute(f"SELECT {number} FROM {source} WHERE {where}").fetchone()
    counts: dict[str, int] = {TOTAL: int(total[0]) if total else 0}
    sums: list[tuple[str, list[str]]] = []
    for breakdown, sql in by.items():
        found = desk.con.execute(
            f"SELECT coalesce({sql}, 'unknown') AS v, {number} FROM {source} WHERE {where} GROUP BY v"
        ).fetchall()
        parts = {f"{breakdown}={value}": int(n) for value, n in found}
        counts |= parts
        sums.append((TOTAL, sorted(parts)))
    places = desk.layout.state / "results/checks.facilities.parquet"
    if not places.is_file():
        return counts, sums
    found = desk.con.execute(
        f"SELECT province, seen_at, grouping(seen_at) AS whole, {number} FROM ("
        "SELECT r.*, coalesce(f.province_code, 'unknown') AS province, coalesce(r._facility, 'unknown') AS seen_at"
        f" FROM {source} LEFT JOIN read_parquet('{places}') f ON f.facility = r._facility WHERE {where}) r"
        " GROUP BY GROUPING SETS ((province, seen_at), (province))"
    ).fetchall()
    members: dict[str, list[str]] = {}
    for province, facility, whole, n in found:
        name = f"province={province}" if whole else f"facility={facility}"
        counts[name] = int(n)
        if not whole:
            members.setdefault(f"province={province}", []).append(name)
    sums += [(province, sorted(facilities)) for province, facilities in sorted(members.items())]
    sums.append((TOTAL, sorted(members)))
    return counts, sums


def _csv(path: Path, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(headings)
        writer.writerows(rows)
    return {"rows": len(rows), "sha256": sha256_of(path)}
