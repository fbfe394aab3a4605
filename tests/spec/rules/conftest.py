"""Rules tried on tables as a person draws them.

    record | ngay_vao     | ngay_ra      | verdict
    -------+--------------+--------------+----------
    a      | 202603010800 | 202603020800 | kept
    b      | 202603010800 | 202602280800 | violated
    c      | 202603010800 |              | not asked

Values are written as a sender writes them and go the way of real rows: standardised, then judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pytest

from datasach.pipeline.check import _put_rows, _stage
from datasach.spec.project import Project
from datasach.spec.rule import Rule
from datasach.validate.kinds import check_of
from datasach.validate.validate import base_query

Row = dict[str, str | None]
EXAMPLE = {"good": {"row": {}}, "bad": {"row": {}}}


def drawn(table: str) -> list[Row]:
    """Rows of a drawn table; a blank cell is NULL."""
    lines = [line.strip() for line in table.strip().splitlines() if "|" in line or "record" in line]
    names = [name.strip() for name in lines[0].split("|")]
    rows = []
    for line in lines[1:]:
        if set(line) <= set("-+"):
            continue
        cells = [cell.strip() or None for cell in line.split("|")]
        rows.append(dict(zip(names, cells, strict=True)))
    return rows


def a_rule(about: str, /, kind: str, when: str | None = None, **more: Any) -> Rule:
    of_rule = {k: more.pop(k) for k in ("vintages", "valid_from", "valid_to") if k in more}
    return Rule.model_validate(
        {
            "id": "TST-001", "table": about, "says": "…", "vi": "…", "fix": {"vi": "…", "en": "…"},
            "kind": kind, "parameters": more, "when": when, "dimension": "conformity",
            "severity": "flag", "tolerance": 0.0, "because": "…", "confidence": "high",
            "vintages": [], "valid_from": None, "valid_to": None, "examples": EXAMPLE,
            "file": "test", "line": 1, **of_rule,
        }
    )  # fmt: skip


Judge = Callable[..., None]


@pytest.fixture(scope="session")
def staged(project: Project) -> Iterator[Callable[[dict[str, list[tuple[str, Row]]]], Any]]:
    """Puts rows where a night has them. The tables of no row stay from one drawing to the next."""
    with duckdb.connect() as con:
        _stage(con, project, {})
        con.execute("SET VARIABLE example = 'x'")
        used: set[str] = set()

        def put(rows: dict[str, list[tuple[str, Row]]]) -> duckdb.DuckDBPyConnection:
            _put_rows(con, project, rows, used | set(rows))
            used.clear()
            used.update(rows)
            return con

        yield put


@pytest.fixture
def judge(project: Project, staged: Any) -> Judge:
    """`judge(table, drawn rows with a verdict, beside={table: drawn rows}, kind=…, **parameters)`
    asserts that the rule says of every row what its verdict says."""

    def judge(
        table_id: str, rows: str, /, *, beside: dict[str, str] | None = None, **rule: Any
    ) -> None:
        wanted = {str(r["record"]): r["verdict"] for r in drawn(rows)}
        all_rows: dict[str, list[tuple[str, Row]]] = {
            table_id: [("x", {**_values(r), "_subject": r["record"]}) for r in drawn(rows)]
        }
        for other, drawing in (beside or {}).items():
            all_rows.setdefault(other, []).extend(("x", _values(r)) for r in drawn(drawing))
        spec = a_rule(table_id, **rule)
        check = check_of(project, spec)
        found = (
            staged(all_rows)
            .execute(
                f"SELECT r._subject, coalesce(({check.applies}), false),"
                f" coalesce(({check.applies}) AND ({check.violated}), false)"
                f" FROM ({base_query(project.tables[table_id], [check])}) r {' '.join(check.joins)}"
                " WHERE r._subject IS NOT NULL ORDER BY r._subject"
            )
            .fetchall()
        )
        said = {
            str(record): "violated" if violated else "kept" if asked else "not asked"
            for record, asked, violated in found
        }
        assert len(found) == len(wanted), "a rule must not multiply rows"
        assert said == wanted

    return judge


def _values(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in ("record", "verdict")}
