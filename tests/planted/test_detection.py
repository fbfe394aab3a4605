"""How much of what is wrong in records nobody prepared for is found, and how much is said in vain.

The seed was never looked at while rules were written: a rule made to fit these records would prove nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from datasach.spec.project import Project
from tests.planted.generator import plant
from tests.planted.measure import Measured, measure, show

UNSEEN_SEED = 4711


@pytest.fixture(scope="module")
def measured(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    home = tmp_path_factory.mktemp("planted")
    key = plant(home / "inbox", seed=UNSEEN_SEED, encounters=560, defects=0.54)
    return measure(project, key, home / "inbox", home / "out")


def test_what_was_planted_is_found(measured: Measured) -> None:
    assert len(measured.key.planted) > 250
    assert measured.detection >= 0.99, show(measured)


def test_clean_records_are_not_held(measured: Measured) -> None:
    assert measured.clean > 250
    assert measured.false_quarantines <= 0.001, show(measured)


def test_clean_records_are_seldom_spoken_about(measured: Measured) -> None:
    assert len(measured.flagged_records) / measured.clean <= 0.02, show(measured)


def test_nothing_is_lost(measured: Measured) -> None:
    assert measured.lost == []
    assert measured.withheld == ()


def test_the_same_seed_gives_the_same_inbox(tmp_path: Path) -> None:
    first = plant(tmp_path / "a", seed=1, encounters=40, defects=0.4)
    second = plant(tmp_path / "b", seed=1, encounters=40, defects=0.4)
    assert first == second
    names = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.xml"))
    assert names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
