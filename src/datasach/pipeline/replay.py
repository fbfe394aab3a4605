"""An old night once more, from the landed files, with the declarations of that night: is it what was published?

Everything a night depends on is kept: the bytes that arrived, which of them had arrived by then, the
declarations, the judgements taken by then, the snapshot before (ids follow its persons). So its tables can be
made again in a folder that is gone afterwards, and compared by hash. What PostgreSQL sources gave that night
was never a file and cannot be asked for again; a trust folder outside the project is today's.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from datasach import __version__, settings
from datasach.errors import DatasachError, WarehouseDamaged
from datasach.link.judgements import journal
from datasach.runners.local import run_night
from datasach.spec.project import load_project
from datasach.store.declarations import lay_out_declarations
from datasach.store.layout import Layout
from datasach.store.ledger import Ledger
from datasach.store.manifest import MANIFEST, read_manifest


class ReplayDiffers(DatasachError):
    """The night's files and rules do not give what was published."""

    exit_code = 30


@dataclass(frozen=True, slots=True)
class Replayed:
    """A night that came out as it was published."""

    snapshot: str
    engine: str
    """Version that made the snapshot."""
    files: int
    tables: int

    def told(self) -> str:
        by = (
            ""
            if self.engine == __version__
            else f" (made by {self.engine}, replayed by {__version__})"
        )
        return f"{self.snapshot}: the same, {self.tables} tables from {self.files} files{by}"


def replay(out: Path, night: date, watch: Callable[[str, str], None] = lambda *_: None) -> Replayed:
    """Run `night` again and compare every released table with the newest snapshot of that night.

    Changes nothing in `out`. Raises ReplayDiffers naming the tables; WarehouseDamaged if the snapshot, its
    declarations or a landed file is gone.
    """
    layout = Layout(out.resolve())
    manifest = _newest_of(layout, night)
    with tempfile.TemporaryDirectory(prefix="datasach-replay-") as folder:
        root = Path(folder)
        files, until, began = _lay_out_inbox(layout, manifest["snapshot"], root / "inbox")
        declarations = lay_out_declarations(
            layout, manifest["declarations_sha256"], root / "project"
        )
        again_in = Layout(root / "out")
        _lay_out_before(layout, again_in, manifest["previous"])
        _lay_out_judgements(layout, again_in, began)
        project = load_project(declarations, settings.trust_folder())
        run_night(project, root / "inbox", again_in.root, until, watch)
        again = read_manifest(again_in.published / "latest")
    wrong = _differences(manifest["databases"], again["databases"])
    if wrong:
        raise ReplayDiffers(f"{manifest['snapshot']}: {len(wrong)} differ: {'; '.join(wrong)}")
    tables = sum(
        len(entry["tables"])
        for entry in again["databases"].values()
        if entry["state"] == "released"
    )
    return Replayed(manifest["snapshot"], manifest["engine"], files, tables)


def _newest_of(layout: Layout, night: date) -> dict[str, Any]:
    found = [
        read_manifest(path.parent)
        for path in layout.published.glob(f"{night.isoformat()}*/{MANIFEST}")
        if not path.parent.name.startswith(".")
    ]
    if not found:
        raise WarehouseDamaged(f"no snapshot of {night} is kept in {layout.published}")
    newest: dict[str, Any] = max(
        found, key=lambda one: int(one["snapshot"].partition(".r")[2] or 1)
    )
    return newest


def _lay_out_before(layout: Layout, again: Layout, previous: str | None) -> None:
    """The snapshot that readers had when the night began."""
    if previous is None:
        return
    before = layout.published / previous
    if not (before / MANIFEST).exists():
        raise WarehouseDamaged(f"the snapshot before it, {previous}, is not kept any more")
    shutil.copytree(before, again.published / previous)
    (again.published / "latest").symlink_to(previous)


def _lay_out_judgements(layout: Layout, again: Layout, began: str) -> None:
    """The judgements that had been taken when the run began: the first lines of a journal that only grows."""
    if journal(layout).exists():
        lines = journal(layout).read_text("utf-8").splitlines(keepends=True)
        known = [line for line in lines if json.loads(line)["at"] <= began]
        journal(again).write_text("".join(known), "utf-8")


def _lay_out_inbox(layout: Layout, snapshot: str, inbox: Path) -> tuple[int, date, str]:
    """Put every file that had arrived by the run that made the snapshot where it lay; how many, the night, and
    when the run began."""
    with closing(Ledger(layout.ledger, "replay")) as ledger:
        runs = ledger.rows(
            "SELECT rowid AS number, night, started_at FROM runs WHERE snapshot = ? ORDER BY rowid LIMIT 1",
            (snapshot,),
        )
        if not runs:
            raise WarehouseDamaged(f"the ledger knows no run that made {snapshot}")
        offers = ledger.rows(
            "SELECT o.night, o.path, o.sha256, o.code FROM offers o JOIN runs r USING (run)"
            " WHERE r.rowid <= ? ORDER BY o.offer",
            (runs[0]["number"],),
        )
    files = 0
    inbox.mkdir()
    for offer in offers:
        landed = layout.landed(offer["sha256"])
        if not landed.exists():
            if (offer["code"] or "").startswith("FILE_"):
                continue
            raise WarehouseDamaged(f"landing: the copy of {offer['sha256'][:12]}… is gone")
        target = inbox / offer["night"] / offer["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(landed, target)
        except OSError:
            shutil.copyfile(landed, target)
        files += 1
    return files, date.fromisoformat(runs[0]["night"]), str(runs[0]["started_at"])


def _differences(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    wrong = []
    for database in sorted({*was, *now}):
        old, new = was.get(database), now.get(database)
        if old is None or new is None or old["state"] != new["state"]:
            states = [one["state"] if one else "absent" for one in (old, new)]
            wrong.append(f"{database} {states[0]}, now {states[1]}")
            continue
        if old["state"] != "released":
            continue
        for table in sorted({*old["tables"], *new["tables"]}):
            before, after = old["tables"].get(table), new["tables"].get(table)
            if before != after:
                rows = [one["rows"] if one else "no" for one in (before, after)]
                wrong.append(f"{database}.{table} {rows[0]} rows, now {rows[1]}")
    return wrong
