"""The declarations of a night, kept so that the night can be run again as it was.

One archive per fingerprint, beside the ledger and as restricted: declared corrections may name a record.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from datasach.errors import WarehouseDamaged
from datasach.spec.project import DECLARATIONS, Project
from datasach.store import faults
from datasach.store.layout import Layout, fsync_file, fsync_folder

FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""Archives of the same declarations are the same bytes, whenever they are made."""


def keep_declarations(layout: Layout, project: Project) -> Path:
    """Keep what was declared tonight, unless it is kept already."""
    home = _home(layout, project.fingerprint)
    if home.exists():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    side = home.with_name(f".{os.getpid()}.part")
    with zipfile.ZipFile(side, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in DECLARATIONS:
            for path in sorted(p for p in (project.root / folder).rglob("*") if p.is_file()):
                name = zipfile.ZipInfo(str(path.relative_to(project.root)), FIRST_DAY)
                name.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(name, path.read_bytes())
    fsync_file(side)
    faults.point("declarations.rename")
    side.replace(home)
    fsync_folder(home.parent)
    return home


def lay_out_declarations(layout: Layout, fingerprint: str, folder: Path) -> Path:
    """The declarations of a night as a project in `folder`.

    Raises WarehouseDamaged if they were not kept.
    """
    home = _home(layout, fingerprint)
    if not home.exists():
        raise WarehouseDamaged(f"the declarations {fingerprint[:12]}… of that night were not kept")
    with zipfile.ZipFile(home) as archive:
        archive.extractall(folder)
    return folder


def _home(layout: Layout, fingerprint: str) -> Path:
    return layout.state / "declarations" / f"{fingerprint}.zip"
