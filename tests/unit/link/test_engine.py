"""Properties of linking, on invented people: what must hold whatever the records are."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from datasach.errors import UnlinkableRecords
from datasach.link.block import candidates
from datasach.link.engine import NO_JUDGEMENT, Judged, Linked, link_records, weigher
from datasach.link.index import Index
from datasach.link.index_files import RUNS
from datasach.link.partition import ALWAYS, NEVER, Asked, partition
from datasach.link.weigh import Model
from datasach.pipeline.linking import link_files, load_document
from datasach.spec.matching import Matching
from tests.unit.link.people import ROOT, document, encode, frame_of, partition_of, population, read

PEOPLE = population(seed=1, persons=1500)


@pytest.fixture(scope="module")
def linked() -> Linked:
    return link_records(encode(PEOPLE))


def answer(linked: Linked, frame: pl.DataFrame) -> set[frozenset[str]]:
    return partition_of(frame["record_key"].gather(linked.records.order), pl.Series(linked.person))


def test_most_people_are_put_together_and_nobody_with_another(linked: Linked) -> None:
    truth = partition_of(PEOPLE["record_key"], PEOPLE["person"])
    found = answer(linked, PEOPLE)
    keys = dict(zip(PEOPLE["record_key"], PEOPLE["person"], strict=True))
    assert all(len({keys[k] for k in person}) == 1 for person in found)
    assert len(truth & found) > 0.97 * len(truth)


def test_the_order_of_records_changes_nothing(linked: Linked) -> None:
    shuffled = PEOPLE.sample(fraction=1, shuffle=True, seed=7)
    assert answer(link_records(encode(shuffled)), shuffled) == answer(linked, PEOPLE)


def test_files_split_in_any_way_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "all.parquet", [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    PEOPLE.write_parquet(one)
    PEOPLE[:700].write_parquet(two[1])
    PEOPLE[700:].write_parquet(two[0])
    results = []
    for files, name in (([one], "x"), (two, "y"), ([one], "z")):
        link_files(files, ROOT / "rules/linkage/person.yaml", tmp_path / name, None, None)
        results.append(pl.read_parquet(tmp_path / name / "persons.parquet").sort("record_key"))
    assert results[0].equals(results[1]) and results[0].equals(results[2])
    # Nothing that was only needed on the way, keys of records among it, stays behind.
    assert {path.name for path in (tmp_path / "x").iterdir()} == {
        "persons.parquet", "pairs.parquet", "review.parquet", "model.json", "summary.json",
    }  # fmt: skip


def test_the_parts_of_a_weight_add_up_to_it(tmp_path: Path) -> None:
    file = tmp_path / "all.parquet"
    PEOPLE.write_parquet(file)
    link_files([file], ROOT / "rules/linkage/person.yaml", tmp_path / "out", None, None)
    pairs = pl.read_parquet(tmp_path / "out/pairs.parquet")
    parts = pairs.drop("key_a", "key_b", "weight", "same_person", "conflict")
    assert len(pairs) > 1000
    assert (parts.sum_horizontal() - pairs["weight"]).abs().max() < 1e-3


def test_a_pair_weighs_the_same_from_both_sides(linked: Linked) -> None:
    left, right = linked.pairs.left.astype(int), linked.pairs.right.astype(int)
    there, _ = linked.scorer.weigh(left, right)
    back, _ = linked.scorer.weigh(right, left)
    assert np.abs(there - back).max() < 1e-3


def test_candidates_are_all_pairs_that_agree_on_a_pass() -> None:
    few = population(seed=3, persons=60)
    records = encode(few)
    left, right, _ = candidates(document().passes, records.part, records.rows)
    found = set(zip(left.tolist(), right.tolist(), strict=True))
    expected = set()
    for each in document().passes:
        keys = list(zip(*(records.part(name).tolist() for name in each.on), strict=True))
        expected |= {
            (i, j)
            for i, j in combinations(range(records.rows), 2)
            if keys[i] == keys[j] and 0 not in keys[i]
        }
    assert found == expected


def slow_partition(
    weights: dict[tuple[int, int], float], shown: np.ndarray, asked: Asked
) -> set[frozenset[int]]:
    """Written plainly: join the two groups that agree best, between average and best pair, while they do enough."""
    groups = [frozenset([row]) for row in range(len(shown))]
    while True:
        best, pair = -np.inf, None
        for x, y in combinations(sorted(groups, key=min), 2):
            between = [weights[min(i, j), max(i, j)] for i in x for j in y]
            clipped = np.clip(between, -30, 40)
            agree = float(clipped.mean() + 0.65 * min(clipped.max() - clipped.mean(), 10))
            agree += asked.doubling * np.log2(len(x) * len(y))
            if not shown[[*x, *y]].any():
                agree -= asked.unidentified
            if min(between) > NEVER / 2 and agree > best:
                best, pair = agree, (x, y)
        if pair is None or best < asked.join:
            return set(groups)
        groups = [g for g in groups if g not in pair] + [pair[0] | pair[1]]


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("asked", [Asked(1), Asked(1, doubling=0.5, unidentified=3)])
def test_persons_equal_the_same_linkage_done_slowly(seed: int, asked: Asked) -> None:
    draw = np.random.default_rng(seed)
    rows = int(draw.integers(2, 9))
    left, right = np.triu_indices(rows, 1)
    weight = draw.normal(1, 8, len(left)).astype(np.float32)
    weight[draw.random(len(left)) < 0.1] = NEVER
    told = {(int(i), int(j)): float(w) for i, j, w in zip(left, right, weight, strict=True)}
    # A chain keeps all rows in one component, as loose edges do.
    for i in range(rows - 1):
        told[i, i + 1] = max(told[i, i + 1], 0.5)
    table = np.full((rows, rows), 0.0, np.float32)
    for (i, j), w in told.items():
        table[i, j] = table[j, i] = w
    shown = draw.random(rows) < 0.3
    found = partition(rows, left, right, table[left, right], lambda a, b: table[a, b], asked, shown)
    got = {frozenset(np.flatnonzero(found == f).tolist()) for f in np.unique(found)}
    assert got == slow_partition(told, shown, asked)


def test_yesterday_and_tonight_equal_everything_at_once(linked: Linked, tmp_path: Path) -> None:
    """The index, fed in three nights with changed records, answers as linking all of it with the same model."""
    first, later = PEOPLE[:2500], PEOPLE[2500:]
    start = link_records(encode(first))
    index = Index.build(tmp_path / "index", start, first["record_key"])
    moved = first[:40].with_columns(commune_code=pl.lit("26734"), phone=pl.lit("0912000000"))
    for night in (later[:300], pl.concat([later[300:], moved[:20]]), moved[20:]):
        index.add(read(night))
        index = Index.open(tmp_path / "index", document())
    now = pl.concat([first[40:], moved, later])
    whole = link_records(encode(now), start.model, start.rare, prior_records=start.prior_records)
    persons = index.persons()
    assert persons.height == now.height
    assert partition_of(persons["record_key"], persons["person"]) == answer(whole, now)


def test_a_night_tells_whose_person_is_another_than_before(linked: Linked, tmp_path: Path) -> None:
    first, later = PEOPLE[:2500], PEOPLE[2500:]
    index = Index.build(tmp_path / "index", link_records(encode(first)), first["record_key"])
    before = index.persons()
    corrected = first[:40].with_columns(phone=pl.lit("0912000000"))
    told = index.add(read(pl.concat([later, corrected])))
    after = index.persons()
    moved = after.join(before, on="record_key", how="left", suffix="_before").filter(
        pl.col("person").ne_missing(pl.col("person_before"))
    )
    assert told.replaced == 40
    new = told.changed.filter(pl.col("before").is_null())
    assert set(new["record_key"]) == {*later["record_key"], *corrected["record_key"]}
    others = told.changed.filter(pl.col("before").is_not_null())
    assert set(others["record_key"]) == set(moved["record_key"]) - set(new["record_key"])
    assert others.height > 5
    one = dict(zip(before["record_key"], before["person"], strict=True))
    assert all(one[key] == was for key, was in others.select("record_key", "before").iter_rows())


def test_what_people_say_and_unsay_changes_the_index_and_nothing_else(tmp_path: Path) -> None:
    """Joined on one night, parted by withdrawing it on the next; the other way round likewise."""
    start = link_records(encode(PEOPLE))
    index = Index.build(tmp_path / "index", start, PEOPLE["record_key"])
    before = answer(start, PEOPLE)
    together = next(p for p in sorted(before, key=sorted) if len(p) == 2)
    strangers = [next(iter(p)) for p in sorted(before, key=sorted) if len(p) == 1][:2]
    verdicts = pl.DataFrame(
        {"key_a": [min(together), strangers[0]], "key_b": [max(together), strangers[1]], "same": [False, True]}
    )  # fmt: skip
    nobody = read(PEOPLE[:0])
    index.add(nobody, judged_keys=verdicts)
    corrected = before - {together} - {frozenset([key]) for key in strangers} | {
        frozenset(strangers),
        *(frozenset([key]) for key in together),
    }
    for judged, expected in ((verdicts, corrected), (None, before), (verdicts[:1], corrected - {frozenset(strangers)} | {frozenset([key]) for key in strangers})):  # fmt: skip
        index = Index.open(tmp_path / "index", document())
        index.add(nobody, judged_keys=judged)
        persons = index.persons()
        assert partition_of(persons["record_key"], persons["person"]) == expected


def test_files_are_linked_by_judgements_that_contradict_each_other(tmp_path: Path) -> None:
    """A is B, B is C, A is not C: keeping two people apart is the safer mistake, and it is told."""
    records, judged = tmp_path / "records.parquet", tmp_path / "judged.parquet"
    PEOPLE.write_parquet(records)
    person = pl.DataFrame({"key": PEOPLE["record_key"], "person": PEOPLE["person"]})
    a, b, c = sorted(person.unique("person", keep="first", maintain_order=True)["key"][:3].to_list())  # fmt: skip
    said = [(a, b, "same", 1), (c, b, "same", 2), (a, c, "same", 3), (c, a, "different", 4)]
    columns = ["record_key_a", "record_key_b", "verdict", "judged_at"]
    pl.DataFrame(said, columns, orient="row").write_parquet(judged)
    document = ROOT / "rules/linkage/person.yaml"
    told = link_files([records], document, tmp_path / "out", None, None, None, judged)
    assert told["contradictions"] == 1
    persons = dict(pl.read_parquet(tmp_path / "out/persons.parquet").select("record_key", "person_id").iter_rows())  # fmt: skip
    assert persons[a] == persons[b] != persons[c]
    # An index that was built with them, a night with them, and a night without.
    for judgements, together in ((judged, True), (judged, True), (None, False)):
        link_files(
            [records], document, tmp_path / "out", None, None, tmp_path / "index", judgements
        )
        found = dict(Index.open(tmp_path / "index", load_document(document)).persons().iter_rows())
        assert (found[a] == found[b], found[b] == found[c]) == (together, False)


def test_judgements_that_are_none_are_told(tmp_path: Path) -> None:
    records, judged = tmp_path / "records.parquet", tmp_path / "judged.parquet"
    PEOPLE.write_parquet(records)
    for frame, complaint in (
        (pl.DataFrame({"record_key_a": ["x"], "verdict": ["same"]}), "record_key_b"),
        (pl.DataFrame({"record_key_a": ["x"], "record_key_b": ["y"], "verdict": ["maybe"]}), "verdict"),
    ):  # fmt: skip
        frame.write_parquet(judged)
        with pytest.raises(UnlinkableRecords, match=complaint):
            link_files([records], ROOT / "rules/linkage/person.yaml", tmp_path / "out", None, None, None, judged)  # fmt: skip


def test_an_index_of_another_document_is_refused(linked: Linked, tmp_path: Path) -> None:
    """Though nobody counted its version up."""
    Index.build(tmp_path / "index", linked, PEOPLE["record_key"])
    changed = document().model_copy(update={"passes": document().passes[1:]})
    with pytest.raises(UnlinkableRecords, match="another version of the linkage document"):
        Index.open(tmp_path / "index", changed)


def test_many_nights_are_merged_and_answer_as_one(linked: Linked, tmp_path: Path) -> None:
    nights = [PEOPLE[at : at + 60] for at in range(2000, 2000 + 60 * (RUNS + 3), 60)]
    start = link_records(encode(PEOPLE[:2000]))
    index = Index.build(tmp_path / "index", start, PEOPLE[:2000]["record_key"])
    for night in nights:
        index.add(read(night))
    assert len(list((tmp_path / "index").glob("key.*.parquet"))) < RUNS
    index = Index.open(tmp_path / "index", document())
    again = index.add(read(nights[1]))
    assert again.replaced == 60
    now = pl.concat([PEOPLE[:2000], *nights])
    whole = link_records(encode(now), start.model, start.rare, prior_records=start.prior_records)
    persons = index.persons()
    assert partition_of(persons["record_key"], persons["person"]) == answer(whole, now)


def test_a_judgement_joins_and_parts_and_only_what_it_must(linked: Linked) -> None:
    records = linked.records
    before = answer(linked, PEOPLE)
    keys = PEOPLE["record_key"].gather(records.order).to_list()
    together = next(p for p in sorted(before, key=sorted) if len(p) == 2)
    strangers = [next(iter(p)) for p in sorted(before, key=sorted) if len(p) == 1][:2]
    rows = {key: row for row, key in enumerate(keys)}
    a, b = (rows[k] for k in sorted(together))
    c, d = (rows[k] for k in strangers)
    judged = Judged.of(np.array([a, c]), np.array([b, d]), np.array([False, True]))
    after = answer(link_records(records, linked.model, linked.rare, judged), PEOPLE)
    assert after - before == {frozenset([k]) for k in together} | {frozenset(strangers)}
    assert before - after == {together} | {frozenset([k]) for k in strangers}


MAN = {"full_name": "Nguyễn Văn Minh", "born_on": "1985-03-12", "sex": "1", "phone": "0912345601",
       "commune_code": "00004", "province_code": "01", "insurance_number": "0123456789"}  # fmt: skip


def persons_of(linked: Linked, *rows: dict, strict: bool = False) -> int:
    """How many persons a trained model sees in a few records."""
    found = link_records(
        encode(frame_of(*rows)), linked.model, linked.rare, strict=strict, prior_records=100_000
    )
    return len(set(found.person.tolist()))


def test_two_valid_ids_are_two_people_though_all_else_agrees(linked: Linked) -> None:
    assert persons_of(linked, MAN, MAN) == 1
    assert (
        persons_of(
            linked, MAN | {"citizen_id": "001085012345"}, MAN | {"citizen_id": "001085098765"}
        )
        == 2
    )


def test_an_id_mistyped_by_one_digit_is_joined_but_not_published_as_one(linked: Linked) -> None:
    pair = (MAN | {"citizen_id": "001085012345"}, MAN | {"citizen_id": "001085012745"})
    assert persons_of(linked, *pair) == 1
    assert persons_of(linked, *pair, strict=True) == 2


def test_a_record_without_id_does_not_bridge_two_ids(linked: Linked) -> None:
    one, other = MAN | {"citizen_id": "001085012345"}, MAN | {"citizen_id": "001085098765"}
    assert persons_of(linked, one, MAN, other) == 2


def test_a_wrong_sex_and_a_wrong_year_of_one_person_are_outvoted_by_its_other_records(
    linked: Linked,
) -> None:
    wrong_sex, wrong_year = MAN | {"sex": "2"}, MAN | {"born_on": "1986-03-12"}
    assert persons_of(linked, wrong_sex, wrong_year) == 2
    assert persons_of(linked, *[MAN] * 8, wrong_sex, wrong_year) == 1
    assert persons_of(linked, *[MAN] * 8, wrong_sex, wrong_year, strict=True) == 2


def test_a_mistyped_id_on_a_record_without_birth_date_is_outvoted(linked: Linked) -> None:
    right, mistyped = (MAN | {"citizen_id": number} for number in ("001085012345", "001085012745"))
    undated = right | {"born_on": None}
    assert persons_of(linked, undated, mistyped) == 2
    assert persons_of(linked, *[right] * 8, undated, mistyped) == 1
    other = MAN | {"citizen_id": "001085098765"}
    assert persons_of(linked, *[right] * 8, undated, other) == 2, "no slip of the hand"


def test_a_twin_under_the_neighbouring_number_is_never_outvoted(linked: Linked) -> None:
    twin = MAN | {"born_on": "2015-03-12", "insurance_number": None, "citizen_id": "001215012345"}
    other = twin | {"full_name": "Nguyễn Văn Khánh", "citizen_id": "001215012346"}
    assert persons_of(linked, *[twin] * 8, other) == 2


def test_a_child_under_its_mothers_number_is_not_its_mother(linked: Linked) -> None:
    mother = {"full_name": "Trần Thị Lan", "born_on": "1990-05-20", "sex": "2", "citizen_id": "001190012345",
              "phone": "0912345699", "commune_code": "00004", "province_code": "01"}  # fmt: skip
    child = mother | {"full_name": "Nguyễn Minh Khôi", "born_on": "2019-02-03", "sex": "1"}
    assert persons_of(linked, mother, child) == 2


def test_twins_are_two(linked: Linked) -> None:
    twin = MAN | {"born_on": "2015-03-12", "insurance_number": None, "mother_name": "Trần Thị Lan"}
    an, lan, khanh = (
        twin | {"full_name": f"Nguyễn Văn {given}"} for given in ("An", "Lan", "Khánh")
    )
    assert persons_of(linked, an, khanh) == 2
    assert persons_of(linked, an, lan, strict=True) == 2, "alike, but both are usual names"
    assert persons_of(linked, khanh, twin | {"full_name": "Nguyễn Văn Khánhh"}) == 1, (
        "no usual name: a slip"
    )


def test_a_model_is_kept_and_read_again(linked: Linked, tmp_path: Path) -> None:
    linked.model.save(tmp_path / "model.json")
    again = link_records(linked.records, Model.load(tmp_path / "model.json"), linked.rare)
    assert np.array_equal(again.person, linked.person)
    assert json.loads((tmp_path / "model.json").read_text())["version"] == document().version


def test_a_document_may_ask_for_the_estimate_of_recordlinkage(linked: Linked) -> None:
    """It knows no kin; without them the figures are ours."""
    models = []
    for estimator in ("counted", "recordlinkage"):
        records = encode(PEOPLE)
        train = records.document.train.model_copy(update={"estimator": estimator})
        records.document = records.document.model_copy(update={"train": train, "kin": None})
        models.append(link_records(records).model)
    ours, theirs = models
    assert ours.m.keys() == theirs.m.keys()
    for name, shares in theirs.m.items():
        assert shares == pytest.approx(ours.m[name], abs=1e-9)


def test_a_level_that_is_not_there_is_told(linked: Linked) -> None:
    records = encode(PEOPLE[:50])
    group = records.document.lookalikes[0]
    wrong = group.model_copy(update={"same": group.same | {"born": ["same", "nearly"]}})
    records.document = records.document.model_copy(update={"lookalikes": [wrong]})
    with pytest.raises(UnlinkableRecords, match="born has no level nearly"):
        link_records(records)


def test_a_model_of_other_levels_is_refused(linked: Linked) -> None:
    m = linked.model.m | {"born": linked.model.m["born"][:-1]}
    with pytest.raises(UnlinkableRecords, match="born"):
        link_records(linked.records, replace(linked.model, m=m), linked.rare)


def test_what_a_judgement_joins_weighs_more_than_any_evidence(linked: Linked) -> None:
    weigh = weigher(
        linked.records,
        linked.scorer,
        Judged.of(np.array([0]), np.array([1]), np.array([True])),
        False,
    )
    assert weigh(np.array([0]), np.array([1]))[0] == ALWAYS
    assert (
        weigher(linked.records, linked.scorer, NO_JUDGEMENT, False)(np.array([0]), np.array([1]))[0]
        < ALWAYS
    )


def test_a_document_that_contradicts_itself_is_told() -> None:
    told = document().model_dump()
    with pytest.raises(ValueError, match="join \\+ unidentified ≤ certain"):
        Matching.model_validate(told | {"unidentified": 3})
    siblings = next(each for each in told["lookalikes"] if each["id"] == "siblings")
    siblings["by_rarity"] = ["name.given"]
    with pytest.raises(ValueError, match=r"siblings learns name\.given, which it assumes"):
        Matching.model_validate(told)


def test_who_shows_no_id_is_asked_for_more() -> None:
    left, right = np.array([0, 2]), np.array([1, 3])
    weight = np.array([2.0, 2.0], np.float32)
    more = Asked(1, unidentified=2)
    shown = np.array([True, False, False, False])
    found = partition(
        4, left, right, weight, lambda a, b: np.full(len(a), 2, np.float32), more, shown
    )
    assert found.tolist() == [0, 0, 2, 3]
