"""Small nights in this process, for tests of what a night does when something is missing, late or wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasach.spec.project import Project, load_project
from datasach.validate import gate
from tests.fault.night import Nods
from tests.fault.small import small_project


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return load_project(small_project(tmp_path_factory.mktemp("small")))


@pytest.fixture
def nods(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate says yes at once: these tests are not about its verdict."""
    monkeypatch.setattr(gate, "_GATE", Nods())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"
