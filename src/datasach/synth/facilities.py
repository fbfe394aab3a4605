"""Invented facilities: levels, codes with their predecessors, staff, devices and vendors' habits.

Facility i stands in province i mod n. The first of a province is its hospital, the second a
district hospital, then commune stations, clinics and one laboratory without a pharmacy. Codes are
two digits of the 34-list + three digits; where the place belonged to another province code before
07/2025, the old code is the predecessor (74002 → 79002), as NĐ 188/2025 arts 69-70 want it.

A `Habit` is how one vendor's system writes: every habit of the list occurs among the first twelve.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .people import PERSONS_PER_FAMILY, Area, Block, Person, canary, stream
from .reference import Reference

DEFAULT_PROVINCES = ("91", "24", "19", "79")
CENTRAL_PROVINCES = ("79", "01", "46")
UNIT_OF = {"91": "AG", "24": "BN", "19": "TNG", "79": "HCM", "01": "HNO", "46": "HUE"}


@dataclass(frozen=True, slots=True)
class Level:
    name: str
    rank: str
    tier: str
    weight: float
    ward_share: float
    doctors: int
    label: str
    private: bool = False
    pharmacy: bool = True


LEVELS = {
    "central": Level("central", "DB", "chuyen_sau", 7.0, 0.34, 26, "Bệnh viện Đa khoa Trung tâm"),
    "provincial": Level("provincial", "1", "chuyen_sau", 5.0, 0.28, 18, "Bệnh viện Đa khoa tỉnh"),
    "district": Level("district", "3", "co_ban", 2.6, 0.18, 10, "Trung tâm Y tế khu vực"),
    "commune": Level("commune", "CXH", "ban_dau", 0.8, 0.0, 3, "Trạm Y tế"),
    "clinic": Level("clinic", "CXH", "ban_dau", 1.0, 0.0, 4, "Phòng khám đa khoa", private=True),
    "laboratory": Level("laboratory", "CXH", "ban_dau", 0.7, 0.0, 3, "Phòng khám chẩn đoán",
                        private=True, pharmacy=False),
}  # fmt: skip
AFTER_THE_FIRST_THREE = ("commune",) * 5 + ("district", "clinic") + ("commune",) * 3 + (
    "laboratory", "district",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Habit:
    """How one vendor's export looks. `inner`: base64 | wrapped | cdata | element | text."""

    name: str
    vintage: str = "3176"
    inner: str = "base64"
    pretty: bool = False
    encoding: str = "utf-8"
    packing: str = "xml"
    alone: bool = False
    misspelt: bool = False
    cents: bool = False
    table_encoding: str = "utf-8"
    separator: str = ","
    slashed_dates: bool = False
    heading: int = 0
    lines: bool = False
    numbers: bool = False


HABITS = (
    Habit("plain"),
    Habit("pretty", pretty=True, separator=";", heading=1, lines=True),
    Habit("cdata", inner="cdata", table_encoding="utf-8-sig", cents=True),
    Habit("wrapped", vintage="4750", inner="wrapped", separator=";", numbers=True),
    Habit("element", inner="element", heading=1, slashed_dates=True),
    Habit("text", vintage="4750", inner="text", lines=True),
    Habit("utf16", encoding="utf-16", separator=";", table_encoding="utf-8-sig", heading=1),
    Habit("vintage130", vintage="130", encoding="utf-8-sig", misspelt=True, numbers=True),
    Habit("windows1258", encoding="windows-1258", table_encoding="windows-1258", separator=";",
          slashed_dates=True, heading=1),
    Habit("zip", packing="zip", alone=True, cents=True),
    Habit("gzip", packing="gz", lines=True),
    Habit("alone", alone=True),
)  # fmt: skip
HABIT_WEIGHTS = np.array([34, 12, 5, 9, 2, 3, 4, 6, 4, 8, 8, 5], dtype=float)


@dataclass(frozen=True, slots=True)
class Doctor:
    person: Person
    licence: str
    connection: str
    title: str


@dataclass(frozen=True)
class Facility:
    index: int
    code: str
    predecessor: str
    name: str
    level: Level
    province: str
    area: Area
    habit: Habit
    parent: int | None
    connection: str

    @property
    def unit(self) -> str:
        return UNIT_OF.get(self.province, "SYT")


