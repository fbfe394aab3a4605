"""What kind of number stands in SO_CCCD: the field holds personal IDs, old CMND, passports, and junk.

    citizen_id         twelve digits, not a dummy (agreement with sex and year is a rule's business)
    cmnd               nine digits, the old identity card; nothing can be read from it
    passport           a letter or two and six to eight digits (Viet Nam: one letter, 7 or 8 digits)
    insurance_number   ten digits equal to the last ten of the patient's card
    leading_zero_lost  10 or 11 digits that become his personal ID when the zeros come back
    dummy              999999999, 123456789012, KHONG CO, … what a desk types to get past a field
    unknown            anything else

Source: DOMAIN 2.1 (patterns high, the list of dummies own knowledge, medium).
Trap: a personal ID of province 001-008 that lost its zeros has ten digits and looks like a BHXH
number. So zeros are only *proposed*, when province, birth year and sex agree as far as they are known;
with ten digits the birth year must be known. The value itself is never padded.
"""

import re
from typing import Final, NamedTuple

import polars as pl

from datasach.vn import citizen_id

_NOISE: Final = r"[\s.\-'’`]+"
_COUNTING: Final = "01234567890123456789012345"
_DUMMIES: Final = frozenset(
    [digit * length for digit in "0123456789" for length in range(1, 16)]
    + [_COUNTING[start : start + length] for start in range(10) for length in range(5, 16)]
    + [_COUNTING[::-1][start : start + length] for start in range(10) for length in range(5, 16)]
    + ["X", "XX", "XXX", "KHONG", "KHÔNG", "KHONGCO", "KHÔNGCÓ", "KHONGRO", "KHÔNGRÕ", "KO", "NA"]
    + ["N/A", "NULL", "NONE", "CHUACO", "CHƯACÓ", "CCCD", "CMND", "TEST", ""]
)
# 079000000000: a real province before a row of zeros. By chance once in a hundred million numbers.
_DUMMY_SHAPE: Final = r"\A[0-9]{3}(?:0{9}|1{9}|9{9})\z"
_DUMMY_OF_TWELVE: Final = "|".join(
    [
        _DUMMY_SHAPE,
        *(rf"\A{each}\z" for each in sorted(_DUMMIES) if re.fullmatch("[0-9]{12}", each)),
    ]
)
_PASSPORT: Final = r"\A[A-Z]{1,2}[0-9]{6,8}\z"


class Identifier(NamedTuple):
    value: str
    """Without blanks, dots, dashes and apostrophes; capitals."""
    kind: str
    proposal: str | None
    """The padded number where the kind is leading_zero_lost."""


def normalise(text: str) -> str:
    """The number without what people put between its digits.

    >>> normalise("079 203.012-345")
    '079203012345'
    """
    return re.sub(_NOISE, "", text).upper()


def classify(
    text: str, sex: str | None = None, birth_year: int | None = None, card: str | None = None
) -> Identifier:
    """Value and kind of one identifier, given what else is known of the person.

    sex is '1' or '2' (anything else: not known); card is the first insurance card.
    """
    value = normalise(text)
    proposal = _with_zeros(value, sex, birth_year)
    if value in _DUMMIES or re.fullmatch(_bare(_DUMMY_SHAPE), value):
        return Identifier(value, "dummy", None)
    if re.fullmatch("[0-9]{12}", value):
        return Identifier(value, "citizen_id", None)
    if re.fullmatch("[0-9]{9}", value):
        return Identifier(value, "cmnd", None)
    if re.fullmatch("[0-9]{10}", value) and card is not None and normalise(card)[-10:] == value:
        return Identifier(value, "insurance_number", None)
    if proposal is not None:
        return Identifier(value, "leading_zero_lost", proposal)
    if re.fullmatch(_bare(_PASSPORT), value):
        return Identifier(value, "passport", None)
    return Identifier(value, "unknown", None)


