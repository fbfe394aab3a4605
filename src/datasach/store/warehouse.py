"""DuckDB over the parts of a warehouse: the private scratch of one run.

A layer is a schema, a table `kcb_emr.visit` is `standard.kcb_emr__visit`. Views read only parts whose
batch stands in the ledger, so what a crash left behind is never seen. Everything others read is
Parquet; nothing here outlives the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from datasach.settings import Resources
from datasach.spec.contract import Table
from datasach.spec.project import Project
from datasach.store import faults
from datasach.store.layout import Layout
from datasach.store.ledger import Ledger

LAYERS = ("standard", "recon", "current", "link", "golden", "checks")

IDENTITY_COLUMNS: tuple[tuple[str, str], ...] = (
    ("full_name", "VARCHAR"),
    ("name_folded", "VARCHAR"),
    ("name_note", "VARCHAR"),
    ("is_placeholder_name", "BOOLEAN"),
    ("born_on", "DATE"),
    ("birth_year", "INTEGER"),
    ("birth_precision", "VARCHAR"),
    ("sex", "VARCHAR"),
    ("identifier", "VARCHAR"),
    ("identifier_kind", "VARCHAR"),
    ("citizen_id", "VARCHAR"),
    ("insurance_number", "VARCHAR"),
    ("insurance_card", "VARCHAR"),
    ("phone", "VARCHAR"),
    ("province_code", "VARCHAR"),
    ("province_vintage", "VARCHAR"),
    ("commune_code", "VARCHAR"),
    ("commune_vintage", "VARCHAR"),
    ("patient_code", "VARCHAR"),
    ("mother_name_folded", "VARCHAR"),
    ("mother_citizen_id", "VARCHAR"),
)
PROVENANCE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("_file", "VARCHAR"),
    ("_row", "INTEGER"),
    ("_unit", "INTEGER"),
    ("_line", "BIGINT"),
    ("_night", "DATE"),
    ("_sender", "VARCHAR"),
    ("_channel", "VARCHAR"),
    ("_source", "VARCHAR"),
    ("_facility", "VARCHAR"),
    ("_declared_on", "DATE"),
    ("_extra", "VARCHAR"),
    ("_problem", "VARCHAR"),
)


def standard_columns(table: Table) -> list[tuple[str, str]]:
    """Name and DuckDB type of every column of a standard table, in order."""
    fields = [(field.name, field.sql_type) for field in table.fields]
    identity = list(IDENTITY_COLUMNS) if table.identity else []
    return [*fields, *identity, *PROVENANCE_COLUMNS]


def sql_name(table_id: str) -> str:
    """`kcb_emr.visit` → `kcb_emr__visit`."""
    return table_id.replace(".", "__")


def sql_text(value: object) -> str:
    """What stands between the quotes of a SQL string."""
    return str(value).replace("'", "''")


def sql_texts(values: Iterable[object]) -> str:
    """What stands between the brackets of IN: with no value, the empty text (IN () is no SQL, and NOT IN (NULL)
    is never true).

    >>> sql_texts(["a", "o'b"])
    "'a', 'o''b'"
    """
    return ", ".join(f"'{sql_text(value)}'" for value in values) or "''"


class Warehouse:
    """One DuckDB connection over a warehouse folder."""

    def __init__(self, layout: Layout, resources: Resources) -> None:
        self.layout = layout
        # On a small night threads cost more in waiting for each other than they save.
        self.threads = resources.threads if _bytes(layout) > SMALL_NIGHT else 1
        self.scratch = layout.scratch(f"duckdb-{id(self)}")
        # A file, so that a nation's rows need not fit in memory; it is gone with the run.
        self.con = duckdb.connect(
            str(self.scratch / "night.duckdb"),
            config={
                "threads": self.threads,
                "memory_limit": f"{resources.memory_mb}MB",
                "temp_directory": str(self.scratch),
                "preserve_insertion_order": True,
                "checkpoint_threshold": "1TB",
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_community_extensions": False,
            },
        )
        # Rules hold SQL that people write. The parser refuses all but expressions (validate.sandbox);
        # this is the wall behind it: no file outside the warehouse, no attached database, no setting.
        root = str(layout.root).replace("'", "''")
        self.con.execute(f"SET allowed_directories = ['{root}']")
        self.con.execute("SET enable_external_access = false")
        # Nothing in the file outlives the run: writing it out once more at the end would be for nobody.
        self.con.execute("PRAGMA disable_checkpoint_on_shutdown")
        for layer in LAYERS:
            self.con.execute(f"CREATE SCHEMA {layer}")
        self.con.execute("SET lock_configuration = true")

    def close(self) -> None:
        self.con.close()
        import shutil

        shutil.rmtree(self.scratch, ignore_errors=True)

    def execute(self, sql: str, parameters: Sequence[Any] | None = None) -> None:
        self.con.execute(sql, parameters)

    def frame(self, sql: str) -> pl.DataFrame:
        frame: pl.DataFrame = self.con.sql(sql).pl()
        return frame

    def value(self, sql: str) -> Any:
        row = self.con.execute(sql).fetchone()
        return row[0] if row else None

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return list(self.con.execute(sql).fetchall())

    def put(self, name: str, frame: pl.DataFrame) -> None:
        """Make `frame` the table `name` (schema.table)."""
        self.con.register("incoming_frame", frame)
        self.con.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM incoming_frame")
        self.con.unregister("incoming_frame")

    def append(self, name: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        """Add rows to a table, by column names."""
        if not rows:
            return
        self.con.register(
            "incoming_frame",
            pl.DataFrame(rows, schema=list(columns), orient="row", infer_schema_length=None),
        )
        listed = ", ".join(columns)
        self.con.execute(f"INSERT INTO {name} ({listed}) SELECT {listed} FROM incoming_frame")
        self.con.unregister("incoming_frame")

    def write_parquet(self, sql: str, path: Path) -> int:
        """Write a query's rows, in its order, to one file; returns how many there were."""
        path.parent.mkdir(parents=True, exist_ok=True)
        faults.point("parquet.write")
        target = str(path).replace("'", "''")
        done = self.con.execute(
            f"COPY ({sql}) TO '{target}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
        ).fetchone()
        return int(done[0]) if done else 0


