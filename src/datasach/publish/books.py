"""The books: for every content and table, what was read equals what became of it.

    read = accepted + quarantined + rejected + superseded + duplicate

Each side is counted from another place: `read` and `rejected` by the reader, `accepted` from the Parquet
that was staged for publication, the rest from the versions and the holds. A difference is a broken
invariant and stops the run.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from datasach.errors import DatasachError
from datasach.spec.project import Project
from datasach.store.ledger import Ledger
from datasach.store.warehouse import Warehouse, sql_name


class BooksDoNotBalance(DatasachError):
    """Rows were lost or counted twice between reading and publishing: a bug of ours."""

    exit_code = 1


def keep_books(
    warehouse: Warehouse, project: Project, ledger: Ledger, staged: dict[str, Path]
) -> None:
    """Reads   the ledger's counts, recon.*, checks.held, the staged Parquet
    Writes  checks.books  _file, table_id, read, rejected, duplicate, superseded, quarantined, accepted
    Raises  BooksDoNotBalance, naming tables and counts.
    """
    warehouse.put(
        "checks.read_counts",
        ledger.frame(
            "SELECT file, table_id, read, rejected FROM counts",
            {"_file": pl.String, "table_id": pl.String, "read": pl.Int64, "rejected": pl.Int64},
        ),
    )
    fates = []
    for table in project.tables.values():
        name = sql_name(table.id)
        by = "_file, _unit" if table.is_enveloped else "_file, _row"
        fates.append(
            f"SELECT s._file, '{table.id}' AS table_id, r.fate, count(*) AS n FROM standard.{name} s"
            f" JOIN recon.{name} r USING ({by}) GROUP BY ALL"
        )
        path = staged.get(table.id)
        if path is not None:
            fates.append(
                f"SELECT _file, '{table.id}', 'accepted', count(*) FROM read_parquet('{path}') GROUP BY ALL"
            )
    fates.append("SELECT _file, table_id, 'quarantined', count(*) FROM checks.held GROUP BY ALL")
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE checks.books AS
        WITH fates AS ({" UNION ALL ".join(fates)}),
        counted AS (
            SELECT _file, table_id, {_sums()} FROM fates GROUP BY _file, table_id)
        SELECT _file, table_id, coalesce(read, 0) AS read, coalesce(rejected, 0) AS rejected,
               coalesce(duplicate, 0) AS duplicate, coalesce(superseded, 0) AS superseded,
               coalesce(quarantined, 0) AS quarantined, coalesce(accepted, 0) AS accepted
        FROM checks.read_counts FULL JOIN counted USING (_file, table_id)
        ORDER BY _file, table_id
        """
    )
    off = warehouse.rows(
        "SELECT table_id, sum(read), sum(accepted), sum(quarantined), sum(rejected), sum(superseded), sum(duplicate)"
        " FROM checks.books WHERE read <> accepted + quarantined + rejected + superseded + duplicate"
        " GROUP BY table_id ORDER BY table_id"
    )
    if off:
        lines = "; ".join(
            f"{t}: read {r}, accepted {a}, quarantined {q}, rejected {x}, superseded {s}, duplicate {d}"
            for t, r, a, q, x, s, d in off
        )
        raise BooksDoNotBalance(f"the books do not balance: {lines}")


def _sums() -> str:
    return ", ".join(
        f"sum(n) FILTER (fate = '{fate}') AS {fate}"
        for fate in ("duplicate", "superseded", "quarantined", "accepted")
    )
