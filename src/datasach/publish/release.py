"""A snapshot: every database's tables and one manifest, made aside, moved into place, pointed to last.

`published/latest` is a symbolic link to the newest whole snapshot. Readers that resolve it once see
the old or the new, never half. A database the gate withholds keeps the files of its last release, and
the manifest says so. Files that did not change are hard links to the ones before.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasach import __version__
from datasach.errors import WarehouseDamaged
from datasach.publish.stage import PERSONS, Staged
from datasach.spec.project import Project
from datasach.store import faults
from datasach.store.declarations import keep_declarations
from datasach.store.landing import sha256_of
from datasach.store.layout import Layout, fsync_file, fsync_folder, move_pointer
from datasach.store.manifest import seal_of, text_of


@dataclass(frozen=True, slots=True)
class Release:
    snapshot: str
    is_new: bool
    withheld: tuple[str, ...]
    manifest: dict[str, Any]


def latest_manifest(layout: Layout) -> dict[str, Any] | None:
    """Manifest of the newest snapshot; None before the first."""
    path = layout.published / "latest" / "manifest.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def stand_still(layout: Layout, withheld: dict[str, str]) -> Release:
    """Release nothing: readers keep what they have, whole and unchanged."""
    previous = latest_manifest(layout) or {"snapshot": "", "databases": {}}
    return Release(previous["snapshot"], False, tuple(withheld), previous)


def release(
    layout: Layout,
    project: Project,
    staged: Staged,
    night: str,
    withheld: dict[str, str],
    late: dict[str, int] | None = None,
) -> Release:
    """Publish what was staged, except the databases in `withheld` (id → reason).

    If nothing differs from the newest snapshot, nothing is written and that one stands. A snapshot that a
    run finished before it died, and nobody was pointed to, is pointed to now if it is the same. `late`
    tells for which earlier nights files have come since (night → files): the manifest names what it revises.
    Raises WarehouseDamaged if a file of the last release that is to be kept is not what its manifest says.
    """
    previous = latest_manifest(layout)
    databases = {
        database: _entry(layout, database, staged, previous, withheld.get(database))
        for database in (*project.databases, PERSONS)
    }
    content = _content_hash(databases)
    if previous and previous["content_sha256"] == content:
        return Release(previous["snapshot"], False, tuple(withheld), previous)
    whole = _left_whole(layout, night, previous, content)
    if whole is not None:
        move_pointer(layout.published / "latest", whole["snapshot"])
        return Release(whole["snapshot"], True, tuple(withheld), whole)
    name = _fresh_name(layout, night)
    manifest = {
        "snapshot": name,
        "night": night,
        "engine": __version__,
        "declarations_sha256": project.fingerprint,
        "previous": previous["snapshot"] if previous else None,
        "revises": late or {},
        "content_sha256": content,
        "databases": databases,
    }
    keep_declarations(layout, project)
    _write(layout, staged, previous, manifest)
    return Release(name, True, tuple(withheld), manifest)


def _entry(
    layout: Layout,
    database: str,
    staged: Staged,
    previous: dict[str, Any] | None,
    reason: str | None,
) -> dict[str, Any]:
    if reason is None:
        tables = {
            table_id.split(".")[1]: {"rows": t.rows, "bytes": t.bytes, "sha256": t.sha256}
            for table_id, t in sorted(staged.of(database).items())
        }
        return {"state": "released", "reason": None, "tables": tables}
    kept = (previous or {}).get("databases", {}).get(database, {"tables": {}})
    return {"state": "withheld", "reason": reason, "tables": kept["tables"]}


def _content_hash(databases: dict[str, Any]) -> str:
    """Hash of what a reader gets: the same tables with the same bytes give the same hash on any night."""
    flat = json.dumps(databases, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(flat.encode()).hexdigest()


def _left_whole(
    layout: Layout, night: str, previous: dict[str, Any] | None, content: str
) -> dict[str, Any] | None:
    """Manifest of the snapshot that a run which died put into place but did not point to, if it is this one."""
    before = previous["snapshot"] if previous else None
    for path in sorted(layout.published.glob(f"{night}*/manifest.json")):
        if not path.parent.is_symlink() and path.parent.name != before:
            manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
            if (manifest["previous"], manifest["content_sha256"]) == (before, content):
                return manifest
    return None


def _fresh_name(layout: Layout, night: str) -> str:
    """The night, or `<night>.r2`, `.r3` … when the night was published before."""
    name, revision = night, 1
    while (layout.published / name).exists():
        revision += 1
        name = f"{night}.r{revision}"
    return name


def _write(
    layout: Layout, staged: Staged, previous: dict[str, Any] | None, manifest: dict[str, Any]
) -> None:
    side = layout.published / f".{manifest['snapshot']}.part"
    shutil.rmtree(side, ignore_errors=True)
    before = layout.published / previous["snapshot"] if previous else None
    known = _known_files(previous, before)
    for database, entry in manifest["databases"].items():
        folder = side / database
        folder.mkdir(parents=True)
        for table, facts in entry["tables"].items():
            target = folder / f"{table}.parquet"
            old = known.get(facts["sha256"])
            faults.point("release.table")
            if old is not None and sha256_of(old) == facts["sha256"]:
                os.link(old, target)
            elif entry["state"] == "withheld":
                raise WarehouseDamaged(
                    f"{database}/{table}.parquet of the last release is not what its manifest says"
                )
            else:
                (staged.folder / database / f"{table}.parquet").replace(target)
                fsync_file(target)
        fsync_folder(folder)
    path = side / "manifest.json"
    manifest["seal"] = seal_of(manifest)
    path.write_text(text_of(manifest), "utf-8")
    fsync_file(path)
    fsync_folder(side)
    faults.point("release.rename")
    side.replace(layout.published / manifest["snapshot"])
    faults.point("release.renamed")
    fsync_folder(layout.published)
    move_pointer(layout.published / "latest", manifest["snapshot"])


def _known_files(previous: dict[str, Any] | None, before: Path | None) -> dict[str, Path]:
    """SHA-256 → file of the snapshot before."""
    if previous is None or before is None:
        return {}
    return {
        facts["sha256"]: before / database / f"{table}.parquet"
        for database, entry in previous["databases"].items()
        for table, facts in entry["tables"].items()
    }
