"""What is inside a delivered file: itself, or the members of a zip or gzip archive, within limits.

Nothing is ever unpacked to a name an archive chose. Limits follow measured attacks: a zip of 1 MB
that grows to 1 GB, a header that lies about sizes, member names that climb out of a folder.
"""

from __future__ import annotations

import gzip
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from datasach.errors import UnreadableExtract
from datasach.store.trouble import is_the_machines

MAX_MEMBERS = 5_000
MAX_MEMBER_BYTES = 400 * 2**20
MAX_ARCHIVE_BYTES = 2 * 2**30
MAX_RATIO = 200
CHUNK = 1 << 20
MEMBER_NAME = re.compile(r"[\w .\-()/]{1,200}")
ZIP_MAGIC = b"PK\x03\x04"
GZIP_MAGIC = b"\x1f\x8b"
OTHER_MAGIC = (b"7z\xbc\xaf\x27\x1c", b"Rar!", b"BZh", b"\xfd7zXZ\x00")
"""7-Zip, RAR, bzip2, xz: told apart only to say which archives are accepted."""
ENCRYPTED = 0x1
"""Bit of a member's general purpose flags."""


def may_be_archive(head: bytes) -> bool:
    """Do the first bytes say that this has to be opened to know what is in it? Workbooks are zips."""
    return head.startswith((GZIP_MAGIC, b"PK", *OTHER_MAGIC))


def kind_of(path: Path) -> str:
    """`zip`, `gzip` or `plain`, by what the file is, not by its name. XLSX, a zip, counts as plain.

    Raises UnreadableExtract ARC_FORMAT for archives of a kind that is not taken.
    """
    with path.open("rb") as handle:
        head = handle.read(8)
    if head.startswith(OTHER_MAGIC):
        raise UnreadableExtract("ARC_FORMAT", "neither zip nor gzip")
    if head.startswith(GZIP_MAGIC):
        return "gzip"
    if head.startswith((ZIP_MAGIC, b"PK\x05\x06")):
        return "plain" if _is_workbook(path) else "zip"
    return "plain"


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def members(path: Path, kind: str) -> Iterator[tuple[str | None, bytes]]:
    """Name and bytes of every content in the file; the name is None for a plain file or a gzip.

    Raises UnreadableExtract (ARC_*, FILE_*) when the archive is broken or beyond its limits.
    """
    if kind == "zip":
        yield from _zip_members(path)
    elif kind == "gzip":
        yield None, _gunzip(path)
    else:
        if path.stat().st_size > MAX_MEMBER_BYTES:
            raise UnreadableExtract("FILE_TOO_BIG", f"more than {MAX_MEMBER_BYTES >> 20} MiB")
        yield None, path.read_bytes()


@lru_cache(maxsize=1)
def _opened(path: Path) -> zipfile.ZipFile:
    """The archive that was read last, still open: its members come one after another."""
    return zipfile.ZipFile(path)


def content(path: Path, kind: str, member: str | None) -> bytes:
    """One content of a file that `members` listed before.

    Raises UnreadableExtract as `members` does.
    """
    if kind != "zip":
        return next(data for _, data in members(path, kind))
    try:
        archive = _opened(path)
        return _read_member(archive, archive.getinfo(member or ""))
    except (KeyError, *_BROKEN) as error:
        raise _corrupt(error) from None


_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError,
)  # fmt: skip
"""What the zip reader raises on files that are not what they say."""


def _zip_members(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            if len(infos) > MAX_MEMBERS:
                raise UnreadableExtract("ARC_MEMBERS", f"{len(infos)} members")
            if len({info.filename.casefold() for info in infos}) != len(infos):
                raise UnreadableExtract("ARC_DUP", "two members of one name")
            if not infos:
                raise UnreadableExtract("ARC_EMPTY", "no member")
            total = 0
            for info in infos:
                _refuse_name(info)
                content = _read_member(archive, info)
                _refuse_nested(content)
                total += len(content)
                if total > MAX_ARCHIVE_BYTES:
                    raise UnreadableExtract("ARC_BOMB", "archive grows beyond its limit")
                yield info.filename, content
    except _BROKEN as error:
        raise _corrupt(error) from None


def _refuse_name(info: zipfile.ZipInfo) -> None:
    parts = info.filename.replace("\\", "/").split("/")
    mode = info.external_attr >> 16
    is_link = stat.S_ISLNK(mode) if mode else False
    climbs = info.filename.startswith("/") or ".." in parts or "\\" in info.filename
    if climbs or is_link or not MEMBER_NAME.fullmatch(info.filename):
        raise UnreadableExtract("ARC_NAME", "a member's name is not acceptable")


def _refuse_nested(content: bytes) -> None:
    """An archive inside an archive. A workbook is none."""
    if content.startswith((GZIP_MAGIC, *OTHER_MAGIC)) or (
        content.startswith(ZIP_MAGIC) and b"[Content_Types].xml" not in content
    ):
        raise UnreadableExtract("ARC_NESTED", "an archive inside an archive")


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    pieces, size = [], 0
    allowed = min(MAX_MEMBER_BYTES, max(1 << 20, info.compress_size * MAX_RATIO))
    if info.flag_bits & ENCRYPTED:
        raise UnreadableExtract("ARC_ENCRYPTED", "a member has a password")
    with archive.open(info) as member:
        # Count what comes out; the header's size is a claim.
        while piece := member.read(CHUNK):
            size += len(piece)
            if size > allowed:
                raise UnreadableExtract("ARC_BOMB", "a member grows beyond its limit")
            pieces.append(piece)
    return b"".join(pieces)


def _gunzip(path: Path) -> bytes:
    pieces, size = [], 0
    allowed = min(MAX_MEMBER_BYTES, max(1 << 20, path.stat().st_size * MAX_RATIO))
    try:
        with gzip.open(path) as stream:
            while piece := stream.read(CHUNK):
                size += len(piece)
                if size > allowed:
                    raise UnreadableExtract("ARC_BOMB", "the content grows beyond its limit")
                pieces.append(piece)
    except (OSError, EOFError, zlib.error) as error:
        raise _corrupt(error) from None
    content = b"".join(pieces)
    _refuse_nested(content)
    return content


def _corrupt(error: Exception) -> Exception:
    """The refusal, unless it was the disk that failed."""
    if is_the_machines(error):
        return error
    return UnreadableExtract("ARC_CORRUPT", type(error).__name__)


def check_workbook(path: Path) -> None:
    """Refuse a workbook whose parts would grow beyond the limits of archives.

    Sizes are what the file says of itself: a lie ends with the memory of the process that believes it.
    Raises UnreadableExtract ARC_BOMB, ARC_MEMBERS, XLSX_SYNTAX.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except _BROKEN as error:
        if is_the_machines(error):
            raise
        raise UnreadableExtract("XLSX_SYNTAX", type(error).__name__) from None
    if len(infos) > MAX_MEMBERS:
        raise UnreadableExtract("ARC_MEMBERS", f"{len(infos)} members")
    grown = sum(info.file_size for info in infos)
    if grown > min(MAX_MEMBER_BYTES, max(1 << 24, path.stat().st_size * MAX_RATIO)):
        raise UnreadableExtract("ARC_BOMB", "the workbook grows beyond its limit")
