"""Twenty questions with one answer each. A restored warehouse answers them as the one that was saved.

Answers are hashes and counts over whole tables, never a value of a person. They stand in the manifest
of the backup, so that every restore is a drill.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb

Answers = dict[str, str]

_TABLES = (
    "kcb_emr/visit", "kcb_emr/drug", "kcb_emr/service", "bhyt_claims/claim", "bhyt_claims/claim_drug",
    "ehr_book/book", "ehr_book/consent", "eprescription/prescription", "facilities/facility",
    "practitioners/practitioner", "drugs/drug", "immunization/dose", "births_deaths/birth", "persons/person",
)  # fmt: skip
_LEDGER = {
    "ledger: offers by state": "SELECT state, count(*) FROM offers GROUP BY state ORDER BY state",
    "ledger: contents by hash": "SELECT file, sha256, state FROM files ORDER BY file",
    "ledger: rows read": "SELECT table_id, sum(read), sum(rejected) FROM counts GROUP BY table_id ORDER BY 1",
    "ledger: batches": "SELECT batch, night, layer FROM batches ORDER BY batch",
}


def golden_answers(out: Path) -> Answers:
    """Question → answer. A question about something that is not there is answered "none"."""
    root = out.resolve()
    answers: Answers = {}
    with duckdb.connect() as con:
        for table in _TABLES:
            answers[f"rows of {table}"] = _table(
                con, root / "published/latest" / f"{table}.parquet"
            )
    answers["snapshots and where latest points"] = _or_none(lambda: _snapshots(root / "published"))
    for question, sql in _LEDGER.items():
        answers[question] = _or_none(lambda sql=sql: _ledger(root / "state/ledger.sqlite", sql))  # type: ignore[misc]
    answers["originals by name and size"] = _or_none(lambda: _landing(root / "landing"))
    assert len(answers) == 20
    return answers


def _table(con: duckdb.DuckDBPyConnection, path: Path) -> str:
    if not path.is_file():
        return "none"
    source = "'" + str(path).replace("'", "''") + "'"
    row = con.execute(
        f"SELECT count(*), coalesce(bit_xor(hash(t)), 0), coalesce(sum(hash(t) % 1000003), 0)"
        f" FROM read_parquet({source}) t"
    ).fetchone()
    return "|".join(map(str, row or ()))


def _snapshots(published: Path) -> str:
    names = sorted(p.name for p in published.iterdir() if not p.name.startswith("."))
    return _digest([(published / "latest").resolve().name, *names])


def _ledger(path: Path, sql: str) -> str:
    con = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return _digest(con.execute(sql).fetchall())
    finally:
        con.close()


def _landing(folder: Path) -> str:
    files = sorted((p.name, p.stat().st_size) for p in folder.rglob("*") if p.is_file())
    return _digest(files)


def _digest(rows: object) -> str:
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()[:16]


def _or_none(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except (OSError, sqlite3.Error):
        return "none"
