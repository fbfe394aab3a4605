"""The night's results beside the data: what `explain`, the report and tomorrow's run look things up in.

Keys, rules and counts, never a value of a person.
"""

from __future__ import annotations

from pathlib import Path

from datasach.spec.project import Project
from datasach.store.layout import put_folder
from datasach.store.warehouse import Warehouse, sql_name

TABLES = (
    "checks.findings", "checks.held", "checks.metrics", "checks.metrics_by_channel", "checks.books", "checks.scores",
    "checks.facilities", "checks.priority", "checks.lateness", "recon.units",
    "recon.channel_visits", "recon.corrections", "recon.channel_fields", "link.record_persons", "link.unit_persons",
    "link.review", "link.refused",
)  # fmt: skip


CHANGE_COUNTS = """
    SELECT table_id, field, reason, f.sender, f.channel, count(*) AS changes
    FROM standard.changes c JOIN standard.files f USING (_file) GROUP BY ALL ORDER BY ALL"""
"""How often which field of whom was changed, and why."""


def keep_results(warehouse: Warehouse, project: Project) -> Path:
    """Writes state/results/<table>.parquet for TABLES and `row_fates`; the whole folder is swapped at once."""
    side = warehouse.layout.scratch("results")
    for table in TABLES:
        warehouse.write_parquet(f"SELECT * FROM {table}", side / f"{table}.parquet")
    warehouse.write_parquet(_row_fates(project), side / "row_fates.parquet")
    warehouse.write_parquet(CHANGE_COUNTS, side / "change_counts.parquet")
    home = warehouse.layout.state / "results"
    put_folder(side, home)
    return home


def _row_fates(project: Project) -> str:
    """Rows that are not current, with why. Rows of envelopes are named by their unit."""
    return " UNION ALL ".join(
        f"SELECT '{t.id}' AS table_id, _file, {'_unit' if t.is_enveloped else 'NULL::INTEGER'} AS _unit,"
        f" {'NULL::INTEGER' if t.is_enveloped else '_row'} AS _row, fate, reason FROM recon.{sql_name(t.id)}"
        for t in project.tables.values()
    )
