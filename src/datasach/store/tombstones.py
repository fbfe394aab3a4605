"""What has been taken away, and why: appended, never changed. `access/tombstones.jsonl`.

A person who was erased stands here as a pseudonym under a key of its own, so that the general zone
goes on forgetting him when tomorrow's is made, and a restored backup forgets him again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from datasach import settings
from datasach.store.layout import fsync_folder

PERSON = "person"


def path_of(root: Path) -> Path:
    return root / "access" / "tombstones.jsonl"


def bury(root: Path, kind: str, **facts: Any) -> None:
    """Append one tombstone and bring it to the disk, before what it speaks of is taken away."""
    path = path_of(root)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    entry = {"at": settings.now().isoformat(timespec="seconds"), "kind": kind, **facts}
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        line = json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n"
        os.write(handle, line.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    fsync_folder(path.parent)


def buried(root: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """Every tombstone (of a kind), oldest first; a torn last line is no tombstone."""
    path = path_of(root)
    if not path.exists():
        return []
    found = []
    for line in path.read_text("utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if kind in (None, entry.get("kind")):
            found.append(entry)
    return found
