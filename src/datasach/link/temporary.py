"""People who came without any number: their temporary ids, and how many of them were found out since.

The law wants a notice within 48 hours of a patient nobody knows, and wants emergency data not to wait for a number
(DOMAIN: unknown patients). He gets a temporary id at once (`T-…`, never a shape that means a person elsewhere),
and it forwards to the person he turns out to be.
"""

from __future__ import annotations

from datasach.spec.project import Project
from datasach.store.warehouse import Warehouse, sql_name

OTHER_PAPERS = ("cmnd", "passport")
"""Kinds of identifier that name a person though they are no personal id of twelve digits."""


def find_identified(warehouse: Warehouse, project: Project) -> None:
    """Reads   link.records, current.* of tables with an identifier
    Writes  link.identified  record_key of every record that holds a number by which a person is known: personal id,
                             social-insurance number, CMND or passport
    """
    parts = [
        "SELECT record_key FROM link.records WHERE citizen_id IS NOT NULL OR insurance_number IS NOT NULL"
    ]
    kinds = ", ".join(f"'{kind}'" for kind in OTHER_PAPERS)
    for table in project.tables.values():
        if table.identity is not None and table.identity.identifier is not None:
            parts.append(
                f"SELECT '{table.id}:' || _key FROM current.{sql_name(table.id)}"
                f" WHERE identifier_kind IN ({kinds}) AND _key IS NOT NULL"
            )
    warehouse.execute(
        f"CREATE OR REPLACE TABLE link.identified AS SELECT DISTINCT record_key FROM ({' UNION ALL '.join(parts)})"
        " SEMI JOIN link.records USING (record_key)"
    )


def follow_temporary_ids(warehouse: Warehouse) -> None:
    """Reads   link.member, link.forwarding, link.records
    Writes  link.temporary_ids    one row per temporary id that was ever published: given_on (night), unnamed (of an open
                                  one: nothing but a placeholder for a name; null for others), facility of its first record (null: gone),
                                  state (`open` | `identified` | `merged` | `gone`), resolved_on, days, person_id of
                                  whom it is now (null: nobody)
            link.temporary_rates  facility, given, identified, open, open_unnamed, days_median, days_p90, oldest_open (days)

    An id given and resolved between two nights that were run at once was never published, and is not counted.
    """
    warehouse.execute(
        """
        CREATE OR REPLACE TABLE link.temporary_ids AS
        WITH open_ids AS (
            SELECT m.person_id AS temporary_id, min(m.first_night) AS given_on,
                   arg_min(m.record_key, (m.first_night, m.record_key)) AS record_key
            FROM link.member m WHERE starts_with(m.person_id, 'T') GROUP BY m.person_id),
        ended AS (
            SELECT person_id AS temporary_id, given_on, founder AS record_key, cause, night, leads_to
            FROM link.forwarding WHERE starts_with(person_id, 'T')),
        -- An id that became its own P- has no founder on file: its eldest record tells where it came from.
        eldest AS (
            SELECT m.person_id, arg_min(m.record_key, (m.first_night, m.record_key)) AS record_key
            FROM link.member m SEMI JOIN (SELECT leads_to FROM ended) e ON e.leads_to = m.person_id
            GROUP BY m.person_id),
        found AS (
            SELECT temporary_id, given_on, record_key, 'open' AS state, NULL::DATE AS resolved_on,
                   temporary_id AS person_id FROM open_ids
            UNION ALL
            SELECT e.temporary_id, e.given_on, coalesce(e.record_key, o.record_key), e.cause, e.night, e.leads_to
            FROM ended e LEFT JOIN eldest o ON o.person_id = e.leads_to)
        SELECT f.temporary_id, f.given_on,
               CASE WHEN f.state = 'open' THEN r.unnamed END AS unnamed, r.facility,
               f.state, f.resolved_on, f.resolved_on - f.given_on AS days, f.person_id
        FROM found f
        LEFT JOIN (SELECT record_key, bool_and(coalesce(name_folded, '') = '') AS unnamed, min(facility) AS facility
                   FROM link.records SEMI JOIN found USING (record_key) GROUP BY record_key) r USING (record_key)
        ORDER BY temporary_id
        """
    )
    warehouse.execute(
        """
        CREATE OR REPLACE TABLE link.temporary_rates AS
        SELECT facility, count(*) AS given, count(*) FILTER (state = 'identified') AS identified,
               count(*) FILTER (state = 'open') AS open, count(*) FILTER (unnamed) AS open_unnamed,
               median(days) FILTER (state = 'identified') AS days_median,
               quantile_cont(days, 0.9) FILTER (state = 'identified') AS days_p90,
               max((SELECT max(night) FROM link.records) - given_on) FILTER (state = 'open') AS oldest_open
        FROM link.temporary_ids GROUP BY facility ORDER BY facility
        """
    )
