"""The invented clinic keeps to the real code lists, so that only planted mistakes are mistakes."""

from __future__ import annotations

import csv

import pytest
from synth_country import REFERENCE

from datasach.synth.clinic import BY_ICD, INGREDIENT, SERVICES, disease, drugs


@pytest.fixture(scope="module")
def flags():
    with (REFERENCE / "icd10.csv").open(encoding="utf-8-sig", newline="") as handle:
        return {row["icd10"]: row for row in csv.DictReader(handle)}


def test_main_diagnoses_may_stand_as_main(flags):
    for icd in BY_ICD:
        row = flags.get(icd, {})
        for flag in (
            "not_as_main",
            "main_discouraged",
            "more_specific_exists",
            "cause_of_death_only",
        ):
            assert not row.get(flag), (icd, flag)


def test_diseases_name_known_drugs_and_services():
    for sick in BY_ICD.values():
        assert set(sick.drugs) <= set(INGREDIENT)
        assert set(sick.services) <= set(SERVICES)


def test_there_are_two_hundred_products_with_numbers_of_their_own():
    products = [product for group in drugs().values() for product in group]
    assert len(products) == len({p.registration for p in products}) == 200


@pytest.mark.parametrize("sex", ["1", "2"])
@pytest.mark.parametrize("ward", [False, True])
def test_everybody_can_fall_ill_with_something_fitting(sex, ward):
    for age in range(100):
        for draw in (0.0, 0.5, 0.9999):
            sick = disease(sex, age, ward, draw)
            assert sick.sex in ("", sex)
            assert sick.youngest <= min(age, 98) <= sick.oldest
