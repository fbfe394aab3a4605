"""Who sends, from where, on which nights: facilities, authorities, the 34 provinces and their totals.

Every sender and every facility spoken of is one `Unit` and lies in exactly one `Place` (a province, or
the place for those outside every province). So the sums over units, places and the nation are equal by
construction, and tests hold the printed pages to it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from datasach.report.counts import COUNTS, NOTHING, SQL_SUMS, Counts, total
from datasach.report.deliveries import folder_of as folder_of
from datasach.report.night import Night
from datasach.report.words import Tone, Words, worst

NIGHTS_SHOWN = 60
"""Nights told one by one; older ones are in every sum, and in the Departments' table of evenings."""
KINDS_SHOWN = 14

OUTSIDE = "khac"
"""Id of the place of central authorities and of codes no province owns."""
OPERATING = "hoat_dong"


@dataclass(slots=True)
class Evening:
    """What one unit sent in one night."""

    night: str
    files: int
    counts: Counts
    outcomes: Counter[str]
    """Key of outcomes.yaml → files; shared by evenings that ended alike."""
    tone: Tone
    kinds: dict[str, Counts] = field(default_factory=dict)
    """Kind of data (kinds_of_data.yaml) → its part of `counts`; of the country's last `KINDS_SHOWN` nights."""


@dataclass(slots=True)
class Unit:
    """A facility, or an authority that sends for many. The sums are over all its nights."""

    id: str
    name: str | None
    level: str | None
    status: str | None
    registered: bool
    authority: bool
    place: str
    evenings: dict[str, Evening] = field(default_factory=dict)
    """Of the country's last `NIGHTS_SHOWN` nights, and the last one in which it sent anything."""
    nights: int = 0
    """Nights in which it sent anything."""
    first: str | None = None
    last: str | None = None
    files: int = 0
    counts: Counts = NOTHING
    kinds: dict[str, Counts] = field(default_factory=dict)
    """Kind of data → its rows."""
    expected: int = 0
    """Nights on which a file was to be expected."""
    silent: int = 0
    """Nights since the last file; all of them if none ever came."""


class NightSum(NamedTuple):
    """What came from a place, or from everywhere, in one night."""

    senders: int = 0
    facilities: int = 0
    """Senders without the authorities."""
    files: int = 0
    counts: Counts = NOTHING


@dataclass(slots=True)
class Place:
    """A province of today with the provinces it was formed from, or `OUTSIDE`."""

    id: str
    name: str
    short: str
    former: list[tuple[str, str]] = field(default_factory=list)
    """(code, name) of the provinces before 01/07/2025; empty where nothing changed."""
    units: list[Unit] = field(default_factory=list)

    @property
    def counts(self) -> Counts:
        return total(u.counts for u in self.units)


@dataclass(slots=True)
class Country:
    nights: list[str]
    places: dict[str, Place]
    units: dict[str, Unit]
    sums: dict[tuple[str, str], NightSum]
    """(night, place; "" for everywhere)"""

    def of_night(self, night: str, place: str = "") -> NightSum:
        return self.sums.get((night, place), NightSum())

    @property
    def tonight(self) -> str:
        return self.nights[-1]

    @property
    def counts(self) -> Counts:
        return total(p.counts for p in self.places.values())

    @property
    def files(self) -> int:
        return sum(u.files for u in self.units.values())

    def evenings_tonight(self) -> list[Evening]:
        return [e for u in self.units.values() if (e := u.evenings.get(self.tonight)) is not None]

    def expected_tonight(self) -> list[Unit]:
        return [u for u in self.units.values() if u.expected]

    def sent_tonight(self) -> list[Unit]:
        return [u for u in self.units.values() if self.tonight in u.evenings and not u.authority]


def survey(night: Night, words: Words) -> Country:
    """Reads   checks.facilities, checks.deliveries, checks.sent, the province list
    Writes  checks.units  folder, place, is_authority
    """
    tonight = night.until.isoformat()
    query = night.warehouse.rows
    came = [row[0] for row in query("SELECT DISTINCT night FROM checks.deliveries ORDER BY night")]
    nights = sorted({n for n in came if n <= tonight} | {tonight})
    places = _places(night)
    senders = {row[0] for row in query("SELECT DISTINCT folder FROM checks.deliveries")}
    units = _units(night, places, senders)
    night.warehouse.put(
        "checks.units",
        pl.DataFrame(
            [(u.id, u.place, u.authority) for u in units.values()],
            schema={"folder": pl.String, "place": pl.String, "is_authority": pl.Boolean},
            orient="row",
        ),
    )
    for folder, sent, first, last, files, *counts in query(
        f"SELECT folder, count(DISTINCT night), min(night), max(night), count(*), {SQL_SUMS} FROM checks.deliveries GROUP BY folder"
    ):
        unit = units[folder]
        unit.nights, unit.first, unit.last, unit.files = sent, first, last, files
        unit.counts = Counts(*counts)
    _add_evenings(night, words, units, nights)
    _add_kinds(night, words, units, nights)
    for unit in units.values():
        _expect(unit, nights)
        places[unit.place].units.append(unit)
    return Country(nights, places, units, _night_sums(night))


