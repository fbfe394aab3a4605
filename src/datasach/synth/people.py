"""An invented population of families, derivable block by block. Nobody in it exists.

    area      the people round one facility: `families` families in a few communes of one province
    block     up to 200 families of one area, drawn together; 8 places each: father, mother, three
              children, a twin of the first child, grandmother, grandfather
    number    family × 8 + place: one person for ever, whatever night is generated

A block depends on (seed, area, block) only, so 26 million persons need no memory: a night derives
the blocks it meets. Ids, social-insurance numbers and mobile numbers are the person's number under
an affine bijection, so that no two persons share one by chance: up to 400,000 persons exactly, and
above that two persons meet only with the same province, sex and birth year.

Citizen ids keep the province code of before 07/2025 (`089…` in today's 91), because numbers given
before the merger are not renumbered. Sources: DOMAIN.md 2.1, 2.2, 3.2, 6.1, 6.3, 6.4.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from .reference import ETHNIC_SHARES, SEX_PREFIXES, Floats, Ints, Pool, Reference, Ward, region

Day = datetime.date
IntOrInts = TypeVar("IntOrInts", int, Ints)
FAMILIES_PER_BLOCK = 200
PLACES = 8
FATHER, MOTHER, CHILD, TWIN, GRANDMOTHER, GRANDFATHER = 0, 1, 2, 5, 6, 7
PERSONS_PER_FAMILY = 3.33
EPOCH = Day(2026, 12, 31).toordinal()  # nobody is born later, except the newborn of the nights
MOBILE = (
    "032", "033", "034", "035", "036", "037", "038", "039", "052", "056", "058", "059", "070",
    "076", "077", "078", "079", "081", "082", "083", "084", "085", "086", "088", "089", "090",
    "091", "092", "093", "094", "096", "097", "098", "099",
)  # fmt: skip
HAMLETS = ("ấp", "khóm", "thôn", "tổ dân phố", "xóm", "khu phố")
HAMLET_NAMES = ("Bình Hòa", "Tân Lập", "Đông Phú", "Trung Thành", "Phú Mỹ", "Long An", "Đồng Tâm",
                "Vĩnh Thuận", "Thống Nhất", "An Khánh", "Hòa Lợi", "Tiền Phong")  # fmt: skip
STREETS = ("Trần Hưng Đạo", "Lê Lợi", "Nguyễn Huệ", "Hai Bà Trưng", "Lý Thường Kiệt", "Quang Trung")


# The canary: one person who is in every night. Whoever finds her tokens in a log, a report or the
# general layer has found a leak.
CANARY_NAME = "Khổng Thị Canarixyz"
CANARY_ID = "079187999137"
CANARY_PHONE = "0999000137"


# number → (number × factor + offset) mod size: a bijection, as factor and size share no divisor.
SCRAMBLES = {
    "citizen": (618_037, 271_829, 1_000_000),
    "insurance": (61_803_401, 31_415_927, 100_000_000),
    "old": (6_180_341, 161_803, 10_000_000),
    "phone": (210_132_139, 57_721_566, len(MOBILE) * 10_000_000),
}


def scrambled(number: IntOrInts, kind: str) -> IntOrInts:
    """Digits of an invented identifier from a person's number; for one number or a column."""
    factor, offset, size = SCRAMBLES[kind]
    return (number * factor + offset) % size


