"""What earlier nights came to: one small Parquet file per night, rewritten when the night is run again.

state/history/scores/<night>.parquet    night, database, facility, pillar, numerator, denominator
state/history/volumes/<night>.parquet   night, unit, files, read, accepted, quarantined, rejected, superseded,
                                        duplicate: all that the unit had sent by then, as it then stood
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import polars as pl

from datasach.report.counts import FATES, Share
from datasach.report.night import Night
from datasach.report.places import Country

NIGHTS_SHOWN = 60


class History:
    """Shares of the nights up to tonight, oldest first."""

    def __init__(self, nights: list[str]) -> None:
        self.nights = nights
        self._shares: dict[tuple[str, str, str], dict[str, Share]] = defaultdict(dict)

    def enter(self, night: str, database: str, whose: str, pillar: str, share: Share) -> None:
        self._shares[(database, whose, pillar)][night] = share

    def trend(self, database: str, pillar: str, whose: str = "") -> list[float | None]:
        """One value per night, None where nothing is known. `database` "" is all of a facility's."""
        found = self._shares.get((database, whose, pillar), {})
        return [share.value if (share := found.get(night)) else None for night in self.nights]


def keep(night: Night, country: Country) -> None:
    """Write tonight's two files, in place of any of the same night."""
    tonight = country.tonight
    folder = night.layout.state / "history"
    scores = folder / "scores" / f".{tonight}.part"
    night.warehouse.write_parquet(
        f"SELECT '{tonight}' AS night, database, facility, pillar, numerator, denominator"
        " FROM checks.scores ORDER BY ALL",
        scores,
    )
    scores.replace(_home(folder, "scores", tonight))
    rows = [
        {"night": tonight, "unit": unit.id, "files": unit.files, **unit.counts._asdict()}
        for unit in country.units.values()
    ]
    schema: dict[str, Any] = {"night": pl.String, "unit": pl.String}
    schema |= dict.fromkeys(("files", "read", *FATES), pl.Int64)
    frame = pl.DataFrame(rows, schema=schema)
    volumes = _home(folder, "volumes", tonight)
    side = volumes.with_name(f".{tonight}.part")
    frame.write_parquet(side)
    side.replace(volumes)


def _home(folder: Path, name: str, night: str) -> Path:
    path = folder / name / f"{night}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def look_back(night: Night, tonight: str) -> History:
    """Scores of the last nights, summed by database, and by facility over all databases."""
    folder = night.layout.state / "history" / "scores"
    paths = [p for p in sorted(folder.glob("????-??-??.parquet")) if p.stem <= tonight]
    paths = paths[-NIGHTS_SHOWN:]
    history = History([p.stem for p in paths])
    if len(paths) < 2:
        return history
    listed = ", ".join("'" + str(p).replace("'", "''") + "'" for p in paths)
    for when, database, facility, pillar, top, bottom in night.warehouse.rows(
        "SELECT night, coalesce(database, ''), coalesce(facility, ''), pillar, sum(numerator), sum(denominator)"
        f" FROM read_parquet([{listed}])"
        " GROUP BY GROUPING SETS ((night, database, pillar), (night, facility, pillar)) ORDER BY ALL"
    ):
        history.enter(when, database, facility, pillar, Share(top, bottom))
    return history
