"""What was sent twice: the same visit to the coordination system and to Social Insurance."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from datasach.report.night import Night
from datasach.spec.contract import Title

STATES: dict[str, Title] = {
    "identical": Title(vi="Giống nhau", en="Identical"),
    "different": Title(vi="Khác nhau", en="Different"),
    "only_coordination": Title(vi="Chỉ hệ thống điều phối", en="Coordination system only"),
    "only_insurance": Title(vi="Chỉ BHXH", en="Social Insurance only"),
}
NOT_COMPARED = ("stt", "du_phong")
"""As reconcile.channels leaves them out: they say nothing about the visit."""
LINES = {
    "drug": Title(vi="Các dòng thuốc", en="Drug lines"),
    "service": Title(vi="Các dòng dịch vụ", en="Service lines"),
    "result": Title(vi="Các kết quả cận lâm sàng", en="Test results"),
}


class Visits(NamedTuple):
    """Visits by state."""

    identical: int = 0
    different: int = 0
    only_coordination: int = 0
    only_insurance: int = 0

    @property
    def all(self) -> int:
        return sum(self)

    @property
    def both(self) -> int:
        return self.identical + self.different

    def plus(self, other: Visits) -> Visits:
        return Visits(*(a + b for a, b in zip(self, other, strict=True)))


LEAST_VISITS = 20
"""Visits in both channels below which agreement of a field is not called one."""


class Differing(NamedTuple):
    """A field that is compared: of `both` visits in both channels, so many differ in it."""

    field: str
    title: Title
    visits: int
    both: int = 0

    @property
    def agrees(self) -> bool:
        """May it be taken from one source? It never differed, in enough visits to say so."""
        return self.visits == 0 and self.both >= LEAST_VISITS


@dataclass(slots=True)
class Channels:
    facilities: dict[str, Visits] = field(default_factory=dict)
    places: dict[str, Visits] = field(default_factory=dict)
    nation: Visits = Visits()
    fields: list[Differing] = field(default_factory=list)
    """Every field both channels carry, most often differing first, over all facilities."""
    by_facility: dict[str, list[Differing]] = field(default_factory=dict)
    not_there: list[Differing] = field(default_factory=list)
    """Fields only the coordination system gets: they must go on being sent to it."""


def compare(night: Night, place_of: dict[str, str]) -> Channels:
    """Reads recon.channel_visits, recon.channel_fields."""
    found = Channels()
    states: dict[str, dict[str, int]] = defaultdict(dict)
    for facility, state, visits in night.warehouse.rows(
        "SELECT facility, state, count(*) FROM recon.channel_visits GROUP BY ALL ORDER BY ALL"
    ):
        states[facility][state] = visits
    for facility, counts in states.items():
        visits = Visits(*(counts.get(state, 0) for state in STATES))
        found.facilities[facility] = visits
        found.nation = found.nation.plus(visits)
        place = place_of.get(facility, "")
        found.places[place] = found.places.get(place, Visits()).plus(visits)
    titles = {f.name: f.title for f in night.project.tables["kcb_emr.visit"].fields} | LINES
    sums: dict[str, int] = defaultdict(int)
    rows: dict[str, list[Differing]] = defaultdict(list)
    for facility, name, differing in night.warehouse.rows(
        "SELECT facility, field, differing FROM recon.channel_fields ORDER BY facility, differing DESC, field"
    ):
        title = titles.get(name, Title(vi=name, en=name))
        sums[name] += differing
        rows[facility].append(Differing(name, title, differing))
    found.by_facility = dict(rows)
    both = found.nation.both
    there = {f.name for f in night.project.tables["bhyt_claims.claim"].fields} | set(LINES)
    compared = {name: sums.get(name, 0) for name in titles if name not in NOT_COMPARED} | sums
    for name, visits in sorted(compared.items(), key=lambda item: (-item[1], item[0])):
        one = Differing(name, titles.get(name, Title(vi=name, en=name)), visits, both)
        (found.fields if name in there else found.not_there).append(one)
    return found