def stream(seed: int, *key: int) -> np.random.Generator:
    """One independent stream of numbers per key; the same key gives the same numbers for ever."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key)))


PEOPLE, TONIGHT, PLAN, DAMAGE, LATE, EXTRACT = range(6)  # first element of every stream key


@dataclass(frozen=True, slots=True)
class Person:
    """The truth about one invented person. `year_only`: the papers give no day of birth."""

    pid: str
    name: str
    sex: str
    born: Day
    year_only: bool
    citizen_id: str
    old_id: str
    insurance_number: str
    phone: str
    family_phone: str
    ward: Ward
    house: str
    ethnic: str
    blood: str
    insured: bool
    chance: float
    area: int
    mother_pid: str = ""
    mother_name: str = ""
    mother_id: str = ""
    father_name: str = ""
    minute: int = 0

    def age(self, on: Day) -> int:
        return on.year - self.born.year - ((on.month, on.day) < (self.born.month, self.born.day))

    def months(self, on: Day) -> int:
        months = (on.year - self.born.year) * 12 + on.month - self.born.month
        return months - (on.day < self.born.day)


@dataclass(frozen=True)
class Area:
    """Catchment of the facility with the same index."""

    index: int
    province: str
    wards: tuple[Ward, ...]
    families: int
    first_family: int

    @property
    def blocks(self) -> int:
        return -(-self.families // FAMILIES_PER_BLOCK)


class Block:
    """Up to 200 families as flat arrays of `families × 8` places; `present` tells who exists."""

    def __init__(self, area: Area, number: int, seed: int, reference: Reference) -> None:
        self.area, self.reference = area, reference
        count = min(FAMILIES_PER_BLOCK, area.families - number * FAMILIES_PER_BLOCK)
        self.first = (area.first_family + number * FAMILIES_PER_BLOCK) * PLACES
        rng = stream(seed, PEOPLE, area.index, number)
        family = rng.random((count, 12))
        person = rng.random((count, PLACES, 12))
        self.born, present = _births(family, person)
        self.present = present.ravel()
        self.sex = np.where(person[:, :, 0] < 0.505, 1, 2)
        self.sex[:, [FATHER, GRANDFATHER]], self.sex[:, [MOTHER, GRANDMOTHER]] = 1, 2
        years = 1970 + (self.born - 719163) / 365.2425
        self.cohort = np.where(years < 1975, 0, np.where(years < 2003, 1, 2))
        self.middle, self.given = np.zeros((2, count, PLACES), dtype=np.int64)
        for sex in (1, 2):
            for cohort in range(3):
                here = (self.sex == sex) & (self.cohort == cohort)
                self.middle[here] = reference.middle[str(sex)][cohort].draw(person[:, :, 1][here])
                self.given[here] = reference.given[str(sex)][cohort].draw(person[:, :, 2][here])
        # Two living siblings never get the same given name: the next one of the pool is taken.
        for place in range(CHILD + 1, TWIN + 1):
            same = (self.given[:, place] == self.given[:, place - 1]) | (
                self.given[:, place] == self.given[:, CHILD]
            )
            self.given[same, place] = (self.given[same, place] + 7 + place) % 60
        pool = _ethnic_pool(area.province)
        self.ethnic = np.array(pool.values, dtype=object)[pool.draw(family[:, 7])]
        self.surname = self._surnames(person[:, :, 3])
        self.family = family
        self.ward = (family[:, 8] * len(area.wards)).astype(np.int64)
        self.chance = person[:, :, 4].ravel()
        self.of_person = person.reshape(count * PLACES, 12)
        age = (EPOCH - self.born.ravel()) / 365.2425
        self.need = np.select([age < 6, age < 18, age < 60], [2.0, 0.7, 1.0], 2.2)
        self.for_wards = self.of_person[:, 5] < 0.25  # ever admitted; the others are outpatients
        self.phase = (self.of_person[:, 6] * 14).astype(np.int64)
        self.sex = self.sex.ravel()
        self.born = self.born.ravel()

    def _surnames(self, uniform: Floats) -> npt.NDArray[np.object_]:
        """Children and grandfather have the father's surname; a woman alone gives hers."""
        found = np.empty(uniform.shape, dtype=object)
        where = region(self.area.province)
        for code in sorted(set(self.ethnic)):
            here = self.ethnic == code
            men, women = (_surnames(self.reference, code, sex, where) for sex in "12")
            for place in (MOTHER, GRANDMOTHER):
                found[here, place] = np.array(women.values, dtype=object)[
                    women.draw(uniform[here, place])
                ]
            found[here, FATHER] = np.array(men.values, dtype=object)[
                men.draw(uniform[here, FATHER])
            ]
        alone = ~self.present.reshape(-1, PLACES)[:, FATHER]
        source = np.where(alone, found[:, MOTHER], found[:, FATHER])
        for place in (CHILD, CHILD + 1, CHILD + 2, TWIN, GRANDFATHER):
            found[:, place] = source
        return found

    def name(self, at: int) -> str:
        """Surname, middle and given name of the place `at`, canonical (NFC, title case)."""
        family, place = divmod(at, PLACES)
        sex, cohort = str(self.sex[at]), int(self.cohort[family, place])
        middle = self.reference.middle[sex][cohort].values[self.middle[family, place]]
        given = self.reference.given[sex][cohort].values[
            self.given[family, place] % len(self.reference.given[sex][cohort].values)
        ]
        ethnic = str(self.ethnic[family])
        surname = str(self.surname[family, place])
        if ethnic in SEX_PREFIXES:
            prefix = SEX_PREFIXES[ethnic][int(sex) - 1]
            join = "" if prefix.endswith("'") else " "
            clan = _clans(self.reference)
            last = " " + clan.values[family % len(clan.values)] if ethnic == "12" else ""
            return f"{prefix}{join}{given}{last}"
        if ethnic == "05" and (surname in ("Thị", "Néang", "Danh", "Chau")):
            return f"{surname} {given}"
        return f"{surname} {middle} {given}" if middle else f"{surname} {given}"

    def person(self, at: int) -> Person:
        family, place = divmod(at, PLACES)
        draws = self.of_person[at]
        number = self.first + at
        sex = int(self.sex[at])
        born = Day.fromordinal(int(self.born[at]))
        ward = self.area.wards[self.ward[family]]
        mother = family * PLACES + MOTHER
        father = family * PLACES + FATHER
        child = CHILD <= place <= TWIN
        with_mother = child and bool(self.present[mother])
        with_father = child and bool(self.present[father])
        return Person(
            pid=f"P{number:09d}",
            name=self.name(at),
            sex=str(sex),
            born=born,
            year_only=bool(draws[7] < (0.08 if born.year < 1960 else 0.02)),
            citizen_id=self._citizen_id(at),
            old_id=f"{int(draws[8] * 40):02d}{scrambled(number, 'old'):07d}",
            insurance_number=f"{ward.old_province}{scrambled(number, 'insurance'):08d}",
            phone=_mobile(number),
            family_phone=_mobile(self.first + mother),
            ward=ward,
            house=_house(self.family[family]),
            ethnic=str(self.ethnic[family]),
            blood=BLOOD[int(draws[9] * len(BLOOD))],
            insured=bool(draws[10] < 0.95),
            chance=float(draws[4]),
            area=self.area.index,
            mother_pid=f"P{self.first + mother:09d}" if with_mother else "",
            mother_name=self.name(mother) if with_mother else "",
            mother_id=self._citizen_id(mother) if with_mother else "",
            father_name=self.name(father) if with_father else "",
        )

    def _citizen_id(self, at: int) -> str:
        family, place = divmod(at, PLACES)
        year = Day.fromordinal(int(self.born[at])).year
        moved = self.of_person[at, 11] < (0.05 if CHILD <= place <= TWIN else 0.18)
        codes = self.reference.old_codes
        old = (
            codes[int(self.of_person[at, 8] * len(codes))]
            if moved
            else self.area.wards[self.ward[family]].old_province
        )
        return citizen_id(self.reference.cccd_code[old], int(self.sex[at]), year, self.first + at)


