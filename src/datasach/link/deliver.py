"""What linking found, as files: persons, the weighed pairs behind them, what people should look at, a summary."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from datasach.link.encode import Array
from datasach.link.engine import Linked
from datasach.link.text_hash import person_ids
from datasach.link.weigh import CHUNK

BATCH = 1 << 18
DISTINCT = ("record_key", "person_id", "key_a", "key_b", "weight")
"""Columns in which a dictionary would hold nearly as many values as there are rows."""
THRESHOLDS = (-2, 0, 2, 4, 6, 8, 10, 15, 20)


def deliver(
    linked: Linked, read_keys: Callable[[], pl.Series], out: Path, by_row: bool = False,
    contradictions: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Writes persons.parquet, pairs.parquet, review.parquet, model.json and summary.json below `out`.

    persons  record_key, person_id, grade: certain (the best of its pairs in the person is), possible (joined by
             less, or alone while a pair waits for a person's look), single
    pairs    key_a, key_b, weight, same_person, conflict (null: none), prior, one column of bits per
             comparison, lookalike (what kin and lookalikes take away); the columns after `prior`, with it,
             add up to `weight`
    review   key_a, key_b, weight, why, value (bits of doubt times records it would move), most worth asking first

    A person is named by its record whose key hashes lowest, or (`by_row`) by its first row, as an index keeps it.
    `contradictions`: judgements that were given and have no effect, for the summary.
    """
    out.mkdir(parents=True, exist_ok=True)
    keys = read_keys().cast(pl.String)
    records = linked.records
    to_review = _to_review(linked)
    grade = _grades(linked, to_review)
    named_by = linked.person if by_row else representatives(linked)
    _write_persons(linked, keys, named_by, grade, out / "persons.parquet")
    in_order = keys.gather(records.order)
    del keys
    _write(out / "pairs.parquet", _pairs(linked, in_order))
    _write(out / "review.parquet", iter([_review(linked, to_review, in_order)]))
    linked.model.save(out / "model.json")
    summary = summarise(linked, grade, int(to_review.sum())) | {"contradictions": contradictions}
    (out / "summary.json").write_text(
        json.dumps(summary, ensure_ascii=False, indent=1) + "\n", "utf-8"
    )
    return summary


