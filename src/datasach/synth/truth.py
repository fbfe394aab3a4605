"""The truth beside the inbox: who is who, what is wrong where, which file is what; by night.

    records   one row per written record that names a person: file, table, unit and row as the
              engine counts them, record key, true person, related person (child of a birth)
    errors    one row per planted mistake: file, table, record, field, kind, true value
    files     one row per file: kind (normal, late, correction, …), detail, number of HOSO, night
              of the events
    people    one row per person met that night, with his true particulars

`file` is the path inside the inbox. `member` and `sha256` name the content that was read: the
member of a zip, or what a gzip holds, or the file itself; the engine counts units and rows inside a
content, and its `files` table of the ledger has the same SHA-256, sender and channel.
"""

from __future__ import annotations

import datetime
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .mess import Planted
from .people import Person

FLUSH_ROWS = 60_000
CHANNELS = {"BHXH": "social_insurance", "DPDL": "coordination"}
README = """# Truth of an invented inbox

Everything in `{inbox}` is invented: no person, facility, product or event in it exists. These
tables say who is who and what was damaged on purpose; they lie outside the inbox because the engine
must not see them. `datasach.synth` made them with seed {seed}.

| table | one row per |
|---|---|
| `records/<night>.parquet` | written record that names a person |
| `errors/<night>.parquet` | planted mistake |
| `files/<night>.parquet` | file, with its kind |
| `people/<night>.parquet` | person met that night |
| `signatures.csv` | facility, where envelopes are signed: how it signs, and what is wrong with that |

`sha256` is the hash of a content (the file, the member of a zip, what a gzip holds); `unit` and
`row` are counted inside it. Kinds of files: normal, late, correction, withdrawal, redelivery,
damaged, repaired, stray. Mistakes in the identity fields of XML1 are repeated in the papers of the
same HOSO without being listed again. The records of a damaged file are listed with its good copy
only (kind `repaired`, the next night), unless the damage leaves them readable.

The canary person of every night is `{canary}`.
"""
SCHEMAS: dict[str, tuple[str, ...]] = {
    "records": ("night", "sender", "channel", "file", "member", "sha256", "table", "unit", "row",
                "record", "person", "related", "version"),
    "errors": ("night", "sender", "file", "table", "record", "field", "kind", "true_value"),
    "files": ("night", "sender", "file", "sha256", "kind", "detail", "units", "event_night",
              "bytes"),
    "people": ("person", "name", "born", "year_only", "sex", "citizen_id", "insurance_number",
               "phone", "commune", "province", "mother", "facility_area"),
}  # fmt: skip
WHOLE = ("unit", "row", "version", "units", "facility_area", "bytes")
DAYS = ("night", "event_night", "born")


def _schema(table: str) -> pa.Schema:
    return pa.schema(
        [
            (name, pa.int64() if name in WHOLE else pa.date32() if name in DAYS
             else pa.bool_() if name == "year_only" else pa.string())
            for name in SCHEMAS[table]
        ]
    )  # fmt: skip


@dataclass(slots=True)
class Written:
    """What one content holds; given to `NightTruth.save` together with the file's bytes."""

    member: str = ""
    sha256: str = ""  # of the content, where it is not the file itself
    records: list[tuple[str, int | None, int, str, str, str, int]] = field(default_factory=list)
    errors: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    units: int = 0

    def row(self, table: str, row: int, record: str, person: Person, wrong: list[Planted]) -> None:
        """One row of an exchange table."""
        self.records.append((table, None, row, record, person.pid, "", 1))
        self.errors.extend((table, record, *item) for item in wrong)


@dataclass
class Summary:
    """Counts of one call of `generate`, for the report and the tests."""

    files: Counter[str] = field(default_factory=Counter)
    hoso: int = 0
    visits: int = 0
    bytes: int = 0
    records: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


