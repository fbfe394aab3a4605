"""Mistakes in a trust folder are told with file and line, all at once."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from datasach.errors import SpecError
from datasach.spec.load import Problems
from datasach.spec.project import load_project
from datasach.spec.trust import load_trust
from datasach.synth.authority import Authority
from tests.conftest import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Authority(1, ["79001", "79002"], date(2026, 3, 2)).write(tmp_path / "trust")
    return tmp_path / "trust"


def told(folder: Path) -> list[str]:
    problems = Problems(folder)
    load_trust(folder, problems)
    return [str(one) for one in problems.found]


def test_a_right_folder_is_read(folder: Path) -> None:
    problems = Problems(folder)
    trust = load_trust(folder, problems)
    assert problems.found == [] and trust is not None
    counts = (len(trust.roots), len(trust.intermediates), len(trust.crls), len(trust.bindings))
    assert counts == (1, 1, 2, 2) and trust.is_invented
    assert load_trust(folder, problems) == trust


def test_the_projects_own_folder_trusts_nobody() -> None:
    trust = load_project(ROOT).trust
    assert trust.is_empty and not trust.bindings and not trust.is_invented


HEAD = "facility,subject_id,certificate_sha256,valid_from,valid_to,source\n"
BINDINGS = {
    "7900,MST:1,,2026-01-01,,doc": "bindings.csv:2: facility:",
    "79001,,,2026-01-01,,doc": "bindings.csv:2: give subject_id or",
    f"79001,MST:1,{'a' * 64},2026-01-01,,doc": "bindings.csv:2: give subject_id or",
    "79001,,abc,2026-01-01,,doc": "bindings.csv:2: certificate_sha256",
    "79001,MST:1,,01/02/2026,,doc": "bindings.csv:2: valid_from",
    "79001,MST:1,,2026-01-01,,": "bindings.csv:2: source",
}


@pytest.mark.parametrize("line", BINDINGS)
def test_a_wrong_binding_is_told_with_its_line(line: str, folder: Path) -> None:
    (folder / "bindings.csv").write_text(HEAD + line + "\n", "utf-8")
    assert [one.startswith(BINDINGS[line]) for one in told(folder)] == [True]


def test_other_mistakes_name_their_file(folder: Path) -> None:
    (folder / "bindings.csv").write_text("facility,subject\n", "utf-8")
    (folder / "roots/broken.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    )
    (folder / "crl/broken.crl").write_bytes(b"x")
    found = told(folder)
    assert any(one.startswith('bindings.csv:1: "subject" is not a column') for one in found)
    assert any(one.startswith("roots/broken.pem:1: not a certificate") for one in found)
    assert any(one.startswith("crl/broken.crl:1: not a revocation list") for one in found)


def test_sha1_cannot_be_declared(folder: Path) -> None:
    (folder / "policy.yaml").write_text("signature_methods: [rsa-sha1]\ndigests: [sha1]\n", "utf-8")
    assert len(told(folder)) == 2 and all(one.startswith("policy.yaml:") for one in told(folder))


def test_requiring_signatures_while_trusting_nobody_is_refused(tmp_path: Path) -> None:
    import shutil

    for name in ("datasets", "rules", "reports"):
        shutil.copytree(ROOT / name, tmp_path / name)
    path = tmp_path / "datasets/_sources/bhxh_envelopes.yaml"
    path.write_text(path.read_text("utf-8").replace('"optional"', "required"), "utf-8")
    with pytest.raises(SpecError, match=r"bhxh_envelopes.yaml:\d+: signature: required, but"):
        load_project(tmp_path)
