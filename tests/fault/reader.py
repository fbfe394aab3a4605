"""A reader of what is published, from outside: python -m tests.fault.reader CURRENT TOLD

CURRENT is a file that names the warehouse to read; the reader resolves `latest` once, reads the manifest
and checks every table against its hash, over and over, until CURRENT is empty. Then it writes into TOLD
how often it read, and everything it saw that was not a whole snapshot. Uses the standard library only.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path

PAUSE_S = 0.05
BURST = 10
"""Reads between two pauses."""


def look(warehouse: Path) -> str:
    """Name of the snapshot that is published, or an error if it is not whole."""
    link = warehouse / "published/latest"
    snapshot = link.parent / link.readlink()
    manifest = json.loads((snapshot / "manifest.json").read_text("utf-8"))
    assert manifest["snapshot"] == snapshot.name, "a manifest of another snapshot"
    for database, entry in manifest["databases"].items():
        for table, facts in entry["tables"].items():
            data = (snapshot / database / f"{table}.parquet").read_bytes()
            assert hashlib.sha256(data).hexdigest() == facts["sha256"], f"{database}.{table}"
    return str(manifest["content_sha256"])


def main(current: Path, told: Path) -> None:
    reads, wrong = 0, []
    seen: dict[str, list[str]] = {}
    while warehouse := current.read_text("utf-8").strip():
        for _ in range(BURST):
            try:
                content = look(Path(warehouse))
                reads += 1
                before = seen.setdefault(warehouse, [])
                if not before or before[-1] != content:
                    before.append(content)
            except Exception as error:
                wrong.append(f"{Path(warehouse).name}: {type(error).__name__} {error}")
        time.sleep(PAUSE_S)
    back = [name for name, contents in seen.items() if len(set(contents)) < len(contents)]
    told.write_text(json.dumps({"reads": reads, "wrong": wrong, "went_back": back}), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
