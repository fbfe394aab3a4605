"""Declarations are refused with file, line and a suggestion, all problems at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from datasach.errors import SpecError
from datasach.spec.load import Problems, read_yaml
from datasach.spec.project import load_project
from tests.conftest import ROOT


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for folder in ("datasets", "rules", "reports"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def line_of(path: Path, word: str) -> int:
    return next(n for n, line in enumerate(path.read_text("utf-8").splitlines(), 1) if word in line)


def test_every_problem_is_told_at_once_with_its_line_and_a_suggestion(copy: Path) -> None:
    contract = copy / "datasets/immunization/contract.yaml"
    source = copy / "datasets/_sources/immunizations.yaml"
    change(contract, "freshness_hours:", "freshness_hour:")
    change(source, "ma_mui_tiem:", "ma_mui_tien:")
    with pytest.raises(SpecError) as refused:
        load_project(copy)
    text = str(refused.value)
    line = line_of(contract, "freshness_hour:")
    assert f"datasets/immunization/contract.yaml:{line}" in text
    assert 'did you mean "freshness_hours"?' in text
    assert refused.value.exit_code == 10


def test_a_field_that_is_not_in_its_table_is_named(copy: Path) -> None:
    source = copy / "datasets/_sources/immunizations.yaml"
    change(source, "ma_mui_tiem:", "ma_mui_tien:")
    with pytest.raises(
        SpecError, match=r'"ma_mui_tien" is not in immunization\.dose; did you mean "ma_mui_tiem"\?'
    ):
        load_project(copy)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "stands here twice"),
        ("a: &x 1\nb: *x\n", "anchors and aliases"),
        ("a: [1, 2\n", "not valid YAML"),
        ("a: " + "[" * 30 + "]" * 30, "levels deep"),
    ],
)
def test_yaml_that_hides_things_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text, "utf-8")
    problems = Problems(tmp_path)
    read_yaml(path, problems)
    assert any(message in problem.message for problem in problems.found)


def test_a_code_is_never_a_number(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("facility: 01001\nanswer: no\nday: 2025-07-01\ntime: 1:30\n", "utf-8")
    document = read_yaml(path, Problems(tmp_path))
    assert document is not None
    assert document.data == {
        "facility": "01001",
        "answer": "no",
        "day": "2025-07-01",
        "time": "1:30",
    }
