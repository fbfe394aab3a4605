"""Landing: an immutable copy of every file that arrived, named by its SHA-256.

Rows are read from the copy, never from the inbox, so that what a receipt says can be checked for as
long as the copy is kept.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from datasach.store.layout import Layout

CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def land(path: Path, layout: Layout) -> tuple[str, int]:
    """Copy `path` into the landing zone; returns its SHA-256 and size. Copying twice changes nothing."""
    digest = hashlib.sha256()
    size = 0
    layout.landing.mkdir(exist_ok=True)
    side = layout.landing / f".{os.getpid()}.part"
    with path.open("rb") as source, side.open("wb") as copy:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            copy.write(chunk)
            size += len(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    sha256 = digest.hexdigest()
    home = layout.landed(sha256)
    if home.exists():
        side.unlink()
        return sha256, size
    home.parent.mkdir(exist_ok=True)
    side.chmod(0o440)
    side.replace(home)
    return sha256, size
