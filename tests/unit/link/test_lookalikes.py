"""What two people who look alike share, learnt where hardly any id tells them apart."""

from __future__ import annotations

import random
from dataclasses import replace

import polars as pl
import pytest

from datasach.link.engine import Linked, link_records
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
    # What is learnt is looked at here, not how careful the document is with it.
    records.document = records.document.model_copy(update={"join": 0.5})
    return link_records(records)


def test_pairs_of_twins_are_expected_where_no_id_tells_them(linked: Linked) -> None:
    told = linked.model.learnt_on["lookalikes"]["siblings"]
    # Of each two twins four pairs of records agree on surname, day and commune, but for what was not written.
    assert told["different"] < 0.1 * told["expected_different"]
    assert 0.5 * 4 * FAMILIES < told["expected_different"] < 4 * FAMILIES


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
    assert without > 2 * knowing


def test_the_order_of_records_teaches_the_same(linked: Linked) -> None:
    shuffled = FEW_CARDS.sample(fraction=1, shuffle=True, seed=2)
    again = link_records(encode(shuffled)).model
    assert again == linked.model
