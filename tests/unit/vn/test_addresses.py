"""Provinces and communes across the merger of July 2025, with the real reference tables."""

import datetime as dt
import gzip
from pathlib import Path

import polars as pl
import pytest

from datasach.vn.addresses import NOWHERE, Place, Places

REFERENCE = Path(__file__).parents[3] / "datasets" / "_reference"
BEFORE, AFTER = dt.date(2025, 6, 30), dt.date(2025, 7, 1)


@pytest.fixture(scope="module")
def places() -> Places:
    provinces = pl.read_csv(REFERENCE / "provinces.csv", infer_schema=False)
    with gzip.open(REFERENCE / "wards.csv.gz") as file:
        wards = pl.read_csv(file.read(), infer_schema=False)
    return Places.from_tables(provinces, wards)


@pytest.mark.parametrize("code", ["15", "24", "44", "52", "80", "82", "91"])
def test_a_code_that_changed_its_meaning_is_read_with_the_date(places, code):
    assert places.province(code, on=BEFORE) == Place(code, "pre2025")
    assert places.province(code, on=AFTER) == Place(code, "2025")
    assert places.province(code) == Place(code, None)


def test_a_district_betrays_an_address_of_before_the_merger(places):
    assert places.province("91", on=AFTER, has_district=True) == Place("91", "pre2025")


def test_an_old_code_is_converted_whenever_it_is_written(places):
    assert places.province("89", on=AFTER) == Place("91", "pre2025")  # An Giang
    assert places.province("27") == Place("24", "pre2025")  # Bắc Ninh
    assert places.province("074") == Place("79", "pre2025")  # Bình Dương


def test_the_commune_tells_the_vintage_of_its_province(places):
    assert places.province("01", on=AFTER, commune="00001") == Place("01", "pre2025")


@pytest.mark.parametrize(
    ("name", "code"),
    [("An Giang", "91"), ("Tỉnh Bắc Ninh", "24"), ("TP. Hồ Chí Minh", "79"), ("TPHCM", "79"),
     ("Bình Dương", "79"), ("Thừa Thiên Huế", "46"), ("HOÀ BÌNH", "25"), ("1", "01")],
)  # fmt: skip
def test_provinces_by_name(places, name, code):
    assert places.province(name, on=AFTER).code == code


def test_a_name_without_its_marks_is_not_matched(places):
    assert places.province("An giang") != NOWHERE
    assert places.province("Ha Giang") == NOWHERE


def test_an_old_commune_goes_to_its_successor(places):
    assert places.commune("00001", province="01") == Place("00097", "pre2025")


def test_a_commune_code_of_both_lists_is_read_with_date_and_district(places):
    assert places.commune("00004", on=AFTER) == Place("00004", "2025")
    assert places.commune("00004", on=BEFORE) == Place("00004", "pre2025")
    assert places.commune("00004", on=AFTER, has_district=True) == Place("00004", "pre2025")
    assert places.commune("00004") == Place("00004", "ambiguous")


def test_a_split_commune_goes_to_its_default_and_says_so(places):
    split = [key for key, reading in places.communes.items() if reading.is_split and key.isdigit()]
    assert len(split) == 471
    for code in split:
        assert places.commune(code, on=BEFORE).vintage == "ambiguous"


def test_the_lists_have_the_published_sizes(places):
    codes = {key: reading for key, reading in places.communes.items() if key.isdigit()}
    assert sum(reading.as_new is not None for reading in codes.values()) == 3321
    assert sum(reading.as_old is not None for reading in codes.values()) == 10_035
    assert len(set(places.provinces.values())) == 34


def test_commune_names_keep_their_marks_inside_one_province(places):
    to_hat, to_horn = (
        places.commune(f"Xã {name}", province="51", on=AFTER) for name in ("Ba Tô", "Ba Tơ")
    )
    assert to_hat.code != to_horn.code
    assert places.commune("Xã Ba Tơ", province="01", on=AFTER) == NOWHERE


def test_what_is_in_no_list_is_nowhere(places):
    assert places.commune("99999") == NOWHERE
    assert places.province("XX") == NOWHERE
    assert places.province("") == NOWHERE


def test_the_column_gives_what_the_scalar_gives(places):
    some = list(places.communes)[::97]
    frame = pl.DataFrame(
        {
            "province": ["91", "89", "01", "An Giang", "51", None, "", "zz", "079"] * len(some),
            "commune": [code.split(":")[-1] for code in some for _ in range(9)],
            "district": [None, "", " ", "001", None] * (len(some) * 9 // 5)
            + [None] * (len(some) * 9 % 5),
            "on": pl.Series([None, BEFORE, AFTER, None] * (len(some) * 9), dtype=pl.Date)[
                : len(some) * 9
            ],
        }
    )
    resolved = places.resolve(
        frame.lazy(), province="province", commune="commune", district="district", on="on"
    ).collect()
    assert resolved.columns[:4] == frame.columns
    for province, commune, district, on, *got in resolved.iter_rows():
        has_district = bool(district and district.strip())
        expected = (
            *places.province(province or "", on=on, has_district=has_district, commune=commune),
            *places.commune(commune, province=province, on=on, has_district=has_district),
        )
        assert tuple(got) == expected


def test_missing_columns_are_as_good_as_empty_ones(places):
    frame = pl.LazyFrame({"p": ["89", None]})
    got = places.resolve(frame, province="p").collect()
    assert got["province_code"].to_list() == ["91", None]
    assert got["commune_code"].to_list() == [None, None]
