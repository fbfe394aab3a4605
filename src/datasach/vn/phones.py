"""Phone numbers: ten digits for mobiles, eleven for fixed lines, nothing else.

    0912 345 678, +84912345678, 0084 912…, 84912345678, 912345678   → 0912345678
    01234567890 → 0834567890    the eleven-digit mobiles of before 2018, prefix by prefix
    024 3825 3531 → 02438253531 fixed lines, 02 and nine digits since 2017

Source: the numbering changes of 2017 and 2018 (DOMAIN 2.4, high); the prefix map is reference data
and is passed in. A field with several numbers gives its first one.
Trap: numbers move between carriers, so a prefix proves no carrier; and a number is a household's or
a reception desk's as often as a person's.
"""

import re
from collections.abc import Mapping
from typing import Final

import polars as pl

_NOISE: Final = r"[\s.\-()'’]+"
_SEVERAL: Final = r"[;,/|].*"
_VALID: Final = r"\A(?:0[35789][0-9]{8}|02[0-9]{9})\z"


def normalise(text: str, old_to_new: Mapping[str, str]) -> str | None:
    """One number as dialled inside Viet Nam; None if it is no number of today.

    old_to_new maps the four-digit prefixes of before 2018 to today's three digits.

    >>> normalise("+84 912 345 678", {})
    '0912345678'
    """
    number = re.sub(_NOISE, "", re.sub(_SEVERAL, "", text, flags=re.DOTALL))
    if re.match(r"(?:\+84|0084)", number) or re.fullmatch("84[0-9]{9,10}", number):
        number = "0" + re.sub(r"\A(?:\+|00)?840?", "", number)
    elif re.fullmatch("[35789][0-9]{8}", number):
        number = "0" + number  # a spreadsheet took the zero
    if re.fullmatch("01[0-9]{9}", number):
        number = old_to_new.get(number[:4], number[:4]) + number[4:]
    return number if re.fullmatch(_VALID.removeprefix(r"\A").removesuffix(r"\z"), number) else None


def phone_expr(column: str, old_to_new: Mapping[str, str]) -> pl.Expr:
    """`normalise` for a String column; only numbers that are not yet clean are taken apart."""

    def read(sent: pl.Series) -> pl.Series:
        text = sent.cast(pl.String)
        unclean = (~text.str.contains(_VALID)).fill_null(False).arg_true()
        if unclean.is_empty():
            return text
        rest = text.gather(unclean).alias("sent").to_frame()
        return text.scatter(unclean, rest.select(_cleaned("sent", old_to_new)).to_series())

    return pl.col(column).map_batches(read, return_dtype=pl.String(), is_elementwise=True)


def _cleaned(column: str, old_to_new: Mapping[str, str]) -> pl.Expr:
    number = pl.col(column).str.replace(f"(?s){_SEVERAL}", "").str.replace_all(_NOISE, "")
    number = number.str.replace(r"\A(?:\+84|0084)0?", "0")
    number = number.str.replace(r"\A84(?:0([0-9]{8,9})|([1-9][0-9]{8,9}))\z", "0${1}${2}")
    number = number.str.replace(r"\A([35789][0-9]{8})\z", "0${1}")
    prefix = number.str.slice(0, 4).replace(dict(old_to_new))
    converted = (
        pl.when(number.str.contains(r"\A01[0-9]{9}\z"))
        .then(prefix + number.str.slice(4))
        .otherwise(number)
    )
    return pl.when(converted.str.contains(_VALID)).then(converted)
