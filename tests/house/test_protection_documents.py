"""The threat model names tests that exist, and the runbook every exit code."""

from __future__ import annotations

import re
from pathlib import Path

from datasach.errors import EXIT_CODES
from tests.conftest import ROOT


def test_every_control_of_the_threat_model_has_its_test() -> None:
    text = (ROOT / "docs/threat-model.md").read_text("utf-8")
    files = {path.name: path.read_text("utf-8") for path in Path(ROOT / "tests").rglob("test_*.py")}
    named = re.findall(r"`(test_\w+\.py|…)(?:::(test_\w+))?`", text)
    assert len(named) > 20
    file = ""
    for name, test in named:
        file = file if name == "…" else name
        assert file in files, file
        assert not test or f"def {test}(" in files[file], (file, test)


def test_the_runbook_says_what_to_do_at_every_exit_code() -> None:
    text = (ROOT / "docs/runbook.md").read_text("utf-8")
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.M)} == set(EXIT_CODES)
