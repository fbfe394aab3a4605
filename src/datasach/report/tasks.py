"""Who owes what since when: defects as tasks, worked out from the nights' numbers and never filed by hand.

A task is one rule at one facility, over all its tables: a mistake sent through two channels is one task,
and one task however many nights it lasts. The data open it, the data close it (`close_after` clean nights
with data from that facility), and when the defect comes back it opens again with its history. The same
history gives the same tasks, on any machine.

A night without data from the facility says nothing: it neither closes a task nor keeps it from closing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from datasach.report import history
from datasach.report.words import TaskTerms
from datasach.spec.contract import Title
from datasach.spec.project import Project
from datasach.spec.rule import Rule, Severity
from datasach.store.layout import Layout

State = Literal["open", "overdue", "closed"]
STATE_TITLES: dict[State, Title] = {
    "open": Title(vi="Đang mở", en="Open"),
    "overdue": Title(vi="Quá hạn", en="Overdue"),
    "closed": Title(vi="Đã đóng", en="Closed"),
}
SEVERITY_ORDER: dict[Severity, int] = {"stop": 0, "quarantine": 1, "flag": 2}
Query = Callable[[str], Iterable[tuple[Any, ...]]]


class Seen(NamedTuple):
    """One rule at one facility in one night, over all its tables."""

    night: str
    facility: str
    rule: str
    tables: tuple[str, ...]
    """Those with failing records, the most failing first."""
    tested: int
    failed: int


@dataclass(slots=True)
class Task:
    facility: str
    rule: Rule
    tables: tuple[str, ...]
    owners: tuple[Title, ...]
    """Who owns the databases concerned; the facility owes the repair."""
    opened: str
    due: date
    last_seen: str
    failed: int
    tested: int
    nights_open: int = 0
    closed: str | None = None
    earlier: list[tuple[str, str]] = field(default_factory=list)
    """Times it was open before, as (opened, closed)."""
    state: State = "open"
    clean: int = 0
    """Clean nights since it was last seen."""

    @property
    def severity(self) -> Severity:
        return self.rule.severity

    def tells_of(self, sensitive: Iterable[str]) -> bool:
        """Would its counts tell how many records of a sensitive database there are?"""
        return not {table.split(".")[0] for table in self.tables}.isdisjoint(sensitive)

    def urgency(self) -> tuple[Any, ...]:
        """Overdue first, then by consequence, then by records: what a steward takes up first."""
        order = {"overdue": 0, "open": 1, "closed": 2}[self.state]
        return (order, SEVERITY_ORDER[self.severity], -self.failed, self.facility, self.rule.id)


def due_day(opened: str, working_days: int) -> date:
    """The last of so many working days (Monday to Friday) after the night it was opened.

    >>> due_day("2026-03-06", 1)
    datetime.date(2026, 3, 9)
    """
    day = date.fromisoformat(opened)
    while working_days:
        day += timedelta(1)
        working_days -= day.weekday() < 5
    return day


def derive(
    nights: list[str],
    seen: Iterable[Seen],
    with_data: set[tuple[str, str]],
    project: Project,
    terms: TaskTerms,
) -> list[Task]:
    """Tasks after the last of `nights`, most urgent first; closed ones stand last.

    `seen` may leave out rules that never failed. `with_data` holds (night, facility) of every night in which
    something came about a facility.
    """
    by_key: dict[tuple[str, str], dict[str, Seen]] = defaultdict(dict)
    for one in seen:
        by_key[(one.facility, one.rule)][one.night] = one
    return sorted(_derive(nights, by_key, with_data, project, terms), key=Task.urgency)


def _derive(
    nights: list[str], by_key: Mapping[tuple[str, str], dict[str, Seen]], with_data: set[tuple[str, str]],
    project: Project, terms: TaskTerms,
) -> list[Task]:  # fmt: skip
    rules: dict[str, Rule] = {}
    for rule in project.rules:
        rules.setdefault(rule.id, rule)
    found = []
    for (facility, name), by_night in by_key.items():
        if name in rules:
            task = _live(nights, by_night, facility, rules[name], with_data, project, terms)
            if task is not None:
                found.append(task)
    return found


def _live(
    nights: list[str], by_night: dict[str, Seen], facility: str, rule: Rule,
    with_data: set[tuple[str, str]], project: Project, terms: TaskTerms,
) -> Task | None:  # fmt: skip
    """The task's life, night after night; None if it was never opened."""
    opening = terms.opens_from[rule.severity]
    task: Task | None = None
    for night in nights:
        one = by_night.get(night)
        if one is not None and opening.reached(one.tested, one.failed):
            if task is None or task.closed is not None:
                task = _open(one, rule, task, project, terms)
            task.last_seen, task.failed, task.tested, task.tables = (
                night,
                one.failed,
                one.tested,
                one.tables,
            )
            task.clean = 0
        elif task is not None and task.closed is None and (night, facility) in with_data:
            task.clean += 1
            task.failed = one.failed if one else 0
            if task.clean >= terms.close_after:
                task.closed, task.state = night, "closed"
        if task is not None and task.closed is None:
            task.nights_open += 1
    if task is not None and task.closed is None and date.fromisoformat(nights[-1]) > task.due:
        task.state = "overdue"
    return task


