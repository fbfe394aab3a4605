"""What earlier nights came to: one small Parquet file per night, rewritten when the night is run again.

state/history/scores/<night>.parquet    night, database, facility, pillar, numerator, denominator
state/history/volumes/<night>.parquet   night, unit, files, read, accepted, quarantined, rejected, superseded,
                                        duplicate: all that the unit had sent by then, as it then stood
state/history/metrics/<night>.parquet   night, table_id, rule, facility, tested, failed: over all current records
state/history/failures/<night>.parquet  night, facility, rule, tables, tested, failed: metrics over all tables, where any failed
state/history/rules/<night>.parquet     night, rule, tested, failed, facilities: metrics summed over the tables whose numbers are told
state/history/arrivals/<night>.parquet  night, table_id, facility, rows: what came about the facility in that night
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from datasach.report.counts import FATES, Share
from datasach.report.night import Night
from datasach.report.places import Country
from datasach.store.layout import Layout
from datasach.store.warehouse import sql_name, sql_text, sql_texts

NIGHTS_SHOWN = 60


AT_ONCE = 500_000
"""Values of facilities' lines that are taken out of DuckDB together."""
PEERS = 5
"""A median over fewer facilities of one level would point at single ones."""

Line = list[float | None]


class History:
    """Shares of the nights up to tonight, oldest first; a line holds one value per night, None where nothing
    is known."""

    def __init__(self, nights: list[str]) -> None:
        self.nights = nights
        self._shares: dict[tuple[str, str], dict[str, Share]] = defaultdict(dict)
        self._facilities: dict[tuple[str, str], Line] = {}
        self._peers: dict[tuple[str, str], Line] = {}
        self._rules: dict[str, dict[str, RuleNight]] = defaultdict(dict)

    def share(self, database: str, pillar: str, night: str) -> Share | None:
        """A database's, nationwide."""
        return self._shares.get((database, pillar), {}).get(night)

    def trend(self, database: str, pillar: str) -> Line:
        found = self._shares.get((database, pillar), {})
        return [share.value if (share := found.get(night)) else None for night in self.nights]

    def of_facility(self, facility: str, pillar: str) -> Line:
        """Over all its databases but the sensitive ones; empty if nothing is known of it."""
        return self._facilities.get((facility, pillar), [])

    def of_peers(self, level: str | None, pillar: str) -> tuple[Line, bool]:
        """Medians of the facilities of a level, and whether they are of that level: where a level has too few
        facilities, of all."""
        own = self._peers.get((level or "", pillar))
        return (own, True) if level and own else (self._peers.get(("", pillar), []), False)

    def of_rule(self, rule: str) -> list[RuleNight | None]:
        found = self._rules.get(rule, {})
        return [found.get(night) for night in self.nights]

    def _line(self, nights: list[str], values: list[float]) -> Line:
        known = dict(zip(nights, values, strict=True))
        return [known.get(night) for night in self.nights]


class RuleNight(NamedTuple):
    """A rule in one night, over all its tables and facilities."""

    tested: int
    failed: int
    facilities: int

    @property
    def rate(self) -> float | None:
        return self.failed / self.tested if self.tested else None


