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
                came AS ngay_vao,
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
            return "NOT list_contains([" + ", ".join(f"'{v}'" for v in p["values"]) + f"], {column})"
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
        con.execute(
            f"COPY (SELECT _facility, rule, count(*) AS failed FROM (SELECT _facility, unnest(rules) AS rule"
            f" FROM '{out}/rows.parquet') GROUP BY ALL ORDER BY ALL) TO '{out}/counts.parquet'"
        )
        return dict(
            con.execute(f"SELECT rule, sum(failed)::BIGINT FROM '{out}/counts.parquet' GROUP BY 1 ORDER BY 1").fetchall()
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
        {"name": name, "type": kind, "title": words, "max_length": LONGEST if name == "chan_doan" else None}
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
            warehouse.rows("SELECT rule, sum(failed)::BIGINT FROM checks.metrics WHERE failed > 0 GROUP BY 1 ORDER BY 1")
        )

    return work
