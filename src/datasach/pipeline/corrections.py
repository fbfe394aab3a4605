"""Apply declared corrections to the records that count tonight.

A corrected record goes through standardising again, so that its identity block, its rules and its
person follow from the corrected value as if it had been sent. Each correction is applied, unmatched
(no such record), or over (the source now says something else, or its time has passed).
"""

from __future__ import annotations

from datetime import date

import polars as pl

from datasach.spec.correction import Correction
from datasach.spec.project import Project
from datasach.standardise.standardise import FileFacts, standardise_rows
from datasach.store.warehouse import Warehouse, sql_name, standard_columns

OUTCOMES = {
    "correction": pl.String,
    "outcome": pl.String,
    "table_id": pl.String,
    "records": pl.Int64,
}


def apply_corrections(warehouse: Warehouse, project: Project, until: date) -> dict[str, int]:
    """Reads   current.*
    Writes  current.* (the corrected records), recon.corrections  correction, outcome, table_id, records
    Returns how many corrections came to each outcome.
    """
    outcomes = [(one.id, *_apply(warehouse, project, one, until)) for one in project.corrections]
    frame = pl.DataFrame(
        [
            (c, outcome, t.table, n)
            for (c, outcome, n), t in zip(outcomes, project.corrections, strict=True)
        ],
        schema=OUTCOMES,
        orient="row",
    )
    warehouse.put("recon.corrections", frame)
    return dict(frame.group_by("outcome").len().sort("outcome").iter_rows())


def _apply(
    warehouse: Warehouse, project: Project, correction: Correction, until: date
) -> tuple[str, int]:
    name = sql_name(correction.table)
    tests = " AND ".join(f'CAST("{field}" AS VARCHAR) = ?' for field in correction.where)
    values = list(correction.where.values())
    rows = warehouse.con.execute(
        f"SELECT _file, _row FROM current.{name} WHERE {tests}", values
    ).fetchall()
    if not rows:
        return "unmatched", 0
    if until > correction.until:
        return "over", 0
    guard = f'CAST("{correction.field}" AS VARCHAR) IS NOT DISTINCT FROM ?'
    same = warehouse.con.execute(
        f"SELECT count(*) FROM current.{name} WHERE {tests} AND {guard}",
        [*values, correction.expect],
    ).fetchone()
    if same is None or same[0] != len(rows):
        return "over", 0
    for file, row in rows:
        _correct(warehouse, project, correction, str(file), int(row))
    return "applied", len(rows)


def _correct(
    warehouse: Warehouse, project: Project, correction: Correction, file: str, row: int
) -> None:
    """Standardise the record anew with the right value, and put it in the place of the old."""
    table = project.tables[correction.table]
    name = sql_name(table.id)
    here = f"_file = '{file}' AND _row = {row}"
    fields = ", ".join(f'CAST("{field}" AS VARCHAR) AS "{field}"' for field in table.field_names)
    raw = warehouse.frame(
        f"SELECT {fields}, _file, _row, _unit, _line, _extra, _problem FROM current.{name} WHERE {here}"
    ).with_columns(pl.lit(correction.to, pl.String).alias(correction.field))
    night, sender, channel, source, facility, declared = warehouse.rows(
        f"SELECT CAST(_night AS VARCHAR), _sender, _channel, _source, _facility, CAST(_declared_on AS VARCHAR)"
        f" FROM current.{name} WHERE {here}"
    )[0]
    facts = {file: FileFacts(file, night, sender, channel, source, facility, declared)}
    corrected, _ = standardise_rows(project, table, raw, facts)
    warehouse.put("recon.corrected", corrected)
    assignments = ", ".join(f'"{column}" = n."{column}"' for column, _ in standard_columns(table))
    warehouse.execute(
        f"UPDATE current.{name} SET {assignments} FROM recon.corrected n WHERE current.{name}._file = n._file AND current.{name}._row = n._row"
    )
