"""Reading the access log, which is itself logged; verifying it, which needs no role."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from datasach.errors import AccessRefused
from datasach.protect.accesslog import AccessLog, Head
from datasach.protect.vault import Vault
from datasach.spec.access import load_access
from datasach.spec.project import Project


def verify_log(out: Path, kept: str | None) -> str:
    """Text with the head of the whole chain. Raises WarehouseDamaged where it is broken."""
    head = AccessLog(out.resolve()).verify(Head.read(kept) if kept else None)
    passed = ", đi qua đầu chuỗi đã cất · passes the kept head" if kept else ""
    return f"{head}\n{head.entries} mục, chuỗi nguyên vẹn · entries, the chain is whole{passed}"


def read_log(
    project: Project, out: Path, vault: Path | None, actor: str | None, who: str | None,
    since: str | None,
) -> Iterator[str]:  # fmt: skip
    """Entries as JSON lines. Raises AccessRefused unless the role reads the log."""
    root = out.resolve()
    access = load_access(project)
    holder = Vault(vault, root).holder(access, actor)
    log = AccessLog(root)
    if not holder.role.reads_log:
        log.write(holder, "access-log", "ROLE")
        raise AccessRefused(f"ROLE: role {holder.role.id} does not read the access log")
    log.write(holder, "access-log", "OK", who=who, since=since)
    for entry in log.entries():
        if who in (None, entry.get("actor")) and (since is None or entry["at"] >= since):
            yield json.dumps(entry, ensure_ascii=False, sort_keys=True)
