"""Names of persons: canonical form, what stood beside the name, and names that are no names.

    BN. NGUYỄN THỊ HOÀ (TS)  →  full_name "Nguyễn Thị Hòa", note "TS; BN"
    H’NGA NIÊ                →  full_name "H'Nga Niê"
    CON BÀ TRẦN THỊ B        →  full_name "Con Bà Trần Thị B", is_placeholder

Canonical: repaired text (text.py), title case, tone of open oa/oe/uy on the first vowel (hòa, thúy);
i and y stay, for Vy and Vi are two people. Order is surname, middle names, given name; the given
name, last, is what addresses a person.

Source: DOMAIN 6.1 (names high; list of notes and placeholders medium, own knowledge).
Traps: "VÔ DANH" is nobody, Võ Danh is somebody, so placeholders are compared with their marks when
the text has marks and without only when it has none. Ông is also a surname (Ông Ích Khiêm): a title
is taken off only before a common surname. The name beside "CB" (con bà) may be the mother's.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

import polars as pl

from datasach.vn.syllables import LETTERS
from datasach.vn.text import (
    APOSTROPHES,
    TRACES,
    fold,
    fold_expr,
    fold_letters,
    fold_letters_expr,
    old_style_tones,
    old_style_tones_expr,
    repair,
)


class Name(NamedTuple):
    full_name: str | None
    """Null if the text was blank, or nothing but notes and digits."""
    folded: str | None
    note: str | None
    """What stood beside the name, as sent, joined with "; "."""
    is_placeholder: bool
    reasons: tuple[str, ...]
    """Reasons of text.repair, then note_split, tone_placement. Upper case alone is no reason."""

    @property
    def given(self) -> str | None:
        return self.full_name.split()[-1] if self.full_name else None


# Surnames of more than 95 % of the Kinh (surnames.csv), read without marks.
_SURNAME_LIST: Final = """
    nguyen tran le pham hoang huynh phan vu vo dang bui do ho ngo duong ly dinh trinh mai dao
    luong truong lam doan thach vi ha cao ta luu chau quach to kieu la tong thai bach nghiem phung
    quan vuong tang giang dam lu diep khuat