def open_standard(warehouse: Warehouse, project: Project, ledger: Ledger) -> None:
    """Make a view for every standard table, for units, rejects and changes, and a table of the files.

    A table no batch has rows for is an empty view with its columns.
    """
    layout = warehouse.layout
    batches = ledger.batches("standard")
    for table in project.tables.values():
        columns = standard_columns(table)
        paths = [p for b in batches if (p := layout.part("standard", table.id, b)).exists()]
        _view(warehouse, f"standard.{sql_name(table.id)}", paths, columns)
    for layer, columns in SIDE_LAYERS.items():
        paths = [p for b in batches if (p := layout.part(layer, layer, b)).exists()]
        _view(warehouse, f"standard.{layer}", paths, columns)
    warehouse.put("standard.files", _files(ledger))
    for name, (sql, schema) in _LEDGER_TABLES.items():
        kinds = {
            c: pl.Int64 if kind in ("BIGINT", "BOOLEAN") else pl.String
            for c, kind in schema.items()
        }
        frame = ledger.frame(sql, kinds)
        typed = ", ".join(
            f'CAST("{column}" AS {kind}) AS "{column}"' for column, kind in schema.items()
        )
        warehouse.put("standard.as_text", frame)
        warehouse.execute(
            f"CREATE OR REPLACE TABLE standard.{name} AS SELECT {typed} FROM standard.as_text"
        )
    warehouse.execute("DROP TABLE standard.as_text")


_FILE_COLUMNS = (
    "_file", "offer", "night", "sender", "source", "channel", "facility", "declared_on", "vintage",
    "signature", "state", "code", "notes", "units_said", "units_read",
)  # fmt: skip


