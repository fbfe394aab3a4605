"""2,000,000 rows against 24 rules, side by side: CPU seconds and peak memory, each tool in its own process.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install 'pandera[polars]' pointblank
    python benchmarks/validate.py --peers /tmp/peers/bin/python [--rows 2000000] [--repeat 3]

    duckdb      written by hand: one query, every failing row with its rules and counts by facility, as Parquet
    datasach    the same out of the engine: Rule objects, compiled by validate.kinds, judged by validate.evaluate
    pandera     polars backend, lazy: failure cases (row index, value, check) of all rules; no counts by facility
    pointblank  on Polars: counts per rule, and extracts of at most 500 failing rows each
    gx          great-expectations on pandas, SUMMARY: counts per rule and a sample of 20; no failing rows

Both of ours write the same two files, and the benchmark stops unless they hold the same. Peers are asked
the same 24 questions in their own words; where a word means something else (blanks, duplicates) the
counts in the table's last column differ, and that is said below it. CPU seconds are user + system of the
process after its imports; `import` are those of the imports. The smallest of the repetitions counts:
on a shared machine the others measure the neighbours.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TABLE = "bench.encounter"
NIGHT = "2026-03-02"
PROVINCES = [f"{n:02d}" for n in range(1, 35)]
KINDS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]
SPONSORS = ["1.1", "1.2", "1.3", "2", "3.1", "3.2"]

FIELDS: dict[str, tuple[str, str]] = {
    "ma_lk": ("key", "VARCHAR"), "ma_bn": ("text", "VARCHAR"), "ho_ten": ("text", "VARCHAR"),
    "so_cccd": ("text", "VARCHAR"), "dien_thoai": ("text", "VARCHAR"),
    "ma_the_bhyt": ("text", "VARCHAR"), "ma_cskcb": ("code", "VARCHAR"),
    "matinh_cu_tru": ("code", "VARCHAR"), "gioi_tinh": ("code", "VARCHAR"),
    "ma_loai_kcb": ("code", "VARCHAR"), "ma_doituong_kcb": ("code", "VARCHAR"),
    "ngay_sinh": ("date", "DATE"), "ngay_vao": ("datetime", "TIMESTAMP"),
    "ngay_ra": ("datetime", "TIMESTAMP"), "ngay_ttoan": ("datetime", "TIMESTAMP"),
    "ma_benh": ("text", "VARCHAR"), "chan_doan": ("text", "VARCHAR"),
    "can_nang": ("decimal", "DECIMAL(18,3)"), "so_ngay_dtri": ("integer", "BIGINT"),
    "t_tongchi": ("decimal", "DECIMAL(18,3)"), "t_bhtt": ("decimal", "DECIMAL(18,3)"),
    "t_bntt": ("decimal", "DECIMAL(18,3)"),
}  # fmt: skip
LONGEST = 60

RULES: list[tuple[str, str, dict[str, Any]]] = [
    ("R01", "required", {"field": "ma_lk"}),
    ("R02", "required", {"field": "ho_ten"}),
    ("R03", "required", {"field": "ngay_sinh"}),
    ("R04", "required", {"field": "ngay_vao"}),
    ("R05", "required", {"field": "ma_benh"}),
    ("R06", "pattern", {"field": "so_cccd", "matches": "[0-9]{12}"}),
    ("R07", "pattern", {"field": "dien_thoai", "matches": "0[0-9]{9}"}),
    ("R08", "pattern", {"field": "ma_the_bhyt", "matches": "[A-Z]{2}[1-5][0-9]{12}"}),
    ("R09", "pattern", {"field": "ma_cskcb", "matches": "[0-9]{5}"}),
    ("R10", "pattern", {"field": "ma_benh", "matches": "[A-Z][0-9]{2}(\\.[0-9]{1,2})?"}),
    ("R11", "in_set", {"field": "gioi_tinh", "values": ["1", "2", "3"]}),
    ("R12", "in_set", {"field": "ma_loai_kcb", "values": KINDS}),
    ("R13", "in_set", {"field": "ma_doituong_kcb", "values": SPONSORS}),
    ("R14", "in_set", {"field": "matinh_cu_tru", "values": PROVINCES}),
    ("R15", "between", {"field": "can_nang", "low": "0.3", "high": "300"}),
    ("R16", "between", {"field": "so_ngay_dtri", "low": "0", "high": "365"}),
    ("R17", "between", {"field": "t_tongchi", "low": "0", "high": "2000000000"}),
    ("R18", "between", {"field": "ngay_sinh", "low": "1900-01-01", "high": "2026-03-02"}),
    ("R19", "not_after", {"field": "ngay_vao", "other": "ngay_ra"}),
    ("R20", "not_after", {"field": "ngay_ra", "other": "ngay_ttoan"}),
    ("R21", "not_after", {"field": "ngay_sinh", "other": "ngay_vao"}),
    ("R22", "lengths", {}),
    ("R23", "expression", {"holds": "abs(t_tongchi - t_bhtt - t_bntt) <= 1",
                           "fields": ["t_tongchi", "t_bhtt", "t_bntt"]}),
    ("R24", "unique", {"fields": ["ma_lk"]}),
]  # fmt: skip


def build(path: Path, rows: int) -> None:
    """The same rows every time: each fault is drawn from a hash of the row's number and the fault's name."""
    import duckdb

    def one_in(n: int, salt: str) -> str:
        return f"hash(i, '{salt}') % {n} = 0"

    def pick(n: int, salt: str) -> str:
        return f"(hash(i, '{salt}') % {n})::BIGINT"

    def digits(n: int, salt: str) -> str:
        return f"lpad({pick(10**n, salt)}::VARCHAR, {n}, '0')"

    provinces = "[" + ", ".join(f"'{p}'" for p in PROVINCES) + "]"
    kinds = "[" + ", ".join(f"'{k}'" for k in KINDS) + "]"
    sponsors = "[" + ", ".join(f"'{s}'" for s in SPONSORS) + "]"
    with duckdb.connect() as con:
        con.execute(
            f"""
            COPY (
            WITH n AS (SELECT range AS i FROM range({rows})), b AS (
                SELECT i, {pick(700, "facility")} AS f,
                       TIMESTAMP '2026-01-01' + to_minutes({pick(86400, "in")}) AS came, {pick(72, "stay")} AS hours,
                       ({pick(5000000, "money")} + 1000)::DECIMAL(18,3) AS total, {pick(101, "share")} AS share FROM n)
            SELECT
                CASE WHEN {one_in(2000, "double")} AND i > 0 THEN 'LK' || lpad((i - 1)::VARCHAR, 10, '0')
                     WHEN {one_in(5000, "no key")} THEN NULL ELSE 'LK' || lpad(i::VARCHAR, 10, '0') END AS ma_lk,
                'BN' || {digits(8, "patient")} AS ma_bn,
                CASE WHEN {one_in(400, "no name")} THEN NULL ELSE 'NGUYEN THI ' || {digits(5, "name")} END AS ho_ten,
                CASE WHEN {one_in(6, "no id")} THEN NULL WHEN {one_in(90, "bad id")} THEN {digits(11, "id")}
                     ELSE {digits(12, "id")} END AS so_cccd,
                CASE WHEN {one_in(5, "no phone")} THEN NULL WHEN {one_in(150, "bad phone")} THEN '84' || {digits(9, "p")}
                     ELSE '0' || {digits(9, "p")} END AS dien_thoai,
                CASE WHEN {one_in(12, "no card")} THEN NULL WHEN {one_in(150, "bad card")} THEN 'GD9' || {digits(12, "card")}
                     ELSE 'GD4' || {digits(12, "card")} END AS ma_the_bhyt,
                CASE WHEN {one_in(3000, "facility")} THEN 'X' ELSE '' END || (10000 + f)::VARCHAR AS ma_cskcb,
                CASE WHEN {one_in(250, "province")} THEN '77' ELSE {provinces}[{pick(34, "pr")} + 1] END AS matinh_cu_tru,
                CASE WHEN {one_in(500, "sex")} THEN '9' ELSE (1 + {pick(2, "s")})::VARCHAR END AS gioi_tinh,
                CASE WHEN {one_in(700, "kind")} THEN '0' ELSE {kinds}[{pick(10, "k")} + 1] END AS ma_loai_kcb,
                CASE WHEN {one_in(700, "sponsor")} THEN '7' ELSE {sponsors}[{pick(6, "sp")} + 1] END AS ma_doituong_kcb,
                CASE WHEN {one_in(1000, "no birth")} THEN NULL WHEN {one_in(1000, "birth")} THEN DATE '2026-08-01'
                     ELSE DATE '1930-01-01' + {pick(35000, "b")}::INTEGER END AS ngay_sinh,
                CASE WHEN {one_in(4000, "no in")} THEN NULL ELSE came END AS ngay_vao,
                CASE WHEN {one_in(300, "out")} THEN came - INTERVAL 1 DAY ELSE came + to_hours(hours) END AS ngay_ra,
                CASE WHEN {one_in(300, "paid")} THEN came - INTERVAL 2 DAY
                     ELSE came + to_hours(hours) + INTERVAL 20 MINUTE END AS ngay_ttoan,
                CASE WHEN {one_in(300, "no icd")} THEN NULL WHEN {one_in(200, "icd")} THEN 'J189'
                     ELSE chr(65 + ({pick(26, "l")})::INTEGER) || {digits(2, "c")} || '.' || {pick(10, "d")} END AS ma_benh,
                CASE WHEN {one_in(2000, "long")} THEN repeat('Viêm phổi ', 8) ELSE 'Viêm phổi ' || {digits(4, "t")} END AS chan_doan,
                CASE WHEN {one_in(3, "no weight")} THEN NULL WHEN {one_in(600, "weight")} THEN 620
                     ELSE 3 + {pick(100, "w")} END::DECIMAL(18,3) AS can_nang,
                CASE WHEN {one_in(900, "days")} THEN -1 ELSE hours // 24 END AS so_ngay_dtri,
                CASE WHEN {one_in(1500, "total")} THEN -total ELSE total END::DECIMAL(18,3) AS t_tongchi,
                (total * share / 100)::DECIMAL(18,3) AS t_bhtt,
                (CASE WHEN {one_in(400, "sum")} THEN total + 500 ELSE total - (total * share / 100)::DECIMAL(18,3) END)::DECIMAL(18,3) AS t_bntt,
                lpad(to_hex(f), 16, '0') AS _file, (i + 1)::INTEGER AS _row, NULL::INTEGER AS _unit, NULL::BIGINT AS _line,
                DATE '{NIGHT}' AS _night, (10000 + f)::VARCHAR AS _sender, 'exchange' AS _channel, 'bench' AS _source,
                (10000 + f)::VARCHAR AS _facility, NULL::DATE AS _declared_on, NULL::VARCHAR AS _extra,
                NULL::VARCHAR AS _problem, (10000 + f)::VARCHAR || '|' || i AS _key, DATE '{NIGHT}' AS _first_night
            FROM b ORDER BY i
            ) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
            """
        )


# -- by hand -----------------------------------------------------------------------------------------


def by_hand(rule: str, kind: str, p: dict[str, Any]) -> str:
    """TRUE where the row fails; what somebody who knows DuckDB would write."""
    column = p.get("field", "")
    match kind:
        case "required":
            return f"{column} IS NULL"
        case "pattern":
            return f"NOT regexp_full_match({column}, '{p['matches']}')"
        case "in_set" if len(p["values"]) > 8:
            return (
                "NOT list_contains([" + ", ".join(f"'{v}'" for v in p["values"]) + f"], {column})"
            )
        case "in_set":
            return f"{column} NOT IN (" + ", ".join(f"'{v}'" for v in p["values"]) + ")"
        case "between" if "-" in p["low"]:
            return f"{column} NOT BETWEEN DATE '{p['low']}' AND DATE '{p['high']}'"
        case "between":
            return f"{column} NOT BETWEEN {p['low']} AND {p['high']}"
        case "not_after" if p["field"] == "ngay_sinh":
            return f"{column} > CAST({p['other']} AS DATE)"
        case "not_after":
            return f"{column} > {p['other']}"
        case "lengths":
            return f"length(chan_doan) > {LONGEST}"
        case "expression":
            return f"NOT ({p['holds']})"
        case "unique":
            return "ma_lk IN (FROM doubles)"
    raise ValueError(rule)


def asked_by_hand(kind: str, p: dict[str, Any]) -> str:
    """What count() has to count to know how many rows were asked."""
    match kind:
        case "required" | "lengths":
            return "*"
        case "not_after":
            return f"CASE WHEN {p['field']} IS NOT NULL THEN {p['other']} END"
        case "expression":
            return "t_tongchi - t_bhtt - t_bntt"
        case "unique":
            return "ma_lk"
    return str(p["field"])


def measure_duckdb(data: Path, out: Path) -> Callable[[], dict[str, int]]:
    import duckdb

    def work() -> dict[str, int]:
        con = duckdb.connect(str(out / "hand.duckdb"), config={"threads": 2})
        con.execute(f"CREATE VIEW enc AS FROM '{data}'")
        con.execute(
            "CREATE TEMP TABLE doubles AS SELECT ma_lk FROM enc WHERE ma_lk IS NOT NULL"
            " GROUP BY ma_lk HAVING count(*) > 1"
        )
        fails = ", ".join(f"coalesce({by_hand(*r)}, false) AS {r[0]}" for r in RULES)
        any_fails = " OR ".join(r[0] for r in RULES)
        listed = ", ".join(f"CASE WHEN {r[0]} THEN '{r[0]}' END" for r in RULES)
        con.execute(
            f"COPY (SELECT _file, _row, _key, _facility, list_filter([{listed}], lambda x: x IS NOT NULL) AS rules"
            f" FROM (SELECT *, {fails} FROM enc) WHERE {any_fails}) TO '{out}/rows.parquet' (COMPRESSION zstd)"
        )
        rules = "[" + ", ".join(f"'{r[0]}'" for r in RULES) + "]"
        asked = "[" + ", ".join(f"count({asked_by_hand(*r[1:])})" for r in RULES) + "]"
        con.execute(
            f"COPY (WITH f AS (SELECT _facility, rule, count(*) AS failed FROM (SELECT _facility, unnest(rules) AS rule"
            f" FROM '{out}/rows.parquet') GROUP BY ALL), a AS (SELECT _facility, unnest({rules}) AS rule, unnest(n) AS tested"
            f" FROM (SELECT _facility, {asked} AS n FROM enc GROUP BY ALL))"
            f" SELECT _facility, rule, tested, coalesce(failed, 0) AS failed FROM a LEFT JOIN f USING (_facility, rule)"
            f" ORDER BY ALL) TO '{out}/counts.parquet' (COMPRESSION zstd)"
        )
        return dict(
            con.execute(
                f"SELECT rule, sum(failed)::BIGINT FROM '{out}/counts.parquet' GROUP BY 1 ORDER BY 1"
            ).fetchall()
        )

    return work


# -- ours --------------------------------------------------------------------------------------------


def bench_project() -> Any:
    """The house's project with one database of one table, and the 24 rules on it."""
    from dataclasses import replace

    from datasach.spec.contract import Database, Table
    from datasach.spec.project import load_project
    from datasach.spec.rule import Rule

    words = {"vi": "…", "en": "…"}
    fields = [
        {
            "name": name,
            "type": kind,
            "title": words,
            "max_length": LONGEST if name == "chan_doan" else None,
        }
        for name, (kind, _) in FIELDS.items()
    ]
    database, name = TABLE.split(".")
    table = Table.model_validate(
        {"title": words, "database": database, "name": name, "key": ["ma_lk"], "facility": "ma_cskcb",
         "event": "ngay_ra", "fields": fields}
    )  # fmt: skip
    bench = Database.model_validate(
        {"id": database, "number": 1, "title": words, "owner": words, "target_year": 2026, "evidence": "…",
         "basis": "…", "freshness_hours": 24, "tables": {name: table.model_dump()}}
    )  # fmt: skip
    example = {"good": {"row": {}}, "bad": {"row": {}}}
    rules = tuple(
        Rule.model_validate(
            {"id": rule, "table": TABLE, "says": "…", "vi": "…", "fix": words, "kind": kind, "parameters": parameters,
             "when": None, "dimension": "conformity", "severity": "flag", "tolerance": 0.0, "because": "…",
             "confidence": "high", "vintages": [], "valid_from": None, "valid_to": None, "examples": example,
             "file": "benchmarks/validate.py", "line": 1}
        )
        for rule, kind, parameters in RULES
    )  # fmt: skip
    return replace(load_project(ROOT), databases={database: bench}, rules=rules)


