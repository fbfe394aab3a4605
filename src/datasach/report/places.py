"""Who sends, from where, on which nights: facilities, authorities, the 34 provinces and their totals.

Every sender and every facility spoken of is one `Unit` and lies in exactly one `Place` (a province, or
the place for those outside every province). So the sums over units, places and the nation are equal by
construction, and tests hold the printed pages to it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from datasach.report.counts import NOTHING, Counts, total
from datasach.report.deliveries import Delivery
from datasach.report.deliveries import folder_of as folder_of
from datasach.report.night import Night
from datasach.report.words import Tone, Words, worst

OUTSIDE = "khac"
"""Id of the place of central authorities and of codes no province owns."""
OPERATING = "hoat_dong"


@dataclass(slots=True)
class Evening:
    """What one unit sent in one night."""

    night: str
    files: int = 0
    counts: Counts = NOTHING
    tones: list[Tone] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    kinds: dict[str, Counts] = field(default_factory=dict)
    """Kind of data (kinds_of_data.yaml) → its part of `counts`."""

    @property
    def tone(self) -> Tone:
        return worst(self.tones)


@dataclass(slots=True)
class Unit:
    """A facility, or an authority that sends for many."""

    id: str
    name: str | None
    level: str | None
    status: str | None
    registered: bool
    authority: bool
    place: str
    evenings: dict[str, Evening] = field(default_factory=dict)
    expected: int = 0
    """Nights on which a file was to be expected."""
    silent: int = 0
    """Nights since the last file; all of them if none ever came."""

    @property
    def counts(self) -> Counts:
        return total(e.counts for e in self.evenings.values())

    @property
    def files(self) -> int:
        return sum(e.files for e in self.evenings.values())

    @property
    def outcomes(self) -> Counter[str]:
        return sum((e.outcomes for e in self.evenings.values()), Counter())

    @property
    def kinds(self) -> dict[str, Counts]:
        """Kind of data → its rows so far."""
        found: dict[str, Counts] = {}
        for evening in self.evenings.values():
            for kind, counts in evening.kinds.items():
                found[kind] = found.get(kind, NOTHING).plus(counts)
        return found

    @property
    def last(self) -> str | None:
        return max(self.evenings, default=None)


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

    @property
    def tonight(self) -> str:
        return self.nights[-1]

    @property
    def counts(self) -> Counts:
        return total(p.counts for p in self.places.values())

    def expected_tonight(self) -> list[Unit]:
        return [u for u in self.units.values() if u.expected]

    def sent_tonight(self) -> list[Unit]:
        return [u for u in self.units.values() if self.tonight in u.evenings and not u.authority]


def survey(
    night: Night, words: Words, deliveries: list[Delivery], outcomes: dict[int, str]
) -> Country:
    """Reads   checks.facilities, the province list, deliveries with their outcomes (offer → key)"""
    tonight = night.until.isoformat()
    nights = sorted({d.night for d in deliveries if d.night <= tonight} | {tonight})
    places = _places(night)
    units = _units(night, places, {d.sender for d in deliveries})
    kind_of: dict[str, str] = {}
    for delivery in deliveries:
        outcome = outcomes[delivery.offer]
        evening = units[delivery.sender].evenings.setdefault(
            delivery.night, Evening(delivery.night)
        )
        evening.files += 1
        evening.counts = evening.counts.plus(delivery.counts)
        for table, counts in delivery.tables.items():
            kind = kind_of.setdefault(table, words.data.of_table(table))
            evening.kinds[kind] = evening.kinds.get(kind, NOTHING).plus(counts)
        evening.tones.append(words.outcomes[outcome].tone)
        evening.outcomes[outcome] += 1
    for unit in units.values():
        _expect(unit, nights)
        places[unit.place].units.append(unit)
    return Country(nights, places, units)


def _expect(unit: Unit, nights: list[str]) -> None:
    """Own proposal, as no schedule is declared: a facility that is registered and operating is expected
    every night, any other facility every night from its first file on. Authorities have no schedule."""
    first = min(unit.evenings, default=None)
    if unit.authority:
        unit.expected = 0
    elif unit.registered and unit.status == OPERATING:
        unit.expected = len(nights)
    elif first is not None:
        unit.expected = sum(n >= first for n in nights)
    last = unit.last
    unit.silent = sum(n > last for n in nights) if last else len(nights)


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
