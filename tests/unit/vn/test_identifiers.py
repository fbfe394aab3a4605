"""Kinds of identifiers, insurance cards and phones; all numbers are invented."""

import pytest

from datasach.vn import citizen_id, insurance_card, phones
from datasach.vn.identifiers import classify

OLD_TO_NEW = {"0123": "083", "0168": "038"}


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ("079203012345", "citizen_id"),
        ("079 203.012-345", "citizen_id"),
        ("'079203012345", "citizen_id"),
        ("024681357", "cmnd"),
        ("b1234567", "passport"),
        ("AB123456", "passport"),
        ("000000000000", "dummy"),
        ("123456789012", "dummy"),
        ("987654321", "dummy"),
        ("079000000000", "dummy"),
        ("Không có", "dummy"),
        ("12345", "dummy"),
        ("0792030123456", "unknown"),
        ("０７９２０３０１２３４５", "unknown"),
        ("GD4797912345678", "unknown"),
    ],
)
def test_the_kind_of_an_identifier(sent, kind):
    assert classify(sent).kind == kind


def test_ten_digits_of_the_card_are_the_insurance_number():
    assert classify("7912345670", card="GD4797912345670").kind == "insurance_number"
    assert classify("7912345670").kind == "unknown"


def test_lost_zeros_are_proposed_when_all_that_is_known_agrees():
    eleven, ten = "79203012345", "1203012345"
    assert classify(eleven, "1", 2003).proposal == "0" + eleven
    assert classify(ten, "1", 2003).proposal == "00" + ten
    assert classify(eleven).kind == "leading_zero_lost"


@pytest.mark.parametrize(
    ("sent", "sex", "birth_year"),
    [
        ("79203012345", "2", 2003),
        ("79203012345", "1", 2004),
        ("99203012345", "1", 2003),
        ("1203012345", "1", None),
        ("79903012345", None, None),
    ],
)
def test_lost_zeros_are_not_proposed_against_what_is_known(sent, sex, birth_year):
    assert classify(sent, sex, birth_year).kind == "unknown"


def test_the_value_itself_is_never_padded():
    assert classify("79203012345", "1", 2003).value == "79203012345"


def test_a_citizen_id_tells_province_sex_and_year():
    assert citizen_id.parse("001199012345") == citizen_id.CitizenId("001", True, 1999)
    assert citizen_id.parse("00119901234x") is None
    assert len(citizen_id.PROVINCES) == 63


def test_a_card_of_fifteen_characters_comes_apart():
    card = insurance_card.parse("gd 4 79 7912345678")
    assert card == insurance_card.Card("card", "GD", "4", "79", "7912345678")


@pytest.mark.parametrize(
    ("sent", "kind"), [("7912345678", "insurance_number"), ("079203012345", "citizen_id")]
)
def test_shorter_numbers_in_the_card_field_are_tagged(sent, kind):
    got = insurance_card.parse(sent)
    assert got is not None
    assert got.kind == kind


@pytest.mark.parametrize("sent", ["", "GD9797912345678", "GD479791234567", "không"])
def test_what_is_no_card(sent):
    assert insurance_card.parse(sent) is None


def test_a_list_of_cards_keeps_its_places():
    cards = insurance_card.parse_list("GD4797912345678;;TE1797912345678")
    assert [card and card.object_code for card in cards] == ["GD", None, "TE"]


@pytest.mark.parametrize(
    ("sent", "phone"),
    [
        ("0912345678", "0912345678"),
        ("+84 912 345 678", "0912345678"),
        ("0084912345678", "0912345678"),
        ("84912345678", "0912345678"),
        ("+84(0)912.345.678", "0912345678"),
        ("912345678", "0912345678"),
        ("01234567890", "0834567890"),
        ("024 3825 3531", "02438253531"),
        ("0912345678; 0987654321", "0912345678"),
        ("01994567890", None),
        ("0112345678", None),
        ("091234567", None),
        ("không có", None),
        ("", None),
    ],
)
def test_phones_become_ten_digits_or_eleven_for_fixed_lines(sent, phone):
    assert phones.normalise(sent, OLD_TO_NEW) == phone
