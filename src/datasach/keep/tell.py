"""What backup and restore say to the operator."""

from __future__ import annotations

from pathlib import Path

from datasach.keep.backup import backup, check_backup, restore


def save(out: Path, to: Path, secret: bytes | None = None) -> str:
    saved = backup(out, to, secret)
    return (
        f"đã lưu · saved {saved.name}: {saved.files} tệp · files, {saved.bytes} byte;"
        f" mới · new {saved.new_files}, {saved.new_bytes} byte"
    )


def checked_text(to: Path, secret: bytes | None = None) -> tuple[str, bool]:
    """Text, and whether the backup is whole."""
    found = check_backup(to, secret)
    lines = [f"{found.manifests} bản sao lưu, {found.files} nội dung · backups, contents"]
    lines += [f"HỎNG · DAMAGED {line}" for line in found.damaged]
    if not found.damaged:
        lines.append("nguyên vẹn · whole")
    return "\n".join(lines), not found.damaged


def bring_back(source: Path, to: Path, name: str | None, secret: bytes | None = None) -> str:
    chosen, checked = restore(source, to, name, secret)
    return (
        f"đã khôi phục · restored {chosen} → {to}: {checked.files} tệp · files;"
        " 20/20 câu hỏi vàng trả lời như cũ · golden questions answered as before"
    )
