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
    "checks.facilities", "checks.priority", "checks.lateness", "checks.habits", "checks.metrics_by_habit", "recon.units",
    "recon.channel_visits", "recon.corrections", "recon.channel_fields", "link.record_persons", "link.unit_persons",
    "link.review", "link.refused", "link.weight_histogram", "link.passes", "link.cluster_sizes",
)  # fmt: skip
NAMED = {
    "identity_history": "link.history", "identity_changes": "link.identity_changes",
    "identity_forwarding": "link.forwarding", "identity_judgements": "link.judgements",
    "identity_contradictions": "link.contradictions", "identity_review": "link.identity_review",
    "identity_edges": "link.record_edges", "identity_conflicts": "link.id_conflicts",
    "register_match": "link.register_match", "register_reuse": "link.register_reuse",
    "temporary_ids": "link.temporary_ids", "temporary_rates": "link.temporary_rates",
    "encounter_pairs": "link.encounter_pairs", "encounter_counts": "link.encounter_counts",
}  # fmt: skip
"""File → table, where the file's name says more than the table's."""


CHANGE_COUNTS = """
    SELECT table_id, field, reason, f.sender, f.channel, count(*) AS changes
    FROM standard.changes c JOIN standard.files f USING (_file) GROUP BY ALL ORDER BY ALL"""
"""How often which field of whom was changed, and why."""


def keep_results(warehouse: Warehouse, project: Project) -> Path:
    """Writes state/results/<table>.parquet for TABLES and `row_fates`; the whole folder is swapped at once."""
    side = warehouse.layout.scratch("results")
    for table in TABLES:
        warehouse.write_parquet(f"SELECT * FROM {table}", side / f"{table}.parquet")
    for name, table in NAMED.items():
        warehouse.write_parquet(f"SELECT * FROM {table}", side / f"{name}.parquet")
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
