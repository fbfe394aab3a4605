"""The invented population: ids that agree with their owner, families, one person for ever."""

from __future__ import annotations

import datetime
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synth_country import FIRST, REFERENCE

from datasach.synth import books
from datasach.synth.facilities import HABITS, Country
from datasach.synth.mess import card_of
from datasach.synth.people import CHILD, FATHER, MOTHER, PLACES, TWIN, Block, scrambled
from datasach.synth.reference import load
from datasach.vn import citizen_id


def country(provinces=None, facilities=12, persons=12_000, seed=1) -> Country:
    return Country(
        reference=load(REFERENCE), seed=seed, facilities=facilities, persons=persons,
        provinces=provinces,
    )  # fmt: skip


@pytest.fixture(scope="module")
def here() -> Country:
    return country()


@pytest.fixture(scope="module")
def everybody(here: Country):
    return [
        block.person(int(at))
        for facility in here.facilities
        for number in range(facility.area.blocks)
        for block in [here.block(facility.index, number)]
        for at in np.flatnonzero(block.present)
    ]


def test_about_as_many_people_as_asked_for(everybody):
    assert 0.9 < len(everybody) / 12_000 < 1.1


def test_citizen_ids_agree_with_sex_year_and_a_province_of_before_the_merger(everybody):
    known = set(load(REFERENCE).cccd_code.values())
    for person in everybody:
        parts = citizen_id.parse(person.citizen_id)
        assert parts is not None
        assert parts.is_female == (person.sex == "2")
        assert parts.birth_year == person.born.year
        assert person.citizen_id[:3] in known


def test_most_ids_keep_the_old_province_of_the_home(everybody):
    codes = load(REFERENCE).cccd_code
    at_home = [p.citizen_id[:3] == codes[p.ward.old_province] for p in everybody]
    assert 0.8 < sum(at_home) / len(at_home) < 0.95
    assert any(p.ward.new_province == "79" and p.citizen_id.startswith("074") for p in everybody)


def test_nobody_shares_an_identifier(everybody):
    for name in ("pid", "citizen_id", "insurance_number", "phone"):
        assert max(Counter(getattr(p, name) for p in everybody).values()) == 1, name


@given(st.integers(0, 99_999), st.integers(0, 99_999))
def test_scrambling_keeps_numbers_apart(one, other):
    for kind in ("citizen", "insurance", "old", "phone"):
        assert (scrambled(one, kind) == scrambled(other, kind)) == (one == other)


def test_children_have_their_parents(everybody):
    by_pid = {p.pid: p for p in everybody}
    children = [p for p in everybody if p.mother_pid]
    assert len(children) > 2000
    for child in children:
        mother = by_pid[child.mother_pid]
        assert (mother.name, mother.citizen_id) == (child.mother_name, child.mother_id)
        assert 15 < (child.born - mother.born).days / 365.25 < 50
        assert child.ward == mother.ward
        if child.father_name and child.ethnic == "01":
            assert child.name.split()[0] == child.father_name.split()[0]


def test_twins_are_two_people_of_one_birthday(here):
    found = 0
    for facility in here.facilities:
        block = here.block(facility.index, 0)
        for at in np.flatnonzero(block.present & (np.arange(len(block.present)) % PLACES == TWIN)):
            one, other = block.person(int(at)), block.person(int(at) - TWIN + CHILD)
            assert one.born == other.born and one.mother_pid == other.mother_pid
            assert one.name != other.name and one.citizen_id != other.citizen_id
            found += 1
    assert found


def test_surnames_tell_the_region(everybody):
    def share(name, provinces):
        people = [p for p in everybody if p.ward.new_province in provinces]
        return sum(p.name.split()[0] == name for p in people) / len(people)

    assert 0.25 < share("Nguyễn", ("91", "24", "19", "79")) < 0.42
    assert share("Huỳnh", ("91", "79")) > 5 * share("Huỳnh", ("24", "19"))
    assert share("Vũ", ("24", "19")) > 3 * share("Vũ", ("91", "79"))


def test_marks_of_sex_fade_with_the_cohort(everybody):
    women = [p for p in everybody if p.sex == "2" and p.ethnic == "01"]
    old = ["Thị" in p.name.split() for p in women if p.born.year < 1975]
    young = ["Thị" in p.name.split() for p in women if p.born.year >= 2003]
    assert sum(old) / len(old) > 0.55 > 0.35 > sum(young) / len(young)


def test_ethnic_names_follow_their_own_pattern():
    highland = country(provinces=["66"], facilities=3, persons=6_000)
    people = [
        highland.block(0, 0).person(int(at)) for at in np.flatnonzero(highland.block(0, 0).present)
    ]
    highlanders = [p for p in people if p.ethnic == "12"]
    assert highlanders
    for person in highlanders:
        assert person.name.startswith("Y " if person.sex == "1" else "H'")
        assert person.name.split()[-1] in ("Niê", "Mlô")


def test_cards_follow_age(everybody):
    on = FIRST
    for person in everybody:
        if person.born >= on:
            continue
        code, level, first, last = card_of(person, on)
        assert (code[:2] == "TE") == (person.months(on) < 72)
        assert first <= on <= last
        assert level == {"1": 100, "2": 100, "3": 95, "4": 80, "5": 100}[code[2]] or code == "CN3"


def test_columns_of_books_equal_the_books_of_persons(here):
    first = FIRST.toordinal()
    for index in (0, 2, 7):
        block = here.block(index, 0)
        at = np.flatnonzero(block.present & (block.born < first))
        table = books.columns(block, at, here, first, first - 1)
        rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
        assert rows == [books.book(block.person(int(n)), here, first, first - 1) for n in at]


def test_a_block_depends_on_its_key_only(here):
    again = Block(here.facilities[5].area, 1, here.seed, here.reference)
    known = here.block(5, 1)
    at = np.flatnonzero(known.present)
    assert [again.person(int(n)) for n in at] == [known.person(int(n)) for n in at]


def test_the_first_twelve_facilities_show_every_habit_and_level(here):
    assert {f.habit.name for f in here.facilities} == {habit.name for habit in HABITS}
    levels = Counter(f.level.name for f in here.facilities)
    assert set(levels) == {"central", "provincial", "district", "commune", "clinic", "laboratory"}
    assert [f.code for f in here.facilities if f.predecessor.startswith("74")] == ["79002"]


def test_a_hospital_stands_above_every_station(here):
    for facility in here.facilities:
        above = facility.parent
        assert above is None or here.facilities[above].level.weight > facility.level.weight


def test_months_and_years_turn_on_the_birthday():
    person = country().canary
    assert person.age(datetime.date(2026, 9, 12)) == 38
    assert person.age(datetime.date(2026, 9, 13)) == 39
    assert person.months(datetime.date(1988, 9, 12)) == 11
    assert person.months(datetime.date(1988, 9, 13)) == 12


def test_fathers_and_mothers_have_their_places(here):
    block = here.block(0, 0)
    present = block.present.reshape(-1, PLACES)
    sex = block.sex.reshape(-1, PLACES)
    assert (sex[present[:, FATHER], FATHER] == 1).all()
    assert (sex[present[:, MOTHER], MOTHER] == 2).all()
