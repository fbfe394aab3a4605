"""great-expectations as the release gate: the only module that imports it, run as a process of its own.

    python -m datasach.validate.gx        reads one path of a request a line, answers one line per request

A request (JSON) names staged Parquet files with what must be true of them, and the night's rule metrics with
their tolerances. Suites of two kinds judge them:

    published   the Parquet itself, through DuckDB but by GX's own SQL: row count, columns in order, key
                unique, and the failing rows of every rule GX can express, which must equal our count
    metrics     the failing share of every `stop` rule against its tolerance, rules that did not run, books

Importing GX costs seconds and 264 MB, so it is started once and serves every night of a command. Its SQL
engine closes a connection before it reads the result, which for DuckDB empties it; the subclass keeps
one connection. NULL is stated everywhere: a blank value is never a failure of a value rule.
Results carry counts only: SUMMARY with no partial lists, and queries that select constants.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import duckdb  # noqa: E402
import great_expectations as gx  # noqa: E402
import great_expectations.expectations as gxe  # noqa: E402
import pandas as pd  # noqa: E402
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource  # noqa: E402
from great_expectations.execution_engine.sqlalchemy_execution_engine import (  # noqa: E402
    SqlAlchemyExecutionEngine,
)

COUNTS_ONLY = {"result_format": "SUMMARY", "partial_unexpected_count": 0}


class OneConnection(SqlAlchemyExecutionEngine):
    @contextmanager
    def get_connection(self) -> Iterator[Any]:
        if getattr(self, "_kept", None) is None:
            self._kept = self.engine.connect()
        yield self._kept


class DuckDBDatasource(SQLDatasource):
    """`context.data_sources.add_duckdb(…)`: registered by its type, as GX's own SQLite source is."""

    type: Literal["duckdb"] = "duckdb"

    @property
    def execution_engine_type(self) -> Any:
        return OneConnection


def expectations(table: dict[str, Any]) -> list[Any]:
    """Expectations of one published table, from the request's plain description."""
    found: list[Any] = [
        gxe.ExpectTableRowCountToEqual(value=table["rows"], meta={"rule": "ROWS"}),
        gxe.ExpectTableColumnsToMatchOrderedList(
            column_list=table["columns"], meta={"rule": "COLUMNS"}
        ),
    ]
    key = table["key"]
    if len(key) == 1:
        found.append(gxe.ExpectColumnValuesToBeUnique(column=key[0], meta={"rule": "KEY"}))
    elif key:
        found.append(gxe.ExpectCompoundColumnsToBeUnique(column_list=key, meta={"rule": "KEY"}))
    for check in table["checks"]:
        expectation = _of_rule(check)
        if expectation is not None:
            found.append(expectation)
    return found


def _of_rule(check: dict[str, Any]) -> Any | None:
    meta = {"rule": check["rule"], "ours": check["failed"], "severity": check["severity"]}
    column = check["field"]
    # 1 for what is quarantined: not one such row may be published. 0 for the rest: GX counts, and the
    # caller compares.
    # A stop rule has its tolerance, and the metrics suite judges it.
    mostly = 1.0 if check["severity"] == "quarantine" else 0.0
    match check["kind"]:
        case "required":
            return gxe.ExpectColumnValuesToNotBeNull(column=column, mostly=mostly, meta=meta)
        case "in_set":
            return gxe.ExpectColumnValuesToBeInSet(
                column=column, value_set=check["values"], mostly=mostly, meta=meta
            )
        case "between":
            low, high = check.get("low"), check.get("high")
            return gxe.ExpectColumnValuesToBeBetween(
                column=column,
                min_value=None if low is None else float(low),
                max_value=None if high is None else float(high),
                mostly=mostly,
                meta=meta,
            )
        case "not_after":
            return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A=check["other"],
                column_B=column,
                or_equal=True,
                ignore_row_if="either_value_is_missing",
                mostly=mostly,
                meta=meta,
            )
        case "pattern":
            # GX has no regular expressions for DuckDB. The query selects a constant, so no value can
            # reach a result; it has no `mostly`, so a flag's count is told, not judged, by its own.
            matches = check["matches"].replace("'", "''").replace("{", "{{").replace("}", "}}")
            return gxe.UnexpectedRowsExpectation(
                unexpected_rows_query=f'SELECT 1 AS n FROM {{batch}} WHERE "{column}" IS NOT NULL'
                f" AND NOT regexp_full_match(CAST(\"{column}\" AS VARCHAR), '{matches}')",
                meta=meta,
            )
        case _:
            return None


