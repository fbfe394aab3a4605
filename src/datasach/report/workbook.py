"""Workbooks for people who work in a spreadsheet: a frozen header, filters, and nothing that is computed.

Every text is written as text: a code keeps its leading zero, and a value that begins with `=` stays a value.
The same rows give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

LONGEST = 32_767
"""Characters a cell holds."""
MADE = datetime(2025, 1, 1)  # noqa: DTZ001  a workbook has no time zone, and the clock must not show in its bytes


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    width: int = 14


@dataclass(frozen=True, slots=True)
class Sheet:
    """`rows` hold text, whole numbers, dates or None, in the order of `columns`."""

    name: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[str | int | date | None]]


def write_workbook(path: Path, sheets: Sequence[Sheet]) -> None:
    """Whole or not at all, as everything that is issued."""
    import xlsxwriter  # here, not above: most commands write no workbook

    path.parent.mkdir(parents=True, exist_ok=True)
    side = path.with_name(f".{path.name}.part")
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(str(side), options)
    book.set_properties({"title": path.stem, "created": MADE})
    head = book.add_format(
        {"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E3EFEC"}
    )
    cell = book.add_format({"text_wrap": True, "valign": "top", "num_format": "@"})
    number = book.add_format({"valign": "top", "num_format": "#,##0"})
    day = book.add_format({"valign": "top", "num_format": "dd/mm/yyyy"})
    for sheet in sheets:
        _write(book.add_worksheet(sheet.name), sheet, head, cell, number, day)
    book.close()
    side.replace(path)


def _write(page: Any, sheet: Sheet, head: Any, cell: Any, number: Any, day: Any) -> None:
    for at, column in enumerate(sheet.columns):
        page.set_column(at, at, column.width)
        page.write_string(0, at, column.title, head)
    last = 0
    for last, row in enumerate(sheet.rows, 1):
        for at, value in enumerate(row):
            if isinstance(value, str):
                page.write_string(last, at, value[:LONGEST], cell)
            elif isinstance(value, date):
                page.write_datetime(last, at, datetime(value.year, value.month, value.day), day)  # noqa: DTZ001
            elif value is not None:
                page.write_number(last, at, value, number)
    page.freeze_panes(1, 0)
    page.autofilter(0, 0, max(last, 1), len(sheet.columns) - 1)
    page.set_landscape()
    page.fit_to_pages(1, 0)
    page.repeat_rows(0)
