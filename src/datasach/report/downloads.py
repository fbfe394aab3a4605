"""The tables behind the pages, for people who count again: CSV and Parquet below `data/` of a site.

    data/<table>.csv|.parquet               the nation's tables
    data/tinh/<place>/<table>.csv|.parquet  a Department's part; a facility's rows are in its Department's file
    data/cot.csv                            every table and column, in both languages

Parquet is exact and typed. CSV is what a spreadsheet opens: UTF-8 with BOM, and a text that a spreadsheet
could take for a formula has an apostrophe in front (OWASP, "CSV Injection"). Small counts of people are
hidden in both (report.disclosure): the cell is empty and `suppressed` says why. No names of people, no keys
of records, no file names.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from datasach.report.counts import COUNTS, FATE_TITLES, FATES
from datasach.report.words import PILLARS
from datasach.spec.contract import Title
from datasach.spec.rule import PILLAR_TITLES

Kind = Literal["text", "code", "count", "number", "share", "day", "yes", "verdict", "severity"]
TYPES: dict[Kind, Any] = {
    "count": pl.Int64, "number": pl.Float64, "share": pl.Float64, "day": pl.Date, "yes": pl.Boolean,
}  # fmt: skip
"""Polars type of a kind of column; text of every other."""
Scope = Literal["nation", "province", "both"]
FORMULA = r"^([=+\-@\t\r\n＝＋－＠])"
"""How a formula begins for some spreadsheet; the double-width forms too."""
UNSEEN = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
"""Control characters, and marks that turn the direction of text: no reader sees them, some are misled."""
PARTS = "tinh"
DICTIONARY = "cot.csv"


@dataclass(frozen=True, slots=True)
class Column:
    """One heading, wherever it stands: the same name means the same in every table."""

    title: Title
    kind: Kind = "text"
    width: int = 14


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it is downloaded. `scope` says whether the nation, each Department or both have it."""

    id: str
    title: Title
    scope: Scope
    columns: tuple[str, ...]

    @property
    def schema(self) -> dict[str, Any]:
        return {name: TYPES.get(COLUMNS[name].kind, pl.String) for name in self.columns}


def _column(vi: str, en: str, kind: Kind = "text", width: int = 14) -> Column:
    return Column(Title(vi=vi, en=en), kind, width)


def _score_columns() -> dict[str, Column]:
    parts: tuple[tuple[str, str, str, Kind], ...] = (
        ("share", "", "", "share"),
        ("numerator", ": tử số", ": numerator", "number"),
        ("denominator", ": mẫu số", ": denominator", "number"),
        ("verdict", ": nhận xét", ": verdict", "verdict"),
    )
    titles = PILLAR_TITLES
    return {
        f"{pillar}_{part}": _column(titles[pillar].vi + vi, titles[pillar].en + en, kind, 12)
        for pillar in PILLARS
        for part, vi, en, kind in parts
    }


