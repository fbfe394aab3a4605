"""Rules hold SQL that auditors and doctors write. It may look at one row, and at nothing else.

DuckDB's own parser judges: one expression, no subquery, no table, only functions listed here. The
connection that evaluates rules is locked besides (no files, no settings), so this is the first wall
of two.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import duckdb

FUNCTIONS = frozenset(
    """
    abs age between ceil coalesce concat concat_ws contains date_diff date_part date_sub date_trunc datediff
    datepart day ends_with floor greatest ifnull in instr isfinite least left len length list_aggregate
    list_contains list_distinct list_filter list_has_all list_has_any list_transform list_unique list_value lower
    lpad ltrim month nullif position prefix regexp_extract regexp_full_match regexp_matches replace right round rtrim
    sign split_part starts_with string_split strip_accents strlen strpos strptime substr substring suffix trim
    trunc try_strptime upper year + - * / // % || ~~ !~~ ~~* !~~* ^@ struct_extract array_extract list_extract
    make_date is_distinct_from
    """.split()
)


class RuleProblem(ValueError):
    """A rule cannot be accepted; the message says why."""


@lru_cache(maxsize=4096)
def only_an_expression(sql: str) -> None:
    """Raises RuleProblem unless `sql` is one scalar expression over a row's columns."""
    with duckdb.connect() as con:
        row = con.execute("SELECT json_serialize_sql(?)", [f"SELECT ({sql})"]).fetchone()
    parsed = json.loads(row[0] if row else "{}")
    if parsed.get("error"):
        raise RuleProblem(f"not an SQL expression: {parsed.get('error_message', '')}".strip())
    statements = parsed["statements"]
    if len(statements) != 1:
        raise RuleProblem("one expression, not several statements")
    node = statements[0]["node"]
    if node.get("type") != "SELECT_NODE" or len(node.get("select_list", [])) != 1:
        raise RuleProblem("one expression, not a query")
    extras = ("where_clause", "group_expressions", "having", "qualify")
    if any(node.get(part) for part in extras) or node.get("modifiers"):
        raise RuleProblem("one expression, not a query")
    if node["from_table"]["type"] != "EMPTY":
        raise RuleProblem("a rule's expression cannot read a table")
    _walk(node["select_list"][0])


def _walk(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _walk(item)
    elif isinstance(node, dict):
        kind = node.get("class")
        if kind == "SUBQUERY":
            raise RuleProblem("a rule's expression cannot hold a query")
        if kind in ("WINDOW", "STAR", "PARAMETER"):
            raise RuleProblem(f"{kind.lower()} is not accepted in a rule")
        if kind == "FUNCTION" and str(node.get("function_name", "")).lower() not in FUNCTIONS:
            raise RuleProblem(f"the function {node['function_name']} is not accepted in a rule")
        for value in node.values():
            _walk(value)
