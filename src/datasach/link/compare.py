"""How alike two records are, comparison by comparison, as small levels.

Level 0 always means "not known on one side" and says nothing. Levels are computed on arrays of pairs of row
numbers, with integer operations; strings are compared only where two *different* words meet (likeness.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from datasach.link.encode import Array, Feature, Rarity
from datasach.link.encode_names import LETTER_BITS, START_LETTERS
from datasach.link.likeness import Likeness, middle_levels, name_levels, text_levels
from datasach.vn.telex import is_plain_syllable


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
class Texts(Comparison):
    name: str
    codes: Array
    likeness: Likeness
    rarity: Array | None = None
    levels: tuple[str, ...] = ("same", "close", "near", "different")
    same: tuple[int, ...] = (1,)

    def compare(self, left: Array, right: Array) -> Array:
        a, b = self.codes[left], self.codes[right]
        level = (a == b).astype(np.uint8)
        known = (a != 0) & (b != 0)
        unlike = np.flatnonzero(known & (a != b))
        level[unlike] = 1 + self.likeness.level(a[unlike], b[unlike])
        level[~known] = 0
        return level


@dataclass
class Surnames(Comparison):
    name: str
    codes: Array
    likeness: Likeness
    rarity: Array | None = None
    levels: tuple[str, ...] = ("same", "close", "different")
    same: tuple[int, ...] = (1,)

    def compare(self, left: Array, right: Array) -> Array:
        a, b = self.codes[left], self.codes[right]
        level = (a == b).astype(np.uint8)
        known = (a != 0) & (b != 0)
        unlike = np.flatnonzero(known & (a != b))
        level[unlike] = 1 + self.likeness.level(a[unlike], b[unlike])
        level[~known] = 0
        return level


REORDERED, CUT = 5, 6
"""Levels of `Givens` at which surname or middle name say nothing."""
USUAL = 14 * 8
"""A given name of one person in 16,000 or more can be usual; rarer ones are mostly slips. Eighths of a bit; ours."""
SLIPS = 5 * 8
"""A name this much rarer than the one it is like is mostly slips of it: one in 32. Eighths of a bit; ours."""


@dataclass
class Givens(Comparison):
    """same, with the same marks · same letters where one whole name was written without marks · same letters
    under different marks · close, one of them no usual name: a slip · the same words in another order · cut:
    one whole name is how the other begins · alike, and both are usual names, as of twins · different."""

    name: str
    codes: Array
    marked: Array
    ordered: Array
    turned: Array
    surname: Array
    start: Array
    is_syllable: Array
    """By code: whether the word can be Vietnamese at all."""
    likeness: Likeness
    rarity: Array | None = None
    levels: tuple[str, ...] = (
        "same",
        "same_unmarked",
        "marks_differ",
        "close",
        "reordered",
        "cut",
        "alike",
        "different",
    )
    same: tuple[int, ...] = (1, 2, 3, REORDERED)

    def compare(self, left: Array, right: Array) -> Array:
        a, b = self.codes[left], self.codes[right]
        marks_a, marks_b = self.marked[left], self.marked[right]
        equal = a == b
        level = np.full(len(a), 8, np.uint8)
        level[equal] = 3
        # Lowest bit 0: the whole name is written without marks, so their absence means nothing.
        level[equal & ((marks_a & marks_b & 1) == 0)] = 2
        level[equal & (marks_a >> 1 == marks_b >> 1)] = 1
        known = (a != 0) & (b != 0)
        unlike = np.flatnonzero(known & ~equal)
        if len(unlike):
            found = self.likeness.level(a[unlike], b[unlike])
            assert self.rarity is not None
            rare, rarer = np.sort(
                [self.rarity[side[unlike]].astype(np.int16) for side in (left, right)], axis=0
            )
            usual = (rarer < USUAL) & (rarer - rare < SLIPS)
            usual &= self.is_syllable[a[unlike]] & self.is_syllable[b[unlike]]
            level[unlike[(found == 1) & ~usual]] = 4
            level[unlike[(found == 1) & usual]] = 7
            one, other = left[unlike], right[unlike]
            cut = (found == 2) & (self.surname[one] == self.surname[other])
            cut &= one_begins_other(self.start[one], self.start[other])
            level[unlike[cut]] = CUT
            reordered = self.ordered[one] == self.ordered[other]
            # "Hồ Thanh Khai" and "Khai Hồ".
            reordered |= (a[unlike] == self.turned[other]) & (b[unlike] == self.turned[one])
            level[unlike[reordered]] = REORDERED
        level[~known] = 0
        return level


def one_begins_other(a: Array, b: Array) -> Array:
    """Of names as `encode_names` packs their starts: one ends within it, and the other goes on from there."""
    shorter = np.minimum(a, b)
    unused = np.bitwise_count((shorter & (~shorter + np.uint64(1))) - np.uint64(1)) // LETTER_BITS
    unlike = a ^ b
    # At least three letters: with fewer, half of all names begin so.
    fits = (shorter >> np.uint64(LETTER_BITS * (START_LETTERS - 3))) & np.uint64(31) != 0
    return fits & (unlike != 0) & (unlike >> (LETTER_BITS * unused).astype(np.uint64) == 0)


@dataclass
class Middles(Comparison):
    name: str
    codes: Array
    likeness: Likeness
    rarity: Array | None = None
    levels: tuple[str, ...] = ("same", "part", "close", "different")
    same: tuple[int, ...] = (1,)

    def compare(self, left: Array, right: Array) -> Array:
        a, b = self.codes[left], self.codes[right]
        level = (a == b).astype(np.uint8)
        known = (a != 0) & (b != 0)
        unlike = np.flatnonzero(known & (a != b))
        level[unlike] = 1 + self.likeness.level(a[unlike], b[unlike])
        level[~known] = 0
        return level


@dataclass
class Comparisons:
    """All comparisons of a document over one set of records."""

    each: list[Comparison]
    whole_name: dict[str, Array] = field(default_factory=dict)
    """Comparison of the given name → rarity of the whole name, which counts when all three parts agree."""
    habit: dict[str, Array] = field(default_factory=dict)
    """… and by how much the whole is commoner than its parts say, in eighths of a bit."""
    trio: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """… and where surname, middle and given name stand in `each`."""

    def levels(self, left: Array, right: Array, some: list[int] | None = None) -> list[Array]:
        """Levels of pairs by comparison; of `some` of them only (of a name all three, or none)."""
        asked = range(len(self.each)) if some is None else some
        found = {i: self.each[i].compare(left, right) for i in asked}
        for surname, middle, given in self.trio.values():
            if given in found:
                # Words in another order, or cut off: which of them is the surname, or the middle name, is not known.
                turned = found[given] == REORDERED
                found[surname][turned] = 0
                found[middle][turned | (found[given] == CUT)] = 0
        return list(found.values())


WHOLE_NAME_OFTEN = 4
"""A whole name seen so often is counted itself; below that its own duplicates would make it look common."""

NUMBER_OFTEN = 8
"""The same of a number: fewer records are mostly one person's own, and weigh as if two had it."""


