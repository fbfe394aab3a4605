"""Which pairs are compared: records that agree on the parts of at least one pass.

A key is a 64-bit hash of its parts. The high bits of the hash and the row number share one integer, so one
in-place sort brings equal keys together; a pair is (left row, right row, pass) in one integer as well, so
one more sort finds what several passes found twice and which pass was first.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from datasach.spec.matching import Pass

Array = np.ndarray[Any, Any]
PASS_BITS = np.uint64(5)
STEP = 1 << 20
"""Pairs looked at together where all would be copied."""
FEW = 5
"""Rows of a block up to which pairs are made column by column."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class PassReport:
    """What one pass brings: pairs it finds, those no pass before it found, and what its guard left out."""

    on: str
    pairs: int
    gain: int
    largest: int
    left_out: int


def keys_of(parts: Iterable[Array]) -> Array:
    """One uint64 per record; 0 where any part is not known (nothing agrees with nothing)."""
    mixed: Array | None = None
    known: Array | None = None
    for part in parts:
        mixed = part.copy() if mixed is None else mixed ^ part
        known = part != 0 if known is None else known & (part != 0)
        mixed *= _MIX
        mixed ^= mixed >> np.uint64(32)
    assert mixed is not None and known is not None
    mixed *= _MIX
    mixed[mixed == 0] = 1
    mixed[~known] = 0
    return mixed


def row_bits(rows: int) -> np.uint64:
    return np.uint64(max(1, int(rows - 1).bit_length()))


def packed_keys(keys: Array, bits: np.uint64, first_row: int = 0) -> Array:
    """Sorted uint64: the hash in the high bits, the row in the low `bits`. Rows without a key are left out."""
    rows = np.flatnonzero(keys)
    packed = keys[rows] & ~((np.uint64(1) << bits) - np.uint64(1))
    packed |= rows.astype(np.uint64) + np.uint64(first_row)
    packed.sort()
    return packed


def _runs(packed: Array, bits: np.uint64) -> tuple[Array, Array]:
    """Where each run of equal keys starts, and its length; only runs of two and more."""
    as_before = ((packed[1:] ^ packed[:-1]) >> bits) == 0
    turns = np.flatnonzero(np.diff(as_before, prepend=False, append=False))
    starts, ends = turns[::2], turns[1::2]
    return starts, ends - starts + 1


def pairs_of_pass(packed: Array, bits: np.uint64, at_most: int) -> tuple[list[Array], Array, int]:
    """Pairs (left, right) packed as left<<bits|right; rows in blocks larger than `at_most`; largest block."""
    starts, sizes = _runs(packed, bits)
    mask = (np.uint64(1) << bits) - np.uint64(1)
    found = []
    for size in np.unique(sizes[sizes <= at_most]):
        first = starts[sizes == size]
        if size <= FEW:
            # Most blocks are of two or three: a column of rows at a time, which NumPy gathers fastest.
            columns = [packed[first + place] & mask for place in range(size)]
            found += [(a << bits) | b for a, b in combinations(columns, 2)]
            continue
        rows = packed[first[:, None] + np.arange(size)] & mask
        left, right = np.triu_indices(size, 1)
        # At most about 8 million pairs at a time.
        step = max(1, 8_000_000 // len(left))
        for at in range(0, len(rows), step):
            some = rows[at : at + step]
            found.append(((some[:, left] << bits) | some[:, right]).ravel())
    giant = sizes > at_most
    rows_in_giants = (
        np.concatenate(
            [packed[s : s + n] & mask for s, n in zip(starts[giant], sizes[giant], strict=True)]
        )
        if giant.any()
        else np.zeros(0, np.uint64)
    )
    return found, rows_in_giants, int(sizes.max(initial=0))


def plan(passes: list[Pass], part: Any, rows: int) -> list[PassReport]:
    """Pairs per pass from block sizes alone: nothing is compared."""
    bits = row_bits(rows)
    told = []
    for each in passes:
        packed = packed_keys(keys_of(part(name) for name in each.on), bits)
        _, sizes = _runs(packed, bits)
        inside = sizes[sizes <= each.at_most].astype(np.int64)
        giant = sizes[sizes > each.at_most].astype(np.int64)
        told.append(
            PassReport(
                " + ".join(each.on), int((inside * (inside - 1) // 2).sum()), -1,
                int(sizes.max(initial=0)), int((giant * (giant - 1) // 2).sum()),
            )
        )  # fmt: skip
    return told


def candidates(passes: list[Pass], part: Any, rows: int) -> tuple[Array, Array, list[PassReport]]:
    """All pairs of all passes, each once, sorted: left rows, right rows (uint32), and what each pass brought.

    `part(name)` gives a part as uint64 per record.
    """
    bits = row_bits(rows)
    counts, largest, left_out = [], [], []
    # Memory that grows where it is: joined from a list, all pairs would stand there twice.
    room, used = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), 0
    # Linux: large pages, a tenth fewer page faults of a whole run.
    if hasattr(mmap, "MADV_HUGEPAGE"):
        room.madvise(mmap.MADV_HUGEPAGE)
    for number, each in enumerate(passes):
        keys = keys_of(part(name) for name in each.on)
        found, giants, size = pairs_of_pass(packed_keys(keys, bits), bits, each.at_most)
        lost = 0
        if len(giants):
            lost = _pairs_inside(keys[giants.astype(np.int64)])
            if each.split:
                inside = np.zeros(rows, bool)
                inside[giants.astype(np.int64)] = True
                finer = keys_of([keys, *(part(name) for name in each.split)])
                finer[~inside] = 0
                more, _, _ = pairs_of_pass(packed_keys(finer, bits), bits, each.at_most)
                found += more
                lost -= sum(map(len, more))
        counts.append(sum(map(len, found)))
        largest.append(size)
        left_out.append(lost)
        for some in found:
            some <<= PASS_BITS
            some |= np.uint64(number)
            if used + some.nbytes > len(room):
                room.resize(max(used + some.nbytes, len(room) * 5 // 4))
            room[used : used + some.nbytes] = some.data.cast("B")
            used += some.nbytes
        del found, keys
    pairs = np.frombuffer(room, np.uint64, used // 8)
    pairs.sort()
    first = np.ones(len(pairs), bool)
    for at in range(1, len(pairs), STEP):
        some = pairs[at - 1 : at + STEP] >> PASS_BITS
        first[at : at + STEP] = some[1:] != some[:-1]
    pairs = pairs[first]
    del first
    gains = np.zeros(len(passes), np.int64)
    left, right = np.empty(len(pairs), np.uint32), np.empty(len(pairs), np.uint32)
    mask = (np.uint64(1) << bits) - np.uint64(1)
    for at in range(0, len(pairs), STEP):
        part_of = slice(at, at + STEP)
        some = pairs[part_of]
        gains += np.bincount((some & np.uint64(31)).astype(np.int64), minlength=len(passes))
        right[part_of] = (some >> PASS_BITS) & mask
        left[part_of] = some >> (PASS_BITS + bits)
    told = [
        PassReport(" + ".join(p.on), counts[i], int(gains[i]), largest[i], left_out[i])
        for i, p in enumerate(passes)
    ]
    return left, right, told


def _pairs_inside(keys: Array) -> int:
    _, sizes = np.unique(keys, return_counts=True)
    return int((sizes.astype(np.int64) * (sizes.astype(np.int64) - 1) // 2).sum())
