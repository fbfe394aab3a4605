"""The command as an operator meets it: a process, its output, its exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.envelopes import envelope, simple_visit


def datasach(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "datasach", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_check_proves_every_rule_by_its_examples() -> None:
    done = datasach("check")
    assert done.returncode == 0, done.stderr
    assert "proved by their examples" in done.stdout


def test_a_mistake_in_a_declaration_has_its_own_exit_code(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "pyproject.toml").touch()
    done = datasach("check", "--project", tmp_path)
    assert done.returncode == 10
    assert "rules/linkage/strong.yaml:1: this file is missing" in done.stderr


def test_an_inbox_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    done = datasach(
        "run", "--inbox", tmp_path / "no", "--night", "2026-03-02", "--out", tmp_path / "out"
    )
    assert (done.returncode, "no inbox folder" in done.stderr) == (10, True)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp_path = tmp_path_factory.mktemp("ran")
    folder = tmp_path / "inbox/2026-03-02/79001"
    folder.mkdir(parents=True)
    (folder / "DPDL_1.xml").write_bytes(envelope([simple_visit()]).encode())
    done = datasach(
        "run",
        "--project",
        ".",
        "--inbox",
        tmp_path / "inbox",
        "--night",
        "2026-03-02",
        "--out",
        tmp_path / "out",
    )
    assert done.returncode == 0, done.stderr
    assert "report " in done.stdout
    return tmp_path / "out"


def test_explain_walks_from_a_visit_and_from_a_place_in_a_file(ran: Path) -> None:
    by_key = datasach("explain", "--out", ran, "79001|LK001")
    by_place = datasach("explain", "--out", ran, "79001/DPDL_1.xml#1")
    assert by_key.returncode == by_place.returncode == 0
    for text in (by_key.stdout, by_place.stdout):
        assert "published in snapshot 2026-03-02, kcb_emr/visit.parquet, row 1" in text
        assert "person     P-" in text
    assert "Hòa" not in by_key.stdout and "079085012345" not in by_key.stdout


def test_explain_says_what_it_did_not_find(ran: Path) -> None:
    done = datasach("explain", "--out", ran, "79001|NOPE")
    assert (done.returncode, "has arrived" in done.stderr) == (2, True)


def test_plan_prints_the_steps_in_their_order() -> None:
    names = [line.split()[0] for line in datasach("plan").stdout.splitlines()]
    assert names == [
        "arrive", "extract", "standardise", "reconcile", "link", "validate", "stage", "gate", "publish", "report"
    ]  # fmt: skip


def test_a_clerk_a_department_and_a_steward_each_have_a_command(ran: Path, tmp_path: Path) -> None:
    clerk = datasach("fix", "--out", ran, "--facility", "79001")
    assert "Cơ sở 79001, đêm 02/03/2026: 1 tệp, 2 trong 2 dòng được chấp nhận" in clerk.stdout
    department = datasach("department", "--out", ran, "--province", "79")
    assert "Chưa gửi đêm nay · Late (0)" in department.stdout
    steward = datasach("tasks", "--out", ran, "--xlsx", tmp_path / "viec.xlsx")
    assert steward.stdout.startswith("Đêm 02/03/2026: ") and (tmp_path / "viec.xlsx").is_file()
    assert clerk.returncode == department.returncode == steward.returncode == 0


def test_a_question_about_nobody_is_answered_with_who_is_known(ran: Path) -> None:
    clerk = datasach("fix", "--out", ran, "--facility", "01001")
    department = datasach("department", "--out", ran, "--province", "99")
    assert "01001 has sent nothing" in clerk.stderr
    assert 'no facility of province "99" is known here; there are 79' in department.stderr
