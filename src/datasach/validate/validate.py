"""Every rule over every current record: findings, and counts with denominators.

One query per table: the rows of `current.<table>`, the joins its rules ask for, and per row the list
of rules it violates. Rows with a finding are kept with their rules (no value of a person); the counts
per rule and facility come from the same rows, so that a score and a receipt can never disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import polars as pl

from datasach.spec.contract import Table
from datasach.spec.project import Project
from datasach.spec.rule import Rule
from datasach.store.warehouse import Warehouse, sql_name
from datasach.validate.compile import compiled_check
from datasach.validate.kinds import Check

JOINS_AT_ONCE = 12
"""Rules with joins are evaluated this many at a time, so that one query's hash tables stay bounded."""


Metric = tuple[str, str, str | None, int, int]
"""table_id, rule, facility, tested, failed"""


@dataclass(frozen=True, slots=True)
class NotRun:
    """A rule that could not be evaluated tonight, and why. Never a pass."""

    rule: str
    table: str
    reason: str


def validate(
    warehouse: Warehouse, project: Project, progress: Callable[[str], None] = lambda _: None
) -> list[NotRun]:
    """Reads   current.*, link.record_persons, standard.changes
    Writes  checks.findings  table_id, _file, _row, _key, facility, rule, severity
            checks.metrics   table_id, rule, facility, tested, failed
            checks.held      table_id, _file, _row, facility, rule (first reason): rows quarantined, children included
            checks.priority  table_id, field, facility, expected, filled
            checks.lateness  table_id, facility, tested, in_time
    """
    warehouse.execute(
        "CREATE OR REPLACE TABLE checks.findings (table_id VARCHAR, _file VARCHAR, _row INTEGER,"
        " _key VARCHAR, facility VARCHAR, rule VARCHAR, severity VARCHAR)"
    )
    not_run: list[NotRun] = []
    metrics: list[Metric] = []
    for table in project.tables.values():
        progress(table.id)
        if not warehouse.value(f"SELECT count(*) FROM current.{sql_name(table.id)}"):
            continue
        rules = [rule for rule in project.rules if rule.table == table.id]
        plain: list[tuple[Rule, Check]] = []
        joined: list[tuple[Rule, Check]] = []
        for rule in rules:
            check = compiled_check(project, rule)
            (joined if check.joins else plain).append((rule, check))
        groups = [plain] if plain else []
        groups += [joined[i : i + JOINS_AT_ONCE] for i in range(0, len(joined), JOINS_AT_ONCE)]
        for group in groups:
            not_run += _evaluate(warehouse, table, group, metrics)
    schema = {
        "table_id": pl.String,
        "rule": pl.String,
        "facility": pl.String,
        "tested": pl.Int64,
        "failed": pl.Int64,
    }
    warehouse.put("checks.metrics", pl.DataFrame(metrics, schema=schema, orient="row"))
    _hold(warehouse, project)
    _priority(warehouse, project)
    _lateness(warehouse, project)
    return not_run


def base_query(table: Table, checks: list[Check]) -> str:
    """The rows a table's rules look at, with what the rules compute for themselves."""
    name = sql_name(table.id)
    computed = "".join(f", {sql} AS {alias}" for c in checks for alias, sql in c.computed)
    event = f'CAST("{table.event}" AS DATE)' if table.event else "_declared_on"
    vintage = (
        f"SELECT s.*, coalesce(u.vintage, CASE WHEN s._declared_on < DATE '2025-01-01' THEN '4750' ELSE '3176' END)"
        f" AS _vintage, u.problems AS _unit_problems FROM current.{name} s LEFT JOIN recon.units u USING (_file, _unit)"
        if table.is_enveloped
        else f"SELECT *, CAST(NULL AS VARCHAR) AS _vintage, CAST(NULL AS VARCHAR) AS _unit_problems FROM current.{name}"
    )
    return (
        f"SELECT *, CAST(_night AS TIMESTAMP) + INTERVAL 1 DAY AS _received_at, {event} AS _event_on{computed}"
        f" FROM ({vintage})"
    )


def _evaluate(
    warehouse: Warehouse, table: Table, group: list[tuple[Rule, Check]], metrics: list[Metric]
) -> list[NotRun]:
    try:
        _evaluate_together(warehouse, table, group, metrics)
        return []
    except duckdb.Error as error:
        if len(group) > 1:
            # One rule's fault must not take its neighbours with it.
            return [found for one in group for found in _evaluate(warehouse, table, [one], metrics)]
        return [NotRun(group[0][0].id, table.id, f"{type(error).__name__}: {_first_line(error)}")]


def _first_line(error: Exception) -> str:
    """What DuckDB says, without the values a conversion error would quote."""
    line = str(error).splitlines()[0]
    return line.split(":")[0] if "Conversion" in line else line[:200]