def measure_datasach(data: Path, out: Path) -> Callable[[], dict[str, int]]:
    from datasach.settings import Resources
    from datasach.store.layout import Layout
    from datasach.store.warehouse import Warehouse, sql_name
    from datasach.validate.validate import evaluate

    project = bench_project()
    layout = Layout(out)
    shutil.copy(data, layout.state / "enc.parquet")

    def work() -> dict[str, int]:
        warehouse = Warehouse(layout, Resources(workers=2, memory_mb=1024))
        warehouse.execute(
            f"CREATE VIEW current.{sql_name(TABLE)} AS FROM '{layout.state / 'enc.parquet'}'"
        )
        not_run = evaluate(warehouse, project)
        if not_run:
            raise RuntimeError(str(not_run))
        warehouse.write_parquet("FROM checks.findings", out / "rows.parquet")
        warehouse.write_parquet("FROM checks.metrics", out / "counts.parquet")
        return dict(
            warehouse.rows(
                "SELECT rule, sum(failed)::BIGINT FROM checks.metrics WHERE failed > 0 GROUP BY 1 ORDER BY 1"
            )
        )

    return work


# -- peers -------------------------------------------------------------------------------------------


def measure_pandera(data: Path, out: Path) -> Callable[[], dict[str, int]]:
    import pandera.polars as pa
    import polars as pl

    def checks_of(name: str) -> list[Any]:
        found = []
        for rule, kind, p in RULES:
            if p.get("field") != name:
                continue
            if kind == "pattern":
                found.append(pa.Check.str_matches(f"^(?:{p['matches']})$", name=rule))
            elif kind == "in_set":
                found.append(pa.Check.isin(p["values"], name=rule))
            elif kind == "between":
                found.append(pa.Check.in_range(*bounds(p), name=rule))
        if name == "chan_doan":
            found.append(pa.Check.str_length(max_value=LONGEST, name="R22"))
        return found

    def of_frame(rule: str, expression: pl.Expr) -> Any:
        return pa.Check(lambda data: data.lazyframe.select(expression.fill_null(True)), name=rule)

    rows = [
        of_frame(rule, pl.col(p["field"]).cast(pl.Datetime("us")) <= pl.col(p["other"]))
        for rule, kind, p in RULES
        if kind == "not_after"
    ]
    rows.append(
        of_frame("R23", (pl.col("t_tongchi") - pl.col("t_bhtt") - pl.col("t_bntt")).abs() <= 1)
    )
    required = {p["field"] for _, kind, p in RULES if kind == "required"}
    schema = pa.DataFrameSchema(
        {
            name: pa.Column(
                checks=checks_of(name), nullable=name not in required, unique=name == "ma_lk"
            )
            for name in FIELDS
        },
        checks=rows,
    )

    def work() -> dict[str, int]:
        frame = pl.read_parquet(data, columns=list(FIELDS))
        try:
            schema.validate(frame, lazy=True)
            return {}
        except pa.errors.SchemaErrors as error:
            cases = error.failure_cases
        cases.write_parquet(out / "rows.parquet")
        # Failure cases name a check by its text: the column tells which of ours it is.
        nulls = {p["field"]: rule for rule, kind, p in RULES if kind == "required"}
        values = {
            p["field"]: rule for rule, kind, p in RULES if kind in ("pattern", "in_set", "between")
        }
        counts: dict[str, int] = {}
        for check, column, count in cases.group_by("check", "column").len().rows():
            if check == "not_nullable":
                rule = nulls[column]
            elif check == "field_uniqueness":
                rule = "R24"
            elif check in dict.fromkeys(r[0] for r in RULES):
                rule = check
            else:
                rule = values.get(column, "R22")
            counts[rule] = counts.get(rule, 0) + count
        return dict(sorted(counts.items()))

    return work