def _add_evenings(night: Night, words: Words, units: dict[str, Unit], nights: list[str]) -> None:
    ends: dict[str, tuple[Counter[str], Tone]] = {}
    since = nights[-NIGHTS_SHOWN:][0]
    for folder, when, said, files, *counts in night.warehouse.rows(
        "SELECT folder, night, string_agg(outcome || ' ' || n, ';' ORDER BY outcome), sum(n)::BIGINT,"
        f" {SQL_SUMS} FROM (SELECT folder, night, outcome, count(*) AS n, {SQL_SUMS} FROM checks.deliveries GROUP BY ALL)"
        " GROUP BY folder, night"
        f" QUALIFY night >= '{since}' OR night = max(night) OVER (PARTITION BY folder) ORDER BY folder, night"
    ):
        if said not in ends:
            outcomes = Counter(
                {k: int(n) for k, _, n in (o.rpartition(" ") for o in said.split(";"))}
            )
            ends[said] = outcomes, worst([words.outcomes[one].tone for one in outcomes])
        units[folder].evenings[when] = Evening(when, files, Counts(*counts), *ends[said])


def _add_kinds(night: Night, words: Words, units: dict[str, Unit], nights: list[str]) -> None:
    tables = [row[0] for row in night.warehouse.rows("SELECT DISTINCT table_id FROM checks.sent")]
    night.warehouse.put(
        "checks.kinds",
        pl.DataFrame(
            [(table, words.data.of_table(table)) for table in tables],
            schema={"table_id": pl.String, "kind": pl.String},
            orient="row",
        ),
    )
    sums = ", ".join(f"sum(s.{name})::BIGINT" for name in COUNTS)
    for since, by_night in (("", False), (nights[-KINDS_SHOWN:][0], True)):
        when = "d.night" if by_night else "''"
        for folder, one, kind, *counts in night.warehouse.rows(
            f"SELECT d.folder, {when}, k.kind, {sums} FROM checks.sent s JOIN checks.kinds k USING (table_id)"
            f" JOIN checks.deliveries d USING (offer) WHERE d.night >= '{since}' GROUP BY ALL ORDER BY ALL"
        ):
            unit = units[folder]
            (unit.evenings[one].kinds if by_night else unit.kinds)[kind] = Counts(*counts)


def _night_sums(night: Night) -> dict[tuple[str, str], NightSum]:
    return {
        (when, place): NightSum(senders, facilities, files, Counts(*counts))
        for when, place, senders, facilities, files, *counts in night.warehouse.rows(
            "SELECT night, coalesce(place, ''), count(DISTINCT folder), count(DISTINCT folder) FILTER (NOT is_authority),"
            f" count(*), {SQL_SUMS} FROM checks.deliveries JOIN checks.units USING (folder)"
            " GROUP BY GROUPING SETS ((night, place), (night))"
        )
    }


def _expect(unit: Unit, nights: list[str]) -> None:
    """Own proposal, as no schedule is declared: a facility that is registered and operating is expected
    every night, any other facility every night from its first file on. Authorities have no schedule."""
    if unit.authority:
        unit.expected = 0
    elif unit.registered and unit.status == OPERATING:
        unit.expected = len(nights)
    elif unit.first is not None:
        unit.expected = len(nights) - bisect_left(nights, unit.first)
    unit.silent = len(nights) - bisect_right(nights, unit.last) if unit.last else len(nights)


def _places(night: Night) -> dict[str, Place]:
    places: dict[str, Place] = {}
    rows = night.project.reference("provinces").sort("new_code", "old_gso_code")
    for row in rows.iter_rows(named=True):
        place = places.setdefault(
            row["new_code"], Place(row["new_code"], row["new_name"], row["new_short_name"])
        )
        if row["change"] != "unchanged":
            place.former.append((row["old_gso_code"], row["old_short_name"]))
    places[OUTSIDE] = Place(OUTSIDE, "Ngoài các tỉnh", "Ngoài các tỉnh")
    return places


def _units(night: Night, places: dict[str, Place], senders: set[str]) -> dict[str, Unit]:
    authorities = {a for source in night.project.sources.values() for a in source.authorities}
    former = {code: p.id for p in places.values() for code, _ in p.former}
    units = {}
    for facility, name, level, status, known, province in night.warehouse.rows(
        "SELECT facility, name, cap, status, known, province_code FROM checks.facilities ORDER BY facility"
    ):
        place = province if province in places and facility not in authorities else OUTSIDE
        units[facility] = Unit(
            facility, name, level, status, bool(known), facility in authorities, place
        )
    for sender in sorted(senders - set(units)):
        prefix = sender[:2] if len(sender) == 5 and sender not in authorities else ""
        place = prefix if prefix in places else former.get(prefix, OUTSIDE)
        units[sender] = Unit(sender, None, None, None, False, sender in authorities, place)
    return dict(sorted(units.items()))
