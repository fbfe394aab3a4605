"""Accepted rows → Parquet in a side folder, where the gate looks at them before anybody else can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from datasach.errors import ContractBroken
from datasach.spec.contract import Table
from datasach.spec.project import Project
from datasach.store.landing import sha256_of
from datasach.store.persons import person_join
from datasach.store.warehouse import IDENTITY_COLUMNS, Warehouse, sql_name

PUBLISHED_PROVENANCE = ("_file", "_row", "_night", "_channel", "_facility", "_declared_on")
PERSONS = "persons"
"""The golden records lie beside the databases as if they were one more."""


@dataclass(frozen=True, slots=True)
class StagedTable:
    path: Path
    rows: int
    bytes: int
    sha256: str


@dataclass(slots=True)
class Staged:
    """What is ready to be published, table id → file."""

    folder: Path
    tables: dict[str, StagedTable] = field(default_factory=dict)

    def of(self, database: str) -> dict[str, StagedTable]:
        return {t: s for t, s in self.tables.items() if t.split(".")[0] == database}


def published_columns(table: Table) -> list[str]:
    """Columns of a published table, in order."""
    identity = [name for name, _ in IDENTITY_COLUMNS] if table.identity else []
    return [
        *table.field_names,
        *identity,
        "person_id",
        *PUBLISHED_PROVENANCE,
        "_flags",
        "_held_lines",
    ]


def stage(
    warehouse: Warehouse, project: Project, progress: Callable[[str], None] = lambda _: None
) -> Staged:
    """Reads   current.*, link.*, checks.held, checks.findings
    Writes  a scratch folder with <database>/<table>.parquet, sorted by key, one file per table

    The same rows give the same bytes: order, row groups and compression are fixed, and nothing of the
    run (its id, its time) stands in a row.
    """
    staged = Staged(warehouse.layout.scratch("publish"))
    for table in project.tables.values():
        progress(table.id)
        path = staged.folder / table.database / f"{table.name}.parquet"
        rows = warehouse.write_parquet(accepted_rows(project, table), path)
        _keeps_contract(warehouse, table, path)
        staged.tables[table.id] = _measured(path, rows)
    path = staged.folder / PERSONS / "person.parquet"
    rows = warehouse.write_parquet("SELECT * FROM golden.person ORDER BY person_id", path)
    staged.tables[f"{PERSONS}.person"] = _measured(path, rows)
    # The ids of tonight are what tomorrow starts from: they are published with the data that carry them.
    for name in ("member", "forwarding", "history"):
        path = staged.folder / PERSONS / f"{name}.parquet"
        rows = warehouse.write_parquet(f"SELECT * FROM link.{name} ORDER BY ALL", path)
        staged.tables[f"{PERSONS}.{name}"] = _measured(path, rows)
    return staged


def _keeps_contract(warehouse: Warehouse, table: Table, path: Path) -> None:
    """Raises ContractBroken unless the file has the table's columns in their order."""
    written = [row[0] for row in warehouse.rows(f"DESCRIBE SELECT * FROM read_parquet('{path}')")]
    if written != published_columns(table):
        raise ContractBroken(f"{table.id}: the staged file has other columns than its contract")


def _measured(path: Path, rows: int) -> StagedTable:
    return StagedTable(path, rows, path.stat().st_size, sha256_of(path))


def accepted_rows(project: Project, table: Table) -> str:
    """SELECT of the rows of a table that may be published: current and not held."""
    join, person = person_join(project, table.id, "c")
    columns = []
    for name in published_columns(table):
        if name == "person_id":
            columns.append(f"{person} AS person_id")
        elif name == "_flags":
            columns.append("f.flags AS _flags")
        elif name == "_held_lines":
            columns.append("CAST(coalesce(l.held_lines, 0) AS INTEGER) AS _held_lines")
        else:
            columns.append(f'c."{name}"')
    return f"""
        SELECT {", ".join(columns)} FROM current.{sql_name(table.id)} c {join}
        LEFT JOIN (SELECT _file, _row, string_agg(rule, ';' ORDER BY rule) AS flags FROM checks.findings
                   WHERE table_id = '{table.id}' AND severity <> 'quarantine' GROUP BY _file, _row) f
               ON f._file = c._file AND f._row = c._row
        LEFT JOIN ({_held_lines(project, table)}) l ON l._key = c._key
        ANTI JOIN (SELECT _file, _row FROM checks.held WHERE table_id = '{table.id}') h
               ON h._file = c._file AND h._row = c._row
        ORDER BY c._key, c._file, c._row"""


def _held_lines(project: Project, table: Table) -> str:
    """How many lines of each record are held while the record itself is published."""
    children = [
        t
        for t in project.tables.values()
        if t.database == table.database and t.parent == table.name
    ]
    if not children or not table.is_enveloped:
        return "SELECT NULL::VARCHAR AS _key, 0 AS held_lines WHERE false"
    parts = " UNION ALL ".join(
        f"SELECT c._key FROM current.{sql_name(t.id)} c JOIN checks.held h ON h.table_id = '{t.id}'"
        " AND h._file = c._file AND h._row = c._row"
        for t in children
    )
    return f"SELECT _key, count(*) AS held_lines FROM ({parts}) GROUP BY _key"
