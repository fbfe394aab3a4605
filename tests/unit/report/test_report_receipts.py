"""Receipts: what became of every file, in numbers that add up, and nothing that names a person."""

from __future__ import annotations

import json
import shutil
import sqlite3
from typing import Any

import polars as pl
import pytest
from report_night import CANARIES, FIRST, GOOD, SECOND, HandmadeNight, text_of

from datasach.report import issue
from datasach.report.counts import FATES
from datasach.report.deliveries import receipt_id
from datasach.report.places import folder_of
from datasach.report.site import write_report


@pytest.fixture
def written(night: HandmadeNight) -> HandmadeNight:
    write_report(night, lambda _: None)
    return night


def receipts(night: HandmadeNight) -> dict[str, dict[str, Any]]:
    """File name → receipt."""
    paths = (night.layout.root / "receipts").rglob("*.json")
    found = [json.loads(path.read_text("utf-8")) for path in paths]
    return {one["file"]["name"]: one for one in found}


def files(night: HandmadeNight) -> dict[str, bytes]:
    root = night.layout.root / "receipts"
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_every_offered_file_has_one_receipt_in_its_senders_folder(written: HandmadeNight) -> None:
    assert set(receipts(written)) == {
        "good.xml",
        "broken.xml",
        "two.zip",
        "good-again.xml",
        "books.csv",
        "../sender/x.csv",
    }
    folder = written.layout.root / "receipts" / FIRST / "01001"
    assert len(list(folder.glob("*.json"))) == 2
    assert (folder / "index.html").is_file()


def test_the_counts_of_every_receipt_add_up(written: HandmadeNight) -> None:
    for name, one in receipts(written).items():
        assert one["counts"]["read"] == sum(one["counts"][fate] for fate in FATES), name
        for table in one["tables"]:
            assert table["read"] == sum(table[fate] for fate in FATES), name


def test_the_sum_of_receipts_is_the_books_and_what_was_sent_again(written: HandmadeNight) -> None:
    books = written.warehouse.value("SELECT sum(read) FROM checks.books")
    again = receipts(written)["good-again.xml"]["counts"]["read"]
    assert sum(one["counts"]["read"] for one in receipts(written).values()) == books + again


def test_a_rejected_file_says_why_where_and_what_to_do(written: HandmadeNight) -> None:
    one = receipts(written)["broken.xml"]
    assert one["outcome"]["id"] == "rejected"
    assert one["reason"]["code"] == "XML_SYNTAX"
    assert one["reason"]["detail"] == "line 3, column 9"
    assert one["reason"]["fix"]["vi"] and one["next"]["vi"]


def test_a_file_sent_again_points_to_its_first_receipt_and_counts_only_duplicates(
    written: HandmadeNight,
) -> None:
    again = receipts(written)["good-again.xml"]
    assert again["outcome"]["id"] == "duplicate"
    assert again["duplicate_of"]["receipt"] == receipts(written)["good.xml"]["receipt"]
    assert again["counts"]["duplicate"] == again["counts"]["read"] == 50


def test_an_archive_names_its_members_and_adds_their_rows(written: HandmadeNight) -> None:
    one = receipts(written)["two.zip"]
    assert [m["name"] for m in one["file"]["members"]] == ["held.xml", "old.xml"]
    assert one["counts"] == {
        "read": 14,
        "accepted": 0,
        "quarantined": 8,
        "rejected": 0,
        "superseded": 5,
        "duplicate": 1,
    }
    assert one["outcome"]["id"] == "held"


def test_lines_held_with_their_record_count_for_the_records_rule(written: HandmadeNight) -> None:
    (finding,) = receipts(written)["two.zip"]["findings"]
    assert (finding["count"], finding["held"]) == (2, 8)
    assert finding["places"] == [{"ma_lk": "LK001", "row": 1}, {"ma_lk": "LK002", "row": 2}]
    assert receipts(written)["two.zip"]["held_with_parent"] == 6


def test_a_key_that_may_be_a_persons_number_is_not_a_place(written: HandmadeNight) -> None:
    findings = {f["rule"]: f for f in receipts(written)["books.csv"]["findings"]}
    assert findings["BOK-901"]["count"] == 25
    assert len(findings["BOK-901"]["places"]) == 20
    assert all(set(place) <= {"line", "row"} for place in findings["BOK-901"]["places"])


