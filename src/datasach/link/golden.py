"""One best record per person, and for every field the source it was taken from."""

from __future__ import annotations

from datasach.spec.linkage import Survivorship
from datasach.store.warehouse import Warehouse


def golden_records(warehouse: Warehouse, survivorship: Survivorship) -> None:
    """Reads   link.records, link.record_persons
    Writes  golden.person  one row per person: the surviving fields, `<field>_from` (record key), records, tables
    """
    picks = []
    for field, sources in survivorship.fields.items():
        ranks = " ".join(f"WHEN '{source}' THEN {i}" for i, source in enumerate(sources))
        # Source, age and place in one number: a struct of them cost gigabytes on a national night.
        order = f"(CASE channel {ranks} ELSE 15 END::BIGINT << 51) + (age << 34) + number"
        condition = f"FILTER (WHERE {field} IS NOT NULL)"
        picks.append(f"arg_min({field}, {order}) {condition} AS {field}")
        picks.append(f"arg_min(record_key, {order}) {condition} AS {field}_from")
    selected = ", ".join(picks)
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE golden.person AS
        SELECT person_id, {selected}, count(*) AS records, count(DISTINCT table_id) AS tables,
               count(DISTINCT facility) AS facilities, min(first_night) AS first_night, max(night) AS last_night
        FROM (SELECT *, (DATE '2100-01-01' - night)::BIGINT AS age,
                     row_number() OVER (ORDER BY record_key) AS number FROM link.records)
        JOIN (SELECT record_key, person_id FROM link.record_persons) USING (record_key)
        GROUP BY person_id ORDER BY person_id
        """
    )
