"""ICD-10 codes as hospitals write them: A000, a00.0, A00.0†, G01*, or a list with ';'.

    letter, digit, digit or letter   [. one or two characters]   [† or *]

† (also +) marks the disease, * its manifestation; the marks belong to the pair of codes, not to the
code, so they are kept apart: catalogues and validity know the code without them.
Source: ICD-10 as in TT 06/2026/TT-BYT (DOMAIN 1.8; list of codes in _reference/icd10.csv, medium).
Trap: a shaped code need not exist; `is_valid` asks a list, and the list changes with the year.
"""

import re
from collections.abc import Callable, Set
from typing import Final, NamedTuple

import polars as pl

_SHAPE: Final = r"([A-Z][0-9][0-9A-Z])\.?([0-9]{0,2}|-)([†*+]?)"
_SEPARATOR: Final = r"[;,]"


class Icd(NamedTuple):
    code: str
    mark: str | None
    """† disease, * manifestation."""


def parse(text: str) -> Icd | None:
    """Read one code; None if it does not have the shape.

    >>> parse("a170+")
    Icd(code='A17.0', mark='†')
    """
    found = re.fullmatch(_SHAPE, re.sub(r"\s+", "", text).upper())
    if found is None:
        return None
    rest = found[2].strip("-")
    mark = {"": None, "+": "†"}.get(found[3], found[3])
    return Icd(f"{found[1]}.{rest}" if rest else found[1], mark)


def normalise_list(text: str) -> str | None:
    """Codes in order, joined with ';', without marks; what is no code stays, in capitals.

    Kept rather than dropped: a rule must see that the list holds something unknown.
    """
    parts = [re.sub(r"\s+", "", part).upper() for part in re.split(_SEPARATOR, text)]
    read = [(part, parse(part)) for part in parts if part]
    return ";".join(icd.code if icd else part for part, icd in read) or None


def code_expr(column: str) -> pl.Expr:
    """`parse(…).code` for a String column; null where `parse` gives None."""
    return _over_distinct(column, lambda text: icd.code if (icd := parse(text)) else None)


def mark_expr(column: str) -> pl.Expr:
    """`parse(…).mark`: †, * or null."""
    marks = _over_distinct(column, lambda text: icd.mark if (icd := parse(text)) else None)
    return marks.alias("icd_mark")


def list_expr(column: str) -> pl.Expr:
    """`normalise_list` for a String column."""
    return _over_distinct(column, normalise_list)


def _over_distinct(column: str, read: Callable[[str], str | None]) -> pl.Expr:
    # Millions of rows hold a few thousand codes, so each is read once.
    def of_column(sent: pl.Series) -> pl.Series:
        text = sent.cast(pl.String)
        distinct = text.unique().drop_nulls().to_list()
        meanings = pl.Series([read(each) for each in distinct], dtype=pl.String)
        return text.replace_strict(distinct, meanings, default=None, return_dtype=pl.String)

    return pl.col(column).map_batches(of_column, return_dtype=pl.String(), is_elementwise=True)


def is_valid(code: str, codes: Set[str]) -> bool:
    """Is the code, without marks, in the list?"""
    icd = parse(code)
    return icd is not None and icd.code in codes


def is_valid_expr(code: pl.Expr, codes: Set[str]) -> pl.Expr:
    """`is_valid` for a column of normalised codes; null where there is no code."""
    return code.is_in(list(codes))