def test_tolerated_faults_are_notes_and_refused_parts_are_rejects(written: HandmadeNight) -> None:
    one = receipts(written)["good.xml"]
    assert [note["code"] for note in one["notes"]] == ["BOM", "COUNT_MISMATCH", "PART_NESTED"]
    assert [(r["code"], r["rows"], r["places"]) for r in one["rejects"]] == [
        ("PART_BASE64", 1, [{"unit": 7}])
    ]
    assert one["units"] == {"said": 25, "read": 20}


def test_a_second_report_writes_no_receipt_anew(written: HandmadeNight) -> None:
    before = files(written)
    assert write_report(written, lambda _: None)["issued"] == 0
    assert files(written) == before


def test_a_receipt_whose_rows_were_superseded_is_issued_again_under_its_id(
    written: HandmadeNight,
) -> None:
    before = receipts(written)["good.xml"]
    written.warehouse.execute(
        f"UPDATE checks.books SET accepted = 0, superseded = accepted WHERE _file = '{GOOD[:16]}' AND table_id = 'kcb_emr.visit'"
    )
    assert write_report(written, lambda _: None)["issued"] == 1
    after = receipts(written)["good.xml"]
    assert (before["version"], after["version"]) == (1, 2)
    assert before["receipt"] == after["receipt"]
    assert after["counts"]["superseded"] == 20
    page = (written.layout.root / "receipts" / FIRST / "01001" / "index.html").read_text("utf-8")
    assert "bản 2" in page


CHANGES = [
    "UPDATE checks.books SET accepted = accepted - 1, quarantined = quarantined + 1 WHERE accepted > 0",
    "UPDATE checks.findings SET severity = 'flag' WHERE rule = 'VIS-901'",
    "DELETE FROM checks.findings WHERE rule = 'BOK-901' AND _row = 7",
    "DELETE FROM checks.findings WHERE rule = 'BOK-902'",
    "UPDATE checks.findings SET _key = '79002|LK777' WHERE rule = 'VIS-901' AND _row = 2",
    "DELETE FROM checks.held WHERE with_parent AND _row > 3",
    "CREATE OR REPLACE VIEW standard.rejects AS SELECT 'e5e5e5e5e5e5e5e5' AS _file, 'kcb_emr.drug' AS table_id,"
    " 7 AS _unit, NULL::BIGINT AS _line, 1 AS rows, 'PART_BASE64' AS code",
    "CREATE OR REPLACE VIEW standard.units AS SELECT 'e5e5e5e5e5e5e5e5' AS _file, 1 AS _unit, '79002' AS facility,"
    " 'LK001' AS ma_lk, 'visit' AS kind, 'XML1' AS parts, '3176' AS vintage, 'PART_NESTED' AS problems",
]
LEDGER_CHANGES = [
    "UPDATE files SET detail = 'line 4, column 1' WHERE code = 'XML_SYNTAX'",
    "UPDATE files SET signature = 'SIG_EXPIRED', notes = 'BOM' WHERE member = 'old.xml'",
    "UPDATE files SET state = 'INGESTED' WHERE member = 'held.xml'",
    "UPDATE offers SET code = 'FILE_EMPTY' WHERE path LIKE '%broken.xml'",
]


@pytest.mark.parametrize("change", [*CHANGES, *LEDGER_CHANGES])
def test_what_is_not_built_again_would_say_nothing_new(written: HandmadeNight, change: str) -> None:
    """The digests against the slow way: every receipt built and compared with the one that was issued."""
    if change in LEDGER_CHANGES:
        with sqlite3.connect(written.layout.ledger) as ledger:
            ledger.execute(change)
        ledger.close()
    else:
        written.warehouse.execute(change)
    first = shutil.copytree(written.layout.root / "receipts", written.layout.root / "before")
    kept = written.layout.state / "receipts.parquet"
    aside = kept.rename(kept.with_name("aside"))
    slow = write_report(written, lambda _: None)["issued"]
    assert slow > 0
    expected = files(written)
    shutil.rmtree(written.layout.root / "receipts")
    first.rename(written.layout.root / "receipts")
    aside.rename(kept)
    assert write_report(written, lambda _: None)["issued"] == slow
    assert files(written) == expected


