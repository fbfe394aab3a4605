"""Who owes what since when: defects as tasks, worked out from the nights' numbers and never filed by hand.

A task is one rule at one facility, over all its tables: a mistake sent through two channels is one task,
and one task however many nights it lasts. The data open it, the data close it (`close_after` clean nights
with data from that facility), and when the defect comes back it opens again with its history. The same
history gives the same tasks, on any machine.

A night without data from the facility says nothing: it neither closes a task nor keeps it from closing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

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
Frame = Callable[[str], pl.DataFrame]
"""A question in SQL → its answer."""
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


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
    nights: list[str], seen: pl.DataFrame, came: pl.DataFrame, project: Project, terms: TaskTerms,
    with_closed: bool = False,
) -> list[Task]:  # fmt: skip
    """Tasks after the last of `nights`, in no order; closed ones only if asked for.

    `seen`  facility, rule, night, tables (names between blanks, the most failing first), tested, failed: one row a
            key and night; nights in which a rule did not fail may be left out
    `came`  facility, night of every night in which something came about a facility
    """
    rules: dict[str, Rule] = {}
    for rule in project.rules:
        rules.setdefault(rule.id, rule)
    day = pl.DataFrame({"night": nights, "day": np.arange(len(nights), dtype=np.int32)})
    seen = (
        seen.filter(pl.col("rule").is_in(list(rules)))
        .join(day, on="night")
        .sort("facility", "rule", "day")
        .with_columns(key=pl.struct("facility", "rule").rle_id())
    )
    if seen.is_empty():
        return []
    keys = seen.unique("key", keep="first", maintain_order=True).select("facility", "rule")
    openings = [terms.opens_from[rules[name].severity] for name in keys["rule"]]
    heads = keys.select("facility").unique(maintain_order=True).with_row_index("head")
    with_data = np.zeros((heads.height, len(nights)), bool)
    told = came.join(heads, on="facility").join(day, on="night")
    with_data[told["head"].to_numpy(), told["day"].to_numpy()] = True
    lives = _live(
        key=seen["key"].to_numpy(),
        at=seen["day"].to_numpy(),
        tested=seen["tested"].to_numpy(),
        failed=seen["failed"].to_numpy(),
        least=np.array([one.failed for one in openings]),
        share=np.array([one.share for one in openings]),
        with_data=with_data[
            keys.join(heads, on="facility", maintain_order="left")["head"].to_numpy()
        ],
        close_after=terms.close_after,
    )
    return list(_tasks(nights, seen, keys, lives, rules, project, terms, with_closed))


class Lives(NamedTuple):
    """What became of every key, in arrays by key. A row is a place in what was seen; -1 is none."""

    opened: Ints
    """Row that opened the task last."""
    last: Ints
    """Last row that would have opened it."""
    failed: Ints
    nights_open: Ints
    clean: Ints
    closed: Ints
    """Night; -1 while it is open or where it never was."""
    earlier: list[tuple[int, int, int]]
    """(key, row that opened it, night that closed it) of tasks that were opened again, in order."""


def _live(
    key: Ints, at: Ints, tested: Ints, failed: Ints, least: Ints, share: Floats, with_data: Bools,
    close_after: int,
) -> Lives:  # fmt: skip
    """The tasks' lives, night after night, all keys at once; rows are `key`, `at` (night), `tested`, `failed`."""
    count = len(least)
    opened, last, closed = (np.full(count, -1) for _ in range(3))
    now, nights_open, clean = (np.zeros(count, np.int64) for _ in range(3))
    is_open = np.zeros(count, bool)
    earlier: list[tuple[int, int, int]] = []
    reached = (failed >= least[key]) & (failed >= share[key] * tested)
    by_night = np.argsort(at, kind="stable")
    bounds = np.searchsorted(at[by_night], np.arange(with_data.shape[1] + 1))
    for night in range(with_data.shape[1]):
        rows = by_night[bounds[night] : bounds[night + 1]]
        bad, mild = rows[reached[rows]], rows[~reached[rows]]
        hit = key[bad]
        fresh = bad[~is_open[hit]]
        opens = key[fresh]
        again = opens[opened[opens] >= 0]
        earlier += zip(again.tolist(), opened[again].tolist(), closed[again].tolist(), strict=True)
        opened[opens], nights_open[opens], closed[opens], is_open[opens] = fresh, 0, -1, True
        last[hit], now[hit], clean[hit] = bad, failed[bad], 0
        quiet = is_open & with_data[:, night]
        quiet[hit] = False
        clean[quiet] += 1
        few = np.zeros(count, np.int64)
        few[key[mild]] = failed[mild]
        now[quiet] = few[quiet]
        done = quiet & (clean >= close_after)
        closed[done], is_open[done] = night, False
        nights_open[is_open] += 1
    return Lives(opened, last, now, nights_open, clean, closed, earlier)


