"""The receipts of a sender's night as a workbook: summary, by rule, and every line that is to be mended.

Written where there is something to mend, and only when a receipt of the night says something new. MA_LK
stands here, as in the receipts: for the sender alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
        )
        return True

    def _lines(self, night: str, sender: str) -> Iterator[tuple[Any, ...]]:
        named = {str(c.facts["file"]): name for name, c in self._contents.get((night, sender), [])}
        if not named:
            return
        files = ", ".join(f"'{file}'" for file in named)
        found = self._night.warehouse.rows(
            f"SELECT DISTINCT table_id FROM checks.findings WHERE _file IN ({files}) ORDER BY 1"
        )
        left = MOST_LINES
        for (table,) in found:
            for file, row, unit, line, key, rule in self._night.warehouse.rows(
                "SELECT f._file, f._row, s._unit, s._line, f._key, f.rule FROM checks.findings f"
                f" LEFT JOIN standard.{sql_name(table)} s ON s._file = f._file AND s._row = f._row"
                f" WHERE f.table_id = '{table}' AND f._file IN ({files})"
                f" ORDER BY f._file, f._row, f.rule LIMIT {left}"
            ):
                left -= 1
                yield self._line(named[file], table, row, unit, line, key, rule)

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