COLUMNS: dict[str, Column] = {
    "night": _column("Đêm", "Night", "day", 12),
    "province": _column("Mã tỉnh", "Province code", "code", 9),
    "province_name": _column("Tỉnh, thành phố", "Province", width=26),
    "former": _column("Hình thành từ", "Formed from", width=34),
    "facility": _column("Mã cơ sở", "Facility code", "code", 10),
    "name": _column("Tên cơ sở", "Facility", width=36),
    "level": _column("Cấp", "Level", width=16),
    "registered": _column("Có trong danh mục", "In the register", "yes", 10),
    "authority": _column("Cơ quan gửi thay", "Sends for others", "yes", 10),
    "nights_expected": _column("Số đêm dự kiến", "Nights expected", "count", 10),
    "nights_sent": _column("Số đêm đã gửi", "Nights sent", "count", 10),
    "last_sent": _column("Gửi lần cuối", "Last sent", "day", 12),
    "nights_silent": _column("Số đêm im", "Nights silent", "count", 9),
    "sent_tonight": _column("Cơ sở gửi đêm nay", "Facilities that sent tonight", "count", 11),
    "expected_tonight": _column("Cơ sở dự kiến", "Facilities expected", "count", 11),
    "units": _column("Cơ sở có dữ liệu", "Facilities with data", "count", 11),
    "senders": _column("Số nơi gửi", "Senders", "count", 9),
    "files": _column("Tệp", "Files", "count", 8),
    "outcome": _column("Kết quả", "Outcome", width=18),
    "receipt": _column("Biên nhận", "Receipt", "code", 17),
    "sender": _column("Nơi gửi", "Sender", "code", 10),
    "sha256": _column("SHA-256", "SHA-256", "code", 30),
    "bytes": _column("Byte", "Bytes", "count", 12),
    "state": _column("Trạng thái", "State", width=14),
    "code": _column("Mã lý do", "Reason code", "code", 16),
    **{name: Column(FATE_TITLES[name], "count", 12) for name in ("read", *FATES)},
    "accepted_share": _column("Tỷ lệ được chấp nhận", "Share accepted", "share", 10),
    "database": _column("Cơ sở dữ liệu", "Database", "code", 18),
    "database_name": _column("Tên cơ sở dữ liệu", "Database title", width=30),
    "table": _column("Bảng", "Table", "code", 26),
    "table_name": _column("Tên bảng", "Table title", width=30),
    "field": _column("Trường", "Field", "code", 18),
    "field_name": _column("Tên trường", "Field title", width=30),
    "gate": _column("Cổng phát hành", "Gate", width=12),
    "records": _column("Bản ghi hiện hành", "Current records", "count", 12),
    "published_rows": _column("Dòng đã công bố", "Rows published", "count", 12),
    "suppressed": _column("Ẩn vì số nhỏ", "Hidden, small", "yes", 8),
    **_score_columns(),
    "whose": _column("Của ai (VN, tỉnh, cơ sở)", "Whose (VN, province, facility)", "code", 12),
    "pillar": _column("Điểm", "Score", "code", 8),
    "numerator": _column("Tử số", "Numerator", "number", 12),
    "denominator": _column("Mẫu số", "Denominator", "number", 12),
    "rule": _column("Quy tắc", "Rule", "code", 11),
    "severity": _column("Mức", "Severity", "severity", 11),
    "rule_says": _column("Điều phải đúng", "What must hold (Vietnamese)", width=56),
    "rule_says_en": _column("Điều phải đúng (Anh)", "What must hold", width=56),
    "rule_fix": _column("Cách sửa", "How to mend (Vietnamese)", width=48),
    "rule_fix_en": _column("Cách sửa (Anh)", "How to mend", width=48),
    "tested": _column("Đã kiểm", "Tested", "count", 10),
    "failed": _column("Vi phạm", "Failed", "count", 10),
    "failed_share": _column("Tỷ lệ vi phạm", "Share failed", "share", 10),
    "peers_share": _column("Cùng cấp (trung vị)", "Peers (median)", "share", 10),
    "facilities": _column("Số cơ sở vi phạm", "Facilities failing", "count", 10),
    "held": _column("Dòng giữ lại", "Rows held", "count", 10),
    "not_run": _column("Không chạy được vì", "Not run because", width=24),
    "filled": _column("Có giá trị", "Filled", "count", 10),
    "expected": _column("Cần có", "Expected", "count", 10),
    "filled_share": _column("Tỷ lệ có giá trị", "Share filled", "share", 10),
    "task_state": _column("Trạng thái", "State", width=11),
    "opened": _column("Mở từ đêm", "Open since", "day", 12),
    "last_seen": _column("Thấy lần cuối", "Last seen", "day", 12),
    "nights_open": _column("Số đêm mở", "Nights open", "count", 9),
    "due": _column("Hạn sửa", "Due", "day", 12),
    "reopened": _column("Số lần mở lại", "Times re-opened", "count", 9),
    "owner": _column("Chủ quản dữ liệu", "Owner of the data (Vietnamese)", width=34),
    "owner_en": _column("Chủ quản dữ liệu (Anh)", "Owner of the data", width=34),
    "tables": _column("Các bảng", "Tables", "code", 28),
    "tasks": _column("Việc đang mở", "Open tasks", "count", 9),
    "tasks_overdue": _column("Việc quá hạn", "Overdue tasks", "count", 9),
    "identical": _column("Lượt giống nhau", "Visits identical", "count", 11),
    "different": _column("Lượt khác nhau", "Visits different", "count", 11),
    "only_coordination": _column("Chỉ hệ thống điều phối", "Coordination system only", "count", 12),
    "only_insurance": _column("Chỉ BHXH", "Social Insurance only", "count", 11),
    "differing": _column("Lượt khác nhau ở trường này", "Visits that differ in it", "count", 12),
    "by": _column("Chia theo", "By", width=30),
    "label": _column("Nhóm", "Class", width=40),
    "persons": _column("Số người", "People", "count", 10),
    "about": _column("Kiểm cái gì", "About", "code", 26),
    "expectation": _column("Phép kiểm GX", "GX expectation", "code", 40),
    "column": _column("Cột", "Column", "code", 18),
    "looked_at": _column("Dòng xét", "Rows looked at", "count", 11),
    "gx": _column("GX đếm", "GX counts", "count", 10),
    "ours": _column("Ta đếm", "We count", "number", 10),
    "holds": _column("Đạt", "Holds", "yes", 7),
    "checks": _column("Phép kiểm", "Checks", "count", 9),
    "checks_failed": _column("Không đạt", "Failed checks", "count", 9),
    "compared": _column("Đếm hai lần", "Counted twice", "count", 9),
    "source": _column("Nguồn", "Source", "code", 26),
    "source_name": _column("Tên nguồn", "Source title", width=40),
    "channel": _column("Kênh", "Channel", "code", 18),
    "files_tonight": _column("Tệp đêm nay", "Files tonight", "count", 9),
    "files_all": _column("Tệp cộng dồn", "Files so far", "count", 9),
    "file": _column("Tệp công bố", "Published file", "code", 36),
    "kind": _column("Loại dữ liệu", "Kind of data", "code", 20),
}  # fmt: skip

