"""`datasach export`: the desk of `protect` with the disclosure rule of `report`, which do not know each other."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from datasach.protect.desk import Asked, open_desk
from datasach.protect.export import Exported, export
from datasach.protect.open_zone import Sums
from datasach.report.disclosure import hide_in_sums
from datasach.report.words import load_words
from datasach.spec.project import Project


def hand_over(project: Project, out: Path, asked: Asked, to: Path | None) -> Exported:
    """Raises AccessRefused, WarehouseDamaged; see protect.desk."""
    small = load_words(project.root).verdicts.small_cell
    with open_desk(project, out, asked, "export") as desk:
        return export(desk, to, partial(_hide, small=small))


def _hide(counts: dict[str, int], sums: Sums, small: int) -> set[str]:
    """Counts of nobody are told: that there is none says nothing about somebody."""
    told = {name: number for name, number in counts.items() if number}
    kept = [(whole, [part for part in parts if part in told]) for whole, parts in sums]
    return hide_in_sums(told, [(w, p) for w, p in kept if p and w in told], small)
