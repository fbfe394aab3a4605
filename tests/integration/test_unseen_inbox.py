"""An inbox nobody prepared for: other facilities, other vendors' habits, names we have never seen. No code changes."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path

import duckdb

from datasach.runners.local import run_night
from datasach.spec.project import Project
from tests.envelopes import SERVICE, VISIT, envelope, simple_visit
from tests.unit.extract.test_envelope import HABITS


def test_every_habit_of_every_vendor_is_published(project: Project, tmp_path: Path) -> None:
    night = tmp_path / "inbox/2026-03-02"
    for number, habit in enumerate(HABITS):
        facility = f"0{number}A{number}{number}"
        folder = night / facility / "2026" / "thang3"
        folder.mkdir(parents=True)
        (folder / f"hồ sơ {habit}.XML").write_bytes(_for(facility, habit))
    (night / "01234").mkdir()
    (night / "01234" / "goi.xml.gz").write_bytes(gzip.compress(_for("01234", "utf16")))
    outcome = run_night(project, tmp_path / "inbox", tmp_path / "out", date(2026, 3, 2))
    assert outcome.exit_code == 0
    rows = duckdb.sql(
        f"SELECT _facility, count(*) FROM '{tmp_path}/out/published/latest/kcb_emr/visit.parquet' GROUP BY 1"
    ).fetchall()
    assert len(rows) == len(HABITS) + 1
    assert {count for _, count in rows} == {2}


def _for(facility: str, habit: str) -> bytes:
    """The habit's envelope, said by another facility."""
    from tests.unit.extract import test_envelope as habits

    units = [simple_visit(MA_CSKCB=facility), simple_visit(MA_CSKCB=facility, MA_LK="LK002")]
    packs = {
        "base64_over_lines": habits.wrapped,
        "inner_declaration": habits.with_declaration,
        "inner_in_cdata": lambda d: f"<![CDATA[{d}]]>",
        "inner_as_elements": lambda d: d,
        "base64_of_bom": lambda d: habits.b64("\ufeff" + d),
        "inner_utf16": lambda d: habits.b64(d, "utf-16"),
    }
    text = envelope(units, facility=facility, pack=packs.get(habit, habits.b64))
    if habit == "utf16":
        return text.replace("utf-8", "utf-16", 1).encode("utf-16")
    if habit == "declared_windows_1258":
        return text.replace("utf-8", "windows-1258", 1).encode("cp1258", "xmlcharrefreplace")
    return (b"\xef\xbb\xbf" if habit == "utf8_with_bom" else b"") + text.encode()


def test_tables_under_strange_names_in_strange_encodings_are_recognised(
    project: Project, tmp_path: Path
) -> None:
    folder = tmp_path / "inbox/2026-03-02/79001"
    folder.mkdir(parents=True)
    headings = [field.name for field in project.tables["births_deaths.death"].fields]
    values = dict.fromkeys(headings, "") | {
        "so_giay_bao_tu": "BT-1", "ma_cskcb": "79001", "ho_ten": "TRAN VAN BA", "ngay_sinh": "01/02/1950",
        "gioi_tinh": "Nam", "thoi_diem_tu_vong": "02/03/2026 05:10", "nguyen_nhan_truc_tiep": "I21",
        "nguyen_nhan_goc": "I25", "ngay_ct": "02/03/2026",
    }  # fmt: skip
    rows = (
        "\t".join(h.upper() for h in headings)
        + "\n"
        + "\t".join(values[h] for h in headings)
        + "\n"
    )
    (folder / "dulieu_cuoi_ngay.txt").write_bytes(rows.encode("utf-16"))
    prescriptions = [
        {**{f.name: None for f in project.tables["eprescription.prescription"].fields},
         "ma_don_thuoc": "79001abc1234-C", "ma_cskcb": "79001", "ho_ten": "Lê Thị C", "ngay_sinh": "19800101",
         "ngay_ke": "2026-03-02T08:00:00", "thuoc": [{"stt": 1, "ten_thuoc": "X", "so_luong": "10"}]}
    ]  # fmt: skip
    (folder / "export (1).dat").write_text(json.dumps(prescriptions), "utf-8")
    run_night(project, tmp_path / "inbox", tmp_path / "out", date(2026, 3, 2))
    latest = tmp_path / "out/published/latest"
    held = duckdb.sql(
        f"SELECT table_id, count(*) FROM '{tmp_path}/out/state/results/checks.held.parquet' GROUP BY 1"
    ).fetchall()
    deaths = duckdb.sql(f"SELECT count(*) FROM '{latest}/births_deaths/death.parquet'").fetchone()[
        0
    ]
    scripts = duckdb.sql(
        f"SELECT count(*) FROM '{latest}/eprescription/prescription.parquet'"
    ).fetchone()[0]
    assert deaths + dict(held).get("births_deaths.death", 0) == 1
    assert scripts + dict(held).get("eprescription.prescription", 0) == 1


def test_hand_written_envelopes_speak_the_standards_own_tags(project: Project) -> None:
    """The fixtures of these tests are not a format of their own."""
    assert {t.lower() for t in VISIT} <= {f.name for f in project.envelopes["XML1"].fields}
    assert {t.lower() for t in SERVICE} <= {f.name for f in project.envelopes["XML3"].fields}
