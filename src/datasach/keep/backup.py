"""Backup by content and restore into an empty folder, both checked.

    <backup>/objects/ab/abcdef…       every content once, read-only (contents.py)
    <backup>/manifests/<time>.json    path → content, mode, time; the golden answers; its own seal

With a `secret` (backup.key of the vault) contents and manifests are encrypted. A second backup copies only what is
new. The vault is not in it: keys and data are kept apart. Nothing is deleted from a backup here; `datasach retain`
lists what its tombstones ask to be forgotten.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasach import __version__, settings
from datasach.errors import DatasachError, WarehouseDamaged
from datasach.keep.contents import Contents
from datasach.keep.golden import golden_answers
from datasach.store.layout import Layout, fsync_file, fsync_folder, only_run

LEFT_OUT = ("state/scratch", "state/run.lock", "state/prefect", "zones")
"""Work in progress, Prefect's view, and exports: all made anew from what is kept."""
TOMBSTONES = "access/tombstones.jsonl"
Manifest = dict[str, Any]


@dataclass(slots=True)
class Saved:
    name: str
    files: int = 0
    bytes: int = 0
    new_files: int = 0
    new_bytes: int = 0


@dataclass(slots=True)
class Checked:
    """What a backup or a restored folder is found to be."""

    manifests: int = 0
    files: int = 0
    damaged: list[str] = field(default_factory=list)
    """Path (or object) and what is wrong with it."""


def backup(out: Path, to: Path, secret: bytes | None = None) -> Saved:
    """Save the warehouse as it stands; no run may go on meanwhile.

    Raises WarehouseBusy if one does; DatasachError if `to` lies inside the warehouse, or see `Contents`.
    """
    layout = Layout(out.resolve())
    target = to.resolve()
    if target.is_relative_to(layout.root):
        raise DatasachError("a backup inside the warehouse is lost with it")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    (target / "objects").mkdir(exist_ok=True)
    (target / "manifests").mkdir(exist_ok=True)
    contents = Contents(target, secret)
    with only_run(layout):
        scratch = layout.scratch("backup")
        known = _known(contents)
        saved = Saved(_free_name(target))
        entries: dict[str, Any] = {}
        for path in _files(layout.root):
            name = str(path.relative_to(layout.root))
            if path.is_symlink():
                entries[name] = {"link": str(path.readlink())}
                continue
            if path.is_dir():
                entries[name] = {"folder": path.stat().st_mode & 0o777}
                continue
            entries[name] = _keep(path, contents, known.get(name), saved, scratch)
        manifest = {
            "saved_at": settings.now().isoformat(timespec="seconds"), "engine": __version__,
            "files": entries, "golden": golden_answers(layout.root),
        }  # fmt: skip
        _write_manifest(contents, saved.name, manifest)
        shutil.rmtree(scratch)
    return saved


def _files(root: Path) -> Iterator[Path]:
    left_out = {root / name for name in LEFT_OUT}
    for path in sorted(root.iterdir()):
        yield from _below(path, left_out)


def _below(path: Path, left_out: set[Path]) -> Iterator[Path]:
    if path in left_out or path.name.endswith((".part", "-wal", "-shm")):
        return
    yield path
    if path.is_dir() and not path.is_symlink():
        for inner in sorted(path.iterdir()):
            yield from _below(inner, left_out)


def _keep(
    path: Path, contents: Contents, known: dict[str, Any] | None, saved: Saved, scratch: Path
) -> dict[str, Any]:
    stat = path.stat()
    saved.files += 1
    if path.suffix == ".sqlite":
        return _keep_database(path, contents, stat.st_mode & 0o777, saved, scratch)
    facts = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "mode": stat.st_mode & 0o777}
    saved.bytes += stat.st_size
    # Unchanged size and time: its content is already there; `backup --verify` reads it all.
    same = known is not None and all(known.get(key) == facts[key] for key in ("size", "mtime_ns"))
    if known and same and contents.home(known["sha256"]).exists():
        return {**facts, "sha256": known["sha256"]}
    return {**facts, "sha256": _put(path, contents, saved)}


def _keep_database(
    path: Path, contents: Contents, mode: int, saved: Saved, scratch: Path
) -> dict[str, Any]:
    """SQLite is copied by SQLite: its write-ahead log belongs to it. Never plain into a backup, which may be sealed."""
    side = scratch / path.name
    side.unlink(missing_ok=True)
    source = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    copy = sqlite3.connect(side)
    try:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        copy.close()
        source.close()
    size = side.stat().st_size
    saved.bytes += size
    sha256 = _put(side, contents, saved)
    side.unlink()
    return {"size": size, "mtime_ns": path.stat().st_mtime_ns, "mode": mode, "sha256": sha256}


def _put(path: Path, contents: Contents, saved: Saved) -> str:
    sha256, new = contents.put(path)
    saved.new_files += new > 0
    saved.new_bytes += new
    return sha256


def _write_manifest(contents: Contents, name: str, manifest: Manifest) -> None:
    manifest["seal"] = _seal(manifest)
    folder = contents.target / "manifests"
    side = folder / f".{name}.part"
    side.write_bytes(contents.seal_text(json.dumps(manifest, ensure_ascii=False, sort_keys=True)))
    fsync_file(side)
    side.chmod(0o400)
    side.replace(folder / f"{name}.json")
    fsync_folder(folder)


