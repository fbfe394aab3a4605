"""A night that costs little: the project cut down to one database, a handful of visits, a gate that nods.

What a crash can do does not depend on how many databases there are; how many crashes can be tried does.
The gate is stubbed because starting great-expectations costs more than the whole small night, and because
nothing here is about its verdict.
"""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from tests.conftest import ROOT
from tests.envelopes import envelope, simple_visit

DATABASES = ("bhyt_claims", "ehr_book", "facilities", "kcb_emr")
"""What the engine itself asks for: both channels of a visit, and who the facilities are."""
NIGHTS = (date(2026, 3, 2), date(2026, 3, 3))
FACILITIES = ("79001", "79002")


def small_project(folder: Path) -> Path:
    """The project's declarations for one database only; returns its root."""
    root = folder / "project"
    for name in ("datasets", "rules", "reports"):
        shutil.copytree(ROOT / name, root / name)
    for path in (root / "datasets").iterdir():
        if path.is_dir() and not path.name.startswith("_") and path.name not in DATABASES:
            shutil.rmtree(path)
    shutil.rmtree(root / "datasets/_sources")
    (root / "datasets/_sources").mkdir()
    shutil.copy(ROOT / "datasets/_sources/coordination_envelopes.yaml", root / "datasets/_sources")
    for path in (*(root / "rules").glob("*.yaml"), *(root / "rules/shared").glob("*.yaml")):
        path.unlink()
    # The rules of form that contracts bring are enough to hold a row; one page is enough to be half written.
    pages = (root / "reports/pages.yaml").read_text("utf-8").split("  - id: ")
    (root / "reports/pages.yaml").write_text("  - id: ".join(pages[:2]), "utf-8")
    return root


def fill(inbox: Path, nights: tuple[date, ...] = NIGHTS, visits: int = 2) -> None:
    """Two facilities, two files each a night: new visits, a correction, a duplicate, a broken file, a zip."""
    for turn, night in enumerate(nights):
        for facility in FACILITIES:
            folder = inbox / night.isoformat() / facility
            folder.mkdir(parents=True)
            units = [
                simple_visit(
                    MA_LK=f"{facility}{turn}{n}", MA_CSKCB=facility, NGAY_RA="202603020900"
                )
                for n in range(visits)
            ]
            text = envelope(units, facility=facility, made_on=night.strftime("%Y%m%d"))
            (folder / f"DPDL_{turn}.xml").write_text(text, "utf-8")
            (folder / f"DPDL_copy_{turn}.xml").write_text(text, "utf-8")
            if turn:
                old = [
                    simple_visit(MA_LK=f"{facility}00", MA_CSKCB=facility, MA_BENH_CHINH="G43.9")
                ]
                again = envelope(old, facility=facility, made_on=night.strftime("%Y%m%d"))
                (folder / "DPDL_sua.xml").write_text(again, "utf-8")
        (inbox / night.isoformat() / FACILITIES[0] / "DPDL_hong.xml").write_text(
            text[:-60], "utf-8"
        )
