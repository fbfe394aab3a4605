"""Hashes of texts, on which names of persons rest: against the same arithmetic on whole numbers, one text at a time."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from datasach.link import text_hash as room
from datasach.link.text_hash import person_ids, text_hash

WHOLE = 2**64


def mixed(z: int) -> int:
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % WHOLE
    z = (z ^ z >> 27) * 0x94D049BB133111EB % WHOLE
    return z ^ z >> 31


def by_hand(text: str | None) -> int:
    if text is None:
        return 0
    data, seed = text.encode(), 0x9E3779B97F4A7C15
    found = mixed((len(data) + seed) % WHOLE)
    for at in range(0, len(data), 8):
        word = int.from_bytes(data[at : at + 8], "little")
        found = mixed(((found ^ word) + seed) % WHOLE)
    return found or 1


texts = st.lists(st.none() | st.text(max_size=30), max_size=20)


@given(texts, st.integers(0, 5), st.integers(1, 7))
def test_hashes_are_those_worked_out_by_hand(some: list[str | None], first: int, step: int) -> None:
    column = pl.Series(some, dtype=pl.String)[first:]
    whole, room.STEP = room.STEP, step
    try:
        assert text_hash(column).tolist() == [by_hand(text) for text in some[first:]]
    finally:
        room.STEP = whole


def test_the_name_of_a_person_never_changes() -> None:
    keys = pl.Series(["", "01001", "kcb_emr.visit:79001|LK001", "mã hồ sơ"])
    assert person_ids(text_hash(keys)).to_list() == [
        "P-a706dd2f4d197e6f",
        "P-e76ac8248f7aba37",
        "P-9777248b591b82ab",
        "P-407676fc36da850b",
    ]
    assert person_ids(text_hash(keys[:0])).to_list() == []
