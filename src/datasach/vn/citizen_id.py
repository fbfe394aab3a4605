"""Citizen identity numbers (số định danh cá nhân, on the CCCD and căn cước): twelve digits.

    PPP   province where the birth was registered, one of the 63 of before 2025; or a country
    G     sex and century: even = male, odd = female; 0-1 = 1900s, 2-3 = 2000s, …
    YY    last two digits of the birth year
    N×6   random

Source: Decree 137/2015/ND-CP, article 13 (DOMAIN 2.1, high); the country codes of births abroad
are not established. The merger of 2025 renumbered nobody, so PPP stays a code of the old list.
Traps: there is no check digit, so a well-formed number can still be somebody else's; and every
number of a person born in Viet Nam starts with 0, which every numeric column eats.
"""

import re
from typing import Final, NamedTuple

import polars as pl

_CODE_LIST: Final = """
    01 02 04 06 08 10 11 12 14 15 17 19 20 22 24 25 26 27 30 31 33 34 35 36 37 38 40 42 44 45 46
    48 49 51 52 54 56 58 60 62 64 66 67 68 70 72 74 75 77 79 80 82 83 84 86 87 89 91 92 93 94 95 96
"""
PROVINCES: Final = frozenset(f"0{code}" for code in _CODE_LIST.split())
"""The 63 province prefixes; a closed list, for no new ones are given out."""

_SHAPE: Final = r"\A[0-9]{12}\z"
_IS_SHAPED: Final = re.compile(r"[0-9]{12}")


class CitizenId(NamedTuple):
    province: str
    is_female: bool
    birth_year: int

    @property
    def sex(self) -> str:
        return "2" if self.is_female else "1"


def parse(text: str) -> CitizenId | None:
    """Read one number; None if it does not have the shape of a citizen id.

    >>> parse("079203012345")
    CitizenId(province='079', is_female=False, birth_year=2003)
    """
    if not _IS_SHAPED.fullmatch(text):
        return None
    century_and_sex = int(text[3])
    year = 1900 + 100 * (century_and_sex // 2) + int(text[4:6])
    return CitizenId(province=text[:3], is_female=century_and_sex % 2 == 1, birth_year=year)


# The expressions take an expression, so that they also serve a number that is only proposed.


def _shaped(number: pl.Expr) -> pl.Expr:
    return pl.when(number.str.contains(_SHAPE)).then(number)


def _century_and_sex(number: pl.Expr) -> pl.Expr:
    return _shaped(number).str.slice(3, 1).cast(pl.Int32)


def province(number: pl.Expr) -> pl.Expr:
    """`parse(…).province`; null where `parse` gives None. One of PROVINCES, or a country."""
    return _shaped(number).str.slice(0, 3)


def sex(number: pl.Expr) -> pl.Expr:
    """`parse(…).sex`: '1' male, '2' female."""
    return (
        pl.when(_century_and_sex(number) % 2 == 1)
        .then(pl.lit("2"))
        .when(_century_and_sex(number).is_not_null())
        .then(pl.lit("1"))
    )


def birth_year(number: pl.Expr) -> pl.Expr:
    """`parse(…).birth_year`, as Int32."""
    century = _century_and_sex(number) // 2
    return 1900 + 100 * century + _shaped(number).str.slice(4, 2).cast(pl.Int32)