def judge(request: dict[str, Any]) -> dict[str, Any]:
    """Run both suites of every database; a suite that cannot run is an error, never a pass."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    # A name of its own per request: DuckDB keeps an open file by its path for as long as we live.
    catalogue = Path(request["scratch"]) / f"gate-{uuid4().hex}.duckdb"
    with duckdb.connect(str(catalogue)) as con:
        for table in request["tables"]:
            path = table["path"].replace("'", "''")
            con.execute(f"CREATE VIEW {_view(table)} AS SELECT * FROM read_parquet('{path}')")
    published = context.data_sources.add_duckdb(
        name="published",
        connection_string=f"duckdb:///{catalogue}",
        kwargs={"connect_args": {"config": {"threads": request["threads"]}}},
    )
    frames = context.data_sources.add_pandas("metrics")
    results = []
    for table in request["tables"]:
        asset = published.add_table_asset(table["id"], table_name=_view(table))
        batch = asset.add_batch_definition_whole_table("all")
        results += _run(
            context, f"published {table['id']}", table["id"], batch, expectations(table), {}
        )
    rows = [{**row, "name": f"{row['about']} {row['rule']}"} for row in request["metrics"]]
    asset = frames.add_dataframe_asset("metrics")
    batch = asset.add_batch_definition_whole_dataframe("all")
    wanted = [
        gxe.ExpectColumnMaxToBeBetween(
            column="value",
            max_value=row["at_most"],
            row_condition=f'name=="{row["name"]}"',
            condition_parser="pandas",
            meta={"rule": row["rule"], "about": row["about"], "ours": row["value"]},
        )
        for row in rows
    ]
    results += _run(context, "metrics", "metrics", batch, wanted, {"dataframe": pd.DataFrame(rows)})
    return {"gx": gx.__version__, "results": results}


def _view(table: dict[str, Any]) -> str:
    """GX would read a dot as "schema.table"."""
    return str(table["id"]).replace(".", "__")


def _run(
    context: Any, name: str, about: str, batch: Any, wanted: list[Any], parameters: dict[str, Any]
) -> list[dict[str, Any]]:
    # All at once: a suite that is in a context writes itself anew for every expectation it is given.
    suite = context.suites.add(gx.ExpectationSuite(name, expectations=wanted))
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name=name, data=batch, suite=suite)
    )
    outcome = definition.run(batch_parameters=parameters or None, result_format=COUNTS_ONLY)
    return [_plain(about, one.to_json_dict()) for one in outcome.results]


def _plain(about: str, one: dict[str, Any]) -> dict[str, Any]:
    """One result as we keep it: counts, never values, and whether GX could run it at all."""
    config, result = one["expectation_config"], one.get("result") or {}
    meta = config.get("meta") or {}
    return {
        "about": meta.get("about", about),
        "rule": meta.get("rule"),
        "expectation": config["type"],
        "column": config["kwargs"].get("column"),
        "success": bool(one["success"]) or _only_told(config, meta),
        "raised": _raised(one.get("exception_info") or {}),
        "element_count": result.get("element_count"),
        "unexpected_count": _failing(config, result),
        "observed": result.get("observed_value") if meta.get("rule") == "ROWS" else None,
        "ours": meta.get("ours"),
    }


def _only_told(config: dict[str, Any], meta: dict[str, Any]) -> bool:
    """A flag's count is compared with ours; that there are such rows is no reason to withhold."""
    return config["type"] == "unexpected_rows_expectation" and meta.get("severity") != "quarantine"


def _failing(config: dict[str, Any], result: dict[str, Any]) -> int | None:
    if config["type"] == "unexpected_rows_expectation":
        return int(result["observed_value"])
    count = result.get("unexpected_count")
    return None if count is None else int(count)


def _raised(info: dict[str, Any]) -> bool:
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(
        bool(inner.get("raised_exception")) for inner in info.values() if isinstance(inner, dict)
    )


def main() -> None:
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever a library prints must not be taken for an answer
    for line in sys.stdin:
        path = Path(line.strip())
        request = json.loads(path.read_text("utf-8"))
        try:
            answer = judge(request)
        except Exception as error:  # the caller withholds everything and says why
            answer = {"gx": gx.__version__, "error": type(error).__name__, "results": []}
        path.with_suffix(".result.json").write_text(json.dumps(answer), "utf-8")
        print("done", file=answers, flush=True)


if __name__ == "__main__":
    main()
