"""Pairs that may be one person but that no strong key decides: weighed, and put to people.

They are never merged here. The weights are learnt once, written to `state/link/weights.json`, and
kept: a threshold means the same tomorrow.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import polars as pl

from datasach.link.estimate import Weights, estimate
from datasach.link.strong import name_similarity
from datasach.spec.linkage import Comparison, Linkage
from datasach.store.warehouse import Warehouse

BLOCK_LIMIT = 100
QUEUE = 20_000


def weigh_possible_pairs(warehouse: Warehouse, linkage: Linkage) -> int:
    """Reads   link.signatures, link.clusters, link.refused
    Writes  link.review          sid_a, sid_b, person_a, person_b, weight (bits), one column per comparison
            link.possible_pairs  the same for `queue`: record keys, weight, probability, waterfall
    Returns how many pairs wait for a person's judgement.
    """
    _candidates(warehouse, linkage)
    columns = [c.column for c in linkage.comparisons]
    vectors = _vectors(warehouse, linkage, "link.candidates")
    if vectors.is_empty():
        warehouse.put("link.review", vectors.with_columns(pl.lit(0.0).alias("weight")))
        _hand_to_queue(warehouse, Weights((), (), (), 0.5))
        return 0
    weights = _weights(warehouse, linkage, vectors, columns)
    score = pl.sum_horizontal(
        pl.when(pl.col(c) == 1)
        .then(weights.agree(i))
        .when(pl.col(c) == 0)
        .then(weights.differ(i))
        .otherwise(0.0)
        for i, c in enumerate(weights.columns)
    )
    queue = (
        vectors.with_columns(score.round(3).alias("weight"))
        .filter(pl.col("weight") >= linkage.possible)
        .sort(["weight", "sid_a", "sid_b"], descending=[True, False, False])
        .head(QUEUE)
    )
    warehouse.put("link.review", queue)
    _hand_to_queue(warehouse, weights)
    return queue.height


def _hand_to_queue(warehouse: Warehouse, weights: Weights) -> None:
    odds = weights.prior / (1 - weights.prior)
    steps = [
        f"CASE p.{c} WHEN 1 THEN '{c}:agrees:{weights.agree(i):+.1f}' WHEN 0 THEN '{c}:differs:{weights.differ(i):+.1f}' END"
        for i, c in enumerate(weights.columns)
    ]
    waterfall = f"concat_ws(';', {', '.join(steps)})" if steps else "''"
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE link.possible_pairs AS
        SELECT a.record_key AS record_key_a, b.record_key AS record_key_b, p.weight,
               1 / (1 + 1 / ({odds} * pow(2, p.weight))) AS probability, {waterfall} AS waterfall
        FROM link.review p JOIN link.signatures a ON a.sid = p.sid_a JOIN link.signatures b ON b.sid = p.sid_b
        """
    )


def _candidates(warehouse: Warehouse, linkage: Linkage) -> None:
    parts = []
    for block in linkage.blocks:
        listed = ", ".join(block)
        filled = " AND ".join(f"{c} IS NOT NULL" for c in block)
        parts.append(
            f"SELECT a.sid AS sid_a, b.sid AS sid_b FROM (SELECT *, count(*) OVER (PARTITION BY {listed}) AS n"
            f" FROM link.signatures WHERE {filled}) a JOIN link.signatures b USING ({listed})"
            f" WHERE a.sid < b.sid AND a.n <= {BLOCK_LIMIT}"
        )
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE link.candidates AS
        SELECT sid_a, sid_b, pa.person_id AS person_a, pb.person_id AS person_b
        FROM (SELECT DISTINCT * FROM ({" UNION ALL ".join(parts)})) p
        JOIN link.clusters pa ON pa.sid = sid_a JOIN link.clusters pb ON pb.sid = sid_b
        ANTI JOIN link.refused r USING (sid_a, sid_b)
        WHERE pa.person_id <> pb.person_id
          AND NOT EXISTS (SELECT 1 FROM link.signatures a, link.signatures b WHERE a.sid = sid_a AND b.sid = sid_b
                          AND a.citizen_id <> b.citizen_id)
        """
    )


def _vectors(warehouse: Warehouse, linkage: Linkage, pairs: str) -> pl.DataFrame:
    """One row per pair of the table `pairs`: its columns and, per comparison, 1 agrees, 0 differs, null unknown."""
    sql = ", ".join(_agreement(c) for c in linkage.comparisons)
    people = "person_a, person_b, " if pairs == "link.candidates" else ""
    frame = warehouse.frame(
        f"SELECT sid_a, sid_b, {people} a.name_folded AS name_a, b.name_folded AS name_b, {sql} FROM {pairs} p"
        " JOIN link.signatures a ON a.sid = sid_a JOIN link.signatures b ON b.sid = sid_b ORDER BY sid_a, sid_b"
    )
    names = frame.select("name_a", "name_b").drop_nulls().unique()
    similar = name_similarity(names)
    known = pl.col("name_a").is_not_null() & pl.col("name_b").is_not_null()
    return (
        frame.join(similar, on=["name_a", "name_b"], how="left")
        .with_columns(
            pl.when(known)
            .then((pl.col("similarity").fill_null(0.0) >= linkage.near_name).cast(pl.Int8))
            .alias("name_folded")
        )
        .drop("name_a", "name_b", "similarity")
        .sort("sid_a", "sid_b")
    )


def _agreement(comparison: Comparison) -> str:
    column = comparison.column
    a, b = f"a.{column}", f"b.{column}"
    if comparison.measure == "digits":
        test = f"({a} = {b} OR damerau_levenshtein({a}, {b}) <= 1)"
    elif comparison.measure == "birth":
        swapped = f"(year({a}) = year({b}) AND month({a}) = day({b}) AND day({a}) = month({b}))"
        test = f"({a} = {b} OR {swapped})"
    else:
        test = f"{a} = {b}"
    return f"CAST({test} AS TINYINT) AS {column}"


def _weights(
    warehouse: Warehouse, linkage: Linkage, vectors: pl.DataFrame, columns: list[str]
) -> Weights:
    path = warehouse.layout.state / "link" / "weights.json"
    if path.exists():
        stored = json.loads(path.read_text("utf-8"))
        if stored["columns"] == columns:
            return Weights(tuple(columns), tuple(stored["m"]), tuple(stored["u"]), stored["prior"])
    warehouse.execute(
        "CREATE OR REPLACE TABLE link.anchors AS SELECT sid_a, sid_b FROM link.edges"
        " WHERE strong_key = 'citizen_id' ORDER BY ALL LIMIT 50000"
    )
    anchors = _vectors(warehouse, linkage, "link.anchors").select(columns)
    weights = estimate(vectors.select(columns), anchors)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(weights), indent=1), "utf-8")
    return weights
