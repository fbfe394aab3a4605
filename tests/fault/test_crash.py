"""A night broken anywhere and run again is the night that was never broken (tests/fault/harness.py)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.harness import EXPECTED, Harness, offered, state_of

SHORT = (("kill", "ledger.commit", 2), ("enospc", "fsync.file", 3), ("kill", "release.renamed", 1))
"""Between the parts and the ledger, in a part, between a snapshot and its pointer."""


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    made = Harness(tmp_path_factory.mktemp("fault"))
    yield made
    made.close()


def test_broken_at_the_places_that_matter_most(harness: Harness) -> None:
    broken = harness.break_all(
        [(mode, f"{mode}:{name}:{turn}", None) for mode, name, turn in SHORT]
    )
    assert broken.wrong == [] and broken.wrong_reads == []
    assert broken.reads > 0 and sum(broken.runs.values()) == len(SHORT)


@pytest.mark.long
def test_the_points_of_a_night_cover_what_must_survive(harness: Harness) -> None:
    assert {name for _, name, _ in SHORT} <= set(harness.points)
    assert {"pointer.move", "release.rename", "landing.copy", "ledger.begin"} <= set(harness.points)


def test_the_harness_sees_what_is_wrong(harness: Harness, tmp_path: Path) -> None:
    """Doubled, lost and half published: each is noticed."""
    out = harness._copy("spoilt")
    assert harness.night(harness.nursery, out, 1) == 0
    before = state_of(out)
    stray = next((out / "published/2026-03-03").rglob("*.parquet"))
    stray.rename(stray.with_suffix(".part"))
    assert state_of(out) != before
    (harness.inbox / "2026-03-03/79001/DPDL_neu.xml").write_text("<x/>", "utf-8")
    try:
        assert offered(harness.inbox, out) == ["('2026-03-03', '79001/DPDL_neu.xml') 0 times"]
    finally:
        (harness.inbox / "2026-03-03/79001/DPDL_neu.xml").unlink()


@pytest.mark.long
@pytest.mark.parametrize("mode", [m for m in EXPECTED if m != "delay"])
def test_every_point_of_a_night(harness: Harness, mode: str) -> None:
    points = range(1, len(harness.points) + 1)
    broken = harness.break_all([(mode, f"{mode}:*:{turn}", None) for turn in points], lanes=2)
    assert broken.wrong == [] and broken.wrong_reads == []


@pytest.mark.long
def test_two_hundred_kills_at_random(harness: Harness) -> None:
    chance = random.Random(1)
    faults = [("random kill", None, chance.uniform(0, harness.seconds)) for _ in range(200)]
    broken = harness.break_all(faults, lanes=2)
    assert broken.wrong == [] and broken.wrong_reads == []