def _evaluate_together(
    warehouse: Warehouse, table: Table, group: list[tuple[Rule, Check]], metrics: list[Metric]
) -> None:
    checks = [check for _, check in group]
    joins = " ".join(join for check in checks for join in check.joins)
    asked = ", ".join(f"coalesce(({c.applies}), false) AS a{i}" for i, c in enumerate(checks))
    broken = ", ".join(
        f"coalesce(({c.applies}) AND ({c.violated}), false) AS v{i}" for i, c in enumerate(checks)
    )
    counts = ", ".join(
        f"count(*) FILTER (a{i}), count(*) FILTER (v{i})" for i in range(len(checks))
    )
    any_broken = " OR ".join(f"v{i}" for i in range(len(checks)))
    listed = ", ".join(f"CASE WHEN v{i} THEN {i} END" for i in range(len(checks)))
    warehouse.execute(
        f"CREATE OR REPLACE TEMP TABLE judged AS SELECT r._file, r._row, r._key, r._facility AS facility,"
        f" {asked}, {broken} FROM ({base_query(table, checks)}) r {joins}"
    )
    counted = warehouse.rows(
        f"SELECT facility, {counts} FROM judged GROUP BY facility ORDER BY facility"
    )
    metrics += [
        (table.id, rule.id, row[0], row[1 + 2 * i], row[2 + 2 * i])
        for row in counted
        for i, (rule, _) in enumerate(group)
    ]
    names = ", ".join(f"'{rule.id}'" for rule, _ in group)
    severities = ", ".join(f"'{rule.severity}'" for rule, _ in group)
    warehouse.execute(
        f"INSERT INTO checks.findings SELECT '{table.id}', _file, _row, _key, facility,"
        f" ([{names}])[i + 1], ([{severities}])[i + 1] FROM (SELECT _file, _row, _key, facility,"
        f" unnest(list_filter([{listed}], lambda x: x IS NOT NULL)) AS i FROM judged WHERE {any_broken})"
    )


def _hold(warehouse: Warehouse, project: Project) -> None:
    """A record with a finding of severity quarantine is held; the lines of a held record are held with it."""
    warehouse.execute(
        "CREATE OR REPLACE TABLE checks.held AS SELECT table_id, _file, _row, any_value(facility) AS facility,"
        " min(rule) AS rule, false AS with_parent FROM checks.findings WHERE severity = 'quarantine'"
        " GROUP BY table_id, _file, _row"
    )
    for table in project.tables.values():
        if table.parent is None:
            continue
        parent = f"{table.database}.{table.parent}"
        key = parent_key(project, table)
        warehouse.execute(
            f"""
            INSERT INTO checks.held
            SELECT '{table.id}', c._file, c._row, c._facility, h.rule, true
            FROM current.{sql_name(table.id)} c
            JOIN current.{sql_name(parent)} p ON {key}
            JOIN checks.held h ON h.table_id = '{parent}' AND h._file = p._file AND h._row = p._row
            ANTI JOIN checks.held own ON own.table_id = '{table.id}' AND own._file = c._file AND own._row = c._row
            """
        )


def parent_key(project: Project, table: Table) -> str:
    """SQL that joins a line `c` to its parent's row `p`."""
    if table.is_enveloped:
        return "c._key = p._key"
    parent = project.tables[f"{table.database}.{table.parent}"]
    return " AND ".join(f'c."{key}" = p."{key}"' for key in parent.key)


def _priority(warehouse: Warehouse, project: Project) -> None:
    """How often each key information field is filled, where it is expected."""
    counted: list[tuple[str, str, str, int, int]] = []
    for table in project.tables.values():
        wanted = [f for f in table.priority if table.field(f).presence != "optional"]
        if not wanted:
            continue
        filled = ", ".join(f'count("{name}")' for name in wanted)
        sql = f"SELECT _facility, count(*), {filled} FROM current.{sql_name(table.id)} GROUP BY ALL ORDER BY 1"
        for facility, expected, *counts in warehouse.rows(sql):
            counted += [
                (table.id, n, facility, expected, c) for n, c in zip(wanted, counts, strict=True)
            ]
    text = dict.fromkeys(("table_id", "field", "facility"), pl.String())
    schema = {**text, "expected": pl.Int64(), "filled": pl.Int64()}
    warehouse.put("checks.priority", pl.DataFrame(counted, schema=schema, orient="row"))


def _lateness(warehouse: Warehouse, project: Project) -> None:
    """How many records arrived within their database's target after the event they tell of.

    Arrival is the end of the night's day; an event without a time counts from the end of its day.
    """
    parts = []
    for table in project.tables.values():
        if table.event is None:
            continue
        hours = project.databases[table.database].freshness_hours
        is_day = table.field(table.event).type not in ("datetime",)
        event = f'CAST("{table.event}" AS TIMESTAMP)' + (" + INTERVAL 1 DAY" if is_day else "")
        parts.append(
            f"SELECT '{table.id}' AS table_id, _facility AS facility, count(\"{table.event}\") AS tested,"
            f" count(*) FILTER (CAST(_night AS TIMESTAMP) + INTERVAL 1 DAY <= {event} + INTERVAL {hours} HOUR)"
            f" AS in_time FROM current.{sql_name(table.id)} GROUP BY ALL"
        )
    warehouse.execute(f"CREATE OR REPLACE TABLE checks.lateness AS {' UNION ALL '.join(parts)}")
