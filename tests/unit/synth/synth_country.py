"""Invented countries for the tests of the generator, and a reader that knows nothing of it."""

from __future__ import annotations

import base64
import datetime
import gzip
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from lxml import etree

from datasach.synth import Summary, generate

PROJECT = Path(__file__).resolve().parents[3]
REFERENCE = PROJECT / "datasets" / "_reference"
FIRST = datetime.date(2026, 3, 2)
NIGHTS = [FIRST + datetime.timedelta(n) for n in range(3)]
DEMO = {"facilities": 12, "persons": 12_000, "visits_per_night": 250}


@dataclass
class Country:
    inbox: Path
    truth: Path
    summary: Summary

    def table(self, name: str) -> pl.DataFrame:
        return pl.concat(
            [pl.read_parquet(p) for p in sorted((self.truth / name).glob("*.parquet"))]
        )


@dataclass
class Unit:
    """One HOSO as read back: table → rows, each a dict of tag → text."""

    file: str
    member: str
    facility: str
    unit: int
    tables: dict[str, list[dict[str, str]]]


def make(folder: Path, **changes: object) -> Country:
    arguments = {"reference": REFERENCE, "seed": 1, "nights": NIGHTS, **DEMO, **changes}
    summary = generate(folder / "inbox", folder / "truth", **arguments)  # type: ignore[arg-type]
    return Country(folder / "inbox", folder / "truth", summary)


def read_all(inbox: Path) -> Iterator[Unit]:
    """Every HOSO of every envelope that can be read."""
    for path in sorted(inbox.rglob("*")):
        if path.name.startswith(("BHXH_", "DPDL_")):
            yield from read(path, str(path.relative_to(inbox)))


def read(path: Path, file: str) -> Iterator[Unit]:
    data = path.read_bytes()
    members = [("", data)]
    if path.suffix == ".gz":
        members = [("", gzip.decompress(data))]
    elif path.suffix == ".zip" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
    for member, content in members:
        try:
            root = etree.fromstring(content)
        except etree.XMLSyntaxError:
            continue
        facility = root.findtext("THONGTINDONVI/MACSKCB")
        for number, hoso in enumerate(root.iter("HOSO"), 1):
            tables = {f.findtext("LOAIHOSO"): _rows(f.find("NOIDUNGFILE")) for f in hoso}
            yield Unit(file, member, facility, number, tables)


def _rows(content: etree._Element) -> list[dict[str, str]]:
    if len(content):
        root = content[0]
    elif content.text.startswith("<?xml"):
        root = etree.fromstring(re.sub(r"^<\?xml.*?\?>", "", content.text))
    else:
        try:
            root = etree.fromstring(base64.b64decode(content.text))
        except (ValueError, etree.XMLSyntaxError):
            return []
    records = (
        list(root[0]) if root.tag.startswith(("CHITIEU_", "CHI_TIEU_")) and len(root[0]) else [root]
    )
    return [{cell.tag: cell.text or "" for cell in record} for record in records]


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }
