"""Four numbers per database and facility: đúng, đủ, sạch, sống, each with numerator and denominator.

    đúng  weighted checks passed / weighted checks made        (weights below)
    đủ    key information fields filled / expected
    sạch  records free of duplicates, contradictions and unreconciled visits / records
    sống  records received within the database's target after their event / records with an event

Sums over provinces and the nation are sums of numerators and denominators, never means of rates.
Formulas and weights: own proposal after DOMAIN 7.3; no official formula is known.
"""

from __future__ import annotations

import polars as pl

from datasach.spec.project import Project
from datasach.store.warehouse import Warehouse, sql_name
from datasach.validate.compile import compiled_check

PRIORITY_WEIGHT = 3.0
SEVERITY_WEIGHT = {"stop": 1.0, "quarantine": 1.0, "flag": 0.3}


def score(warehouse: Warehouse, project: Project) -> None:
    """Reads   checks.metrics, checks.findings, checks.priority, checks.lateness, recon.channel_visits
    Writes  checks.facilities  facility, name, province_code, cap (level), known
            checks.rules       table_id, rule, pillar, severity, weight, fields, says, vi
            checks.scores      database, facility, pillar, numerator, denominator
            checks.records     table_id, facility, records (current)
            checks.habits, checks.metrics_by_habit  see `_by_habit`
    """
    _rules(warehouse, project)
    _by_habit(warehouse, project)
    _records(warehouse, project)
    _facilities(warehouse, project)
    warehouse.execute(
        """
        CREATE OR REPLACE TABLE checks.scores AS
        WITH dung AS (
            SELECT split_part(m.table_id, '.', 1) AS database, facility,
                   sum(weight * (tested - failed)) AS numerator, sum(weight * tested) AS denominator
            FROM checks.metrics m JOIN checks.rules r USING (table_id, rule) WHERE pillar = 'dung' GROUP BY ALL
        ), du AS (
            SELECT split_part(table_id, '.', 1) AS database, facility, sum(filled) AS numerator, sum(expected) AS denominator
            FROM checks.priority GROUP BY ALL
        ), unclean AS (
            SELECT database, facility, count(*) AS bad FROM (
                SELECT DISTINCT split_part(f.table_id, '.', 1) AS database, f.facility, f.table_id, _file, _row
                FROM checks.findings f JOIN checks.rules r USING (table_id, rule) WHERE pillar = 'sach') GROUP BY ALL
        ), unreconciled AS (
            SELECT database, facility, count(*) AS bad FROM (
                SELECT 'kcb_emr' AS database, facility FROM recon.channel_visits WHERE state IN ('different', 'only_coordination')
                UNION ALL
                SELECT 'bhyt_claims', facility FROM recon.channel_visits WHERE state IN ('different', 'only_insurance')) GROUP BY ALL
        ), sach AS (
            SELECT database, facility, greatest(0, records - coalesce(u.bad, 0) - coalesce(x.bad, 0)) AS numerator, records AS denominator
            FROM (SELECT split_part(table_id, '.', 1) AS database, facility, sum(records) AS records FROM checks.records GROUP BY ALL)
            LEFT JOIN unclean u USING (database, facility) LEFT JOIN unreconciled x USING (database, facility)
        ), song AS (
            SELECT split_part(table_id, '.', 1) AS database, facility, sum(in_time) AS numerator, sum(tested) AS denominator
            FROM checks.lateness GROUP BY ALL
        )
        SELECT database, facility, pillar, CAST(numerator AS DOUBLE) AS numerator, CAST(denominator AS DOUBLE) AS denominator
        FROM (SELECT *, 'dung' AS pillar FROM dung UNION ALL SELECT *, 'du' FROM du
              UNION ALL SELECT *, 'sach' FROM sach UNION ALL SELECT *, 'song' FROM song)
        WHERE denominator > 0 ORDER BY database, facility, pillar
        """
    )


def _rules(warehouse: Warehouse, project: Project) -> None:
    rows = []
    for rule in project.rules:
        fields = compiled_check(project, rule).fields
        priority = bool(set(fields) & set(project.tables[rule.table].priority))
        rows.append(
            {
                "table_id": rule.table,
                "rule": rule.id,
                "pillar": rule.pillar,
                "severity": rule.severity,
                "weight": SEVERITY_WEIGHT[rule.severity] * (PRIORITY_WEIGHT if priority else 1.0),
                "fields": ", ".join(fields),
                "says": rule.says,
                "vi": rule.vi,
            }
        )
    schema = dict.fromkeys(("table_id", "rule", "pillar", "severity"), pl.String) | {
        "weight": pl.Float64, **dict.fromkeys(("fields", "says", "vi"), pl.String)
    }  # fmt: skip
    warehouse.put("checks.rules", pl.DataFrame(rows, schema=schema))


