"""The same visit in both channels under two different MA_LK.

`reconcile.channels` compares visits that both channels call by one key. What is left on either side is looked at
here: a visit of the same facility and the same person at nearly the same time, weighed by what else agrees.
A pair is `certain` if it is the best of both its visits by a clear margin; else `possible`, for people.
"""

from __future__ import annotations

from datasach.spec.encounter import EncounterComparison, EncounterLinkage
from datasach.store.warehouse import Warehouse, sql_name


def match_encounters(warehouse: Warehouse, rules: EncounterLinkage) -> int:
    """Reads   current.* of both sides, link.record_persons
    Writes  link.encounter_pairs   facility, ma_lk_a, ma_lk_b, person_id (of the first side), weight (bits),
                                   waterfall (`field:bits` joined by `;`), grade (`certain` | `possible`)
            link.encounter_counts  facility, alone_a, alone_b: visits whose key the other side does not know; certain,
                                   possible: pairs among them
    Returns how many pairs are certain.
    """
    for side, table in zip("ab", rules.sides, strict=True):
        other = rules.sides[1 if side == "a" else 0]
        fields = ", ".join(f'v."{c.field}"' for c in rules.comparisons if c.field != rules.near)
        warehouse.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE alone_{side} AS
            SELECT v._key, v._facility AS facility, v.ma_lk, v.patient_code, p.person_id, v."{rules.near}", {fields}
            FROM current.{sql_name(table)} v ANTI JOIN current.{sql_name(other)} o ON o._key = v._key
            LEFT JOIN link.record_persons p ON p.table_id = '{table}' AND p._file = v._file AND p._row = v._row
            """
        )
    who = " OR ".join(f"a.{column} = b.{column}" for column in rules.who)
    near = f'a."{rules.near}"', f'b."{rules.near}"'
    bits = {c.field: _bits(c) for c in rules.comparisons}
    weights = ", ".join(f'{sql} AS "{field}"' for field, sql in bits.items())
    told = ", ".join(f"'{field}:' || round(\"{field}\", 1)" for field in bits)
    total = " + ".join(f'"{field}"' for field in bits)
    # Each side of the disjunction is an equi-join of its own: an OR would compare every pair of a facility.
    candidates = " UNION ".join(
        f"SELECT a._key AS key_a, b._key AS key_b FROM alone_a a JOIN alone_b b ON a.facility = b.facility"
        f" AND a.{column} = b.{column}"
        f" WHERE abs(date_diff('minute', {near[0]}, {near[1]})) <= {rules.near_minutes}"
        for column in rules.who
    )
    warehouse.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE encounter_weights AS
        SELECT key_a, key_b, facility, ma_lk_a, ma_lk_b, person_id, {total} AS weight,
               concat_ws(';', {told}) AS waterfall
        FROM (SELECT a._key AS key_a, b._key AS key_b, a.facility, a.ma_lk AS ma_lk_a, b.ma_lk AS ma_lk_b,
                     a.person_id, {weights}
              FROM ({candidates}) c JOIN alone_a a ON a._key = c.key_a JOIN alone_b b ON b._key = c.key_b
              WHERE {who});

        CREATE OR REPLACE TABLE link.encounter_pairs AS
        WITH ranked AS (
            SELECT *, max(weight) OVER (PARTITION BY key_a) AS best_a, max(weight) OVER (PARTITION BY key_b) AS best_b,
                   coalesce(max(weight) OVER (PARTITION BY key_a ORDER BY weight DESC, key_b
                                              ROWS BETWEEN 1 FOLLOWING AND 1 FOLLOWING), -1e9) AS next_a,
                   coalesce(max(weight) OVER (PARTITION BY key_b ORDER BY weight DESC, key_a
                                              ROWS BETWEEN 1 FOLLOWING AND 1 FOLLOWING), -1e9) AS next_b
            FROM encounter_weights)
        SELECT facility, ma_lk_a, ma_lk_b, person_id, round(weight, 1)::DOUBLE AS weight, waterfall,
               CASE WHEN weight >= {rules.certain} AND weight = best_a AND weight = best_b
                     AND weight - next_a >= {rules.margin} AND weight - next_b >= {rules.margin}
                    THEN 'certain' ELSE 'possible' END AS grade
        FROM ranked WHERE weight >= {rules.possible} ORDER BY facility, ma_lk_a, ma_lk_b;

        CREATE OR REPLACE TABLE link.encounter_counts AS
        WITH found AS (
            SELECT facility, 1 AS alone_a, 0 AS alone_b, 0 AS certain, 0 AS possible FROM alone_a
            UNION ALL SELECT facility, 0, 1, 0, 0 FROM alone_b
            UNION ALL SELECT facility, 0, 0, (grade = 'certain')::INTEGER, (grade = 'possible')::INTEGER
                      FROM link.encounter_pairs)
        SELECT facility, sum(alone_a)::BIGINT AS alone_a, sum(alone_b)::BIGINT AS alone_b,
               sum(certain)::BIGINT AS certain, sum(possible)::BIGINT AS possible
        FROM found GROUP BY facility ORDER BY facility
        """
    )
    return int(warehouse.value("SELECT coalesce(sum(certain), 0) FROM link.encounter_counts"))


def _bits(comparison: EncounterComparison) -> str:
    """SQL of the weight of one field; 0 where either side says nothing."""
    a, b = f'a."{comparison.field}"', f'b."{comparison.field}"'
    distance = {
        "minutes": f"abs(date_diff('minute', {a}, {b}))",
        "amount": f"CASE WHEN {a} = {b} THEN 0 ELSE abs({a} - {b})::DOUBLE / greatest(abs({a}), abs({b}))::DOUBLE END",
        # 0: the same code; 2: the same category, whatever stands after the dot; 9: another.
        "code": f"CASE WHEN {a} = {b} THEN 0 WHEN left({a}, 3) = left({b}, 3) THEN 2 ELSE 9 END",
        "exact": f"CASE WHEN {a} = {b} THEN 0 ELSE 9 END",
    }[comparison.measure]
    levels = " ".join(
        f"WHEN {distance} <= {one.within} THEN {one.weight}" for one in comparison.levels
    )
    return f"CASE WHEN {a} IS NULL OR {b} IS NULL THEN 0 {levels} ELSE {comparison.otherwise} END"