_SCORES = tuple(
    f"{pillar}_{part}" for pillar in PILLARS for part in ("share", "numerator", "denominator", "verdict")
)  # fmt: skip
_VERDICTS = tuple(f"{pillar}_{part}" for pillar in PILLARS for part in ("share", "verdict"))
_TASK = (
    "facility", "name", "province", "rule", "severity", "rule_says", "task_state", "opened", "last_seen", "nights_open",
    "due", "reopened", "failed", "tested", "suppressed", "owner", "owner_en", "tables",
)  # fmt: skip


def _table(name: str, scope: Scope, vi: str, en: str, *columns: str) -> Table:
    return Table(name, Title(vi=vi, en=en), scope, columns)


TABLES: dict[str, Table] = {
    table.id: table
    for table in (
        _table("databases", "both", "Điểm theo cơ sở dữ liệu", "Scores by database",
               "whose", "database", "database_name", "gate", "records", "suppressed", *_SCORES),
        _table("provinces", "nation", "34 tỉnh, thành phố", "34 provinces",
               "province", "province_name", "former", "sent_tonight", "expected_tonight", "units", *COUNTS,
               "accepted_share", "tasks", "tasks_overdue"),
        _table("facilities", "both", "Các cơ sở", "Facilities",
               "facility", "name", "province", "level", "registered", "authority", "nights_expected", "nights_sent",
               "last_sent", "nights_silent", "files", *COUNTS, "tasks", "tasks_overdue", *_VERDICTS),
        _table("nights", "both", "Dòng nhận theo đêm", "Rows by night", "night", "senders", "files", *COUNTS),
        _table("evenings", "province", "Biên nhận theo đêm của từng cơ sở", "Receipts by night of every facility",
               "facility", "night", "outcome", "files", *COUNTS),
        _table("kinds", "province", "Cơ sở × đêm × loại dữ liệu", "Facility × night × kind of data",
               "facility", "night", "kind", *COUNTS),
        _table("silent", "both", "Chưa gửi đêm nay", "Silent tonight",
               "facility", "name", "province", "nights_silent", "last_sent"),
        _table("failing", "province", "Quy tắc bị vi phạm theo cơ sở", "Rules broken by facility",
               "facility", "name", "rule", "severity", "table", "rule_says", "tested", "failed", "failed_share",
               "peers_share", "held", "suppressed", "rule_fix"),
        _table("tasks", "both", "Việc đang mở", "Open tasks", *_TASK),
        _table("receipts", "nation", "Biên nhận đêm nay", "Receipts of the night",
               "night", "sender", "receipt", "sha256", "bytes", "state", "code", "outcome", *COUNTS),
        _table("scores", "nation", "Mọi điểm", "All scores",
               "database", "whose", "pillar", "numerator", "denominator"),
        _table("rules", "nation", "Quy tắc đêm nay", "Rules tonight",
               "rule", "table", "severity", "tested", "failed", "failed_share", "suppressed", "facilities", "held",
               "not_run", "rule_says", "rule_says_en", "rule_fix", "rule_fix_en"),
        _table("rule_provinces", "nation", "Quy tắc theo tỉnh", "Rules by province",
               "rule", "table", "province", "tested", "failed", "failed_share", "suppressed"),
        _table("fields", "nation", "Thông tin ưu tiên: có giá trị", "Priority fields: filled",
               "table", "field", "field_name", "whose", "filled", "expected", "filled_share", "suppressed"),
        _table("tables", "nation", "Bảng của các cơ sở dữ liệu", "Tables of the databases",
               "database", "table", "table_name", "published_rows", *COUNTS, "suppressed"),
        _table("channels", "both", "Hai kênh", "Two channels",
               "facility", "name", "province", "identical", "different", "only_coordination", "only_insurance"),
        _table("channel_fields", "both", "Hai kênh: trường khác nhau", "Two channels: fields that differ",
               "facility", "province", "field", "field_name", "differing"),
        _table("people", "nation", "Người sau liên kết", "People after linking", "by", "label", "persons"),
        _table("gate_databases", "nation", "Chứng thư cổng", "Gate certificate",
               "database", "database_name", "gate", "checks", "checks_failed", "compared"),
        _table("gate", "nation", "Phép kiểm của cổng", "Gate checks",
               "about", "rule", "expectation", "column", "looked_at", "gx", "ours", "holds"),
        _table("books", "nation", "Sổ dòng", "Books of rows", "database", *COUNTS),
        _table("sources", "nation", "Nguồn", "Sources",
               "source", "source_name", "channel", "files_tonight", "files_all"),
        _table("files", "nation", "Tệp công bố", "Published files", "file", "published_rows", "bytes", "sha256"),
    )
}  # fmt: skip


