"""How alike two different words are, as small levels: RapidFuzz once per pair of words, never per pair of records."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA, JaroWinkler, Prefix

from datasach.link.encode import Array, Vocabulary
from datasach.link.text_hash import text_hash

TABLE = 300
"""Words for which likeness is kept as a table. Measured on a million records: 300 cost 0.4 CPU-seconds less than 1,200."""


class Likeness:
    """Level of two different words of one vocabulary: a table for frequent words, RapidFuzz for others."""

    def __init__(self, vocabulary: Vocabulary, levels: Any) -> None:
        # y is i to the ear, and was made i where that is how one syllable is spelled: "Thny" is one slip from "Thuy".
        texts = pl.Series(vocabulary.texts, dtype=pl.String).str.replace_all("y", "i", literal=True)
        self._texts = np.array(texts.to_list(), dtype=object)
        self._levels = levels
        self._size = min(TABLE, len(vocabulary.texts))
        frequent = self._texts[: self._size].tolist()
        self._table = levels(
            lambda scorer, cutoff: process.cdist(
                frequent, frequent, scorer=scorer, score_cutoff=cutoff, dtype=np.float32
            ),
            self._texts[: self._size, None], self._texts[None, : self._size],
        )  # fmt: skip

    def level(self, a: Array, b: Array) -> Array:
        result = np.zeros(len(a), np.uint8)
        inside = (a < self._size) & (b < self._size)
        result[inside] = self._table[a[inside], b[inside]]
        rest = np.flatnonzero(~inside)
        if len(rest):
            low = np.minimum(a[rest], b[rest]).astype(np.uint64)
            high = np.maximum(a[rest], b[rest]).astype(np.uint64)
            pairs = (low << np.uint64(32)) | high
            distinct, where = np.unique(pairs, return_inverse=True)
            left = self._texts[(distinct >> np.uint64(32)).astype(np.int64)]
            right = self._texts[(distinct & np.uint64(0xFFFFFFFF)).astype(np.int64)]
            result[rest] = self._levels(
                lambda scorer, cutoff: process.cpdist(
                    left, right, scorer=scorer, score_cutoff=cutoff, dtype=np.float32
                ),
                left, right,
            )[where]  # fmt: skip
        return result


def _shorter(left: Array, right: Array) -> Array:
    lengths = (
        _texts(words).str.len_chars().to_numpy().reshape(words.shape) for words in (left, right)
    )
    return np.minimum(*lengths)


def _texts(words: Array) -> pl.Series:
    return pl.Series(words.ravel().tolist(), dtype=pl.String)


def _heard(words: Array) -> Array:
    """Words as a clerk hears them, as hashes: in the north tr sounds as ch and gi as d, and one is written for the other.

    Source: Kirby, Vietnamese (Hanoi Vietnamese), Journal of the International Phonetic Association 41 (2011). Single
    letters that sound alike (s and x, l and n) are one slip apart anyway.
    """
    heard = _texts(words).str.replace("^tr", "ch").str.replace("^gi", "d")
    return text_hash(heard).reshape(words.shape)


def name_levels(scores: Any, left: Array, right: Array) -> Array:
    """1 close: a slip of the hand or the ear, or one is how the other begins ("M" for "Minh"); 2 different."""
    alike = scores(JaroWinkler.normalized_similarity, 0.88) >= 0.88
    alike |= scores(OSA.distance, None) <= 1
    begins = scores(Prefix.similarity, None) >= np.maximum(_shorter(left, right), 1)
    return np.where(alike | begins | (_heard(left) == _heard(right)), 1, 2).astype(np.uint8)


def middle_levels(scores: Any, left: Array, right: Array) -> Array:
    """1 part of the other or absent; 2 close; 3 different."""
    part = scores(fuzz.token_set_ratio, 100) >= 100
    close = scores(JaroWinkler.normalized_similarity, 0.88) >= 0.88
    close |= scores(OSA.distance, None) <= 1
    absent = _shorter(left, right) == 0
    return np.where(part | absent, 1, np.where(close, 2, 3)).astype(np.uint8)


def text_levels(scores: Any, left: Array, right: Array) -> Array:
    """1 close (0.92), 2 near (0.80 or one holds the other's words), 3 different."""
    alike = scores(JaroWinkler.normalized_similarity, 0.80)
    return np.where(alike >= 0.92, 1, np.where(alike >= 0.80, 2, 3)).astype(np.uint8)