def rarities(features: dict[str, Feature], names: list[str], rare: list[str]) -> dict[str, Rarity]:
    """How rare the values of each comparison in `rare` are, and of whole names (`<name>.whole`)."""
    found = {}
    for name in names:
        feature = features[name]
        if feature.kind == "person_name":
            for part in ("surname", "middle", "given"):
                found[f"{name}.{part}"] = Rarity.of_codes(feature.arrays[part])
            found[f"{name}.whole"] = Rarity.of_values(feature.part("full"), WHOLE_NAME_OFTEN, 255)
        elif name in rare:
            found[name] = (
                Rarity.of_values(feature.arrays["id"], NUMBER_OFTEN)
                if feature.kind == "id"
                else Rarity.of_codes(_countable(feature))
            )
    return found


def _countable(feature: Feature) -> Array:
    """The codes of a column that is weighed by rarity; dates become days since 1850 or so."""
    if feature.kind == "date":
        dates = feature.arrays["date"]
        return np.where(dates > 0, np.maximum(dates - 1850 * 512, 1), 0)
    return feature.arrays[{"code": "code", "place": "place", "text": "text"}[feature.kind]]


def comparisons(
    features: dict[str, Feature], names: list[str], rare: dict[str, Rarity]
) -> Comparisons:
    """The comparisons of the columns `names`, with the rarity of every record's values."""
    made: list[Comparison] = []
    whole: dict[str, Array] = {}
    habit: dict[str, Array] = {}
    trio: dict[str, tuple[int, int, int]] = {}
    for name in names:
        feature = features[name]
        a = feature.arrays
        told = (
            rare[name].of(a["id"] if feature.kind == "id" else _countable(feature))
            if name in rare
            else None
        )
        if feature.kind == "person_name":
            at = len(made)
            words = feature.vocabularies
            bits = {p: rare[f"{name}.{p}"].of(a[p]) for p in ("surname", "middle", "given")}
            made += [
                Surnames(
                    f"{name}.surname",
                    a["surname"],
                    Likeness(words["surname"], name_levels),
                    bits["surname"],
                ),
                Middles(
                    f"{name}.middle",
                    a["middle"],
                    Likeness(words["middle"], middle_levels),
                    bits["middle"],
                ),
                Givens(
                    f"{name}.given",
                    a["given"],
                    a["marked"],
                    a["ordered"],
                    a["turned"],
                    a["surname"],
                    a["start"],
                    np.array([is_plain_syllable(text) for text in words["given"].texts]),
                    Likeness(words["given"], name_levels),
                    bits["given"],
                ),
            ]
            # "Nguyễn Thị Hương" is a habit, not three independent draws.
            parts = bits["surname"].astype(np.int32) + bits["middle"] + bits["given"]
            least = np.minimum(
                np.minimum(parts, rare[f"{name}.whole"].of(feature.part("full"))), 255
            )
            whole[f"{name}.given"] = least.astype(np.uint8)
            habit[f"{name}.given"] = np.clip(parts - least, 0, 255).astype(np.uint8)
            trio[f"{name}.given"] = (at, at + 1, at + 2)
        elif feature.kind == "date":
            made.append(Dates(name, a["date"], told))
        elif feature.kind == "id":
            made.append(Ids(name, a["id"], a.get("state"), told))
        elif feature.kind == "code" and feature.within:
            place = features[feature.within].arrays
            places = Places(feature.within, place["place"], place["larger"])
            made.append(Within(name, a["code"], places))
        elif feature.kind == "code":
            levels = ("same",) if feature.only_same else ("same", "different")
            made.append(SameOrDifferent(name, a["code"], told, levels))
        elif feature.kind == "place":
            made.append(Places(name, a["place"], a["larger"], told))
        else:
            made.append(
                Texts(name, a["text"], Likeness(feature.vocabularies["text"], text_levels), told)
            )
    return Comparisons(made, whole, habit, trio)
