"""The ledger: every file that arrived, every content that was read, every state it went through.

States of a file: RECEIVED → DUPLICATE | REJECTED | QUARANTINED | VERIFIED → INGESTED → VALIDATED →
PUBLISHED → SUPERSEDED. The ledger decides what is done; a runner's own memory is only a view.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import polars as pl

from datasach import settings
from datasach.store import faults

STATES = (
    "RECEIVED", "DUPLICATE", "REJECTED", "QUARANTINED", "VERIFIED",
    "INGESTED", "VALIDATED", "PUBLISHED", "SUPERSEDED",
)  # fmt: skip


def file_id(sha256: str, channel: str | None, sender: str) -> str:
    """Id of a content as one sender sent it in one channel: 16 hex digits.

    The same bytes in the other channel are the other channel's copy of the visits, not a duplicate; and
    another sender's copy must never stand in for the sender's own (it may have been refused).
    """
    return hashlib.sha256(f"{sha256}|{channel or ''}|{sender}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Offer:
    """A file found in the inbox, as it is entered."""

    night: str
    sender: str
    path: str
    size: int
    mtime_ns: int
    sha256: str


@dataclass(slots=True)
class FileRow:
    """One content to be read (or refused)."""

    file: str
    sha256: str
    offer: int
    member: str | None
    size: int
    night: str
    sender: str
    source: str | None = None
    channel: str | None = None
    facility: str | None = None
    declared_on: str | None = None
    vintage: str | None = None
    signature: str | None = None
    units_said: int | None = None
    units_read: int | None = None
    notes: str = ""
    state: str = "RECEIVED"
    code: str | None = None
    detail: str | None = None
    batch: str | None = None


AT_ONCE = 50_000


class Ledger:
    """One connection to the ledger of a warehouse, on behalf of one run."""

    def __init__(self, path: Path, run: str) -> None:
        self.run = run
        # Used by one step at a time, though a runner may give each step another thread.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.executescript((package_files("datasach.store") / "ledger.sql").read_text("utf-8"))

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or none of it."""
        faults.point("ledger.begin")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            faults.point("ledger.commit")
            self._db.execute("COMMIT")
        except BaseException:
            # SQLite has taken it back itself where the disk was full.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        faults.point("ledger.committed")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        return self._db.execute(sql, parameters).fetchall()

    def frame(
        self, sql: str, schema: dict[str, Any], parameters: Sequence[Any] = ()
    ) -> pl.DataFrame:
        """A query's rows with these columns. A nation's ledger has millions: they come by and by, and never stand
        in memory as objects."""
        cursor = self._db.cursor()
        cursor.row_factory = None
        cursor.execute(sql, parameters)
        parts = [pl.DataFrame(schema=schema)]
        while rows := cursor.fetchmany(AT_ONCE):
            parts.append(pl.DataFrame(rows, schema=schema, orient="row"))
        return pl.concat(parts)

    # -- runs ----------------------------------------------------------------------------------

    def begin_run(self, night: str, fingerprint: str, version: str) -> None:
        # We hold the warehouse: a run that has not ended is one that died.
        self._db.execute("UPDATE runs SET outcome = 'died' WHERE ended_at IS NULL")
        self._db.execute(
            "INSERT INTO runs (run, night, started_at, fingerprint, version) VALUES (?, ?, ?, ?, ?)",
            (self.run, night, settings.now().isoformat(), fingerprint, version),
        )

    def end_run(self, snapshot: str | None, outcome: str) -> None:
        self._db.execute(
            "UPDATE runs SET ended_at = ?, snapshot = ?, outcome = ? WHERE run = ?",
            (settings.now().isoformat(), snapshot, outcome, self.run),
        )

    def fingerprint_before(self) -> str | None:
        """Fingerprint of the declarations of the last run that came to its end; None before the first."""
        found = self.rows(
            "SELECT fingerprint FROM runs WHERE outcome IN ('published', 'withheld') AND run <> ?"
            " ORDER BY rowid DESC LIMIT 1",
            (self.run,),
        )
        return str(found[0][0]) if found else None

    def newest_night(self) -> str | None:
        """The newest night of which anything has arrived, or that was run to its end; None before the first."""
        (row,) = self.rows(
            "SELECT max(night) FROM (SELECT night FROM offers UNION ALL"
            " SELECT night FROM runs WHERE outcome IN ('published', 'withheld'))"
        )
        return str(row[0]) if row[0] else None

    # -- arrival -------------------------------------------------------------------------------

    def seen(self) -> set[tuple[str, str, int, int]]:
        """(night, path, size, mtime) of every file entered so far: these need not be hashed again.

        One that could not be opened is none of them: it may be readable now.
        """
        sql = (
            "SELECT night, path, size, mtime_ns FROM offers"
            " WHERE code IS NULL OR code <> 'FILE_NOT_READABLE'"
        )
        return {tuple(row) for row in self.rows(sql)}

    def offered_before(self, offer: Offer) -> bool:
        sql = "SELECT 1 FROM offers WHERE night = ? AND path = ? AND sha256 = ?"
        return bool(self.rows(sql, (offer.night, offer.path, offer.sha256)))

    def enter(self, offer: Offer) -> int:
        cursor = self._db.execute(
            "INSERT INTO offers (night, sender, path, size, mtime_ns, sha256, run, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 'RECEIVED')",
            (
                offer.night,
                offer.sender,
                offer.path,
                offer.size,
                offer.mtime_ns,
                offer.sha256,
                self.run,
            ),
        )
        number = int(cursor.lastrowid or 0)
        self.event(number, None, "RECEIVED")
        return number

    def move_offer(
        self, offer: int, state: str, code: str | None = None, detail: str | None = None,
        duplicate_of: int | None = None,
    ) -> None:  # fmt: skip
        self._db.execute(
            "UPDATE offers SET state = ?, code = ?, detail = ?, duplicate_of = ? WHERE offer = ?",
            (state, code, detail, duplicate_of, offer),
        )
        self.event(offer, None, state, code)

    def offer_of(self, file: str) -> int | None:
        """The offer that first brought this content; None if it is new."""
        found = self.rows("SELECT offer FROM files WHERE file = ?", (file,))
        return int(found[0][0]) if found else None

    def add_file(self, row: FileRow) -> None:
        names = list(FileRow.__dataclass_fields__)
        marks = ", ".join("?" * len(names))
        values = [getattr(row, name) for name in names]
        self._db.execute(f"INSERT INTO files ({', '.join(names)}) VALUES ({marks})", values)
        self.event(row.offer, row.file, row.state, row.code)

    def add_copy(self, offer: int, member: str | None, file: str) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO copies (offer, member, file) VALUES (?, ?, ?)",
            (offer, member or "", file),
        )

    def claim(self, old: str, file: str, source: str, channel: str) -> None:
        """A content nobody knew what to do with has found its source: its id, which names its channel,
        changes; what happened to it so far goes with it. To be called inside a transaction."""
        (row,) = self.rows("SELECT * FROM files WHERE file = ?", (old,))
        known = self.offer_of(file)
        if known is None:
            names = list(FileRow.__dataclass_fields__)
            facts = {name: row[name] for name in names} | {
                "file": file, "source": source, "channel": channel, "state": "RECEIVED",
                "code": None, "detail": None,
            }  # fmt: skip
            self.add_file(FileRow(**facts))
            self.move_offer(row["offer"], "RECEIVED")
        else:
            self.add_copy(row["offer"], row["member"], file)
            rest = self.rows(
                "SELECT 1 FROM files WHERE offer = ? AND file <> ?", (row["offer"], old)
            )
            if not rest and known != row["offer"]:
                self.move_offer(row["offer"], "DUPLICATE", "SAME_CONTENT", duplicate_of=known)
        for table in ("copies", "events"):
            self._db.execute(f"UPDATE OR IGNORE {table} SET file = ? WHERE file = ?", (file, old))
        self._db.execute("DELETE FROM files WHERE file = ?", (old,))

    # -- reading -------------------------------------------------------------------------------

    def move_file(self, file: str, state: str, code: str | None = None, **facts: Any) -> None:
        """Set the state of a content, with what was learned about it."""
        facts = {"state": state, "code": code, **facts}
        assignments = ", ".join(f"{name} = ?" for name in facts)
        self._db.execute(f"UPDATE files SET {assignments} WHERE file = ?", (*facts.values(), file))
        self.event(None, file, state, code)

    def move_files(self, files: Iterable[str], state: str) -> None:
        """Move many files to `state`; those that are there already leave no event."""
        for file in files:
            changed = self._db.execute(
                "UPDATE files SET state = ? WHERE file = ? AND state <> ?", (state, file, state)
            ).rowcount
            if changed:
                self.event(None, file, state)

    def add_signer(self, file: str, certificate: str) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO signers (file, certificate) VALUES (?, ?)", (file, certificate)
        )

    def read_again(self, batch: str) -> int:
        """Forget that a batch was read: its contents wait to be read once more. Returns how many they are."""
        files = [
            str(row[0]) for row in self.rows("SELECT file FROM files WHERE batch = ?", (batch,))
        ]
        for file in files:
            for table in ("counts", "signers"):
                self._db.execute(f"DELETE FROM {table} WHERE file = ?", (file,))
            self.move_file(file, "RECEIVED", batch=None, detail=None, signature=None, notes="")
        self._db.execute("DELETE FROM batches WHERE batch = ?", (batch,))
        return len(files)

    def add_counts(self, file: str, table: str, read: int, rejected: int) -> None:
        self._db.execute(
            "INSERT INTO counts (file, table_id, read, rejected) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (file, table_id) DO UPDATE SET read = excluded.read, rejected = excluded.rejected",
            (file, table, read, rejected),
        )

    def add_batch(self, batch: str, night: str, source: str) -> None:
        self._db.execute(
            # The same files may be read once more: a server that was down, a run that died.
            "INSERT INTO batches (batch, night, source, layer, run) VALUES (?, ?, ?, 'raw', ?)"
            " ON CONFLICT (batch) DO UPDATE SET layer = 'raw', run = excluded.run",
            (batch, night, source, self.run),
        )

    def move_batch(self, batch: str, layer: str) -> None:
        self._db.execute("UPDATE batches SET layer = ? WHERE batch = ?", (layer, batch))

    def batches(self, layer: str | None = None) -> list[str]:
        """Batches that reached `layer` (any, if None), oldest night first."""
        sql = "SELECT batch FROM batches WHERE ? IS NULL OR layer = ? ORDER BY night, batch"
        return [str(row[0]) for row in self.rows(sql, (layer, layer))]

    def event(
        self, offer: int | None, file: str | None, state: str, code: str | None = None
    ) -> None:
        self._db.execute(
            "INSERT INTO events (at, run, offer, file, state, code) VALUES (?, ?, ?, ?, ?, ?)",
            (settings.now().isoformat(), self.run, offer, file, state, code),
        )
