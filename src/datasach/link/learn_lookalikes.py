"""How many pairs of records that look alike are two people, and what else two such people share.

Where ids tell a pair apart (or together) it is known. Where they do not, it is expected: what one person's records
agree on was learnt before, so EM over known and unknown pairs has to find only the other class, and a few known pairs
say which of what is left over is two people.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from datasach.link.encode import Array
from datasach.link.weigh import Lookalike, Scorer, shares_of, smoothed, steps
from datasach.spec.matching import Lookalikes

ENOUGH = 20
"""Pairs of two people, known or expected, below which nothing is learnt of them."""
ROUNDS = 30
CLOSE = 1e-3


def learn_lookalikes(
    lookalikes: Lookalikes, scorer: Scorer, pairs: tuple[Array, Array], sample: int
) -> tuple[Lookalike | None, dict[str, int]]:
    """One group of a document, from `pairs` that agree on its key; and how many pairs it was learnt from.

    Of pairs of one person, and of those that no id tells apart, at most `sample` are looked at; they stand for all.
    """
    left, right, told, stands_for = _sampled(
        *pairs, *_told_apart(lookalikes, scorer, *pairs), sample
    )
    compared = scorer.comparisons
    # What is cheap to compare is asked first, names last.
    of_names = {i for trio in compared.trio.values() for i in trio}
    for i, each in enumerate(compared.each):
        if each.name in lookalikes.same and i not in of_names:
            wanted = [each.levels.index(level) + 1 for level in lookalikes.same[each.name]]
            keep = np.isin(each.compare(left, right), wanted)
            left, right, told = left[keep], right[keep], told[keep]
    levels = scorer.levels(left, right)
    alike = scorer.are_alike(lookalikes.same, levels)
    left, told = left[alike], told[alike]
    levels = [level[alike] for level in levels]
    step = steps(scorer.rarity_of_shared(lookalikes.same, left, levels), scorer.records)
    others = {
        name: level
        for name, level in zip(scorer.names, levels, strict=True)
        if name not in lookalikes.same or name in lookalikes.weighed
    }
    ids = {name: others.pop(name) for name in lookalikes.told_apart_by}
    found, counts = _two_classes(lookalikes, scorer, step, told, stands_for, others)
    if found:
        # Ids are what known pairs were told apart by: of the first, strangers say what two people have …
        first, *rest = ids
        found.levels[first] = scorer.model.u[first]
        for name in rest:
            # … and of the others, those whom the first tells apart.
            found.levels[name] = _shares(lookalikes, scorer, name, ids[name], (told == 2) * 1.0)
    return found, counts


def _sampled(
    left: Array, right: Array, same: Array, different: Array, sample: int
) -> tuple[Array, Array, Array, Array]:
    """All pairs told to be two people (2), and evenly chosen ones of those told to be one (1) and of those not told (0).

    With what they are told to be, and how many pairs each of 0, 1 and 2 stands for.
    """
    told = np.where(same, 1, np.where(different, 2, 0)).astype(np.uint8)
    chosen, stands_for = [], np.ones(3)
    for kind, at_most in ((0, sample), (1, sample), (2, len(left))):
        of_kind = np.flatnonzero(told == kind)
        some = of_kind
        if len(of_kind) > at_most:
            some = of_kind[np.linspace(0, len(of_kind) - 1, at_most).astype(np.int64)]
            stands_for[kind] = len(of_kind) / at_most
        chosen.append(some)
    at = np.concatenate(chosen)
    return left[at], right[at], told[at], stands_for


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


def _two_classes(
    lookalikes: Lookalikes, scorer: Scorer, step: Array, told: Array, stands_for: Array,
    others: dict[str, Array],
) -> tuple[Lookalike | None, dict[str, int]]:  # fmt: skip
    names = list(others)
    frame = pl.DataFrame({"step": step, "told": told, **others})
    patterns = frame.group_by(frame.columns).len("pairs").sort(frame.columns)
    step, told = patterns["step"].to_numpy(), patterns["told"].to_numpy()
    weight = patterns["pairs"].to_numpy() * stands_for[told]
    levels = {name: patterns[name].to_numpy().astype(np.intp) for name in names}
    size = int(step.max(initial=0)) + 1
    known = {
        "same": round(float(weight[told == 1].sum())),
        "different": round(float(weight[told == 2].sum())),
    }
    if not known["different"]:
        return None, known
    # Probability of one person: known pairs first, of which the others are then expected.
    one = np.where(told == 1, 1.0, 0.0)
    of_known = weight * (told > 0)
    odds, shares = _estimated(lookalikes, scorer, step, size, of_known, one, levels)
    for _ in range(ROUNDS):
        evidence = odds[step]
        for name, level in levels.items():
            bits = np.r_[0.0, np.log2(np.array(scorer.model.m[name]) / np.array(shares[name]))]
            evidence = evidence + bits[level]
        expected = np.where(told == 0, 1 / (1 + np.exp2(-evidence)), one)
        moved = np.abs(expected - one)[told == 0].max(initial=0)
        one = expected
        odds, shares = _estimated(lookalikes, scorer, step, size, weight, one, levels)
        if moved < CLOSE:
            break
    two = float((weight * (1 - one)).sum())
    counts = {**known, "expected_different": round(two)}
    if two < ENOUGH:
        return None, counts
    return Lookalike(lookalikes.id, lookalikes.same, [float(x) for x in odds], shares), counts


def _estimated(
    lookalikes: Lookalikes,
    scorer: Scorer,
    step: Array,
    size: int,
    weight: Array,
    one: Array,
    levels: dict[str, Array],
) -> tuple[Array, dict[str, list[float]]]:
    """Bits of odds of one person by rarity, and the levels of two people."""
    of_one, of_two = weight * one, weight * (1 - one)
    same = np.bincount(step, of_one, size) + 1.0
    different = np.bincount(step, of_two, size) + of_two.sum() / max(weight.sum(), 1)
    # Rarer together means more surely one person: where chance says otherwise it is levelled. The lowest steps hold no
    # pair and stand at the odds of all pairs, so none is below these (decision 46 says what happens without).
    odds = np.maximum.accumulate(np.log2(same / different))
    return odds, {
        name: _shares(lookalikes, scorer, name, level, of_two) for name, level in levels.items()
    }


def _shares(
    lookalikes: Lookalikes, scorer: Scorer, name: str, levels: Array, weight: Array
) -> list[float]:
    """Shares of levels; where hardly any is known, those of strangers."""
    strangers = np.array(scorer.model.u[name])
    counts = np.bincount(levels, weight, len(strangers) + 1)[1:]
    each = scorer.comparisons.each[scorer.names.index(name)]
    if name not in lookalikes.same:
        return shares_of(each, counts + 5 * strangers, 1e-4)
    # Of pairs at some levels only, both for one person and for two: what both leave out divides out.
    at = [each.levels.index(level) for level in lookalikes.same[name]]
    shares = np.array(scorer.model.m[name])
    prior = 5 * strangers[at] / strangers[at].sum()
    shares[at] = np.array(smoothed(counts[at] + prior, 1e-4)) * shares[at].sum()
    return [float(share) for share in shares]
