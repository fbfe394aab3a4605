"""The receipts of a sender's night as a workbook: summary, by rule, and every line that is to be mended.

Written where there is something to mend, and only when a receipt of the night says something new. MA_LK
stands here, as in the receipts: for the sender alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from datasach.report.cells import SEVERITIES
from datasach.report.counts import FATE_TITLES, FATES
from datasach.report.deliveries import Content, Delivery
from datasach.report.night import Night
from datasach.report.receipt_page import fix_first
from datasach.report.workbook import Column, Sheet, write_workbook
from datasach.spec.rule import Rule
from datasach.store.warehouse import sql_name

MOST_LINES = 200_000
"""Lines of one workbook; a sheet holds 1,048,576. The receipts' counts are always whole."""
SMALL = 5_000
"""Findings up to which a workbook is made in memory, without files of its own on the way."""
SUMMARY = (
    Column("Tệp", 36), Column("Biên nhận", 17), Column("Kết quả", 20), Column("Nghĩa là", 60),
    *(Column(FATE_TITLES[name].vi, 11) for name in ("read", *FATES)), Column("Bước tiếp theo", 60),
    Column("English", 60),
)  # fmt: skip
BY_RULE = (
    Column("Quy tắc, mã", 16), Column("Mức", 11), Column("Số lần", 9), Column("Dòng không được nhận", 11),
    Column("Số tệp", 8), Column("Điều phải đúng", 60), Column("Cách sửa", 60), Column("English", 60),
)  # fmt: skip
BY_LINE = (
    Column("Tệp", 30), Column("Bảng", 24), Column("MA_LK", 20), Column("Hồ sơ số, dòng số", 10),
    Column("Dòng trong bảng", 9), Column("Trường", 26), Column("Quy tắc", 12), Column("Mức", 11),
    Column("Điều phải đúng", 56), Column("Cách sửa", 56), Column("English", 56),
)  # fmt: skip


class ReceiptBooks:
    """Makes the workbooks of a night's receipts."""

    def __init__(self, night: Night, deliveries: list[Delivery]) -> None:
        self._night = night
        self._found: dict[str, pl.DataFrame] | None = None
        self._contents: dict[tuple[str, str], list[tuple[str, Content]]] = {}
        for one in deliveries:
            named = [
                (f"{one.name} › {m}" if (m := c.facts["member"]) else one.name, c)
                for c in one.contents
            ]
            self._contents.setdefault((one.night, one.sender), []).extend(named)
        self._rules: dict[tuple[str, str], Rule] = {(r.id, r.table): r for r in night.project.rules}
        self._fields = {
            (rule, table): fields
            for rule, table, fields in night.warehouse.rows(
                "SELECT rule, table_id, fields FROM checks.rules"
            )
        }

    def write(self, path: Path, night: str, sender: str, payloads: list[dict[str, Any]]) -> bool:
        """Write the workbook of one sender's night; False, and none there, if nothing is to be mended."""
        causes = fix_first(payloads)
        if not causes:
            path.unlink(missing_ok=True)
            return False
        write_workbook(
            path,
            [
                Sheet("Tổng hợp", SUMMARY, map(_summary, payloads)),
                Sheet("Theo quy tắc", BY_RULE, map(_cause, causes)),
                Sheet("Từng dòng", BY_LINE, self._lines(night, sender)),
            ],
            is_small=sum(cause["times"] for cause in causes) < SMALL,
        )
        return True

    def _lines(self, night: str, sender: str) -> Iterator[tuple[Any, ...]]:
        named = {str(c.facts["file"]): name for name, c in self._contents.get((night, sender), [])}
        if self._found is None:
            files = [str(c.facts["file"]) for group in self._contents.values() for _, c in group]
            self._found = _found_lines(self._night, files)
        parts = [self._found[file] for file in named if file in self._found]
        if not parts:
            return
        lines = pl.concat(parts).sort("table_id", "_file", "_row", "rule").head(MOST_LINES)
        for file, *line in lines.iter_rows():
            yield self._line(named[file], *line)

    def _line(
        self,
        name: str,
        table: str,
        row: int,
        unit: int | None,
        line: int | None,
        key: str,
        rule: str,
    ) -> tuple[Any, ...]:
        spec = self._rules[rule, table]
        # Keys outside envelopes may be a person's number: there, only the line.
        enveloped = self._night.project.tables[table].is_enveloped
        ma_lk = str(key).rpartition("|")[2] if enveloped else None
        return (
            name, table, ma_lk, unit if enveloped else line, row, self._fields.get((rule, table), ""), rule,
            SEVERITIES[spec.severity][1].vi, spec.vi, spec.fix.vi, f"{spec.says} → {spec.fix.en}",
        )  # fmt: skip


def _found_lines(night: Night, files: list[str]) -> dict[str, pl.DataFrame]:
    """File → _file, table_id, _row, _unit, _line, _key, rule of everything found in it: asked once for all senders,
    for a question costs as much as all its answers."""
    night.warehouse.put(
        "checks.booked_files", pl.DataFrame({"_file": files}, schema={"_file": pl.String})
    )
    tables = night.warehouse.rows(
        "SELECT DISTINCT table_id FROM checks.findings SEMI JOIN checks.booked_files USING (_file) ORDER BY 1"
    )
    parts = [
        f"SELECT f._file, f.table_id, f._row, s._unit, s._line, f._key, f.rule FROM checks.findings f"
        f" SEMI JOIN checks.booked_files USING (_file)"
        f" LEFT JOIN standard.{sql_name(table)} s ON s._file = f._file AND s._row = f._row"
        f" WHERE f.table_id = '{table}'"
        for (table,) in tables
    ]
    if not parts:
        return {}
    lines = night.warehouse.frame(
        f"SELECT * FROM ({' UNION ALL '.join(parts)}) QUALIFY row_number()"
        f" OVER (PARTITION BY _file ORDER BY table_id, _row, rule) <= {MOST_LINES}"
    )
    return {str(file): part for (file,), part in lines.partition_by("_file", as_dict=True).items()}


def _summary(one: dict[str, Any]) -> tuple[Any, ...]:
    counts = [one["counts"][name] for name in ("read", *FATES)]
    outcome = one["outcome"]
    english = f"{outcome['word']['en']}. {outcome['en']} {one['next']['en']}"
    return (
        one["file"]["name"],
        one["receipt"],
        outcome["word"]["vi"],
        outcome["vi"],
        *counts,
        one["next"]["vi"],
        english,
    )


def _cause(one: dict[str, Any]) -> tuple[Any, ...]:
    return (
        one["id"], SEVERITIES[one["severity"]][1].vi, one["times"], one["held"], one["files"], one["vi"],
        one["fix"]["vi"], f"{one['en']} → {one['fix']['en']}",
    )  # fmt: skip
