"""Spreadsheet damage, sexes and ICD-10 codes."""

import polars as pl
import pytest

from datasach.vn import icd10
from datasach.vn.codes import code_expr, codes_expr, repair_code, sex


@pytest.mark.parametrize(
    ("sent", "codes", "code"),
    [
        ("2.0", {"2"}, "2"),
        ("2.0", {"02"}, "02"),
        ("1,3", {"1.3"}, "1.3"),
        ("1", {"01"}, "01"),
        ("0", {"00000"}, "00000"),
        ("'01", {"01"}, "01"),
        ("b", {"B"}, "B"),
    ],
)
def test_a_code_is_repaired_into_its_list(sent, codes, code):
    assert repair_code(sent, codes) == (code, "spreadsheet")


@pytest.mark.parametrize(
    ("sent", "codes"), [("1", {"01", "1"}), ("9", {"01"}), ("2.5", {"2"}), ("1.0", {"1.0", "1"})]
)
def test_a_code_that_is_in_the_list_or_leads_nowhere_stays(sent, codes):
    assert repair_code(sent, codes) == (sent, None)


def test_columns_of_codes_and_of_lists():
    frame = pl.DataFrame({"one": ["1", "2.0", "", None], "many": ["1;2.0", ";", "x; 01", None]})
    codes = frozenset({"01", "2"})
    got = frame.select(code_expr("one", codes), codes_expr("many", codes))
    assert got["one"].to_list() == ["01", "2", None, None]
    assert got["many"].to_list() == ["01;2", None, "x;01", None]


@pytest.mark.parametrize(
    ("sent", "code"),
    [("Nam", "1"), ("NỮ", "2"), ("male", "1"), ("F", "2"), ("2.0", "2"), (" 3 ", "3"), ("01", "1"),
     ("0", None), ("", None), ("x", None)],
)  # fmt: skip
def test_sexes_in_many_spellings(sent, code):
    assert sex(sent) == code


@pytest.mark.parametrize(
    ("sent", "code", "mark"),
    [("A000", "A00.0", None), ("a00.0 ", "A00.0", None), ("A17.0†", "A17.0", "†"), ("G01*", "G01", "*"),
     ("A170+", "A17.0", "†"), ("I10", "I10", None), ("M80.00", "M80.00", None), ("I10.-", "I10", None)],
)  # fmt: skip
def test_an_icd_code_gets_its_dot_and_gives_up_its_mark(sent, code, mark):
    assert icd10.parse(sent) == icd10.Icd(code, mark)


@pytest.mark.parametrize("sent", ["", "A0", "10", "viêm họng", "A00.0.1"])
def test_what_is_no_icd_code(sent):
    assert icd10.parse(sent) is None


def test_an_icd_list_keeps_what_it_cannot_read():
    assert icd10.normalise_list("a000; I10;;lạ") == "A00.0;I10;LẠ"
    assert icd10.normalise_list(" ; ") is None


def test_validity_is_membership_in_the_passed_list():
    assert icd10.is_valid("a000", {"A00.0"})
    assert not icd10.is_valid("A00.9", {"A00.0"})
