"""`datasach pack`: what a meeting about data quality needs, for one Department or the nation, on paper and as a workbook.

    packs/<night>/hop-<place>.html    A4, printable, opens without a network
    packs/<night>/hop-<place>.xlsx    the same tables, all rows

Made from the Parquet tables of the night's site, so it says what the pages say with the same numbers hidden,
and from the history that tasks are derived from. It is compared with the last meeting: the night named, or seven
nights before, or the nearest earlier night there is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from datasach import __version__
from datasach.errors import DatasachError
from datasach.report import history, numbers
from datasach.report.counts import COUNTS
from datasach.report.downloads import PARTS, read_table
from datasach.report.issue import write_text
from datasach.report.pack_book import sheets
from datasach.report.render import Renderer
from datasach.report.task_list import reader
from datasach.report.tasks import SEVERITY_ORDER, Frame, Task, tasks_of
from datasach.report.words import Words, load_words
from datasach.report.workbook import write_workbook
from datasach.report.workbooks import Speech, site_data
from datasach.spec.project import Project
from datasach.spec.rule import Rule
from datasach.store.layout import Layout
from datasach.store.warehouse import sql_texts

NATION = "VN"
BEFORE = timedelta(7)
"""Between two meetings, unless a night is named."""
DEFECTS, RULES, NAMED, DEBTORS, SILENT = 10, 8, 5, 12, 40
"""Rows on paper; the workbook has them all."""
TREND_NIGHTS = 30


@dataclass(slots=True)
class Defect:
    """One rule over all tables and facilities of the pack, tonight and at the last meeting."""

    rule: Rule
    facilities: int
    held: int | None
    failed: int | None
    """None where the number would tell of a sensitive database."""
    before: int | None = None
    trend: list[float | None] = field(default_factory=list)


@dataclass(slots=True)
class Debtor:
    """What one facility owes."""

    facility: str
    name: str
    province: str
    tasks: int = 0
    overdue: int = 0
    since: str = ""
    due: str = ""
    worst: Task | None = None


@dataclass(slots=True)
class Bridge:
    """Open tasks from meeting to meeting: before + opened - closed = now."""

    before: int
    opened: int
    closed: int
    now: int


@dataclass(slots=True)
class Pack:
    place: str
    name: str
    former: str
    night: str
    since: str | None
    facilities: pl.DataFrame
    facilities_before: pl.DataFrame | None
    databases: pl.DataFrame
    databases_before: pl.DataFrame | None
    nights: list[tuple[str, int]]
    """(night, facilities that sent), of those expected."""
    defects: list[Defect]
    tasks: list[Task]
    bridge: Bridge | None

    @property
    def expected(self) -> pl.DataFrame:
        return self.facilities.filter(pl.col("nights_expected") > 0)

    @property
    def silent(self) -> pl.DataFrame:
        return self.expected.filter(pl.col("nights_silent") > 0).sort(
            "nights_silent", "facility", descending=[True, False]
        )

    @property
    def sent(self) -> int:
        return self.expected.filter(pl.col("nights_silent") == 0).height

    @property
    def overdue(self) -> int:
        return sum(task.state == "overdue" for task in self.tasks)

    def counts(self, before: bool = False) -> dict[str, int]:
        frame = self.facilities_before if before else self.facilities
        return {name: int(frame[name].sum()) for name in COUNTS} if frame is not None else {}

    def names(self) -> dict[str, tuple[str, str]]:
        """Facility → (name, province)."""
        rows = self.facilities.select("facility", "name", "province").iter_rows()
        return {code: (name or code, place or "") for code, name, place in rows}

    def debtors(self) -> list[Debtor]:
        """Who owes most: overdue first, then the longest since."""
        names, found = self.names(), dict[str, Debtor]()
        for task in self.tasks:
            name, province = names.get(task.facility, (task.facility, ""))
            one = found.setdefault(task.facility, Debtor(task.facility, name, province))
            one.tasks += 1
            one.overdue += task.state == "overdue"
            one.since = min(one.since or task.opened, task.opened)
            one.due = min(one.due or task.due.isoformat(), task.due.isoformat())
            one.worst = one.worst or task
        return sorted(found.values(), key=lambda d: (-d.overdue, -d.tasks, d.since, d.facility))

    def discussed(self) -> list[tuple[Rule, list[Task], int, int]]:
        """(rule, its most urgent tasks, all of them, overdue), in the order of the most urgent task."""
        found: dict[str, list[Task]] = defaultdict(list)
        for task in self.tasks:
            found[task.rule.id].append(task)
        return [
            (tasks[0].rule, tasks[:NAMED], len(tasks), sum(t.state == "overdue" for t in tasks))
            for tasks in found.values()
        ]

    def owners(self) -> list[tuple[str, str, int, int]]:
        """(owner vi, en, open tasks in its databases, overdue)."""
        found: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        for task in self.tasks:
            for owner in task.owners:
                found[owner.vi, owner.en][0] += 1
                found[owner.vi, owner.en][1] += task.state == "overdue"
        ranked = sorted(found.items(), key=lambda item: (-item[1][1], -item[1][0], item[0]))
        return [(vi, en, tasks, late) for (vi, en), (tasks, late) in ranked]


def write_pack(
    project: Project, out: Path, night: str | None, province: str | None, since: str | None, target: Path | None
) -> tuple[Path, Path]:  # fmt: skip
    """Write the pack of a province, or of the nation; returns (page, workbook).

    Raises DatasachError if the night was not reported, or nothing is known of the province then.
    """
    words = load_words(project.root)
    pack = gather(project, words, out, night, province, since)
    folder = target or out / "packs" / pack.night
    folder.mkdir(parents=True, exist_ok=True)
    page, book = folder / f"hop-{pack.place}.html", folder / f"hop-{pack.place}.xlsx"
    renderer = Renderer(project.root, words, __version__, project.fingerprint)
    style = (project.root / "reports/pack.css").read_text("utf-8")
    write_text(page, renderer.page("pack.html.j2", style, **_context(pack, words)))
    write_workbook(book, sheets(pack, Speech.of(project, words), words))
    return page, book


# -- gathering -------------------------------------------------------------------------------------


def gather(
    project: Project, words: Words, out: Path, night: str | None, province: str | None, since: str | None
) -> Pack:  # fmt: skip
    data, when = site_data(out, night)
    if province is not None and not (data / PARTS / province).is_dir():
        raise DatasachError(f"{province}: nothing is known of this province in the night of {when}")
    layout = Layout(out.resolve())
    known = [n for n in history.kept(layout, "metrics", when) if n < when]
    asked = since or (date.fromisoformat(when) - BEFORE).isoformat()
    before = max((n for n in known if n <= asked), default=min(known, default=None))
    place = province or ""
    facilities = read_table(data, "facilities", place)
    members = set(facilities["facility"].to_list())
    with reader() as frame:
        now = _open(tasks_of(layout, project, words.tasks, frame, when), members)
        then = (
            _open(tasks_of(layout, project, words.tasks, frame, before), members) if before else []
        )
        trends = _trends(layout, frame, when, members, words.verdicts.sensitive)
    provinces = read_table(data, "provinces").filter(pl.col("province") == place)
    earlier = _earlier(out, before)
    return Pack(
        place=province or NATION,
        name=str(provinces["province_name"][0]) if provinces.height else "Toàn quốc",
        former=str(provinces["former"][0] or "") if provinces.height else "",
        night=when,
        since=before,
        facilities=facilities,
        facilities_before=read_table(earlier, "facilities", place) if earlier else None,
        databases=_databases(data, place),
        databases_before=_databases(earlier, place) if earlier else None,
        nights=_coverage(data, place, facilities),
        defects=_defects(project, words, data, place, trends, before),
        tasks=now,
        bridge=_bridge(then, now) if before else None,
    )


def _open(tasks: Iterable[Task], members: set[str]) -> list[Task]:
    return [task for task in tasks if task.closed is None and task.facility in members]


def _bridge(then: list[Task], now: list[Task]) -> Bridge:
    """A task closed and opened again in between is closed once and opened once."""
    before = {(t.facility, t.rule.id, t.opened) for t in then}
    after = {(t.facility, t.rule.id, t.opened) for t in now}
    return Bridge(len(before), len(after - before), len(before - after), len(after))


def _earlier(out: Path, night: str | None) -> Path | None:
    """The tables of the last meeting's night, if that site is still there."""
    if night is None:
        return None
    try:
        return site_data(out, night)[0]
    except DatasachError:
        return None


