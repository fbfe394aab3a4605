"""Landing: an immutable copy of every file that arrived, named by its SHA-256.

Rows are read from the copy, never from the inbox, so that what a receipt says can be checked for as
long as the copy is kept.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from datasach.store import faults
from datasach.store.layout import Layout, fsync_folder

CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


class NotRegular(Exception):
    """What lies there is a link, a folder, a pipe or a device."""


class TooBig(Exception):
    """There is more of it than allowed."""


def land(path: Path, layout: Layout, at_most: int) -> tuple[str, int]:
    """Copy `path` into the landing zone; returns its SHA-256 and size. Copying twice changes nothing.

    The copy is on disk when this returns; its name in the folder is once `fsync_landing` was called.
    Raises NotRegular, TooBig, and what opening a file raises.
    """
    digest = hashlib.sha256()
    size = 0
    layout.landing.mkdir(exist_ok=True)
    side = layout.landing / f".{os.getpid()}.part"
    with _opened(path) as source, side.open("wb") as copy:
        faults.point("landing.copy")
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > at_most:
                raise TooBig
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    sha256 = digest.hexdigest()
    home = layout.landed(sha256)
    if home.exists():
        side.unlink()
        return sha256, size
    home.parent.mkdir(exist_ok=True)
    side.chmod(0o440)
    faults.point("landing.rename")
    side.replace(home)
    faults.point("landing.renamed")
    return sha256, size


def _opened(path: Path) -> BinaryIO:
    """The file itself: no link is followed, and a pipe put in its place does not hold us up."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise NotRegular from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotRegular
    return os.fdopen(handle, "rb")


def fsync_landing(layout: Layout, hashes: Iterable[str]) -> None:
    """Make the names of these copies survive a power cut; to be called before the ledger names them."""
    folders = {layout.landed(sha256).parent for sha256 in hashes}
    for folder in sorted(folders | {layout.landing}):
        if folder.exists():
            fsync_folder(folder)