def keep(night: Night, country: Country) -> None:
    """Write tonight's files, in place of any of the same night."""
    tonight = country.tonight
    keep_query(
        night, "scores", tonight,
        "SELECT database, facility, pillar, numerator, denominator FROM checks.scores ORDER BY ALL",
    )  # fmt: skip
    # A nation has millions of these: summed once, for three files.
    night.warehouse.execute(
        "CREATE OR REPLACE TABLE checks.summed AS SELECT table_id, rule, facility, sum(tested)::BIGINT AS tested,"
        " sum(failed)::BIGINT AS failed FROM checks.metrics WHERE tested > 0 AND facility IS NOT NULL GROUP BY ALL"
    )
    keep_query(
        night, "metrics", tonight,
        "SELECT table_id, rule, facility, tested, failed FROM checks.summed ORDER BY table_id, rule, facility",
    )  # fmt: skip
    keep_query(
        night, "failures", tonight,
        "SELECT facility, rule, any_value(f.tables) AS tables, sum(tested)::BIGINT AS tested, sum(failed)::BIGINT AS failed"
        " FROM checks.summed JOIN (SELECT facility, rule, list(table_id ORDER BY failed DESC, table_id) AS tables"
        " FROM checks.summed WHERE failed > 0 GROUP BY facility, rule) f USING (facility, rule)"
        " GROUP BY facility, rule ORDER BY facility, rule",
    )  # fmt: skip
    keep_query(
        night, "rules", tonight,
        "SELECT rule, sum(tested) FILTER (t.rule IS NOT NULL)::BIGINT AS tested,"
        " sum(failed) FILTER (t.rule IS NOT NULL)::BIGINT AS failed,"
        " count(DISTINCT facility) FILTER (failed > 0) AS facilities"
        " FROM checks.summed LEFT JOIN checks.told t USING (rule, table_id)"
        " GROUP BY rule HAVING count(t.rule) > 0 ORDER BY rule",
    )  # fmt: skip
    night.warehouse.execute("DROP TABLE checks.summed")
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
    quoted = ", ".join(f"'{sql_text(path)}'" for path in paths)
    return f"read_parquet([{quoted}])"


def look_back(night: Night, tonight: str, sensitive: list[str]) -> History:
    """Reads the history's scores and rules, and checks.facilities for the levels.

    One row per line comes out of DuckDB, not one per night: a nation has 12,000 facilities and 60 nights.
    """
    paths = dict(list(kept(night.layout, "scores", tonight).items())[-NIGHTS_SHOWN:])
    found = History(list(paths))
    if len(paths) < 2:
        return found
    query = night.warehouse.rows
    scores = sql_list(paths.values())
    for when, database, pillar, top, bottom in query(
        "SELECT night, database, pillar, sum(numerator), sum(denominator)"
        f" FROM {scores} GROUP BY ALL ORDER BY ALL"
    ):
        found._shares[(database, pillar)][when] = Share(top, bottom)
    placed = ", ".join(f"('{when}', {at})" for at, when in enumerate(found.nights))
    night.warehouse.execute(
        "CREATE OR REPLACE TEMP TABLE facility_lines AS SELECT facility, any_value(coalesce(f.cap, '')) AS cap, pillar,"
        " any_value(night) AS night, k, (sum(numerator) / sum(denominator))::FLOAT AS share"
        f" FROM {scores} JOIN (VALUES {placed}) n(night, k) USING (night) LEFT JOIN checks.facilities f USING (facility)"
        f" WHERE facility IS NOT NULL AND database NOT IN ({sql_texts(sensitive)}) GROUP BY facility, pillar, k HAVING sum(denominator) > 0"
    )
    groups = 1 + night.warehouse.value("SELECT count(*) FROM facility_lines") // AT_ONCE
    for group in range(groups):
        for facility, pillar, places, values in query(
            "SELECT facility, pillar, list(k), list(share) FROM facility_lines"
            f" WHERE hash(facility) % {groups} = {group} GROUP BY ALL ORDER BY ALL"
        ):
            line: Line = [None] * len(found.nights)
            for at, value in zip(places, values, strict=True):
                line[at] = value
            found._facilities[(facility, pillar)] = line
    for cap, pillar, nights, values in query(
        "SELECT cap, pillar, list(night ORDER BY night), list(middle ORDER BY night) FROM ("
        "  SELECT cap, pillar, night, median(share) AS middle FROM ("
        "    SELECT cap, pillar, night, share FROM facility_lines WHERE cap <> ''"
        "    UNION ALL SELECT '', pillar, night, share FROM facility_lines)"
        f"  GROUP BY ALL HAVING count(*) >= {PEERS}) GROUP BY ALL ORDER BY ALL"
    ):
        found._peers[(cap, pillar)] = found._line(nights, values)
    rules = list(kept(night.layout, "rules", tonight).values())[-NIGHTS_SHOWN:]
    if rules:
        for when, rule, tested, failed, facilities in query(
            f"SELECT night, rule, tested, failed, facilities FROM {sql_list(rules)} ORDER BY ALL"
        ):
            found._rules[rule][when] = RuleNight(tested, failed, facilities)
    return found