def test_only_what_changed_is_built(
    written: HandmadeNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[int] = []
    real = issue.gather

    def gather(night: Any, offers: list[int]) -> Any:
        built.extend(offers)
        return real(night, offers)

    monkeypatch.setattr(issue, "gather", gather)
    write_report(written, lambda _: None)
    assert built == []
    written.warehouse.execute(CHANGES[4])
    write_report(written, lambda _: None)
    names = {one["file"]["name"] for one in receipts(written).values() if one["sender"] == "79002"}
    assert len(built) == len(names) > 0


def test_a_night_that_was_taken_away_stays_away(written: HandmadeNight) -> None:
    """`datasach retain` removes old nights of receipts; a late change of their rows does not bring them back."""
    shutil.rmtree(written.layout.root / "receipts" / FIRST)
    written.warehouse.execute(CHANGES[0])
    write_report(written, lambda _: None)
    assert not (written.layout.root / "receipts" / FIRST).exists()
    assert (written.layout.root / "receipts" / SECOND).is_dir()


def test_rows_of_a_withheld_database_wait_at_the_gate(night: HandmadeNight) -> None:
    night.carried["verdicts"].withheld = {"kcb_emr": "kcb_emr.visit: VIS-901 does not hold"}
    write_report(night, lambda _: None)
    assert receipts(night)["good.xml"]["outcome"]["id"] == "waiting_gate"


def test_no_receipt_holds_anything_of_a_person(written: HandmadeNight) -> None:
    root = written.layout.root / "receipts"
    for path in (p for p in root.rglob("*") if p.is_file()):
        text = text_of(path)
        assert not [canary for canary in CANARIES if canary in text], path


def test_what_a_sender_wrote_is_escaped(written: HandmadeNight) -> None:
    page = (written.layout.root / "receipts" / FIRST / "01001" / "index.html").read_text("utf-8")
    assert "<b>A</b>" not in page and "&lt;b&gt;A&lt;/b&gt;" in page


def test_a_folder_name_cannot_climb() -> None:
    assert folder_of("01001") == "01001"
    odd = folder_of("no such/../sender")
    assert odd.startswith("x-") and "/" not in odd and "." not in odd


def test_the_same_file_twice_in_a_night_gets_two_numbers() -> None:
    first, second = (receipt_id("01001", GOOD, SECOND, again) for again in (0, 1))
    assert first != second
    assert len(first) == 14 and not set("ILOU") & set(first)


def test_a_night_with_something_to_mend_has_a_workbook_beside_its_page(
    written: HandmadeNight,
) -> None:
    folder = written.layout.root / "receipts" / FIRST / "79002"
    sheets = pl.read_excel(folder / "bien-nhan.xlsx", sheet_id=0)
    assert list(sheets) == ["Tổng hợp", "Theo quy tắc", "Từng dòng"]
    lines = sheets["Từng dòng"]
    assert lines["MA_LK"].to_list() == ["LK001", "LK002"]
    assert lines["Quy tắc"].to_list() == ["VIS-901", "VIS-901"]
    assert lines["Trường"][0] == "ngay_vao, ngay_ra" and lines["Cách sửa"][0] == "Sửa NGAY_RA."
    assert 'href="bien-nhan.xlsx"' in (folder / "index.html").read_text("utf-8")


def test_keys_that_may_be_a_persons_number_are_not_in_the_workbook(written: HandmadeNight) -> None:
    path = written.layout.root / "receipts" / SECOND / "BYT/bien-nhan.xlsx"
    text = "".join(str(sheet.rows()) for sheet in pl.read_excel(path, sheet_id=0).values())
    assert "BOK-901" in text
    assert not [canary for canary in CANARIES if canary in text]


def test_nothing_to_mend_no_workbook(written: HandmadeNight) -> None:
    assert not (written.layout.root / "receipts" / SECOND / "01001/bien-nhan.xlsx").exists()


def test_records_that_do_not_count_say_why(night: HandmadeNight) -> None:
    path = night.layout.state / "results/row_fates.parquet"
    night.warehouse.write_parquet(
        "SELECT 'kcb_emr.visit' AS table_id, 'e5e5e5e5e5e5e5e5' AS _file, u::INTEGER AS _unit, NULL::INTEGER AS _row,"
        " 'superseded' AS fate, 'NEWER_VERSION' AS reason FROM range(1, 6) t(u)",
        path,
    )
    write_report(night, lambda _: None)
    (old,) = receipts(night)["two.zip"]["not_current"]
    assert (old["code"], old["units"], old["rows"]) == ("NEWER_VERSION", 5, 0)
    page = (night.layout.root / "receipts" / FIRST / "79002/index.html").read_text("utf-8")
    assert "NEWER_VERSION" in page and old["vi"] in page
