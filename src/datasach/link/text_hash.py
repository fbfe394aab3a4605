"""Texts as 64-bit numbers, the same on every machine and with every version of every library.

Which record names a person, what the person is called and where an index finds a key all rest on this, so it may never
change by itself. (Polars' and DuckDB's hashes may with each version, and one MD5 of a key costs as much as encoding
the whole record.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

Array = np.ndarray[Any, Any]
STEP = 1 << 20
"""Texts at a time."""
_ONE, _TWO = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SEED = np.uint64(0x9E3779B97F4A7C15)
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


def text_hash(texts: pl.Series) -> Array:
    """uint64 of each text, 0 for null only: its UTF-8 bytes, eight at a time (little endian, the last filled with
    zeros), mixed as in SplitMix64.

    Source of the mixing: Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.
    """
    hashed = np.empty(len(texts), np.uint64)
    for at in range(0, len(texts), STEP):
        hashed[at : at + STEP] = _hashed(texts.slice(at, STEP))
    return hashed


def _hashed(texts: pl.Series) -> Array:
    arrow = texts.cast(pl.String).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = arrow.buffers()
    ends = np.frombuffer(offsets, np.int64)[arrow.offset : arrow.offset + len(arrow) + 1]
    lowest, highest = int(ends[0]), int(ends[-1])
    # Two words more than the bytes fill: what is read across the end is masked away.
    words = np.zeros((highest - lowest) // 8 + 3, np.uint64)
    if highest > lowest:
        words.view(np.uint8)[: highest - lowest] = np.frombuffer(data, np.uint8)[lowest:highest]
    start = ends[:-1] - lowest
    length = np.diff(ends)
    found = _mixed(length.astype(np.uint64) + _SEED)
    for read in range(0, int(length.max(initial=0)), 8):
        inside = np.flatnonzero(length > read)
        at = start[inside] + read
        shift = (at & 7).astype(np.uint64) << np.uint64(3)
        at >>= 3
        # By 64 bits NumPy shifts everything out.
        word = (words[at] >> shift) | (words[at + 1] << (np.uint64(64) - shift))
        unused = np.maximum(8 - (length[inside] - read), 0).astype(np.uint64) << np.uint64(3)
        word &= np.uint64(0xFFFFFFFFFFFFFFFF) >> unused
        found[inside] = _mixed((found[inside] ^ word) + _SEED)
    found[found == 0] = 1
    found[texts.is_null().to_numpy()] = 0
    return found


def _mixed(z: Array) -> Array:
    z ^= z >> np.uint64(30)
    z *= _ONE
    z ^= z >> np.uint64(27)
    z *= _TWO
    z ^= z >> np.uint64(31)
    return z


def person_ids(hashes: Array) -> pl.Series:
    """Ids of the persons that records with keys of these hashes name. They say nothing about the person, and look like
    no number that means a person elsewhere."""
    # The person's record is the one that hashes lowest; mixed once more, ids do not crowd there.
    digits = _mixed(hashes + _SEED).byteswap().view(np.uint8).reshape(-1, 8)
    letters = np.empty((len(hashes), 18), np.uint8)
    letters[:, :2] = np.frombuffer(b"P-", np.uint8)
    letters[:, 2::2] = _HEX[digits >> 4]
    letters[:, 3::2] = _HEX[digits & 15]
    return pl.Series("id", letters.view("S18").ravel(), pl.Binary).cast(pl.String)
