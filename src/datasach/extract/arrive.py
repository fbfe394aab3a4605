"""Arrival: every file of the inbox is copied, hashed, entered in the ledger, and given to a source.

What can be refused on arrival is refused here: duplicates, broken archives, files nobody can read.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from datasach.errors import SpecError, UnreadableExtract
from datasach.extract import archives, recognise
from datasach.extract.readers import readers
from datasach.spec.project import Project
from datasach.spec.source import Options, Source
from datasach.store.landing import land
from datasach.store.layout import Layout
from datasach.store.ledger import FileRow, Ledger, Offer, file_id

SENDER = re.compile(r"[A-Za-z0-9_-]{1,20}")
MAX_FILE_BYTES = 8 * 2**30
TOGETHER = 200
"""Files entered in one transaction: each commit waits for the disk."""
HEAD = 8192
"""Bytes of a content that are looked at to recognise it."""
BATCH_FILES = {"bhyt_envelope": 2_000}
BATCH_BYTES = {"bhyt_envelope": 48 * 2**20}
TABULAR_FILES, TABULAR_BYTES = 200, 256 * 2**20


@dataclass(frozen=True, slots=True)
class FileRef:
    """A content to be read by a worker: where it is and whose it is."""

    file: str
    sha256: str
    landed: Path
    kind: str
    member: str | None
    sender: str
    night: str
    size: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Files of one night and one source that are read together; parts carry its id."""

    id: str
    night: str
    source: str
    files: tuple[FileRef, ...]

    @property
    def bytes(self) -> int:
        return sum(ref.size for ref in self.files)


def nights_of(inbox: Path, until: date) -> list[Path]:
    """Night folders of the inbox up to and including `until`, oldest first."""
    if not inbox.is_dir():
        raise SpecError(f"there is no inbox folder {inbox}")
    found = []
    for folder in sorted(inbox.iterdir()):
        try:
            night = date.fromisoformat(folder.name)
        except ValueError:
            continue
        if folder.is_dir() and night <= until:
            found.append(folder)
    return found


