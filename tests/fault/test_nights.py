"""Nights that are not as they should be: something is missing, late, poison, unknown, or happens twice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest

from datasach.errors import MachineTrouble, WarehouseBusy
from datasach.pipeline.backfill import backfill
from datasach.pipeline.replay import ReplayDiffers, replay
from datasach.pipeline.summary import summary
from datasach.runners.local import run_night
from datasach.spec.night import Due, NightSpec, Unreadable
from datasach.spec.project import Project, load_project
from datasach.store import faults
from datasach.store.layout import Layout, only_run
from datasach.store.ledger import Ledger
from datasach.store.manifest import seal_of, text_of
from tests.conftest import ROOT
from tests.envelopes import envelope, simple_visit

pytestmark = pytest.mark.usefixtures("nods")
Deliver = Callable[[str, str, str, bytes], Path]
NIGHTS = [date(2026, 3, n) for n in (2, 3, 4, 5)]


def visit(key: str, facility: str = "79001", **changes: str) -> bytes:
    unit = simple_visit(MA_LK=key, MA_CSKCB=facility, **changes)
    return envelope([unit], facility=facility).encode()


def manifest(out: Path) -> dict[str, object]:
    return json.loads((out / "published/latest/manifest.json").read_text("utf-8"))


def visits(out: Path) -> list[tuple[str, str]]:
    path = out / "published/latest/kcb_emr/visit.parquet"
    return duckdb.sql(f"SELECT ma_lk, CAST(_night AS VARCHAR) FROM '{path}' ORDER BY 1").fetchall()


def test_a_late_file_lands_on_its_night_as_a_revision_of_the_newest(
    small: Project, deliver: Deliver, out: Path
) -> None:
    deliver("2026-03-02", "79001", "DPDL_1.xml", visit("A"))
    run_night(small, deliver("2026-03-03", "79001", "DPDL_2.xml", visit("B")), out, NIGHTS[1])
    inbox = deliver("2026-03-02", "79002", "DPDL_late.xml", visit("C", "79002"))
    # Asked for the old night: readers are not taken back to it.
    outcome = run_night(small, inbox, out, NIGHTS[0])
    assert outcome.snapshot == "2026-03-03.r2" and manifest(out)["revises"] == {"2026-03-02": 1}
    assert visits(out) == [("A", "2026-03-02"), ("B", "2026-03-03"), ("C", "2026-03-02")]
    assert "1 files for 2026-03-02" in summary(outcome)


@pytest.mark.long
def test_what_was_due_and_did_not_come_is_named_and_the_rest_goes_out(
    small: Project, deliver: Deliver, out: Path
) -> None:
    project = replace(small, night=NightSpec(due=Due(nights=2)))
    for night in NIGHTS[:2]:
        for facility in ("79001", "79002", "79003"):
            content = visit(f"{facility}{night.day}", facility)
            inbox = deliver(night.isoformat(), facility, "DPDL_1.xml", content)
    assert run_night(project, inbox, out, NIGHTS[1]).exit_code == 0
    deliver("2026-03-04", "79001", "DPDL_1.xml", visit("NEW"))
    inbox = deliver("2026-03-04", "79002", "DPDL_1.xml", visit("CUT", "79002")[:-40])
    outcome = run_night(project, inbox, out, NIGHTS[2])
    gaps = [(g["sender"], g["state"]) for g in outcome.found["coverage"]["gaps"]]
    assert gaps == [("79002", "REJECTED"), ("79003", "MISSING")]
    assert outcome.exit_code == 21 and ("NEW", "2026-03-04") in visits(out)
    assert "79003/coordination_envelopes" in summary(outcome)
    told = json.loads((out / "runs" / f"{outcome.run}.json").read_text("utf-8"))
    assert told["exit_code"] == 21


def test_a_night_that_is_mostly_poison_leaves_the_last_release_alone(
    small: Project, deliver: Deliver, out: Path
) -> None:
    limit = Unreadable(share=0.5, at_least=3)
    project = replace(small, night=NightSpec(unreadable=limit))
    run_night(project, deliver("2026-03-02", "79001", "DPDL_1.xml", visit("A")), out, NIGHTS[0])
    before = manifest(out)
    for number in range(3):
        deliver("2026-03-03", "79001", f"DPDL_{number}.xml", visit(f"P{number}")[:-50])
    inbox = deliver("2026-03-03", "79001", "DPDL_good.xml", visit("B"))
    outcome = run_night(project, inbox, out, NIGHTS[1])
    assert outcome.exit_code == 22 and manifest(out) == before
    assert "3 of 4 files" in summary(outcome)
    assert len(list((out / "receipts/2026-03-03/79001").glob("*.json"))) == 4, "senders are told"
    assert run_night(project, inbox, out, NIGHTS[1]).exit_code == 22, "asking again changes nothing"
    looked_at = replace(
        project, night=NightSpec(unreadable=limit.model_copy(update={"accepted": [NIGHTS[1]]}))
    )
    assert run_night(looked_at, inbox, out, NIGHTS[1]).exit_code == 0
    assert visits(out) == [("A", "2026-03-02"), ("B", "2026-03-03")]


def test_a_file_nobody_claimed_is_read_once_its_source_is_declared(
    small: Project, deliver: Deliver, out: Path, tmp_path: Path
) -> None:
    register = "ma_co_so;ten;ma_tinh\n79001;Bệnh viện A;79\n".encode()
    deliver("2026-03-02", "BYT", "danh_sach_moi.txt", register)
    inbox = deliver("2026-03-02", "79001", "DPDL_1.xml", visit("A"))
    run_night(small, inbox, out, NIGHTS[0])
    assert state(out, "BYT/danh_sach_moi.txt") == ("REJECTED", "SOURCE_UNKNOWN")
    run_night(small, inbox, out, NIGHTS[0])
    assert state(out, "BYT/danh_sach_moi.txt") == ("REJECTED", "SOURCE_UNKNOWN")
    root = tmp_path / "declared"
    shutil.copytree(small.root, root)
    source = (ROOT / "datasets/_sources/facility_register.yaml").read_text("utf-8")
    source = source.replace("DANHMUC_CSKCB_*.csv", "danh_sach_*.txt")
    columns = "    columns:\n      ma_cskcb: [ma_co_so]\n"
    head, _, _ = source.partition("    columns:")
    (root / "datasets/_sources/facility_register.yaml").write_text(head + columns, "utf-8")
    outcome = run_night(load_project(root), inbox, out, NIGHTS[0])
    assert outcome.exit_code == 0
    with closing(Ledger(out / "state/ledger.sqlite", "test")) as ledger:
        rows = ledger.rows(
            "SELECT source, state, code FROM files WHERE source = 'facility_register'"
        )
        assert len(rows) == 1 and rows[0]["code"] != "SOURCE_UNKNOWN", [tuple(r) for r in rows]
        history = ledger.rows("SELECT state, code FROM events WHERE code = 'SOURCE_UNKNOWN'")
        assert history, "that it was unknown once is not forgotten"
    assert state(out, "BYT/danh_sach_moi.txt")[1] is None


def state(out: Path, path: str) -> tuple[str, str | None]:
    with closing(Ledger(out / "state/ledger.sqlite", "test")) as ledger:
        (row,) = ledger.rows("SELECT state, code FROM offers WHERE path = ?", (path,))
    return row["state"], row["code"]


def test_an_old_night_comes_out_the_same_with_its_own_rules(
    small: Project, deliver: Deliver, out: Path, tmp_path: Path
) -> None:
    held = visit("H", NGAY_VAO="202603020800", NGAY_RA="202603010900")
    deliver("2026-03-02", "79001", "DPDL_1.xml", visit("A"))
    inbox = deliver("2026-03-02", "79001", "DPDL_2.xml", held)
    run_night(small, inbox, out, NIGHTS[0])
    # Since then the rules have changed, and more has come.
    root = tmp_path / "stricter"
    shutil.copytree(small.root, root)
    shutil.copy(ROOT / "rules/kcb_emr.yaml", root / "rules")
    contract = root / "datasets/kcb_emr/contract.yaml"
    contract.write_text(contract.read_text("utf-8") + "\n# another night's remark\n", "utf-8")
    inbox = deliver("2026-03-03", "79001", "DPDL_3.xml", visit("B"))
    run_night(load_project(root), inbox, out, NIGHTS[1])
    replayed = replay(out, NIGHTS[0])
    assert replayed.snapshot == "2026-03-02" and replayed.files == 2
    path = out / "published/2026-03-02/manifest.json"
    told = json.loads(path.read_text("utf-8"))
    told["databases"]["kcb_emr"]["tables"]["visit"]["rows"] += 1
    told["seal"] = seal_of(told)
    path.write_text(text_of(told), "utf-8")
    with pytest.raises(ReplayDiffers, match=r"kcb_emr\.visit 3 rows, now 2"):
        replay(out, NIGHTS[0])


@pytest.mark.long
def test_a_backfill_gives_what_the_nights_in_order_give_and_goes_on_where_it_stopped(
    small: Project, deliver: Deliver, out: Path, tmp_path: Path
) -> None:
    for night in NIGHTS[:3]:
        inbox = deliver(night.isoformat(), "79001", "DPDL_1.xml", visit(f"V{night.day}"))
    for night in NIGHTS[:3]:
        run_night(small, inbox, tmp_path / "in_order", night)
    faults.arm("eio:release.rename:2")
    try:
        with pytest.raises(MachineTrouble):
            backfill(small, inbox, out, NIGHTS[0], NIGHTS[2])
    finally:
        faults.arm(None)
    assert manifest(out)["snapshot"] == "2026-03-02"
    outcomes = backfill(small, inbox, out, NIGHTS[0], NIGHTS[2])
    assert [one.snapshot for one in outcomes] == ["2026-03-03", "2026-03-04"]
    assert manifest(out)["content_sha256"] == manifest(tmp_path / "in_order")["content_sha256"]


def test_the_lock_of_a_dead_run_holds_nobody_up(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "out")
    code = (
        "import os, signal, sys; from pathlib import Path; from datasach.store.layout import Layout, only_run\n"
        "with only_run(Layout(Path(sys.argv[1]))):\n  os.kill(os.getpid(), signal.SIGKILL)"
    )
    died = subprocess.run([sys.executable, "-c", code, str(layout.root)], check=False)
    assert died.returncode == -9 and (layout.state / "run.lock").read_text("ascii")
    with only_run(layout), pytest.raises(WarehouseBusy, match=r"process \d+ on "), only_run(layout):
        pass
