"""Rules about what other steps wrote down: counted by facility, told by no record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import duckdb
import polars as pl
import pytest

from datasach.settings import Resources
from datasach.spec.project import Project
from datasach.spec.rule import Rule
from datasach.store.layout import Layout
from datasach.store.warehouse import Warehouse, sql_name
from datasach.validate.facts import FACTS
from datasach.validate.kinds import check_of
from datasach.validate.recorded import RECORDED, judge_fact
from datasach.validate.sandbox import RuleProblem
from datasach.validate.validate import evaluate
from tests.spec.rules.conftest import a_rule, drawn

FILES = """
    record | facility | sender | channel          | state    | code       | units_said | units_read
    a      | 79001    | 79001  | coordination     | INGESTED |            | 3          | 3
    b      | 79001    | 79001  | coordination     | INGESTED |            | 3          | 2
    c      |          | 79002  | coordination     | REJECTED | XML_SYNTAX |            |
    d      | 79002    | BHXH   | social_insurance | INGESTED |            | 5          | 4
    e      | 79002    | 79002  | exchange         | INGESTED |            |            |
"""


@pytest.fixture(scope="module")
def warehouse(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    opened = Warehouse(Layout(tmp_path_factory.mktemp("facts")), Resources(1, 256))
    for table in project.tables:
        opened.execute(
            f"CREATE TABLE current.{sql_name(table)} (_facility VARCHAR, _channel VARCHAR, _file VARCHAR)"
        )
    yield opened
    opened.close()


def counted(warehouse: Warehouse, project: Project, *rules: Rule) -> list[tuple[Any, ...]]:
    columns = dict.fromkeys(FACTS["deliveries"].columns, pl.String) | {
        "facility": pl.String, "channel": pl.String, "units_said": pl.Int64, "units_read": pl.Int64
    }  # fmt: skip
    rows = [{n: row.get(n) for n in columns} for row in drawn(FILES)]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String))
    warehouse.put("standard.files", frame.cast({"units_said": pl.Int64, "units_read": pl.Int64}))
    assert evaluate(warehouse, replace(project, rules=rules)) == []
    assert warehouse.rows("FROM checks.findings") == []
    assert warehouse.rows("FROM checks.metrics_by_channel") == []
    return warehouse.rows("SELECT rule, facility, tested, failed FROM checks.metrics ORDER BY ALL")


def test_facts_are_counted_by_facility_where_they_can_be_asked(
    warehouse: Warehouse, project: Project
) -> None:
    """The table stands in the coordination channel: Social Insurance's file is none of its business."""
    rule = a_rule(
        "kcb_emr.visit", kind="recorded", facts="deliveries", holds="units_said = units_read"
    )
    assert counted(warehouse, project, rule) == [("TST-001", "79001", 2, 1)]


def test_a_table_of_no_channel_is_told_of_all(warehouse: Warehouse, project: Project) -> None:
    rule = a_rule(
        "facilities.facility", kind="recorded", facts="deliveries", holds="code IS NULL", where="state <> 'VERIFIED'"
    )  # fmt: skip
    assert counted(warehouse, project, rule) == [
        ("TST-001", "79001", 2, 0),
        ("TST-001", "79002", 3, 1),
    ]


def test_facts_that_cannot_be_read_are_rules_that_did_not_run(
    warehouse: Warehouse, project: Project
) -> None:
    lost = a_rule("kcb_emr.visit", kind="recorded", facts="twice_sent", holds="state = 'identical'")
    told = a_rule("kcb_emr.visit", kind="recorded", facts="deliveries", holds="code IS NULL")
    told = told.model_copy(update={"id": "TST-002"})
    counted(warehouse, project)
    both = replace(project, rules=(lost, told))
    assert [one.rule for one in evaluate(warehouse, both)] == ["TST-001"]
    assert {row[0] for row in warehouse.rows("SELECT rule FROM checks.metrics")} == {"TST-002"}


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"facts": "delivery", "holds": "true"}, 'did you mean "deliveries"'),
        ({"facts": "deliveries", "holds": "statte = 'x'"}, 'did you mean "state"'),
        ({"facts": "deliveries", "holds": "state = (SELECT 'x')"}, "cannot hold a query"),
        ({"facts": "deliveries", "holds": "true", "where": "sum(units_said) > 1"}, "not accepted"),
    ],
)
def test_a_rule_about_nothing_is_refused(project: Project, rule: dict[str, str], says: str) -> None:
    with pytest.raises(RuleProblem, match=says):
        check_of(project, a_rule("kcb_emr.visit", kind="recorded", **rule))


def test_an_example_may_only_use_what_the_facts_have(project: Project) -> None:
    rule = a_rule("kcb_emr.visit", kind="recorded", facts="deliveries", holds="code IS NULL")
    with duckdb.connect() as con, pytest.raises(RuleProblem, match='uses "ma_lk"'):
        judge_fact(con, rule, {"ma_lk": "LK1"})


def test_all_facts_can_be_read_in_a_night(three_nights: Any, project: Project) -> None:
    """The night ran every rule about facts; what asked nobody is asked by its examples alone."""
    metrics = three_nights.out / "state/results/checks.metrics.parquet"
    asked = {row[0] for row in duckdb.sql(f"SELECT DISTINCT rule FROM '{metrics}'").fetchall()}
    used = {r.parameters["facts"] for r in project.rules if r.kind == RECORDED and r.id in asked}
    declared = {r.parameters["facts"] for r in project.rules if r.kind == RECORDED}
    assert declared == set(FACTS)
    assert declared - used <= {
        "volumes",
        "appointments",
        "birth_dates",
        "twins",
        "referral_papers",
        "possible_pairs",
    }
