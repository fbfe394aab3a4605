"""The same files offered again and again, in every disguise: no new row, and every receipt names the first."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date
from pathlib import Path

import duckdb
import pytest

from datasach.runners.local import run_night
from datasach.spec.project import Project
from datasach.store.ledger import Ledger
from tests.envelopes import envelope, simple_visit

NIGHTS = (date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4))


def content(number: int) -> str:
    return envelope([simple_visit(MA_LK=f"LK{number:04d}")])


def disguised(number: int) -> tuple[str, bytes]:
    """The same envelope as another program would save it."""
    text = content(number)
    other = text.replace("utf-8", "utf-16", 1).encode("utf-16")
    return [
        (f"gui_lai_{number}.xml", text.encode()),
        (f"utf16_{number}.xml", other),
        (f"bom_{number}.xml", b"\xef\xbb\xbf" + text.encode()),
        (f"nen_{number}.zip", zipped("trong.xml", text.encode())),
        (f"nen_utf16_{number}.zip", zipped("trong.xml", other)),
    ][number % 5]


def zipped(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def rows(out: Path) -> list[tuple[object, ...]]:
    published = out / "published/latest/kcb_emr"
    return duckdb.sql(
        f"SELECT count(*), count(DISTINCT ma_lk), min(_night), max(_night) FROM '{published}/visit.parquet'"
    ).fetchall()


@pytest.mark.parametrize("files", [30, pytest.param(500, marks=pytest.mark.long)])
def test_three_offers_of_the_same_files_are_one(
    small: Project, nods: None, tmp_path: Path, files: int
) -> None:
    inbox, out = tmp_path / "inbox", tmp_path / "out"
    first = {}
    for turn, night in enumerate(NIGHTS):
        folder = inbox / night.isoformat() / "79001"
        folder.mkdir(parents=True)
        for number in range(files):
            name, data = f"DPDL_{number}.xml", content(number).encode()
            if turn:
                # A second disguise in the third night: what was renamed is now re-encoded, and so on.
                name, data = disguised(number) if turn == 1 else disguised_again(number)
            else:
                first[f"79001/{name}"] = number
            (folder / name).write_bytes(data)
        run_night(small, inbox, out, night)
        assert rows(out) == [(files, files, NIGHTS[0], NIGHTS[0])], "no new row, no other copy"
    ledger = Ledger(out / "state/ledger.sqlite", "test")
    offers = ledger.rows("SELECT offer, night, path, state, duplicate_of FROM offers")
    ledger.close()
    brought = {row["offer"]: row["path"] for row in offers if row["night"] == "2026-03-02"}
    again = [row for row in offers if row["night"] != "2026-03-02"]
    assert len(brought) == files and len(again) == 2 * files
    assert {row["state"] for row in again} == {"DUPLICATE"}
    for row in again:
        assert brought[row["duplicate_of"]] == f"79001/DPDL_{number_of(row['path'])}.xml"
    receipts = [
        json.loads(path.read_text("utf-8"))
        for night in NIGHTS[1:]
        for path in (out / "receipts" / night.isoformat() / "79001").glob("*.json")
    ]
    assert len(receipts) == 2 * files
    assert all(one["duplicate_of"]["night"] == "2026-03-02" for one in receipts)


def disguised_again(number: int) -> tuple[str, bytes]:
    name, data = disguised(number + 1)
    name = name.replace(str(number + 1), f"lan3_{number}")
    text = content(number)
    if "utf16" in name and name.endswith(".zip"):
        data = zipped("khac.xml", text.replace("utf-8", "utf-16", 1).encode("utf-16"))
    elif name.endswith(".zip"):
        data = zipped("khac.xml", text.encode())
    elif "utf16" in name:
        data = text.replace("utf-8", "utf-16", 1).encode("utf-16")
    else:
        data = (b"\xef\xbb\xbf" if "bom" in name else b"") + text.encode()
    return name, data


def number_of(path: str) -> int:
    return int(path.rsplit("_", 1)[1].split(".")[0])
