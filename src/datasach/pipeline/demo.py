"""Invented nights, run one after another as a scheduled machine would. All people in them are invented."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from datasach.errors import DatasachError
from datasach.runners.local import Outcome, run_night
from datasach.spec.load import Problems
from datasach.spec.project import Project
from datasach.spec.trust import load_trust
from datasach.synth import generate

FIRST_NIGHT = date(2026, 3, 2)
"""A Monday after the merger of 2025, with the old facility codes just out of use."""
PERSONS_PER_FACILITY = 1_000
MARK = ".invented-by-datasach"


def run_demo(
    project: Project,
    out: Path,
    seed: int,
    facilities: int,
    nights: int,
    visits: int,
    watch: Callable[[str, str], None] = lambda *_: None,
) -> list[Outcome]:
    """Write `out/inbox` (and, apart, `out/truth`), run every night into `out/warehouse`.

    `out/trust` is the trust folder by which its signatures can be judged. A demo folder of before is replaced; a folder that is none is refused.
    """
    _clear(out)
    watch("invent", "")
    days = [FIRST_NIGHT + timedelta(n) for n in range(nights)]
    trust = out / "trust"
    generate(
        out / "inbox",
        out / "truth",
        reference=project.root / "datasets" / "_reference",
        seed=seed,
        nights=days,
        facilities=facilities,
        persons=PERSONS_PER_FACILITY * facilities,
        visits_per_night=visits,
        trust=trust,
    )
    # Its authorities are invented: they are believed in this folder and nowhere else.
    problems = Problems(out)
    project = dataclasses.replace(project, trust=load_trust(trust, problems) or project.trust)
    problems.raise_if_any()
    return [run_night(project, out / "inbox", out / "warehouse", day, watch) for day in days]


def _clear(out: Path) -> None:
    if out.exists() and any(out.iterdir()):
        if not (out / MARK).exists():
            raise DatasachError(f"{out} holds something that is not a demo: choose another folder")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).write_text(
        "Everything below this folder is invented and may be deleted.\n", "utf-8"
    )
