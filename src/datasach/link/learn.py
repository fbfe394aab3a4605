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
from datasach.link.compare import Comparisons
from datasach.link.ecm import ESTIMATORS
from datasach.link.encode import Array
from datasach.link.weigh import Lookalike, Model, Scorer, kin_model, level_shares, smoothed, steps
from datasach.spec.matching import Lookalikes, Matching

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
    u = {name: smoothed(counts) for name, counts in zip(names, random_counts, strict=True)}
    totals = {name: np.zeros(size) for name, size in zip(names, sizes, strict=True)}
    told: dict[str, Any] = {"records": rows, "anchors": {}}
    evidence: list[tuple[set[str], int]] = []
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
        shares = ESTIMATORS[document.train.estimator](
            [level[some] for level in levels], [strangers[i][:take] for i in free]
        )
        for i, table in zip(free, shares, strict=True):
            # An anchor speaks by how many pairs it has, but none drowns the others.
            totals[names[i]][: len(table) - 1] += table[1:] * min(len(a), 20_000)
        evidence.append((columns, len(a)))
    m, assumed = {}, []
    for name, each in zip(names, comparisons.each, strict=True):
        if totals[name].sum():
            m[name] = smoothed(totals[name], 1e-4)
        else:
            assumed.append(name)
            m[name] = smoothed(1000 * np.array([START.get(level, 0.01) for level in each.levels]))
    told["assumed"] = assumed
    matches = _matches_per_record(anchored[:3], rows)
    kin = kin_model(document.kin, comparisons, u) if document.kin else {}
    model = Model(
        document.version, m, u, matches, kin, document.kin.pairs_per_record if document.kin else 0.0,
        learnt_on=told,
    )  # fmt: skip
    told["lookalikes"] = {}
    scorer = Scorer(comparisons, model, rows)
    found = [_learn_lookalike(each, document, scorer, part, rows) for each in document.lookalikes]
    model.lookalikes = [each for each in found if each]
    return model


def relearn(model: Model, scorer: Scorer, left: Array, right: Array) -> Model:
    """The model with m learnt again on these pairs of one person's records each."""
    levels = scorer.levels(left, right)
    counts = level_shares(levels, [len(each.levels) for each in scorer.comparisons.each])
    m = {name: smoothed(c, 1e-4) for name, c in zip(scorer.names, counts, strict=True)}
    return replace(model, m=m, learnt_on={**model.learnt_on, "refined_on": len(left)})


def _learn_lookalike(
    lookalikes: Lookalikes, document: Matching, scorer: Scorer, part: Any, rows: int
) -> Lookalike | None:
    """Pairs that are alike, told apart by ids: how many are one person, and what else two people share."""
    compared = scorer.comparisons
    left, right = _pairs(
        _packed(lookalikes.agree, part, rows), rows, 10 * document.train.sample, 40
    )
    same, different = _told_apart(lookalikes, scorer, left, right)
    # What is not told apart teaches nothing, and of the others only those that are alike do: what is cheap to
    # compare is asked first, names last.
    of_names = {i for trio in compared.trio.values() for i in trio}
    told = same | different
    left, right, same, different = left[told], right[told], same[told], different[told]
    for i, each in enumerate(compared.each):
        if each.name in lookalikes.same and i not in of_names:
            wanted = [each.levels.index(level) + 1 for level in lookalikes.same[each.name]]
            alike = np.isin(each.compare(left, right), wanted)
            left, right, same, different = left[alike], right[alike], same[alike], different[alike]
    unasked = np.zeros(len(left), np.uint8)
    levels = [
        each.compare(left, right) if each.name in lookalikes.same else unasked
        for each in compared.each
    ]
    alike = scorer.are_alike(lookalikes.same, levels)
    same &= alike
    different &= alike
    scorer.model.learnt_on["lookalikes"][lookalikes.id] = [int(same.sum()), int(different.sum())]
    if different.sum() < 20:
        return None
    step = steps(scorer.rarity_of_shared(lookalikes.same, left, levels), rows)
    size = int(step.max(initial=0)) + 1
    one = np.bincount(step[same], minlength=size) + 1.0
    two = np.bincount(step[different], minlength=size) + different.sum() / (same | different).sum()
    # Rarer together means more surely one person: where chance says otherwise it is levelled.
    odds = np.maximum.accumulate(np.log2(one / two))
    shares = {}
    for each in compared.each:
        if each.name in lookalikes.same:
            continue
        if each.name == lookalikes.told_apart_by[0]:
            shares[each.name] = scorer.model.u[each.name]
            continue
        level = each.compare(left[different], right[different])
        counts = level_shares([level], [len(each.levels)])[0]
        if counts.sum() >= 20:
            shares[each.name] = smoothed(counts + 5 * np.array(scorer.model.u[each.name]), 1e-4)
    return Lookalike(lookalikes.id, lookalikes.same, [float(x) for x in odds], shares)


