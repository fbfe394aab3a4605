"""Held records, where people who may see them find them: the rows as standardised, why, and since when.

`quarantine/<database>/<table>.parquet` holds what is held tonight and nothing else: a record leaves it
when it is corrected, and comes back if it is wrong again. It lies beside `published/`, as restricted.
"""

from __future__ import annotations

from datasach.spec.project import Project
from datasach.store.layout import put_folder
from datasach.store.warehouse import Warehouse, sql_name


def keep_quarantine(warehouse: Warehouse, project: Project) -> int:
    """Reads   checks.held, checks.findings, current.*
    Writes  quarantine/<database>/<table>.parquet: the standard columns, `_rules` (all that hold it),
            `_with_parent` (held only because its record is), `_held_since` (night its current version arrived)
    Returns how many rows are held.
    """
    side = warehouse.layout.scratch("quarantine")
    held = 0
    tables = [
        row[0] for row in warehouse.rows("SELECT DISTINCT table_id FROM checks.held ORDER BY 1")
    ]
    for table_id in tables:
        table = project.tables[table_id]
        held += warehouse.write_parquet(
            _rows(table_id), side / table.database / f"{table.name}.parquet"
        )
    home = warehouse.layout.root / "quarantine"
    put_folder(side, home)
    return held


def _rows(table_id: str) -> str:
    return f"""
        SELECT c.* EXCLUDE (_first_night), coalesce(f.rules, h.rule) AS _rules, h.with_parent AS _with_parent,
               c._night AS _held_since
        FROM current.{sql_name(table_id)} c
        JOIN checks.held h ON h.table_id = '{table_id}' AND h._file = c._file AND h._row = c._row
        LEFT JOIN (SELECT _file, _row, string_agg(rule, ';' ORDER BY rule) AS rules FROM checks.findings
                   WHERE table_id = '{table_id}' AND severity = 'quarantine' GROUP BY _file, _row) f
               ON f._file = c._file AND f._row = c._row
        ORDER BY c._key, c._file, c._row"""