def canary(ward: Ward) -> Person:
    """The privacy canary, living in `ward`."""
    return Person(
        pid="PCANARY", name=CANARY_NAME, sex="2", born=Day(1987, 9, 13), year_only=False,
        citizen_id=CANARY_ID, old_id="099900137", insurance_number="7999900137",
        phone=CANARY_PHONE, family_phone=CANARY_PHONE, ward=ward, house="Số 137, đường Canarixyz",
        ethnic="01", blood="AB", insured=True, chance=0.99, area=0,
    )  # fmt: skip


BLOOD = ("O", "O", "O", "O", "A", "A", "B", "B", "B", "AB")


def citizen_id(province: str, sex: int, year: int, number: int) -> str:
    """Province of birth, century and sex, year, and the person's number scrambled."""
    century = (year // 100 - 19) * 2 + (sex == 2)
    return f"{province}{century}{year % 100:02d}{scrambled(number, 'citizen'):06d}"


def _mobile(number: int) -> str:
    prefix, rest = divmod(scrambled(number, "phone"), 10_000_000)
    return f"{MOBILE[prefix]}{rest:07d}"


def _house(draws: Floats) -> str:
    number = 1 + int(draws[9] * 240)
    if draws[10] < 0.35:
        return f"Số {number}, đường {STREETS[number % len(STREETS)]}"
    kind, name = HAMLETS[number % len(HAMLETS)], HAMLET_NAMES[int(draws[11] * len(HAMLET_NAMES))]
    return f"Tổ {1 + number % 19}, {kind} {name}"


def _births(family: Floats, person: Floats) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Birth days (ordinals) and presence, both families × 8."""
    count = len(family)
    # couple with children, couple, mother with children, one adult, elderly couple, 3 generations
    kind = np.searchsorted([0.56, 0.64, 0.71, 0.80, 0.88], family[:, 0], side="right")
    draw = family[:, 1]
    mother = np.choose(kind, [20 + 29 * draw, 20 + 35 * draw, 19 + 26 * draw, 19 + 60 * draw,
                              60 + 32 * draw**1.5, 24 + 20 * draw])  # fmt: skip
    ages = np.zeros((count, PLACES))
    ages[:, MOTHER] = mother
    ages[:, FATHER] = np.maximum(mother + (family[:, 2] - 0.3) * 10, 19)
    age_at_first = 18.5 + 12 * family[:, 3]
    ages[:, CHILD] = mother - age_at_first
    ages[:, CHILD + 1] = ages[:, CHILD] - 1.6 - 5 * person[:, CHILD + 1, 4]
    ages[:, CHILD + 2] = ages[:, CHILD + 1] - 1.6 - 4 * person[:, CHILD + 2, 4]
    ages[:, TWIN] = ages[:, CHILD]
    ages[:, GRANDMOTHER] = ages[:, FATHER] + 20 + 12 * family[:, 4]
    ages[:, GRANDFATHER] = np.minimum(ages[:, GRANDMOTHER] + 6 * family[:, 5], 99)
    parents = np.isin(kind, (0, 2, 5))
    children = np.searchsorted([0.35, 0.8], family[:, 6], side="right") + 1
    present = np.zeros((count, PLACES), dtype=np.bool_)
    alone_is_woman = family[:, 2] < 0.5
    present[:, FATHER] = np.isin(kind, (0, 1, 4, 5)) | ((kind == 3) & ~alone_is_woman)
    present[:, MOTHER] = (kind != 3) | alone_is_woman
    for place in range(CHILD, CHILD + 3):
        present[:, place] = parents & (children > place - CHILD)
    present[:, TWIN] = present[:, CHILD] & (person[:, TWIN, 4] < 0.012)
    present[:, GRANDMOTHER] = kind == 5
    present[:, GRANDFATHER] = (kind == 5) & (family[:, 5] < 0.6)
    present &= ages > 0
    return (EPOCH - ages * 365.2425).astype(np.int64), present


@lru_cache(maxsize=512)
def _surnames(reference: Reference, ethnic: str, sex: str, where: str) -> Pool:
    return reference.surname_pool(ethnic, sex, where)


@lru_cache(maxsize=1)
def _clans(reference: Reference) -> Pool:
    return reference.clans()


@lru_cache(maxsize=64)
def _ethnic_pool(province: str) -> Pool:
    others = ETHNIC_SHARES.get(province, {"02": 0.002, "06": 0.002})
    return Pool.of({"01": 1 - sum(others.values()), **others})


def weight_kg(person: Person, on: Day) -> float:
    """A plausible weight; only used for children."""
    months = person.months(on)
    grown = 3.3 + 0.55 * months if months < 12 else 7.6 + months * 0.19
    return round(min(grown, 60) * (0.9 + 0.2 * person.chance), 2)
