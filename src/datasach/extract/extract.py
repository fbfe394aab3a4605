"""One batch of landed files → raw parts, units, rejects. Runs in a worker; touches no ledger.

Each row read is written or rejected, and counted; a file that cannot be read is a result with a
code, not an exception. The caller enters the results in the ledger.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datasach.errors import DatasachError, UnreadableExtract, WarehouseDamaged
from datasach.extract import archives
from datasach.extract.apart import At, Death
from datasach.extract.arrive import Batch, FileRef
from datasach.extract.attest import attest
from datasach.extract.envelope import RowShape, Unit, read_envelope, rows_of
from datasach.extract.raw import RawPart, TaggedRows
from datasach.extract.readers import connect
from datasach.extract.tabular import read_tables
from datasach.signing.evidence import settle_evidence
from datasach.spec.project import Project
from datasach.spec.source import Source
from datasach.store import faults
from datasach.store.layout import Layout
from datasach.store.trouble import is_the_machines

UNIT_SCHEMA = pa.schema(
    [
        ("_file", pa.string()),
        ("_unit", pa.int32()),
        ("facility", pa.string()),
        ("ma_lk", pa.string()),
        ("kind", pa.string()),
        ("parts", pa.string()),
        ("vintage", pa.string()),
        ("problems", pa.string()),
    ]
)
REJECT_SCHEMA = pa.schema(
    [
        ("_file", pa.string()),
        ("table_id", pa.string()),
        ("_unit", pa.int32()),
        ("_line", pa.int64()),
        ("rows", pa.int32()),
        ("code", pa.string()),
    ]
)


@dataclass(slots=True)
class FileResult:
    """What reading one content gave."""

    file: str
    facility: str | None = None
    declared_on: str | None = None
    vintage: str | None = None
    signature: str | None = None
    certificate: str | None = None
    """SHA-256 of the signer's certificate, where there is one."""
    units_said: int | None = None
    units_read: int | None = None
    notes: set[str] = field(default_factory=set)
    read: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    code: str | None = None
    """Why the whole file was refused; None if it was read."""
    detail: str | None = None


@dataclass(slots=True)
class BatchResult:
    batch: str
    files: list[FileResult]
    tables: list[str]


def extract(project: Project, layout: Layout, batch: Batch, at: At = lambda _: None) -> BatchResult:
    """Read every file of a batch; `at` is told which file comes next.

    Writes  state/raw/<table>/<batch>.arrow, state/units/units/<batch>.parquet,
            state/rejects/rejects/<batch>.parquet
    Repeat  a second call replaces the same files: nothing is appended anywhere.
    """
    source = project.sources[batch.source]
    out = _Output(project, layout, batch.id, source)
    results = []
    with _no_collector():
        for index, ref in enumerate(batch.files):
            at(index)
            results.append(_read_one(project, source, ref, out))
        at(len(batch))
        settle_evidence(layout, ((ref.night, ref.sender) for ref in batch.files))
        return BatchResult(batch.id, results, out.close())


def refused(batch: Batch, death: Death) -> BatchResult:
    """The result of a file that ended its process each time it was read: nothing of it is kept."""
    (ref,) = batch.files
    return BatchResult(batch.id, [FileResult(ref.file, code=death.code, detail=death.detail)], [])


