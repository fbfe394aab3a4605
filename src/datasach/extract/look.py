"""What is in a landed file, and whose is it? Archives are opened and unknown tables recognised here, in a
reading process (see `apart`): neither can be done without parsing what a stranger sent."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from datasach.errors import UnreadableExtract
from datasach.extract import archives, recognise
from datasach.extract.apart import At, Death
from datasach.extract.readers import connect, readers
from datasach.spec.project import Project
from datasach.spec.source import Options, Source
from datasach.store.layout import Layout

HEAD = 8192
"""Bytes of a content that are looked at to recognise it."""


@dataclass(frozen=True, slots=True)
class Landed:
    """A landed file to be looked into."""

    path: str
    """Below the night's folder, as the sender named it."""
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What a landed file holds: itself, or the members of an archive; or why it is refused."""

    members: tuple[tuple[str | None, str, int, str | None], ...] = ()
    """(name in the archive, SHA-256, size, source or None)."""
    code: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Looks:
    """Files that one process looks into, one after another."""

    files: tuple[Landed, ...]

    def __len__(self) -> int:
        return len(self.files)

    def cut(self, start: int, end: int) -> Self:
        return type(self)(self.files[start:end])

    def size_of(self, index: int) -> int:
        return self.files[index].size


def at_a_glance(project: Project, landed: Path, file: Landed) -> Contents | None:
    """What a file holds, if its name and first bytes leave no doubt; None if it has to be looked into."""
    with landed.open("rb") as handle:
        head = handle.read(HEAD)
    if archives.may_be_archive(head):
        return None
    source = _by_name_or_head(project, file.path, None, head)
    if source is None and recognise.looks_like(head) is not None:
        return None
    return Contents(((None, file.sha256, file.size, source.id if source else None),))


def look(project: Project, layout: Layout, looks: Looks, at: At = lambda _: None) -> list[Contents]:
    """Contents of every file, in order. Changes nothing."""
    found = []
    for index, file in enumerate(looks.files):
        at(index)
        try:
            found.append(Contents(tuple(_members(project, layout, file))))
        except UnreadableExtract as error:
            found.append(Contents(code=error.code, detail=error.detail))
    return found


def refused(looks: Looks, death: Death) -> list[Contents]:
    """What is said of a file that ended the process that looked into it."""
    return [Contents(code=death.code, detail=death.detail)]


def _members(
    project: Project, layout: Layout, file: Landed
) -> Iterator[tuple[str | None, str, int, str | None]]:
    landed = layout.landed(file.sha256)
    kind = archives.kind_of(landed)
    if kind == "plain":
        with landed.open("rb") as handle:
            head = handle.read(HEAD)
        source = _by_name_or_head(project, file.path, None, head) or _by_headings(
            project, layout, landed, head
        )
        source = source or recognise.by_name(project, file.path)
        yield None, file.sha256, file.size, source.id if source else None
        return
    for member, data in archives.members(landed, kind):
        source = _by_name_or_head(project, file.path, member, data[:HEAD])
        source = source or recognise.by_name(project, file.path, member)
        yield member, hashlib.sha256(data).hexdigest(), len(data), source.id if source else None


def _by_name_or_head(project: Project, path: str, member: str | None, head: bytes) -> Source | None:
    """A name is believed unless the content is plainly of another kind."""
    named = recognise.by_name(project, path, member)
    looks = recognise.looks_like(head)
    if named is not None and (looks is None or _agree(named, looks)):
        return named
    return recognise.envelope_default(project) if looks == "bhyt_envelope" else None


def _agree(source: Source, looks: str) -> bool:
    return (source.format == "bhyt_envelope") == (looks == "bhyt_envelope")


def _by_headings(project: Project, layout: Layout, landed: Path, head: bytes) -> Source | None:
    looks = recognise.looks_like(head)
    if looks is None:
        return None
    with (
        tempfile.TemporaryDirectory(dir=layout.scratch_root, prefix="look-") as scratch,
        connect(Path(scratch)) as con,
    ):
        try:
            incoming = readers()[looks](con, landed, Options(), "$", Path(scratch))
        except UnreadableExtract as error:
            if error.code.startswith(("READ_", "ARC_")):
                raise
            return None
        return recognise.by_headings(incoming.headings, looks, project)
