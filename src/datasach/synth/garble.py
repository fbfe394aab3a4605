"""What happens to Vietnamese text on its way: lost marks, other tone places, old fonts, slips.

Each function takes canonical text (NFC) and gives what a file then holds. The tables of TCVN3 and
VNI are the published ones, seen as Latin-1; tests compare them with `tests/data/text_vectors.csv`.
"""

from __future__ import annotations

import re
import unicodedata

TONE_PAIRS = {
    old: new
    for first, second, old_tones, new_tones in (
        ("o", "a", "òóỏõọ", "àáảãạ"), ("o", "e", "òóỏõọ", "èéẻẽẹ"), ("u", "y", "ùúủũụ", "ỳýỷỹỵ"),
    )
    for old_vowel, new_vowel in zip(old_tones, new_tones, strict=True)
    for old, new in ((old_vowel + second, first + new_vowel),)
}  # fmt: skip
OPEN_PAIR = re.compile("(?<![qQ])(" + "|".join(TONE_PAIRS) + r")\b", re.IGNORECASE)


def new_tone_placement(text: str) -> str:
    """hòa → hoà, thúy → thuý; nothing else changes.

    >>> new_tone_placement("Nguyễn Thúy Hòa")
    'Nguyễn Thuý Hoà'
    """
    return OPEN_PAIR.sub(lambda found: TONE_PAIRS.get(found[0], found[0]), text)


def without_marks(text: str) -> str:
    """Vietnamese typed without its marks; đ becomes d.

    >>> without_marks("Đặng Thị Hương")
    'Dang Thi Huong'
    """
    plain = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(c for c in plain if not unicodedata.combining(c))


def mistype(word: str, draw: float) -> str:
    """A slip of the fingers that changes the word: a letter doubled, dropped, or a lost mark."""
    at = 1 + int(draw * 1000) % max(1, len(word) - 1)
    plain = without_marks(word)
    slips = [
        word[:at] + word[at:].replace(word[at : at + 1], "", 1) if len(word) > 2 else word + "h",
        word + word[-1],
        plain if plain != word else word + "g",
    ]
    return slips[int(draw * 3)]


def _pairs(letters: str, codes: str) -> dict[int, str]:
    return {ord(a): b for a, b in zip(letters.split(), codes.split(), strict=True)}


# TCVN 5712:1993 (ABC) as it looks when read as Latin-1; capitals with a tone exist only in H fonts.
_TCVN3 = _pairs(
    "à ả ã á ạ ă ằ ẳ ẵ ắ ặ â ầ ẩ ẫ ấ ậ đ è ẻ ẽ é ẹ ê ề ể ễ ế ệ ì ỉ ĩ í ị ò ỏ õ ó ọ ô ồ ổ ỗ ố ộ "
    "ơ ờ ở ỡ ớ ợ ù ủ ũ ú ụ ư ừ ử ữ ứ ự ỳ ỷ ỹ ý ỵ Ă Â Ê Ô Ơ Ư Đ",
    "µ ¶ · ¸ ¹ ¨ » ¼ ½ ¾ Æ © Ç È É Ê Ë ® Ì Î Ï Ð Ñ ª Ò Ó Ô Õ Ö × Ø Ü Ý Þ ß á â ã ä « å æ ç è é "
    "¬ ê ë ì í î ï ñ ò ó ô \u00ad õ ö ÷ ø ù ú û ü ý þ ¡ ¢ £ ¤ ¥ ¦ §",
)
# VNI: the base letter followed by a mark that is a letter of its own in Latin-1.
_VNI_TONES = dict(zip("\u0300\u0301\u0309\u0303\u0323", "øùûõï", strict=True))
_VNI_ROOF = dict(zip("\u0300\u0301\u0309\u0303\u0323", "àáåãä", strict=True))
_VNI_BREVE = dict(zip("\u0300\u0301\u0309\u0303\u0323", "èéúüë", strict=True))
_VNI_SINGLE = {"ì": "ì", "í": "í", "ỉ": "æ", "ĩ": "ó", "ị": "ò", "ỵ": "î", "đ": "ñ", "Đ": "Ñ"}


def tcvn3(text: str) -> str:
    """Text of a TCVN3 (ABC) font read as Latin-1; accented capitals come out small.

    >>> tcvn3("Nguyễn Văn Hòa")
    'NguyÔn V¨n Hßa'
    """
    known = "".join(c if c in "ĂÂÊÔƠƯĐ" or c < "\x7f" else c.lower() for c in text)
    return known.translate(_TCVN3)


def vni(text: str) -> str:
    """Text of a VNI font read as Latin-1.

    >>> vni("Nguyễn Văn Hòa")
    'Nguyeãn Vaên Hoøa'
    """
    out = []
    for letter in text:
        if letter in _VNI_SINGLE:
            out.append(_VNI_SINGLE[letter])
            continue
        parts = unicodedata.normalize("NFD", letter)
        base, marks = parts[0], parts[1:]
        tone = next((m for m in marks if m in _VNI_TONES), "")
        upper = base.isupper()
        if "\u0302" in marks:
            mark = _VNI_ROOF.get(tone, "â")
        elif "\u0306" in marks:
            mark = _VNI_BREVE.get(tone, "ê")
        elif "\u031b" in marks:
            base = {"o": "ô", "u": "ö"}[base.lower()]
            base, mark = (base.upper() if upper else base), _VNI_TONES.get(tone, "")
        else:
            mark = _VNI_TONES.get(tone, "")
        out.append(base + (mark.upper() if upper else mark))
    return "".join(out)
