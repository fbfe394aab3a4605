"""The estimate on counted patterns is the one recordlinkage makes row by row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasach.link.ecm import by_recordlinkage, counted


def drawn(seed: int, pairs: int, sizes: list[int], mixed: float) -> tuple[list, list]:
    """Levels of pairs of one person (mostly level 1) and of two (mostly the last), some of each among the other."""
    draw = np.random.default_rng(seed)

    def levels(of_one: np.ndarray, size: int) -> np.ndarray:
        chances = np.array([[0.1, 0.8, *[0.1 / (size - 1)] * (size - 1)], [0.1, *[0.1 / (size - 1)] * (size - 1), 0.8]])  # fmt: skip
        one, two = (draw.choice(size + 1, pairs, p=share) for share in chances)
        return np.where(of_one, one, two).astype(np.uint8)

    likely, unlikely = draw.random(pairs) >= mixed, draw.random(pairs) < mixed
    return [levels(likely, size) for size in sizes], [levels(unlikely, size) for size in sizes]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(2, 7), min_size=2, max_size=9),
    mixed=st.sampled_from([0.0, 0.02, 0.3]),
)
def test_counted_patterns_give_what_recordlinkage_gives(
    seed: int, sizes: list[int], mixed: float
) -> None:
    likely, unlikely = drawn(seed, 3_000, sizes, mixed)
    for ours, theirs in zip(
        counted(likely, unlikely), by_recordlinkage(likely, unlikely), strict=True
    ):
        assert ours == pytest.approx(theirs, abs=1e-9)
        assert ours.sum() == pytest.approx(1)


def test_what_is_mixed_in_is_told_apart() -> None:
    """A fifth of the anchored pairs are two people; the shares of one person's records are found all the same."""
    likely, unlikely = drawn(7, 20_000, [2, 3, 4, 5], 0.2)
    for level, table in zip(likely, counted(likely, unlikely), strict=True):
        assert np.mean(level == 1) < 0.7
        assert table[1] == pytest.approx(0.8, abs=0.02)


def test_a_comparison_that_never_differs_is_no_obstacle() -> None:
    likely, unlikely = drawn(3, 5_000, [3, 3], 0.1)
    always = np.ones(5_000, np.uint8)
    found = counted([*likely, always], [*unlikely, always])
    assert found[2] == pytest.approx([0, 1])
    assert found[0] == pytest.approx(counted(likely, unlikely)[0], abs=1e-9)


def test_where_nothing_is_known_the_shares_stand() -> None:
    nothing = [np.zeros(300, np.uint8)] * 3
    for table in counted(nothing, nothing, [np.array([0.5, 0.5])] * 3):
        assert table == pytest.approx([1.0])


def test_a_lent_card_does_not_teach_that_one_person_has_two_names() -> None:
    """A tenth of the anchored pairs are kin: another given name, the same phone and commune."""
    draw = np.random.default_rng(4)
    kin = draw.random(20_000) < 0.1

    def levels(one: float, of_kin: float) -> np.ndarray:
        same = draw.random(20_000) < np.where(kin, of_kin, one)
        return np.where(same, 1, 2).astype(np.uint8)

    likely = [levels(0.99, 0.01), levels(0.95, 0.02), levels(0.7, 0.7), levels(0.95, 0.95)]
    unlikely = [np.where(draw.random(20_000) < 0.01, 1, 2).astype(np.uint8) for _ in likely]
    household = [np.array([share, 1 - share]) for share in (0.01, 0.02, 0.7, 0.95)]
    without, knowing = counted(likely, unlikely), counted(likely, unlikely, household)
    assert without[0][2] > 0.05
    assert knowing[0][2] == pytest.approx(0.01, abs=0.005)
    assert knowing[2][1] == pytest.approx(0.7, abs=0.02)
