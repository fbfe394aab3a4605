"""Text as senders send it, made comparable: NFC, clean blanks, the right đ, the right encoding.

`repair` works on one text, `repair_column` on a Series; both give the new text and the reasons:

    double_utf8, tcvn3, vni   read in a wrong encoding (see legacy.py)
    nfc           tones were separate code points (macOS files, Windows-1258)
    d_lookalike   Ð U+00D0 or Ɖ U+0189 stood for Đ U+0110; they look the same and match nothing
    control       control, zero-width and direction characters removed
    blanks        outer, double, no-break and line-break blanks
    excel_prefix  the apostrophe or ="…" that keeps a spreadsheet from eating a leading zero
    question_marks  nothing changed: letters were lost ("Nguy?n"); the text cannot be restored
    garbled       nothing changed: UTF-8 shown in another code page, with bytes lost on the way ("Ä au bá»¥ng")

Source: DOMAIN 6.1 (high; Ð counted in 178 of 2,536 entries of one public name list).
Trap: foreign names are correct as they are (Guðrún, François), so nothing here works by "letters we
do not know", and a text that merely looks odd is left alone.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

import polars as pl

from datasach.vn.legacy import restore
from datasach.vn.syllables import ACCENTED_LOWER, LETTERS, is_syllable, is_word_of_ethnic_name

_D_LOOKALIKES: Final = {"Ð": "Đ", "ð": "đ", "Ɖ": "Đ", "ɖ": "đ"}
_D_WORD: Final = re.compile(r"(?<![^\W\d_])[ÐðƉɖ][^\W\d_]*")
_BLANKS: Final = re.compile(r"\s+")
_EXCEL_FORMULA: Final = re.compile(r'="([^"]*)"')
_LOST_LETTER: Final = re.compile(
    r"\ufffd|\?[^\W\d_]|(?<![^\W\d_])[bcdđghklmnpqrstvxBCDĐGHKLMNPQRSTVX]{1,3}\?"
)

# What two or three bytes of a Vietnamese letter look like in CP1252 or Latin-1. No correct text has them: a
# letter of Western names is followed by a letter, not by a sign, a half quote or (Ä, its đ cut off) a blank.
_GARBLED: Final = re.compile(
    "á[º»]|Æ[°¡¯]|Ä[\x80-\x9f‘’“”ƒ¨©? ]|Ã[\x80-\xbf€‚ƒ„…†‡ˆ‰‹ŒŽ‘’“”•–—˜™š›œžŸ?]"
)

_TCVN3_SIGN: Final = re.compile("[¡-¬®¶-¾×÷]")

# One test decides which values of a column need a closer look. It must be wider than `repair`:
# a value that passes is returned as it is. Accented pairs such as "aâ" or "uù" occur in VNI text
# only; "nÊ" (a capital after a small letter) in TCVN3 text only.
_ORDINARY: Final = r"A-Za-z0-9 .,;:/()\[\]\-+'%&*#=_\"<>!|" + LETTERS
TRACES: Final = (
    r"[aA][âáàãêéèúùõÂÁÀÃÊÉÈÚÙÕ]|[eE][âáàãùõÂÁÀÃÙÕ]|[oO][âùõÂÙÕ]|[iIuUyYôÔ][ùõÙÕ]"
    "|[a-z][ÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝ]"
)
SUSPICIOUS: Final = rf"[^{_ORDINARY}]|  |\A[ '=]| \z|{TRACES}"

_OLD_STYLE: Final = dict(
    zip(
        ["oà", "oá", "oả", "oã", "oạ", "oè", "oé", "oẻ", "oẽ", "oẹ", "uỳ", "uý", "uỷ", "uỹ", "uỵ"],
        ["òa", "óa", "ỏa", "õa", "ọa", "òe", "óe", "ỏe", "õe", "ọe", "ùy", "úy", "ủy", "ũy", "ụy"],
        strict=True,
    )
)
_NEW_STYLE: Final = re.compile(rf"(?<!q)(?:{'|'.join(_OLD_STYLE)})(?![^\W\d_])")

_PLAIN: Final = {
    letter: "d" if letter == "đ" else unicodedata.normalize("NFD", letter)[0]
    for letter in ACCENTED_LOWER + "đ"
}
_FOLDED_LETTER: Final = {
    "đ": "d",
    "ð": "d",
    "ɖ": "d",
    "ß": "ss",
    "ø": "o",
    "æ": "ae",
    "œ": "oe",
    "ł": "l",
}
APOSTROPHES: Final = "'’‘ʼ`´"
_NO_MARKS: Final = re.compile(r"[\u0300-\u036f]+")


def repair(text: str) -> tuple[str, tuple[str, ...]]:
    """One text repaired, and why; an unchanged text has no reasons (but see question_marks and garbled).

    >>> repair("  Nguyeãn Vaên  Hoøa")
    ('Nguyễn Văn Hòa', ('vni', 'blanks'))
    """
    reasons: list[str] = []

    def step(reason: str, new: str) -> str:
        if new != text and reason not in reasons:
            reasons.append(reason)
        return new

    text = step("nfc", unicodedata.normalize("NFC", text))
    for _ in range(3):
        restored = restore(text)
        if restored is None:
            break
        text = step(restored[1], unicodedata.normalize("NFC", restored[0]))
    text = step("d_lookalike", _D_WORD.sub(_with_real_d, text))
    text = step("control", _without_controls(text))
    text = step("blanks", _BLANKS.sub(" ", text).strip())
    text = step("excel_prefix", _without_excel_prefix(text))
    if _LOST_LETTER.search(text):
        reasons.append("question_marks")
    # A closing quotation mark after á is one if it was opened.
    if _GARBLED.search(text) and "«" not in text:
        reasons.append("garbled")
    return text, tuple(reasons)


def _with_real_d(found: re.Match[str]) -> str:
    word = found[0]
    fixed = _D_LOOKALIKES[word[0]] + word[1:]
    if is_syllable(fixed, tone_needed=False) or is_word_of_ethnic_name(fixed):
        return fixed
    return word


def _without_controls(text: str) -> str:
    if text.isprintable():
        return text
    # A soft hyphen beside other signs of TCVN3 is an ư that nobody has converted yet.
    spared = "\xad" if _TCVN3_SIGN.search(text) else ""
    kept = "".join(
        char
        for char in text
        if char.isspace() or char in spared or unicodedata.category(char) not in ("Cc", "Cf")
    )
    return unicodedata.normalize("NFC", kept)


def _without_excel_prefix(text: str) -> str:
    formula = _EXCEL_FORMULA.fullmatch(text)
    if formula:
        text = formula[1].strip()
    if text.startswith("'") and not text.endswith("'"):
        text = text.lstrip("' ")
    return text


def repair_column(series: pl.Series) -> pl.DataFrame:
    """`repair` for a String column, same length and order: value, reasons (empty list if none).

    Python sees only distinct values that fail one regular expression; a null stays null.
    """
    frame = pl.DataFrame({"sent": series.cast(pl.String)})
    suspicious = frame.filter(pl.col("sent").str.contains(SUSPICIOUS)).unique()
    none = pl.lit([], dtype=pl.List(pl.String))
    if suspicious.is_empty():
        return frame.select(value="sent", reasons=none)
    # Whole files come decomposed; where that was all, Python need not look.
    composed = suspicious.with_columns(new=pl.col("sent").str.normalize("NFC"))
    garbled = pl.col("new").str.contains(SUSPICIOUS)
    only_nfc = composed.filter(~garbled).with_columns(why=pl.lit(["nfc"]))
    found = pl.concat([only_nfc, _repaired(composed.filter(garbled).get_column("sent"))])
    joined = frame.join(found, on="sent", how="left", maintain_order="left")
    return joined.select(value=pl.coalesce("new", "sent"), reasons=pl.coalesce("why", none))


def _repaired(distinct: pl.Series) -> pl.DataFrame:
    repaired = [repair(text) for text in distinct]
    return pl.DataFrame(
        {
            "sent": distinct,
            "new": pl.Series([text for text, _ in repaired], dtype=pl.String),
            "why": pl.Series([list(why) for _, why in repaired], dtype=pl.List(pl.String)),
        }
    )


def old_style_tones(lower: str) -> str:
    """Lower-case text with the tone of open oa, oe, uy on the first vowel: hòa, khỏe, thúy.

    "quý" stays: its u belongs to the consonant.
    """
    return _NEW_STYLE.sub(lambda found: _OLD_STYLE[found[0]], lower)


def old_style_tones_expr(lower: pl.Expr) -> pl.Expr:
    """`old_style_tones` for lower-case words separated by single blanks."""
    # A trailing blank marks the end of each syllable, for there is no look-ahead; "quý " is
    # replaced by itself so that it wins over "uý ".
    find = {f"q{old} ": f"q{old} " for old in _OLD_STYLE if old[0] == "u"}
    find |= {f"{new} ": f"{old} " for new, old in _OLD_STYLE.items()}
    padded = (lower + " ").str.replace_many(list(find), list(find.values()), leftmost=True)
    return padded.str.strip_suffix(" ")


@lru_cache(maxsize=65_536)
def fold(text: str) -> str:
    """Key for blocking and search, never for show: a-z, 0-9 and single blanks.

    >>> fold("H'Nga  ĐẶNG-Thúy")
    'hnga dang thuy'
    """
    lower = unicodedata.normalize("NFD", unicodedata.normalize("NFC", text).lower())
    plain = "".join(_FOLDED_LETTER.get(char, char) for char in _NO_MARKS.sub("", lower))
    joined = re.sub(f"[{APOSTROPHES}]", "", plain)
    return re.sub(r"[^a-z0-9]+", " ", joined).strip()


def fold_expr(text: pl.Expr) -> pl.Expr:
    """`fold` for a column."""
    plain = text.str.normalize("NFC").str.to_lowercase().str.normalize("NFD")
    plain = plain.str.replace_all(r"[\x{300}-\x{36f}]+", "")
    plain = plain.str.replace_many(list(_FOLDED_LETTER), list(_FOLDED_LETTER.values()))
    plain = plain.str.replace_all(f"[{APOSTROPHES}]", "")
    return plain.str.replace_all(r"[^a-z0-9]+", " ").str.strip_chars(" ")


def fold_letters(lower: str) -> str:
    """Small Vietnamese letters without marks, everything else untouched."""
    return "".join(_PLAIN.get(char, char) for char in lower)


def fold_letters_expr(lower: pl.Expr) -> pl.Expr:
    """`fold_letters` for a column: equals `fold` on letters and single blanks, in one pass."""
    return lower.str.replace_many(list(_PLAIN), list(_PLAIN.values()))
