"""Every rule over every current record: findings, and counts with denominators.

Two questions per table, each asked of columns and not of rows one by one: how many rows does a rule ask
(per facility and channel; most rules ask where a field is filled), and which rows break one. Only
broken rows are ever written down (no value of a person), and what failed is counted from them, so that
a score and a receipt can never disagree.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import polars as pl

from datasach.spec.contract import Table
from datasach.spec.project import Project
from datasach.spec.rule import FORM, Rule
from datasach.store.warehouse import Warehouse, sql_name
from datasach.validate.compile import by_table
from datasach.validate.form import evaluate_form
from datasach.validate.kinds import Check
from datasach.validate.recorded import RECORDED, count_recorded

JOINS_AT_ONCE = 12
"""Rules with joins are evaluated this many at a time, so that one query's hash tables stay bounded."""

ALWAYS = "(true)"
"""What `applies` says of a rule that asks every row."""

Judged = tuple[Rule, Check]


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
            checks.metrics_by_channel  the same per channel, for tables that hold rows of several
            checks.held      table_id, _file, _row, facility, rule (first reason): rows quarantined, children included
            checks.priority  table_id, field, facility, expected, filled
            checks.lateness  table_id, facility, tested, in_time
    """
    not_run = evaluate(warehouse, project, progress)
    _hold(warehouse, project)
    _priority(warehouse, project)
    _lateness(warehouse, project)
    return not_run


def evaluate(
    warehouse: Warehouse, project: Project, progress: Callable[[str], None] = lambda _: None
) -> list[NotRun]:
    """Reads   current.* and what the rules' joins read
    Writes  checks.findings, checks.metrics, checks.metrics_by_channel: see `validate`
    """
    warehouse.execute(
        "CREATE OR REPLACE TEMP TABLE asked (table_id VARCHAR, rule VARCHAR, facility VARCHAR,"
        " channel VARCHAR, tested BIGINT)"
    )
    warehouse.execute(
        "CREATE OR REPLACE TEMP TABLE broken (table_id VARCHAR, _file VARCHAR, _row INTEGER,"
        " _key VARCHAR, facility VARCHAR, rule VARCHAR, severity VARCHAR)"
    )
    warehouse.execute(
        "CREATE OR REPLACE TEMP TABLE noted (table_id VARCHAR, rule VARCHAR, facility VARCHAR, failed BIGINT)"
    )
    not_run: list[NotRun] = []
    for table in project.tables.values():
        progress(table.id)
        if warehouse.value(f"SELECT count(*) FROM current.{sql_name(table.id)}"):
            not_run += _evaluate_table(warehouse, project, table)
            not_run += _evaluate_form(warehouse, project, table)
    progress("facts")
    recorded = [rule for rule in project.rules if rule.kind == RECORDED]
    for rule, error in count_recorded(warehouse, project, recorded):
        not_run.append(_not_run(rule, error))
    _write_findings(warehouse)
    _write_metrics(warehouse)
    return not_run


def _evaluate_table(warehouse: Warehouse, project: Project, table: Table) -> list[NotRun]:
    rules = [
        (rule, check)
        for rule, check in by_table(project)[table.id]
        if rule.kind not in (FORM, RECORDED)
    ]
    not_run: list[NotRun] = []
    for group in _groups(rules, _asks_beside):
        not_run += _try(warehouse, _asked_query, table, group)
    lost = {one.rule for one in not_run}
    rules = [(rule, check) for rule, check in rules if rule.id not in lost]
    for group in _groups(rules, lambda check: bool(check.joins)):
        for one in _try(warehouse, _broken_query, table, group):
            # Asked but not answered is not run.
            warehouse.execute(
                f"DELETE FROM asked WHERE table_id = '{table.id}' AND rule = '{one.rule}'"
            )
            not_run.append(one)
    return not_run


def _evaluate_form(warehouse: Warehouse, project: Project, table: Table) -> list[NotRun]:
    """All at once; if that fails one by one, so that a promise that cannot be checked leaves the others."""
    rules = [rule for rule, _ in by_table(project)[table.id] if rule.kind == FORM]
    try:
        evaluate_form(warehouse, project, table, rules)
        return []
    except duckdb.Error as error:
        mine = ", ".join(f"'{rule.id}'" for rule in rules)
        for name in ("asked", "broken"):
            warehouse.execute(
                f"DELETE FROM {name} WHERE table_id = '{table.id}' AND rule IN ({mine})"
            )
        if len(rules) == 1:
            return [_not_run(rules[0], error)]
    not_run = []
    for rule in rules:
        try:
            evaluate_form(warehouse, project, table, [rule])
        except duckdb.Error as error:
            for name in ("asked", "broken"):
                warehouse.execute(
                    f"DELETE FROM {name} WHERE table_id = '{table.id}' AND rule = '{rule.id}'"
                )
            not_run.append(_not_run(rule, error))
    return not_run


def _not_run(rule: Rule, error: duckdb.Error) -> NotRun:
    return NotRun(rule.id, rule.table, f"{type(error).__name__}: {_first_line(error)}")


def _groups(rules: list[Judged], needs_joins: Callable[[Check], bool]) -> list[list[Judged]]:
    """The rules that can be evaluated in one query; those that need joins, a few at a time."""
    plain = [one for one in rules if not needs_joins(one[1])]
    joined = [one for one in rules if needs_joins(one[1])]
    groups = [joined[i : i + JOINS_AT_ONCE] for i in range(0, len(joined), JOINS_AT_ONCE)]
    return [plain, *groups] if plain else groups


def _try(
    warehouse: Warehouse,
    query: Callable[[Table, list[Judged]], str],
    table: Table,
    group: list[Judged],
) -> list[NotRun]:
    """Execute the query for the group; a rule whose fault breaks it must not take its neighbours with it."""
    try:
        warehouse.execute(query(table, group))
        return []
    except duckdb.Error as error:
        if len(group) > 1:
            half = len(group) // 2
            return [
                found
                for part in (group[:half], group[half:])
                for found in _try(warehouse, query, table, part)
            ]
        return [_not_run(group[0][0], error)]


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


def _first_line(error: Exception) -> str:
    """What DuckDB says, without the values a conversion error would quote."""
    line = str(error).splitlines()[0]
    return line.split(":")[0] if "Conversion" in line else line[:200]


def _asked_query(table: Table, group: list[Judged]) -> str:
    """Rows each rule asks, per facility and channel. Rules that ask the same rows are counted once."""
    checks = [check for _, check in group]
    conditions = list(dict.fromkeys(c.applies for c in checks))
    # `OR NULL`: count() leaves out what is not true, and is a third cheaper than FILTER.
    counts = ", ".join(
        f"count(*) AS n{i}" if condition == ALWAYS else f"count(({condition}) OR NULL) AS n{i}"
        for i, condition in enumerate(conditions)
    )
    joins = " ".join(join for c in checks if _asks_beside(c) for join in c.joins)
    names = ", ".join(f"'{rule.id}'" for rule, _ in group)
    tested = ", ".join(f"n{conditions.index(c.applies)}" for c in checks)
    return (
        f"INSERT INTO asked SELECT '{table.id}', unnest([{names}]), facility, channel, unnest([{tested}])"
        f" FROM (SELECT r._facility AS facility, r._channel AS channel, {counts}"
        f" FROM ({base_query(table, checks)}) r {joins} GROUP BY ALL)"
    )


def _asks_beside(check: Check) -> bool:
    """Whether `applies` speaks of a joined table: then it takes the joins to know which rows are asked."""
    joins = " ".join(check.joins)
    words = set(re.findall(r"\b(\w+)\.", check.applies)) - {"r"}
    return any(re.search(rf"\b{word} ON\b", joins) for word in words)


def _broken_query(table: Table, group: list[Judged]) -> str:
    """Rows that break a rule, once for each. They are filtered before the rules are listed: conditions stop
    at the first that is true, and a list is made only for the few rows that have one."""
    checks = [check for _, check in group]
    joins = " ".join(join for check in checks for join in check.joins)
    # A violation that is NULL (the row was not asked) passes neither WHERE nor CASE.
    any_broken = " OR ".join(f"({c.violated})" for c in checks)
    listed = ", ".join(f"CASE WHEN {c.violated} THEN {i} END" for i, c in enumerate(checks, 1))
    names = ", ".join(f"'{rule.id}'" for rule, _ in group)
    severities = ", ".join(f"'{rule.severity}'" for rule, _ in group)
    return (
        f"INSERT INTO broken SELECT '{table.id}', _file, _row, _key, facility, ([{names}])[i], ([{severities}])[i]"
        f" FROM (SELECT r._file, r._row, r._key, r._facility AS facility,"
        f" unnest(list_filter([{listed}], lambda x: x IS NOT NULL)) AS i"
        f" FROM ({base_query(table, checks)}) r {joins} WHERE {any_broken})"
    )


def _write_findings(warehouse: Warehouse) -> None:
    """In an order that depends neither on threads nor on the plans of the queries."""
    warehouse.execute(
        "CREATE OR REPLACE TABLE checks.findings AS FROM broken ORDER BY table_id, facility, _file, _row, rule"
    )
    warehouse.execute("DROP TABLE broken")


def _write_metrics(warehouse: Warehouse) -> None:
    warehouse.execute(
        """
        CREATE OR REPLACE TABLE checks.metrics AS
        WITH failed AS (SELECT table_id, rule, facility, count(*) AS n FROM checks.findings GROUP BY ALL
                        UNION ALL SELECT table_id, rule, facility, failed FROM noted)
        SELECT t.table_id, t.rule, t.facility, t.tested, coalesce(f.n, 0) AS failed
        FROM (SELECT table_id, rule, facility, CAST(sum(tested) AS BIGINT) AS tested FROM asked GROUP BY ALL) t
        LEFT JOIN failed f ON f.table_id = t.table_id AND f.rule = t.rule AND f.facility IS NOT DISTINCT FROM t.facility
        ORDER BY ALL
        """
    )
    several = [
        str(row[0])
        for row in warehouse.rows(
            "SELECT table_id FROM asked GROUP BY table_id HAVING count(DISTINCT channel) > 1 ORDER BY 1"
        )
    ]
    # A content came in one channel: the finding's file tells which.
    files = " UNION ALL ".join(
        f"SELECT DISTINCT '{table}' AS table_id, _file, _channel AS channel FROM current.{sql_name(table)}"
        for table in several
    )
    nothing = "SELECT NULL::VARCHAR AS table_id, NULL::VARCHAR AS _file, NULL::VARCHAR AS channel WHERE false"
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE checks.metrics_by_channel AS
        WITH files AS ({files or nothing}),
             failed AS (SELECT table_id, rule, facility, channel, count(*) AS n
                        FROM checks.findings JOIN files USING (table_id, _file) GROUP BY ALL)
        SELECT t.table_id, t.rule, t.facility, t.channel, t.tested, coalesce(f.n, 0) AS failed
        FROM (FROM asked WHERE channel IS NOT NULL) t SEMI JOIN files USING (table_id)
        LEFT JOIN failed f ON f.table_id = t.table_id AND f.rule = t.rule AND f.channel = t.channel
             AND f.facility IS NOT DISTINCT FROM t.facility
        ORDER BY ALL
        """
    )
    warehouse.execute("DROP TABLE asked; DROP TABLE noted")


def _hold(warehouse: Warehouse, project: Project) -> None:
    """A record with a finding of severity quarantine is held; the lines of a held record are held with it."""
    warehouse.execute(
        "CREATE OR REPLACE TEMP TABLE holding AS SELECT table_id, _file, _row, any_value(facility) AS facility,"
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
            INSERT INTO holding
            SELECT '{table.id}', c._file, c._row, c._facility, h.rule, true
            FROM current.{sql_name(table.id)} c
            JOIN current.{sql_name(parent)} p ON {key}
            JOIN holding h ON h.table_id = '{parent}' AND h._file = p._file AND h._row = p._row
            ANTI JOIN holding own ON own.table_id = '{table.id}' AND own._file = c._file AND own._row = c._row
            """
        )
    # In an order that depends neither on threads nor on the plans of the queries.
    warehouse.execute(
        "CREATE OR REPLACE TABLE checks.held AS FROM holding ORDER BY table_id, facility, _file, _row"
    )
    warehouse.execute("DROP TABLE holding")


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
    warehouse.execute(
        f"CREATE OR REPLACE TABLE checks.lateness AS {' UNION ALL '.join(parts)} ORDER BY ALL"
    )