class Country:
    """All facilities and their areas, and the blocks of people lately met."""

    def __init__(
        self,
        *,
        reference: Reference,
        seed: int,
        facilities: int,
        persons: int,
        provinces: Sequence[str] | None,
    ) -> None:
        self.seed, self.reference = seed, reference
        self.provinces = tuple(provinces or DEFAULT_PROVINCES)
        unknown = [code for code in self.provinces if code not in reference.provinces]
        if unknown:
            raise ValueError(f"not a province of the 34-list: {', '.join(unknown)}")
        families = max(8, round(persons / facilities / PERSONS_PER_FAMILY))
        self.facilities = [
            self._facility(index, facilities, families) for index in range(facilities)
        ]
        self.by_code = {facility.code: facility for facility in self.facilities}
        self.central = next((f.index for f in self.facilities if f.level.name == "central"), 0)
        self.chains = [self._chain(index) for index in range(facilities)]
        self.feeders: list[list[int]] = [[] for _ in self.facilities]
        for area, chain in enumerate(self.chains):
            for facility in dict.fromkeys(chain[1:]):
                if facility != area:
                    self.feeders[facility].append(area)
        self.canary = canary(self.facilities[0].area.wards[0])
        self.total_weight = sum(f.level.weight for f in self.facilities)
        self.block = lru_cache(maxsize=256)(self._block)
        self.staff = lru_cache(maxsize=256)(self._staff)

    def _facility(self, index: int, count: int, families: int) -> Facility:
        provinces = self.provinces
        place, rank = index % len(provinces), index // len(provinces)
        province = provinces[place]
        if rank == 0:
            kind = "central" if province in CENTRAL_PROVINCES else "provincial"
        elif rank == 1:
            kind = "district"
        elif rank == 2:
            kind = ("commune", "commune", "laboratory", "clinic")[place % 4]
        else:
            kind = AFTER_THE_FIRST_THREE[(rank - 3) % len(AFTER_THE_FIRST_THREE)]
        level = LEVELS[kind]
        old_codes = self.reference.provinces[province].old_codes
        old = old_codes[(rank - 1) % len(old_codes)]
        wards = [w for w in self.reference.wards[province] if w.old_province == old]
        start = rank * 7 % len(wards)
        wards = (wards + wards)[start : start + 5]
        number = f"{rank + 1:03d}"
        order = (
            int(stream(self.seed, 90, 0).permutation(12)[index])
            if index < 12
            else int(stream(self.seed, 90, index).choice(12, p=HABIT_WEIGHTS / HABIT_WEIGHTS.sum()))
        )
        short = self.reference.provinces[province].short_name
        name = {
            "central": f"{level.label} {short}",
            "provincial": f"{level.label} {short}",
        }.get(kind, f"{level.label} {wards[0].new_name} số {rank}")
        mixed = (index * 7_368_787 + 1_234_577) % 36**4
        return Facility(
            index=index, code=province + number,
            predecessor=old + number if old != province else "",
            name=f"{name} (hư cấu)", level=level, province=province,
            area=Area(index, province, tuple(wards), families, index * families),
            habit=HABITS[order], parent=self._parent(place, rank, kind, count),
            connection="c" + base36(mixed, 4),
        )  # fmt: skip

    def _parent(self, place: int, rank: int, kind: str, count: int) -> int | None:
        """The hospital above; the first facility where a small country has no better one."""
        n = len(self.provinces)
        central = [p for p, c in enumerate(self.provinces) if c in CENTRAL_PROVINCES and p < count]
        if kind == "central" or (not central and place + rank == 0):
            return None
        if rank == 0:
            return central[0] if central else 0
        if rank == 1 or kind == "district":
            return place
        above = [r for r in range(1, rank) if r == 1 or (r >= 3 and _after(r) == "district")]
        return above[-1] * n + place

    def _chain(self, index: int) -> tuple[int, int, int, int]:
        """Where people of an area go: home, the hospital above, the one above that, the centre."""
        chain = [index]
        while len(chain) < 3:
            parent = self.facilities[chain[-1]].parent
            chain.append(chain[-1] if parent is None else parent)
        return chain[0], chain[1], chain[2], self.central

    def _block(self, area: int, number: int) -> Block:
        return Block(self.facilities[area].area, number, self.seed, self.reference)

    def person(self, area: int, number: int, at: int) -> Person:
        if area < 0:
            return self.canary
        return self.block(area, number).person(at)

    def _staff(self, index: int) -> tuple[Doctor, ...]:
        """The facility's doctors: grown-up people of its own area, who are patients too."""
        facility = self.facilities[index]
        block = self.block(index, 0)
        ages = (datetime.date(2026, 1, 1).toordinal() - block.born) / 365.2425
        found = np.flatnonzero(block.present & (ages > 27) & (ages < 62))[: facility.level.doctors]
        return tuple(
            Doctor(
                person=block.person(int(at)),
                licence=f"{index * 40 + n + 1:06d}/{facility.unit}-{'GPHN' if n % 3 else 'CCHN'}",
                connection=f"BS{index:05d}{n:02d}",
                title="Bác sĩ" if n % 4 != 3 else "Điều dưỡng",
            )
            for n, at in enumerate(found)
        )

    def visits_of(self, facility: Facility, night: int, per_night: int) -> int:
        """How many visits end at the facility that night; the fraction is settled by a draw."""
        share = per_night * facility.level.weight / self.total_weight
        return int(share + (night * 0.618034 + facility.index * 0.754878) % 1.0)


def _after(rank: int) -> str:
    return AFTER_THE_FIRST_THREE[(rank - 3) % len(AFTER_THE_FIRST_THREE)]


def base36(number: int, width: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    out = ""
    for _ in range(width):
        number, rest = divmod(number, 36)
        out = digits[rest] + out
    return out
