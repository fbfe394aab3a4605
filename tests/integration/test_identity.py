"""Ids and judgements over whole nights: who is corrected, judged, parted and found out, and what readers see."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from datasach.cli import main
from datasach.link import link as linking
from datasach.runners.local import Outcome, run_night
from datasach.spec.project import Project
from tests.conftest import ROOT
from tests.envelopes import envelope, simple_visit

NIGHTS = [date(2026, 3, n) for n in (2, 3, 4)]
OTHER_ID = "079190000007"


def key(ma_lk: str) -> str:
    return f"kcb_emr.visit:79001|{ma_lk}"


def verb(*words: object) -> str:
    done = CliRunner().invoke(main, [str(w) for w in words])
    assert done.exit_code == 0, done.output
    return done.output


def send(inbox: Path, night: date, *units: Any) -> None:
    folder = inbox / night.isoformat() / "79001"
    folder.mkdir(parents=True)
    made = night.strftime("%Y%m%d")
    (folder / f"DPDL_{night}.xml").write_bytes(envelope(units, made_on=made).encode())


def woman(ma_lk: str, **changes: str) -> Any:
    return simple_visit(
        MA_LK=ma_lk, HO_TEN="TRẦN THỊ BÌNH", SO_CCCD=OTHER_ID, NGAY_SINH="199007150000", GIOI_TINH="2",
        MA_BN="BN7", DIEN_THOAI="0987654321", MA_THE_BHYT="GD4797900000007", **changes,
    )  # fmt: skip


def nobody(**changes: str) -> Any:
    return simple_visit(
        **{"MA_LK": "LK003", "HO_TEN": "VÔ DANH NAM", "SO_CCCD": "", "MA_BN": "BN9", "DIEN_THOAI": "",
           "MA_THE_BHYT": "", "MA_DKBD": "", "GT_THE_TU": "", "GT_THE_DEN": "", "NGAY_SINH": "19700000",
           **changes}
    )  # fmt: skip


def persons(out: Path) -> dict[str, str]:
    path = out / "published/latest/persons/member.parquet"
    return {
        k.removeprefix("kcb_emr.visit:79001|"): p
        for k, p in duckdb.sql(f"SELECT record_key, person_id FROM '{path}'").fetchall()
        if k.startswith("kcb_emr.visit")
    }


class Lived:
    """A warehouse after three nights with judgements between them, and what stood in it after each."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project, self.out, self.inbox = project, folder / "out", folder / "inbox"
        self.seen: list[dict[str, str]] = []
        self.outcomes: list[Outcome] = []
        self.said: list[str] = []

    def night(self, number: int, *units: Any) -> None:
        send(self.inbox, NIGHTS[number], *units)
        self.outcomes.append(run_night(self.project, self.inbox, self.out, NIGHTS[number]))
        self.seen.append(persons(self.out))

    def judge(self, a: str, b: str, verdict: str) -> None:
        words = ("--project", ROOT, "--out", self.out, "--by", "BS Lan", "--why", "gọi điện")
        self.said.append(verb("judge", *words, key(a), key(b), verdict))


