"""What two people who look alike share, learnt where hardly any id tells them apart."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from datasach.link.engine import Linked, link_records
from datasach.link.learn_lookalikes import rising_odds
from tests.unit.link.people import GIVENS, encode, partition_of, person, seen

FAMILIES, SINGLES = 600, 2500


def children(seed: int, with_id: float) -> pl.DataFrame:
    """Families with twins among single people; each is seen twice, and few show a card. Nobody here exists."""
    draw = random.Random(seed)
    people = [person(draw, number) for number in range(SINGLES)]
    for number in range(FAMILIES):
        twin = person(draw, SINGLES + 2 * number) | {"born_on": f"20{draw.randint(10, 20)}-0{draw.randint(1, 9)}-{draw.randint(10, 28)}"}  # fmt: skip
        twin |= {"birth_year": int(str(twin["born_on"])[:4]), "citizen_id": None}
        given, other = draw.sample(GIVENS, 2)
        name = str(twin["full_name"]).rsplit(" ", 1)[0]
        people.append(twin | {"full_name": f"{name} {given}"})
        people.append(twin | {"full_name": f"{name} {other}", "person": SINGLES + 2 * number + 1, "insurance_number": f"{draw.randint(10**9, 10**10 - 1)}"})  # fmt: skip
    rows = []
    for one in people:
        for _ in range(2):
            record = seen(draw, one)
            for column in ("citizen_id", "insurance_number"):
                if draw.random() > with_id:
                    record[column] = None
            rows.append(record)
    draw.shuffle(rows)
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        record_key=pl.Series([f"r{n:06}" for n in draw.sample(range(10**6), len(rows))])
    )


FEW_CARDS = children(seed=5, with_id=0.25)


@pytest.fixture(scope="module")
def linked() -> Linked:
    records = encode(FEW_CARDS)
    # Every other one in this town is a twin; asked for as much as a country is, most of what is apart would stay so.
    records.document = records.document.model_copy(update={"join": 1, "unidentified": 0})
    return link_records(records)


def test_pairs_of_twins_are_expected_where_no_id_tells_them(linked: Linked) -> None:
    told = linked.model.learnt_on["lookalikes"]["siblings"]
    assert told["different"] < 0.1 * told["expected_different"]
    assert 0.8 < told["expected_different"] / pairs_of_twins() < 1.25


def pairs_of_twins() -> int:
    """Pairs of records of two twins that agree on surname, day and commune, where all three are written."""
    twins = FEW_CARDS.filter(pl.col("person") >= SINGLES).drop_nulls(["born_on", "commune_code"])
    twins = twins.select("person", family=(pl.col("person") - SINGLES) // 2)
    return twins.join(twins, on="family").filter(pl.col("person") < pl.col("person_right")).height


def test_what_twins_share_is_learnt(linked: Linked) -> None:
    siblings = next(each for each in linked.model.lookalikes if each.id == "siblings")
    place = linked.scorer.names.index("name.given")
    levels = linked.scorer.comparisons.each[place].levels
    of_two = dict(zip(levels, siblings.levels["name.given"], strict=True))
    of_one = dict(zip(levels, linked.model.m["name.given"], strict=True))
    assert of_two["different"] + of_two["alike"] > 0.7
    assert of_one["different"] + of_one["alike"] < 0.05


def mixed(linked: Linked) -> int:
    """Persons found that are two people or more."""
    keys = FEW_CARDS["record_key"].gather(linked.records.order)
    person_of = dict(FEW_CARDS.select("record_key", "person").iter_rows())
    found = partition_of(keys, pl.Series(linked.person))
    assert len(found) < 1.2 * (SINGLES + 2 * FAMILIES)
    return sum(len({person_of[key] for key in members}) > 1 for members in found)


def test_twins_are_two_people_though_nobody_shows_a_card(linked: Linked) -> None:
    no_twins = [each for each in linked.model.lookalikes if each.id != "siblings"]
    ignorant = replace(linked.model, lookalikes=no_twins)
    knowing, without = mixed(linked), mixed(link_records(linked.records, ignorant, linked.rare))
    assert knowing < 0.06 * FAMILIES
    assert without > 3 * knowing


def test_the_order_of_records_teaches_the_same(linked: Linked) -> None:
    shuffled = FEW_CARDS.sample(fraction=1, shuffle=True, seed=2)
    again = link_records(encode(shuffled)).model
    assert again == linked.model


@pytest.mark.parametrize("seed", range(20))
def test_rarer_is_never_less_surely_one_person(seed: int) -> None:
    draw = np.random.default_rng(seed)
    same, different = draw.poisson(draw.uniform(0, 40, (2, 9))).astype(float)
    odds = rising_odds(same, different)
    filled = same + different > 0
    assert (np.diff(odds) >= 0).all()
    # Isotonic regression, said otherwise: least of the highest averages from the left, of all that begin here or before.
    share = (same.sum() + 1) / (same.sum() + different.sum() + 2)
    one, two = (same + share)[filled], (different + 1 - share)[filled]
    slow = [
        max(
            min(np.log2(one[i : k + 1].sum() / two[i : k + 1].sum()) for k in range(j, len(one)))
            for i in range(j + 1)
        )
        for j in range(len(one))
    ]
    assert odds[filled] == pytest.approx(slow)


def test_steps_without_a_pair_stand_at_the_odds_of_the_next_lower() -> None:
    odds = rising_odds(np.array([0.0, 3, 0, 40, 0]), np.array([0.0, 9, 0, 2, 0]))
    assert odds[0] == odds[1] == odds[2] < odds[3] == odds[4]


def test_two_pairs_of_two_people_do_not_make_two_people_of_everybody() -> None:
    odds = rising_odds(np.zeros(5), np.array([0.0, 2, 0, 0, 0]))
    assert odds.tolist() == pytest.approx([-np.log2(11)] * 5)
