"""A task's life told the slow way: one key, one night, one step at a time. The oracle of `report.tasks.derive`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from datasach.report.tasks import Task, due_day
from datasach.report.words import TaskTerms
from datasach.spec.project import Project
from datasach.spec.rule import Rule


class Seen(NamedTuple):
    """One rule at one facility in one night, over all its tables, the most failing first."""

    facility: str
    rule: str
    night: str
    tables: str
    tested: int
    failed: int


def slow_tasks(
    nights: list[str], seen: Iterable[Seen], came: set[tuple[str, str]], project: Project, terms: TaskTerms
) -> list[Task]:  # fmt: skip
    """`came` holds (facility, night). Closed tasks too."""
    by_key: dict[tuple[str, str], dict[str, Seen]] = defaultdict(dict)
    for one in seen:
        by_key[one.facility, one.rule][one.night] = one
    rules: dict[str, Rule] = {}
    for rule in project.rules:
        rules.setdefault(rule.id, rule)
    lived = [
        _life(nights, by_night, rules[name], {n for f, n in came if f == facility}, project, terms)
        for (facility, name), by_night in by_key.items()
        if name in rules
    ]
    return sorted((task for task in lived if task is not None), key=Task.urgency)


def _life(
    nights: list[str], by_night: dict[str, Seen], rule: Rule, with_data: set[str], project: Project,
    terms: TaskTerms,
) -> Task | None:  # fmt: skip
    opening = terms.opens_from[rule.severity]
    task: Task | None = None
    for night in nights:
        one = by_night.get(night)
        if one is not None and opening.reached(one.tested, one.failed):
            if task is None or task.closed is not None:
                task = _opened(one, rule, task, project, terms)
            task.last_seen, task.failed, task.tested = night, one.failed, one.tested
            task.tables = tuple(one.tables.split())
            task.clean = 0
        elif task is not None and task.closed is None and night in with_data:
            task.clean += 1
            task.failed = one.failed if one else 0
            if task.clean >= terms.close_after:
                task.closed, task.state = night, "closed"
        if task is not None and task.closed is None:
            task.nights_open += 1
    if task is not None and task.closed is None and date.fromisoformat(nights[-1]) > task.due:
        task.state = "overdue"
    return task


def _opened(one: Seen, rule: Rule, before: Task | None, project: Project, terms: TaskTerms) -> Task:
    tables = one.tables.split() or [rule.table]
    owners = {(o := project.databases[t.split(".")[0]].owner).vi: o for t in tables}
    return Task(
        facility=one.facility, rule=rule, tables=tuple(tables), owners=tuple(owners.values()), opened=one.night,
        due=due_day(one.night, terms.working_days[rule.severity]), last_seen=one.night, failed=one.failed,
        tested=one.tested, earlier=[*before.earlier, (before.opened, before.closed or "")] if before else [],
    )  # fmt: skip