def _told_apart(
    lookalikes: Lookalikes, scorer: Scorer, left: Array, right: Array
) -> tuple[Array, Array]:
    """Pairs that an id of their own shows to be one person, and those that it shows to be two."""
    same = np.zeros(len(left), bool)
    different = np.zeros(len(left), bool)
    for column in lookalikes.told_apart_by:
        ids = scorer.comparisons.each[scorer.names.index(column)]
        level = ids.compare(left, right)
        own = np.ones(len(left), bool)
        state = getattr(ids, "state", None)
        if state is not None:
            own = (state[left] == 1) & (state[right] == 1)
        same |= own & (level == 1)
        different |= own & (level == ids.levels.index("different") + 1)
    return same, different & ~same


def _random_pairs(rows: int) -> tuple[Array, Array]:
    """Pairs of rows that nothing brought together; the same ones every time."""
    many = min(RANDOM_PAIRS, rows * (rows - 1) // 2)
    draw = np.random.default_rng(20260101)
    left = draw.integers(0, rows, many)
    right = (left + draw.integers(1, rows, many)) % rows
    return np.minimum(left, right), np.maximum(left, right)


def _packed(on: list[str], part: Any, rows: int) -> Array:
    """Rows sorted by what they have in these parts, as `packed_keys` makes them."""
    return packed_keys(keys_of(part(name) for name in on), row_bits(rows))


def _sorted_pairs(packed: Array, bits: np.uint64, at_most: int) -> Array:
    found, _, _ = pairs_of_pass(packed, bits, at_most)
    pairs = np.concatenate(found) if found else np.zeros(0, np.uint64)
    pairs.sort()
    return pairs


def _pairs(packed: Array, rows: int, sample: int, at_most: int) -> tuple[Array, Array]:
    """Pairs of rows with one key, evenly chosen where there are more than `sample`."""
    bits = row_bits(rows)
    pairs = _sorted_pairs(packed, bits, at_most)
    if len(pairs) > sample:
        pairs = pairs[np.linspace(0, len(pairs) - 1, sample).astype(np.int64)]
    return (pairs >> bits).astype(np.int64), (
        pairs & ((np.uint64(1) << bits) - np.uint64(1))
    ).astype(np.int64)


def _matches_per_record(anchored: list[Array], rows: int) -> float:
    """Pairs of one person per record, from two anchors that miss independently (Lincoln and Petersen)."""
    sets = [_sorted_pairs(packed, row_bits(rows), 8) for packed in anchored]
    best = max((len(s) for s in sets), default=0)
    for i, a in enumerate(sets):
        for b in sets[i + 1 :]:
            merged = np.concatenate([a, b])
            merged.sort()
            both = int((merged[1:] == merged[:-1]).sum())
            if both >= FEW:
                best = max(best, len(a) * len(b) // both)
    return min(max(best / rows, 1e-3), 20.0)