def measure_pointblank(data: Path, out: Path) -> Callable[[], dict[str, int]]:
    import pointblank as pb
    import polars as pl

    def work() -> dict[str, int]:
        frame = pl.read_parquet(data, columns=list(FIELDS))
        v = pb.Validate(frame)
        for _, kind, p in RULES:
            column = p.get("field", "")
            match kind:
                case "required":
                    v = v.col_vals_not_null(column)
                case "pattern":
                    v = v.col_vals_regex(column, f"^(?:{p['matches']})$", na_pass=True)
                case "in_set":
                    v = v.col_vals_in_set(column, [*p["values"], None])
                case "between":
                    v = v.col_vals_between(column, *bounds(p), na_pass=True)
                case "not_after":
                    day = pl.col(column).cast(pl.Datetime("us"))
                    v = v.col_vals_expr((day <= pl.col(p["other"])).fill_null(True))
                case "lengths":
                    v = v.col_vals_expr(
                        (pl.col("chan_doan").str.len_chars() <= LONGEST).fill_null(True)
                    )
                case "expression":
                    off = pl.col("t_tongchi") - pl.col("t_bhtt") - pl.col("t_bntt")
                    v = v.col_vals_expr((off.abs() <= 1).fill_null(True))
                case "unique":
                    v = v.rows_distinct(columns_subset=["ma_lk"])
        done = v.interrogate(get_first_n=500)
        failed = done.n_failed()
        for step in range(1, len(RULES) + 1):
            if failed[step]:
                extract = done.get_data_extracts(i=step, frame=True)
                if extract is not None:
                    extract.write_parquet(out / f"{step}.parquet")
        return {rule[0]: int(failed[i]) for i, rule in enumerate(RULES, 1) if failed[i]}

    return work


