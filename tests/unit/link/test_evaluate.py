"""Figures of agreement against a slow reference that lists every pair, on invented records."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasach.link.evaluate import Agreement, evaluate, evaluate_judgements

Answer = list[tuple[int, int | None, bool]]
"""One record each: true person, person found (None: left out), in the stratum."""

answers = st.lists(
    st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 5)), st.booleans()),
    min_size=1,
    max_size=24,
)


def frames(answer: Answer) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    keys = [f"k{i}" for i in range(len(answer))]
    persons = pl.DataFrame(
        {"record_key": keys, "person_id": [None if f is None else f"P{f}" for _, f, _ in answer]},
        schema={"record_key": pl.String, "person_id": pl.String},
    )
    truth = pl.DataFrame({"record_key": keys, "person": [t for t, _, _ in answer]})
    strata = pl.DataFrame({"record_key": keys, "marked": [s for _, _, s in answer]})
    return persons, truth, strata


def slowly(answer: Answer, only_marked: bool) -> dict[str, float | int | None]:
    """The same figures from their definitions: every pair, every record, every person."""
    found = [f if f is not None else f"alone {i}" for i, (_, f, _) in enumerate(answer)]
    real = [t for t, _, _ in answer]
    marked = [s or not only_marked for _, _, s in answer]
    put = same = both = 0
    for a, b in combinations(range(len(answer)), 2):
        if marked[a] or marked[b]:
            put += found[a] == found[b]
            same += real[a] == real[b]
            both += found[a] == found[b] and real[a] == real[b]
    members: dict[object, set[int]] = defaultdict(set)
    for i in range(len(answer)):
        members["found", found[i]].add(i)
        members["real", real[i]].add(i)
    inside = [i for i in range(len(answer)) if marked[i]]
    correct = [members["found", found[i]] & members["real", real[i]] for i in inside]

    def mean(side: str, of: list[object]) -> float | None:
        shares = [len(c) / len(members[side, of[i]]) for c, i in zip(correct, inside, strict=True)]
        return sum(shares) / len(shares) if shares else None

    touched_found = {found[i] for i in inside}
    touched_real = {real[i] for i in inside}
    return {
        "precision": both / put if put else None,
        "recall": both / same if same else None,
        "f1": 2 * both / (put + same) if put + same else None,
        "b3_precision": mean("found", list(found)),
        "b3_recall": mean("real", list(real)),
        "over_merged": sum(len({real[i] for i in members["found", f]}) > 1 for f in touched_found),
        "under_merged": sum(len({found[i] for i in members["real", r]}) > 1 for r in touched_real),
        "found": len(touched_found),
        "persons": len(touched_real),
        "exact": sum(
            members["found", f] == members["real", real[min(members["found", f])]]
            for f in set(found)
        ),
        "largest": max(len(members["found", f]) for f in set(found)),
    }


def figures(agreement: Agreement) -> dict[str, float | int | None]:
    return {
        "precision": agreement.precision.value,
        "recall": agreement.recall.value,
        "f1": agreement.f1.value,
        "b3_precision": agreement.b3_precision,
        "b3_recall": agreement.b3_recall,
        "over_merged": agreement.over_merged,
        "under_merged": agreement.under_merged,
        "found": agreement.found,
        "persons": agreement.persons,
    }


@given(answers)
@settings(max_examples=60, deadline=None)
def test_all_figures_equal_those_of_listing_every_pair(answer: Answer) -> None:
    result = evaluate(*frames(answer))
    for agreement, only_marked in ((result.all, False), (result.strata["marked"], True)):
        slow = slowly(answer, only_marked)
        for name, value in figures(agreement).items():
            expected = slow[name]
            assert value == (None if expected is None else pytest.approx(expected)), name
    whole = slowly(answer, False)
    assert result.exact_precision == pytest.approx(whole["exact"] / whole["found"])  # type: ignore[operator]
    assert result.exact_recall == pytest.approx(whole["exact"] / whole["persons"])  # type: ignore[operator]
    assert result.largest == whole["largest"]


def test_the_intervals_hold_the_value_and_narrow_as_records_grow() -> None:
    def width(times: int) -> float:
        answer: Answer = [
            (10 * i + t, 10 * i + f, True)
            for i in range(times)
            for t, f in ((0, 0), (0, 0), (1, 0), (2, 2), (2, 3))
        ]
        ratio = evaluate(*frames(answer)).all.precision
        assert ratio.value == pytest.approx(1 / 3)
        assert ratio.low is not None and ratio.high is not None
        assert ratio.low <= 1 / 3 <= ratio.high
        return ratio.high - ratio.low

    assert 0 <= width(64) <= width(4)


def test_an_answer_that_varies_has_an_interval_like_that_of_repeated_samples() -> None:
    """Half the persons are found whole, half broken: recall 0.5 of n pairs, so ±1.96·√(0.25/n)."""
    answer: Answer = [
        (i, 1000 + 2 * i + (part if i % 2 else 0), True) for i in range(400) for part in (0, 1)
    ]
    recall = evaluate(*frames(answer)).all.recall
    assert recall.value == pytest.approx(0.5)
    assert recall.high is not None
    assert recall.high - 0.5 == pytest.approx(1.96 * (0.25 / 400) ** 0.5, rel=0.01)


def test_records_one_side_lacks_are_counted() -> None:
    persons, truth, _ = frames([(1, 1, True), (1, 1, True), (2, 2, True)])
    result = evaluate(persons.tail(2), truth.head(2))
    assert (result.not_linked, result.not_known) == (1, 1)
    assert result.all.recall.value == 0.0


def test_text_strata_are_one_stratum_per_value(tmp_path: Path) -> None:
    persons, truth, _ = frames([(1, 1, True), (1, 1, True), (2, 1, True)])
    strata = pl.DataFrame(
        {"record_key": ["k0", "k1", "k2"], "band": ["0-5", None, "6-15"], "year": [1, 1, 2]}
    )
    for name, frame in (("persons", persons), ("truth", truth), ("strata", strata)):
        frame.write_parquet(tmp_path / f"{name}.parquet")
    result = evaluate(*(tmp_path / f"{name}.parquet" for name in ("persons", "truth", "strata")))
    assert set(result.strata) == {"band=0-5", "band=6-15", "year=1", "year=2"}
    assert result.strata["band=6-15"].records == 1
    assert result.strata["band=6-15"].recall.value is None
    assert result.strata["band=0-5"].recall.value == 1.0


def test_a_key_that_stands_twice_is_refused() -> None:
    persons, truth, _ = frames([(1, 1, True), (2, 2, True)])
    with pytest.raises(ValueError, match="1 record keys of truth"):
        evaluate(persons, pl.concat([truth, truth.head(1)]))


def test_judgements_score_the_latest_verdict_of_a_pair() -> None:
    persons, _, _ = frames([(0, 0, True), (0, 0, True), (0, 1, True), (0, 1, True)])
    judgements = pl.DataFrame(
        {
            "record_key_a": ["k0", "k1", "k1", "k2", "k0", "k9"],
            "record_key_b": ["k1", "k0", "k2", "k3", "k3", "k0"],
            "verdict": ["different", "same", "same", "different", "unsure", "same"],
            "judged_at": [1, 2, 1, 1, 1, 1],
        }
    )
    result = evaluate_judgements(persons, judgements)
    assert (result.same_together, result.same_apart, result.different_together) == (1, 1, 1)
    assert (result.different_apart, result.unsure, result.not_linked) == (0, 1, 1)
    assert result.precision.value == result.recall.value == 0.5


def test_weights_of_judged_pairs_stand_for_pairs_like_them() -> None:
    persons, _, _ = frames([(0, 0, True), (0, 0, True), (0, 0, True)])
    judgements = pl.DataFrame(
        {
            "record_key_a": ["k0", "k1"],
            "record_key_b": ["k1", "k2"],
            "verdict": ["same", "different"],
            "weight": [9.0, 1.0],
        }
    )
    assert evaluate_judgements(persons, judgements).precision.value == pytest.approx(0.9)
