"""Columns as integers, against reading the same values one by one."""

from __future__ import annotations

import unicodedata
from collections import Counter
from datetime import date

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from datasach.link.encode import (
    Feature,
    Rarity,
    distinct_of,
    encode_dates,
    encode_ids,
    encode_places,
)
from datasach.link.encode_names import LETTER_BITS, START_LETTERS, encode_names, plain_token
from datasach.link.partition import NEVER, Asked, components, partition
from datasach.vn.names import (
    _IS_PLACEHOLDER,
    _IS_PLACEHOLDER_PLAIN,
    parse,
    parse_column,
    parse_distinct,
)
from datasach.vn.text import fold

maybe = st.one_of(st.none(), st.sampled_from(["", "a", "b", "bé", "ccc", "dd"]))


def words(feature: Feature, array: str) -> list[str | None]:
    """What each row's code stands for."""
    texts = feature.vocabularies[array].texts
    return [texts[code] if code else None for code in feature.arrays[array]]


@given(st.lists(maybe, max_size=30))
def test_distinct_texts_and_their_places_say_the_same(texts: list[str | None]) -> None:
    distinct, which, counts = distinct_of(pl.Series(texts, dtype=pl.String))
    names = [*distinct.to_list(), None]
    assert [names[at] for at in which] == texts
    assert dict(zip(distinct.to_list(), counts.tolist(), strict=True)) == Counter(
        text for text in texts if text is not None
    )


def packed(day: str | None, year: int | None) -> int:
    text = (day or "").strip()
    if len(text) == 4 and text.isdigit():
        found, month, of_month = int(text), 0, 0
    else:
        try:
            read = date.fromisoformat(text)
            found, month, of_month = read.year, read.month, read.day
        except ValueError:
            found, month, of_month = 0, 0, 0
    found = found or year or 0
    return found * 512 + month * 32 + of_month if 1850 <= found <= 2200 else 0


days = st.one_of(
    st.none(),
    st.sampled_from(["1984", " 1984-03-12 ", "19840312", "1984-13-01", "1700-01-01", "", "x"]),
    st.dates(date(1900, 1, 1), date(2025, 12, 31)).map(str),
)


@given(st.lists(st.tuples(days, st.one_of(st.none(), st.sampled_from([1960, 1984]))), max_size=20))
def test_dates(rows: list[tuple[str | None, int | None]]) -> None:
    found = encode_dates(
        pl.Series([day for day, _ in rows], dtype=pl.String),
        pl.Series([year for _, year in rows], dtype=pl.Int16),
    )
    assert found.arrays["date"].tolist() == [packed(day, year) for day, year in rows]


def test_days_that_are_dates_already_and_days_with_a_time() -> None:
    for kind in (pl.Date, pl.Datetime):
        found = encode_dates(pl.Series([date(1984, 3, 12), None]).cast(kind), None)
        assert found.arrays["date"].tolist() == [packed("1984-03-12", None), 0]


SUCCESSORS = {"00001": ("10001", "01"), "00002": ("10001", "01"), "00003": ("20001", "79")}


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.sampled_from([*SUCCESSORS, "99999", "00000"])),
            st.one_of(st.none(), st.sampled_from(["01", "79", "48"])),
        ),
        max_size=20,
    ),
    st.booleans(),
)
def test_places(rows: list[tuple[str | None, str | None]], merged: bool) -> None:
    told = SUCCESSORS if merged else {}
    successors = pl.DataFrame(
        [(code, *to) for code, to in SUCCESSORS.items()],
        schema=["code", "commune", "province"], orient="row",
    )  # fmt: skip
    found = encode_places(
        pl.Series([commune for commune, _ in rows], dtype=pl.String),
        pl.Series([province for _, province in rows], dtype=pl.String),
        ["00000"],
        successors if merged else None,
    )
    communes = [told.get(str(commune), (commune,))[0] for commune, _ in rows]
    assert words(found, "place") == [None if c == "00000" else c for c in communes]
    assert words(found, "larger") == [told.get(str(c), (c, province))[1] for c, province in rows]


@given(st.lists(st.one_of(st.none(), st.text("0123456789abf x-+", max_size=20)), max_size=20))
def test_ids_are_their_last_sixteen_digits(ids: list[str | None]) -> None:
    found = encode_ids(pl.Series(ids, dtype=pl.String), [])
    digits = ["".join(c for c in one or "" if c.isdigit())[-16:] for one in ids]
    assert found.arrays["id"].tolist() == [int(d or "0", 16) for d in digits]


@given(st.lists(st.integers(1, 40), max_size=80), st.lists(st.integers(1, 60), max_size=40))
def test_rarity_of_values_that_stand_often_and_of_all_others(
    seen: list[int], asked: list[int]
) -> None:
    rarity = Rarity.of_values(np.array(seen, np.uint64), often=3, otherwise=200)
    counts = Counter(seen)
    expected = [
        round(max(np.log2(max(len(seen), 2) / counts[one]), 0) * 8) if counts[one] >= 3 else 200
        for one in asked
    ]
    assert rarity.of(np.array(asked, np.uint64)).tolist() == expected


pairs = st.lists(
    st.tuples(st.integers(0, 29), st.integers(0, 29)).filter(lambda p: p[0] < p[1]), max_size=50
)


