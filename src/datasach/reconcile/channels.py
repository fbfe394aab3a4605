"""The same visit in two channels: what facilities send to Social Insurance and, a second time, to the
coordination system. Recognised by (MA_CSKCB, MA_LK), compared field by field.

States: only_coordination | only_insurance | identical | different.
"""

from __future__ import annotations

from datasach.spec.project import Project
from datasach.store.warehouse import Warehouse, sql_name

VISIT = ("kcb_emr.visit", "bhyt_claims.claim")
LINES = (
    ("drug", "kcb_emr.drug", "bhyt_claims.claim_drug"),
    ("service", "kcb_emr.service", "bhyt_claims.claim_service"),
    ("result", "kcb_emr.result", "bhyt_claims.claim_result"),
)
NOT_COMPARED = frozenset({"stt", "du_phong"})
"""Line numbers and the reserve say nothing about the visit."""


def compare_channels(warehouse: Warehouse, project: Project) -> None:
    """Reads   current.kcb_emr__visit, current.bhyt_claims__claim and their lines
    Writes  recon.channel_visits  facility, ma_lk, state, differing (list of field names, `drug` … for lines)
            recon.channel_fields  facility, field, both (visits in both channels), differing
    """
    here, there = (sql_name(t) for t in VISIT)
    fields = [n for n in project.tables[VISIT[0]].field_names if n not in NOT_COMPARED]
    lines = ""
    for word, ours, theirs in LINES:
        lines += f"""
        LEFT JOIN ({_bag(project, ours)}) {word}_a ON {word}_a._key = _key
        LEFT JOIN ({_bag(project, theirs)}) {word}_b ON {word}_b._key = _key"""
    tests = [f'CASE WHEN a."{n}" IS DISTINCT FROM b."{n}" THEN \'{n}\' END' for n in fields]
    tests += [f"CASE WHEN {w}_a.bag IS DISTINCT FROM {w}_b.bag THEN '{w}' END" for w, _, _ in LINES]
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE recon.channel_visits AS
        WITH both_sides AS (
            SELECT _key, coalesce(a._facility, b._facility) AS facility,
                   a._key IS NULL AS not_here, b._key IS NULL AS not_there,
                   list_filter([{", ".join(tests)}], lambda x: x IS NOT NULL) AS differing
            FROM current.{here} a FULL JOIN current.{there} b USING (_key) {lines}
        )
        SELECT facility, split_part(_key, '|', 2) AS ma_lk,
               CASE WHEN not_there THEN 'only_coordination' WHEN not_here THEN 'only_insurance'
                    WHEN len(differing) = 0 THEN 'identical' ELSE 'different' END AS state,
               CASE WHEN not_here OR not_there THEN [] ELSE differing END AS differing
        FROM both_sides ORDER BY facility, ma_lk
        """
    )
    warehouse.execute(
        """
        CREATE OR REPLACE TABLE recon.channel_fields AS
        WITH visits AS (SELECT * FROM recon.channel_visits WHERE state IN ('identical', 'different')),
        found AS (SELECT facility, field, count(*) AS differing FROM (SELECT facility, unnest(differing) AS field FROM visits) GROUP BY ALL),
        sizes AS (SELECT facility, count(*) AS both_channels FROM visits GROUP BY facility)
        SELECT facility, field, both_channels, differing FROM found JOIN sizes USING (facility)
        ORDER BY facility, field
        """
    )


def _bag(project: Project, table_id: str) -> str:
    """One value per visit for all its lines, whatever their order."""
    table = project.tables[table_id]
    columns = ", ".join(f'"{n}"' for n in table.field_names if n not in NOT_COMPARED)
    return (
        f"SELECT _key, count(*) || ':' || bit_xor(hash({columns})) AS bag"
        f" FROM current.{sql_name(table_id)} GROUP BY _key"
    )
