"""How alike two values of one kind are, as small levels (given names: compare_names.py).

Level 0 always means "not known on one side" and says nothing. Levels are computed on arrays of pairs of row
numbers, with integer operations; strings are compared only where two *different* words meet (likeness.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from datasach.link.encode import Array
from datasach.link.likeness import Likeness


class Comparison(Protocol):
    """One comparison: its levels by name (from 1), and how to find them."""

    name: str
    levels: tuple[str, ...]
    same: tuple[int, ...]
    """Levels at which the two values are equal, so that their rarity counts."""
    rarity: Array | None

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Levels whose probabilities add up to one: all of them, or by what another comparison found."""
        return (tuple(range(1, len(self.levels) + 1)),)

    def compare(self, left: Array, right: Array) -> Array: ...


@dataclass
class SameOrDifferent(Comparison):
    name: str
    codes: Array
    rarity: Array | None = None
    levels: tuple[str, ...] = ("same", "different")
    same: tuple[int, ...] = (1,)

    def compare(self, left: Array, right: Array) -> Array:
        a, b = self.codes[left], self.codes[right]
        different = len(self.levels) - 1 and 2
        return np.where((a == 0) | (b == 0), 0, np.where(a == b, 1, different)).astype(np.uint8)


@dataclass
class Within(Comparison):
    """Same or different, by where the two live: nothing known of it, in one place, near, far."""

    name: str
    codes: Array
    place: Places
    rarity: Array | None = None
    levels: tuple[str, ...] = (
        "same",
        "different",
        "same_here",
        "different_here",
        "same_near",
        "different_near",
        "same_far",
        "different_far",
    )
    same: tuple[int, ...] = (1, 3, 5, 7)

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        return ((1, 2), (3, 4), (5, 6), (7, 8))

    def compare(self, left: Array, right: Array) -> Array:
        a, b = self.codes[left], self.codes[right]
        level = np.where(a == b, 1, 2) + 2 * self.place.compare(left, right)
        return np.where((a == 0) | (b == 0), 0, level).astype(np.uint8)


@dataclass
class Places(Comparison):
    name: str
    place: Array
    larger: Array
    rarity: Array | None = None
    levels: tuple[str, ...] = ("same", "same_larger", "different")
    same: tuple[int, ...] = (1,)

    def compare(self, left: Array, right: Array) -> Array:
        a, b = self.place[left], self.place[right]
        near = self.larger[left] == self.larger[right]
        level = np.where(a == b, 1, np.where(near, 2, 3)).astype(np.uint8)
        level[(a == 0) | (b == 0)] = 0
        return level


GUESSED_YEARS = 3
"""Who does not know his year of birth is guessed so well at a desk; ours."""


@dataclass
class Dates(Comparison):
    """same · day and month exchanged · two of day, month, year · year where one side knows no day, or wrote
    1 January · same year · different · different, also the day, and years apart by more than a guess: another age."""

    name: str
    dates: Array
    rarity: Array | None = None
    levels: tuple[str, ...] = (
        "same",
        "swapped",
        "near",
        "year_only",
        "same_year",
        "different",
        "another_age",
    )
    same: tuple[int, ...] = (1,)

    def compare(self, left: Array, right: Array) -> Array:
        a, b = self.dates[left], self.dates[right]
        x = a ^ b
        year = (x >> 9) == 0
        month_day_a, month_day_b = a & 511, b & 511
        day, month = (x & 31) == 0, (x & 480) == 0
        vague = (month_day_a == 0) | (month_day_b == 0) | (month_day_a == 33) | (month_day_b == 33)
        swapped = (((a & 31) == ((b >> 5) & 15)) & (((a >> 5) & 15) == (b & 31))) & year
        years_apart = np.abs((a >> 9) - (b >> 9))
        near = (year & (day | month)) | (day & month & _one_digit_year(a >> 9, b >> 9, years_apart))
        another = (years_apart > GUESSED_YEARS) & ~(day & month)
        level = np.where(another, 7, 6).astype(np.uint8)
        level[year] = 5
        level[near] = 3
        level[swapped] = 2
        level[year & vague] = 4
        level[x == 0] = 1
        # A year alone that agrees is not a date that agrees.
        level[(x == 0) & (month_day_a == 0)] = 4
        level[(a == 0) | (b == 0)] = 0
        return level


def _one_digit_year(a: Array, b: Array, apart: Array) -> Array:
    """Years that a slip turns into each other: 1984 and 1994, 1984 and 1986, 1979 and 1980."""
    return (apart % 10 == 0) & (apart < 100) | (a // 10 == b // 10) | (apart == 1)


_ONES = np.uint64(0x1111111111111111)


def differing_digits(a: Array, b: Array) -> tuple[Array, Array]:
    """One bit per differing nibble, and how many."""
    x: Array = a ^ b
    x |= x >> np.uint64(2)
    x |= x >> np.uint64(1)
    x &= _ONES
    return x, np.bitwise_count(x)


def near_ids(a: Array, b: Array) -> Array:
    """True where two ids differ by one digit, or by two neighbours that changed places."""
    nibbles, count = differing_digits(a, b)
    near = count == 1
    two = np.flatnonzero(count == 2)
    if len(two):
        bits = nibbles[two]
        low = bits & (~bits + np.uint64(1))
        adjacent = bits == low | (low << np.uint64(4))
        shift = np.bitwise_count(low - np.uint64(1)).astype(np.uint64)
        pa, pb = (a[two] >> shift) & np.uint64(255), (b[two] >> shift) & np.uint64(255)
        swapped = ((pa >> np.uint64(4)) | ((pa & np.uint64(15)) << np.uint64(4))) == pb
        near[two[adjacent & swapped]] = True
    return near


@dataclass
class Ids(Comparison):
    """same · same though it contradicts the record it stands on · one slip of the hand · different."""

    name: str
    ids: Array
    state: Array | None = None
    rarity: Array | None = None
    levels: tuple[str, ...] = ("same", "same_doubtful", "near", "different")
    same: tuple[int, ...] = (1, 2)

    def compare(self, left: Array, right: Array) -> Array:
        a, b = self.ids[left], self.ids[right]
        level = np.full(len(a), 4, np.uint8)
        equal = a == b
        level[equal] = 1
        if self.state is not None:
            level[equal & ((self.state[left] == 2) | (self.state[right] == 2))] = 2
        known = (a != 0) & (b != 0)
        level[~known] = 0
        unlike = np.flatnonzero(known & ~equal)
        if len(unlike):
            near = near_ids(a[unlike], b[unlike])
            if self.state is not None:
                # An id that is not this person's own, or no such id at all, does not disagree with one that is.
                own = (self.state[left[unlike]] == 1) & (self.state[right[unlike]] == 1)
                level[unlike[~own]] = 0
            level[unlike[near]] = 3
        return level


@dataclass
class Words(Comparison):
    """Words or texts: the same, or as alike as `likeness` says (its levels, from the second on)."""

    name: str
    codes: Array
    likeness: Likeness
    levels: tuple[str, ...]
    rarity: Array | None = None
    same: tuple[int, ...] = (1,)

    def compare(self, left: Array, right: Array) -> Array:
        a, b = self.codes[left], self.codes[right]
        level = (a == b).astype(np.uint8)
        known = (a != 0) & (b != 0)
        unlike = np.flatnonzero(known & (a != b))
        level[unlike] = 1 + self.likeness.level(a[unlike], b[unlike])
        level[~known] = 0
        return level
