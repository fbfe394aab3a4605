"""What is worth asking people, most valuable first: records affected × uncertainty × weight of where they stand."""

from __future__ import annotations

from datasach.spec.encounter import ReviewPolicy
from datasach.store.warehouse import Warehouse


def rank_queue(warehouse: Warehouse, pairs: str, policy: ReviewPolicy) -> int:
    """Reads   `pairs` record_key_a, record_key_b, weight (bits), probability (that they are one person; null: unknown,
            taken for even), waterfall (`column:level:bits` joined by `;`); link.member, link.records, link.judgements
    Writes  link.identity_review  those of the pairs that nobody has judged and whose persons differ, one per pair of
                                  persons (the likeliest): place, record_key_a, record_key_b, person_a, person_b,
                                  weight, probability, waterfall, records (of both persons), clinical, value
    Returns how many wait.
    """
    cases = " ".join(
        f"WHEN '{name}' THEN {weight}" for name, weight in sorted(policy.weights.items())
    )
    weight_of = f"coalesce(CASE table_id {cases} END, CASE split_part(table_id, '.', 1) {cases} END, {policy.otherwise})"
    warehouse.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE queue_pairs AS
        SELECT p.*, a.person_id AS person_a, b.person_id AS person_b
        FROM {pairs} p JOIN link.member a ON a.record_key = p.record_key_a
        JOIN link.member b ON b.record_key = p.record_key_b
        ANTI JOIN (SELECT least(a, b) AS low, greatest(a, b) AS high FROM link.judgements
                   WHERE state NOT IN ('expired', 'superseded')) j
             ON j.low = least(p.record_key_a, p.record_key_b) AND j.high = greatest(p.record_key_a, p.record_key_b)
        WHERE a.person_id <> b.person_id;
        CREATE OR REPLACE TEMP TABLE queue_persons AS
        SELECT person_id, count(*) AS records, max({weight_of}) AS clinical
        FROM link.record_persons
        SEMI JOIN (SELECT person_a AS person_id FROM queue_pairs UNION SELECT person_b FROM queue_pairs) q
             USING (person_id)
        GROUP BY person_id;
        CREATE OR REPLACE TABLE link.identity_review AS
        WITH weighed AS (
            SELECT q.*, a.records + b.records AS records, greatest(a.clinical, b.clinical)::DOUBLE AS clinical,
                   least(greatest(coalesce(probability, 0.5), 1e-6), 1 - 1e-6) AS chance,
                   row_number() OVER (PARTITION BY least(person_a, person_b), greatest(person_a, person_b)
                                      ORDER BY weight DESC, record_key_a, record_key_b) AS best
            FROM queue_pairs q JOIN queue_persons a ON a.person_id = q.person_a
            JOIN queue_persons b ON b.person_id = q.person_b)
        SELECT row_number() OVER (ORDER BY value DESC, record_key_a, record_key_b) AS place, * FROM (
            SELECT record_key_a, record_key_b, person_a, person_b, weight, probability, waterfall, records, clinical,
                   round(records * clinical::DOUBLE * -(chance * log2(chance) + (1 - chance) * log2(1 - chance)), 4) AS value
            FROM weighed WHERE best = 1)
        ORDER BY place
        """
    )
    return int(warehouse.value("SELECT count(*) FROM link.identity_review"))
