"""Weights learnt without labels: ECM on a bounded sample, held in place by anchors.

Plain EM on all candidate pairs finds the wrong two classes once there are millions of records. So
each field's m is learnt on pairs that *another* field proves (nearly) to be one person, beside as many random
pairs; u comes from random pairs and, where agreement is weighed by rarity, from the values themselves.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from datasach.link.block import keys_of, packed_keys, pairs_of_pass, row_bits
from datasach.link.compare import Comparison
from datasach.link.comparisons import Comparisons
from datasach.link.ecm import ESTIMATORS
from datasach.link.encode import Array
from datasach.link.learn_lookalikes import learn_lookalikes
from datasach.link.weigh import Model, Scorer, kin_model, level_shares, shares_of
from datasach.spec.matching import Matching

RANDOM_PAIRS = 400_000
ECM_PAIRS = 30_000
FEW = 200
START = {"same": 0.9, "close": 0.05, "near": 0.04}
"""m where nothing could be learnt: an assumption, marked as one in the model."""


def learn(document: Matching, comparisons: Comparisons, part: Any, rows: int) -> Model:
    """A model for these records. `part(name)` gives a blocking part as uint64 per record."""
    sizes = [len(each.levels) for each in comparisons.each]
    names = [each.name for each in comparisons.each]
    left, right = _random_pairs(rows)
    strangers = comparisons.levels(left, right)
    random_counts = level_shares(strangers, sizes)
    u = {
        each.name: shares_of(each, counts)
        for each, counts in zip(comparisons.each, random_counts, strict=True)
    }
    kin = kin_model(document.kin, comparisons, u) if document.kin else {}
    totals = {name: np.zeros(size) for name, size in zip(names, sizes, strict=True)}
    told: dict[str, Any] = {"records": rows, "anchors": {}}
    anchored = [_packed(anchor, part, rows) for anchor in document.train.anchors]
    for anchor, packed in zip(document.train.anchors, anchored, strict=True):
        # Blocks of more than four are as likely a shared number as a person.
        a, b = _pairs(packed, rows, document.train.sample, 4)
        told["anchors"][" + ".join(anchor)] = len(a)
        if len(a) < FEW:
            continue
        columns = {name.split(".")[0] for name in anchor}
        free = [i for i, name in enumerate(names) if name.split(".")[0] not in columns]
        levels = comparisons.levels(a, b, free)
        take = min(len(a), len(left), ECM_PAIRS)
        some = np.linspace(0, len(a) - 1, take).astype(np.int64)
        compared = [comparisons.each[i] for i in free]
        shares = ESTIMATORS[document.train.estimator](
            [_in_group(c)[level[some]] for c, level in zip(compared, levels, strict=True)],
            [_in_group(c)[strangers[i][:take]] for c, i in zip(compared, free, strict=True)],
            [_first_group(c, kin[c.name]) for c in compared] if kin else None,
        )
        for i, level, table in zip(free, levels, shares, strict=True):
            if len(comparisons.each[i].groups) > 1:
                # What another comparison finds would count twice: only how levels of one group compare is learnt.
                table = np.bincount(level, minlength=sizes[i] + 1) / len(level)
            # An anchor speaks by how many pairs it has, but none drowns the others.
            totals[names[i]][: len(table) - 1] += table[1:] * min(len(a), 20_000)
    m, assumed = {}, []
    for name, each in zip(names, comparisons.each, strict=True):
        if totals[name].sum():
            m[name] = shares_of(each, totals[name], 1e-4)
        else:
            assumed.append(name)
            plainly = [each.levels[place - 1] for place in _in_group(each)[1:]]
            m[name] = shares_of(
                each, 1000 * np.array([START.get(level, 0.01) for level in plainly])
            )
    told["assumed"] = assumed
    matches = _matches_per_record(anchored[:3], rows)
    model = Model(
        document.version, m, u, matches, kin, document.kin.pairs_per_record if document.kin else 0.0,
        learnt_on=told,
    )  # fmt: skip
    told["lookalikes"] = {}
    scorer = Scorer(comparisons, model, rows)
    sample = document.train.sample
    for group in document.lookalikes:
        pairs = _pairs(_packed(group.agree, part, rows), rows, 2 * sample, 40)
        found, told["lookalikes"][group.id] = learn_lookalikes(group, scorer, pairs, sample // 2)
        if found:
            model.lookalikes.append(found)
    return model


def _in_group(each: Comparison) -> Array:
    """Level → its place in its group of levels; 0 stays 0."""
    place = np.zeros(len(each.levels) + 1, np.uint8)
    for group in each.groups:
        place[list(group)] = np.arange(1, len(group) + 1)
    return place


def _first_group(each: Comparison, shares: list[float]) -> Array:
    """Of a comparison whose levels stand in groups, the first group's probabilities."""
    return np.array(shares)[np.array(each.groups[0]) - 1]


def relearn(model: Model, scorer: Scorer, left: Array, right: Array) -> Model:
    """The model with m learnt again on these pairs of one person's records each."""
    levels = scorer.levels(left, right)
    counts = level_shares(levels, [len(each.levels) for each in scorer.comparisons.each])
    m = {
        each.name: shares_of(each, c, 1e-4)
        for each, c in zip(scorer.comparisons.each, counts, strict=True)
    }
    return replace(model, m=m, learnt_on={**model.learnt_on, "refined_on": len(left)})


def _random_pairs(rows: int) -> tuple[Array, Array]:
    """Pairs of rows that nothing brought together; the same ones every time."""
    many = min(RANDOM_PAIRS, rows * (rows - 1) // 2)
    draw = np.random.default_rng(20260101)
    # In order, so that the left side of them is read from one end of memory to the other.
    left = np.sort(draw.integers(0, rows, many))
    right = (left + draw.integers(1, rows, many)) % rows
    return np.minimum(left, right), np.maximum(left, right)


def _packed(on: list[str], part: Any, rows: int) -> Array:
    """Rows sorted by what they have in these parts, as `packed_keys` makes them."""
    return packed_keys(keys_of(part(name) for name in on), row_bits(rows))


def _packed_pairs(packed: Array, bits: np.uint64, at_most: int) -> Array:
    found, _, _ = pairs_of_pass(packed, bits, at_most)
    return np.concatenate(found) if found else np.zeros(0, np.uint64)


def _pairs(packed: Array, rows: int, sample: int, at_most: int) -> tuple[Array, Array]:
    """Pairs of rows with one key, evenly chosen where there are more than `sample`."""
    bits = row_bits(rows)
    pairs = _packed_pairs(packed, bits, at_most)
    if len(pairs) > sample:
        pairs.sort()
        pairs = pairs[np.linspace(0, len(pairs) - 1, sample).astype(np.int64)]
    return (pairs >> bits).astype(np.int64), (
        pairs & ((np.uint64(1) << bits) - np.uint64(1))
    ).astype(np.int64)


def _matches_per_record(anchored: list[Array], rows: int) -> float:
    """Pairs of one person per record, from two anchors that miss independently (Lincoln and Petersen)."""
    sets = [np.sort(_packed_pairs(packed, row_bits(rows), 8)) for packed in anchored]
    best = max((len(s) for s in sets), default=0)
    for i, a in enumerate(sets):
        for b in sets[i + 1 :]:
            merged = np.concatenate([a, b])
            merged.sort()
            both = int((merged[1:] == merged[:-1]).sum())
            if both >= FEW:
                best = max(best, len(a) * len(b) // both)
    return min(max(best / rows, 1e-3), 20.0)
