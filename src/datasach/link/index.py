"""The index: yesterday's answer on disk, so that tonight only what is new or changed is compared.

A new record meets only the rows its passes find, and brings in the whole components of those: with the same
frozen model the answer is that of linking everything again. It may differ in one thing: a block that grows over
its limit tonight keeps the pairs it had made before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from datasach.link.block import keys_of, packed_keys, pairs_of_pass
from datasach.link.comparisons import comparisons
from datasach.link.conflicts import shows_id
from datasach.link.encode import Array
from datasach.link.engine import (
    NO_JUDGEMENT,
    Judged,
    Linked,
    Records,
    asked,
    encode_records,
    weigh_pairs,
    weigher,
)
from datasach.link.index_files import ROW_BITS, Edges, IndexFiles, Night
from datasach.link.partition import components, partition
from datasach.link.text_hash import text_hash
from datasach.link.weigh import Scorer
from datasach.spec.matching import Matching

ROW = (np.uint64(1) << ROW_BITS) - np.uint64(1)


@dataclass(frozen=True, slots=True)
class Delta:
    """What one night changed in the index, in counts, and the persons it touched."""

    records: int
    replaced: int
    compared: int
    touched: int
    """Rows whose person was looked at again."""
    changed: pl.DataFrame
    """record_key, person (row that names it), before (null: new record); only rows whose person is another."""


class Index:
    """Open an index with `Index.open`, make one with `Index.build`."""

    def __init__(self, files: IndexFiles, document: Matching) -> None:
        self.files = files
        self.document = document
        self.model = files.model()
        self.rare = files.rarities()

    @classmethod
    def build(cls, folder: Path, linked: Linked, keys: pl.Series) -> Index:
        """Write `linked` (all records of the first night) as an index. `keys` in the order of the input."""
        return cls(IndexFiles.make(folder, linked, keys), linked.records.document)

    @classmethod
    def open(cls, folder: Path, document: Matching) -> Index:
        """Raises UnlinkableRecords if there is none, it was left half-written, or another document made it."""
        return cls(IndexFiles.open(folder, document), document)

    @property
    def rows(self) -> int:
        return self.files.rows

    def keys(self) -> pl.Series:
        """Record keys by row."""
        return self.files.keys()

    def persons(self) -> pl.DataFrame:
        """record_key, person (row that names it) of every record that stands."""
        # Copies: what is mapped changes as a night is written.
        alive = np.array(self.files.array("alive", bool))
        person = np.array(self.files.array("person", np.int32))
        return pl.DataFrame({"record_key": self.keys(), "person": person}).filter(pl.Series(alive))

    def add(
        self, read: Any, successors: pl.DataFrame | None = None, judged_keys: pl.DataFrame | None = None,
        strict: bool = False,
    ) -> Delta:  # fmt: skip
        """Link new and changed records (`read(column)` gives a column) and write them into the index.

        A record whose key is known replaces the one before. `judged_keys`: key_a, key_b, same (Boolean), all
        that stand. Returns what changed.
        """
        known = self.files.vocabularies()
        fresh = encode_records(read, self.document, successors, known)
        base, new = self.rows, fresh.rows
        replaced = self._rows_of(fresh.key_hash)
        alive = np.r_[np.asarray(self.files.array("alive", bool)), np.ones(new, bool)]
        alive[replaced[replaced >= 0]] = False
        judged_left, judged_right, same = self._judged(judged_keys, fresh, base)
        judged_pairs = _packed(judged_left, judged_right)
        # What people had judged is weighed again too: what they no longer say must not go on joining or parting.
        again = np.r_[judged_pairs, self._judged_before(alive)]
        left, right = _unpacked(_once(np.r_[self._candidates(fresh, base, alive), again]))
        group = np.r_[
            np.asarray(self.files.array("group", np.int32)),
            np.arange(base, base + new, dtype=np.int32),
        ]
        edges = self.files.edges()
        touched = np.zeros(base + new, bool)
        touched[base:] = True
        touched[left] = touched[right] = True
        touched[replaced[replaced >= 0]] = True
        in_touched = np.zeros(base + new, bool)
        in_touched[group[touched]] = True
        rows = np.flatnonzero(in_touched[group] & alive)
        local = np.full(base + new, -1, np.int64)
        local[rows] = np.arange(len(rows))
        some = Records(
            self.document, self.files.features(rows, fresh, self.document),
            np.arange(len(rows)), np.zeros(len(rows), np.uint64),
        )  # fmt: skip
        scorer = Scorer(
            comparisons(some.features, self.document.compare, self.rare),
            self.model,
            self.files.prior_records,
        )
        judged = NO_JUDGEMENT
        if len(same):
            judged = Judged.of(local[judged_left], local[judged_right], same)
        pairs = weigh_pairs(some, scorer, local[left], local[right], judged, strict)
        met = (local[edges.left] >= 0) & (local[edges.right] >= 0)
        old = edges[met]
        if len(again):
            old = old[~np.isin(_packed(old.left, old.right), again)]
        a = np.r_[local[old.left], pairs.left]
        b = np.r_[local[old.right], pairs.right]
        weight = np.r_[old.weight, pairs.weight]
        person = partition(
            len(rows), a, b, weight, weigher(some, scorer, judged, strict),
            asked(self.document, strict), shows_id(some),
        )  # fmt: skip
        # As narrow as they stand in the files: a nation has tens of millions.
        ends = [rows[side].astype(np.int32) for side in (a, b)]
        held = Edges(ends[0], ends[1], weight)[weight >= self.document.loose]
        label = components(len(rows), local[held.left], local[held.right])
        # What stood before, without what was replaced, and with tonight's in place of what was touched.
        stay = edges[~met & alive[edges.left] & alive[edges.right]]
        # A copy: what is mapped changes as the night is written.
        before = np.full(len(rows), -1, np.int64)
        before[rows < base] = self.files.array("person", np.int32)[rows[rows < base]]
        night = Night(
            fresh, read(self.document.key).cast(pl.String).gather(fresh.order), known, alive,
            rows, rows[person], rows[label],
            Edges(*(np.r_[getattr(stay, x), getattr(held, x)] for x in ("left", "right", "weight"))),
            judged_pairs,
        )  # fmt: skip
        self.files.append(night)
        return Delta(
            new, int((replaced >= 0).sum()), len(left), len(rows), self._changed(night, before)
        )

    def _rows_of(self, hashes: Array) -> Array:
        """Row of each known key, -1 for keys not seen before. Rows replaced earlier are not found."""
        found = np.full(len(hashes), -1, np.int64)
        stored, alive = self.files.array("hash", np.uint64), self.files.array("alive", bool)
        for run in self.files.sorted_keys("key"):
            which, rows = _meet(run, hashes)
            good = (stored[rows] == hashes[which]) & alive[rows]
            found[which[good]] = rows[good]
        return found

    def _candidates(self, fresh: Records, base: int, alive: Array) -> Array:
        """Packed pairs of a new record with a standing one, and of new ones."""
        found: list[Array] = []
        for number, each in enumerate(self.document.passes):
            keys = keys_of(fresh.part(p) for p in each.on)
            inside, _, _ = pairs_of_pass(packed_keys(keys, ROW_BITS), ROW_BITS, each.at_most)
            for some in inside:
                a, b = some >> ROW_BITS, some & ROW
                found.append(_packed(a + np.uint64(base), b + np.uint64(base)))
            met = [_meet(run, keys) for run in self.files.sorted_keys(f"{number:02}")]
            which = np.concatenate([w for w, _ in met]) if met else np.zeros(0, np.int64)
            rows = np.concatenate([r for _, r in met]) if met else np.zeros(0, np.int64)
            stand = alive[rows] if len(rows) else np.zeros(0, bool)
            which, rows = which[stand], rows[stand]
            size = np.bincount(which, minlength=fresh.rows)
            big = size[which] > each.at_most
            if big.any() and each.split:
                finer_new = keys_of([keys, *(fresh.part(p) for p in each.split)])
                unique, where = np.unique(rows[big], return_inverse=True)
                features = self.files.features(unique, None, self.document)
                parts = Records(self.document, features, unique, unique)
                finer_old = keys_of(
                    [keys_of(parts.part(p) for p in each.on), *(parts.part(p) for p in each.split)]
                )
                equal = (finer_new[which[big]] == finer_old[where]) & (finer_old[where] != 0)
                keep = ~big
                keep[np.flatnonzero(big)[equal]] = True
                which, rows = which[keep], rows[keep]
            else:
                which, rows = which[~big], rows[~big]
            found.append(_packed(rows, which + base))
        return np.concatenate(found)

    def _judged(
        self, judged: pl.DataFrame | None, fresh: Records, base: int
    ) -> tuple[Array, Array, Array]:
        """Judgements as rows that stand, and whether they say that it is one person."""
        if judged is None or judged.is_empty():
            none = np.zeros(0, np.int64)
            return none, none, np.zeros(0, bool)
        sides = []
        for column in ("key_a", "key_b"):
            hashes = text_hash(judged[column])
            new = fresh.rows_of(hashes)
            sides.append(np.where(new >= 0, new + base, self._rows_of(hashes)))
        left, right = sides
        good = (left >= 0) & (right >= 0) & (left != right)
        return left[good], right[good], judged["same"].to_numpy()[good]

    def _judged_before(self, alive: Array) -> Array:
        """Packed pairs of rows that stand and had been judged when the index was last written."""
        pairs = self.files.judged()
        left, right = _unpacked(pairs)
        return pairs[alive[left] & alive[right]]

    def _changed(self, night: Night, before: Array) -> pl.DataFrame:
        moved = before != night.person
        found = pl.DataFrame(
            {
                "record_key": self.keys().gather(night.rows[moved]),
                "person": night.person[moved],
                "before": before[moved],
            }
        )
        return found.with_columns(pl.when(pl.col("before") >= 0).then("before").alias("before"))


def _meet(run: Array, keys: Array) -> tuple[Array, Array]:
    """Positions of `keys` that stand in a sorted run, and the rows they meet there (one entry per meeting)."""
    known = np.flatnonzero(keys)
    order = known[np.argsort(keys[known])]
    heads = keys[order] & ~ROW
    low = np.searchsorted(run, heads, "left")
    high = np.searchsorted(run, heads | ROW, "right")
    count = high - low
    which = np.repeat(order, count)
    if not len(which):
        return which, np.zeros(0, np.int64)
    starts = np.repeat(low - np.r_[0, np.cumsum(count)[:-1]], count)
    at = np.arange(len(which)) + starts
    return which, (run[at] & ROW).astype(np.int64)


def _packed(left: Array, right: Array) -> Array:
    """Pairs of rows as one integer each, the smaller row first."""
    low, high = np.minimum(left, right), np.maximum(left, right)
    return (low.astype(np.uint64) << np.uint64(32)) | high.astype(np.uint64)


def _unpacked(pairs: Array) -> tuple[Array, Array]:
    low, high = pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)
    return low.astype(np.int64), high.astype(np.int64)


def _once(pairs: Array) -> Array:
    """Sorted, without repetitions. (`np.unique` is a hundred times slower on uint64.)"""
    pairs = np.sort(pairs)
    return pairs[np.r_[True, pairs[1:] != pairs[:-1]]] if len(pairs) else pairs
