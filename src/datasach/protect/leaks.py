"""Looking for identifiers where none may be: in files, archives, databases, logs.

Canaries are values planted in what was sent; each is looked for as written, folded (case, marks,
punctuation), as base64 at every offset, URL-encoded, escaped for JSON, XML and HTML, in UTF-16, and as
an unkeyed hash. Every file is read as raw bytes and, if it is one, as what it holds: gzip, zip and
xlsx, bz2, xz, zstd, tar, Parquet, Arrow, SQLite (deleted rows too, for the raw bytes are read), DuckDB.

Beside that, numbers that would be a citizen id, a card or a mobile number are counted: suspicions, not
proofs. Places and counts are told, a value never.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import html
import io
import json
import lzma
import re
import sqlite3
import tarfile
import unicodedata
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from datasach.errors import SpecError
from datasach.protect.columns import CITIZEN_PROVINCES
from datasach.vn.text import fold

CHUNK = 4 << 20
BATCH = 32 << 20
"""Bytes searched at once."""
MAX_DEPTH = 6
MAX_UNPACKED = 4 << 30
"""Bytes unpacked from one file, so that a bomb ends the reading of that file and not of the machine."""
SHORTEST = 6
"""Characters; a shorter canary would be found by chance."""

RESTRICTED = (
    "landing", "published", "quarantine", "zones/restricted", "state/standard", "state/changes",
    "state/raw", "state/results", "state/rejects", "state/units", "state/link", "state/history",
    "state/scratch", "state/ledger.sqlite", "state/ledger.sqlite-wal", "state/ledger.sqlite-shm",
)  # fmt: skip
"""What may hold them: everything else of a warehouse is searched. The ledger, because the name of a file is
as its sender gave it; no report prints it but the sender's own receipt."""

PATTERNS: dict[str, re.Pattern[str]] = {
    "citizen_id": re.compile(rf"(?<![0-9A-Za-z.])(?:{CITIZEN_PROVINCES})[0-3][0-9]{{8}}(?![0-9A-Za-z])"),
    "card": re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}[1-5][0-9]{12}(?![0-9A-Za-z])"),
    "phone": re.compile(r"(?<![0-9A-Za-z.])0[35789][0-9]{8}(?![0-9A-Za-z])"),
}  # fmt: skip