def _bare(pattern: str) -> str:
    return pattern.removeprefix(r"\A").removesuffix(r"\z")


def _with_zeros(value: str, sex: str | None, birth_year: int | None) -> str | None:
    if not re.fullmatch("[0-9]{10,11}", value) or (len(value) == 10 and birth_year is None):
        return None
    padded = value.zfill(12)
    read = citizen_id.parse(padded)
    if read is None or read.province not in citizen_id.PROVINCES or read.birth_year > 2099:
        return None
    if birth_year is not None and read.birth_year != birth_year:
        return None
    return None if sex in ("1", "2") and read.sex != sex else padded


def value_expr(identifier: str) -> pl.Expr:
    """`normalise` for a String column; blank becomes null."""

    def read(sent: pl.Series) -> pl.Series:
        text = sent.cast(pl.String)
        unclean = (~text.str.contains(r"\A[A-Z0-9]+\z")).fill_null(False).arg_true()
        if unclean.is_empty():
            return text
        value = pl.col("sent").str.replace_all(_NOISE, "").str.to_uppercase()
        rest = text.gather(unclean).alias("sent").to_frame()
        clean = rest.select(pl.when(value != "").then(value)).to_series()
        return text.scatter(unclean, clean)

    column = pl.col(identifier).map_batches(read, return_dtype=pl.String(), is_elementwise=True)
    return column.alias("identifier")


def proposal_expr(identifier: str, sex: str, birth_year: str) -> pl.Expr:
    """The padded personal ID of a number that may have lost its zeros; null where none agrees.

    Does not look at the card: ask `kind_expr` first.
    """
    value = value_expr(identifier)
    ten = value.str.contains(r"\A[0-9]{10}\z") & pl.col(birth_year).is_not_null()
    candidate = pl.when(ten | value.str.contains(r"\A[0-9]{11}\z")).then(value.str.zfill(12))
    year = citizen_id.birth_year(candidate)
    sex_known = pl.col(sex).is_in(["1", "2"]).fill_null(False)
    agrees = (
        citizen_id.province(candidate).is_in(sorted(citizen_id.PROVINCES))
        & (year <= 2099)
        & (pl.col(birth_year).is_null() | (year == pl.col(birth_year)))
        & (~sex_known | (citizen_id.sex(candidate) == pl.col(sex)))
    )
    return pl.when(agrees).then(candidate).alias("identifier_proposal")


def kind_expr(identifier: str, sex: str, birth_year: str, card: str) -> pl.Expr:
    """`classify(…).kind` over columns; null where the identifier is blank."""
    value = value_expr(identifier)
    last_ten = pl.col(card).str.replace_all(_NOISE, "").str.tail(10)
    ten = value.str.contains(r"\A[0-9]{10}\z")
    return (
        pl.when(value.is_in(sorted(_DUMMIES)) | value.str.contains(_DUMMY_SHAPE))
        .then(pl.lit("dummy"))
        .when(value.str.contains(r"\A[0-9]{12}\z"))
        .then(pl.lit("citizen_id"))
        .when(value.str.contains(r"\A[0-9]{9}\z"))
        .then(pl.lit("cmnd"))
        .when(ten & (last_ten == value))
        .then(pl.lit("insurance_number"))
        .when(proposal_expr(identifier, sex, birth_year).is_not_null())
        .then(pl.lit("leading_zero_lost"))
        .when(value.str.contains(_PASSPORT))
        .then(pl.lit("passport"))
        .when(value.is_not_null())
        .then(pl.lit("unknown"))
        .alias("identifier_kind")
    )


def citizen_id_expr(identifier: str) -> pl.Expr:
    """The twelve digits where the kind is citizen_id, else null."""
    value = value_expr(identifier)
    shaped = value.str.contains(r"\A[0-9]{12}\z") & ~value.str.contains(_DUMMY_OF_TWELVE)
    return pl.when(shaped).then(value).alias("citizen_id")
