"""The compiled rules against the same rules said over rows in plain Python, on invented rows with blanks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datasach.settings import Resources
from datasach.spec.contract import Database, Table
from datasach.spec.project import Project
from datasach.spec.rule import Rule
from datasach.store.layout import Layout
from datasach.store.warehouse import Warehouse
from datasach.validate.validate import evaluate

WORDS = {"vi": "…", "en": "…"}
TABLE = "small.paper"
Row = dict[str, Any]
Verdict = bool | None
"""True: violated; False: kept; None: not asked."""

COLUMNS: dict[str, tuple[str, Any]] = {
    "ma": ("text", pl.String), "loai": ("code", pl.String), "so_luong": ("integer", pl.Int64),
    "tien": ("decimal", pl.Decimal(18, 3)), "ngay": ("date", pl.Date),
    "vao": ("datetime", pl.Datetime("us")), "ra": ("datetime", pl.Datetime("us")),
}  # fmt: skip
PLACES: dict[str, Any] = {
    "_file": pl.String, "_row": pl.Int32, "_facility": pl.String, "_channel": pl.String,
    "_night": pl.Date, "_declared_on": pl.Date, "_key": pl.String, "_first_night": pl.Date,
}  # fmt: skip


def one_value(judge: Callable[[Any], bool], name: str) -> Callable[[Row], Verdict]:
    return lambda row: None if row[name] is None else judge(row[name])


def not_after(a: str, b: str, by_day: bool = False) -> Callable[[Row], Verdict]:
    def verdict(row: Row) -> Verdict:
        if row[a] is None or row[b] is None:
            return None
        return bool(row[a] > (row[b].date() if by_day else row[b]))

    return verdict


def sum_is_right(row: Row) -> Verdict:
    if row["tien"] is None or row["so_luong"] is None:
        return None
    return not row["tien"] <= row["so_luong"] * 2


MEANINGS: dict[str, tuple[dict[str, Any], Callable[[Row], Verdict]]] = {
    "RQ-001": ({"kind": "required", "field": "ma"}, lambda r: r["ma"] is None),
    "RQ-002": (
        {"kind": "all_required", "fields": ["ma", "ngay"]},
        lambda r: r["ma"] is None or r["ngay"] is None,
    ),
    "RQ-003": (
        {"kind": "one_of_required", "fields": ["vao", "ra"]},
        lambda r: r["vao"] is None and r["ra"] is None,
    ),
    "RQ-004": (
        {"kind": "absent", "field": "ra", "when": "loai = '1'"},
        lambda r: None if r["loai"] != "1" else r["ra"] is not None,
    ),
    "PT-001": (
        {"kind": "pattern", "field": "ma", "matches": "[A-Z]{1,2}[0-9]"},
        one_value(lambda v: re.fullmatch("[A-Z]{1,2}[0-9]", v) is None, "ma"),
    ),
    "SET-001": (
        {"kind": "in_set", "field": "loai", "values": ["1", "2"]},
        one_value(lambda v: v not in ("1", "2"), "loai"),
    ),
    "SET-002": (
        {"kind": "in_set", "field": "loai", "values": [*"123456789"]},
        one_value(lambda v: v not in "123456789" or v == "", "loai"),
    ),
    "BTW-001": (
        {"kind": "between", "field": "so_luong", "low": "0", "high": "3"},
        one_value(lambda v: not 0 <= v <= 3, "so_luong"),
    ),
    "BTW-002": (
        {"kind": "between", "field": "tien", "low": "0.5"},
        one_value(lambda v: v < Decimal("0.5"), "tien"),
    ),
    "BTW-003": (
        {"kind": "between", "field": "ngay", "high": "2026-03-02"},
        one_value(lambda v: v > date(2026, 3, 2), "ngay"),
    ),
    "PR-001": ({"kind": "not_after", "field": "vao", "other": "ra"}, not_after("vao", "ra")),
    "PR-002": (
        {"kind": "not_after", "field": "ngay", "other": "vao"},
        not_after("ngay", "vao", by_day=True),
    ),
    "LEN-001": (
        {"kind": "lengths"},
        lambda r: r["ma"] is not None and len(r["ma"]) > 3,
    ),
    "EXP-001": (
        {"kind": "expression", "holds": "tien <= so_luong * 2", "fields": ["tien", "so_luong"]},
        sum_is_right,
    ),
    "EXP-002": (
        {"kind": "expression", "holds": "tien <= so_luong * 2", "fields": ["tien"],
         "when": "ngay >= DATE '2026-03-02'"},
        lambda r: None if r["ngay"] is None or r["ngay"] < date(2026, 3, 2) else sum_is_right(r),
    ),
}  # fmt: skip
"""Rules over one row, with what they mean."""

UNIQUE: dict[str, tuple[dict[str, Any], list[str], Callable[[Row], bool]]] = {
    "UNI-001": ({"kind": "unique", "fields": ["ma"]}, ["ma"], lambda r: True),
    "UNI-002": ({"kind": "unique", "fields": ["ma", "so_luong"]}, ["ma", "so_luong"], lambda r: True),
    "UNI-003": (
        {"kind": "unique", "fields": ["ma"], "when": "loai = '1'"}, ["ma"], lambda r: r["loai"] == "1"
    ),
}  # fmt: skip


def a_rule(rule: str, table: str, /, kind: str, when: str | None = None, **parameters: Any) -> Rule:
    nothing = {"good": {"row": {}}, "bad": {"row": {}}}
    return Rule.model_validate(
        {
            "id": rule, "table": table, "says": "…", "vi": "…", "fix": WORDS, "kind": kind,
            "parameters": parameters, "when": when, "dimension": "conformity",
            "severity": "quarantine" if rule.endswith("1") else "flag", "tolerance": 0.0,
            "because": "…", "confidence": "high", "vintages": [], "valid_from": None, "valid_to": None,
            "examples": nothing, "file": "test", "line": 1,
        }
    )  # fmt: skip


def small_project(project: Project, rules: list[Rule]) -> Project:
    fields = [
        {"name": name, "type": kind, "title": WORDS, "max_length": 3 if name == "ma" else None}
        for name, (kind, _) in COLUMNS.items()
    ]
    tables = {
        name: Table.model_validate(
            {"title": WORDS, "database": "small", "name": name, "key": ["ma"], "fields": fields}
        )
        for name in ("paper", "never_arrived")
    }
    small = Database(
        id="small", number=1, title=WORDS, owner=WORDS, target_year=2026, evidence="…", basis="…",
        freshness_hours=24, tables=tables,
    )  # fmt: skip
    return replace(project, databases={"small": small}, rules=tuple(rules))


@pytest.fixture(scope="module")
def ours(project: Project) -> Project:
    of_a_row = [a_rule(rule, TABLE, **words) for rule, (words, _) in MEANINGS.items()]
    return small_project(
        project, of_a_row + [a_rule(rule, TABLE, **w) for rule, (w, _, _) in UNIQUE.items()]
    )


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    opened = Warehouse(Layout(tmp_path_factory.mktemp("small")), Resources(2, 256))
    yield opened
    opened.close()


def fill(warehouse: Warehouse, rows: list[Row]) -> None:
    schema = {name: kind for name, (_, kind) in COLUMNS.items()} | PLACES
    frame = pl.DataFrame([placed(n, row) for n, row in enumerate(rows, 1)], schema=schema)
    warehouse.put("current.small__paper", frame)
    warehouse.put("current.small__never_arrived", frame.clear())


def placed(number: int, row: Row) -> Row:
    """The row with where it came from: each facility sends one file per channel."""
    file = f"{row['_facility']}-{row['_channel']}"
    night = date(2026, 3, 2)
    return row | {
        "_file": file, "_row": number, "_night": night, "_declared_on": None, "_key": f"k{number}",
        "_first_night": night,
    }  # fmt: skip


def verdicts(rows: list[Row]) -> dict[str, list[Verdict]]:
    """What every rule says of every row, worked out slowly."""
    found = {rule: [meaning(row) for row in rows] for rule, (_, meaning) in MEANINGS.items()}
    for rule, (_, names, among) in UNIQUE.items():
        values = [
            tuple(row[n] for n in names)
            if among(row) and None not in [row[n] for n in names]
            else None
            for row in rows
        ]
        seen = Counter(values)
        found[rule] = [None if v is None else seen[v] > 1 for v in values]
    return found


def blank_or(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


DAYS = st.dates(date(2026, 2, 28), date(2026, 3, 4))
TIMES = st.datetimes(datetime(2026, 3, 1), datetime(2026, 3, 4))  # noqa: DTZ001
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "ma": blank_or(st.sampled_from(["A1", "AB2", "a1", "A1\n", "", "Ế1", "ABC4", "Việt", "'; --"])),
            "loai": blank_or(st.sampled_from(["1", "2", "3", "10", ""])),
            "so_luong": blank_or(st.integers(-1, 4)),
            "tien": blank_or(st.decimals(-1, 9, places=3)),
            "ngay": blank_or(DAYS), "vao": blank_or(TIMES), "ra": blank_or(TIMES),
            "_facility": blank_or(st.sampled_from(["79001", "01002"])),
            "_channel": st.sampled_from(["exchange", "register"]),
        }
    ),
    min_size=1, max_size=25,
)  # fmt: skip
BLANK: Row = dict.fromkeys(COLUMNS) | {"_facility": "79001", "_channel": "exchange"}


@given(rows=ROWS)
@example(rows=[BLANK])
@example(rows=[BLANK | {"ma": "A1"}, BLANK | {"ma": "A1", "_channel": "register"}])
def test_findings_and_counts_are_those_of_the_slow_reference(
    ours: Project, warehouse: Warehouse, rows: list[Row]
) -> None:
    fill(warehouse, rows)
    assert evaluate(warehouse, ours) == []

    said = verdicts(rows)
    severities = {rule.id: rule.severity for rule in ours.rules}
    wanted = {
        (TABLE, f"{row['_facility']}-{row['_channel']}", n, f"k{n}", row["_facility"], rule, severities[rule])
        for rule, of_rows in said.items()
        for n, (row, verdict) in enumerate(zip(rows, of_rows, strict=True), 1)
        if verdict
    }  # fmt: skip
    found = warehouse.rows("FROM checks.findings")
    assert len(found) == len(set(found)), "a rule is found once for a row"
    assert set(found) == wanted

    assert counted(warehouse, "metrics") == counts(said, rows, ("_facility",))
    channels = {row["_channel"] for row in rows}
    assert counted(warehouse, "metrics_by_channel") == (
        counts(said, rows, ("_facility", "_channel")) if len(channels) > 1 else {}
    )


def counted(warehouse: Warehouse, table: str) -> dict[tuple[Any, ...], tuple[int, int]]:
    found = warehouse.rows(f"SELECT * EXCLUDE (table_id) FROM checks.{table}")
    counts = {tuple(key): (tested, failed) for *key, tested, failed in found}
    assert len(counts) == len(found)
    return counts


def counts(
    said: dict[str, list[Verdict]], rows: list[Row], by: tuple[str, ...]
) -> dict[tuple[Any, ...], tuple[int, int]]:
    wanted: dict[tuple[Any, ...], tuple[int, int]] = {}
    for rule, of_rows in said.items():
        for row, verdict in zip(rows, of_rows, strict=True):
            key = (rule, *(row[name] for name in by))
            tested, failed = wanted.get(key, (0, 0))
            wanted[key] = (tested + (verdict is not None), failed + bool(verdict))
    return wanted


def test_every_member_of_a_group_of_duplicates_is_found(
    ours: Project, warehouse: Warehouse
) -> None:
    """Were only the second found, the facility that sent first would look clean."""
    fill(
        warehouse,
        [BLANK | {"ma": "A1", "_facility": f} for f in ("79001", "01002", None)]
        + [BLANK | {"ma": "B2"}, BLANK, BLANK],
    )
    evaluate(warehouse, ours)
    found = warehouse.rows("SELECT _row FROM checks.findings WHERE rule = 'UNI-001' ORDER BY _row")
    assert found == [(1,), (2,), (3,)]


UNREADABLE = {"kind": "expression", "holds": "CAST(ma AS DATE) <= ngay", "fields": ["ma"]}
MISSING = {"kind": "has_lines", "table": "small.lost"}


@pytest.mark.parametrize("place", [0, 1])
def test_a_rule_that_breaks_on_a_value_is_reported_and_the_others_run(
    project: Project, ours: Project, warehouse: Warehouse, place: int
) -> None:
    fill(warehouse, [BLANK | {"ma": "Nguyễn", "ngay": date(2026, 3, 2)}, BLANK | {"ma": "A1"}])
    evaluate(warehouse, ours)
    alone = warehouse.rows("FROM checks.findings"), warehouse.rows("FROM checks.metrics")

    rules = list(ours.rules)
    rules.insert(place * len(rules), a_rule("BAD-001", TABLE, **UNREADABLE))
    [not_run] = evaluate(warehouse, small_project(project, rules))

    assert (not_run.rule, not_run.table) == ("BAD-001", TABLE)
    assert "Nguyễn" not in not_run.reason, "no value of a record may leave with an error"
    assert (warehouse.rows("FROM checks.findings"), warehouse.rows("FROM checks.metrics")) == alone


def test_a_rule_that_was_asked_but_not_answered_leaves_no_count(
    project: Project, ours: Project, warehouse: Warehouse
) -> None:
    """Its join breaks only when the broken rows are looked for: tested and none failed would be a pass."""
    fill(warehouse, [BLANK | {"ma": "A1"}, BLANK | {"ma": "A1"}])
    evaluate(warehouse, ours)
    alone = warehouse.rows("FROM checks.findings"), warehouse.rows("FROM checks.metrics")

    lost = a_rule(
        "BAD-002", TABLE, kind="lines_between", table="small.never_arrived", of="so_luong", low="0"
    )
    warehouse.execute("DROP TABLE current.small__never_arrived")
    warehouse.execute(
        "CREATE VIEW current.small__never_arrived AS SELECT CAST('k1' AS VARCHAR) AS _key, 'x' AS _file,"
        " 1 AS _row, CAST(_key AS BIGINT) AS so_luong FROM current.small__paper"
    )
    try:
        small = small_project(project, [lost, *ours.rules])
        database = small.databases["small"]
        tables = {
            "paper": database.tables["paper"],
            "never_arrived": database.tables["never_arrived"],
        }
        small = replace(small, databases={"small": database.model_copy(update={"tables": tables})})
        not_run = evaluate(warehouse, small)
    finally:
        warehouse.execute("DROP VIEW current.small__never_arrived")

    assert [one.rule for one in not_run] == ["BAD-002"]
    assert (warehouse.rows("FROM checks.findings"), warehouse.rows("FROM checks.metrics")) == alone


def test_a_promise_of_form_that_breaks_is_reported_and_the_others_are_kept(
    project: Project, warehouse: Warehouse
) -> None:
    """A column that cannot be read takes its own promises down, not the night."""

    def promise(rule: str, field: str) -> Rule:
        return a_rule(rule, TABLE, kind="form", field=field, check="filled")

    fill(warehouse, [BLANK | {"ma": "A1", "loai": "1"}, BLANK | {"ma": "A1"}])
    evaluate(warehouse, small_project(project, [promise("REQ-001", "loai")]))
    alone = warehouse.rows("FROM checks.findings"), warehouse.rows("FROM checks.metrics")

    broken = warehouse.frame("SELECT * EXCLUDE (ma) FROM current.small__paper")
    warehouse.put("current.small__paper", broken)
    both = small_project(project, [promise("REQ-001", "loai"), promise("REQ-002", "ma")])
    [not_run] = evaluate(warehouse, both)

    assert not_run.rule == "REQ-002"
    assert (warehouse.rows("FROM checks.findings"), warehouse.rows("FROM checks.metrics")) == alone


def test_the_order_of_findings_does_not_depend_on_the_order_of_rows(
    ours: Project, warehouse: Warehouse
) -> None:
    rows = [placed(n, BLANK | {"_facility": f"{n % 7:05d}"}) for n in range(1, 200)]
    schema = {name: kind for name, (_, kind) in COLUMNS.items()} | PLACES
    frame = pl.DataFrame(rows, schema=schema)
    found = []
    for shuffled in (frame, frame.reverse()):
        warehouse.put("current.small__paper", shuffled)
        warehouse.put("current.small__never_arrived", shuffled.clear())
        evaluate(warehouse, ours)
        found.append(warehouse.rows("FROM checks.findings"))
    assert found[0] == found[1] != []
