"""The Prefect runner: the same steps as Prefect tasks, for schedules, retries of reading, and a view of the night.

Only this module and `flows/` import prefect. Its state is a view: the ledger decides what is done, so
a killed flow run that stands RUNNING for ever changes nothing. Task names hold step names and shard
numbers, results are not kept, and no row passes through it.
"""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.utilities.annotations import quote

from datasach.log import Masking, masked_errors
from datasach.pipeline.plan import plan
from datasach.pipeline.step import Night, Step
from datasach.pipeline.summary import summary
from datasach.runners.local import Outcome, opened, outcome_of
from datasach.spec.project import load_project

READ_RETRIES = 2
"""Only reading is tried again: it touches disks and networks. All other steps are deterministic, and a
second try would only hide a bug."""


# Prefect looks for futures through everything a task is given, a whole project's declarations too, for every
# task anew: that cost more than half a night. What is quoted it leaves alone; the task gets it bare.
@task(cache_policy=NO_CACHE, persist_result=False)
def shard_task(given: tuple[Step, Night, Any]) -> Any:
    step, night, shard = given
    assert step.work is not None
    # Prefect keeps the text of every exception in its database.
    with masked_errors():
        return step.work(night.project, night.layout, shard)


@task(cache_policy=NO_CACHE, persist_result=False)
def step_task(given: tuple[Step, Night, list[Any]]) -> None:
    step, night, results = given
    with masked_errors():
        step.run(night, results, lambda _: None)


def _mask_logs() -> None:
    """Prefect's handlers write to the terminal and to its database."""
    for name in ("prefect", "prefect.flow_runs", "prefect.task_runs"):
        for handler in logging.getLogger(name).handlers:
            if not any(isinstance(one, Masking) for one in handler.filters):
                handler.addFilter(Masking())


def execute(night: Night, step: Step) -> None:
    """One step as tasks: its shards side by side, then the step itself."""
    results: list[Any] = []
    if step.shards is not None:
        work = shard_task.with_options(name=f"{step.name} shard")
        futures = [work.submit(quote((step, night, shard))) for shard in step.shards(night)]
        for future in futures:
            results.append(future.result())
            if step.enter is not None:
                step.enter(night, results[-1])
    retries = READ_RETRIES if step.name in ("arrive", "extract") else 0
    step_task.with_options(name=step.name, retries=retries)(quote((step, night, results)))


@flow(name="datasach nightly", persist_result=False)
def nightly(project: str, inbox: str, out: str, night: str | None = None) -> dict[str, Any]:
    """Bring a warehouse up to a night (ISO date; default: yesterday in Viet Nam, the night just ended).

    Returns counts and paths. Fails if the gate withheld a database, after everything else went out.
    """
    from datasach import settings

    trust = settings.trust_folder()
    _mask_logs()
    until = date.fromisoformat(night) if night else settings.yesterday()
    with opened(
        load_project(Path(project).resolve(), trust), Path(inbox), Path(out), until
    ) as opened_night:
        for step in plan():
            execute(opened_night, step)
        outcome: Outcome = outcome_of(opened_night)
    text = summary(outcome)
    create_markdown_artifact(
        key="datasach-night", markdown=f"```\n{text}\n```", description=outcome.snapshot
    )
    print(text)
    if outcome.mostly_poison:
        raise RuntimeError("most of the night could not be read: nothing was released")
    if outcome.withheld:
        raise RuntimeError(f"withheld by the gate: {', '.join(outcome.withheld)}")
    return {"snapshot": outcome.snapshot, "is_new": outcome.is_new, "report": str(outcome.report)}