def _seal(manifest: Manifest) -> str:
    plain = {key: value for key, value in manifest.items() if key != "seal"}
    text = json.dumps(plain, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _free_name(target: Path) -> str:
    base = settings.now().strftime("%Y%m%dT%H%M%S")
    name, number = base, 1
    while (target / "manifests" / f"{name}.json").exists():
        number += 1
        name = f"{base}.{number}"
    return name


def backups(target: Path) -> list[str]:
    """Names of the backups in a folder, oldest first."""
    return sorted(p.stem for p in (target / "manifests").glob("*.json"))


def read_backup(contents: Contents, name: str | None = None) -> tuple[str, Manifest]:
    """A manifest (the newest, if no name is given). Raises WarehouseDamaged if it is not as it was sealed."""
    target = contents.target
    names = backups(target)
    if not names or (name is not None and name not in names):
        raise WarehouseDamaged(f"{target} holds no backup {name or 'at all'}")
    chosen = name or names[-1]
    path = target / "manifests" / f"{chosen}.json"
    try:
        manifest: Manifest = json.loads(contents.open_text(path))
        sealed = manifest["seal"] == _seal(manifest)
    except (ValueError, KeyError, TypeError, WarehouseDamaged):
        sealed = False
    if not sealed:
        raise WarehouseDamaged(f"{path} is not as it was written")
    return chosen, manifest


def _known(contents: Contents) -> dict[str, Any]:
    if not backups(contents.target):
        return {}
    return dict(read_backup(contents)[1]["files"])


def check_backup(target: Path, secret: bytes | None = None) -> Checked:
    """Read every content of a backup against its name, and see that no manifest misses one."""
    contents = Contents(target.resolve(), secret)
    found = Checked()
    there = {path for path in (contents.target / "objects").rglob("*") if path.is_file()}
    for path in sorted(there):
        found.files += 1
        if not contents.is_whole(path):
            found.damaged.append(f"objects/{path.name[:12]}…: altered")
    for name in backups(target):
        found.manifests += 1
        try:
            files = read_backup(contents, name)[1]["files"]
        except WarehouseDamaged:
            found.damaged.append(f"manifests/{name}.json: altered")
            continue
        for file, facts in files.items():
            if "sha256" in facts and contents.home(facts["sha256"]) not in there:
                found.damaged.append(f"{name}: {file}: its content is missing")
    return found


def restore(
    source: Path, to: Path, name: str | None = None, secret: bytes | None = None
) -> tuple[str, Checked]:
    """Put a backup into an empty folder, checking every content on its way, then ask the golden questions.

    Tombstones of every later backup come along: what was forgotten since stays forgotten. Raises
    WarehouseDamaged, naming the files, if a content is missing or altered, or an answer differs.
    """
    target = to.resolve()
    if target.exists() and any(target.iterdir()):
        raise DatasachError(f"{target} is not empty: restore goes into a new folder")
    contents = Contents(source.resolve(), secret)
    chosen, manifest = read_backup(contents, name)
    checked = Checked(manifests=1)
    side = target.with_name(f".{target.name}.part")
    shutil.rmtree(side, ignore_errors=True)
    side.mkdir(parents=True, mode=0o700)
    for file, facts in manifest["files"].items():
        path = side / file
        if not path.resolve().is_relative_to(side.resolve()):
            raise WarehouseDamaged(f"the manifest of {chosen} names a file outside the warehouse")
        if "folder" in facts:
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if "link" in facts:
            path.symlink_to(facts["link"])
            continue
        checked.files += 1
        if (wrong := _bring_back(contents, path, facts)) is not None:
            checked.damaged.append(f"{file}: {wrong}")
    for file, facts in manifest["files"].items():
        if "folder" in facts:
            (side / file).chmod(facts["folder"])
    _bring_tombstones(contents, side)
    if not checked.damaged:
        answers = golden_answers(side)
        differ = [q for q, answer in manifest["golden"].items() if answers.get(q) != answer]
        checked.damaged += [f'golden question "{question}": another answer' for question in differ]
    if checked.damaged:
        shutil.rmtree(side, ignore_errors=True)
        raise WarehouseDamaged(
            f"backup {chosen} cannot be restored: " + "; ".join(checked.damaged[:10])
        )
    if target.exists():
        target.rmdir()
    side.replace(target)
    fsync_folder(target.parent)
    return chosen, checked


def _bring_back(contents: Contents, path: Path, facts: dict[str, Any]) -> str | None:
    """Copy one content to its place; what is wrong with it, or None."""
    wrong = contents.fetch(facts["sha256"], path)
    if wrong is None:
        path.chmod(facts["mode"])
        os.utime(path, ns=(facts["mtime_ns"], facts["mtime_ns"]))
    return wrong


def _bring_tombstones(contents: Contents, side: Path) -> None:
    """The lines of every backup's tombstones, each once, in the order they were written."""
    lines: dict[str, None] = {}
    for name in backups(contents.target):
        try:
            facts = read_backup(contents, name)[1]["files"].get(TOMBSTONES)
        except WarehouseDamaged:
            continue
        if facts:
            lines |= dict.fromkeys(contents.text(facts["sha256"]).splitlines())
    if lines:
        path = side / TOMBSTONES
        path.parent.mkdir(exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        path.chmod(0o600)
        fsync_file(path)
