"""A small night made by hand: a ledger and the tables the report reads, in the shapes the rooms document.

Two nights. 01001 sends a good envelope, a broken one and, the next night, the first again; 79002 sends an archive of
two members of which one is superseded and one held; BYT sends a register; 74003 is registered and silent.
Names, numbers and cards that must never reach a page are planted wherever the report could pick them up.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl

from datasach.settings import Resources
from datasach.spec.project import Project
from datasach.store.layout import Layout
from datasach.store.ledger import FileRow, Ledger, Offer
from datasach.store.warehouse import Warehouse, open_standard, sql_name

ROOT = Path(__file__).parents[3]
CANARIES = (
    "Hoàng Thị Chim Yến",
    "hoang thi chim yen",
    "079188012345",
    "DN4790123456789",
    "0912345678",
    "1988-07-06",
)
GOOD, BROKEN, ARCHIVE, REGISTER = "a1" * 32, "b2" * 32, "c3" * 32, "d4" * 32
OLD_MEMBER, HELD_MEMBER = "e5" * 32, "f6" * 32
FIRST, SECOND = "2026-03-02", "2026-03-03"

RULES = [
    {
        "id": "VIS-901", "tables": ["kcb_emr.visit"], "kind": "not_after", "field": "ngay_vao", "other": "ngay_ra",
        "vi": "Ngày ra không trước ngày vào.", "says": "Discharge is not before admission.",
        "fix": {"vi": "Sửa NGAY_RA.", "en": "Correct NGAY_RA."}, "dimension": "conformity",
        "severity": "quarantine", "because": "time", "confidence": "high",
        "examples": {"good": {"row": {}}, "bad": {"row": {}}},
    },
    {
        "id": "BOK-901", "tables": ["ehr_book.book"], "kind": "unique", "fields": ["so_cccd"],
        "vi": "Mỗi người một sổ.", "says": "One book per person.",
        "fix": {"vi": "Gộp sổ.", "en": "Merge the books."}, "dimension": "uniqueness",
        "severity": "flag", "because": "one person", "confidence": "high",
        "examples": {"good": {"row": {}}, "bad": {"row": {}}},
    },
    {
        "id": "BOK-902", "tables": ["ehr_book.book"], "kind": "required", "field": "so_cccd",
        "vi": "Có số định danh.", "says": "The number is filled.",
        "fix": {"vi": "Bổ sung số.", "en": "Fill the number."}, "dimension": "completeness",
        "severity": "flag", "because": "identity", "confidence": "high",
        "examples": {"good": {"row": {}}, "bad": {"row": {}}},
    },
]  # fmt: skip


def text_of(path: Path) -> str:
    """Everything a file says; a workbook or a Parquet file is looked into."""
    if path.suffix == ".parquet":
        return pl.read_parquet(path).write_csv()
    if path.suffix != ".xlsx":
        return path.read_bytes().decode("utf-8-sig")
    with zipfile.ZipFile(path) as book:
        return "".join(book.read(name).decode() for name in book.namelist())


@dataclass
class HandmadeNight:
    project: Project
    layout: Layout
    ledger: Ledger
    warehouse: Warehouse
    until: date
    run: str
    found: dict[str, Any] = field(default_factory=dict)
    carried: dict[str, Any] = field(default_factory=dict)


def new_night(project: Project, root: Path, run: str = "20260303T010000-abcdef") -> HandmadeNight:
    layout = Layout(root)
    ledger = Ledger(layout.ledger, run)
    ledger.begin_run(SECOND, project.fingerprint, "0.0.1")
    warehouse = Warehouse(layout, Resources(workers=2, memory_mb=512))
    return HandmadeNight(project, layout, ledger, warehouse, date.fromisoformat(SECOND), run)


GATE_RESULTS = [
    {"about": "kcb_emr.visit", "rule": "ROWS", "expectation": "expect_table_row_count_to_equal", "column": None,
     "success": True, "raised": False, "element_count": None, "unexpected_count": None, "observed": 40, "ours": None},
    {"about": "ehr_book.book", "rule": "BOK-902", "expectation": "expect_column_values_to_not_be_null",
     "column": "so_cccd", "success": True, "raised": False, "element_count": 30, "unexpected_count": 4,
     "observed": None, "ours": 4},
]  # fmt: skip
MANIFEST = {
    "snapshot": SECOND, "night": SECOND, "engine": "0.0.1", "declarations_sha256": "0" * 64, "previous": None,
    "content_sha256": "9" * 64,
    "databases": {
        "kcb_emr": {"state": "released", "reason": None, "tables": {"visit": {"rows": 40, "bytes": 1000, "sha256": "7" * 64}}},
        "ehr_book": {"state": "released", "reason": None, "tables": {"book": {"rows": 30, "bytes": 900, "sha256": "8" * 64}}},
    },
}  # fmt: skip


def fill_ledger(ledger: Ledger) -> None:
    def offer(night: str, sender: str, name: str, sha256: str) -> int:
        return ledger.enter(Offer(night, sender, f"{sender}/{name}", 12_345, 1, sha256))

    def content(number: int, sha256: str, night: str, sender: str, **facts: Any) -> None:
        base = {
            "file": sha256[:16],
            "sha256": sha256,
            "offer": number,
            "member": None,
            "size": 12_345,
        }
        ledger.add_file(FileRow(**{**base, "night": night, "sender": sender, **facts}))

    envelope = {"source": "coordination_envelopes", "channel": "coordination", "declared_on": FIRST}
    good = offer(FIRST, "01001", "good.xml", GOOD)
    content(good, GOOD, FIRST, "01001", facility="01001", state="PUBLISHED", units_said=25, units_read=20,
            notes="BOM;COUNT_MISMATCH", **envelope)  # fmt: skip
    ledger.move_offer(good, "PUBLISHED")
    broken = offer(FIRST, "01001", "broken.xml", BROKEN)
    content(broken, BROKEN, FIRST, "01001", state="REJECTED", code="XML_SYNTAX", detail="line 3, column 9",
            source="coordination_envelopes", channel="coordination")  # fmt: skip
    ledger.move_offer(broken, "REJECTED", "XML_SYNTAX")
    archive = offer(FIRST, "79002", "two.zip", ARCHIVE)
    content(
        archive,
        OLD_MEMBER,
        FIRST,
        "79002",
        member="old.xml",
        facility="79002",
        state="SUPERSEDED",
        **envelope,
    )
    content(
        archive,
        HELD_MEMBER,
        FIRST,
        "79002",
        member="held.xml",
        facility="79002",
        state="QUARANTINED",
        **envelope,
    )
    ledger.move_offer(archive, "QUARANTINED")
    again = offer(SECOND, "01001", "good-again.xml", GOOD)
    ledger.move_offer(again, "DUPLICATE", "SAME_CONTENT", duplicate_of=good)
    ledger.add_copy(again, None, GOOD[:16])
    register = offer(SECOND, "BYT", "books.csv", REGISTER)
    content(
        register,
        REGISTER,
        SECOND,
        "BYT",
        state="PUBLISHED",
        source="ehr_book_register",
        channel="register",
    )
    ledger.move_offer(register, "PUBLISHED")
    bad_sender = offer(SECOND, "no such/../sender", "x.csv", "0f" * 32)
    ledger.move_offer(bad_sender, "REJECTED", "SENDER_NAME")


def fill_warehouse(warehouse: Warehouse) -> None:
    books = [
        (GOOD, "kcb_emr.visit", 20, 0, 0, 0, 0, 20), (GOOD, "kcb_emr.drug", 30, 1, 0, 0, 0, 29),
        (OLD_MEMBER, "kcb_emr.visit", 5, 0, 0, 5, 0, 0),
        (HELD_MEMBER, "kcb_emr.visit", 3, 0, 1, 0, 2, 0), (HELD_MEMBER, "kcb_emr.drug", 6, 0, 0, 0, 6, 0),
        (REGISTER, "ehr_book.book", 30, 0, 0, 0, 0, 30),
    ]  # fmt: skip
    put(warehouse, "checks.books", "_file table_id read:i rejected:i duplicate:i superseded:i quarantined:i accepted:i",
        [(sha[:16], *rest) for sha, *rest in books])  # fmt: skip
    held, register = HELD_MEMBER[:16], REGISTER[:16]
    findings = [
        ("kcb_emr.visit", held, row, f"79002|LK{row:03}", "79002", "VIS-901", "quarantine")
        for row in (1, 2)
    ]
    # The key of a book is a person's number here: it must not become a place in a receipt.
    findings += [
        ("ehr_book.book", register, row, CANARIES[2], "79002", "BOK-901", "flag")
        for row in range(1, 26)
    ]
    findings += [
        ("ehr_book.book", register, row, CANARIES[2], "01001", "BOK-902", "flag")
        for row in range(1, 5)
    ]
    put(warehouse, "checks.findings", "table_id _file _row:i _key facility rule severity", findings)
    rows = [
        ("kcb_emr.visit", held, 1, "79002", "VIS-901", False),
        ("kcb_emr.visit", held, 2, "79002", "VIS-901", False),
    ]
    rows += [("kcb_emr.drug", held, row, "79002", "VIS-901", True) for row in range(1, 7)]
    put(warehouse, "checks.held", "table_id _file _row:i facility rule with_parent:b", rows)
    put(warehouse, "checks.metrics", "table_id rule facility tested:i failed:i", [
        ("kcb_emr.visit", "VIS-901", "01001", 40, 0), ("kcb_emr.visit", "VIS-901", "79002", 2, 2),
        ("ehr_book.book", "BOK-901", "79002", 26, 25), ("ehr_book.book", "BOK-902", "01001", 30, 4),
    ])  # fmt: skip
    put(warehouse, "checks.metrics_by_habit", "table_id rule habit facilities:i tested:i failed:i", [
        ("kcb_emr.visit", "VIS-901", "coordination_envelopes 4750", 1, 40, 0),
        ("kcb_emr.visit", "VIS-901", "coordination_envelopes 4750 BOM+UTF16", 1, 2, 2),
    ])  # fmt: skip
    put(warehouse, "checks.scores", "database facility pillar numerator:f denominator:f", [
        ("kcb_emr", "01001", "dung", 118.8, 120.0), ("kcb_emr", "79002", "dung", 0.0, 6.0),
        ("kcb_emr", "01001", "du", 300.0, 400.0), ("kcb_emr", "79002", "du", 20.0, 20.0),
        ("kcb_emr", "01001", "sach", 48.0, 49.0), ("kcb_emr", "01001", "song", 20.0, 20.0),
        ("ehr_book", "79002", "sach", 1.0, 26.0), ("prevention", "79002", "du", 30.0, 30.0),
    ])  # fmt: skip
    put(warehouse, "checks.records", "table_id facility records:i", [
        ("kcb_emr.visit", "01001", 20), ("kcb_emr.drug", "01001", 29), ("kcb_emr.visit", "79002", 2),
        ("kcb_emr.drug", "79002", 6), ("ehr_book.book", "79002", 26), ("ehr_book.book", "01001", 4),
        ("prevention.hiv", "01001", 3), ("prevention.hiv", "79002", 31), ("prevention.hiv", "79004", 17),
    ])  # fmt: skip
    put(warehouse, "checks.priority", "table_id field facility expected:i filled:i",
        [("kcb_emr.visit", "so_cccd", "01001", 20, 15), ("kcb_emr.visit", "so_cccd", "79002", 2, 2)])  # fmt: skip
    put(
        warehouse,
        "checks.lateness",
        "table_id facility tested:i in_time:i",
        [("kcb_emr.visit", "01001", 20, 20)],
    )
    put(warehouse, "checks.facilities", "facility name cap status known:b province_code", [
        ("01001", "Bệnh viện Thử nghiệm <b>A</b>", "chuyen_sau", "hoat_dong", True, "01"),
        ("79002", "Trung tâm Y tế B", "co_ban", "hoat_dong", True, "79"),
        ("79004", None, None, None, False, "79"),
        ("74003", "Trạm Y tế im lặng", "ban_dau", "hoat_dong", True, "79"),
        ("BYT", None, None, None, False, None),
    ])  # fmt: skip
    put(warehouse, "checks.rules", "table_id rule pillar severity weight:f fields says vi", [
        ("kcb_emr.visit", "VIS-901", "dung", "quarantine", 3.0, "ngay_vao, ngay_ra", "", ""),
        ("ehr_book.book", "BOK-901", "sach", "flag", 0.3, "so_cccd", "", ""),
        ("ehr_book.book", "BOK-902", "du", "flag", 0.3, "so_cccd", "", ""),
    ])  # fmt: skip
    warehouse.execute(
        "CREATE TABLE recon.channel_visits AS SELECT * FROM (VALUES ('01001', 'LK900', 'identical', []::VARCHAR[]),"
        " ('01001', 'LK901', 'different', ['ma_benh_chinh']), ('79002', 'LK902', 'only_insurance', []::VARCHAR[]))"
        " t(facility, ma_lk, state, differing)"
    )
    put(
        warehouse,
        "recon.channel_fields",
        "facility field both_channels:i differing:i",
        [("01001", "ma_benh_chinh", 2, 1)],
    )
    warehouse.execute(
        f"CREATE OR REPLACE VIEW standard.rejects AS SELECT '{GOOD[:16]}' AS _file, 'kcb_emr.drug' AS table_id,"
        " 7 AS _unit, NULL::BIGINT AS _line, 1 AS rows, 'PART_BASE64' AS code"
    )
    warehouse.execute(
        f"CREATE OR REPLACE VIEW standard.units AS SELECT '{GOOD[:16]}' AS _file, 1 AS _unit, '01001' AS facility,"
        " 'LK001' AS ma_lk, 'visit' AS kind, 'XML1' AS parts, '3176' AS vintage, 'PART_NESTED;PART_BASE64' AS problems"
    )
    name, folded, citizen, card, phone, born = CANARIES
    people = [
        (f"P{i}", name, folded, citizen if i % 50 else None, card[:10], phone, date.fromisoformat(born), 1 + i % 3, 1)
        for i in range(100)
    ]  # fmt: skip
    columns = "person_id full_name name_folded citizen_id insurance_number phone born_on:d records:i facilities:i"
    put(warehouse, "golden.person", columns, people)
    put(
        warehouse,
        "link.review",
        "sid_a:i sid_b:i person_a person_b weight:f",
        [(1, 2, name, citizen, 7.5)],
    )


def make_current(warehouse: Warehouse, project: Project) -> None:
    """Nothing of this night was superseded: what is standard is current."""
    for table in project.tables.values():
        name = sql_name(table.id)
        warehouse.execute(f"CREATE OR REPLACE VIEW current.{name} AS SELECT * FROM standard.{name}")


def make_night(project: Project, root: Path) -> HandmadeNight:
    """The whole night below `root`, ready to be reported."""
    made = new_night(project, root)
    fill_ledger(made.ledger)
    open_standard(made.warehouse, project, made.ledger)
    fill_warehouse(made.warehouse)
    make_current(made.warehouse, project)
    made.found = {
        "arrive": {"new_files": 6},
        "link": {"records": 120, "signatures": 110, "persons": 100, "edges": 20, "cut_edges": 1,
                 "refused_pairs": 2, "possible_pairs": 3},
    }  # fmt: skip
    made.carried = {
        "verdicts": SimpleNamespace(withheld={}, results=GATE_RESULTS, gx_version="1.24.1"),
        "release": SimpleNamespace(snapshot=SECOND, is_new=True, withheld=(), manifest=MANIFEST),
        "not_run": [],
    }
    return made


KINDS = {"i": pl.Int64, "f": pl.Float64, "b": pl.Boolean, "d": pl.Date}


def put(warehouse: Warehouse, name: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
    """`rows` as the table `name`; a column is text unless `:` and a letter say otherwise."""
    schema = {
        c.partition(":")[0]: KINDS.get(c.partition(":")[2], pl.String) for c in columns.split()
    }
    warehouse.put(name, pl.DataFrame(rows, schema=schema, orient="row"))
