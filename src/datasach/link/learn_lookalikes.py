"""How many pairs of records that look alike are two people, and what else two such people share.

Where ids tell a pair apart (or together) it is known. Where they do not, it is expected: what one person's records
agree on was learnt before, so EM over known and unknown pairs has to find only the other class, and a few known pairs
say which of what is left over is two people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from datasach.link.compare import Comparison
from datasach.link.encode import Array
from datasach.link.weigh import (
    Lookalike,
    Scorer,
    assumed_shares,
    level_bits,
    shares_of,
    smoothed,
    steps,
)
from datasach.spec.matching import Lookalikes

ENOUGH = 20
"""Pairs of two people, known or expected, below which nothing is learnt of them."""
FEW = 20
"""As many pairs count what two people share at all steps, beside what they share at one."""
MANY = 1000
"""As many pairs count what one person's records agree on elsewhere, beside those that are alike."""
ROUNDS = 100
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
    told = patterns["told"].to_numpy()
    weight = patterns["pairs"].to_numpy() * stands_for[told]
    levels = {name: patterns[name].to_numpy().astype(np.intp) for name in names}
    two_people = _TwoPeople(lookalikes, scorer, patterns["step"].to_numpy(), levels)
    known = {
        "same": round(float(weight[told == 1].sum())),
        "different": round(float(weight[told == 2].sum())),
    }
    if not known["different"]:
        return None, known
    # Probability of one person: known pairs first, of which the others are then expected.
    one = np.where(told == 1, 1.0, 0.0)
    found = two_people.estimated(weight * (told > 0), one)
    m = {name: np.array(scorer.model.m[name]) for name in names}
    for _ in range(ROUNDS):
        evidence = two_people.evidence(found, m)
        expected = np.where(told == 0, 1 / (1 + np.exp2(-evidence)), one)
        moved = np.abs(expected - one)[told == 0].max(initial=0)
        one = expected
        found = two_people.estimated(weight, one)
        m |= two_people.one_person(weight * one)
        if moved < CLOSE:
            break
    two = float((weight * (1 - one)).sum())
    counts = {**known, "expected_different": round(two)}
    return (found if two >= ENOUGH else None), counts


@dataclass(frozen=True, slots=True)
class _TwoPeople:
    """Patterns of pairs that are alike in one way, and what is estimated from how often each is one person or two."""

    lookalikes: Lookalikes
    scorer: Scorer
    step: Array
    levels: dict[str, Array]

    def estimated(self, weight: Array, one: Array) -> Lookalike:
        """Odds by rarity and levels of two people; `one`: share of each pattern's pairs that are one person."""
        size = int(self.step.max(initial=0)) + 1
        of_two = weight * (1 - one)
        odds = rising_odds(
            np.bincount(self.step, weight * one, size), np.bincount(self.step, of_two, size)
        )
        found = Lookalike(self.lookalikes.id, self.lookalikes.same, [float(x) for x in odds], {})
        for name, level in self.levels.items():
            if name in self.lookalikes.assumed:
                found.levels[name] = assumed_shares(
                    self._compared(name),
                    self.lookalikes.assumed[name],
                    self.scorer.model.u[name],
                )
                continue
            shares = _shares(self.lookalikes, self.scorer, name, level, of_two)
            if name in self.lookalikes.by_rarity:
                found.by_step[name] = self._by_step(name, of_two, shares, size)
            else:
                found.levels[name] = shares
        return found

    def _by_step(
        self, name: str, of_two: Array, of_all: list[float], size: int
    ) -> list[list[float]]:
        each, wide = self._compared(name), len(of_all) + 1
        at = self.step * wide + self.levels[name]
        counts = np.bincount(at, of_two, size * wide).reshape(size, wide)[:, 1:]
        return [shares_of(each, count + FEW * np.array(of_all), 1e-4) for count in counts]

    def one_person(self, weight: Array) -> dict[str, Array]:
        """Levels of one person's records that are alike in this way.

        Of a hundred such pairs ninety-nine may be one person: were m off by a hundredth here, what it leaves over would
        outnumber two people and be taken for them.
        """
        found = {}
        for name, level in self.levels.items():
            if name not in self.lookalikes.same and name not in self.lookalikes.assumed:
                m = np.array(self.scorer.model.m[name])
                counts = np.bincount(level, weight, len(m) + 1)[1:]
                found[name] = np.array(shares_of(self._compared(name), counts + MANY * m, 1e-4))
        return found

    def evidence(self, two: Lookalike, m: dict[str, Array]) -> Array:
        """Bits for one person of every pattern."""
        total = np.array(two.odds)[self.step]
        for name, level in self.levels.items():
            bits = level_bits(m[name], two.levels.get(name) or two.by_step[name])
            total = total + (bits[level] if bits.ndim == 1 else bits[self.step, level])
        return total

    def _compared(self, name: str) -> Comparison:
        return self.scorer.comparisons.each[self.scorer.names.index(name)]


def rising_odds(same: Array, different: Array) -> Array:
    """Bits of odds of one person in each step of rarity, never falling: what is rarer is more surely one person's.

    Steps that chance has in the wrong order stand at their odds together (isotonic regression by pooling); a step without
    a pair stands at those of the next lower with one, or of the lowest. Each is given one pair at the odds of all.
    """
    share = (same.sum() + 1) / (same.sum() + different.sum() + 2)
    pools: list[tuple[float, float, int]] = []
    filled = np.flatnonzero(same + different > 0)
    for at in filled:
        pools.append((same[at] + share, different[at] + 1 - share, 1))
        while len(pools) > 1 and pools[-2][0] * pools[-1][1] > pools[-1][0] * pools[-2][1]:
            (one, two, n), (rarer_one, rarer_two, m) = pools[-2:]
            pools[-2:] = [(one + rarer_one, two + rarer_two, n + m)]
    rising = np.repeat([np.log2(one / two) for one, two, _ in pools], [n for *_, n in pools])
    below = np.searchsorted(filled, np.arange(len(same)), side="right") - 1
    return rising[np.maximum(below, 0)]


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
