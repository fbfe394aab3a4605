"""From weighed pairs to persons: loose components, every pair inside weighed, then average linkage.

A component of single links lets one bad edge join two people. So inside every component all pairs are
weighed, also those no pass had brought together, and its records are put together step by step: the two
groups whose records agree best first (between their average pair and their best), never against a conflict, and
only while that stays above the threshold. Components of one size are worked on together, as one
array.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
CAP = 40.0
"""Bits above which agreement does not outweigh more disagreement elsewhere."""
FLOOR = -30.0
"""Bits below which disagreement counts no more."""
NEVER = np.float32(-1e9)
"""Weight of a pair that must not be one person …"""
ALWAYS = np.float32(1e6)
"""… and of one that people joined."""
GONE = np.float32(-4e9)
"""Weight of a group with itself, and of one that was put into another."""
LEAN = 0.65
"""How far the weight of two groups leans from their average pair to the best: what is wrong with one record pulls the
average down, and of groups with one average those whose best pair is better are more often one person. Ours: decisions
46 and 47."""
FURTHEST = 10.0
"""Bits by which the best pair is better than the average, at most, as far as it counts."""
LARGEST = 250
"""Records of one component; a larger one is cut at a higher weight first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Bits that are asked before two groups of records are put together."""

    join: float
    loose: float = 0.0
    """Bits from which a pair holds a component together."""
    doubling: float = 0.0
    """Bits less for each doubling of the pairs of records between the groups."""
    unidentified: float = 0.0
    """Bits more where neither group shows an id."""


def components(rows: int, left: Array, right: Array) -> Array:
    """The smallest row of every row's component, int32.

    Every row takes the smallest label it meets, then the label of its label, until none changes: a handful of
    rounds. (SciPy does it as fast, and costs a quarter of a second to import.)
    """
    label = np.arange(rows, dtype=np.int32)
    while len(left):
        a, b = label[left], label[right]
        differ = a != b
        left, right, a, b = left[differ], right[differ], a[differ], b[differ]
        np.minimum.at(label, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(label, further := label[label]):
            label = further
    return label


def partition(
    rows: int,
    left: Array,
    right: Array,
    weight: Array,
    weigh: Callable[[Array, Array], Array],
    asked: Asked,
    shows_id: Array | None = None,
) -> Array:
    """Person number (the smallest row of the person) of every row. `shows_id`: which rows do (None: all).

    `weigh(left, right)` gives the weight of any pair of rows, NEVER where a conflict forbids it, and what it gives
    for the pairs here is `weight`.
    """
    person = np.arange(rows, dtype=np.int64)
    keep = weight >= asked.loose
    left, right, weight = left[keep], right[keep], weight[keep]
    met = np.zeros(rows, bool)
    met[left] = met[right] = True
    nodes = np.flatnonzero(met)
    if not len(nodes):
        return person
    place = np.cumsum(met, dtype=np.int32) - 1
    a, b = place[left], place[right]
    label = _bounded_components(len(nodes), a, b, weight)
    weight_of = np.full(len(nodes), NEVER, np.float32)
    inside = label[a] == label[b]
    weight_of[label[a[inside]]] = weight[inside]
    order = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(label[order]) != 0])
    sizes = np.diff(np.r_[starts, len(order)])
    shown = np.ones(len(nodes), bool) if shows_id is None else shows_id[nodes]
    weigh_new = _remembering(left, right, weight, weigh)
    for size in np.unique(sizes[sizes > 1]):
        places = order[starts[sizes == size][:, None] + np.arange(size)]
        members, known = nodes[places], shown[places]
        if size == 2:
            # Most persons: one pair, and its weight is known.
            more = np.where(known.any(axis=1), 0, asked.unidentified)
            one = weight_of[label[places[:, 0]]] >= asked.join + more
            person[members[one, 1]] = members[one, 0]
            continue
        step = max(1, 4_000_000 // (size * size))
        for at in range(0, len(members), step):
            some = members[at : at + step]
            first = _agglomerate(some, known[at : at + step], weigh_new, asked)
            person[some] = np.take_along_axis(some, first, axis=1)
    return person


def _remembering(
    left: Array, right: Array, weight: Array, weigh: Callable[[Array, Array], Array]
) -> Callable[[Array, Array], Array]:
    """`weigh`, asked only for pairs (left < right) that are not among these."""
    known = (left.astype(np.uint64) << np.uint64(32)) | right.astype(np.uint64)
    if (known[1:] < known[:-1]).any():
        order = np.argsort(known)
        known, weight = known[order], weight[order]

    def weigh_new(a: Array, b: Array) -> Array:
        asked = (a.astype(np.uint64) << np.uint64(32)) | b.astype(np.uint64)
        at = np.minimum(np.searchsorted(known, asked), len(known) - 1)
        found = weight[at].astype(np.float32)
        new = np.flatnonzero(known[at] != asked)
        found[new] = weigh(a[new], b[new])
        return found

    return weigh_new


def _bounded_components(size: int, a: Array, b: Array, weight: Array) -> Array:
    """Components of at most LARGEST records: where one is larger, its weakest edges are raised out first."""
    label = components(size, a, b)
    cut = 0.0
    while True:
        counts = np.bincount(label)
        if counts.max(initial=0) <= LARGEST:
            return label
        cut += 2.0
        big = counts[label[a]] > LARGEST
        keep = ~big | (weight >= cut)
        a, b, weight = a[keep], b[keep], weight[keep]
        label = components(size, a, b)
        if cut > 60:
            return label


def _agglomerate(
    members: Array, shown: Array, weigh: Callable[[Array, Array], Array], asked: Asked
) -> Array:
    """Position (in its component) of the first record of each record's person; components x size, int64.

    `shown`: which of the members show an id.
    """
    count, size = members.shape
    i, j = np.triu_indices(size, 1)
    flat = weigh(members[:, i].ravel(), members[:, j].ravel()).reshape(count, len(i))
    never, always = flat <= NEVER / 2, flat >= ALWAYS / 2
    flat = np.clip(flat, FLOOR, CAP).astype(np.float32)
    flat[never], flat[always] = NEVER, ALWAYS
    first = np.tile(np.arange(size), (count, 1))
    # Nothing to decide where every pair agrees.
    plain = (flat >= asked.join + asked.unidentified).all(axis=1)
    first[plain] = 0
    todo = np.flatnonzero(~plain)
    if not len(todo):
        return first
    mean = np.full((len(todo), size, size), GONE, np.float32)
    mean[:, i, j] = flat[todo]
    mean[:, j, i] = flat[todo]
    best = mean.copy()
    weight = np.ones((len(todo), size), np.float32)
    shown = shown[todo]
    group = np.tile(np.arange(size), (len(todo), 1))
    alive = np.arange(len(todo))
    while len(alive):
        likely = mean[alive]
        likely += np.clip(best[alive] - likely, 0, FURTHEST) * LEAN
        # What must not be has so many bits against it that these change nothing of it.
        larger = np.log2(weight[alive]) * np.float32(asked.doubling)
        likely += larger[:, :, None] + larger[:, None, :]
        likely[~(shown[alive, :, None] | shown[alive, None, :])] -= np.float32(asked.unidentified)
        at = likely.reshape(len(alive), -1).argmax(axis=1)
        x, y = np.minimum(at // size, at % size), np.maximum(at // size, at % size)
        good = likely.reshape(len(alive), -1)[np.arange(len(alive)), at] >= asked.join
        alive, x, y = alive[good], x[good], y[good]
        if not len(alive):
            break
        nx, ny = weight[alive, x][:, None], weight[alive, y][:, None]
        row_x, row_y = mean[alive, x], mean[alive, y]
        joined = (nx * row_x + ny * row_y) / (nx + ny)
        joined[(row_x <= NEVER / 2) | (row_y <= NEVER / 2)] = NEVER
        joined[(row_x <= GONE) | (row_y <= GONE)] = GONE
        mean[alive, x] = joined
        mean[alive, :, x] = joined
        strongest = np.maximum(best[alive, x], best[alive, y])
        best[alive, x] = strongest
        best[alive, :, x] = strongest
        mean[alive, y] = GONE
        mean[alive, :, y] = GONE
        weight[alive, x] += weight[alive, y]
        shown[alive, x] |= shown[alive, y]
        moved = group[alive] == y[:, None]
        group[alive] = np.where(moved, x[:, None], group[alive])
    first[todo] = group
    return first


def pairs_inside(person: Array, at_most: int) -> tuple[Array, Array]:
    """Pairs of rows of one person, evenly chosen where there are more than `at_most`."""
    order = np.argsort(person, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(person[order]) != 0])
    sizes = np.diff(np.r_[starts, len(order)])
    lefts, rights = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for size in np.unique(sizes[sizes > 1]):
        members = order[starts[sizes == size][:, None] + np.arange(size)]
        i, j = np.triu_indices(size, 1)
        lefts.append(members[:, i].ravel())
        rights.append(members[:, j].ravel())
    left, right = np.concatenate(lefts), np.concatenate(rights)
    if len(left) > at_most:
        some = np.linspace(0, len(left) - 1, at_most).astype(np.int64)
        left, right = left[some], right[some]
    return np.minimum(left, right), np.maximum(left, right)
