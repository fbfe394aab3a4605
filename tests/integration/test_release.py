"""A held record is visible and counted, and goes out once it is corrected: sent again, or by a declared correction."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from datasach.runners.local import Outcome, run_night
from datasach.spec.contract import Title
from datasach.spec.correction import Correction
from datasach.spec.project import Project
from tests.envelopes import envelope, simple_visit

Deliver = Callable[[str, str, str, bytes], Path]
WRONG = {"NGAY_VAO": "202603020800", "NGAY_RA": "202603010900"}
"""Discharged the day before admission: VIS-001b holds such a visit."""


@pytest.fixture
def run(project: Project, tmp_path: Path) -> Callable[..., Outcome]:
    def go(inbox: Path, night: date, with_project: Project = project) -> Outcome:
        return run_night(with_project, inbox, tmp_path / "out", night)

    return go


def visits(tmp_path: Path) -> list[tuple[str, str]]:
    path = tmp_path / "out/published/latest/kcb_emr/visit.parquet"
    return duckdb.sql(f"SELECT ma_lk, CAST(ngay_ra AS VARCHAR) FROM '{path}' ORDER BY 1").fetchall()


def held(tmp_path: Path) -> list[tuple[str, str, bool]]:
    path = tmp_path / "out/state/results/checks.held.parquet"
    return duckdb.sql(f"SELECT table_id, rule, with_parent FROM '{path}' ORDER BY 1").fetchall()


def test_a_wrong_visit_is_held_with_its_lines_and_the_right_one_is_not(
    run, deliver: Deliver, tmp_path: Path
) -> None:
    content = envelope([simple_visit(**WRONG), simple_visit(MA_LK="LK002")]).encode()
    run(deliver("2026-03-02", "79001", "DPDL_1.xml", content), date(2026, 3, 2))
    assert [ma_lk for ma_lk, _ in visits(tmp_path)] == ["LK002"]
    found = held(tmp_path)
    assert ("kcb_emr.visit", "VIS-001b", False) in found
    assert any(table == "kcb_emr.service" for table, _, _ in found)
    path = tmp_path / "out/quarantine/kcb_emr/visit.parquet"
    row = duckdb.sql(f"SELECT ma_lk, _rules, CAST(_held_since AS VARCHAR) FROM '{path}'").fetchall()
    assert row == [("LK001", "VIS-001b", "2026-03-02")]


def test_a_corrected_delivery_releases_the_held_visit(
    run, deliver: Deliver, tmp_path: Path
) -> None:
    deliver("2026-03-02", "79001", "DPDL_1.xml", envelope([simple_visit(**WRONG)]).encode())
    run(tmp_path / "inbox", date(2026, 3, 2))
    assert visits(tmp_path) == []
    right = envelope([simple_visit()], made_on="20260303").encode()
    run(deliver("2026-03-03", "79001", "DPDL_2.xml", right), date(2026, 3, 3))
    assert visits(tmp_path) == [("LK001", "2026-03-02 09:00:00")]
    assert held(tmp_path) == []
    assert not list((tmp_path / "out/quarantine").rglob("*.parquet"))


CORRECTION = Correction(
    id="COR-001", database="kcb_emr", table="kcb_emr.visit", where={"ma_cskcb": "79001", "ma_lk": "LK001"},
    field="ngay_ra", expect="2026-03-01 09:00:00", to="202603020900",
    reason=Title(vi="Cơ sở xác nhận gõ nhầm ngày ra", en="The facility confirms the discharge date was mistyped"),
    decided_by="Sở Y tế", until=date(2026, 3, 31),
)  # fmt: skip


def test_a_declared_correction_releases_it_without_touching_what_was_sent(
    run, deliver: Deliver, project: Project, tmp_path: Path
) -> None:
    inbox = deliver("2026-03-02", "79001", "DPDL_1.xml", envelope([simple_visit(**WRONG)]).encode())
    corrected = dataclasses.replace(project, corrections=(CORRECTION,))
    outcome = run(inbox, date(2026, 3, 2), corrected)
    assert outcome.found["corrections"] == {"applied": 1}
    assert visits(tmp_path) == [("LK001", "2026-03-02 09:00:00")]
    part = next((tmp_path / "out/state/standard/kcb_emr.visit").glob("*.parquet"))
    assert duckdb.sql(f"SELECT CAST(ngay_ra AS VARCHAR) FROM '{part}'").fetchall() == [
        ("2026-03-01 09:00:00",)
    ]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"expect": "2026-03-01 10:00:00"}, "over"),
        ({"until": date(2026, 3, 1)}, "over"),
        ({"where": {"ma_lk": "LK999"}}, "unmatched"),
    ],
)
def test_a_correction_ends_when_its_source_or_its_time_has_moved_on(
    run,
    deliver: Deliver,
    project: Project,
    tmp_path: Path,
    changes: dict[str, object],
    outcome: str,
) -> None:
    inbox = deliver("2026-03-02", "79001", "DPDL_1.xml", envelope([simple_visit(**WRONG)]).encode())
    stale = dataclasses.replace(project, corrections=(CORRECTION.model_copy(update=changes),))
    assert run(inbox, date(2026, 3, 2), stale).found["corrections"] == {outcome: 1}
    assert visits(tmp_path) == []
