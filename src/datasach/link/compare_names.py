"""How alike two given names are, with what their whole names tell of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datasach.link.compare import Comparison
from datasach.link.encode import Array
from datasach.link.encode_names import LETTER_BITS, START_LETTERS
from datasach.link.likeness import Likeness

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
