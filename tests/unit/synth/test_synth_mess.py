"""Typed mistakes: each is what its name says, as frequent as asked for, and told in the truth."""

from __future__ import annotations

import csv
import datetime
import unicodedata
from collections import Counter

import numpy as np
import pytest
from synth_country import FIRST, PROJECT, REFERENCE

from datasach.synth.facilities import Country
from datasach.synth.garble import mistype, new_tone_placement, tcvn3, vni, without_marks
from datasach.synth.mess import Mess, register
from datasach.synth.people import stream
from datasach.synth.reference import load

VECTORS = PROJECT / "tests" / "data" / "text_vectors.csv"
DAMAGE = {
    "tcvn3": tcvn3,
    "vni": vni,
    "ascii": without_marks,
    "new_tone_placement": new_tone_placement,
}


@pytest.fixture(scope="module")
def country() -> Country:
    return Country(reference=load(REFERENCE), seed=3, facilities=4, persons=8_000, provinces=None)


@pytest.fixture(scope="module")
def desks(country: Country):
    rng = stream(3, 99)
    found = []
    for index in range(4):
        for number in range(country.facilities[index].area.blocks):
            block = country.block(index, number)
            for at in np.flatnonzero(block.present & (block.born < FIRST.toordinal() - 40)):
                person = block.person(int(at))
                draws = rng.random(35).tolist()
                found.append(
                    register(person, FIRST, draws, Mess(), country.facilities[index], "Tỉnh")
                )
    return found


def read_vectors():
    with VECTORS.open(encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            # Capitals with a tone have no place in TCVN3 outside the H fonts; senders differ there.
            upper = row["variant_kind"] == "tcvn3" and any(
                c.isupper() and unicodedata.decomposition(c) and c not in "ĂÂÊÔƠƯ"
                for c in row["canonical"]
            )
            if row["variant_kind"] in DAMAGE and not upper:
                yield row["variant_kind"], row["canonical"], row["variant"]


@pytest.mark.parametrize(("kind", "canonical", "variant"), list(read_vectors()))
def test_damage_of_text_agrees_with_the_vectors(kind, canonical, variant):
    assert DAMAGE[kind](canonical) == variant


@pytest.mark.parametrize("draw", [0.0, 0.2, 0.5, 0.8, 0.999])
@pytest.mark.parametrize("word", ["Hoa", "Đức", "Y", "Linh", "Thúy"])
def test_a_slip_of_the_fingers_changes_the_word(word, draw):
    assert mistype(word, draw) != word


def test_without_mess_a_desk_writes_the_truth(country):
    block = country.block(0, 0)
    for at in np.flatnonzero(block.present & (block.born < FIRST.toordinal() - 40))[:200]:
        person = block.person(int(at))
        desk = register(person, FIRST, [0.5] * 35, Mess().scaled(0), country.facilities[0], "Tỉnh")
        assert desk.wrong == []
        assert (desk.name, desk.sex, desk.identifier) == (
            person.name,
            person.sex,
            person.citizen_id,
        )
        assert desk.born[:4] == str(person.born.year)
        assert (desk.province, desk.commune) == (person.ward.new_province, person.ward.new_code)


def test_what_is_written_differs_from_the_truth_wherever_it_says_so(desks):
    value = {
        "ho_ten": "name", "ngay_sinh": "born", "gioi_tinh": "sex", "so_cccd": "identifier",
        "ma_the_bhyt": "card", "dien_thoai": "phone", "maxa_cu_tru": "commune",
    }  # fmt: skip
    for desk in desks:
        wrong = {field for field, _, _ in desk.wrong}
        for field, kind, true in desk.wrong:
            # An old commune code may be the digits of the new one: then the district tells.
            assert getattr(desk, value[field]) != true or kind == "old_commune"
        if "so_cccd" not in wrong:
            assert desk.identifier == desk.person.citizen_id
        if "ho_ten" not in wrong:
            assert desk.name == desk.person.name


def test_rates_are_those_of_the_menu(desks):
    counts = Counter(kind for desk in desks for _, kind, _ in desk.wrong)
    on = FIRST
    young = [d for d in desks if d.person.age(on) < 6]
    older = [d for d in desks if d.person.age(on) >= 6]
    for kind, rate, among in (
        ("ascii_name", 0.12, desks), ("upper_case", 0.70, desks), ("decomposed", 0.01, desks),
        ("given_name_typo", 0.01, desks), ("former_card", 0.03, desks), ("old_commune", 0.25, desks),
        ("first_of_january", 0.03, desks), ("birth_digit_typo", 0.01, desks),
        ("sex_wrong", 0.003, desks),
    ):  # fmt: skip
        share = counts[kind] / len(among)
        assert abs(share - rate) < 4 * (rate * (1 - rate) / len(among)) ** 0.5 + 0.1 * rate, kind

    def missing(group):
        return sum(any(k == "id_missing" for _, k, _ in d.wrong) for d in group) / len(group)

    assert abs(missing(young) - 0.60) < 0.06
    assert abs(missing(older) - 0.08) < 0.01


def test_emergencies_lack_more_ids(country):
    block = country.block(0, 0)
    grown = np.flatnonzero(block.present & (block.born < FIRST.toordinal() - 9_000))
    person = block.person(int(grown[0]))
    draws = [0.5] * 35
    draws[14] = 0.2
    calm = register(person, FIRST, draws, Mess(), country.facilities[0], "Tỉnh")
    hurry = register(person, FIRST, draws, Mess(), country.facilities[0], "Tỉnh", emergency=True)
    assert calm.identifier == person.citizen_id and hurry.identifier == ""


def test_a_commune_is_not_old_before_the_merger(country):
    block = country.block(0, 0)
    person = block.person(int(np.flatnonzero(block.present)[0]))
    before = datetime.date(2025, 6, 30)
    desk = register(person, before, [0.0] * 35, Mess(), country.facilities[0], "Tỉnh")
    assert not [kind for _, kind, _ in desk.wrong if kind == "old_commune"]


def test_scaling_multiplies_every_rate_up_to_one():
    double = Mess().scaled(2)
    assert (double.ascii_name, double.upper_case) == (0.24, 1.0)
    assert not any(getattr(Mess().scaled(0), name) for name in Mess.__dataclass_fields__)