def _files(ledger: Ledger) -> pl.DataFrame:
    """The ledger's contents, one row each, with real dates."""
    numbers = dict.fromkeys(("offer", "units_said", "units_read"), pl.Int64)
    frame = ledger.frame(
        "SELECT file, offer, night, sender, source, channel, facility, declared_on,"
        " vintage, signature, state, code, notes, units_said, units_read FROM files",
        dict.fromkeys(_FILE_COLUMNS, pl.String) | numbers,
    )
    return frame.with_columns(pl.col("night", "declared_on").str.to_date("%Y-%m-%d", strict=False))


_LEDGER_TABLES: dict[str, tuple[str, dict[str, str]]] = {
    "offers": (
        "SELECT offer, night, sender, state, code, duplicate_of FROM offers",
        {"offer": "BIGINT", "night": "DATE", "sender": "VARCHAR", "state": "VARCHAR", "code": "VARCHAR",
         "duplicate_of": "BIGINT"},
    ),
    "counts": (
        "SELECT file, table_id, read, rejected FROM counts",
        {"_file": "VARCHAR", "table_id": "VARCHAR", "read": "BIGINT", "rejected": "BIGINT"},
    ),
    # UTC, cut to the second. A run is over when another has begun: two never hold a warehouse.
    "runs": (
        "SELECT r.run, outcome, snapshot, substr(started_at, 1, 19), substr(ended_at, 1, 19),"
        " (SELECT substr(max(at), 1, 19) FROM events e WHERE e.run = r.run AND e.state = 'VALIDATED'),"
        " run < (SELECT max(run) FROM runs) FROM runs r",
        {"run": "VARCHAR", "outcome": "VARCHAR", "snapshot": "VARCHAR", "began": "TIMESTAMP", "ended": "TIMESTAMP",
         "judged": "TIMESTAMP", "is_over": "BOOLEAN"},
    ),
}  # fmt: skip
"""What the ledger knows besides files, as tables of `standard`: (its query, columns with their types)."""


SIDE_LAYERS: dict[str, list[tuple[str, str]]] = {
    "units": [
        ("_file", "VARCHAR"), ("_unit", "INTEGER"), ("facility", "VARCHAR"), ("ma_lk", "VARCHAR"),
        ("kind", "VARCHAR"), ("parts", "VARCHAR"), ("vintage", "VARCHAR"), ("problems", "VARCHAR"),
    ],
    "rejects": [
        ("_file", "VARCHAR"), ("table_id", "VARCHAR"), ("_unit", "INTEGER"), ("_line", "BIGINT"),
        ("rows", "INTEGER"), ("code", "VARCHAR"),
    ],
    "changes": [
        ("_file", "VARCHAR"), ("table_id", "VARCHAR"), ("_row", "INTEGER"), ("field", "VARCHAR"),
        ("reason", "VARCHAR"), ("source_value", "VARCHAR"), ("new_value", "VARCHAR"),
    ],
}  # fmt: skip


SMALL_NIGHT = 64 * 2**20
"""Bytes of standard parts and landed files up to which one thread serves."""


def _bytes(layout: Layout) -> int:
    parts = (layout.state / "standard").rglob("*.parquet")
    return sum(
        path.stat().st_size for path in (*parts, *layout.landing.rglob("*")) if path.is_file()
    )


def _view(
    warehouse: Warehouse, name: str, paths: list[Path], columns: list[tuple[str, str]]
) -> None:
    select = ", ".join(f'CAST("{column}" AS {kind}) AS "{column}"' for column, kind in columns)
    if paths:
        listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
        source = f"read_parquet([{listed}], union_by_name = true)"
        warehouse.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT {select} FROM {source}")
    else:
        nothing = ", ".join(f'CAST(NULL AS {kind}) AS "{column}"' for column, kind in columns)
        warehouse.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT {nothing} WHERE false")
