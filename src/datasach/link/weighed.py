"""What strong keys leave open, weighed by the linkage document: more edges where it is certain, a queue where it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from datasach.link.engine import Linked, encode_records, link_records, successors_of_communes
from datasach.link.weigh import Model
from datasach.spec.project import Project
from datasach.store.warehouse import Warehouse

RANK = 90
"""Edges of weight come after those of every strong key, so a contested union keeps the key's edge."""
QUEUE = 20_000


def weigh_signatures(warehouse: Warehouse, project: Project) -> Linked:
    """Reads   link.signatures, link.records
    Writes  link.edges (appended)  sid_a, sid_b, rank, `weight`: from each person's first signature to the others
    Links strictly: no slip of an id, nothing below `certain`. The model is the project's, frozen.
    """
    frame = warehouse.frame(
        """
        SELECT s.sid, s.sid::VARCHAR AS record_key, min(r.full_name) AS full_name, s.born_on, s.birth_year, s.sex,
               s.citizen_id, s.insurance_number, s.phone, min(r.province_code) AS province_code, s.commune_code,
               min(r.mother_name_folded) AS mother_name, s.mother_citizen_id, s.facility,
               s.facility || '|' || s.patient_code AS patient_code
        FROM link.signatures s LEFT JOIN link.records r ON r.record_key = s.record_key
        GROUP BY ALL ORDER BY s.sid
        """
    )
    successors = successors_of_communes(project.root / "datasets/_reference/wards.csv.gz")
    records = encode_records(
        lambda column: frame[column] if column in frame.columns else None,
        project.matching, successors,
    )  # fmt: skip
    model = Model.load(project.root / "rules/linkage/person.model.json")
    linked = link_records(records, model, strict=True)
    # Rows of the engine are in its own order; order[row] is the sid.
    sid = records.order
    first = np.full(records.rows, records.rows, np.int64)
    np.minimum.at(first, linked.person, sid)
    elder = first[linked.person]
    edges = pl.DataFrame({"sid_a": elder, "sid_b": sid}).filter(pl.col("sid_a") < pl.col("sid_b"))
    warehouse.put("link.weighed_edges", edges.sort("sid_a", "sid_b"))
    warehouse.execute(
        f"INSERT INTO link.edges SELECT sid_a, sid_b, {RANK}, 'weight' FROM link.weighed_edges w"
        " ANTI JOIN link.edges e USING (sid_a, sid_b) ORDER BY sid_a, sid_b; DROP TABLE link.weighed_edges"
    )
    return linked


def put_to_people(warehouse: Warehouse, linked: Linked) -> None:
    """Reads   link.signatures, link.clusters
    Writes  link.review          sid_a, sid_b, person_a, person_b, weight (bits), conflict (null: none), one column of
                                 bits per comparison, prior, lookalike: these add up to the weight
            link.possible_pairs  the same for `queue`: record keys, weight, probability, waterfall
            link.weight_histogram, link.passes, link.cluster_sizes  for the page about identity
    """
    chosen = np.flatnonzero(linked.pairs.evidence >= linked.records.document.possible)
    best = chosen[np.argsort(-linked.pairs.evidence[chosen], kind="stable")]
    warehouse.put("link.weighed_pairs", _waterfalls(linked, best))
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE link.review AS
        SELECT p.sid_a, p.sid_b, a.person_id AS person_a, b.person_id AS person_b, p.* EXCLUDE (sid_a, sid_b)
        FROM link.weighed_pairs p JOIN link.clusters a ON a.sid = p.sid_a JOIN link.clusters b ON b.sid = p.sid_b
        WHERE a.person_id <> b.person_id ORDER BY weight DESC, sid_a, sid_b LIMIT {QUEUE};
        CREATE OR REPLACE TABLE link.possible_pairs AS
        SELECT a.record_key AS record_key_a, b.record_key AS record_key_b, p.weight,
               CASE WHEN conflict IS NULL THEN 1 / (1 + pow(2, -p.weight)) ELSE 0.5 END AS probability, p.waterfall
        FROM link.review p JOIN link.signatures a ON a.sid = p.sid_a JOIN link.signatures b ON b.sid = p.sid_b;
        ALTER TABLE link.review DROP COLUMN waterfall;
        DROP TABLE link.weighed_pairs;
        CREATE OR REPLACE TABLE link.cluster_sizes AS
        SELECT records AS size, count(*) AS persons
        FROM (SELECT person_id, count(*) AS records FROM link.member GROUP BY person_id) GROUP BY ALL ORDER BY size
        """
    )
    histogram = linked.pairs.histogram
    filled = np.flatnonzero(histogram)
    warehouse.put(
        "link.weight_histogram",
        pl.DataFrame({"bin_bits": filled - 100, "count": histogram[filled]}),
    )
    warehouse.put(
        "link.passes",
        pl.DataFrame(
            [(p.on, p.pairs, p.gain, p.largest, p.left_out) for p in linked.passes],
            schema={"pass": pl.String, "pairs": pl.Int64, "gain": pl.Int64, "largest": pl.Int64, "left_out": pl.Int64},
            orient="row",
        ),
    )  # fmt: skip


def _waterfalls(linked: Linked, chosen: Any) -> pl.DataFrame:
    pairs, scorer, sid = linked.pairs, linked.scorer, linked.records.order
    left, right = pairs.left[chosen].astype(np.int64), pairs.right[chosen].astype(np.int64)
    levels = scorer.levels(left, right)
    bits = scorer.bits(left, levels)
    names = [each.name for each in scorer.comparisons.each]
    a, b = np.minimum(sid[left], sid[right]), np.maximum(sid[left], sid[right])
    conflicts = pl.Series(
        [None, *(c.rule for c in linked.records.document.conflicts)], dtype=pl.String
    )
    evidence = pairs.evidence[chosen].astype(np.float64)
    plain = scorer.prior + np.sum(bits, axis=0, dtype=np.float64) if len(chosen) else evidence
    frame = pl.DataFrame(
        {
            "sid_a": a, "sid_b": b, "weight": np.round(evidence, 3),
            "conflict": conflicts.gather(pairs.reason[chosen].astype(np.int64)),
            "prior": np.full(len(chosen), scorer.prior),
            **{_column(n): np.round(x.astype(np.float64), 3) for n, x in zip(names, bits, strict=True)},
            "lookalike": np.round(evidence - plain, 3),
        }
    )  # fmt: skip
    steps: list[pl.Expr] = []
    for name, each, level in zip(names, scorer.comparisons.each, levels, strict=True):
        words = pl.Series(["", *each.levels]).gather(level.astype(np.int64))
        steps.append(
            pl.when(pl.Series(level > 0)).then(
                pl.format(
                    "{}:{}:{}",
                    pl.lit(_column(name)),
                    pl.Series(words),
                    _signed(pl.col(_column(name))),
                )
            )
        )
    steps.append(pl.format("prior:records:{}", _signed(pl.col("prior"))))
    steps.append(
        pl.when(pl.col("lookalike") < -0.05).then(
            pl.format("lookalike:people:{}", _signed(pl.col("lookalike")))
        )
    )
    return frame.with_columns(waterfall=pl.concat_str(steps, separator=";", ignore_nulls=True))


def _column(comparison: str) -> str:
    return comparison.replace(".", "_")


def _signed(bits: pl.Expr) -> pl.Expr:
    return (
        pl.when(bits >= 0)
        .then(pl.format("+{}", bits.round(1)))
        .otherwise(bits.round(1).cast(pl.String))
    )