class NightTruth:
    """Writers of the four tables of one night. Rows go to disk every 60,000."""

    def __init__(self, folder: Path, inbox: Path, night: datetime.date, summary: Summary) -> None:
        self.inbox, self.night, self.summary = inbox, night, summary
        self.rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in SCHEMAS}
        self.writers = {}
        self.known: set[str] = set()
        self.senders: set[str] = set()
        for table in SCHEMAS:
            path = folder / table / f"{night}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            self.writers[table] = pq.ParquetWriter(path, _schema(table), compression="zstd")

    def __enter__(self) -> NightTruth:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for table, writer in self.writers.items():
            self._flush(table)
            writer.close()

    def save(
        self,
        sender: str,
        name: str,
        data: bytes,
        written: Written | Sequence[Written] = (),
        *,
        kind: str = "normal",
        detail: str = "",
        event_night: datetime.date | None = None,
    ) -> str:
        """Write `data` into the inbox and the truth about it; returns its path in the inbox."""
        folder = self.inbox / self.night.isoformat() / sender
        if sender not in self.senders:
            folder.mkdir(parents=True, exist_ok=True)
            self.senders.add(sender)
        (folder / name).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        return self.note(
            sender, name, digest, len(data), written, kind=kind, detail=detail,
            event_night=event_night,
        )  # fmt: skip

    def note(
        self,
        sender: str,
        name: str,
        digest: str,
        size: int,
        written: Written | Sequence[Written] = (),
        *,
        kind: str = "normal",
        detail: str = "",
        event_night: datetime.date | None = None,
    ) -> str:
        """The truth of a file that is already in the inbox."""
        file = f"{self.night}/{sender}/{name}"
        contents = (written,) if isinstance(written, Written) else written
        units = sum(content.units for content in contents)
        night, summary = self.night, self.summary
        channel = CHANNELS.get(name[:4], "")
        self._add(
            "files",
            [(night, sender, file, digest, kind, detail, units, event_night or night, size)],
        )
        for content in contents:
            sha, member = content.sha256 or digest, content.member
            self._add(
                "records",
                [
                    (night, sender, channel, file, member, sha, *record)
                    for record in content.records
                ],
            )
            self._add("errors", [(night, sender, file, *error) for error in content.errors])
            summary.records.update([record[0] for record in content.records])
            summary.errors.update([error[3] for error in content.errors])
        summary.files[kind] += 1
        summary.bytes += size
        summary.hoso += units
        return file

    def many(
        self, table: str, sender: str, file: str, sha256: str, before: int, books: pa.Array
    ) -> None:
        """Records of a whole row group of health books; their keys hold the person's number."""
        count = len(books)
        person = pc.binary_join_element_wise("P", pc.utf8_slice_codeunits(books, 3, 12), "")
        fixed = {
            "night": pa.array([self.night] * count, pa.date32()), "sender": sender,
            "channel": "", "file": file, "member": "", "sha256": sha256, "table": table,
            "unit": pa.nulls(count, pa.int64()),
            "row": pa.array(range(before + 1, before + 1 + count), pa.int64()), "record": books,
            "person": person, "related": "", "version": pa.array([1] * count, pa.int64()),
        }  # fmt: skip
        schema = _schema("records")
        columns = [
            pa.array([fixed[n]] * count, pa.string()) if isinstance(fixed[n], str) else fixed[n]
            for n in schema.names
        ]
        self._flush("records")
        self.writers["records"].write_table(pa.Table.from_arrays(columns, schema=schema))
        self.summary.records[table] += count

    def error(
        self, sender: str, file: str, table: str, record: str, field: str, kind: str, true: str
    ) -> None:
        self._add("errors", [(self.night, sender, file, table, record, field, kind, true)])
        self.summary.errors[kind] += 1

    def person(self, person: Person) -> None:
        if person.pid in self.known:
            return
        self.known.add(person.pid)
        self._add(
            "people",
            [(person.pid, person.name, person.born, person.year_only, person.sex,
              person.citizen_id, person.insurance_number, person.phone, person.ward.new_code,
              person.ward.new_province, person.mother_pid, person.area)],
        )  # fmt: skip

    def _add(self, table: str, rows: list[tuple[object, ...]]) -> None:
        self.rows[table].extend(rows)
        if len(self.rows[table]) >= FLUSH_ROWS:
            self._flush(table)

    def _flush(self, table: str) -> None:
        rows = self.rows[table]
        if rows:
            schema = _schema(table)
            columns = [
                pa.array(values, type=kind)
                for values, kind in zip(zip(*rows, strict=True), schema.types, strict=True)
            ]
            self.writers[table].write_table(pa.Table.from_arrays(columns, schema=schema))
            self.rows[table] = []


def write_signatures(folder: Path, fates: dict[str, str]) -> None:
    """How each facility signs, as a list beside the nights' truth."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["facility,fate", *(f"{code},{fate}" for code, fate in sorted(fates.items()))]
    (folder / "signatures.csv").write_text("\n".join(lines) + "\n", "utf-8")
