"""How two values compare, one line each: what a steward would say when shown the pair."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasach.link.compare import near_ids
from datasach.link.compare_names import one_begins_other
from datasach.link.comparisons import comparisons, rarities
from datasach.link.encode import encode_ids
from datasach.link.encode_names import START_LETTERS, encode_names
from datasach.vn.text import fold
from tests.unit.link.people import document, encode, frame_of

USUAL = [
    "Nguyễn Văn Anh",
    "Nguyễn Văn Ánh",
    "Trần Thị Khôi",
    "Lê Văn Minh",
    "Lê Thị Thi",
    "Lê Thị Thư",
]
NEIGHBOURS = frame_of(
    *({"full_name": name, "record_key": f"n{i}"} for i, name in enumerate(USUAL * 3000))
)
"""Eighteen thousand others, so that usual names are usual and a slip is rare."""


def level(comparison: str, a: dict, b: dict) -> str:
    """Level of one comparison between two records, among others that make usual names usual."""
    frame = pl.concat([frame_of(a, b), NEIGHBOURS])
    records = encode(frame)
    at = {key: row for row, key in enumerate(frame["record_key"].gather(records.order).to_list())}
    names = document().compare
    made = comparisons(
        records.features, names, rarities(records.features, names, document().rarity)
    )
    place = next(i for i, c in enumerate(made.each) if c.name == comparison)
    each = made.each[place]
    found = {
        int(made.levels(np.array([x]), np.array([y]))[place][0])
        for x, y in [(at["k0"], at["k1"]), (at["k1"], at["k0"])]
    }
    assert len(found) == 1, "a pair is the same from both sides"
    number = found.pop()
    return each.levels[number - 1] if number else "not known"


@pytest.mark.parametrize(
    ("part", "a", "b", "expected"),
    [
        ("given", "Nguyễn Văn Hòa", "Nguyễn Văn Hoà", "same"),
        ("given", "Nguyễn Văn Hòa", "NGUYEN VAN HOA", "same_unmarked"),
        ("given", "Nguyễn Văn Hòa", "Nguyễn Văn Hóa", "marks_differ"),
        ("given", "Nguyễn Thị Lý", "Nguyễn Thị Lí", "marks_differ"),
        ("given", "Nguyễn Văn Minh", "Nguyễn Văn Mihn", "close"),
        ("given", "Nguyễn Văn Minh", "Nguyễn Văn M", "close"),
        ("given", "Nguyễn Văn Minh", "Minh Nguyễn Văn", "reordered"),
        ("given", "Hồ Thanh Khai", "Khai Hồ", "reordered"),
        ("given", "Nguyễn Văn Minh", "Nguyễn Văn Khôi", "different"),
        ("given", "Lê Thị Thi", "Lê Thị Thư", "alike"),
        ("given", "Lê Thị Trinh", "Lê Thị Chinh", "close"),
        ("given", "Lê Văn Duy", "Lê Văn Giuy", "close"),
        ("given", "Nguyễn Thị Lệ Cúc", "Nguyễn Thị", "cut"),
        ("given", "Nguyễn Thị Lệ Cúc", "Nguyễn Thị Lệ", "cut"),
        ("given", "Bùi Nguyễn Thanh Duy", "Bùi Nguyễn Th", "cut"),
        ("given", "Hoàng Minh Anh", "Anh Hoàng Minh", "cut"),
        ("given", "Trần Thị Lệ Cúc", "Nguyễn Thị Lệ", "different"),
        ("given", "Nguyễn Thị Lệ Cúc", "Nguyễn Thị Khôi", "different"),
        ("surname", "Nguyễn Văn Minh", "Minh Nguyễn Văn", "not known"),
        ("middle", "Nguyễn Văn Minh", "Minh Nguyễn Văn", "not known"),
        ("middle", "Nguyễn Thị Lệ Cúc", "Nguyễn Thị", "not known"),
        ("given", "Vô Danh", "Nguyễn Văn Khôi", "not known"),
        ("given", "Con bà Nguyễn Thị Lan", "Nguyễn Thị Lan", "not known"),
        ("surname", "Nguyễn Văn Minh", "Nguyeexn Văn Minh", "same"),
        ("surname", "Nguyễn Văn Minh", "Nguyên Văn Minh", "same"),
        ("surname", "Nguyễn Văn Minh", "Nguyn Văn Minh", "close"),
        ("surname", "Nguyễn Văn Minh", "Trần Văn Minh", "different"),
        ("middle", "Nguyễn Thị Thu Hà", "Nguyễn Thị Hà", "part"),
        ("middle", "Nguyễn Hà", "Nguyễn Thị Hà", "part"),
        ("middle", "Nguyễn Thị Hà", "Nguyễn Văn Hà", "different"),
    ],
)  # fmt: skip
def test_names(part: str, a: str, b: str, expected: str) -> None:
    assert level(f"name.{part}", {"full_name": a}, {"full_name": b}) == expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("1985-03-12", "1985-03-12", "same"),
        ("1985-03-12", "1985-12-03", "swapped"),
        ("1985-03-12", "1985-03-21", "near"),
        ("1979-03-12", "1980-03-12", "near"),
        ("1985-03-12", "1995-03-12", "near"),
        ("1985-03-12", "1985-01-01", "year_only"),
        ("1985-03-12", "1985-07-30", "same_year"),
        ("1985-03-12", "1983-07-30", "different"),
        ("2019-06-25", "2026-06-25", "different"),
        ("1985-03-12", "1963-07-30", "another_age"),
        ("1985-03-12", None, "not known"),
    ],
)  # fmt: skip
def test_birth_dates(a: str, b: str | None, expected: str) -> None:
    assert level("born", {"born_on": a}, {"born_on": b}) == expected


def test_a_year_alone_agrees_with_a_year_only() -> None:
    assert level("born", {"birth_year": 1985}, {"birth_year": 1985}) == "year_only"
    assert level("born", {"birth_year": 1985}, {"born_on": "1985-03-12"}) == "year_only"


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("001085012345", "001085012345", "same"),
        ("001085012345", "001085012346", "near"),
        ("001085012345", "001085013245", "near"),
        ("001085012345", "001085098765", "different"),
        ("001085012345", "123456789012", "not known"),
    ],
)  # fmt: skip
def test_personal_ids(a: str, b: str, expected: str) -> None:
    man = {"born_on": "1985-03-12", "sex": "1"}
    assert level("citizen_id", man | {"citizen_id": a}, man | {"citizen_id": b}) == expected


def test_an_id_that_contradicts_its_own_record_counts_for_little() -> None:
    mother = {"citizen_id": "001185012345", "born_on": "1985-03-12", "sex": "2"}
    child = {"citizen_id": "001185012345", "born_on": "2015-03-12", "sex": "1"}
    assert level("citizen_id", mother, child) == "same_doubtful"
    assert level("citizen_id", child | {"citizen_id": "001085099999"}, child) == "not known"


def test_communes_are_read_across_the_merger_by_their_successors() -> None:
    at = level(
        "commune",
        {"commune_code": "00004", "province_code": "01"},
        {"commune_code": "00070", "province_code": "01"},
    )
    assert at == "same_larger"


@pytest.mark.parametrize(
    ("commune", "hospital", "expected"),
    [
        ("00004", "01001", "same_here"),
        ("00070", "01001", "same_near"),
        ("26734", "01001", "same_far"),
        ("26734", "79001", "different_far"),
        (None, "79001", "different"),
        ("00004", None, "not known"),
    ],
)
def test_a_hospital_counts_by_where_the_two_live(
    commune: str | None, hospital: str | None, expected: str
) -> None:
    one = {"commune_code": "00004", "province_code": "01", "facility": "01001"}
    province = {"00004": "01", "00070": "01", "26734": "79"}.get(commune or "")
    other = {"commune_code": commune, "province_code": province, "facility": hospital}
    assert level("facility", one, other) == expected


@given(
    st.lists(st.sampled_from(["an", "bé", "thị", "hương", "y"]), min_size=1, max_size=4),
    st.integers(1, 30),
)
def test_a_name_is_cut_where_the_other_goes_on(words: list[str], letters: int) -> None:
    """Against the texts themselves; what is longer than the letters that are kept is not told."""
    whole = " ".join(words)
    cut = whole[:letters].strip()
    a, b = (encode_names(pl.Series([f"Trần {rest}"]), []).arrays["start"] for rest in (whole, cut))
    plain = [fold(rest) or "" for rest in (whole, cut)]
    expected = len(plain[1]) >= 3 and plain[0] != plain[1] and len(plain[1]) < START_LETTERS
    told = one_begins_other(a, b)[0]
    assert one_begins_other(b, a)[0] == told
    assert told == expected or any(word.endswith("y") for word in plain)


@pytest.mark.parametrize("seed", range(3))
def test_near_ids_agree_with_comparing_digit_by_digit(seed: int) -> None:
    draw = np.random.default_rng(seed)
    digits = draw.integers(0, 3, (4000, 2, 12))
    texts = [["".join(map(str, row)) for row in side] for side in digits.transpose(1, 0, 2)]
    a, b = (encode_ids(pl.Series(side), []).arrays["id"] for side in texts)

    def slow(x: str, y: str) -> bool:
        wrong = [i for i in range(12) if x[i] != y[i]]
        swapped = (
            len(wrong) == 2
            and wrong[1] == wrong[0] + 1
            and x[wrong[0]] == y[wrong[1]]
            and x[wrong[1]] == y[wrong[0]]
        )
        return len(wrong) == 1 or swapped

    assert near_ids(a, b).tolist() == [slow(x, y) for x, y in zip(*texts, strict=True)]


@given(st.lists(st.none() | st.text("0123456789ABx +-_.９ ", max_size=24), max_size=30))
def test_an_id_is_its_last_sixteen_digits_whatever_stands_between_them(
    ids: list[str | None],
) -> None:
    said = ["".join(c for c in text or "" if c in "0123456789")[-16:] for text in ids]
    found = encode_ids(pl.Series(ids, dtype=pl.String), []).arrays["id"]
    assert found.tolist() == [int(digits or "0", 16) for digits in said]


@given(st.lists(st.sampled_from(["Nguyễn", "Thị", "An", "Văn", "Bình"]), min_size=1, max_size=5))
def test_the_words_of_a_name_are_the_same_in_any_order(words: list[str]) -> None:
    turned = pl.Series([" ".join(words), " ".join(reversed(words)), " ".join([*words, "Khác"])])
    one, other, longer = encode_names(turned, []).arrays["ordered"].tolist()
    assert one == other != longer
