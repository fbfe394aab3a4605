"""One night, end to end, on deliveries small enough to read."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from datasach.runners.local import Outcome, run_night
from datasach.spec.project import Project
from datasach.store.ledger import Ledger
from tests.envelopes import envelope, simple_visit

NIGHT = date(2026, 3, 2)
Deliver = Callable[[str, str, str, bytes], Path]
VISIT = envelope([simple_visit()]).encode()


@pytest.fixture
def run(project: Project, tmp_path: Path) -> Callable[..., Outcome]:
    def go(inbox: Path, night: date = NIGHT) -> Outcome:
        return run_night(project, inbox, tmp_path / "out", night)

    return go


def published(tmp_path: Path, database: str, table: str) -> list[dict[str, object]]:
    path = tmp_path / "out/published/latest" / database / f"{table}.parquet"
    cursor = duckdb.sql(f"SELECT * FROM read_parquet('{path}')")
    return [dict(zip(cursor.columns, row, strict=True)) for row in cursor.fetchall()]


def states(tmp_path: Path) -> dict[str, tuple[str, str | None]]:
    """Path of every offered file → its state and code."""
    ledger = Ledger(tmp_path / "out/state/ledger.sqlite", "test")
    found = {
        r["path"]: (r["state"], r["code"])
        for r in ledger.rows("SELECT path, state, code FROM offers")
    }
    ledger.close()
    return found


def test_a_visit_is_published_with_its_person_and_what_was_standardised(
    run, deliver: Deliver, tmp_path: Path
) -> None:
    run(deliver("2026-03-02", "79001", "DPDL_1.xml", VISIT))
    (visit,) = published(tmp_path, "kcb_emr", "visit")
    assert visit["full_name"] == "Nguyễn Văn Hòa"
    assert visit["birth_year"] == 1985 and visit["citizen_id"] == "079085012345"
    assert visit["insurance_number"] == "7912345678" and visit["province_code"] == "79"
    assert str(visit["person_id"]).startswith("P-")
    (line,) = published(tmp_path, "kcb_emr", "service")
    assert line["person_id"] == visit["person_id"]


def test_the_same_bytes_under_another_name_are_a_duplicate(
    run, deliver: Deliver, tmp_path: Path
) -> None:
    deliver("2026-03-02", "79001", "DPDL_1.xml", VISIT)
    run(deliver("2026-03-02", "79001", "DPDL_again.xml", VISIT))
    assert states(tmp_path) == {
        "79001/DPDL_1.xml": ("PUBLISHED", None),
        "79001/DPDL_again.xml": ("DUPLICATE", "SAME_CONTENT"),
    }


def test_the_same_bytes_in_the_other_channel_are_the_other_channels_copy(
    run, deliver: Deliver, tmp_path: Path
) -> None:
    deliver("2026-03-02", "79001", "DPDL_1.xml", VISIT)
    outcome = run(deliver("2026-03-02", "79001", "BHXH_1.xml", VISIT))
    assert outcome.found["reconcile"] == {"identical": 1}
    assert (
        len(published(tmp_path, "kcb_emr", "visit"))
        == len(published(tmp_path, "bhyt_claims", "claim"))
        == 1
    )


def test_a_zip_of_a_known_file_brings_nothing_new(run, deliver: Deliver, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("inside.xml", VISIT)
    deliver("2026-03-02", "79001", "DPDL_1.xml", VISIT)
    run(deliver("2026-03-02", "79001", "DPDL_2.zip", buffer.getvalue()))
    assert states(tmp_path)["79001/DPDL_2.zip"] == ("DUPLICATE", "SAME_CONTENT")


def test_a_correction_is_a_new_version_and_the_old_one_stays(
    run, deliver: Deliver, tmp_path: Path
) -> None:
    deliver("2026-03-02", "79001", "DPDL_1.xml", VISIT)
    corrected = envelope([simple_visit(MA_BENH_CHINH="G43.9")], made_on="20260303").encode()
    run(deliver("2026-03-03", "79001", "DPDL_2.xml", corrected), date(2026, 3, 3))
    assert [v["ma_benh_chinh"] for v in published(tmp_path, "kcb_emr", "visit")] == ["G43.9"]
    assert states(tmp_path)["79001/DPDL_1.xml"][0] == "SUPERSEDED"


def test_the_older_version_arriving_late_does_not_win(
    run, deliver: Deliver, tmp_path: Path
) -> None:
    corrected = envelope([simple_visit(MA_BENH_CHINH="G43.9")], made_on="20260302").encode()
    older = envelope([simple_visit()], made_on="20260301").encode()
    deliver("2026-03-02", "79001", "DPDL_2.xml", corrected)
    run(deliver("2026-03-03", "79001", "DPDL_1.xml", older), date(2026, 3, 3))
    assert [v["ma_benh_chinh"] for v in published(tmp_path, "kcb_emr", "visit")] == ["G43.9"]


def test_the_same_content_sent_again_in_another_form_is_a_duplicate_not_a_version(
    run, deliver: Deliver, tmp_path: Path
) -> None:
    deliver("2026-03-02", "79001", "DPDL_1.xml", VISIT)
    run(deliver("2026-03-02", "79001", "DPDL_bom.xml", b"\xef\xbb\xbf" + VISIT))
    books = duckdb.sql(
        f"SELECT sum(read), sum(duplicate), sum(superseded) FROM '{tmp_path}/out/state/results/checks.books.parquet'"
        " WHERE table_id = 'kcb_emr.visit'"
    ).fetchall()
    assert books == [(2, 1, 0)]


def test_a_facility_cannot_speak_for_another(run, deliver: Deliver, tmp_path: Path) -> None:
    deliver("2026-03-02", "79001", "DPDL_1.xml", VISIT)
    forged_file = envelope([simple_visit(MA_BENH_CHINH="A00")], made_on="20260302").encode()
    forged_unit = envelope([simple_visit(MA_BENH_CHINH="A00")], facility="79002").encode()
    deliver("2026-03-02", "79002", "DPDL_file.xml", forged_file)
    run(deliver("2026-03-02", "79002", "DPDL_unit.xml", forged_unit))
    assert states(tmp_path)["79002/DPDL_file.xml"] == ("REJECTED", "WRONG_FACILITY")
    assert [v["ma_benh_chinh"] for v in published(tmp_path, "kcb_emr", "visit")] == ["R51"]


def test_a_refused_copy_at_a_strangers_does_not_shadow_the_senders_own_file(
    run, deliver: Deliver, tmp_path: Path
) -> None:
    deliver("2026-03-02", "24001", "DPDL_stolen.xml", VISIT)
    run(deliver("2026-03-02", "79001", "DPDL_own.xml", VISIT))
    assert states(tmp_path)["79001/DPDL_own.xml"][0] == "PUBLISHED"


def test_one_bad_file_does_not_stop_the_night(run, deliver: Deliver, tmp_path: Path) -> None:
    deliver("2026-03-02", "79001", "DPDL_1.xml", VISIT)
    deliver("2026-03-02", "79001", "DPDL_cut.xml", VISIT[:-50])
    deliver("2026-03-02", "79001", "empty.xml", b"")
    deliver("2026-03-02", "79001", "note.docx", b"\xd0\xcf\x11\xe0 not ours")
    deliver("2026-03-02", "79001", "DPDL_broken.zip", b"PK\x03\x04 broken")
    outcome = run(deliver("2026-03-02", "bad sender!", "DPDL_1.xml", VISIT))
    assert outcome.exit_code == 0
    assert states(tmp_path) == {
        "79001/DPDL_1.xml": ("PUBLISHED", None),
        "79001/DPDL_cut.xml": ("REJECTED", "XML_SYNTAX"),
        "79001/empty.xml": ("REJECTED", "FILE_EMPTY"),
        "79001/note.docx": ("REJECTED", "SOURCE_UNKNOWN"),
        "79001/DPDL_broken.zip": ("REJECTED", "ARC_CORRUPT"),
        "bad sender!/DPDL_1.xml": ("REJECTED", "SENDER_NAME"),
    }


def test_an_inbox_of_which_nothing_can_be_read_has_its_own_exit_code(
    run, deliver: Deliver, tmp_path: Path
) -> None:
    outcome = run(deliver("2026-03-02", "79001", "DPDL_cut.xml", VISIT[:-50]))
    assert outcome.exit_code == 11


def test_a_table_nobody_named_is_known_by_its_headings(
    run, deliver: Deliver, tmp_path: Path
) -> None:
    extract = (
        "Mã mũi tiêm,Họ tên trẻ,Ngày sinh,Giới tính,Số CCCD,Mã thẻ BHYT,Họ tên mẹ,CCCD mẹ,SĐT,Mã tỉnh,Mã xã,"
        "ma_vac_xin,ten_vac_xin,so_lo,mui_thu,ngay_tiem,vi_tri,ma_cskcb,phan_ung\n"
        "M1,Lê Thị An,01/02/2026,Nữ,,,Trần Thị Bé,079190000001,0912345678,79,26734,BCG,BCG,L1,1,02/03/2026,Tay,79001,\n"
    )
    run(deliver("2026-03-02", "79001", "xuat_du_lieu.csv", extract.encode()))
    (dose,) = published(tmp_path, "immunization", "dose")
    assert (dose["full_name"], str(dose["born_on"]), dose["sex"]) == (
        "Lê Thị An",
        "2026-02-01",
        "2",
    )


def test_two_runs_at_once_are_one_too_many(run, deliver: Deliver, tmp_path: Path) -> None:
    from datasach.errors import WarehouseBusy
    from datasach.store.layout import Layout, only_run

    inbox = deliver("2026-03-02", "79001", "DPDL_1.xml", VISIT)
    with only_run(Layout(tmp_path / "out")), pytest.raises(WarehouseBusy, match="another run"):
        run(inbox)


def test_the_manifest_names_what_readers_get(run, deliver: Deliver, tmp_path: Path) -> None:
    from datasach.store.landing import sha256_of

    run(deliver("2026-03-02", "79001", "DPDL_1.xml", VISIT))
    latest = tmp_path / "out/published/latest"
    manifest = json.loads((latest / "manifest.json").read_text("utf-8"))
    for database, entry in manifest["databases"].items():
        for table, facts in entry["tables"].items():
            path = latest / database / f"{table}.parquet"
            assert sha256_of(path) == facts["sha256"]
            assert duckdb.sql(f"SELECT count(*) FROM '{path}'").fetchone() == (facts["rows"],)
