"""The workbook of a meeting pack: the tables of its page, all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datasach.report import numbers
from datasach.report.tasks import Task
from datasach.report.words import Words
from datasach.report.workbook import Column, Sheet
from datasach.report.workbooks import Speech, sheet_of

if TYPE_CHECKING:
    from datasach.report.pack import Debtor, Defect, Pack

_ABOUT = (Column("Điều", 34), Column("Nội dung", 84), Column("English", 84))


def sheets(pack: Pack, speech: Speech, words: Words) -> list[Sheet]:
    """The tables of the pack, all rows."""
    names = pack.names()
    sensitive = words.verdicts.sensitive
    return [
        Sheet("Giới thiệu", _ABOUT, _about(pack, words)),
        Sheet("Lỗi nặng nhất", _DEFECT_COLUMNS, (_defect_row(d, speech) for d in pack.defects)),
        Sheet("Ai nợ gì từ bao giờ", _DEBTOR_COLUMNS, (_debtor_row(d) for d in pack.debtors())),
        Sheet("Việc đang mở", _TASK_COLUMNS, (_task_row(t, names, speech, sensitive) for t in pack.tasks)),
        Sheet("Theo chủ quản", _OWNER_COLUMNS, pack.owners()),
        sheet_of("Chưa gửi", ["facility", "name", "province", "nights_silent", "last_sent", "nights_sent", "nights_expected"],
                 pack.silent, speech),
        sheet_of("Cơ sở dữ liệu", [n for n in pack.databases.columns if n != "whose"], pack.databases, speech),
        sheet_of("Cơ sở", pack.facilities.columns, pack.facilities, speech, still=1),
    ]  # fmt: skip


def _head(vi: str, en: str, width: int = 12) -> Column:
    return Column(vi, width, en)


_DEFECT_COLUMNS = (
    _head("Quy tắc", "Rule"), _head("Mức", "Severity"), _head("Điều phải đúng", "What must hold (Vietnamese)", 60),
    _head("Số cơ sở", "Facilities"), _head("Vi phạm đêm nay", "Failed tonight"), _head("Kỳ trước", "Last meeting"),
    _head("Thay đổi", "Change"), _head("Dòng giữ lại", "Rows held"), _head("Cách sửa", "How to mend (Vietnamese)", 56),
    _head("Điều phải đúng (Anh)", "What must hold", 60), _head("Cách sửa (Anh)", "How to mend", 56),
)  # fmt: skip
_DEBTOR_COLUMNS = (
    _head("Mã cơ sở", "Facility code", 10), _head("Tên cơ sở", "Facility", 36), _head("Mã tỉnh", "Province", 8),
    _head("Việc đang mở", "Open tasks", 9), _head("Quá hạn", "Overdue", 9), _head("Từ đêm", "Since"),
    _head("Hạn gần nhất", "Nearest due"), _head("Việc nặng nhất", "Gravest task", 12),
    _head("Điều phải đúng", "What must hold (Vietnamese)", 60),
)  # fmt: skip
_TASK_COLUMNS = (
    _head("Trạng thái", "State"), _head("Mã cơ sở", "Facility code", 10), _head("Tên cơ sở", "Facility", 36),
    _head("Mã tỉnh", "Province", 8), _head("Quy tắc", "Rule"), _head("Mức", "Severity"),
    _head("Điều phải đúng", "What must hold (Vietnamese)", 56), _head("Mở từ đêm", "Since"), _head("Số đêm mở", "Nights open", 9),
    _head("Hạn sửa", "Due"), _head("Bản ghi sai", "Records failing", 10), _head("Số lần mở lại", "Times re-opened", 9),
    _head("Chủ quản dữ liệu", "Owner of the data (Vietnamese)", 36), _head("Cách sửa", "How to mend (Vietnamese)", 56),
)  # fmt: skip
_OWNER_COLUMNS = (
    _head("Chủ quản dữ liệu", "Owner of the data (Vietnamese)", 44), _head("Chủ quản (Anh)", "Owner of the data", 44),
    _head("Việc đang mở", "Open tasks", 10), _head("Quá hạn", "Overdue", 10),
)  # fmt: skip


def _about(pack: Pack, words: Words) -> list[tuple[str, str, str]]:
    counts, verdicts = pack.counts(), words.verdicts
    lines = [
        ("Tài liệu họp", f"Chất lượng dữ liệu y tế: {pack.name}", f"Meeting pack on data quality: {pack.place}"),
        ("Đêm", numbers.day(pack.night), f"Night: {pack.night}"),
        ("So với", numbers.day(pack.since) if pack.since else "chưa có kỳ trước",
         f"Compared with: {pack.since or 'no earlier night'}"),
        ("Cơ sở gửi đêm nay / dự kiến", f"{pack.sent} / {pack.expected.height}",
         f"Facilities that sent tonight / expected: {pack.sent} / {pack.expected.height}"),
        ("Dòng được chấp nhận / đã đọc", f"{numbers.vi(counts['accepted'])} / {numbers.vi(counts['read'])}",
         f"Rows accepted / read: {numbers.en(counts['accepted'])} / {numbers.en(counts['read'])}"),
        ("Việc đang mở, quá hạn", f"{len(pack.tasks)}, {pack.overdue}", f"Open tasks, overdue: {len(pack.tasks)}, {pack.overdue}"),
    ]  # fmt: skip
    if pack.bridge:
        b = pack.bridge
        lines.append((
            "Việc từ kỳ trước", f"{b.before} kỳ trước + {b.opened} mới mở − {b.closed} đã đóng = {b.now}",
            f"Tasks: {b.before} at the last meeting + {b.opened} opened − {b.closed} closed = {b.now}",
        ))  # fmt: skip
    lines.append((
        "Số bị ẩn", f"Không in tỷ lệ khi mẫu số dưới {verdicts.min_records}; số của cơ sở dữ liệu nhạy cảm để trống.",
        f"No share below a denominator of {verdicts.min_records}; numbers of sensitive databases are left empty.",
    ))  # fmt: skip
    return lines


def _defect_row(one: Defect, speech: Speech) -> tuple[Any, ...]:
    change = one.failed - one.before if one.failed is not None and one.before is not None else None
    rule = one.rule
    return (
        rule.id, speech.say("severity", rule.severity), rule.vi, one.facilities, one.failed, one.before, change,
        one.held, rule.fix.vi, rule.says, rule.fix.en,
    )  # fmt: skip


def _debtor_row(one: Debtor) -> tuple[Any, ...]:
    worst = one.worst
    return (
        one.facility, one.name, one.province, one.tasks, one.overdue, numbers.as_day(one.since),
        numbers.as_day(one.due), worst.rule.id if worst else None, worst.rule.vi if worst else None,
    )  # fmt: skip


def _task_row(
    task: Task, names: dict[str, tuple[str, str]], speech: Speech, sensitive: list[str]
) -> tuple[Any, ...]:  # fmt: skip
    name, province = names.get(task.facility, (task.facility, ""))
    return (
        speech.say("task_state", task.state), task.facility, name, province, task.rule.id,
        speech.say("severity", task.severity), task.rule.vi, numbers.as_day(task.opened), task.nights_open, task.due,
        None if task.tells_of(sensitive) else task.failed, len(task.earlier),
        ", ".join(o.vi for o in task.owners), task.rule.fix.vi,
    )  # fmt: skip
