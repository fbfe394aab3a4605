"""`datasach tasks`: the open tasks of a warehouse as a table, as text and as a workbook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from datasach.errors import DatasachError
from datasach.report import history, numbers
from datasach.report.cells import SEVERITIES
from datasach.report.tasks import STATE_TITLES, Frame, Task, tasks_of
from datasach.report.words import load_words
from datasach.report.workbook import Column, Sheet, write_workbook
from datasach.spec.project import Project
from datasach.store.layout import Layout

COLUMNS = (
    Column("Trạng thái", 11), Column("Mã cơ sở", 10), Column("Tên cơ sở", 32), Column("Tỉnh", 7),
    Column("Quy tắc", 10), Column("Mức", 11), Column("Điều phải đúng", 56), Column("Cách sửa", 48),
    Column("Bản ghi sai", 10), Column("Đã kiểm", 10), Column("Mở từ đêm", 12), Column("Thấy lần cuối", 12),
    Column("Số đêm mở", 8), Column("Hạn sửa", 12), Column("Số lần mở lại", 8), Column("Đóng đêm", 12),
    Column("Đơn vị chủ quản dữ liệu", 34), Column("Bảng", 30), Column("English", 56),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facility:
    name: str
    province: str


@dataclass(frozen=True, slots=True)
class TaskList:
    night: str
    tasks: list[Task]
    facilities: dict[str, Facility]
    sensitive: frozenset[str] = frozenset()
    """Databases whose counts are not printed: they would tell how many records there are (report.disclosure)."""

    def counts(self, task: Task) -> tuple[int | None, int | None]:
        """Failed and tested; None where they may not be printed."""
        return (None, None) if task.tells_of(self.sensitive) else (task.failed, task.tested)

    def of(self, facility: str) -> Facility:
        return self.facilities.get(facility, Facility("", ""))


def list_tasks(
    project: Project, out: Path, province: str | None = None, facility: str | None = None,
    with_closed: bool = False,
) -> TaskList:  # fmt: skip
    """Tasks of a warehouse after its last night, worst first, of one province or facility if asked.

    Raises DatasachError if no night was reported into `out`.
    """
    layout = Layout(out.resolve())
    nights = list(history.kept(layout, "metrics"))
    if not nights:
        raise DatasachError(f"{out}: no night has been reported here yet")
    with reader() as frame:
        words = load_words(project.root)
        tasks = tasks_of(layout, project, words.tasks, frame, with_closed=with_closed)
        facilities = {
            code: Facility(name or "", place or "")
            for code, name, place in frame(
                "SELECT facility, name, province_code FROM"
                f" {history.sql_list([layout.state / 'results/checks.facilities.parquet'])}"
            ).iter_rows()
        }
    shown = [
        task
        for task in tasks
        if facility in (None, task.facility)
        and province in (None, facilities.get(task.facility, Facility("", "")).province)
    ]
    return TaskList(nights[-1], shown, facilities, frozenset(words.verdicts.sensitive))


@contextmanager
def reader() -> Iterator[Frame]:
    with duckdb.connect() as con:
        yield lambda sql: con.sql(sql).pl()


def tasks_text(found: TaskList, limit: int = 50) -> str:
    """A table of the most urgent tasks; the workbook has them all."""
    late = sum(task.state == "overdue" for task in found.tasks)
    head = (
        f"Đêm {numbers.day(found.night)}: {len(found.tasks)} việc, {late} quá hạn.\n"
        f"Night of {found.night}: {len(found.tasks)} tasks, {late} overdue."
    )
    lines = [
        head, "",
        f"{'':8} {'cơ sở':6} {'quy tắc':9} {'mức':9} {'sai':>6} {'từ đêm':10} {'đêm':>4} {'hạn':10}",
        f"{'':8} {'site':6} {'rule':9} {'level':9} {'failed':>6} {'since':10} {'n':>4} {'due':10}",
    ]  # fmt: skip
    for task in found.tasks[:limit]:
        state = STATE_TITLES[task.state].vi
        failed, _ = found.counts(task)
        lines.append(
            f"{state:8} {task.facility:6} {task.rule.id:9} {SEVERITIES[task.severity][1].vi:9} {'ẩn' if failed is None else failed:>6}"
            f" {numbers.day(task.opened):10} {task.nights_open:4} {numbers.day(task.due):10}"
        )
        owners = ", ".join(owner.vi for owner in task.owners)
        again = f" (mở lại lần {len(task.earlier)} · re-opened)" if task.earlier else ""
        lines += [f"         {task.rule.vi}{again}", f"         {task.rule.says} ({owners})"]
    if len(found.tasks) > limit:
        rest = len(found.tasks) - limit
        lines.append(
            f"… còn {rest} việc, xem tệp XLSX (--xlsx) · {rest} more, see the workbook (--xlsx)"
        )
    return "\n".join(lines)


def write_tasks(found: TaskList, path: Path) -> None:
    rows = (
        (
            STATE_TITLES[t.state].vi, t.facility, found.of(t.facility).name, found.of(t.facility).province,
            t.rule.id, SEVERITIES[t.severity][1].vi, t.rule.vi, t.rule.fix.vi, *found.counts(t),
            numbers.as_day(t.opened), numbers.as_day(t.last_seen), t.nights_open, t.due, len(t.earlier),
            numbers.as_day(t.closed) if t.closed else None,
            ", ".join(o.vi for o in t.owners), ", ".join(t.tables), f"{t.rule.says} → {t.rule.fix.en}",
        )
        for t in found.tasks
    )  # fmt: skip
    write_workbook(path, [Sheet("Việc cần làm", COLUMNS, rows)])
