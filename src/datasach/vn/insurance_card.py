"""Health-insurance cards (thẻ BHYT): one card, or several in one field separated by ';'.

    GD 4 79 7912345678   15 characters: object code, benefit 1-5, province, BHXH number
    7912345678           10 digits: newer cards print the BHXH number alone
    079203012345         12 digits: the personal ID, in the place of the number since 01/08/2025

Source: QĐ 1351/QĐ-BHXH (DOMAIN 2.2, high); the 12-digit form low (effect on the field is not
established), so it is recognised and tagged, never refused.
Traps: the list is positional with MA_DKBD, GT_THE_TU and GT_THE_DEN, so an empty place must stay;
the two province characters are history and are never "corrected" after the merger.
"""

import re
from typing import Final, NamedTuple

import polars as pl

_CARD: Final = re.compile(r"([A-Z]{2})([1-5])([0-9]{2})([0-9]{10})")
_NOISE: Final = r"[\s.\-'’`]+"


class Card(NamedTuple):
    """One card. What its form does not tell is None."""

    kind: str
    """card (15) | insurance_number (10) | citizen_id (12)"""
    object_code: str | None
    benefit: str | None
    province: str | None
    number: str | None
    """The ten digits of the BHXH number."""


def parse(text: str) -> Card | None:
    """Read one card; None if it has none of the three shapes.

    >>> parse("gd4797912345678").number
    '7912345678'
    """
    card = _without_noise(text)
    shaped = _CARD.fullmatch(card)
    if shaped:
        return Card("card", shaped[1], shaped[2], shaped[3], shaped[4])
    if re.fullmatch("[0-9]{10}", card):
        return Card("insurance_number", None, None, None, card)
    if re.fullmatch("[0-9]{12}", card):
        return Card("citizen_id", None, None, None, None)
    return None


def parse_list(text: str) -> list[Card | None]:
    """Every place of a ';' list, in order; None for an empty or unreadable place."""
    return [parse(part) for part in text.split(";")]


def normalise_list(text: str) -> str:
    """The field in upper case without blanks; the places stay. Unreadable cards stay too."""
    return _without_noise(text)


def _without_noise(text: str) -> str:
    return re.sub(_NOISE, "", text).upper()


def cards_expr(column: str) -> pl.Expr:
    """`normalise_list` for a String column; blank becomes null."""
    cards = pl.col(column).cast(pl.String).str.replace_all(_NOISE, "").str.to_uppercase()
    return pl.when(cards.str.contains("[^;]")).then(cards).alias(column)


def first_card(cards: pl.Expr) -> pl.Expr:
    """The first non-empty card of a normalised list."""
    return cards.str.extract("([^;]+)", 1)


def kind(card: pl.Expr) -> pl.Expr:
    """`parse(…).kind` of one normalised card; null where `parse` gives None."""
    return (
        pl.when(card.str.contains(r"\A[A-Z]{2}[1-5][0-9]{12}\z"))
        .then(pl.lit("card"))
        .when(card.str.contains(r"\A[0-9]{10}\z"))
        .then(pl.lit("insurance_number"))
        .when(card.str.contains(r"\A[0-9]{12}\z"))
        .then(pl.lit("citizen_id"))
    )


def object_code(card: pl.Expr) -> pl.Expr:
    return card.str.extract(r"\A([A-Z]{2})[1-5][0-9]{12}\z", 1)


def benefit(card: pl.Expr) -> pl.Expr:
    return card.str.extract(r"\A[A-Z]{2}([1-5])[0-9]{12}\z", 1)


def province(card: pl.Expr) -> pl.Expr:
    return card.str.extract(r"\A[A-Z]{2}[1-5]([0-9]{2})[0-9]{10}\z", 1)


def insurance_number(card: pl.Expr) -> pl.Expr:
    """The BHXH number of one normalised card of 15 or 10 characters; null for others."""
    return card.str.extract(r"\A(?:[A-Z]{2}[1-5][0-9]{2})?([0-9]{10})\z", 1)
