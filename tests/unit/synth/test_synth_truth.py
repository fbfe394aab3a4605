"""The truth says exactly what was written: records, planted mistakes, damage."""

from __future__ import annotations

from collections import defaultdict

import polars as pl
import pytest

MAIN = {"kcb_emr.visit": "XML1", "bhyt_claims.claim": "XML1", "bhyt_claims.checkin": "XML0"}
TAG = {
    "ho_ten": "HO_TEN", "ngay_sinh": "NGAY_SINH", "gioi_tinh": "GIOI_TINH", "so_cccd": "SO_CCCD",
    "ma_the_bhyt": "MA_THE_BHYT", "dien_thoai": "DIEN_THOAI", "t_tongchi_bv": "T_TONGCHI_BV",
    "ngay_ra": "NGAY_RA", "ma_benh_chinh": "MA_BENH_CHINH", "ma_doituong_kcb": "MA_DOITUONG_KCB",
    "chan_doan_rv": "CHAN_DOAN_RV",
}  # fmt: skip
PAPERS = {
    "XML0": "bhyt_claims.checkin", "XML6": "prevention.hiv", "XML9": "births_deaths.birth",
    "XML12": "social_protection.assessment", "XML13": "referral_reexam.referral",
    "XML14": "referral_reexam.appointment", "XML15": "prevention.tuberculosis",
}  # fmt: skip


@pytest.fixture(scope="module")
def by_file(units):
    found = defaultdict(list)
    for unit in units:
        found[unit.file].append(unit)
    return found


def table_of(unit, xml: str) -> str:
    if xml == "XML1":
        return "bhyt_claims.claim" if "/BHXH_" in unit.file else "kcb_emr.visit"
    return PAPERS.get(xml, "")


def test_every_record_that_names_a_person_is_in_the_truth_and_no_other(demo, by_file):
    kinds = dict(demo.table("files").select("file", "kind").iter_rows())
    written = set()
    for file, units in by_file.items():
        if kinds[file] in ("redelivery", "stray"):
            continue
        rows: dict[tuple[str, str], int] = defaultdict(int)
        for unit in units:
            for xml, held in unit.tables.items():
                for row in held:
                    table = table_of(unit, xml)
                    if not table:
                        continue
                    rows[unit.member, table] += 1
                    key = (
                        f"{unit.facility}|{row['MA_LK']}" if "MA_LK" in row else row["SO_BIEN_BAN"]
                    )
                    written.add(
                        (file, unit.member, table, unit.unit, rows[unit.member, table], key)
                    )
    damaged = {file for file, kind in kinds.items() if kind == "damaged"}
    told = {
        row
        for row in demo.table("records")
        .filter(pl.col("unit").is_not_null())
        .select("file", "member", "table", "unit", "row", "record")
        .iter_rows()
        if row[0] not in damaged
    }
    assert written == told


def test_planted_mistakes_stand_in_the_files(demo, by_file):
    checked = 0
    heads = {}
    for file, units in by_file.items():
        for unit in units:
            for xml in ("XML0", "XML1"):
                for row in unit.tables.get(xml, []):
                    heads[file, table_of(unit, xml), f"{unit.facility}|{row['MA_LK']}"] = row
    for row in demo.table("errors").iter_rows(named=True):
        written = heads.get((row["file"], row["table"], row["record"]))
        tag = TAG.get(row["field"])
        if written is None or tag not in written:
            continue
        assert written[tag] != row["true_value"], row["kind"]
        checked += 1
    assert checked > 1500


def test_what_is_not_planted_is_true(demo, by_file):
    """Outside the listed mistakes, id and sex of every XML1 are those of the true person."""
    people = {
        row["person"]: row
        for row in demo.table("people").unique(subset=["person"]).iter_rows(named=True)
    }
    wrong = {
        (r["file"], r["record"], r["field"]) for r in demo.table("errors").iter_rows(named=True)
    }
    owner = {
        (r["file"], r["table"], r["record"]): r["person"]
        for r in demo.table("records").iter_rows(named=True)
    }
    checked = 0
    for file, units in by_file.items():
        for unit in units:
            for row in unit.tables.get("XML1", []):
                key = f"{unit.facility}|{row['MA_LK']}"
                person = people.get(owner.get((file, table_of(unit, "XML1"), key), ""))
                if person is None or "N" in person["person"]:
                    continue
                for field, tag, true in (
                    ("so_cccd", "SO_CCCD", person["citizen_id"]),
                    ("gioi_tinh", "GIOI_TINH", person["sex"]),
                ):
                    if (file, key, field) not in wrong:
                        assert row[tag] == true
                        checked += 1
    assert checked > 1500


def test_damaged_files_are_damaged_as_told(demo):
    told = demo.table("files").filter(pl.col("kind") == "damaged")
    for file, detail in told.select("file", "detail").iter_rows():
        data = (demo.inbox / file).read_bytes()
        if detail == "empty_file":
            assert data == b""
        elif detail == "truncated_xml":
            assert b"</GIAMDINHHS>" not in data
        elif detail == "broken_zip":
            assert data.startswith(b"PK") and b"PK\x05\x06" not in data
        elif detail == "broken_base64":
            assert b"@@?@@" in data
        elif detail == "wrong_count":
            said = int(data.split(b"<SOLUONGHOSO>")[1].split(b"<")[0])
            assert said == data.count(b"<HOSO>") + 1


def test_a_lost_file_comes_again_whole_on_the_next_night(demo):
    files = demo.table("files")
    nights = sorted(set(files["night"]))
    lost = files.filter(pl.col("detail").is_in(["truncated_xml", "empty_file", "broken_zip"]))
    repaired = set(
        files.filter(pl.col("kind") == "repaired").select("sender", "event_night").iter_rows()
    )
    due = set(lost.filter(pl.col("night") < nights[-1]).select("sender", "night").iter_rows())
    assert due == repaired


def test_channels_differ_only_where_planted(demo, by_file):
    kinds = dict(demo.table("files").select("file", "kind").iter_rows())
    icd = defaultdict(dict)
    for file, units in by_file.items():
        if kinds[file] not in ("normal", "late", "repaired"):
            continue
        for unit in units:
            for row in unit.tables.get("XML1", []):
                icd[unit.facility, row["MA_LK"]][file.split("/")[2][:4]] = row["MA_BENH_CHINH"]
    different = {f"{f}|{k}" for (f, k), v in icd.items() if len(set(v.values())) == 2}
    told = set(demo.table("errors").filter(pl.col("kind") == "main_icd_differs")["record"])
    assert different and different <= told


def test_the_readme_says_that_all_is_invented(demo):
    assert "invented" in (demo.truth / "README.md").read_text(encoding="utf-8")
