"""The gate judges from outside: what our own engine overlooks, great-expectations finds in the Parquet."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from datasach.runners.local import run_night
from datasach.spec.project import Project
from datasach.validate import kinds
from tests.envelopes import envelope, simple_visit

Deliver = Callable[[str, str, str, bytes], Path]
NIGHT = date(2026, 3, 2)
WITHOUT_ADDRESS = envelope([simple_visit(DIA_CHI=""), simple_visit(MA_LK="LK002")]).encode()


def fresh(project: Project) -> Project:
    """The same declarations as another object: rules are compiled once per object."""
    return dataclasses.replace(project)


def test_a_bug_in_our_compiler_is_caught_and_the_database_withheld(
    project: Project, deliver: Deliver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ADM-007 asks for an address. Here our compiler "forgets" the blank ones."""
    real = kinds.KINDS["required"]

    def blind(ctx: kinds.Context, field: str) -> kinds.Check:
        return dataclasses.replace(real(ctx, field), violated="false")

    monkeypatch.setitem(kinds.KINDS, "required", blind)
    inbox = deliver("2026-03-02", "79001", "DPDL_1.xml", WITHOUT_ADDRESS)
    outcome = run_night(fresh(project), inbox, tmp_path / "out", NIGHT)
    assert outcome.withheld == ("kcb_emr",) and outcome.exit_code == 20
    manifest = json.loads((tmp_path / "out/published/latest/manifest.json").read_text("utf-8"))
    assert manifest["databases"]["kcb_emr"]["state"] == "withheld"
    assert (
        "kcb_emr.visit: ADM-007 fails 1 times by the gate, 0 by us"
        in manifest["databases"]["kcb_emr"]["reason"]
    )
    assert manifest["databases"]["bhyt_claims"]["state"] == "released"


def test_without_the_bug_the_same_night_goes_out(
    project: Project, deliver: Deliver, tmp_path: Path
) -> None:
    inbox = deliver("2026-03-02", "79001", "DPDL_1.xml", WITHOUT_ADDRESS)
    assert run_night(project, inbox, tmp_path / "out", NIGHT).withheld == ()


def test_a_withheld_database_keeps_its_last_release(
    project: Project, deliver: Deliver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = deliver("2026-03-02", "79001", "DPDL_1.xml", envelope([simple_visit()]).encode())
    run_night(project, inbox, tmp_path / "out", NIGHT)
    monkeypatch.setitem(
        kinds.KINDS, "required", lambda ctx, field: kinds.Check("true", "false", fields=(field,))
    )
    later = envelope([simple_visit(MA_LK="LK009", DIA_CHI="")], made_on="20260303").encode()
    inbox = deliver("2026-03-03", "79001", "DPDL_2.xml", later)
    outcome = run_night(fresh(project), inbox, tmp_path / "out", date(2026, 3, 3))
    assert outcome.withheld == ("kcb_emr",)
    path = tmp_path / "out/published/latest/kcb_emr/visit.parquet"
    assert duckdb.sql(f"SELECT ma_lk FROM '{path}'").fetchall() == [("LK001",)]


def test_a_rule_that_cannot_run_is_never_a_pass(
    project: Project, deliver: Deliver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(ctx: kinds.Context, field: str) -> kinds.Check:
        return kinds.Check("true", f'r."{field}" + no_such_function(1)', fields=(field,))

    monkeypatch.setitem(kinds.KINDS, "required", broken)
    inbox = deliver("2026-03-02", "79001", "DPDL_1.xml", envelope([simple_visit()]).encode())
    outcome = run_night(fresh(project), inbox, tmp_path / "out", NIGHT)
    assert outcome.found["validate"]["not_run"] > 0
    assert "kcb_emr" in outcome.withheld


def test_a_gate_that_cannot_judge_lets_nothing_out(
    project: Project, deliver: Deliver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasach.validate import gate

    monkeypatch.setattr(
        gate._GATE, "ask", lambda request, state: {"error": "TimeoutError", "results": []}
    )
    inbox = deliver("2026-03-02", "79001", "DPDL_1.xml", envelope([simple_visit()]).encode())
    outcome = run_night(project, inbox, tmp_path / "out", NIGHT)
    assert set(outcome.withheld) == set(project.databases)


def test_the_certificate_holds_no_value_of_a_person(
    project: Project, deliver: Deliver, tmp_path: Path
) -> None:
    inbox = deliver("2026-03-02", "79001", "DPDL_1.xml", WITHOUT_ADDRESS)
    run_night(project, inbox, tmp_path / "out", NIGHT)
    for path in (tmp_path / "out/state/scratch/gate").glob("*.json"):
        text = path.read_text("utf-8")
        assert not any(
            word in text for word in ("079085012345", "HÒA", "Hòa", "0912345678", "7912345678")
        )