def representatives(linked: Linked) -> Array:
    """Row of the record that names each row's person: the one whose key has the smallest hash, which
    does not change when others join unless they hash lower."""
    person, key_hash = linked.person, linked.records.key_hash
    lowest = np.full(linked.records.rows, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(lowest, person, key_hash)
    first = np.empty(linked.records.rows, np.int64)
    names = np.flatnonzero(lowest[person] == key_hash)
    first[person[names]] = names
    return first[person]


def _write_persons(
    linked: Linked, keys: pl.Series, named_by: Array, grade: Array, path: Path
) -> None:
    order = linked.records.order
    is_head = np.zeros(len(order), bool)
    is_head[named_by] = True
    ids = person_ids(linked.records.key_hash[is_head])
    at = np.empty(len(order), np.int32)
    at[order] = (np.cumsum(is_head, dtype=np.int32) - 1)[named_by]
    grades = np.empty(len(order), np.uint8)
    grades[order] = grade
    words = pl.Series(["single", "certain", "possible"])

    def batches() -> Iterator[pl.DataFrame]:
        for start in range(0, len(order), BATCH):
            some = slice(start, start + BATCH)
            yield pl.DataFrame(
                {
                    "record_key": keys[some],
                    "person_id": ids.gather(at[some]),
                    "grade": words.gather(grades[some]),
                }
            )

    _write(path, batches())


def _grades(linked: Linked, to_review: Array) -> Array:
    """0 single, 1 certain, 2 possible."""
    rows, pairs = linked.records.rows, linked.pairs
    grade = (np.bincount(linked.person, minlength=rows)[linked.person] > 1).astype(np.uint8) * 2
    sure = (pairs.weight >= linked.records.document.certain) & (
        linked.person[pairs.left] == linked.person[pairs.right]
    )
    grade[pairs.left[sure]] = 1
    grade[pairs.right[sure]] = 1
    waiting = np.zeros(rows, bool)
    waiting[pairs.left[to_review]] = True
    waiting[pairs.right[to_review]] = True
    grade[(grade == 0) & waiting] = 2
    return grade


def _to_review(linked: Linked) -> Array:
    """Pairs that a person should look at: not put together though they might be one."""
    apart = linked.person[linked.pairs.left] != linked.person[linked.pairs.right]
    return apart & (linked.pairs.evidence >= linked.records.document.possible)


def _pairs(linked: Linked, keys: pl.Series) -> Iterator[pl.DataFrame]:
    document = linked.records.document
    conflicts = pl.Series([None, *[_conflict_name(c) for c in document.conflicts]], dtype=pl.String)
    chosen = np.flatnonzero(linked.pairs.evidence >= document.possible)
    for start in range(0, len(chosen), CHUNK):
        some = chosen[start : start + CHUNK]
        left, right = (
            side[some].astype(np.intp) for side in (linked.pairs.left, linked.pairs.right)
        )
        levels = list(linked.pairs.levels[:, some])
        bits = linked.scorer.bits(left, levels)
        plain = linked.scorer.prior + sum(bits, np.zeros(len(left), np.float32))
        yield pl.DataFrame(
            {
                "key_a": keys.gather(left),
                "key_b": keys.gather(right),
                "weight": linked.pairs.evidence[some],
                "same_person": linked.person[left] == linked.person[right],
                "conflict": conflicts.gather(linked.pairs.reason[some]),
                "prior": np.full(len(some), linked.scorer.prior, np.float32),
                **{
                    each.name: b
                    for each, b in zip(linked.scorer.comparisons.each, bits, strict=True)
                },
                "lookalike": (linked.pairs.evidence[some] - plain).astype(np.float32),
            }
        )


def _conflict_name(conflict: Any) -> str:
    return f"{conflict.rule}:{conflict.column}" if conflict.column else str(conflict.rule)


def _review(linked: Linked, to_review: Array, keys: pl.Series) -> pl.DataFrame:
    document = linked.records.document
    names = [_conflict_name(c) for c in document.conflicts]
    left, right = linked.pairs.left[to_review], linked.pairs.right[to_review]
    weight, reason = linked.pairs.evidence[to_review], linked.pairs.reason[to_review]
    size = np.bincount(linked.person, minlength=linked.records.rows)[linked.person]
    # What a forbidden or separated pair would be worth says how surely somebody should look.
    doubt = np.where(reason > 0, 0.5, _entropy(weight))
    why = np.where(
        reason > 0, reason, np.where(weight < document.join, len(names) + 1, len(names) + 2)
    )
    words = pl.Series(["", *names, "possible", "separated"])
    return pl.DataFrame(
        {
            "key_a": keys.gather(left),
            "key_b": keys.gather(right),
            "weight": weight,
            "why": words.gather(why.astype(np.int64)),
            "value": (doubt * np.minimum(size[left] + size[right], 50)).astype(np.float32),
        }
    ).sort(["value", "key_a", "key_b"], descending=[True, False, False])


def _entropy(weight: Array) -> Array:
    p = 1 / (1 + np.exp2(-np.clip(weight, -30, 30)))
    return np.asarray(-(p * np.log2(p + 1e-12) + (1 - p) * np.log2(1 - p + 1e-12)))


def summarise(linked: Linked, grade: Array, review: int) -> dict[str, Any]:
    """Counts, what each pass brought, how weights lie, and the error the model expects at each threshold."""
    sizes = np.bincount(np.bincount(linked.person, minlength=1))
    posterior = 1 / (1 + np.exp2(-np.clip(linked.pairs.evidence, -30, 60)))
    kept = linked.pairs.reason == 0
    everything = float(posterior[kept].sum()) or 1.0
    table = []
    for cut in THRESHOLDS:
        above = kept & (linked.pairs.evidence >= cut)
        table.append(
            {
                "bits": cut,
                "pairs": int(above.sum()),
                "expected_false_share": round(float((1 - posterior[above]).mean()), 6)
                if above.any()
                else None,
                "expected_missed_share": round(1 - float(posterior[above].sum()) / everything, 6),
            }
        )
    histogram = linked.pairs.histogram
    return {
        "linkage": linked.records.document.linkage,
        "version": linked.records.document.version,
        "records": linked.records.rows,
        "persons": int((np.bincount(linked.person, minlength=1) > 0).sum()),
        "grades": {
            word: int((grade == code).sum())
            for code, word in enumerate(("single", "certain", "possible"))
        },
        "pairs_compared": linked.pairs_compared,
        "review": review,
        "forbidden": {
            _conflict_name(c): int((linked.pairs.reason == i).sum())
            for i, c in enumerate(linked.records.document.conflicts, 1)
        },
        "passes": [asdict(each) for each in linked.passes],
        "person_sizes": {str(n): int(count) for n, count in enumerate(sizes) if n and count},
        "weights": {str(bits - 100): int(n) for bits, n in enumerate(histogram) if n},
        "thresholds": table,
        "learnt_on": linked.model.learnt_on,
    }


def _write(path: Path, frames: Iterator[pl.DataFrame]) -> None:
    """Parquet in a temporary file beside it, moved into place when whole."""
    temporary = path.with_suffix(".part")
    writer: pq.ParquetWriter | None = None
    for frame in frames:
        table = frame.to_arrow()
        if writer is None:
            few = [name for name in table.schema.names if name not in DISTINCT]
            writer = pq.ParquetWriter(
                temporary,
                table.schema,
                compression="zstd",
                use_dictionary=few,
                write_statistics=False,
            )
        writer.write_table(table)
    if writer is None:
        pq.write_table(pa.table({}), temporary)
    else:
        writer.close()
    temporary.replace(path)
