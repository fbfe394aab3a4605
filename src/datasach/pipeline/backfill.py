"""Many nights, one after another, as if a scheduled machine had run them: to fill a new warehouse from an
inbox that has waited, or to take up what came late for old nights. Stopped anywhere, the same call goes on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path

from datasach.errors import SpecError
from datasach.runners.local import Outcome, run_night
from datasach.spec.project import Project
from datasach.store.layout import Layout
from datasach.store.ledger import Ledger


def backfill(
    project: Project,
    inbox: Path,
    out: Path,
    first: date,
    last: date,
    watch: Callable[[str, str], None] = lambda *_: None,
) -> list[Outcome]:
    """Run the nights of `inbox` from `first` to `last`, oldest first; returns what each run came to.

    Nights that are in the warehouse already are not run one by one: what came late for them is taken up by
    one run of the newest, whose manifest names the nights it revises.
    Raises what a night raises, and SpecError if the range holds no night.
    """
    nights = _nights(inbox, first, last)
    if not nights:
        raise SpecError(f"{inbox} has no folder of a night from {first} to {last}")
    newest = _newest(out)
    done = []
    if newest is not None and nights[0] <= newest:
        done.append(run_night(project, inbox, out, newest, watch))
    for night in nights:
        if newest is None or night > newest:
            done.append(run_night(project, inbox, out, night, watch))
    return done


def _nights(inbox: Path, first: date, last: date) -> list[date]:
    found = []
    for folder in sorted(inbox.glob("????-??-??")):
        try:
            night = date.fromisoformat(folder.name)
        except ValueError:
            continue
        if folder.is_dir() and first <= night <= last:
            found.append(night)
    return found


def _newest(out: Path) -> date | None:
    layout = Layout(out.resolve())
    with closing(Ledger(layout.ledger, "backfill")) as ledger:
        newest = ledger.newest_night()
    return date.fromisoformat(newest) if newest else None
