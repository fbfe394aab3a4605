"""`datasach precheck`: the receipt a file would get, before it is sent."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from datasach.pipeline.precheck import NobodysFiles, precheck, told
from datasach.runners.local import run_night
from datasach.spec.project import Project
from tests.conftest import ROOT
from tests.envelopes import envelope, simple_visit

NIGHT = date(2026, 3, 2)
GOOD = envelope([simple_visit()]).encode()
LEFT_BEFORE_HE_CAME = envelope([simple_visit(NGAY_RA="202603010900")]).encode()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made in this test, to see what stays in them."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def written(tmp_path: Path, content: bytes, name: str = "DPDL_1.xml") -> Path:
    path = tmp_path / "export" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_good_file_would_be_accepted_and_nothing_stays_behind(
    project: Project, tmp_path: Path, temporary: Path
) -> None:
    found = precheck(project, [written(tmp_path, GOOD)], night=NIGHT)
    (receipt,) = found.receipts
    assert (found.facility, found.exit_code) == ("79001", 0)
    assert receipt["counts"]["accepted"] == receipt["counts"]["read"] == 2
    # The reader's process has its socket there ("pymp-…") as long as this process lives.
    assert [p for p in temporary.iterdir() if not p.name.startswith("pymp-")] == []
    assert [p.name for p in (tmp_path / "export").iterdir()] == ["DPDL_1.xml"]


def test_a_record_that_would_be_held_is_named_with_its_rule_and_its_remedy(
    project: Project, tmp_path: Path
) -> None:
    found = precheck(project, [written(tmp_path, LEFT_BEFORE_HE_CAME)], night=NIGHT)
    text = told(found, as_json=False)
    assert found.exit_code == 20
    assert "[GIỮ LẠI · HELD] VIS-" in text
    assert "LK001 (1)" in text and "Sửa: " in text and "Mend: " in text
    assert "Hòa" not in text and "079085012345" not in text


def test_it_is_the_receipt_that_the_night_writes(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "inbox/2026-03-02/79001"
    folder.mkdir(parents=True)
    (folder / "DPDL_1.xml").write_bytes(LEFT_BEFORE_HE_CAME)
    (before,) = precheck(project, [folder / "DPDL_1.xml"], night=NIGHT).receipts
    run_night(project, tmp_path / "inbox", tmp_path / "out", NIGHT)
    (path,) = (tmp_path / "out/receipts/2026-03-02/79001").glob("*.json")
    after = json.loads(path.read_bytes())
    del after["version"], after["as_of"]
    assert before == after


def test_a_broken_file_would_be_rejected(project: Project, tmp_path: Path) -> None:
    found = precheck(project, [written(tmp_path, GOOD[:300])], facility="79001", night=NIGHT)
    assert found.exit_code == 20
    assert found.receipts[0]["reason"]["code"] == "XML_SYNTAX"


def test_a_file_that_names_no_facility_needs_one(project: Project, tmp_path: Path) -> None:
    with pytest.raises(NobodysFiles, match="--facility"):
        precheck(project, [written(tmp_path, b"a;b\n1;2\n", "list.csv")], night=NIGHT)


def test_the_gate_is_not_started(tmp_path: Path) -> None:
    """Great-expectations costs seventeen seconds of a clerk's old computer."""
    path = written(tmp_path, GOOD)
    command = (
        "import sys; from click.testing import CliRunner; from datasach.cli import main;"
        f"done = CliRunner().invoke(main, ['precheck', '--json', '--night', '2026-03-02', {str(path)!r}]);"
        "from datasach.validate.gate import _GATE;"
        "print(done.exit_code, _GATE._process, 'great_expectations' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == ["0", "None", "False"], done.stderr
