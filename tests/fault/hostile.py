"""Files written to do harm, or broken beyond use, each with the code its sender must be told.

`corpus(fine)` gives (name, content, codes): any of the codes is right, where which limit is met first
depends on the machine. No person in them exists.
"""

from __future__ import annotations

import gzip
import io
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from tests.envelopes import envelope, simple_visit

MIB = 2**20
Hostile = tuple[str, bytes, tuple[str, ...]]
HEAD = '<?xml version="1.0" encoding="utf-8"?>'


def corpus(facility: str = "79001") -> Iterator[Hostile]:
    """Every kind once, cheapest first within its group; the content differs by facility."""
    fine = envelope([simple_visit(MA_CSKCB=facility, MA_LK=f"X{facility}")], facility=facility)
    yield from _envelopes(fine)
    yield from _archives(fine)
    yield from _tables(facility)


def _envelopes(fine: str) -> Iterator[Hostile]:
    body = fine.removeprefix(HEAD)
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    for name, text, code in (
        ("empty", " \n", "XML_EMPTY"),
        ("dtd_file", f'{HEAD}<!DOCTYPE GIAMDINHHS [<!ENTITY x SYSTEM "file:///etc/passwd">]>{body}', "XML_DTD"),
        ("dtd_url", f'{HEAD}<!DOCTYPE GIAMDINHHS SYSTEM "http://127.0.0.1/x.dtd">{body}', "XML_DTD"),
        ("entity", f'{HEAD}<!DOCTYPE GIAMDINHHS [<!ENTITY x "79001">]>{body.replace("79001", "&x;")}', "XML_DTD"),
        ("laughs", f'{HEAD}<!DOCTYPE GIAMDINHHS [<!ENTITY l0 "ha">{laughs}]><GIAMDINHHS>&l8;</GIAMDINHHS>', "XML_DTD"),
        ("cut", fine[: len(fine) // 2], "XML_SYNTAX"),
        ("two_roots", fine + body, "XML_SYNTAX"),
        ("nul", fine.replace("<MACSKCB>", "<MACSKCB>\0"), "XML_SYNTAX"),
        ("root", fine.replace("GIAMDINHHS", "HOSOKHAC"), "ENV_ROOT"),
        ("nobody", fine.replace("<MACSKCB>", "<MACSKCB> </MACSKCB><X>", 1).replace("</MACSKCB></THONG", "</X></THONG"), "ENV_NO_FACILITY"),
        ("unknown_encoding", fine.replace("utf-8", "ebcdic-vn", 1), "XML_ENCODING"),
        ("deep", fine.replace("<CHUKYDONVI/>", "<a>" * 5_000 + "</a>" * 5_000), "XML_LIMIT"),
        ("attribute", fine.replace("<CHUKYDONVI/>", f'<CHUKYDONVI a="{"x" * 11 * MIB}"/>'), None),
        ("siblings", fine.replace("<CHUKYDONVI/>", f"<CHUKYDONVI>{'<a/>' * 4_100_000}</CHUKYDONVI>"), "XML_LIMIT"),
        ("someone_else", fine.replace("<MACSKCB>79", "<MACSKCB>99", 1), "WRONG_FACILITY"),
    ):  # fmt: skip
        if code is not None:
            yield f"DPDL_{name}.xml", text.encode(), (code,)
    yield (
        "DPDL_latin.xml",
        fine.encode().replace(b"CHUKYDONVI", b"CHUK\xddDONVI"),
        ("XML_ENCODING", "XML_SYNTAX"),
    )


def _zip(fill: Callable[[zipfile.ZipFile], None]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        fill(archive)
    return buffer.getvalue()


def _archives(fine: str) -> Iterator[Hostile]:
    inner = fine.encode()

    def holding(*names: str) -> bytes:
        return _zip(lambda a: [a.writestr(n, inner) for n in names] and None)

    def link(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("link.xml")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")

    good = holding("a.xml")
    lying = bytearray(good)
    at = bytes(lying).find(b"PK\x01\x02") + 24
    lying[at : at + 4] = struct.pack("<I", 7)
    secret = bytearray(good)
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        secret[bytes(secret).find(magic) + offset] |= 1
    yield "DPDL_bomb.zip", _zip(lambda a: a.writestr("a.xml", b"\0" * 300 * MIB)), ("ARC_BOMB",)
    yield "DPDL_climbs.zip", holding("../../a.xml"), ("ARC_NAME",)
    yield "DPDL_root.zip", holding("/etc/a.xml"), ("ARC_NAME",)
    yield "DPDL_windows.zip", holding("..\\a.xml"), ("ARC_NAME",)
    yield "DPDL_link.zip", _zip(link), ("ARC_NAME",)
    yield "DPDL_twice.zip", holding("a.xml", "A.XML"), ("ARC_DUP",)
    yield "DPDL_nested.zip", _zip(lambda a: a.writestr("b.zip", good)), ("ARC_NESTED",)
    yield "DPDL_secret.zip", bytes(secret), ("ARC_ENCRYPTED",)
    yield "DPDL_cut.zip", good[: len(good) - 30], ("ARC_CORRUPT",)
    yield "DPDL_lies.zip", bytes(lying), ("ARC_CORRUPT",)
    yield "DPDL_nothing.zip", _zip(lambda a: None), ("ARC_EMPTY",)
    yield (
        "DPDL_many.zip",
        _zip(lambda a: [a.writestr(f"{n}.xml", b"") for n in range(5_001)] and None),
        ("ARC_MEMBERS",),
    )
    yield "DPDL_bomb.xml.gz", gzip.compress(b"\0" * 300 * MIB, 9), ("ARC_BOMB",)
    yield "DPDL_cut.xml.gz", gzip.compress(inner)[:-9], ("ARC_CORRUPT",)
    yield "DPDL_nested.xml.gz", gzip.compress(gzip.compress(inner)), ("ARC_NESTED",)
    yield "DPDL_other.7z", b"7z\xbc\xaf\x27\x1c" + inner[:100], ("ARC_FORMAT",)


COLUMNS = (
    "ma_mui_tiem", "ho_ten", "ngay_sinh", "gioi_tinh", "so_cccd", "ma_the_bhyt", "ma_vac_xin", "ten_vac_xin",
    "so_lo", "mui_thu", "ngay_tiem", "ma_cskcb",
)  # fmt: skip


def _row(facility: str, number: int = 1) -> list[str]:
    return [f"M{number}", "Lê Thị An", "01/02/2026", "2", "", "", "BCG", "BCG", "L1", "1", "02/03/2026", facility]  # fmt: skip


def _tables(facility: str) -> Iterator[Hostile]:
    head, row = ",".join(COLUMNS), ",".join(_row(facility))
    plain = f"{head}\n{row}\n".encode()
    yield "TIEMCHUNG_nul.csv", plain.replace(b"BCG", b"B\0G"), ("TEXT_NUL",)
    yield (
        "TIEMCHUNG_wide.csv",
        ",".join(f"c{n}" for n in range(1_000_000)).encode() + b"\n1\n",
        ("READ_TOO_WIDE", "CSV_HEADER"),
    )
    yield "TIEMCHUNG_sep.csv", b"sep=,\n" + plain, ("CSV_HEADER",)
    yield "TIEMCHUNG_long.csv", b"x" * (64 * MIB), ("CSV_HEADER",)
    yield "TIEMCHUNG_columns.csv", b"a,b,c\n1,2,3\n", ("COLUMNS_MISSING",)
    yield "DONTHUOC_cut.json", b'[{"ma_don_thuoc": "1", "ma_cskcb"', ("JSON_SYNTAX",)
    yield (
        "DONTHUOC_deep.json",
        b'[{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}]",
        ("JSON_SYNTAX", "COLUMNS_MISSING", "READ_CRASHED"),
    )
    yield (
        "DONTHUOC_wide.json",
        ("[{" + ",".join(f'"c{n}":1' for n in range(20_000)) + "}]").encode(),
        ("READ_TOO_WIDE",),
    )
    yield "TIEMCHUNG_bomb.csv", _workbook(sheet=b"<row/>" * (50 * MIB)), ("ARC_BOMB",)
    yield (
        "TIEMCHUNG_far.csv",
        _workbook(cell="XFD1048576"),
        ("READ_TOO_LARGE", "READ_CRASHED", "READ_TOO_WIDE"),
    )
    yield "TIEMCHUNG_cut.csv", _workbook()[:-100], ("ARC_CORRUPT", "XLSX_SYNTAX")
    table = pa.table(
        {name: [value] * 500 for name, value in zip(COLUMNS, _row(facility), strict=True)}
    )
    whole = _parquet(table)
    yield "TIEMCHUNG_half.csv", whole[: len(whole) // 2], ("PARQUET_SYNTAX",)
    footer = bytearray(whole)
    footer[-8:-4] = struct.pack("<I", 2**31 - 1)
    yield "TIEMCHUNG_footer.csv", bytes(footer), ("PARQUET_SYNTAX",)
    flipped = bytearray(whole)
    flipped[len(whole) // 8] ^= 0x10
    yield "TIEMCHUNG_flip.csv", bytes(flipped), ("PARQUET_SYNTAX",)
    nested = table.append_column("them", pa.array([["a"]] * 500))
    yield "TIEMCHUNG_nested.csv", _parquet(nested), ("PARQUET_TYPE",)
    yield "TIEMCHUNG_drift.csv", _parquet(table.drop_columns(["ma_mui_tiem"])), ("COLUMNS_MISSING",)


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, write_page_checksum=True, use_dictionary=False)
    return buffer.getvalue()


def _workbook(sheet: bytes | None = None, cell: str = "B2") -> bytes:
    """A workbook by hand: a library would not write what these hold."""
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    cells = f'<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row><row r="{cell.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}"><c r="{cell}" t="inlineStr"><is><t>b</t></is></c></row>'
    data = (
        f"<worksheet {space}><sheetData>".encode()
        + (sheet or cells.encode())
        + b"</sheetData></worksheet>"
    )
    types = "http://schemas.openxmlformats.org"

    def fill(archive: zipfile.ZipFile) -> None:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{types}/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{types}/package/2006/relationships"><Relationship Id="r1" Type="{types}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook {space} xmlns:r="{types}/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{types}/package/2006/relationships"><Relationship Id="r1" Type="{types}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        )
        archive.writestr("xl/worksheets/sheet1.xml", data)

    return _zip(fill)
