"""A planted value is found in whatever form and container it lies, and nothing is found where it is not."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from datasach.errors import SpecError
from datasach.protect.leaks import Found, read_canaries, report_text, scan, scan_warehouse
from datasach.vn.text import fold

NAME, NUMBER, PHONE = "Zwăng Thị Kanaria", "079085918273", "0987918273"
"""No such person exists."""


def search(folder: Path, patterns: bool = False) -> Found:
    canaries = folder.parent / "canaries.txt"
    canaries.write_text(f"# planted\n{NAME}\n{NUMBER}\n{PHONE}\n", "utf-8")
    return scan([folder], canaries, patterns)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "searched"
    path.mkdir()
    return path


SPELLINGS: dict[str, Callable[[], bytes]] = {
    "plain": lambda: NAME.encode(),
    "decomposed": lambda: unicodedata.normalize("NFD", NAME).encode(),
    "capitals": lambda: NAME.upper().encode(),
    "without marks": lambda: fold(NAME).encode(),
    "joined by signs": lambda: fold(NAME).replace(" ", "_").encode(),
    "over two blanks": lambda: NAME.replace(" ", "  ").encode(),
    "in groups": lambda: b"0790 8591 8273",
    "dotted": lambda: b"098.791.8273",
    "in url": lambda: quote(NAME).encode(),
    "in json": lambda: json.dumps({"a": NAME}).encode(),
    "in html": lambda: "".join(f"&#{ord(c)};" if ord(c) > 127 else c for c in NAME).encode(),
    "utf-16": lambda: NAME.encode("utf-16"),
    "hex": lambda: NUMBER.encode().hex().encode(),
    "unkeyed hash": lambda: __import__("hashlib").sha256(NUMBER.encode()).hexdigest().encode(),
    **{
        f"base64 after {n}": (lambda n=n: base64.b64encode(b"x" * n + NAME.encode() + b"yz"))
        for n in range(4)
    },
    "base64 in lines": lambda: base64.encodebytes(b"x" * 50 + NAME.encode() + b"y" * 50),
    "base64 for urls": lambda: base64.urlsafe_b64encode(b"??>" + NAME.encode()),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_found(folder: Path, spelling: str) -> None:
    (folder / "a.log").write_bytes(b"line one\n" + SPELLINGS[spelling]() + b"\nline three")
    assert list(search(folder).canaries.values()) == [1]


def _zip(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", data)
    return out.getvalue()


def _parquet(path: Path, data: bytes) -> None:
    pl.DataFrame({"a": [data.decode()] * 3, "n": [1, 2, 3]}).write_parquet(path, compression="zstd")


def _arrow(path: Path, data: bytes) -> None:
    table = pa.table({"a": [data.decode()] * 100})
    with (
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_file(
            sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
        ) as writer,
    ):
        writer.write_table(table)


def _sqlite(path: Path, data: bytes) -> None:
    with sqlite3.connect(path) as con:
        con.execute("CREATE TABLE t (b BLOB)")
        con.execute("INSERT INTO t VALUES (?)", (b"x" * 5000 + data,))
    con.close()


def _duckdb(path: Path, data: bytes) -> None:
    with duckdb.connect(str(path)) as con:
        con.execute(
            "CREATE TABLE t AS SELECT ? || i % 3 AS a FROM range(10000) r(i)", [data.decode()]
        )


def _xlsx(path: Path, data: bytes) -> None:
    pl.DataFrame({"a": [data.decode()]}).write_excel(path)


def _tar(path: Path, data: bytes) -> None:
    with tarfile.open(path, "w:gz") as archive:
        facts = tarfile.TarInfo("a")
        facts.size = len(data)
        archive.addfile(facts, io.BytesIO(data))


CONTAINERS: dict[str, Callable[[Path, bytes], object]] = {
    "text": lambda path, data: path.write_bytes(data),
    "gzip": lambda path, data: path.write_bytes(gzip.compress(data)),
    "bz2": lambda path, data: path.write_bytes(bz2.compress(data)),
    "xz": lambda path, data: path.write_bytes(lzma.compress(data)),
    "zstd": lambda path, data: path.write_bytes(pa.compress(data, "zstd", asbytes=True)),
    "zip": lambda path, data: path.write_bytes(_zip(data)),
    "zip in zip in gzip": lambda path, data: path.write_bytes(gzip.compress(_zip(_zip(data)))),
    "tar": _tar,
    "xlsx": _xlsx,
    "parquet": _parquet,
    "arrow": _arrow,
    "sqlite": _sqlite,
    "duckdb": _duckdb,
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_is_opened(folder: Path, container: str) -> None:
    CONTAINERS[container](folder / "held", f"before {NAME} after".encode())
    found = search(folder)
    assert sum(found.canaries.values()) >= 1 and not found.unread


@pytest.mark.parametrize("container", CONTAINERS)
def test_nothing_is_found_where_nothing_is(folder: Path, container: str) -> None:
    CONTAINERS[container](folder / "held", "Zwăng Văn Bình 079085918274 0987918274".encode())
    assert search(folder).canaries == {}


def test_a_number_that_lost_its_zero_in_a_numeric_column_is_found(folder: Path) -> None:
    numbers = pl.DataFrame({"id": [int(NUMBER), 5], "phone": [int(PHONE), 7]})
    numbers.write_parquet(folder / "a.parquet")
    assert len(search(folder).canaries) == 2


def test_a_value_over_the_edge_of_what_is_read_at_once_is_found(folder: Path) -> None:
    for cut in (3, 16):
        (folder / f"{cut}.log").write_bytes(b"x" * ((4 << 20) - cut) + b" " + NAME.encode() + b" x")
    assert len(search(folder).canaries) == 2


def test_the_name_of_a_file_is_searched_and_never_told(folder: Path) -> None:
    (folder / f"{NUMBER}.txt").touch()
    text = report_text(search(folder))
    assert "LEAK" in text and NUMBER not in text


def test_a_broken_archive_is_said_to_be_unread(folder: Path) -> None:
    (folder / "a.zip").write_bytes(_zip(b"something long enough to be cut off" * 9)[:-30])
    assert list(search(folder).unread.values()) == ["BadZipFile"]


def test_well_formed_numbers_are_counted_by_place(folder: Path) -> None:
    (folder / "a.csv").write_text(
        f"{NUMBER},202603021530,999999999999\nDN4797918273645,{PHONE}", "utf-8"
    )
    found = search(folder, patterns=True)
    assert dict(found.patterns["searched/a.csv"]) == {"citizen_id": 1, "card": 1, "phone": 1}
    assert NUMBER not in report_text(found)


def test_a_canary_too_short_to_mean_anything_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_text("Lan\n", "utf-8")
    with pytest.raises(SpecError, match="1 canaries are shorter"):
        read_canaries(path)


def test_the_restricted_zone_and_the_senders_receipts_are_left_out(tmp_path: Path) -> None:
    out = tmp_path / "searched"
    for name in (
        "landing/ab",
        "published/2026-03-02",
        "receipts/2026-03-02/79001",
        "reports/latest",
        "state/prefect",
    ):
        (out / name).mkdir(parents=True)
        (out / name / "held.txt").write_text(NAME, "utf-8")
    (tmp_path / "canaries.txt").write_text(NAME, "utf-8")
    found = scan_warehouse(out, tmp_path / "canaries.txt")
    assert sorted(found.canaries) == [
        "searched/reports/latest/held.txt",
        "searched/state/prefect/held.txt",
    ]
