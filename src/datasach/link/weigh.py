"""How much a pair's agreement is worth, in bits (log2 of odds), after Fellegi and Sunter.

    weight = prior + sum over comparisons of log2(m / u)

m: how often one person's two records agree so; u: how often two strangers' do. Three things are added to the
textbook, each against a way to put two people together:

* agreeing on a rare value counts for more than on a common one (u is the value's own share);
* the prior falls with the number of records, so a threshold means the same at a thousand and at 26 million;
* a non-match is a stranger, *or kin, or a lookalike*: people of one household share phone, commune, surname and
  mother; namesakes share name and birth date, twins all but the given name, and ids show how many there are. Each
  is an explanation of its own, weighed beside the others: weight = -log2(sum of 2^-weight against each).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from datasach.link.compare import Comparison
from datasach.link.compare_names import REORDERED
from datasach.link.comparisons import Comparisons
from datasach.link.encode import EIGHTHS, Array
from datasach.spec.matching import Kin

CHUNK = 1 << 18
"""Pairs at a time: what one step reads stays in the processor's cache."""
FLOOR = 1e-5
STEP = 4.0
OFFSET = 6
"""Steps below log2 of the number of records that are told apart."""


@dataclass
class Lookalike:
    """One way in which two different people look like one, as measured."""

    id: str
    same: dict[str, list[str]]
    """Comparison → levels at which both must be."""
    odds: list[float]
    """Bits of odds that two such records are one person, by the rarity of what they share less log2 of the number
    of records, in steps of STEP bits: what is rare in a province is not in a nation."""
    levels: dict[str, list[float]]
    """Other comparisons → probability of each level for two different people …"""
    by_step: dict[str, list[list[float]]] = field(default_factory=dict)
    """… and those of which it depends on the rarity: the same for each step of the odds."""


