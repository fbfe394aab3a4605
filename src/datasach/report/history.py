"""What earlier nights came to: one small Parquet file per night, rewritten when the night is run again.

state/history/scores/<night>.parquet    night, database, facility, pillar, numerator, denominator
state/history/volumes/<night>.parquet   night, unit, files, read, accepted, quarantined, rejected, superseded,
                                        duplicate: all that the unit had sent by then, as it then stood
state/history/metrics/<night>.parquet   night, table_id, rule, facility, tested, failed: over all current records
state/history/arrivals/<night>.parquet  night, table_id, facility, rows: what came about the facility in that night
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from datasach.report.counts import FATES, Share
from datasach.report.night import Night
from datasach.report.places import Country
from datasach.store.layout import Layout
from datasach.store.warehouse import sql_name

NIGHTS_SHOWN = 60


class History:
    """Shares of the nights up to tonight, oldest first."""

    def __init__(self, nights: list[str]) -> None:
        self.nights = nights
        self._shares: dict[tuple[str, str, str], dict[str, Share]] = defaultdict(dict)

    def enter(self, night: str, database: str, whose: str, pillar: str, share: Share) -> None:
        self._shares[(database, whose, pillar)][night] = share

    def share(self, database: str, pillar: str, night: str, whose: str = "") -> Share | None:
        return self._shares.get((database, whose, pillar), {}).get(night)

    def trend(self, database: str, pillar: str, whose: str = "") -> list[float | None]:
        """One value per night, None where nothing is known. `database` "" is all of a facility's."""
        found = self._shares.get((database, whose, pillar), {})
        return [share.value if (share := found.get(night)) else None for night in self.nights]


def keep(night: Night, country: Country) -> None:
    """Write tonight's files, in place of any of the same night."""
    tonight = country.tonight
    keep_query(
        night, "scores", tonight,
        "SELECT database, facility, pillar, numerator, denominator FROM checks.scores ORDER BY ALL",
    )  # fmt: skip
    keep_query(
        night, "metrics", tonight,
        "SELECT table_id, rule, facility, sum(tested) AS tested, sum(failed) AS failed FROM checks.metrics"
        " WHERE tested > 0 AND facility IS NOT NULL GROUP BY ALL ORDER BY ALL",
    )  # fmt: skip
    came = " UNION ALL ".join(
        f"SELECT '{t.id}' AS table_id, _facility AS facility FROM standard.{sql_name(t.id)}"
        f" WHERE _night = DATE '{tonight}'"
        for t in night.project.tables.values()
    )
    keep_query(
        night, "arrivals", tonight,
        f"SELECT table_id, facility, count(*) AS rows FROM ({came}) WHERE facility IS NOT NULL GROUP BY ALL ORDER BY ALL",
    )  # fmt: skip
    rows = [
        {"night": tonight, "unit": unit.id, "files": unit.files, **unit.counts._asdict()}
        for unit in country.units.values()
    ]
    schema: dict[str, Any] = {"night": pl.String, "unit": pl.String}
    schema |= dict.fromkeys(("files", "read", *FATES), pl.Int64)
    volumes = _home(night.layout, "volumes", tonight)
    side = volumes.with_name(f".{tonight}.part")
    pl.DataFrame(rows, schema=schema).write_parquet(side)
    side.replace(volumes)


def keep_query(night: Night, name: str, tonight: str, sql: str) -> None:
    """Write a query's rows as tonight's file of one kind, with the night in front."""
    home = _home(night.layout, name, tonight)
    side = home.with_name(f".{tonight}.part")
    night.warehouse.write_parquet(f"SELECT '{tonight}' AS night, * FROM ({sql})", side)
    side.replace(home)


def _home(layout: Layout, name: str, night: str) -> Path:
    path = layout.state / "history" / name / f"{night}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def kept(layout: Layout, name: str, tonight: str | None = None) -> dict[str, Path]:
    """Night → its file of one kind, oldest first, up to `tonight`."""
    found = sorted((layout.state / "history" / name).glob("????-??-??.parquet"))
    return {p.stem: p for p in found if tonight is None or p.stem <= tonight}


def sql_list(paths: Iterable[Path]) -> str:
    """`read_parquet(…)` over files."""
    quoted = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    return f"read_parquet([{quoted}])"


def look_back(night: Night, tonight: str) -> History:
    """Scores of the last nights, summed by database, and by facility over all databases."""
    paths = dict(list(kept(night.layout, "scores", tonight).items())[-NIGHTS_SHOWN:])
    history = History(list(paths))
    if len(paths) < 2:
        return history
    for when, database, facility, pillar, top, bottom in night.warehouse.rows(
        "SELECT night, coalesce(database, ''), coalesce(facility, ''), pillar, sum(numerator), sum(denominator)"
        f" FROM {sql_list(paths.values())}"
        " GROUP BY GROUPING SETS ((night, database, pillar), (night, facility, pillar)) ORDER BY ALL"
    ):
        history.enter(when, database, facility, pillar, Share(top, bottom))
    return history
