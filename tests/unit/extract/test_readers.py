"""Exchange extracts: whatever the separator, encoding, headings or damage, each row is read or accounted for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import xlsxwriter

from datasach.errors import UnreadableExtract
from datasach.extract.readers import Incoming, readers
from datasach.extract.readers.encodings import detect
from datasach.spec.source import Options

HEAD = "Mã;Họ và tên;Ngày sinh"
ROWS = ["01;Nguyễn Thị Hoa;02/03/1990", "02;Trần Văn Đức;15/08/1971"]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., tuple[list[tuple[object, ...]], Incoming]]:
    def run(
        form: str, content: bytes, path: str = "$", **options: str
    ) -> tuple[list[tuple[object, ...]], Incoming]:
        file = tmp_path / "landed"
        file.write_bytes(content)
        with duckdb.connect() as con:
            incoming = readers()[form](con, file, Options(**options), path, tmp_path)
            return con.sql(f"{incoming.sql} ORDER BY _line").fetchall(), incoming

    return run


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1258"])
@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_separator_and_encoding_are_found_out(read, encoding: str, separator: str) -> None:
    import unicodedata

    text = "\r\n".join([HEAD, *ROWS]).replace(";", separator)
    if encoding == "cp1258":
        text = "".join(_for_1258(c) for c in unicodedata.normalize("NFC", text))
    rows, incoming = read("csv", text.encode(encoding))
    assert [r[1:] for r in rows] == [tuple(row.split(";")) for row in ROWS]
    assert incoming.rejected == []


def _for_1258(letter: str) -> str:
    """Windows-1258 has base letters and combining tones."""
    import unicodedata

    try:
        letter.encode("cp1258")
        return letter
    except UnicodeEncodeError:
        parts = unicodedata.normalize("NFD", letter)
        base = unicodedata.normalize("NFC", parts[:-1]) if len(parts) > 2 else parts[0]
        tone = parts[-1]
        if len(parts) > 2 and parts[1] in "\u0323\u0309\u0303\u0301\u0300":
            base, tone = unicodedata.normalize("NFC", parts[0] + parts[2]), parts[1]
        return base + tone


def test_a_broken_line_is_set_aside_with_its_number(read) -> None:
    rows, incoming = read(
        "csv", "\n".join([HEAD, ROWS[0], "03;thiếu", ROWS[1], "04;thừa;1;2"]).encode()
    )
    assert [(r[0], r[1]) for r in rows] == [(2, "01"), (4, "02")]
    assert incoming.rejected == [(3, "CSV_LINE"), (5, "CSV_LINE")]


def test_quoted_separators_and_line_breaks_stay_inside_their_value(read) -> None:
    rows, _ = read("csv", f'{HEAD}\n01;"Hoa; con bà\nLan";1990\n'.encode())
    assert rows[0][2] == "Hoa; con bà\nLan"


def test_a_heading_that_stands_twice_is_kept_apart(read) -> None:
    _, incoming = read("csv", "Ghi chú;Mã;Ghi chú\na;1;b".encode())
    assert incoming.headings == ["Ghi chú", "Mã", "Ghi chú (2)"]


@pytest.mark.parametrize(
    ("content", "code"), [(b"", "TEXT_EMPTY"), (b"one column\n1", "CSV_HEADER")]
)
def test_a_file_that_is_no_table_is_refused(read, content: bytes, code: str) -> None:
    with pytest.raises(UnreadableExtract) as refused:
        read("csv", content)
    assert refused.value.code == code


PRESCRIPTIONS = [
    {"ma": "01", "ngay": "2026-03-02", "thuoc": [{"stt": 1, "ten": "A"}, {"stt": 2, "ten": "B"}]},
    {"ma": "02", "ngay": "2026-03-03", "thuoc": []},
]


def test_json_array_and_lines_say_the_same(read) -> None:
    array, _ = read("json", json.dumps(PRESCRIPTIONS).encode())
    lines, _ = read("json", "\n".join(json.dumps(p) for p in PRESCRIPTIONS).encode())
    assert (
        [row[1:3] for row in array]
        == [row[1:3] for row in lines]
        == [("01", "2026-03-02"), ("02", "2026-03-03")]
    )


def test_a_nested_list_becomes_rows_that_know_their_parent(read) -> None:
    rows, incoming = read("json", json.dumps(PRESCRIPTIONS).encode(), path="thuoc")
    named = [dict(zip(["_line", *incoming.headings], row, strict=True)) for row in rows]
    assert [(r["ma"], r["stt"], r["ten"]) for r in named] == [("01", "1", "A"), ("01", "2", "B")]


def test_a_broken_json_line_is_set_aside(read) -> None:
    rows, incoming = read("json", b'{"ma": "01"}\n{broken\n{"ma": "03"}')
    assert [row[1] for row in rows] == ["01", "03"]
    assert incoming.rejected == [(2, "JSON_LINE")]


def test_a_workbook_gives_its_cells_as_text(read, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Mã", "Số"])
        sheet.write_string(1, 0, "01001")
        sheet.write_number(1, 1, 79085012345)
    rows, _ = read("xlsx", path.read_bytes())
    assert rows == [(2, "01001", "79085012345")]


def test_a_flipped_parquet_is_refused(read, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    duckdb.sql("SELECT '01' AS ma, 'x' AS ten").write_parquet(str(path))
    good = path.read_bytes()
    assert read("parquet", good)[0] == [(1, "01", "x")]
    with pytest.raises(UnreadableExtract):
        read("parquet", good[: len(good) // 2])


def test_utf8_proves_itself(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("Họ tên".encode())
    assert detect(path, declared="windows-1258")[0] == "utf-8"
