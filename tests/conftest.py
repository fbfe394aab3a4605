"""What many tests share: the project, and invented nights that were run once."""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from datasach.runners.local import Outcome, run_night
from datasach.spec.project import Project, load_project
from datasach.synth import generate

ROOT = Path(__file__).parents[1]
NIGHTS = (date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4))

hypothesis_settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
hypothesis_settings.load_profile("repeatable")


@dataclass(frozen=True)
class Invented:
    """An invented inbox with its truth, and the warehouse its nights were run into."""

    inbox: Path
    truth: Path
    out: Path
    outcomes: tuple[Outcome, ...]


@pytest.fixture(scope="session")
def whole_project() -> Project:
    return load_project(ROOT)


@pytest.fixture(scope="session")
def project(whole_project: Project) -> Project:
    return whole_project


def _once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Any]) -> Any:
    """What `make(folder)` returned, made by whichever test process needs it first; the others wait and read."""
    alone = os.environ.get("PYTEST_XDIST_WORKER") is None
    shared = factory.getbasetemp() if alone else factory.getbasetemp().parent
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = shared / f"{name}.pickle"
        if not done.exists():
            folder = shared / name
            folder.mkdir()
            done.write_bytes(pickle.dumps((folder, make(folder))))
        return pickle.loads(done.read_bytes())


@pytest.fixture(scope="session")
def invented_inbox(
    whole_project: Project, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Three nights of six facilities, with every kind of mistake and damage the generator knows."""

    def make(folder: Path) -> None:
        generate(
            folder / "inbox", folder / "truth", reference=whole_project.root / "datasets/_reference",
            seed=7, nights=list(NIGHTS), facilities=6, persons=3_000, visits_per_night=120, damaged=0.3,
        )  # fmt: skip

    folder, _ = _once(tmp_path_factory, "invented", make)
    return folder / "inbox", folder / "truth"


@pytest.fixture(scope="session")
def three_nights(
    whole_project: Project,
    invented_inbox: tuple[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Invented:
    """The nights run one after another, as a scheduled machine would. Nobody changes it; see `copy_of`."""
    inbox, truth = invented_inbox

    def make(out: Path) -> tuple[Outcome, ...]:
        return tuple(run_night(whole_project, inbox, out, night) for night in NIGHTS)

    out, outcomes = _once(tmp_path_factory, "in_order", make)
    return Invented(inbox, truth, out, outcomes)


@pytest.fixture
def deliver(tmp_path: Path) -> Callable[[str, str, str, bytes], Path]:
    """Put a file into a fresh inbox: deliver(night, sender, name, content) → the inbox."""

    def put(night: str, sender: str, name: str, content: bytes) -> Path:
        path = tmp_path / "inbox" / night / sender / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return tmp_path / "inbox"

    return put


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """A copy of a warehouse that a test may change."""

    def copy(out: Path) -> Path:
        target = tmp_path / "copy"
        shutil.copytree(out, target, symlinks=True)
        return target

    return copy
