"""The invariant of the person index: nobody holds two different valid personal ids, unless people said so."""

from __future__ import annotations

from datasach.store.warehouse import Warehouse


def find_two_ids(warehouse: Warehouse, clusters: str) -> int:
    """Reads   link.records, link.member, link.must, `clusters` (the engine's own, before judgements)
    Writes  link.id_conflicts  person_id, table_id, ids: persons with `ids` different personal ids and a table that
                               would show one of them (one row per person and table)
    Returns how many persons break the invariant.

    The engine may never bring two ids together. A `same` may: the ids then stand in records that the engine had
    kept apart, and at least one judgement joins records of this person.
    """
    warehouse.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE id_holders AS
        SELECT DISTINCT m.person_id, m.record_key, r.citizen_id
        FROM link.records r JOIN link.member m USING (record_key) WHERE r.citizen_id IS NOT NULL;
        CREATE OR REPLACE TEMP TABLE id_several AS
        SELECT person_id, count(DISTINCT citizen_id) AS ids FROM id_holders GROUP BY person_id HAVING ids > 1;
        CREATE OR REPLACE TEMP TABLE id_by_engine AS
        SELECT h.person_id, max(n) AS ids FROM (
            SELECT h.person_id, c.cluster, count(DISTINCT h.citizen_id) AS n
            FROM id_holders h SEMI JOIN id_several s ON s.person_id = h.person_id
            JOIN {clusters} c ON c.record_key = h.record_key GROUP BY ALL) h GROUP BY h.person_id;
        CREATE OR REPLACE TABLE link.id_conflicts AS
        SELECT s.person_id, r.table_id, s.ids
        FROM id_several s JOIN id_by_engine e ON e.person_id = s.person_id
        LEFT JOIN (SELECT DISTINCT person_id FROM link.must p JOIN link.member m ON m.record_key = p.record_key_a) j
                  ON j.person_id = s.person_id
        JOIN (SELECT DISTINCT m.person_id, r.table_id FROM link.records r JOIN link.member m USING (record_key)) r
             ON r.person_id = s.person_id
        WHERE e.ids > 1 OR j.person_id IS NULL
        ORDER BY ALL
        """
    )
    return int(warehouse.value("SELECT count(DISTINCT person_id) FROM link.id_conflicts"))
