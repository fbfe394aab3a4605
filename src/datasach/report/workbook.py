"""Workbooks for people who work in a spreadsheet: a frozen header, filters, and nothing that is computed.

Every text is written as text: a code keeps its leading zero, and a value that begins with `=` stays a value.
A row is written and forgotten, so memory does not grow with a sheet. The same rows give the same bytes.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Literal

LONGEST = 32_767
"""Characters a cell holds."""
MADE = datetime(2025, 1, 1)  # noqa: DTZ001  a workbook has no time zone, and the clock must not show in its bytes
UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""What no reader sees or XML cannot say; marks that turn the direction of text mislead."""
PAPER_A4 = 9
Form = Literal["text", "number", "share"]
Cell = str | int | float | bool | date | None


@dataclass(frozen=True, slots=True)
class Column:
    """`english` is a second row of headings; `form` says how numbers look."""

    title: str
    width: int = 14
    english: str = ""
    form: Form = "text"


@dataclass(frozen=True, slots=True)
class Sheet:
    """`rows` hold text, numbers, dates or None, in the order of `columns`. `still` columns do not scroll."""

    name: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Cell]]
    still: int = 0


def plain(text: str) -> str:
    r"""A text as a cell takes it.

    >>> plain("An\x00\u202e=1")
    'An=1'
    """
    return UNSEEN.sub("", text)[:LONGEST]


def write_workbook(path: Path, sheets: Sequence[Sheet], *, is_small: bool = False) -> None:
    """Whole or not at all, as everything that is issued. A small one is made without temporary files, which cost
    as much as its cells do."""
    import xlsxwriter  # here, not above: most commands write no workbook

    path.parent.mkdir(parents=True, exist_ok=True)
    side = path.with_name(f".{path.name}.part")
    with tempfile.TemporaryDirectory() as scratch:
        options = {
            "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
            "constant_memory": not is_small, "in_memory": is_small, "tmpdir": scratch,
        }  # fmt: skip
        book = xlsxwriter.Workbook(str(side), options)
        book.set_properties({"title": plain(path.stem), "created": MADE})
        look = _look(book)
        for sheet in sheets:
            _write(book.add_worksheet(sheet.name), sheet, look)
        book.close()
    side.replace(path)


def _look(book: Any) -> dict[str, Any]:
    top = {"text_wrap": True, "valign": "top"}
    head = {**top, "bg_color": "#E3EFEC", "bottom": 1}
    return {
        "head": book.add_format({**head, "bold": True}),
        "english": book.add_format({**head, "italic": True, "font_color": "#44524D"}),
        "text": book.add_format({**top, "num_format": "@"}),
        "number": book.add_format({"valign": "top", "num_format": "#,##0.###"}),
        "count": book.add_format({"valign": "top", "num_format": "#,##0"}),
        "share": book.add_format({"valign": "top", "num_format": "0.0%"}),
        "day": book.add_format({"valign": "top", "num_format": "dd/mm/yyyy"}),
    }


def _write(page: Any, sheet: Sheet, look: dict[str, Any]) -> None:
    english = any(column.english for column in sheet.columns)
    for at, column in enumerate(sheet.columns):
        page.set_column(at, at, column.width)
        page.write_string(0, at, column.title, look["head"])
    if english:
        for at, column in enumerate(sheet.columns):
            page.write_string(1, at, column.english, look["english"])
    heads = 2 if english else 1
    forms = [look["share"] if column.form == "share" else None for column in sheet.columns]
    last = heads - 1
    for last, row in enumerate(sheet.rows, heads):
        for at, value in enumerate(row):
            if isinstance(value, str):
                page.write_string(last, at, plain(value), look["text"])
            elif isinstance(value, date):
                when = datetime.combine(value, time())
                page.write_datetime(last, at, when, look["day"])
            elif value is not None:
                whole = "count" if isinstance(value, int) else "number"
                page.write_number(last, at, value, forms[at] or look[whole])
    page.freeze_panes(heads, sheet.still)
    page.autofilter(heads - 1, 0, max(last, heads), len(sheet.columns) - 1)
    page.set_landscape()
    page.set_paper(PAPER_A4)
    page.fit_to_pages(1, 0)
    page.repeat_rows(0, heads - 1)
    page.set_footer("&L&A&R&P / &N")