@dataclass
class Model:
    """What was learnt, versioned and readable; frozen, so that a threshold means the same tomorrow."""

    version: str
    m: dict[str, list[float]]
    """Comparison → probability of each level (from "same" on) for one person's two records."""
    u: dict[str, list[float]]
    """The same for two strangers; for levels whose values are weighed by rarity, their mean."""
    matches_per_record: float
    """Pairs of one person's records, per record: the prior is 2·this / records."""
    kin: dict[str, list[float]] = field(default_factory=dict)
    kin_per_record: float = 0.0
    lookalikes: list[Lookalike] = field(default_factory=list)
    learnt_on: dict[str, Any] = field(default_factory=dict)

    def prior_bits(self, records: int) -> float:
        return float(np.log2(2 * self.matches_per_record / max(records, 2)))

    def kin_prior_bits(self) -> float:
        """Log2 of how many pairs of one person there are to one pair of kin."""
        return (
            float(np.log2(self.matches_per_record / self.kin_per_record))
            if self.kin_per_record
            else 99.0
        )

    def save(self, path: Path) -> None:
        rounded = {
            "version": self.version, "matches_per_record": round(self.matches_per_record, 6),
            "kin_per_record": self.kin_per_record,
            "lookalikes": [
                {**asdict(each), "odds": [round(o, 3) for o in each.odds],
                 "levels": {name: [round(p, 9) for p in shares] for name, shares in each.levels.items()},
                 "by_step": {name: [[round(p, 9) for p in shares] for shares in table]
                             for name, table in each.by_step.items()}}
                for each in self.lookalikes
            ],
            **{
                name: {each: [round(p, 9) for p in shares] for each, shares in table.items()}
                for name, table in (("m", self.m), ("u", self.u), ("kin", self.kin))
            },
            "learnt_on": self.learnt_on,
        }  # fmt: skip
        path.write_text(json.dumps(rounded, ensure_ascii=False, indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> Model:
        told = json.loads(path.read_text("utf-8"))
        told["lookalikes"] = [Lookalike(**each) for each in told["lookalikes"]]
        return cls(**told)


class Scorer:
    """Weights of pairs under one model: level tables in bits, and rarity where values are the same."""

    def __init__(self, comparisons: Comparisons, model: Model, records: int) -> None:
        self.comparisons = comparisons
        self.model = model
        self.records = records
        self.prior = model.prior_bits(records)
        self.kin_prior = model.kin_prior_bits()
        self._bits: list[Array] = []
        self._eighths: list[Array] = []
        """Level → bits for each eighth of a bit by which the value is rare: none where values are not the same."""
        self._kin: list[Array] = []
        for each in comparisons.each:
            m, u = np.array(model.m[each.name]), np.array(model.u[each.name])
            bits = np.log2(m / u)
            if each.rarity is not None:
                for level in each.same:
                    bits[level - 1] = np.log2(m[level - 1])
            self._bits.append(np.r_[0.0, bits].astype(np.float32))
            eighths = np.zeros(len(each.levels) + 1, np.float32)
            eighths[list(each.same)] = 1 / EIGHTHS
            self._eighths.append(eighths)
            kin = np.array(model.kin.get(each.name, model.u[each.name]))
            self._kin.append(np.r_[0.0, np.log2(m / kin)].astype(np.float32))
        self.names = [each.name for each in comparisons.each]
        self._lookalikes = [self._table(each) for each in model.lookalikes]

    def _table(self, lookalike: Lookalike) -> tuple[Lookalike, list[Array | None], Array]:
        shares: dict[str, Any] = {**lookalike.levels, **lookalike.by_step}
        tables = [
            level_bits(self.model.m[name], shares[name]) if name in shares else None
            for name in self.names
        ]
        return lookalike, tables, np.array(lookalike.odds, np.float32)

    def levels(self, left: Array, right: Array) -> list[Array]:
        return self.comparisons.levels(left, right)

    def bits(self, left: Array, levels: list[Array]) -> list[Array]:
        """Bits of every comparison against strangers, rarity included."""
        found = []
        for number, (each, level) in enumerate(zip(self.comparisons.each, levels, strict=True)):
            bits = self._bits[number][level]
            if each.rarity is not None:
                bits += self._eighths[number][level] * each.rarity[left]
            found.append(bits)
        for name, (surname, middle, given) in self.comparisons.trio.items():
            all_same = (levels[surname] == 1) & (levels[middle] == 1)
            all_same &= (levels[given] > 0) & (levels[given] <= 3)
            habit = self.comparisons.habit[name][left] * np.float32(1 / EIGHTHS)
            found[given] = found[given] - np.where(all_same, habit, np.float32(0))
            # Words in another order: the given name's weight stands for the whole name.
            reordered = np.flatnonzero(levels[given] == REORDERED)
            if len(reordered):
                rows = left[reordered]
                alone = self.comparisons.each[given].rarity
                assert alone is not None
                whole = self.comparisons.whole_name[name][rows].astype(np.float32)
                found[given][reordered] += (whole - alone[rows]) / np.float32(EIGHTHS)
        return found

    def kin_bits(self, levels: list[Array]) -> Array:
        total = np.zeros(len(levels[0]), np.float32)
        for table, level in zip(self._kin, levels, strict=True):
            total += table[level]
        return total

    def weigh(
        self, left: Array, right: Array, enough: float = -np.inf
    ) -> tuple[Array, list[Array]]:
        """Match weights in bits of pairs of rows, and the levels they come from.

        Below `enough` it is the weight against strangers alone: what kin and lookalikes take away lowers it further.
        """
        levels = self.levels(left, right)
        weight = np.zeros(len(left), np.float32)
        for bits in self.bits(left, levels):
            weight += bits
        weight += np.float32(self.prior)
        likely = np.flatnonzero(weight >= enough)
        some = [level[likely] for level in levels]
        weight[likely] = self._against_others(weight[likely], some, left[likely])
        return weight, levels

    def lookalike_bits(self, number: int, left: Array, levels: list[Array]) -> tuple[Array, Array]:
        """Positions of pairs that are alike in this way, and their weight against being two people who are."""
        lookalike, tables, odds = self._lookalikes[number]
        at = np.flatnonzero(self.are_alike(lookalike.same, levels))
        shared = self.rarity_of_shared(lookalike.same, left[at], [level[at] for level in levels])
        step = steps(shared, self.records, len(odds))
        total = odds[step]
        for table, level in zip(tables, levels, strict=True):
            if table is not None:
                total = total + (table[level[at]] if table.ndim == 1 else table[step, level[at]])
        return at, total

    def are_alike(self, same: dict[str, list[str]], levels: list[Array]) -> Array:
        """Which pairs are at these levels. A whole name in another order is the same whole name."""
        agree = np.ones(len(levels[0]), bool)
        for name, wanted in same.items():
            i = self.names.index(name)
            table = np.zeros(len(self.comparisons.each[i].levels) + 1, bool)
            table[[self.comparisons.each[i].levels.index(level) + 1 for level in wanted]] = True
            fits = table[levels[i]]
            for surname, middle, given in self.comparisons.trio.values():
                if i in (surname, middle) and "reordered" in same.get(self.names[given], []):
                    fits = fits | (levels[given] == REORDERED)
            agree &= fits
        return agree

    def rarity_of_shared(
        self, same: dict[str, list[str]], left: Array, levels: list[Array]
    ) -> Array:
        """Bits that what both share is worth against strangers: the rarer, the fewer people look so alike."""
        total = np.zeros(len(left), np.float32)
        done = set()
        for surname, middle, given in self.comparisons.trio.values():
            if all(self._shares_values(i, same) for i in (surname, middle, given)):
                total += self.comparisons.whole_name[self.names[given]][left] / np.float32(EIGHTHS)
                done = {surname, middle, given}
        for name in same:
            i = self.names.index(name)
            each = self.comparisons.each[i]
            if i in done or not self._shares_values(i, same):
                continue
            bits = np.r_[0.0, -np.log2(np.array(self.model.u[name]))].astype(np.float32)[levels[i]]
            if each.rarity is not None:
                equal = np.isin(levels[i], each.same)
                bits = np.where(equal, each.rarity[left] / np.float32(EIGHTHS), bits)
            total += bits
        return total

    def _shares_values(self, i: int, same: dict[str, list[str]]) -> bool:
        """Whether two that are alike in this way have one value here, or one of which nothing else is known."""
        each = self.comparisons.each[i]
        wanted = same.get(each.name, [])
        return bool(wanted) and (
            each.levels.index(wanted[0]) + 1 in each.same or each.rarity is None
        )

    def _against_others(self, weight: Array, levels: list[Array], left: Array) -> Array:
        """Weight of pairs against strangers, which is given, kin and lookalikes together."""
        doubt = -weight
        if self.model.kin_per_record:
            kin = self.kin_bits(levels) + np.float32(self.kin_prior)
            doubt = np.logaddexp2(doubt, -kin)
        for number in range(len(self._lookalikes)):
            at, alike = self.lookalike_bits(number, left, levels)
            doubt[at] = np.logaddexp2(doubt[at], -alike)
        return -doubt


def level_bits(m: Any, shares: Any) -> Array:
    """Bits of each level from 0, which says nothing: levels, or steps x levels where `shares` are."""
    bits = np.log2(np.array(m) / np.array(shares)).astype(np.float32)
    return np.concatenate([np.zeros((*bits.shape[:-1], 1), np.float32), bits], axis=-1)


def steps(shared: Array, records: int, size: int | None = None) -> Array:
    """Which step of `Lookalike.odds` a rarity falls into among so many records."""
    step = ((shared - np.log2(max(records, 2))) / STEP + OFFSET).astype(np.int64)
    return np.clip(step, 0, None if size is None else size - 1)


def level_shares(scorer_levels: list[Array], sizes: list[int]) -> list[Array]:
    """Counts of levels 1… of each comparison (level 0, not known, is left out)."""
    return [
        np.bincount(levels, minlength=size + 1)[1 : size + 1].astype(float)
        for levels, size in zip(scorer_levels, sizes, strict=True)
    ]


def shares_of(each: Comparison, counts: Array, floor: float = FLOOR) -> list[float]:
    """Counts of the levels of a comparison as probabilities that add up to one in each of its groups."""
    shares = np.empty(len(counts))
    for group in each.groups:
        at = np.array(group) - 1
        shares[at] = smoothed(counts[at], floor)
    return [float(share) for share in shares]


def smoothed(counts: Array, floor: float = FLOOR) -> list[float]:
    """Counts as probabilities, none of them zero."""
    total = counts.sum()
    if not total:
        return [1 / len(counts)] * len(counts)
    shares = np.maximum((counts + 0.5) / (total + 0.5 * len(counts)), floor)
    return list(shares / shares.sum())


def kin_model(
    kin: Kin, comparisons: Comparisons, u: dict[str, list[float]]
) -> dict[str, list[float]]:
    """Levels of two different people of one household: what the document says, the rest as for strangers."""
    return {
        each.name: assumed_shares(each, kin.levels.get(each.name, {}), u[each.name])
        for each in comparisons.each
    }


def assumed_shares(each: Comparison, told: dict[str, float], strangers: list[float]) -> list[float]:
    """Probability of each level where a document says that of some ("same": of all that are the same, unless told apart)."""
    shares = np.array(strangers)
    fixed = np.zeros(len(shares), bool)
    for group in each.groups:
        inside = np.zeros(len(shares), bool)
        inside[np.array(group) - 1] = True
        for level, probability in told.items():
            at = [n - 1 for n in each.same] if level == "same" else [each.levels.index(level)]
            at = [n for n in at if inside[n]]
            shares[at] = probability * shares[at] / shares[at].sum()
            fixed[at] = True
        rest = inside & ~fixed
        if told and rest.any():
            shares[rest] *= (1 - shares[inside & fixed].sum()) / shares[rest].sum()
    return [float(share) for share in shares]
