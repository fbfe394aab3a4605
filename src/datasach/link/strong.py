"""Edges between signatures that share a strong key, confirmed by name, birth and sex."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
from rapidfuzz import fuzz
from rapidfuzz.process import cpdist

from datasach.spec.linkage import Linkage, StrongKey
from datasach.store.warehouse import Warehouse

CONFIRMATIONS = {
    "same_name": "a.name_folded = b.name_folded",
    "near_name": "(a.name_folded IS NULL OR b.name_folded IS NULL OR a.name_folded = b.name_folded"
    " OR s.similarity >= {near_name})",
    "same_birth_year": "a.birth_year = b.birth_year",
    "near_birth_year": "(a.birth_year IS NULL OR b.birth_year IS NULL OR abs(a.birth_year - b.birth_year) <= 1)",
    "same_sex": "(a.sex IS NULL OR b.sex IS NULL OR a.sex = b.sex)",
}
CONFLICTS = {
    "two_citizen_ids": "(a.citizen_id IS NOT NULL AND b.citizen_id IS NOT NULL AND a.citizen_id <> b.citizen_id)",
    "sex_and_birth_year": "(a.sex <> b.sex AND a.birth_year <> b.birth_year)",
    "child_on_parents_id": "(abs(a.birth_year - b.birth_year) >= 15)",
}


def strong_edges(warehouse: Warehouse, linkage: Linkage) -> None:
    """Reads   link.signatures
    Writes  link.edges  sid_a < sid_b, rank and id of the key: pairs that are one person unless their cluster forbids it
            link.refused  pairs that share a key but are forbidden, with the conflict
    """
    warehouse.execute(
        "CREATE OR REPLACE TABLE link.key_pairs (sid_a BIGINT, sid_b BIGINT, rank INTEGER, strong_key VARCHAR)"
    )
    for rank, key in enumerate(linkage.strong_keys):
        _pairs(warehouse, key, rank)
    _similarities(warehouse)
    confirmed = " OR ".join(
        f"(strong_key = '{key.id}' AND {_all_of(key, linkage.near_name)})"
        for key in linkage.strong_keys
    )
    forbidden = " OR ".join(f"coalesce({CONFLICTS[c]}, false)" for c in linkage.conflicts)
    named = " ".join(f"WHEN {CONFLICTS[c]} THEN '{c}'" for c in linkage.conflicts)
    warehouse.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE judged_pairs AS
        SELECT p.*, coalesce({confirmed}, false) AS confirmed, ({forbidden}) AS forbidden,
               CASE {named} END AS conflict
        FROM link.key_pairs p JOIN link.signatures a ON a.sid = p.sid_a JOIN link.signatures b ON b.sid = p.sid_b
        LEFT JOIN link.similarities s ON s.name_a = least(a.name_folded, b.name_folded)
                                     AND s.name_b = greatest(a.name_folded, b.name_folded)
        """
    )
    warehouse.execute(
        "CREATE OR REPLACE TABLE link.edges AS SELECT sid_a, sid_b, min(rank) AS rank,"
        " arg_min(strong_key, rank) AS strong_key FROM judged_pairs WHERE confirmed AND NOT forbidden"
        " GROUP BY ALL ORDER BY rank, sid_a, sid_b"
    )
    warehouse.execute(
        "CREATE OR REPLACE TABLE link.refused AS SELECT sid_a, sid_b, arg_min(strong_key, rank) AS strong_key,"
        " any_value(conflict) AS conflict FROM judged_pairs WHERE forbidden GROUP BY sid_a, sid_b ORDER BY ALL"
    )


def _all_of(key: StrongKey, near_name: float) -> str:
    tests = [CONFIRMATIONS[c].format(near_name=near_name) for c in key.confirm]
    return " AND ".join(tests) or "true"


def _pairs(warehouse: Warehouse, key: StrongKey, rank: int) -> None:
    columns = ["facility" if c == "_facility" else c for c in key.columns]
    listed = ", ".join(columns)
    filled = " AND ".join(f"{c} IS NOT NULL" for c in columns)
    if "born_on" in columns:
        # 1 January is mostly "day unknown": it would make strangers of one year one person.
        filled += " AND NOT (month(born_on) = 1 AND day(born_on) = 1)"
    warehouse.execute(
        f"""
        INSERT INTO link.key_pairs
        WITH keyed AS (
            SELECT sid, {listed}, count(*) OVER (PARTITION BY {listed}) AS sharing
            FROM link.signatures WHERE {filled})
        SELECT a.sid, b.sid, {rank}, '{key.id}' FROM keyed a JOIN keyed b USING ({listed})
        WHERE a.sid < b.sid AND a.sharing <= {key.at_most}
        """
    )


def _similarities(warehouse: Warehouse) -> None:
    """Similarity of every distinct pair of names that stands in a candidate pair, once."""
    pairs = warehouse.frame(
        "SELECT DISTINCT least(a.name_folded, b.name_folded) AS name_a, greatest(a.name_folded, b.name_folded) AS name_b"
        " FROM link.key_pairs p JOIN link.signatures a ON a.sid = p.sid_a JOIN link.signatures b ON b.sid = p.sid_b"
        " WHERE a.name_folded <> b.name_folded"
    )
    warehouse.put("link.similarities", name_similarity(pairs))


def name_similarity(pairs: pl.DataFrame) -> pl.DataFrame:
    """`name_a, name_b` (folded) → the same with `similarity` 0..1.

    The larger of the plain edit ratio and, where surname and given name agree, 0.9: a middle name left
    out ("nguyen hoa" for "nguyen thi hoa") is the commonest way one name is written twice.
    """
    a, b = pairs.get_column("name_a").to_list(), pairs.get_column("name_b").to_list()
    scorer: Callable[..., float] = fuzz.ratio
    ratio: Any = cpdist(a, b, scorer=scorer, workers=-1) / 100 if a else []
    words_a = pl.col("name_a").str.split(" ")
    words_b = pl.col("name_b").str.split(" ")
    ends_agree = (words_a.list.first() == words_b.list.first()) & (
        words_a.list.last() == words_b.list.last()
    )
    fewer = pl.min_horizontal(words_a.list.len(), words_b.list.len())
    inner = words_a.list.set_intersection(words_b).list.unique().list.len()
    missing_middle = ends_agree & (inner >= fewer)
    return pairs.with_columns(
        pl.max_horizontal(
            pl.Series("ratio", ratio, dtype=pl.Float64),
            pl.when(missing_middle).then(0.9).otherwise(0.0),
        ).alias("similarity")
    )
