"""The local runner: the steps in order, in this process; shards on as many processes as the machine has.

Default of the command line and of every test. Needs no server.
"""

from __future__ import annotations

import json
import multiprocessing
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from datasach import __version__, settings
from datasach.pipeline.plan import plan
from datasach.pipeline.step import Night, Step
from datasach.spec.project import Project
from datasach.store.layout import Layout, only_run, sweep
from datasach.store.ledger import Ledger
from datasach.store.trouble import told
from datasach.store.warehouse import Warehouse

POOL_FROM_BYTES = 32 * 2**20
"""Less work than this is done here: starting a worker costs about a CPU-second of imports."""

Watcher = Callable[[str, str], None]
"""Told (step name, what it is doing); for progress displays only."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    run: str
    snapshot: str
    is_new: bool
    withheld: tuple[str, ...]
    report: Path
    found: dict[str, Any]
    nothing_readable: bool = False
    """Files arrived, and every one of them was refused."""

    mostly_poison: bool = False
    """The circuit breaker opened: nothing was released."""

    @property
    def exit_code(self) -> int:
        if self.mostly_poison:
            return 22
        if self.withheld:
            return 20
        if self.nothing_readable:
            return 11
        return 21 if self.found["coverage"]["gaps"] else 0


def run_night(
    project: Project, inbox: Path, out: Path, until: date, watch: Watcher = lambda *_: None
) -> Outcome:
    """Bring the warehouse `out` up to the night `until`.

    Raises WarehouseBusy if another run holds it; SpecError if the inbox is not there; MachineTrouble if a
    disk is full or failing. Whatever stops it, the same call later goes on where it stopped.
    """
    with opened(project, inbox, out, until) as night:
        for step in plan():
            watch(step.name, "")
            results = run_shards(night, step, watch)
            step.run(night, results, partial(watch, step.name))
        return outcome_of(night)


@contextmanager
def opened(project: Project, inbox: Path, out: Path, until: date) -> Iterator[Night]:
    """A night ready to be worked on, holding the warehouse; entered in the ledger from start to end."""
    with told():
        layout = Layout(out.resolve())
    with told(), only_run(layout):
        run = settings.now().strftime("%Y%m%dT%H%M%S") + "-" + secrets.token_hex(3)
        with closing(Ledger(layout.ledger, run)) as ledger:
            sweep(layout, ledger.batches(), ledger.batches("raw"))
            with closing(Warehouse(layout, settings.resources())) as warehouse:
                # What comes late for an older night revises the newest: readers never go back in time.
                until = max(until, date.fromisoformat(ledger.newest_night() or until.isoformat()))
                ledger.begin_run(until.isoformat(), project.fingerprint, __version__)
                outcome = "failed"
                night = Night(
                    project=project, layout=layout, ledger=ledger, resources=settings.resources(),
                    inbox=inbox, until=until, run=run, warehouse=warehouse,
                )  # fmt: skip
                try:
                    yield night
                    outcome = "withheld" if night.carried["release"].withheld else "published"
                finally:
                    done = night.carried.get("release")
                    ledger.end_run(done.snapshot if done else None, outcome)


def run_shards(night: Night, step: Step, watch: Watcher = lambda *_: None) -> list[Any]:
    """Results of the step's shards, in the order of the shards; empty for a step that has none."""
    if step.shards is None or step.work is None:
        return []
    shards = step.shards(night)
    weight = sum(step.weigh(night, shard) for shard in shards) if step.weigh else 0
    if len(shards) < 2 or weight < POOL_FROM_BYTES or night.resources.workers < 2:
        results = []
        for number, shard in enumerate(shards, 1):
            results.append(step.work(night.project, night.layout, shard))
            if step.enter is not None:
                step.enter(night, results[-1])
            watch(step.name, f"{number}/{len(shards)}")
        return results
    # Not fork: the libraries' thread pools do not survive it.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["datasach.pipeline.plan"])
    with ProcessPoolExecutor(night.resources.workers, mp_context=context) as pool:
        waiting = {
            pool.submit(step.work, night.project, night.layout, shard): index
            for index, shard in enumerate(shards)
        }
        found: dict[int, Any] = {}
        for future in as_completed(waiting):
            found[waiting[future]] = future.result()
            if step.enter is not None:
                step.enter(night, future.result())
            watch(step.name, f"{len(found)}/{len(shards)}")
    return [found[index] for index in range(len(shards))]


def outcome_of(night: Night) -> Outcome:
    release = night.carried["release"]
    offered = night.ledger.rows("SELECT state FROM offers WHERE run = ?", (night.run,))
    outcome = Outcome(
        run=night.run,
        snapshot=release.snapshot,
        is_new=release.is_new,
        withheld=release.withheld,
        report=Path(night.found["report"]["site"]),
        found=night.found,
        nothing_readable=bool(offered) and all(row["state"] == "REJECTED" for row in offered),
        mostly_poison=night.carried["mostly_poison"],
    )
    _write_down(night, outcome)
    return outcome


def _write_down(night: Night, outcome: Outcome) -> None:
    """`runs/<run>.json`: what the run came to, in counts, for whoever looks after the machine."""
    told = {
        "run": night.run, "night": night.until.isoformat(), "snapshot": outcome.snapshot,
        "is_new": outcome.is_new, "withheld": outcome.withheld, "exit_code": outcome.exit_code,
        "engine": __version__, "declarations_sha256": night.project.fingerprint, "found": night.found,
    }  # fmt: skip
    path = night.layout.root / "runs" / f"{night.run}.json"
    path.write_text(
        json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True, default=str), "utf-8"
    )