def _tasks(
    nights: list[str], seen: pl.DataFrame, keys: pl.DataFrame, lives: Lives, rules: Mapping[str, Rule],
    project: Project, terms: TaskTerms, with_closed: bool,
) -> Iterator[Task]:  # fmt: skip
    tonight = date.fromisoformat(nights[-1])
    earlier: dict[int, list[tuple[str, str]]] = defaultdict(list)
    when = seen["night"]
    for key, row, closed in lives.earlier:
        earlier[key].append((when[row], nights[closed]))
    chosen = np.flatnonzero((lives.opened >= 0) & ((lives.closed < 0) | with_closed))
    first, last = seen[lives.opened[chosen]], seen[lives.last[chosen]]
    named: dict[str, tuple[str, ...]] = {}
    owned: dict[tuple[str, str], tuple[Title, ...]] = {}
    due_on: dict[tuple[str, Severity], date] = {}
    for key, facility, name, opened, opened_in, last_seen, tables, tested, failed, nights_open, clean, closed in zip(
        chosen.tolist(), first["facility"], first["rule"], first["night"], first["tables"], last["night"],
        last["tables"], last["tested"], lives.failed[chosen].tolist(), lives.nights_open[chosen].tolist(),
        lives.clean[chosen].tolist(), lives.closed[chosen].tolist(), strict=True,
    ):  # fmt: skip
        rule = rules[name]
        if (opened_in, name) not in owned:
            owned[opened_in, name] = _owners(project, opened_in.split() or [rule.table])
        if (opened, rule.severity) not in due_on:
            due_on[opened, rule.severity] = due_day(opened, terms.working_days[rule.severity])
        due = due_on[opened, rule.severity]
        state: State = "closed" if closed >= 0 else "overdue" if tonight > due else "open"
        yield Task(
            facility=facility, rule=rule, tables=named.setdefault(tables, tuple(tables.split())),
            owners=owned[opened_in, name], opened=opened, due=due, last_seen=last_seen, failed=failed,
            tested=tested, nights_open=nights_open, closed=nights[closed] if closed >= 0 else None,
            earlier=earlier.get(key, []), state=state, clean=clean,
        )  # fmt: skip


def _owners(project: Project, tables: Iterable[str]) -> tuple[Title, ...]:
    """Of the databases of some tables, each once."""
    databases = dict.fromkeys(table.split(".")[0] for table in tables)
    return tuple({(o := project.databases[name].owner).vi: o for name in databases}.values())


def tasks_of(
    layout: Layout, project: Project, terms: TaskTerms, frame: Frame, tonight: str | None = None,
    with_closed: bool = False,
) -> list[Task]:  # fmt: skip
    """Tasks, most urgent first; closed ones, if asked for, stand last.

    Reads state/history/failures (metrics for nights that kept none) and state/history/arrivals up to `tonight`.
    Facilities are taken in groups, so that a nation's nights are never in memory at once.
    """
    metrics = history.kept(layout, "metrics", tonight)
    if not metrics:
        return []
    arrivals = history.sql_list(history.kept(layout, "arrivals", tonight).values())
    failures = _failures(metrics, history.kept(layout, "failures", tonight))
    groups = 1 + frame(f"SELECT count(*) AS n FROM ({failures})")["n"][0] // AT_ONCE
    found: list[Task] = []
    for group in range(groups):
        ours = f"hash(facility) % {groups} = {group}"
        seen = frame(
            f"SELECT facility, rule, night, tables, tested, failed FROM ({failures}) WHERE {ours}"
        )
        came = frame(f"SELECT DISTINCT facility, night FROM {arrivals} WHERE {ours}")
        found += derive(list(metrics), seen, came, project, terms, with_closed)
    return sorted(found, key=Task.urgency)


AT_ONCE = 1_000_000
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