def _databases(data: Path, place: str) -> pl.DataFrame:
    frame = read_table(data, "databases", place)
    return frame.filter(pl.col("whose") == (place or NATION))


def _parts(data: Path, table: str, place: str) -> pl.DataFrame:
    """A table written by province: one province's, or all of them."""
    places = [place] if place else sorted(p.name for p in (data / PARTS).iterdir() if p.is_dir())
    frames = [read_table(data, table, one) for one in places]
    return pl.concat(frames) if frames else read_table(data, table)


def _coverage(data: Path, place: str, facilities: pl.DataFrame) -> list[tuple[str, int]]:
    """Facilities that sent, by night, of those that are expected today."""
    due = facilities.filter(pl.col("nights_expected") > 0).select("facility")
    found = _parts(data, "evenings", place).join(due, on="facility", how="semi")
    sums = (
        found.group_by("night").agg(pl.col("facility").n_unique()).sort("night").tail(TREND_NIGHTS)
    )
    return [(when.isoformat(), count) for when, count in sums.iter_rows()]


def _trends(
    layout: Layout, frame: Frame, night: str, members: set[str], sensitive: list[str]
) -> dict[str, dict[str, tuple[int, int]]]:
    """Rule → night → (tested, failed) over the pack's facilities, of the last nights."""
    paths = list(history.kept(layout, "metrics", night).values())[-TREND_NIGHTS:]
    found: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    listed, silent = sql_texts(sorted(members)), sql_texts(sensitive)
    for rule, when, tested, failed in frame(
        f"SELECT rule, night, sum(tested)::BIGINT AS tested, sum(failed)::BIGINT AS failed FROM {history.sql_list(paths)}"
        f" WHERE facility IN ({listed}) AND split_part(table_id, '.', 1) NOT IN ({silent}) GROUP BY ALL ORDER BY ALL"
    ).iter_rows():
        found[rule][when] = (tested, failed)
    return found