def _open(one: Seen, rule: Rule, before: Task | None, project: Project, terms: TaskTerms) -> Task:
    databases = dict.fromkeys(table.split(".")[0] for table in one.tables or (rule.table,))
    owners = dict.fromkeys(project.databases[name].owner.vi for name in databases)
    by_name = {d.owner.vi: d.owner for d in project.databases.values()}
    return Task(
        facility=one.facility,
        rule=rule,
        tables=one.tables,
        owners=tuple(by_name[name] for name in owners),
        opened=one.night,
        due=due_day(one.night, terms.working_days[rule.severity]),
        last_seen=one.night,
        failed=one.failed,
        tested=one.tested,
        earlier=[*before.earlier, (before.opened, before.closed or "")] if before else [],
    )


def tasks_of(
    layout: Layout, project: Project, terms: TaskTerms, query: Query, tonight: str | None = None
) -> list[Task]:
    """Reads state/history/failures (metrics for nights that kept none) and state/history/arrivals up to `tonight`.

    Facilities are taken in groups, so that a nation's nights are never in memory at once.
    """
    metrics = history.kept(layout, "metrics", tonight)
    if not metrics:
        return []
    arrivals = history.sql_list(history.kept(layout, "arrivals", tonight).values())
    failures = _failures(metrics, history.kept(layout, "failures", tonight))
    groups = 1 + sum(n for (n,) in query(f"SELECT count(*) FROM ({failures})")) // AT_ONCE
    found: list[Task] = []
    for group in range(groups):
        ours = f"hash(facility) % {groups} = {group}"
        by_key = {
            (facility, rule): {
                night: Seen(night, facility, rule, tuple(tables.split()), tested, failed)
                for night, tables, tested, failed in zip(*lists, strict=True)
            }
            for facility, rule, *lists in query(
                "SELECT facility, rule, list(night), list(tables), list(tested), list(failed)"
                f" FROM ({failures}) WHERE {ours} GROUP BY facility, rule"
            )
        }
        came = query(
            f"SELECT facility, list(DISTINCT night) FROM {arrivals} WHERE {ours} GROUP BY facility"
        )
        with_data = {(night, facility) for facility, found_in in came for night in found_in}
        found += _derive(list(metrics), by_key, with_data, project, terms)
    return sorted(found, key=Task.urgency)


AT_ONCE = 250_000
"""Failing (night, facility, rule) that are looked at together: about 150 MB."""


def _failures(metrics: dict[str, Path], failures: dict[str, Path]) -> str:
    """Only what failed: a night without a row of a facility's rule is a night in which it held."""
    parts = []
    if failures:
        parts.append(
            f"SELECT night, facility, rule, array_to_string(tables, ' ') AS tables, tested, failed FROM {history.sql_list(failures.values())}"
        )
    older = [path for night, path in metrics.items() if night not in failures]
    if older:
        parts.append(
            "SELECT night, facility, rule,"
            " array_to_string(list(table_id ORDER BY failed DESC, table_id) FILTER (failed > 0), ' ') AS tables,"
            f" sum(tested)::BIGINT AS tested, sum(failed)::BIGINT AS failed FROM {history.sql_list(older)}"
            " GROUP BY night, facility, rule HAVING sum(failed) > 0"
        )
    return " UNION ALL ".join(parts)
