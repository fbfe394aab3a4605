"""Rules hold SQL that auditors and doctors write. It may look at one row, and at nothing else.

DuckDB's own parser judges: one expression, no subquery, no table, only functions listed here. The
connection that evaluates rules is locked besides (no files, no settings), so this is the first wall
of two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import duckdb

_FUNCTIONS = """
    abs age between ceil coalesce concat concat_ws contains date_diff date_part date_sub
    date_trunc datediff datepart day ends_with floor greatest hour ifnull in instr
    isfinite isodow least left len length list_aggregate list_contains list_distinct
    list_filter list_has_all list_has_any list_transform list_unique list_value lower
    lpad ltrim minute month nullif position prefix regexp_extract regexp_full_match
    regexp_matches replace right round rtrim sign split_part starts_with string_split
    strip_accents strlen strpos strptime substr substring suffix to_days to_hours
    to_minutes to_months to_years trim trunc try_strptime upper year + - * / // % || ~~
    !~~ ~~* !~~* ^@ struct_extract array_extract list_extract make_date is_distinct_from
"""
FUNCTIONS = frozenset(_FUNCTIONS.split())
BREAKABLE = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DOUBLE", "FLOAT", "DECIMAL"}
)
"""Casts to these fail on a text that is no number, and one bad value would then take the rule down."""

Ref = tuple[str, ...]
"""A column as written: (name,) or (qualifier, name)."""


class RuleProblem(ValueError):
    """A rule cannot be accepted; the message says why."""


def only_an_expression(sql: str) -> frozenset[Ref]:
    """The columns the expression speaks of.

    Raises RuleProblem unless `sql` is one scalar expression over a row's columns.
    """
    return frozenset(tuple(node["column_names"]) for node in _column_nodes(_parsed(sql)))


def qualified(sql: str, alias_of: Callable[[str | None], str]) -> str:
    """The expression with every column written as `alias.column`; `alias_of` gets the qualifier that
    stood before the name (None: none did), so that no name can be taken for another table's."""
    only_an_expression(sql)
    statement = json.loads(_serialised(sql))
    for node in _column_nodes(statement["statements"][0]["node"]["select_list"][0]):
        *before, name = node["column_names"]
        node["column_names"] = [alias_of(before[0] if before else None), name]
    text = _ask("SELECT json_deserialize_sql(?::JSON)", json.dumps(statement))
    return text.removeprefix("SELECT ")


@lru_cache(maxsize=4096)
def _serialised(sql: str) -> str:
    return _ask("SELECT json_serialize_sql(?)", f"SELECT ({sql})")


def _ask(question: str, about: str) -> str:
    # As a constant: a bound parameter makes duckdb import pandas, at 75 MB and half a second.
    constant = "'" + about.replace("'", "''") + "'"
    row = _parser().cursor().execute(question.replace("?", constant, 1)).fetchone()
    return str(row[0] if row else "")


@lru_cache(maxsize=1)
def _parser() -> duckdb.DuckDBPyConnection:
    """An empty database that only ever parses; opening one for every expression costs seconds."""
    return duckdb.connect(config={"threads": 1})


@lru_cache(maxsize=4096)
def _parsed(sql: str) -> Any:
    """The expression's node in DuckDB's syntax tree, once it has been found harmless."""
    parsed = json.loads(_serialised(sql))
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
    return node["select_list"][0]


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
        if kind == "CAST" and not node.get("try_cast") and _may_break(node):
            raise RuleProblem("write TRY_CAST: a text that is no number would stop the rule")
        for value in node.values():
            _walk(value)


def _may_break(node: dict[str, Any]) -> bool:
    # What the parser itself wraps around the number of an INTERVAL holds no column.
    return node["cast_type"]["id"] in BREAKABLE and any(True for _ in _column_nodes(node["child"]))


def _column_nodes(node: Any, bound: frozenset[str] = frozenset()) -> Iterator[dict[str, Any]]:
    """Every reference to a column; the parameter of a lambda is none."""
    if isinstance(node, list):
        for item in node:
            yield from _column_nodes(item, bound)
    elif isinstance(node, dict):
        if node.get("class") == "LAMBDA":
            own = {n["column_names"][0] for n in _column_nodes(node["lhs"])}
            yield from _column_nodes(node["expr"], bound | own)
        elif node.get("class") == "COLUMN_REF":
            if node["column_names"][0] not in bound:
                yield node
        else:
            for value in node.values():
                yield from _column_nodes(value, bound)