@given(pairs)
def test_components_are_scipys_named_by_their_smallest_row(edges: list[tuple[int, int]]) -> None:
    left, right = np.array(edges, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(30, 30))
    number = connected_components(graph, directed=False)[1]
    smallest = [int(np.flatnonzero(number == number[row])[0]) for row in range(30)]
    assert components(30, left, right).tolist() == smallest


@given(pairs, st.randoms(use_true_random=False))
def test_pairs_whose_weight_is_known_are_not_weighed_again(
    edges: list[tuple[int, int]], random: object
) -> None:
    edges = sorted(set(edges))
    random.shuffle(edges)  # type: ignore[attr-defined]
    left, right = np.array(edges, np.int64).reshape(-1, 2).T

    def weight(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        bits = ((a * 7 + b * 13) % 23 - 4).astype(np.float32)
        return np.where((a + b) % 11 == 0, NEVER, bits)

    asked: set[tuple[int, int]] = set()

    def weigh(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        asked.update(zip(a.tolist(), b.tolist(), strict=True))
        return weight(a, b)

    found = partition(30, left, right, weight(left, right), weigh, Asked(4))
    loose = {pair for pair, bits in zip(edges, weight(left, right), strict=True) if bits >= 0}
    assert not asked & loose
    assert all(
        weight(np.array(a), np.array(b)) > NEVER
        for a in range(30)
        for b in range(a + 1, 30)
        if found[a] == found[b]
    )


@given(
    st.lists(
        st.sampled_from(
            ["NGUYỄN THỊ HOÀ", "Vô Danh", "BN Trần A", "h’nga niê", "lê  b", "con ba x"]
        ),
        unique=True,
    )
)
def test_columns_of_names_are_the_same_whether_asked_alone_or_together(names: list[str]) -> None:
    sent = pl.Series(names, dtype=pl.String)
    whole = parse_column(sent)
    alone = parse_distinct(sent, ["name_folded", "name_lower"])
    assert alone["name_folded"].to_list() == whole["name_folded"].to_list()
    assert alone["name_lower"].to_list() == [
        name and name.lower() for name in whole["full_name"].to_list()
    ]


def read_one_by_one(sent: str | None) -> list[str]:
    """The words of one name, as `vn.names.parse` reads it, in one spelling; none of a placeholder."""
    name = parse(sent or "")
    if name.is_placeholder or name.full_name is None:
        return []
    shown = "".join(
        c if unicodedata.category(c)[0] in "LM" or c == "'" else " " for c in name.full_name
    )
    folded = ("".join(c for c in fold(word) if "a" <= c <= "z") for word in shown.split())
    words = [word for word in folded if word]
    return [plain_token(word) for word in words]


some_words = st.sampled_from(
    [
        "Nguyễn",
        "NGUYỄN",
        "nguyen",
        "Nguyeexn",
        "Võ",
        "VO",
        "Vô",
        "Danh",
        "Thị",
        "Hoà",
        "Hòa",
        "hoa",
        "Ly",
        "Lý",
        "Quý",
        "Con",
        "Bà",
        "Mỹ",
        "Anh",
        "Tuấn",
        "BN.",
        "Ông",
        "Chau",
        "H'Nga",
        "(TS)",
        "Không",
        "Rõ",
        "Nam",
        "Nữ",
        "test",
        "Unknown",
        "xxx",
        "aa",
        "Đặng-Thúy",
        "M",
        "Guðrún",
        "Nguy?n",
        "Ðào",
        "0912",
        "Ngô",
        "Văn",
        "Ngô",
        "Иван",
    ]
)
some_names = st.one_of(
    st.none(),
    st.lists(some_words, max_size=7).map(" ".join),
    st.lists(some_words, min_size=1, max_size=4).map("  ".join),
    st.text(max_size=12),
    st.from_regex(_IS_PLACEHOLDER, fullmatch=True),
    st.from_regex(_IS_PLACEHOLDER_PLAIN, fullmatch=True).map(str.upper),
)


@given(st.lists(some_names, max_size=20))
def test_names_read_word_by_word_are_what_reading_them_one_by_one_gives(
    sent: list[str | None],
) -> None:
    encoded = encode_names(pl.Series(sent, dtype=pl.String), [])
    expected = [read_one_by_one(name) for name in sent]
    assert words(encoded, "given") == [name[-1] if name else None for name in expected]
    assert words(encoded, "surname") == [name[0] if len(name) > 1 else None for name in expected]
    assert words(encoded, "middle") == [
        " ".join(name[1:-1]) if len(name) > 1 else None for name in expected
    ]
    starts = [" ".join(name[1:] or name)[:START_LETTERS] for name in expected]
    assert [started(int(code)) for code in encoded.arrays["start"]] == starts
    by_order: dict[int, list[str]] = {}
    for name, order in zip(expected, encoded.arrays["ordered"].tolist(), strict=True):
        if name:
            assert by_order.setdefault(order, sorted(name)) == sorted(name)


def started(packed: int) -> str:
    letters = [
        packed >> int(LETTER_BITS) * (START_LETTERS - 1 - place) & 31
        for place in range(START_LETTERS)
    ]
    return "".join(" " if letter == 28 else chr(96 + letter) for letter in letters if letter)