def measure_gx(data: Path, out: Path) -> Callable[[], dict[str, int]]:
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    import great_expectations as gx
    import great_expectations.expectations as gxe
    import pandas as pd
    import pyarrow.parquet as pq

    def expectation(rule: str, kind: str, p: dict[str, Any]) -> Any:
        meta = {"rule": rule}
        column = p.get("field", "")
        match kind:
            case "required":
                return gxe.ExpectColumnValuesToNotBeNull(column=column, meta=meta)
            case "pattern":
                return gxe.ExpectColumnValuesToMatchRegex(
                    column=column, regex=f"^(?:{p['matches']})$", meta=meta
                )
            case "in_set":
                return gxe.ExpectColumnValuesToBeInSet(
                    column=column, value_set=p["values"], meta=meta
                )
            case "between":
                low, high = (
                    pd.Timestamp(p[b]) if "-" in p["low"] else float(p[b]) for b in ("low", "high")
                )
                return gxe.ExpectColumnValuesToBeBetween(
                    column=column, min_value=low, max_value=high, meta=meta
                )
            case "not_after":
                return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                    column_A=p["other"],
                    column_B=column,
                    or_equal=True,
                    ignore_row_if="either_value_is_missing",
                    meta=meta,
                )
            case "lengths":
                return gxe.ExpectColumnValueLengthsToBeBetween(
                    column="chan_doan", max_value=LONGEST, meta=meta
                )
            case "expression":
                return gxe.ExpectColumnValuesToBeBetween(
                    column="_off", min_value=-1, max_value=1, meta=meta
                )
            case "unique":
                return gxe.ExpectColumnValuesToBeUnique(column="ma_lk", meta=meta)
        raise ValueError(kind)

    def work() -> dict[str, int]:
        frame = pq.read_table(data, columns=list(FIELDS)).to_pandas()
        for name, (kind, _) in FIELDS.items():
            if kind == "decimal":
                frame[name] = frame[name].astype("float64")
        frame["ngay_sinh"] = pd.to_datetime(frame["ngay_sinh"])
        frame["_off"] = frame["t_tongchi"] - frame["t_bhtt"] - frame["t_bntt"]
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        batch = (
            context.data_sources.add_pandas("p")
            .add_dataframe_asset("a")
            .add_batch_definition_whole_dataframe("b")
        )
        suite = context.suites.add(
            gx.ExpectationSuite("s", expectations=[expectation(*r) for r in RULES])
        )
        definition = context.validation_definitions.add(
            gx.ValidationDefinition(data=batch, suite=suite, name="v")
        )
        results = definition.run(batch_parameters={"dataframe": frame}, result_format="SUMMARY")
        (out / "result.json").write_text(str(results), "utf-8")
        return {
            r.expectation_config.meta["rule"]: int(r.result["unexpected_count"])
            for r in results.results
            if r.result.get("unexpected_count")
        }

    return work