def frame_of(table: str, rows: Iterable[tuple[Any, ...]]) -> pl.DataFrame:
    """Rows in the order of the table's columns; days may be ISO texts."""
    spec = TABLES[table]
    days = [name for name, kind in spec.schema.items() if kind == pl.Date]
    schema = {name: pl.String if name in days else kind for name, kind in spec.schema.items()}
    frame = pl.DataFrame(list(rows), schema=schema, orient="row")
    return frame.with_columns(pl.col(days).str.to_date("%Y-%m-%d")) if days else frame


def write_table(data: Path, table: str, frame: pl.DataFrame, place: str = "") -> None:
    """Write one table of the nation, or of one place, in both forms below `data`."""
    folder = folder_of_part(data, place)
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / f"{table}.parquet", compression="zstd")
    harmless(frame).write_csv(folder / f"{table}.csv", include_bom=True)


def folder_of_part(data: Path, place: str) -> Path:
    return data / PARTS / place if place else data


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """The same for a spreadsheet: texts that begin like a formula get an apostrophe, unseen marks go."""
    text = pl.col(pl.String)
    return frame.with_columns(text.str.replace_all(UNSEEN, "").str.replace(FORMULA, "'${1}"))


def read_table(data: Path, table: str, place: str = "") -> pl.DataFrame:
    """A table of a site, of the nation or of one place; empty if that site did not have it.

    Columns the site did not know are null; so a site of an older engine still answers.
    """
    spec = TABLES[table]
    path = folder_of_part(data, place) / f"{table}.parquet"
    if not path.is_file():
        return pl.DataFrame(schema=spec.schema)
    found = pl.read_parquet(path)
    return found.select(
        pl.col(name).cast(kind) if name in found.columns else pl.lit(None, kind).alias(name)
        for name, kind in spec.schema.items()
    )


def write_dictionary(folder: Path) -> None:
    with (folder / DICTIONARY).open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(
            ("table", "table_vi", "table_en", "column", "column_vi", "column_en", "kind")
        )
        writer.writerows(_dictionary())


def _dictionary() -> Iterator[tuple[str, ...]]:
    for table in TABLES.values():
        for name in table.columns:
            one = COLUMNS[name]
            yield (
                table.id,
                table.title.vi,
                table.title.en,
                name,
                one.title.vi,
                one.title.en,
                one.kind,
            )


def offered(table: str, place: str | None) -> str:
    """Path below the site of a table without its ending, as a page about `place` links it.

    Raises KeyError for a table nobody writes: a template's mistake is found when it is rendered.
    """
    if place is not None and TABLES[table].scope != "nation":
        return f"data/{PARTS}/{place}/{table}"
    if TABLES[table].scope == "province":
        raise KeyError(f"{table} is written by province")
    return f"data/{table}"