"""
_SURNAMES: Final = frozenset(_SURNAME_LIST.split())
_TITLE_LIST: Final = "ông bà bé cháu anh chị em cụ cô chú bác te ts mr mrs ms"
_TITLES: Final = frozenset(_TITLE_LIST.split())
# Without marks these are also the surnames Ông and Bá, so one more word must follow.
_TITLES_PLAIN: Final = frozenset({"ong", "ba"})
_DESK_MARKS: Final = frozenset({"bn", "cb"})

_TITLE_PAIR: Final = re.compile(r"((?:ông/bà|ong/ba|anh/chị|anh/chi)[.:]?) +", re.IGNORECASE)
_PREFIX: Final = re.compile(r"(b/n|[^\W\d_]{2,4})[.: \-]+", re.IGNORECASE)
_SUFFIX: Final = re.compile(r" *[-–/_,] *((?:tss?|te|ss|s/s|cb|bn)\.?)\Z", re.IGNORECASE)
_BRACKETED: Final = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]?")
_DIGITS: Final = re.compile(r"[-#]? ?([0-9]+(?:[/.\-][0-9]+)*)")
_NOT_IN_NAMES: Final = re.compile(r"(?:[^\w'\-?\ufffd]|_)+")
_APOSTROPHE: Final = re.compile(rf" *[{APOSTROPHES}] *")
# A lost letter counts as a letter: "Nguy?n", not "Nguy?N".
_LETTER_RUN: Final = re.compile(r"(?:[^\W\d_]|[?\ufffd])+")

_PLACEHOLDERS: Final = (
    r"(?:không (?:rõ|tên|biết|xác định|có)|chưa (?:rõ|biết|có tên|đặt tên|xác định)).*",
    r"vô danh(?: (?:nam|nữ|số|không).*)?|vô thừa nhận|người lạ|unknown.*|no name|n a",
    r"(?:bn|bệnh nhân|nạn nhân|người bệnh|cấp cứu)"
    r"(?: (?:nam|nữ|vô danh|không|chưa|cấp cứu|test|mới)(?: .*)?)?",
    r"nam|nữ|con|bé|trẻ|cháu|em bé|họ tên|họ và tên",
    r"(?:trẻ|bé|cháu|con|em bé|trẻ em) (?:sơ sinh|trai|gái|nam|nữ)(?: .*)?|sơ sinh.*",
    r"(?:bé |cháu |trẻ )?con (?:bà|của|mẹ|sản phụ|chị|cô|ông)(?: .*)?",
    r"(?:.* )?test(?: .*)?|abc|xyz|asdf|a{2,}|x+",
)
_PLACEHOLDER: Final = rf"\A(?:{'|'.join(_PLACEHOLDERS)})\z"
# Unmarked "chau" is the surname Châu as often as the child (CHAU NAM ANH).
_PLACEHOLDER_PLAIN: Final = fold_letters(_PLACEHOLDER).replace("|chau|", "|")
_IS_PLACEHOLDER: Final = re.compile(_PLACEHOLDER.replace(r"\z", r"\Z"))
_IS_PLACEHOLDER_PLAIN: Final = re.compile(_PLACEHOLDER_PLAIN.replace(r"\z", r"\Z"))


def parse(text: str) -> Name:
    """Read one name as sent.

    >>> parse("BN NGUYỄN THỊ HOÀ").full_name
    'Nguyễn Thị Hòa'
    """
    repaired, reasons = repair(text)
    if not repaired:
        return Name(None, None, None, False, reasons)
    notes: list[str] = []
    name = _tidy(_without_brackets_and_digits(repaired, notes))
    placeholder = _is_placeholder(name)
    if not placeholder:
        name = _tidy(_without_titles(_without_brackets_and_digits(repaired, []), notes))
        placeholder = _is_placeholder(name)
    toned = old_style_tones(name)
    if "?" in repaired and "question_marks" not in reasons:
        reasons += ("question_marks",)  # nobody has one in his name, wherever it stands
    if notes:
        reasons += ("note_split",)
    if toned != name:
        reasons += ("tone_placement",)
    full_name = _LETTER_RUN.sub(lambda run: run[0][0].upper() + run[0][1:], toned)
    note = "; ".join(note for note in notes if note) or None
    return Name(
        full_name=full_name or None,
        folded=fold(full_name) or None,
        note=note,
        is_placeholder=placeholder or not full_name,
        reasons=reasons,
    )


def _tidy(text: str) -> str:
    """Small letters, one apostrophe, and of other signs only the hyphen inside a name."""
    words = _NOT_IN_NAMES.sub(" ", _APOSTROPHE.sub("'", text).lower())
    return " ".join(words.split()).strip("-' ")


def _is_placeholder(lower: str) -> bool:
    if _IS_PLACEHOLDER.match(lower):
        return True
    return lower.isascii() and _IS_PLACEHOLDER_PLAIN.match(lower) is not None


def _without_brackets_and_digits(text: str, notes: list[str]) -> str:
    def note(found: re.Match[str]) -> str:
        notes.append(found[1].strip())
        return " "

    return _DIGITS.sub(note, _BRACKETED.sub(note, text))


def _without_titles(text: str, notes: list[str]) -> str:
    text = text.strip()
    while found := _SUFFIX.search(text):
        notes.append(found[1])
        text = text[: found.start()].rstrip()
    found = _TITLE_PAIR.match(text)
    if found:
        notes.append(found[1])
        text = text[found.end() :]
    while found := _PREFIX.match(text):
        if not _is_title(found[1].lower(), _tidy(text[found.end() :]).split()):
            break
        notes.append(found[1])
        text = text[found.end() :]
    return text


def _is_title(word: str, words_after: list[str]) -> bool:
    if not words_after:
        return False
    if word in _DESK_MARKS or word == "b/n":
        return True
    before_surname = fold(words_after[0]) in _SURNAMES
    if word in _TITLES_PLAIN:
        return before_surname and len(words_after) > 2
    return word in _TITLES and before_surname and len(words_after) > 1


# The common path: letters and single blanks, nothing that could be a title, all in Polars.
_UNCOMMON: Final = rf"\A\z|[^A-Za-z {LETTERS}]|  |\A | \z|{TRACES}"
_MAY_HAVE_TITLE: Final = rf"\A(?:{'|'.join(sorted(_TITLES | _TITLES_PLAIN | _DESK_MARKS))}) "
_UNCOMMON_WORD: Final = rf"\A\z|[^A-Za-z{LETTERS}]|{TRACES}|\A(?i:test)\z"
_FIRST_WORDS: Final = (
    "không chưa vô người no n bn bệnh nạn cấp nam nữ con bé trẻ cháu em họ sơ abc xyz asdf"
)
"""With which placeholders begin, but for what is a pattern."""
_LEADING: Final = frozenset(
    {
        *_FIRST_WORDS.split(),
        *fold_letters(_FIRST_WORDS).split(),
        *_TITLES,
        *_TITLES_PLAIN,
        *_DESK_MARKS,
    }
)
_LEADING_PATTERN: Final = r"\A(?:unknown.*|a{2,}|x+)\z"
_REASONS: Final = ("nfc", "blanks", "tone_placement")
_COLUMNS: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "full_name": pl.String,
    "name_folded": pl.String,
    "name_note": pl.String,
    "is_placeholder_name": pl.Boolean,
    "reasons": pl.List(pl.String),
}


def parse_column(series: pl.Series) -> pl.DataFrame:
    """`parse` for a String column, same length and order; a null row is all null.

    Columns full_name, name_folded, name_note, is_placeholder_name, reasons. Works on distinct
    values; Python sees only those with anything but letters and single blanks, or with a title.
    """
    sent = series.cast(pl.String).alias("sent").to_frame()
    distinct = sent.get_column("sent").unique().drop_nulls()
    parsed = parse_distinct(distinct, _COLUMNS).insert_column(0, distinct)
    return sent.join(parsed, on="sent", how="left", maintain_order="left").drop("sent")


def parse_distinct(distinct: pl.Series, columns: Iterable[str]) -> pl.DataFrame:
    """These columns of `parse_column` for values that stand there once each and are not null.

    One more column can be had: name_lower, the full name in small letters. What is not asked for is not worked out.
    """
    wanted = list(columns)
    sent = pl.DataFrame({"sent": distinct}).with_row_index("at")
    sent = sent.with_columns(odd=pl.col("sent").str.contains(_UNCOMMON))
    plain = sent.filter(~pl.col("odd")).select("at", name="sent", why=pl.lit(0, pl.UInt32))
    mended = _mended(sent.filter("odd"))
    common = pl.concat([plain, mended.filter(~pl.col("odd")).select(plain.columns)])
    common = common.with_columns(lower=pl.col("name").str.to_lowercase())
    common = common.with_columns(titled=pl.col("lower").str.contains(_MAY_HAVE_TITLE))
    each = pl.concat(
        [mended.filter("odd").get_column("at"), common.filter("titled").get_column("at")]
    )
    parsed = [
        _parse_common(common.filter(~pl.col("titled")).lazy()).select("at", *wanted).collect()
    ]
    if len(each):
        one_by_one = _parse_each(each, distinct.gather(each))
        lower = pl.col("full_name").str.to_lowercase().alias("name_lower")
        parsed.append(one_by_one.with_columns(lower).select("at", *wanted))
    return pl.concat(parsed).sort("at").drop("at")


def read_words(words: pl.Series) -> pl.DataFrame:
    """What single words say about the names they stand in, so that a column is read word by word where that will do.

    Columns lower (small letters, tone placement as in `parse`), folded (its letters without marks, perhaps none), odd (a name with this word
    needs `parse`), leading (a name that begins with it may be a placeholder, or have a title).
    """
    lower = (
        words.alias("word")
        .to_frame()
        .select("word", lower=old_style_tones_expr(pl.col("word").str.to_lowercase()))
    )
    return lower.select(
        "lower",
        folded=fold_expr(pl.col("lower")).str.replace_all("[^a-z]+", ""),
        odd=pl.col("word").str.contains(_UNCOMMON_WORD),
        leading=pl.col("lower").is_in(list(_LEADING))
        | pl.col("lower").str.contains(_LEADING_PATTERN),
    )


def _mended(odd: pl.DataFrame) -> pl.DataFrame:
    """Whole files come decomposed or with double blanks: that much is put right without Python.

    `name` is the mended text, `why` the bits of _REASONS, `odd` what still needs `parse`.
    """
    nfc = odd.with_columns(nfc=pl.col("sent").str.normalize("NFC"))
    name = nfc.with_columns(name=pl.col("nfc").str.replace_all(" +", " ").str.strip_chars(" "))
    bits = (pl.col("nfc") != pl.col("sent")).cast(pl.UInt32) + 2 * (
        pl.col("name") != pl.col("nfc")
    ).cast(pl.UInt32)
    return name.select("at", "name", why=bits, odd=pl.col("name").str.contains(_UNCOMMON))


def _parse_common(common: pl.LazyFrame) -> pl.LazyFrame:
    """at, name, lower, why → at, the five columns and name_lower."""
    lower = pl.col("lower")
    toned = common.with_columns(toned=old_style_tones_expr(lower))
    toned = toned.with_columns(folded=fold_letters_expr(pl.col("toned")))
    moved = pl.col("toned") != lower
    every_reason = pl.Series(
        [[name for bit, name in enumerate(_REASONS) if why >> bit & 1] for why in range(8)],
        dtype=pl.List(pl.String),
    )
    named = toned.select(
        "at",
        name_lower=pl.col("toned"),
        full_name=pl.col("toned").str.to_titlecase(),
        name_folded=pl.col("folded"),
        name_note=pl.lit(None, pl.String),
        is_placeholder_name=pl.col("toned").str.contains(_PLACEHOLDER),
        why=pl.col("why") + 4 * moved.cast(pl.UInt32),
        unmarked=pl.col("toned") == pl.col("folded"),
    )
    plainly = pl.col("unmarked") & pl.col("name_folded").str.contains(_PLACEHOLDER_PLAIN)
    return named.with_columns(
        pl.col("is_placeholder_name") | plainly,
        reasons=pl.lit(every_reason).gather(pl.col("why")),
    )


def _parse_each(at: pl.Series, texts: pl.Series) -> pl.DataFrame:
    names = [parse(text) for text in texts]
    return pl.DataFrame(
        {
            "at": at,
            "full_name": [name.full_name for name in names],
            "name_folded": [name.folded for name in names],
            "name_note": [name.note for name in names],
            "is_placeholder_name": [name.is_placeholder for name in names],
            "reasons": [list(name.reasons) for name in names],
        },
        schema={"at": pl.UInt32, **_COLUMNS},
    )