def bounds(p: dict[str, Any]) -> tuple[Any, Any]:
    from datetime import date

    if "-" in p["low"]:
        return date.fromisoformat(p["low"]), date.fromisoformat(p["high"])
    if p["field"] == "so_ngay_dtri":
        return int(p["low"]), int(p["high"])
    return float(p["low"]), float(p["high"])


# -- measuring ---------------------------------------------------------------------------------------

MEASURES = {
    "duckdb": measure_duckdb, "datasach": measure_datasach, "pandera": measure_pandera,
    "pointblank": measure_pointblank, "gx": measure_gx,
}  # fmt: skip


def once(name: str, data: Path, out: Path) -> dict[str, Any]:
    """Measure in this process: CPU of the imports, CPU of the work, the peak of all."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    before = time.process_time()
    work = MEASURES[name](data, out)
    ready, wall = time.process_time(), time.perf_counter()
    counts = work()
    return {
        "import": ready - before, "cpu": time.process_time() - ready, "wall": time.perf_counter() - wall,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "counts": counts,
    }  # fmt: skip


def same_results(hand: Path, ours: Path) -> None:
    """Every failing row with its rules, and every count by facility, are the same by hand and by us."""
    import duckdb

    pairs = {
        "rows": (
            f"SELECT _file, _row, _key, _facility, unnest(rules) AS rule FROM '{hand}/rows.parquet'",
            f"SELECT _file, _row, _key, facility, rule FROM '{ours}/rows.parquet'",
        ),
        "counts": (
            f"SELECT _facility, rule, tested, failed FROM '{hand}/counts.parquet'",
            f"SELECT facility, rule, tested, failed FROM '{ours}/counts.parquet'",
        ),
    }
    for what, (a, b) in pairs.items():
        for left, right in ((a, b), (b, a)):
            off = duckdb.sql(f"SELECT count(*) FROM (({left}) EXCEPT ALL ({right}))").fetchone()
            if off != (0,):
                raise SystemExit(f"{what}: by hand and datasach differ in {off}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument(
        "--repeat",
        type=int,
        default=3,
        help="of the two of ours and the Polars peers; gx runs once",
    )
    parser.add_argument(
        "--peers", help="Python of an environment with pandera[polars] and pointblank"
    )
    parser.add_argument("--only", nargs="*", default=list(MEASURES), choices=list(MEASURES))
    parser.add_argument(
        "--one", nargs=3, metavar=("MEASURE", "DATA", "OUT"), help=argparse.SUPPRESS
    )
    args = parser.parse_args()
    if args.one:
        name, data, out = args.one
        print(json.dumps(once(name, Path(data), Path(out))))
        return
    scratch = Path(tempfile.mkdtemp(prefix="datasach-benchmark-"))
    try:
        data = scratch / "encounters.parquet"
        # A process of its own: a peak is inherited by what is started from here.
        subprocess.run(
            [
                sys.executable,
                "-c",
                f"import runpy; from pathlib import Path; runpy.run_path({__file__!r})['build'](Path({str(data)!r}), {args.rows})",
            ],
            check=True,
        )
        print(
            f"{args.rows:,} rows, {len(RULES)} rules, Parquet of {data.stat().st_size / 2**20:.0f} MB"
        )
        print(
            f"{'':11}{'import':>8}{'CPU-s':>8}{'wall s':>8}{'peak MB':>9}{'failures':>10}  against by hand"
        )
        by_hand_counts: dict[str, int] = {}
        for name in args.only:
            python = args.peers if name in ("pandera", "pointblank") else sys.executable
            if python is None:
                continue
            command = [python, __file__, "--one", name, str(data), str(scratch / name)]
            found = []
            for _ in range(1 if name == "gx" else args.repeat):
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    raise SystemExit(f"{name}: {done.stderr[-2000:]}")
                found.append(json.loads(done.stdout.splitlines()[-1]))
            best = min(found, key=lambda one: float(one["cpu"]))
            if name == "duckdb":
                by_hand_counts = best["counts"]
            other = [
                f"{rule} {best['counts'].get(rule, 0):,} for {n:,}"
                for rule, n in by_hand_counts.items()
                if best["counts"].get(rule, 0) != n
            ]
            print(
                f"{name:11}{best['import']:8.1f}{best['cpu']:8.2f}{best['wall']:8.1f}{best['peak_mb']:9.0f}"
                f"{sum(best['counts'].values()):10,}  {', '.join(other) or 'the same'}",
                flush=True,
            )
        if (scratch / "duckdb").exists() and (scratch / "datasach").exists():
            same_results(scratch / "duckdb", scratch / "datasach")
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
