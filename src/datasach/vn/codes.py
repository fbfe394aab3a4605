"""Codes of closed lists: what spreadsheets did to them, and the many spellings of a sex.

    "2.0" → "2"   "1,3" → "1.3"   "'01" → "01"   "1" → "01" if the list has "01" and not "1"

A code is repaired only into the list it belongs to; anything else stays as sent, and a rule says
that it is not in the list.
Source: DOMAIN 1.6 (codes are text; a public list shows 2 beside "1.11" after such a conversion).
Trap: "01" and "1" are two codes in some lists, so a zero is never added by pattern.
"""

import re
from collections.abc import Set
from typing import Final

import polars as pl

SEX: Final = {
    "1": "1", "01": "1", "nam": "1", "male": "1", "m": "1", "trai": "1",
    "2": "2", "02": "2", "nữ": "2", "nu": "2", "female": "2", "f": "2", "gái": "2",
    "3": "3", "03": "3", "chưa xác định": "3", "không xác định": "3", "other": "3",
    "undetermined": "3", "khác": "3",
}  # fmt: skip
_POINT_ZERO: Final = re.compile(r"([0-9]+)\.0+")
_MOST_ZEROS: Final = 4


def sex(text: str) -> str | None:
    """'1' male, '2' female, '3' undetermined; None if the text says none of them.

    0 is not read: it is male in some systems and "not given" in others.
    """
    return SEX.get(re.sub(r"[.]0+\Z", "", text.strip().lower()))


def sex_expr(column: str) -> pl.Expr:
    """`sex` for a column."""
    text = pl.col(column).cast(pl.String).str.strip_chars().str.to_lowercase()
    text = text.str.replace(r"[.]0+\z", "")
    return text.replace_strict(SEX, default=None, return_dtype=pl.String).alias("sex")


def repair_code(text: str, codes: Set[str]) -> tuple[str, str | None]:
    """The code of the list that was meant, and the reason `spreadsheet` if it was another text."""
    trimmed = text.strip()
    if trimmed in codes:
        return trimmed, None
    bare = trimmed.lstrip("'’ ")
    for candidate in _candidates(bare):
        if candidate in codes:
            return candidate, "spreadsheet"
    return trimmed, None


def _candidates(bare: str) -> list[str]:
    point = bare.replace(",", ".")
    whole = _POINT_ZERO.sub(r"\1", point) if _POINT_ZERO.fullmatch(point) else point
    zeros = [whole.zfill(len(whole) + more) for more in range(1, _MOST_ZEROS + 1)]
    return [
        bare,
        point,
        whole,
        *(zeros if whole.isascii() and whole.isdigit() else []),
        bare.upper(),
    ]


def repairs(sent: pl.Series, codes: Set[str]) -> dict[str, str]:
    """What `repair_code` changes among the distinct values of a column: sent → code."""
    distinct = sent.cast(pl.String).unique().drop_nulls()
    fixed = {text: repair_code(text, codes)[0] for text in distinct}
    return {text: code for text, code in fixed.items() if code != text}


def code_expr(column: str, codes: Set[str]) -> pl.Expr:
    """`repair_code(…)[0]` for a column of any type; blank becomes null."""

    def repaired(sent: pl.Series) -> pl.Series:
        text = sent.cast(pl.String)
        changed = repairs(text, codes)
        return text.replace(changed) if changed else text

    code = pl.col(column).map_batches(repaired, return_dtype=pl.String(), is_elementwise=True)
    return pl.when(code != "").then(code).alias(column)


def codes_expr(column: str, codes: Set[str]) -> pl.Expr:
    """`repair_code` for each part of a ';' list; the places stay, an all-blank list is null."""

    def repaired(sent: pl.Series) -> pl.Series:
        distinct = sent.cast(pl.String).unique().drop_nulls()
        fixed = {
            text: ";".join(repair_code(part, codes)[0] for part in text.split(";"))
            for text in distinct
        }
        return sent.cast(pl.String).replace({old: new for old, new in fixed.items() if old != new})

    code = pl.col(column).map_batches(repaired, return_dtype=pl.String(), is_elementwise=True)
    return pl.when(code.str.contains("[^;]")).then(code).alias(column)