def _records(warehouse: Warehouse, project: Project) -> None:
    parts = " UNION ALL ".join(
        f"SELECT '{t.id}' AS table_id, _facility AS facility, count(*) AS records FROM current.{sql_name(t.id)} GROUP BY ALL"
        for t in project.tables.values()
    )
    warehouse.execute(f"CREATE OR REPLACE TABLE checks.records AS {parts} ORDER BY ALL")


def _facilities(warehouse: Warehouse, project: Project) -> None:
    """Every facility that sent, is spoken of, or is registered; its province from the register, else
    from its code: two digits, of today's list first, since codes were re-issued after the merger."""
    provinces = project.reference("provinces").select("old_gso_code", "new_code", "new_short_name")
    warehouse.put("checks.provinces", provinces)
    warehouse.execute(
        """
        CREATE OR REPLACE TABLE checks.facilities AS
        WITH seen AS (
            SELECT DISTINCT facility FROM checks.records WHERE facility IS NOT NULL
            UNION SELECT DISTINCT coalesce(facility, sender) FROM standard.files
            UNION SELECT ma_cskcb FROM current.facilities__facility
        ), register AS (
            SELECT ma_cskcb AS facility, any_value(ten_cskcb) AS name, any_value(cap) AS cap,
                   any_value(matinh) AS matinh, any_value(trang_thai) AS status
            FROM current.facilities__facility GROUP BY ma_cskcb
        ), today AS (SELECT DISTINCT new_code FROM checks.provinces)
        SELECT s.facility, r.name, r.cap, r.status, r.facility IS NOT NULL AS known,
               coalesce(t.new_code, a.new_code, b.new_code, c.new_code) AS province_code
        FROM seen s LEFT JOIN register r USING (facility)
        LEFT JOIN today t ON t.new_code = r.matinh
        LEFT JOIN checks.provinces a ON a.old_gso_code = r.matinh
        LEFT JOIN today b ON b.new_code = left(s.facility, 2) AND length(s.facility) = 5
        LEFT JOIN checks.provinces c ON c.old_gso_code = left(s.facility, 2) AND length(s.facility) = 5
        WHERE s.facility IS NOT NULL ORDER BY s.facility
        """
    )


def _by_habit(warehouse: Warehouse, project: Project) -> None:
    """The counts of rules by how a facility's files are written, for mistakes come in clusters of software.

    Senders do not name their software. What their files show is a habit: the source, the vintage of the
    standard, and what reading had to tolerate (a byte-order mark, UTF-16, wrapped base64 …), but not its signature. A facility's habit in a
    channel is that of most of its files; two systems may share one, and one system may have several.

    Writes  checks.habits            facility, channel, habit, files (of all its files in the channel: of_files)
            checks.metrics_by_habit  table_id, rule, habit, facilities, tested, failed: for tables fed by one
                             channel of envelopes
    """
    warehouse.execute(
        """
        CREATE OR REPLACE TABLE checks.habits AS
        WITH written AS (
            SELECT coalesce(facility, sender) AS facility, channel,
                   concat_ws(' ', source, vintage, nullif(list_aggregate(list_sort(list_filter(
                       string_split(coalesce(notes, ''), ';'),
                       lambda n: n NOT IN ('', 'COUNT_MISMATCH', 'EXTRA_COLUMNS') AND NOT starts_with(n, 'SIG_'))),
                       'string_agg', '+'), '')) AS habit
            FROM standard.files WHERE source IS NOT NULL AND state <> 'REJECTED'
        ), counted AS (SELECT facility, channel, habit, count(*) AS files FROM written GROUP BY ALL)
        SELECT facility, channel, arg_max(habit, (files, habit)) AS habit, max(files) AS files, sum(files)::BIGINT AS of_files
        FROM counted GROUP BY facility, channel ORDER BY facility, channel
        """
    )
    channels = ", ".join(
        f"('{t.id}', '{t.channel if t.channel in ('coordination', 'social_insurance') else ''}')"
        for t in project.tables.values()
    )
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE checks.metrics_by_habit AS
        WITH fed(table_id, channel) AS (VALUES {channels})
        SELECT m.table_id, m.rule, h.habit, count(DISTINCT m.facility) AS facilities,
               sum(m.tested)::BIGINT AS tested, sum(m.failed)::BIGINT AS failed
        FROM checks.metrics m JOIN fed USING (table_id) JOIN checks.habits h
             ON h.facility = m.facility AND h.channel = fed.channel
        GROUP BY ALL ORDER BY ALL
        """
    )