@pytest.fixture(scope="module")
def lived(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    lived = Lived(project, tmp_path_factory.mktemp("lived"))
    lived.night(0, simple_visit(), simple_visit(MA_LK="LK002"), nobody(), woman("LK005"))
    lived.judge("LK001", "LK002", "different")
    found_out = {"HO_TEN": "LÊ VĂN TƯ", "SO_CCCD": "079070000123", "NGAY_SINH": "197005010000"}
    lived.night(1, nobody(**found_out), woman("LK004"))
    lived.judge("LK001", "LK002", "same")
    lived.judge("LK001", "LK005", "same")
    lived.night(2, woman("LK006"))
    return lived


def test_what_people_part_is_parted_the_next_night_and_nobody_else_changes(lived: Lived) -> None:
    first, second, _ = lived.seen
    assert first["LK001"] == first["LK002"] == second["LK001"]
    assert second["LK002"] not in first.values()
    assert second["LK005"] == second["LK004"] == first["LK005"]


def test_a_later_judgement_of_the_pair_counts_and_the_id_that_ended_forwards(lived: Lived) -> None:
    _, second, third = lived.seen
    assert third["LK001"] == third["LK002"] == second["LK001"]
    assert f"→ {second['LK001']}" in verb("person", "--out", lived.out, second["LK002"])


def test_two_personal_ids_are_one_person_where_a_judgement_says_so(lived: Lived) -> None:
    third = lived.seen[2]
    assert third["LK001"] == third["LK005"] == third["LK006"]
    assert lived.outcomes[2].withheld == () and lived.outcomes[2].found["link"]["two_ids"] == 0


def test_who_came_without_a_name_or_number_is_found_out_and_counted(lived: Lived) -> None:
    first, second, _ = lived.seen
    assert first["LK003"] == "T-" + second["LK003"][2:] and second["LK003"].startswith("P-")
    rates = duckdb.sql(
        "SELECT facility, given, identified, open, days_median FROM"
        f" '{lived.out}/state/results/temporary_rates.parquet'"
    ).fetchall()
    assert rates == [("79001", 1, 1, 0, 1.0)]


def test_every_change_has_its_reason(lived: Lived) -> None:
    rows = duckdb.sql(
        "SELECT night, split_part(record_key, '|', 2), cause, regexp_replace(reason, ' .*', '') FROM"
        f" '{lived.out}/state/results/identity_history.parquet' ORDER BY ALL"
    ).fetchall()
    assert rows == [
        (NIGHTS[1], "LK002", "split", "judgement"),
        (NIGHTS[1], "LK003", "identified", "correction"),
        (NIGHTS[2], "LK002", "merged", "judgement"),
        (NIGHTS[2], "LK004", "merged", "judgement"),
        (NIGHTS[2], "LK005", "merged", "judgement"),
    ]


def test_a_person_is_explained_by_records_and_codes_never_by_values(lived: Lived) -> None:
    text = verb("explain", "--project", ROOT, "--out", lived.out, lived.seen[2]["LK001"])
    assert "weakest " in text and "judgement " in text and key("LK006") in text
    assert "golden     citizen_id " in text and "history " in text
    for value in ("079085012345", OTHER_ID, "Hòa", "HÒA", "0912345678"):
        assert value not in text
    facts = json.loads(verb("person", "--out", lived.out, "--json", lived.seen[2]["LK001"]))
    assert {m["record_key"] for m in facts["members"]} == {
        key(m) for m in ("LK001", "LK002", "LK004", "LK005", "LK006")
    }


def test_a_judgement_names_records_that_exist(lived: Lived) -> None:
    words = ("judge", "--project", ROOT, "--out", lived.out, "--by", "A", "--why", "b")
    for pair in (("LK001", "LK999"), ("LK001", "LK001")):
        done = CliRunner().invoke(main, [str(w) for w in (*words, *map(key, pair), "same")])
        assert done.exit_code == 2, done.output
    assert len((lived.out / "state/judgements.jsonl").read_text("utf-8").splitlines()) == 3


def test_a_contradiction_is_told_at_once_with_both_judgements(lived: Lived, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(lived.out, copy, symlinks=True)
    words = ("judge", "--project", ROOT, "--out", copy, "--by", "BS Minh", "--why", "khác mẹ")
    text = verb(*words, key("LK002"), key("LK005"), "different")
    assert "MÂU THUẪN" in text and "BS Lan" in text and "BS Minh" in text
    outcome = run_night(lived.project, lived.inbox, copy, NIGHTS[2])
    assert outcome.found["link"]["contradictions"] == 1
    assert "MÂU THUẪN" in verb("review", "--out", copy)
    assert persons(copy)["LK002"] != persons(copy)["LK005"]


def test_a_cluster_with_two_personal_ids_that_nobody_judged_is_not_published(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is made to err: everybody is one person."""
    real = linking._hand_over

    def everybody(warehouse: Any) -> None:
        real(warehouse)
        warehouse.execute("UPDATE link.clusters_new SET cluster = 0")

    monkeypatch.setattr(linking, "_hand_over", everybody)
    send(tmp_path / "inbox", NIGHTS[0], simple_visit(), woman("LK004"))
    outcome = run_night(project, tmp_path / "inbox", tmp_path / "out", NIGHTS[0])
    assert outcome.exit_code == 20 and set(outcome.withheld) == {"kcb_emr", "persons"}
    manifest = json.loads((tmp_path / "out/published/latest/manifest.json").read_text("utf-8"))
    assert "TWO_PERSONAL_IDS" in manifest["databases"]["persons"]["reason"]
    assert manifest["databases"]["bhyt_claims"]["state"] == "released"