@dataclass(slots=True)
class Found:
    """`canaries`: place → how many different canaries; `patterns`: place → kind → how many; `unread`: place → why."""

    canaries: dict[str, int] = field(default_factory=dict)
    patterns: dict[str, Counter[str]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    files: int = 0
    bytes: int = 0
    forms: Counter[str] = field(default_factory=Counter)
    """In which form canaries were found, over all places."""


class Needles:
    """Every form of every canary, ready to be searched for all at once (Aho-Corasick)."""

    def __init__(self, canaries: Iterable[str]) -> None:
        self.raw: dict[str, tuple[int, str]] = {}
        self.folded: dict[str, int] = {}
        self.digits: dict[str, int] = {}
        self.count = 0
        for number, canary in enumerate(dict.fromkeys(c.strip() for c in canaries)):
            if len(canary) < SHORTEST:
                continue
            self.count += 1
            for form, data in _forms(canary):
                self.raw.setdefault(data.decode("latin-1"), (number, form))
            if len(key := fold(canary)) >= SHORTEST:
                self.folded.setdefault(f" {key} ", number)
            digits = re.sub(r"\D", "", canary)
            if len(digits) >= 9:
                self.digits.setdefault(digits, number)
                # A numeric column eats the first zero.
                self.digits.setdefault(digits.lstrip("0"), number)
        self.longest = max(map(len, (*self.raw, *self.folded)), default=0)

    def search(self, pieces: list[bytes]) -> list[dict[int, str]]:
        """For each piece: canary number → form. Many pieces at once, for the automaton is built each time."""
        found: list[dict[int, str]] = [{} for _ in pieces]
        if not self.raw:
            return found
        for at, hits in _hits([piece.decode("latin-1") for piece in pieces], list(self.raw)):
            for hit in hits:
                found[at].setdefault(*self.raw[hit])
        texts = [piece.decode("utf-8", "replace") for piece in pieces]
        for at, hits in _hits([f" {fold_fast(text)} " for text in texts], list(self.folded)):
            for hit in hits:
                found[at].setdefault(self.folded[hit], "folded")
        # A number may be written in groups: 0790 8501 2345, 091.234.5678.
        for at, hits in _hits([_GROUPED.sub("", text) for text in texts], list(self.digits)):
            for hit in hits:
                found[at].setdefault(self.digits[hit], "grouped")
        return found


_GROUPED = re.compile(r"(?<=[0-9])[ .\-/_](?=[0-9])")
_SPLIT_BASE64 = re.compile(rb"(?<=[A-Za-z0-9+/]{60})\r?\n(?=[A-Za-z0-9+/=])")


def _hits(texts: list[str], needles: list[str]) -> Iterator[tuple[int, set[str]]]:
    """(number of the text, needles in it), for texts that hold any."""
    if not needles:
        return
    series = pl.Series(texts)
    for at in series.str.contains_any(needles).arg_true().to_list():
        hits: pl.Series = series.slice(at, 1).str.extract_many(needles, overlapping=True)
        yield at, set(hits[0])


def fold_fast(text: str) -> str:
    """`vn.text.fold`, with the common case of plain ASCII done quickly."""
    if text.isascii():
        return _NOT_WORD.sub(" ", text.lower())
    return fold(text)


_NOT_WORD = re.compile(r"[^a-z0-9]+")


def _forms(canary: str) -> Iterator[tuple[str, bytes]]:
    """(name of the form, bytes to look for)."""
    spellings = {
        canary, unicodedata.normalize("NFC", canary), unicodedata.normalize("NFD", canary),
        canary.lower(), canary.upper(), fold(canary), fold(canary).upper(),
    }  # fmt: skip
    for text in sorted(spellings):
        data = text.encode()
        yield "plain", data
        for encoding in ("utf-16-le", "utf-16-be"):
            yield "utf-16", text.encode(encoding)
        for offset in range(3):
            yield from (("base64", core) for core in _base64_cores(data, offset))
        yield "url", quote(text).encode()
        yield "url", quote_plus(text).encode()
        yield "url", quote(text).lower().encode()
        yield "json", json.dumps(text)[1:-1].encode()
        yield "json", json.dumps(text)[1:-1].upper().replace("\\U", "\\u").encode()
        yield "html", html.escape(text).encode()
        yield "html", "".join(c if c.isascii() else f"&#{ord(c)};" for c in text).encode()
        yield "html", "".join(c if c.isascii() else f"&#x{ord(c):x};" for c in text).encode()
        yield "hex", data.hex().encode()
        for kind in ("md5", "sha1", "sha256", "sha512"):
            yield "hash", hashlib.new(kind, data, usedforsecurity=False).hexdigest().encode()


def _base64_cores(data: bytes, offset: int) -> set[bytes]:
    """The characters of base64 that are the same whatever stands before and after `data`."""
    encoded = base64.b64encode(b"\0" * offset + data)
    first = (offset * 8 + 5) // 6
    whole = (offset + len(data)) * 8 // 6
    core = encoded[first:whole]
    return {core, core.replace(b"+", b"-").replace(b"/", b"_")} if len(core) >= SHORTEST else set()


# -- reading ---------------------------------------------------------------------------------------


class _TooMuch(Exception):
    pass


class _Reader:
    """Reads one file and everything inside it."""

    def __init__(self, needles: Needles, patterns: bool, found: Found) -> None:
        self.needles, self.with_patterns, self.found = needles, patterns, found
        self.counts_patterns = patterns
        self.unpacked = 0
        self.waiting: list[tuple[str, bytes]] = []
        self.waiting_bytes = 0
        self.seen: dict[str, set[int]] = defaultdict(set)

    def file(self, path: Path, name: str) -> None:
        self.unpacked = 0
        self.found.files += 1
        self.words(name.encode("utf-8", "surrogateescape"), name + " (name)")
        try:
            with path.open("rb") as handle:
                head = handle.read(64)
                handle.seek(0)
                # Bytes of a container side by side look like numbers that are not there.
                self.counts_patterns = self.with_patterns and _kind(head) is None
                self.stream(handle, name, raw=True)
            self.counts_patterns = self.with_patterns
            self.inside(path, head, name)
        except _TooMuch:
            self.found.unread[name] = f"more than {MAX_UNPACKED >> 30} GiB inside"
        except OSError as error:
            self.found.unread[name] = error.strerror or type(error).__name__

    def stream(
        self, handle: io.BufferedIOBase | io.RawIOBase, name: str, raw: bool = False
    ) -> None:
        tail = b""
        while data := handle.read(CHUNK):
            self.count(len(data), raw)
            self.words(tail + data, name, len(tail))
            tail = data[-(4 * self.needles.longest + 64) :]

    def count(self, size: int, raw: bool = False) -> None:
        self.found.bytes += size
        if not raw:
            self.unpacked += size
            if self.unpacked > MAX_UNPACKED:
                raise _TooMuch

    def words(self, data: bytes, name: str, seen: int = 0) -> None:
        """Look at `data`, of which the first `seen` bytes were looked at before; answers come with `settle`."""
        self.waiting.append((name, data))
        if _SPLIT_BASE64.search(data):
            self.waiting.append((name, _SPLIT_BASE64.sub(b"", data)))
        self.waiting_bytes += len(data)
        if self.waiting_bytes > BATCH:
            self.settle()
        if self.counts_patterns:
            text = data[max(0, seen - 20) :].decode("latin-1")
            for kind, pattern in PATTERNS.items():
                number = sum(1 for _ in pattern.finditer(text))
                if number:
                    self.found.patterns.setdefault(name, Counter())[kind] += number

    def settle(self) -> None:
        """Search all that waits."""
        names = [name for name, _ in self.waiting]
        for name, hits in zip(
            names, self.needles.search([d for _, d in self.waiting]), strict=True
        ):
            fresh = {number: form for number, form in hits.items() if number not in self.seen[name]}
            if fresh:
                self.seen[name] |= set(fresh)
                self.found.forms.update(fresh.values())
                self.found.canaries[name] = len(self.seen[name])
        self.waiting, self.waiting_bytes = [], 0

    def inside(self, path: Path, head: bytes, name: str, depth: int = 0) -> None:
        """What the file holds, if it is of a kind that hides text from the raw bytes."""
        reader = _kind(head)
        if reader is None:
            return
        if depth >= MAX_DEPTH:
            self.found.unread[name] = f"nested more than {MAX_DEPTH} deep"
            return
        try:
            reader(self, path, name, depth)
        except _TooMuch:
            raise
        except Exception as error:  # a broken archive is no reason to stop looking elsewhere
            self.found.unread[name] = type(error).__name__

    def member(self, handle: io.BufferedIOBase, name: str, depth: int) -> None:
        """A file inside a file: its bytes, and what it holds in turn."""
        data = handle.read(CHUNK)
        head = data[:64]
        if _kind(head) is None:
            self.count(len(data))
            self.words(data, name)
            tail = data[-(4 * self.needles.longest + 64) :]
            while data := handle.read(CHUNK):
                self.count(len(data))
                self.words(tail + data, name, len(tail))
                tail = data[-(4 * self.needles.longest + 64) :]
            return
        import tempfile

        with tempfile.NamedTemporaryFile() as copy:
            while data:
                self.count(len(data))
                copy.write(data)
                data = handle.read(CHUNK)
            copy.flush()
            with Path(copy.name).open("rb") as again:
                self.stream(again, name)
            self.inside(Path(copy.name), head, name, depth + 1)

    def table(self, columns: Iterable[tuple[str, list[str]]], name: str) -> None:
        for column, values in columns:
            text = "\n".join(values)
            self.count(len(text))
            self.words(f"{column}\n{text}\n".encode("utf-8", "surrogatepass"), f"{name}:{column}")


def _gzip(reader: _Reader, path: Path, name: str, depth: int) -> None:
    with gzip.open(path) as handle:
        reader.member(handle, f"{name}!", depth)


def _bz2(reader: _Reader, path: Path, name: str, depth: int) -> None:
    with bz2.open(path) as handle:
        reader.member(handle, f"{name}!", depth)


def _xz(reader: _Reader, path: Path, name: str, depth: int) -> None:
    with lzma.open(path) as handle:
        reader.member(handle, f"{name}!", depth)


def _zstd(reader: _Reader, path: Path, name: str, depth: int) -> None:
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as handle:
        reader.member(handle, f"{name}!", depth)


def _zip(reader: _Reader, path: Path, name: str, depth: int) -> None:
    with zipfile.ZipFile(path) as archive:
        reader.words("\n".join(archive.namelist()).encode("utf-8", "replace"), f"{name}!")
        for member in archive.infolist():
            if not member.is_dir():
                with archive.open(member) as handle:
                    # The member's own name could be an identifier: its place is told by number.
                    reader.member(handle, f"{name}!{archive.infolist().index(member) + 1}", depth)  # type: ignore[arg-type]


def _tar(reader: _Reader, path: Path, name: str, depth: int) -> None:
    with tarfile.open(path) as archive:
        for number, member in enumerate(archive, 1):
            reader.words(member.name.encode("utf-8", "surrogateescape"), f"{name}!")
            if member.isfile() and (handle := archive.extractfile(member)):
                reader.member(handle, f"{name}!{number}", depth)  # type: ignore[arg-type]


def _parquet(reader: _Reader, path: Path, name: str, depth: int) -> None:
    file = pq.ParquetFile(path)
    reader.words(str(file.schema_arrow.metadata or "").encode(), f"{name}:metadata")
    for batch in file.iter_batches(batch_size=50_000):
        reader.table(_texts(batch), name)


def _arrow(reader: _Reader, path: Path, name: str, depth: int) -> None:
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as file:
        for number in range(file.num_record_batches):
            reader.table(_texts(file.get_batch(number)), name)


def _texts(batch: pa.RecordBatch) -> Iterator[tuple[str, list[str]]]:
    for column, values in zip(batch.schema.names, batch.columns, strict=True):
        try:
            texts = values.cast(pa.large_string()).to_pylist()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            texts = [None if value is None else str(value) for value in values.to_pylist()]
        yield column, [text for text in texts if text is not None]


def _sqlite(reader: _Reader, path: Path, name: str, depth: int) -> None:
    # Its raw bytes were read already: they hold deleted rows, but split values that overflow a page.
    con = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    con.text_factory = lambda data: data.decode("utf-8", "replace")
    try:
        tables = [
            row[0] for row in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in tables:
            quoted = '"' + table.replace('"', '""') + '"'
            cursor = con.execute(f"SELECT * FROM {quoted}")
            names = [column[0] for column in cursor.description]
            while rows := cursor.fetchmany(5_000):
                for index, column in enumerate(names):
                    cells = [row[index] for row in rows if row[index] is not None]
                    texts = [c.decode("latin-1") if isinstance(c, bytes) else str(c) for c in cells]
                    reader.table([(column, texts)], f"{name}:{table}")
    finally:
        con.close()


def _duckdb(reader: _Reader, path: Path, name: str, depth: int) -> None:
    with duckdb.connect(str(path), read_only=True) as con:
        tables = con.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        for schema, table in tables:
            cursor = con.execute(f'SELECT COLUMNS(*)::VARCHAR FROM "{schema}"."{table}"')
            names = [column[0] for column in cursor.description]
            while rows := cursor.fetchmany(5_000):
                for index, column in enumerate(names):
                    texts = [row[index] for row in rows if row[index] is not None]
                    reader.table([(column, texts)], f"{name}:{table}")


def _kind(head: bytes):  # type: ignore[no-untyped-def]
    for at, magic, reader in _KINDS:
        if head[at : at + len(magic)] == magic:
            return reader
    return None


_KINDS = (
    (0, b"\x1f\x8b", _gzip),
    (0, b"PK\x03\x04", _zip),
    (0, b"BZh", _bz2),
    (0, b"\xfd7zXZ\0", _xz),
    (0, b"\x28\xb5\x2f\xfd", _zstd),
    (0, b"PAR1", _parquet),
    (0, b"ARROW1", _arrow),
    (0, b"SQLite format 3\0", _sqlite),
    (8, b"DUCK", _duckdb),
)


# -- where to look ---------------------------------------------------------------------------------


def read_canaries(path: Path | None) -> list[str]:
    """One a line; blank lines and lines that begin with # left out."""
    if path is None:
        return []
    lines = path.read_text("utf-8-sig").splitlines()
    found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if short := sum(len(canary) < SHORTEST for canary in found):
        raise SpecError(
            f"{path.name}: {short} canaries are shorter than {SHORTEST} characters: chance would find them"
        )
    return found


def scan(
    paths: Iterable[Path], canaries: Path | None, patterns: bool = True, skip: Iterable[Path] = ()
) -> Found:
    """Search every file of `paths` (folders are walked, symbolic links not followed)."""
    found = Found()
    reader = _Reader(Needles(read_canaries(canaries)), patterns, found)
    skipped = [path.resolve() for path in skip]
    for start in paths:
        for path in _walk(start, skipped):
            name = str(path.relative_to(start.parent)) if path != start else start.name
            reader.file(path, name)
    reader.settle()
    return found


def scan_warehouse(out: Path, canaries: Path | None, patterns: bool = True) -> Found:
    """Search all of a warehouse but its restricted zone and the receipts, which are the senders' own."""
    root = out.resolve()
    return scan([root], canaries, patterns, [root / name for name in (*RESTRICTED, "receipts")])


def _walk(start: Path, skipped: list[Path]) -> Iterator[Path]:
    if start.is_file():
        yield start
        return
    for path in sorted(start.iterdir()):
        if path.is_symlink() or path.resolve() in skipped:
            continue
        if path.is_dir():
            yield from _walk(path, skipped)
        elif path.is_file():
            yield path


def report_text(found: Found) -> str:
    """Places and counts. Names of files that held a canary in their name are not told."""
    lines = [f"{found.files} tệp, {found.bytes} byte đã đọc · files, bytes read"]
    for place, number in sorted(found.canaries.items()):
        shown = "(tên tệp · a file's name)" if place.endswith(" (name)") else place
        lines.append(f"RÒ RỈ · LEAK {shown}: {number} giá trị cài · planted values")
    if found.canaries:
        forms = ", ".join(f"{form} {n}" for form, n in sorted(found.forms.items()))
        lines.append(f"dạng · forms: {forms}")
    for place, kinds in sorted(found.patterns.items()):
        counted = ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items()))
        lines.append(f"nghi ngờ · suspected {place}: {counted}")
    for place, why in sorted(found.unread.items()):
        lines.append(f"không đọc được · not readable {place}: {why}")
    if not found.canaries:
        lines.append("không thấy giá trị cài nào · no planted value found")
    return "\n".join(lines)
