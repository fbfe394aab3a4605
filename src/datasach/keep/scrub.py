"""Reading every file of every snapshot against its manifest, so that rot is found before a reader finds it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datasach.errors import WarehouseDamaged
from datasach.store.manifest import Damage, damages


@dataclass(frozen=True, slots=True)
class Scrubbed:
    snapshots: int
    files: int
    damaged: tuple[Damage, ...]


def scrub(out: Path) -> Scrubbed:
    """Every published snapshot. Files that snapshots share by hard link are read once.

    Raises WarehouseDamaged if nothing is published or `latest` points nowhere.
    """
    published = out.resolve() / "published"
    snapshots = snapshots_of(published)
    if not snapshots or not (published / "latest").exists():
        raise WarehouseDamaged(f"{published} has no snapshot that `latest` points to")
    found: list[Damage] = []
    files = 0
    for snapshot in snapshots:
        found += damages(snapshot)
        files += sum(path.is_file() for path in snapshot.rglob("*"))
    return Scrubbed(len(snapshots), files, tuple(found))


def snapshots_of(published: Path) -> list[Path]:
    """Whole snapshots, oldest first; what a crash left aside begins with a dot."""
    if not published.is_dir():
        return []
    found = (p for p in published.iterdir() if p.is_dir() and not p.is_symlink())
    return sorted((p for p in found if not p.name.startswith(".")), key=order_of)


def order_of(snapshot: Path) -> tuple[str, int]:
    """`2026-03-02`, then `2026-03-02.r2`, …, `.r10`."""
    night, _, revision = snapshot.name.partition(".r")
    return night, int(revision) if revision.isdigit() else 1


def scrub_text(done: Scrubbed, out: Path) -> str:
    words = {
        "altered": "nội dung đã đổi · altered", "missing": "mất · missing",
        "unknown": "không có trong bản kê · not in the manifest",
        "unreadable": "bản kê không đọc được · manifest not readable",
    }  # fmt: skip
    lines = [
        f"{done.snapshots} bản công bố, {done.files} tệp, {len(done.damaged)} tệp hỏng"
        f" · snapshots, files, damaged"
    ]
    root = out.resolve()
    lines += [f"HỎNG · DAMAGED {d.path.relative_to(root)}: {words[d.kind]}" for d in done.damaged]
    if done.damaged:
        lines.append(
            "Khôi phục từ bản sao lưu vào thư mục trống rồi so sánh: datasach restore"
            " · restore from the backup into an empty folder, then compare"
        )
    return "\n".join(lines)