def _defects(
    project: Project, words: Words, data: Path, place: str,
    trends: dict[str, dict[str, tuple[int, int]]], before: str | None,
) -> list[Defect]:  # fmt: skip
    """Rules broken, those that hold most rows first. Numbers leave the sensitive databases out; a rule that only
    they break has none."""
    rules: dict[str, Rule] = {}
    for rule in project.rules:
        rules.setdefault(rule.id, rule)
    nights = sorted({when for by_night in trends.values() for when in by_night})
    broken = _parts(data, "failing", place)
    sums = broken.group_by("rule").agg(
        pl.col("facility").n_unique(), pl.col("held").sum(), pl.col("failed").sum(), told=~pl.col("suppressed").all()
    )  # fmt: skip
    found = []
    for name, facilities, held, failed, told in sums.iter_rows():
        if name not in rules:
            continue
        if not told:
            found.append(Defect(rules[name], facilities, None, None))
            continue
        seen = trends.get(name, {})
        trend = [_share(seen[n]) if n in seen else None for n in nights]
        was = seen[before][1] if before in seen else (0 if before else None)
        found.append(Defect(rules[name], facilities, held, failed, was, trend))
    return sorted(
        found,
        key=lambda d: (
            SEVERITY_ORDER[d.rule.severity],
            -(d.held or 0),
            -d.facilities,
            -(d.failed or 0),
            d.rule.id,
        ),
    )


def _share(pair: tuple[int, int]) -> float | None:
    return pair[1] / pair[0] if pair[0] else None


# -- the page --------------------------------------------------------------------------------------


def _context(pack: Pack, words: Words) -> dict[str, Any]:
    before = {row["database"]: row for row in _rows(pack.databases_before)}
    silent = pack.silent
    return {
        "pack": pack,
        "counts": pack.counts(),
        "counts_before": pack.counts(before=True),
        "defects": pack.defects[:DEFECTS],
        "discussed": pack.discussed()[:RULES],
        "debtors": pack.debtors()[:DEBTORS],
        "all_debtors": len(pack.debtors()),
        "owners": pack.owners(),
        "names": pack.names(),
        "silent": list(silent.head(SILENT).iter_rows(named=True)),
        "silent_all": silent.height,
        "databases": [
            {"now": row, "then": before.get(row["database"])} for row in _rows(pack.databases)
        ],
        "sensitive": words.verdicts.sensitive,
        "nights_shown": pack.nights[-14:],
        "points_vi": lambda share: numbers.vi(share * 100, 1),
    }


def _rows(frame: pl.DataFrame | None) -> list[dict[str, Any]]:
    return [] if frame is None else list(frame.iter_rows(named=True))
