"""Arrival: every file of the inbox is copied, hashed, entered in the ledger, and given to a source.

What can be refused on arrival is refused here: duplicates, broken archives, files nobody can read.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self

from datasach.errors import SpecError
from datasach.extract.apart import Readers
from datasach.extract.look import Contents, Landed, Looks, at_a_glance, look, refused
from datasach.settings import ReadLimits, read_limits
from datasach.spec.project import Project
from datasach.store.landing import NotRegular, TooBig, fsync_landing, land
from datasach.store.layout import Layout
from datasach.store.ledger import FileRow, Ledger, Offer, file_id

SENDER = re.compile(r"[A-Za-z0-9_-]{1,20}")
MAX_FILE_BYTES = 8 * 2**30
TOGETHER = 200
"""Files entered in one transaction: each commit waits for the disk."""
LOOKS = 50
"""Files one reading process looks into at a time."""
UNCLAIMED = "SOURCE_UNKNOWN"
NOT_READABLE = "FILE_NOT_READABLE"
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

    def __len__(self) -> int:
        return len(self.files)

    def cut(self, start: int, end: int) -> Self:
        """Some of its files, as a batch of their own."""
        return type(self)(*_named(self.night, self.source, self.files[start:end]))

    def size_of(self, index: int) -> int:
        return self.files[index].size


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
    *,
    limits: ReadLimits | None = None,
    workers: int = 1,
) -> int:
    """Enter every new file of every night up to `until`; returns how many were new.

    A file seen before (same place, size and time) is not touched. A crash leaves whole entries only.
    Files that no source claimed are looked at again when the declarations have changed since.
    """
    seen = ledger.seen()
    new = 0
    with Readers(project, layout, limits or read_limits(), workers) as readers:
        _try_again(project, layout, ledger, readers)
        for folder in nights_of(inbox, until):
            files = list(_files_below(folder))
            for start in range(0, len(files), TOGETHER):
                arrivals = [
                    arrival
                    for sender, path in files[start : start + TOGETHER]
                    if (arrival := _land(project, layout, folder, sender, path, seen)) is not None
                ]
                _look_into(readers, arrivals)
                fsync_landing(layout, {arrival.offer.sha256 for arrival in arrivals})
                with ledger.transaction():
                    for arrival in arrivals:
                        new += _enter(project, ledger, arrival)
                progress(new)
    return new


@dataclass(slots=True)
class _Arrival:
    """A file of the inbox on its way into the ledger."""

    offer: Offer
    contents: Contents | None = None
    """None until somebody has looked into it."""


def _files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    for sender in sorted(p for p in folder.iterdir() if p.is_dir() and not p.is_symlink()):
        found = []
        # Not by recursion: how deep folders lie in each other is for the sender to choose.
        open_folders = [sender]
        while open_folders:
            with suppress(OSError), os.scandir(open_folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        open_folders.append(Path(entry.path))
                    else:
                        found.append(Path(entry.path))
        for path in sorted(found):
            yield sender.name, path


def _shown(path: Path) -> str:
    """The path as text that can be stored and printed: bytes that are not UTF-8, and controls, escaped."""
    text = str(path).encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _land(
    project: Project,
    layout: Layout,
    folder: Path,
    sender: str,
    path: Path,
    seen: set[tuple[str, str, int, int]],
) -> _Arrival | None:
    """Copy a file that is new into the landing zone; None if it was seen before, or is gone again."""
    name = _shown(path.relative_to(folder))
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if (folder.name, name, status.st_size, status.st_mtime_ns) in seen:
        return None
    try:
        sha256, size = land(path, layout, MAX_FILE_BYTES)
    except FileNotFoundError:
        return None
    except (NotRegular, TooBig, PermissionError) as error:
        # Nothing to copy: the entry names what was there, by a hash of the name.
        digest = hashlib.sha256(name.encode()).hexdigest()
        offer = Offer(folder.name, sender, name, status.st_size, status.st_mtime_ns, digest)
        code = {NotRegular: "FILE_NOT_REGULAR", TooBig: "FILE_TOO_BIG"}.get(
            type(error), NOT_READABLE
        )
        return _Arrival(offer, Contents(code=code))
    offer = Offer(folder.name, sender, name, size, status.st_mtime_ns, sha256)
    if not SENDER.fullmatch(sender):
        return _Arrival(offer, Contents(code="SENDER_NAME"))
    landed = Landed(name, sha256, size)
    return _Arrival(offer, at_a_glance(project, layout.landed(sha256), landed))


def _look_into(readers: Readers, arrivals: list[_Arrival]) -> None:
    """Fill in the contents of what could not be told at a glance."""
    closed = [arrival for arrival in arrivals if arrival.contents is None]
    files = {Landed(a.offer.path, a.offer.sha256, a.offer.size): a for a in closed}
    for looks, contents in readers.read(look, _shards(tuple(files)), refused):
        for file, found in zip(looks.files, contents, strict=True):
            files[file].contents = found


def _shards(files: tuple[Landed, ...]) -> list[Looks]:
    return [Looks(files[at : at + LOOKS]) for at in range(0, len(files), LOOKS)]


def _enter(project: Project, ledger: Ledger, arrival: _Arrival) -> int:
    if ledger.offered_before(arrival.offer):
        return 0
    number = ledger.enter(arrival.offer)
    contents = arrival.contents
    assert contents is not None
    if contents.code is not None:
        ledger.move_offer(number, "REJECTED", contents.code, contents.detail)
    else:
        _open(project, ledger, number, arrival.offer, contents)
    return 1


def _open(project: Project, ledger: Ledger, number: int, offer: Offer, contents: Contents) -> None:
    """Enter the contents of a file: itself, or each member of the archive it is. If this sender has sent
    all of them before in the same channel, the file is a duplicate, whatever it is called now."""
    first: int | None = None
    new = 0
    for member, sha256, size, source in contents.members:
        channel = project.sources[source].channel if source else None
        file = file_id(sha256, channel, offer.sender)
        known = ledger.offer_of(file)
        if known is not None:
            first = known if first is None else first
            ledger.add_copy(number, member, file)
            continue
        new += 1
        row = FileRow(
            file=file, sha256=sha256, offer=number, member=member, size=size,
            night=offer.night, sender=offer.sender, channel=channel, source=source,
        )  # fmt: skip
        if source is None:
            row.state, row.code = "REJECTED", "FILE_EMPTY" if size == 0 else UNCLAIMED
        ledger.add_file(row)
    if new == 0:
        ledger.move_offer(number, "DUPLICATE", "SAME_CONTENT", duplicate_of=first)


def _try_again(project: Project, layout: Layout, ledger: Ledger, readers: Readers) -> None:
    """What failed for no fault of the file: a source that was not declared then, a server that was down."""
    with ledger.transaction():
        for row in ledger.rows("SELECT file FROM files WHERE code = 'PG_UNREACHABLE'"):
            ledger.move_file(row["file"], "RECEIVED")
    if ledger.fingerprint_before() in (None, project.fingerprint):
        return
    rows = ledger.rows(
        "SELECT f.file, f.member, f.sha256, f.size, f.night, f.sender, o.offer, o.path,"
        " o.sha256 AS landed, o.size AS offered"
        " FROM files f JOIN offers o USING (offer) WHERE f.code = ? ORDER BY o.offer, f.file",
        (UNCLAIMED,),
    )
    asked = tuple(dict.fromkeys(Landed(r["path"], r["landed"], r["offered"]) for r in rows))
    found: dict[tuple[Landed, str | None], str | None] = {}
    for looks, contents in readers.read(look, _shards(asked), refused):
        for landed, one in zip(looks.files, contents, strict=True):
            found |= {(landed, member): source for member, _, _, source in one.members}
    with ledger.transaction():
        for row in rows:
            source = found.get((Landed(row["path"], row["landed"], row["offered"]), row["member"]))
            if source is not None:
                channel = project.sources[source].channel
                file = file_id(row["sha256"], channel, row["sender"])
                ledger.claim(row["file"], file, source, channel)


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
            batches.append(Batch(*_named(*(key or this), tuple(group))))
            group, weight = [], 0
        key = this
        # What it lies in was settled on arrival: only zips have members, only a gzip has another hash.
        kind = "zip" if row["member"] is not None else "gzip"
        if row["sha256"] == row["offer_sha"]:
            kind = "plain"
        group.append(
            FileRef(
                row["file"],
                row["sha256"],
                layout.landed(row["offer_sha"]),
                kind,
                row["member"],
                row["sender"],
                this[0],
                row["size"],
            )  # fmt: skip
        )
        weight += int(row["size"])
    if group and key:
        batches.append(Batch(*_named(*key, tuple(group))))
    return batches


def _named(
    night: str, source: str, files: tuple[FileRef, ...]
) -> tuple[str, str, str, tuple[FileRef, ...]]:
    digest = hashlib.sha256("".join(ref.file for ref in files).encode()).hexdigest()[:12]
    return f"{night}-{digest}", night, source, files
