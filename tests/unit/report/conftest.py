"""The hand-made night as fixtures; see report_night.py for what is in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from report_night import (
    ROOT,
    RULES,
    HandmadeNight,
    fill_warehouse,
    make_current,
    make_night,
    new_night,
)

from datasach.spec.project import Project, load_project
from datasach.store.warehouse import open_standard


@pytest.fixture(scope="session")
def report_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project's own contracts and report declarations, with three rules of the tests' own."""
    root = tmp_path_factory.mktemp("project")
    for name in ("datasets", "reports"):
        (root / name).symlink_to(ROOT / name)
    (root / "rules").mkdir()
    for name in ("linkage", "survivorship"):
        shutil.copytree(ROOT / "rules" / name, root / "rules" / name)
    (root / "rules/small.yaml").write_text(
        yaml.safe_dump({"rules": RULES}, allow_unicode=True), "utf-8"
    )
    return load_project(root)


@pytest.fixture
def night(report_project: Project, tmp_path: Path) -> Iterator[HandmadeNight]:
    made = make_night(report_project, tmp_path / "out")
    yield made
    made.warehouse.close()
    made.ledger.close()


@pytest.fixture
def empty_night(report_project: Project, tmp_path: Path) -> Iterator[HandmadeNight]:
    """Nothing has ever arrived."""
    made = new_night(report_project, tmp_path / "out")
    open_standard(made.warehouse, report_project, made.ledger)
    fill_warehouse(made.warehouse)
    make_current(made.warehouse, report_project)
    for schema, table in made.warehouse.rows(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE schema_name IN ('checks', 'recon', 'golden')"
        " AND table_name NOT IN ('rules')"
    ):
        made.warehouse.execute(f"DELETE FROM {schema}.{table}")
    yield made
    made.warehouse.close()
    made.ledger.close()