@contextmanager
def _no_collector() -> Iterator[None]:
    """Millions of short lists and no cycle: looking for cycles among them is a tenth of the work."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read_one(project: Project, source: Source, ref: FileRef, out: _Output) -> FileResult:
    result = FileResult(ref.file)
    rejects_before = len(out.rejects)
    try:
        if source.format == "bhyt_envelope":
            content = archives.content(ref.landed, ref.kind, ref.member)
            _read_envelope(project, source, ref, content, out, result)
        else:
            _read_tables(project, source, ref, out, result)
    except UnreadableExtract as error:
        result.code, result.detail = error.code, error.detail
    except (MemoryError, OSError, DatasachError):
        # The process is spent, the disk is, or the warehouse: not for this file to answer.
        if not ref.landed.exists():
            raise WarehouseDamaged(f"landing: the copy of {ref.sha256[:12]}… is gone") from None
        raise
    except Exception as error:
        if is_the_machines(error):
            raise
        # Whatever this content woke in a library or in us, it costs this file and no other.
        memory = isinstance(error, duckdb.OutOfMemoryException)
        result.code = "READ_TOO_LARGE" if memory else "READ_CRASHED"
        result.detail = type(error).__name__
        out.renew()
    if result.code is not None:
        # Nothing of a refused file is kept: whatever it gave before it failed is taken back.
        result.read.clear()
        result.rejected.clear()
        del out.rejects[rejects_before:]
        out.forget(ref.file)
    return result


# -- envelopes -------------------------------------------------------------------------------------


def _read_envelope(
    project: Project, source: Source, ref: FileRef, data: bytes, out: _Output, result: FileResult
) -> None:
    envelope = as_sent = read_envelope(data)
    attested = attest(project, out.layout, source, ref, data, envelope.is_signed)
    result.signature, result.certificate = attested.code, attested.certificate
    if attested.content is not None:
        envelope = read_envelope(attested.content)
    result.facility = envelope.facility
    result.declared_on = _iso_date(envelope.declared_on)
    result.units_said = envelope.units_said
    if attested.is_refused:
        raise UnreadableExtract(attested.code or "", attested.detail)
    if envelope.facility != ref.sender and ref.sender not in source.authorities:
        raise UnreadableExtract("WRONG_FACILITY", "MACSKCB is not the sender's code")
    row_numbers: Counter[str] = Counter()
    units = 0
    for unit in envelope.units:
        units += 1
        _read_unit(project, source, ref, envelope.facility, unit, row_numbers, out, result)
    result.units_read = units
    result.notes |= envelope.notes | as_sent.notes | attested.notes
    if result.units_said is not None and result.units_said != units:
        result.notes.add("COUNT_MISMATCH")


def _iso_date(text: str | None) -> str | None:
    """NGAYLAP (yyyymmdd…) as ISO text; None when it is not a real date."""
    digits = (text or "")[:8]
    if len(digits) != 8 or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])).isoformat()
    except ValueError:
        return None


def _read_unit(
    project: Project,
    source: Source,
    ref: FileRef,
    facility: str | None,
    unit: Unit,
    row_numbers: Counter[str],
    out: _Output,
    result: FileResult,
) -> None:
    read: dict[str, list[tuple[tuple[str, ...], list[str | None]]]] = {}
    problems: dict[str, str] = {}
    unreadable: list[tuple[str, str]] = []
    for part in unit.parts:
        if part.root is None:
            unreadable.append((part.table, part.problem or "PART_UNREADABLE"))
            continue
        rows, problem = rows_of(part, out.shapes[part.table])
        if not rows:
            unreadable.append((part.table, problem or "PART_NO_ROWS"))
            continue
        read[part.table] = rows
        if problem:
            problems[part.table] = problem
    ma_lk, own_facility = _key_of(read)
    for xml_table, code in unreadable:
        home = out.home(xml_table) or "unknown"
        result.read[home] += 1
        result.rejected[home] += 1
        out.rejects.append((ref.file, home, unit.number, None, 1, code))
    refused = None
    if not read:
        return
    kind = "visit" if set(read) != {"XML0"} else "checkin"
    if set(read) == {"XML12"}:
        # A medical assessment belongs to no visit: the number of its minutes is its key.
        kind, ma_lk = "assessment", _first_value(read["XML12"], "SO_BIEN_BAN")
    if ma_lk is None:
        refused = "KEY_EMPTY"
    elif own_facility is not None and own_facility != facility:
        # Otherwise one facility could replace another's records by sending their key.
        refused = "ENV-011"
    for xml_table, rows in read.items():
        table_id = out.home(xml_table)
        if table_id is None:
            result.read["unknown"] += len(rows)
            result.rejected["unknown"] += len(rows)
            out.rejects.append((ref.file, "unknown", unit.number, None, len(rows), "TABLE_UNKNOWN"))
            continue
        result.read[table_id] += len(rows)
        if refused:
            result.rejected[table_id] += len(rows)
            out.rejects.append((ref.file, table_id, unit.number, None, len(rows), refused))
            continue
        writer = out.rows(xml_table)
        problem = problems.get(xml_table)
        for tags, cells in rows:
            row_numbers[table_id] += 1
            writer.add(tags, cells, (ref.file, row_numbers[table_id], unit.number, problem))
    if refused:
        return
    codes = sorted({*problems.values(), *(code for _, code in unreadable)})
    if "XML1" not in read and kind == "visit":
        codes.append("ENV-007")
    out.units.append(
        (
            ref.file,
            unit.number,
            facility,
            ma_lk,
            kind,
            ";".join(sorted(read)),
            _vintage(read),
            ";".join(codes) or None,
        )
    )


def _key_of(read: dict[str, Any]) -> tuple[str | None, str | None]:
    """(MA_LK, MA_CSKCB as the unit's own rows say) of a unit; XML1 speaks first."""
    ma_lk = facility = None
    for table in sorted(read, key=lambda t: (t != "XML1", t)):
        tags, cells = read[table][0]
        at_key, at_facility = _places(tags)
        if ma_lk is None and at_key is not None:
            ma_lk = (cells[at_key] or "").strip() or None
        if facility is None and at_facility is not None and table in SAYS_FACILITY:
            facility = (cells[at_facility] or "").strip() or None
    return ma_lk, facility


SAYS_FACILITY = frozenset({"XML0", "XML1", "XML13", "XML14", "XML15"})
"""Tables whose MA_CSKCB is the facility that sends (in XML6 it may be another)."""


def _first_value(rows: Any, tag: str) -> str | None:
    tags, cells = rows[0]
    upper = [t.rpartition("}")[2].upper() for t in tags]
    return (cells[upper.index(tag)] or "").strip() or None if tag in upper else None


@lru_cache(maxsize=4096)
def _places(tags: tuple[str, ...]) -> tuple[int | None, int | None]:
    """Where MA_LK and MA_CSKCB stand in a layout."""
    upper = [tag.rpartition("}")[2].upper() for tag in tags]
    return tuple(upper.index(t) if t in upper else None for t in ("MA_LK", "MA_CSKCB"))  # type: ignore[return-value]


@lru_cache(maxsize=4096)
def _shows(tags: tuple[str, ...], tag: str) -> bool:
    return tag in {t.rpartition("}")[2].upper() for t in tags}


def _vintage(read: dict[str, Any]) -> str | None:
    """Which decision the unit follows, as far as its tags tell: NHOM_MAU came with 4750, XML13's
    MA_CSKCB_DEN with 3176. Null when no tag decides (then the date of the file does, later)."""
    if "XML13" in read:
        return "3176" if _shows(read["XML13"][0][0], "MA_CSKCB_DEN") else "4750"
    if "XML1" in read:
        return None if _shows(read["XML1"][0][0], "NHOM_MAU") else "130"
    if "XML0" in read:
        return "3176" if _shows(read["XML0"][0][0], "NGAY_VAO_NOI_TRU") else "130"
    return None


# -- tables ----------------------------------------------------------------------------------------


def _read_tables(
    project: Project, source: Source, ref: FileRef, out: _Output, result: FileResult
) -> None:
    for table_id, table in read_tables(
        project, source, ref, out.con, out.scratch, result, out.rejects
    ):
        out.part(table_id).write(table)


class _Output:
    """The parts of a batch while they are written; they get their names when all are whole."""

    def __init__(self, project: Project, layout: Layout, batch: str, source: Source) -> None:
        self._project, self.layout, self._batch = project, layout, batch
        self._channel = source.channel
        self._parts: dict[str, RawPart] = {}
        self._rows: dict[str, TaggedRows] = {}
        self._homes: dict[str, str | None] = {}
        self._forgotten: set[str] = set()
        self.units: list[tuple[Any, ...]] = []
        self.rejects: list[tuple[Any, ...]] = []
        self.shapes = {
            name: RowShape(e.record, e.root, tuple(f.name for f in e.fields), e.aliases)
            for name, e in project.envelopes.items()
        }
        # Of this process alone: one that outlived its run may still be writing.
        self.scratch: Path = layout.scratch(f"extract-{batch}-{os.getpid()}")
        self._con: duckdb.DuckDBPyConnection | None = None

    @property
    def con(self) -> duckdb.DuckDBPyConnection:
        """DuckDB for the readers of tables; envelopes need none."""
        if self._con is None:
            self._con = connect(self.scratch)
        return self._con

    def renew(self) -> None:
        """A connection that met an error may be beyond use."""
        if self._con is not None:
            self._con.close()
        self._con = None

    def home(self, xml_table: str) -> str | None:
        if xml_table not in self._homes:
            table = self._project.envelope_table(xml_table, self._channel)
            self._homes[xml_table] = table.id if table else None
        return self._homes[xml_table]

    def part(self, table_id: str) -> RawPart:
        if table_id not in self._parts:
            fields = self._project.tables[table_id].field_names
            self._parts[table_id] = RawPart(self.scratch / f"{table_id}.arrow", fields)
        return self._parts[table_id]

    def rows(self, xml_table: str) -> TaggedRows:
        if xml_table not in self._rows:
            table_id = self.home(xml_table)
            assert table_id is not None
            aliases = self._project.envelopes[xml_table].aliases
            self._rows[xml_table] = TaggedRows(self.part(table_id), aliases)
        return self._rows[xml_table]

    def forget(self, file: str) -> None:
        """Rows of this file are dropped when the parts are closed."""
        self._forgotten.add(file)
        self.units = [unit for unit in self.units if unit[0] != file]

    def close(self) -> list[str]:
        for rows in self._rows.values():
            rows.flush()
        for part in self._parts.values():
            part.close()
        if self._con is not None:
            self._con.close()
        written = [table_id for table_id, part in self._parts.items() if part.rows]
        for table_id in written:
            path = self.scratch / f"{table_id}.arrow"
            if self._forgotten:
                table = pa.ipc.open_file(path).read_all()
                keep = pc.invert(pc.is_in(table["_file"], pa.array(sorted(self._forgotten))))
                with pa.ipc.new_file(str(path), table.schema) as writer:
                    writer.write_table(table.filter(keep))
            self._settle(path, self.layout.raw(table_id, self._batch))
        for name, rows_, schema in (
            ("units", self.units, UNIT_SCHEMA),
            ("rejects", self.rejects, REJECT_SCHEMA),
        ):
            columns: list[Any] = list(zip(*rows_, strict=True)) or [[] for _ in schema]
            arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
            path = self.scratch / f"{name}.parquet"
            pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path, compression="zstd")
            self._settle(path, self.layout.part(name, name, self._batch))
        shutil.rmtree(self.scratch, ignore_errors=True)
        return sorted(written)

    @staticmethod
    def _settle(path: Path, home: Path) -> None:
        home.parent.mkdir(parents=True, exist_ok=True)
        faults.point("reader.settle")
        path.replace(home)