def arrive(
    project: Project,
    layout: Layout,
    ledger: Ledger,
    inbox: Path,
    until: date,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Enter every new file of every night up to `until`; returns how many were new.

    A file seen before (same place, size and time) is not touched. A crash leaves whole entries only.
    """
    seen = ledger.seen()
    new = 0
    for folder in nights_of(inbox, until):
        files = list(_files_below(folder))
        for start in range(0, len(files), TOGETHER):
            with ledger.transaction():
                for sender, path in files[start : start + TOGETHER]:
                    name = _shown(path.relative_to(folder))
                    status = path.lstat()
                    if (folder.name, name, status.st_size, status.st_mtime_ns) not in seen:
                        new += _enter(project, layout, ledger, folder.name, sender, path, name)
            progress(new)
    return new


def _files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    for sender in sorted(p for p in folder.iterdir() if p.is_dir() and not p.is_symlink()):
        for path in sorted(sender.rglob("*")):
            if not path.is_dir():
                yield sender.name, path


def _shown(path: Path) -> str:
    """The path as text that can be stored and printed: bytes that are not UTF-8, and controls, escaped."""
    text = str(path).encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _enter(
    project: Project, layout: Layout, ledger: Ledger, night: str, sender: str, path: Path, name: str
) -> int:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
        # Nothing to copy: the entry names what was there, by a hash of the name.
        digest = hashlib.sha256(name.encode()).hexdigest()
        offer = Offer(night, sender, name, status.st_size, status.st_mtime_ns, digest)
        if ledger.offered_before(offer):
            return 0
        code = "FILE_TOO_BIG" if stat.S_ISREG(status.st_mode) else "FILE_NOT_REGULAR"
        ledger.move_offer(ledger.enter(offer), "REJECTED", code)
        return 1
    sha256, size = land(path, layout)
    offer = Offer(night, sender, name, size, status.st_mtime_ns, sha256)
    if ledger.offered_before(offer):
        return 0
    number = ledger.enter(offer)
    if SENDER.fullmatch(sender):
        _open(project, layout, ledger, number, offer)
    else:
        ledger.move_offer(number, "REJECTED", "SENDER_NAME")
    return 1


def _open(project: Project, layout: Layout, ledger: Ledger, number: int, offer: Offer) -> None:
    """Enter the contents of a file: itself, or each member of the archive it is. If this sender has sent
    all of them before in the same channel, the file is a duplicate, whatever it is called now."""
    landed = layout.landed(offer.sha256)
    kind = archives.kind_of(landed)
    first: int | None = None
    new = 0
    try:
        # The whole archive first: one that breaks off in the middle enters nothing.
        for member, sha256, size, head in list(_contents(landed, kind, offer)):
            source = _source_of(
                project, offer.path, member, head, landed if kind == "plain" else None
            )
            channel = source.channel if source else None
            file = file_id(sha256, channel, offer.sender)
            known = ledger.offer_of(file)
            if known is not None:
                first = known if first is None else first
                ledger.add_copy(number, member, file)
                continue
            new += 1
            row = FileRow(
                file=file, sha256=sha256, offer=number, member=member, size=size,
                night=offer.night, sender=offer.sender, channel=channel,
                source=source.id if source else None,
            )  # fmt: skip
            if source is None:
                row.state, row.code = "REJECTED", "FILE_EMPTY" if size == 0 else "SOURCE_UNKNOWN"
            ledger.add_file(row)
    except UnreadableExtract as error:
        ledger.move_offer(number, "REJECTED", error.code, error.detail)
        return
    if new == 0:
        ledger.move_offer(number, "DUPLICATE", "SAME_CONTENT", duplicate_of=first)


def _contents(
    landed: Path, kind: str, offer: Offer
) -> Iterator[tuple[str | None, str, int, bytes]]:
    """(member, SHA-256, size, first bytes) of each content of a landed file."""
    if kind == "plain":
        with landed.open("rb") as handle:
            yield None, offer.sha256, offer.size, handle.read(HEAD)
        return
    for member, data in archives.members(landed, kind):
        yield member, hashlib.sha256(data).hexdigest(), len(data), data[:HEAD]


def _source_of(
    project: Project, path: str, member: str | None, head: bytes, landed: Path | None
) -> Source | None:
    named = recognise.by_name(project, path, member)
    looks = recognise.looks_like(head)
    if named is not None and (looks is None or _agree(named, looks)):
        return named
    if looks == "bhyt_envelope":
        return recognise.envelope_default(project)
    if looks is None or landed is None:
        return named
    return _by_headings(project, landed, looks) or named


def _agree(source: Source, looks: str) -> bool:
    """A name is believed unless the content is plainly of another kind."""
    return (source.format == "bhyt_envelope") == (looks == "bhyt_envelope")


def _by_headings(project: Project, landed: Path, looks: str) -> Source | None:
    import tempfile

    with tempfile.TemporaryDirectory() as scratch, duckdb.connect() as con:
        try:
            incoming = readers()[looks](con, landed, Options(), "$", Path(scratch))
        except UnreadableExtract:
            return None
        return recognise.by_headings(incoming.headings, looks, project)


def waiting(project: Project, layout: Layout, ledger: Ledger) -> list[Batch]:
    """Contents entered but not read yet, cut into batches. The cut depends on the contents alone."""
    rows = ledger.rows(
        "SELECT f.*, o.sha256 AS offer_sha FROM files f JOIN offers o USING (offer)"
        " WHERE f.state = 'RECEIVED' ORDER BY f.night, f.source, f.file"
    )
    batches: list[Batch] = []
    group: list[FileRef] = []
    key: tuple[str, str] | None = None
    weight = 0
    for row in rows:
        this = (str(row["night"]), str(row["source"]))
        form = project.sources[this[1]].format
        full = len(group) >= BATCH_FILES.get(form, TABULAR_FILES) or (
            weight + row["size"] > BATCH_BYTES.get(form, TABULAR_BYTES)
        )
        if group and (this != key or full):
            batches.append(_batch(key or this, group))
            group, weight = [], 0
        key = this
        landed = layout.landed(row["offer_sha"])
        kind = "plain" if row["member"] is None and row["sha256"] == row["offer_sha"] else ""
        kind = kind or archives.kind_of(landed)
        group.append(
            FileRef(
                row["file"],
                row["sha256"],
                landed,
                kind,
                row["member"],
                row["sender"],
                this[0],
                row["size"],
            )
        )
        weight += int(row["size"])
    if group and key:
        batches.append(_batch(key, group))
    return batches


def _batch(key: tuple[str, str], files: list[FileRef]) -> Batch:
    digest = hashlib.sha256("".join(ref.file for ref in files).encode()).hexdigest()[:12]
    return Batch(f"{key[0]}-{digest}", key[0], key[1], tuple(files))
