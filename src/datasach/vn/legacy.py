"""Text that was read in the wrong encoding: TCVN3, VNI, and UTF-8 taken for CP1252 or Latin-1.

    NguyÔn V¨n Hßa     TCVN3 (ABC): one byte per letter, standard TCVN 5712:1993, set VN3
    Nguyeãn Vaên Hoøa  VNI-Windows: base letter, then a byte that is the mark (VNI Software, 1990s)
    Nguyá»…n VÄƒn HÃ²a UTF-8 bytes shown as CP1252 (Latin-1 where CP1252 has no letter), once or twice

The tables are ours, written from the standards (confidence high; every letter is tested both ways).

The trap is a correct text that looks foreign: François, Müller, Noël are also valid bytes of TCVN3
and VNI. So a text is converted only when (1) it is not plausible as it stands, (2) every word that
the conversion changes becomes a Vietnamese syllable, and (3) it shows a letter that no Western
spelling has in that place ("V¨n", "Hoøa", "TrÇn"), or at least two suspect letters in a text that is
Vietnamese from end to end after conversion. When in doubt the text is left alone: a garbled name can
still be repaired tomorrow, a destroyed one cannot.
"""

import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Final, NamedTuple

from datasach.vn.syllables import is_syllable, is_word_of_ethnic_name

LOST: Final = "\ufffd"

TCVN3: Final[dict[str, str]] = dict(
    zip(
        "¡¢£¤¥¦§¨©ª«¬\xad®µ¶·¸¹»¼½¾ÆÇÈÉÊËÌÎÏÐÑÒÓÔÕÖ×ØÜÝÞßáâãäåæçèéêëìíîïñòóôõö÷øùúûüýþ",
        "ĂÂÊÔƠƯĐăâêôơưđàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ",
        strict=True,
    )
)
# Capitals with a tone have no byte in TCVN3: "H" fonts draw them. Senders that wrote them anyway
# used the Latin-1 letter, whose byte is free in the table.
_FREE_IN_TCVN3: Final = frozenset("ÀÁÃÍÚ")
_CAPITALS: Final = frozenset("ÈÉÊÌÒÓÔÕÙÝ")

_VNI_MARKS: Final = {
    "a": ("ùøûõïâáàåãäêéèúüë", "áàảãạâấầẩẫậăắằẳẵặ"),
    "e": ("ùøûõïâáàåãä", "éèẻẽẹêếềểễệ"),
    "i": ("ùøûõï", "íìỉĩị"),
    "o": ("ùøûõïâáàåãä", "óòỏõọôốồổỗộ"),
    "u": ("ùøûõï", "úùủũụ"),
    "y": ("ùøûõï", "ýỳỷỹỵ"),
    "ô": ("ùøûõï", "ớờởỡợ"),
    "ö": ("ùøûõï", "ứừửữự"),
}
_VNI_SINGLE: Final = dict(zip("ñôöíìæóòî", "đơưíìỉĩịỵ", strict=True))
# What French, Spanish or Portuguese put after a vowel, or anywhere: Loïc, Gaël, Danaé, Peña.
_WESTERN_IN_VNI: Final = frozenset(
    ["aï", "oï", "uï", "eï", "aë", "aü", "aé", "aè", "ñ", "ö", "ô", "í", "ì", "ó", "ò", "æ", "î"]
)


def _vni_table() -> dict[str, str]:
    small = dict(_VNI_SINGLE)
    for base, (marks, letters) in _VNI_MARKS.items():
        small |= {base + mark: letter for mark, letter in zip(marks, letters, strict=True)}
    table = dict(small)
    for pair, letter in small.items():
        table[pair.upper()] = letter.upper()
        if len(pair) == 2:  # "Aùnh": a capital with the small mark, as many typists wrote it
            table[pair[0].upper() + pair[1]] = letter.upper()
    return table


VNI: Final[dict[str, str]] = _vni_table()
_VNI_UNIT: Final = re.compile("|".join(sorted(VNI, key=len, reverse=True)))
# In a dose "5 µg" the µ is a micro sign, not the à of TCVN3.
_MICRO_UNITS: Final = frozenset({"µg", "µm", "µl", "µL", "µs", "µM", "µmol", "µkat"})
# Capitals throughout; in "Lý H¹" every small letter is accented, but no capital stands inside.
_CAPITALS_ONLY: Final = re.compile(r"\S[A-Z]")
_SMALL: Final = re.compile("[a-z]")
# "HÃ\xa0 Kim" is à in two bytes; the capital surname in "LÃ\xa0KIM" is not.
_SPLIT_A: Final = re.compile("Ã\xa0.*[a-z]|[a-z].*Ã\xa0", re.DOTALL)
_WORD: Final = re.compile(r"[^\s,.;:/()\[\]\-0-9?\"+*_&<>!#%=|]+")


class Reading(NamedTuple):
    """One text read by one encoding, with what speaks for it."""

    text: str
    reason: str
    certain: int
    """letters that Western spelling never has in that place"""
    possible: int


def restore(text: str) -> tuple[str, str] | None:
    """The text as it was meant, and the reason; None where it should stay as it is.

    >>> restore("NguyÔn V¨n Hßa")
    ('Nguyễn Văn Hòa', 'tcvn3')
    """
    if text.isascii() or (_is_plausible(text) and not _SPLIT_A.search(text)):
        return None
    utf8 = _from_utf8(text)
    if utf8 is not None:
        return utf8, "double_utf8"
    if any(char > "ÿ" for char in text):
        return None
    readings = [got for got in (_from_tcvn3(text), _from_vni(text)) if got is not None]
    readings.sort(key=lambda reading: (reading.certain, reading.possible), reverse=True)
    if not readings or (len(readings) > 1 and readings[0][2:] == readings[1][2:]):
        return None  # "Löu" is Lưu in VNI and Lửu in TCVN3; nothing tells which
    return readings[0].text, readings[0].reason


def _is_plausible(text: str) -> bool:
    return all(word.isascii() or is_syllable(word) for word in _WORD.findall(text))


def _from_utf8(text: str) -> str | None:
    once = _undo_utf8(text)
    if once is None:
        return None
    return _undo_utf8(once) or once


def _undo_utf8(text: str) -> str | None:
    whole = _decoded(text)
    if whole is not None:
        return whole
    if "Ã " in text:
        # The second byte of à is a no-break space; a trimming step made it a plain blank.
        mended = _decoded(text.replace("Ã ", "Ã\xa0"))
        return mended if mended is not None and _is_plausible(mended) else None
    if LOST in text:
        words = [_with_lost_byte(word) for word in text.split(" ")]
        mended = " ".join(words)
        return mended if mended != text else None
    return None


def _decoded(text: str) -> str | None:
    try:
        decoded = bytes(_cp1252_bytes(text)).decode("utf-8")
    except ValueError:
        return None
    return None if decoded == text or LOST in decoded else decoded


def _cp1252_bytes(text: str) -> Iterator[int]:
    for char in text:
        try:
            yield char.encode("cp1252")[0]
        except UnicodeEncodeError:
            if char > "ÿ":
                raise
            yield ord(char)


def _with_lost_byte(word: str) -> str:
    """One word whose UTF-8 lost bytes that CP1252 cannot show; filled only if one filling fits."""
    lost = word.count(LOST)
    if lost == 0 or lost > 3:
        return (_decoded(word) or word) if lost == 0 else word
    fits = set()
    for filling in product("\x81\x8d\x8f\x90\x9d", repeat=lost):
        parts = word.split(LOST)
        tried = parts[0] + "".join(a + b for a, b in zip(filling, parts[1:], strict=True))
        decoded = _decoded(tried)
        if decoded is not None and _is_plausible(decoded):
            fits.add(decoded)
    return fits.pop() if len(fits) == 1 else word


def _from_tcvn3(text: str) -> Reading | None:
    def evidence(word: str) -> tuple[int, int]:
        certain = possible = 0
        all_capitals = not any(char.isascii() and char.islower() for char in word)
        for position, char in enumerate(word):
            if char not in TCVN3:
                continue
            capital_inside = position > 0 and char.isupper() and not all_capitals
            western = char.isalpha() and char not in "ªµ" and not capital_inside
            certain += not western
            possible += western
        return certain, possible

    if any(
        not char.isascii() and char not in TCVN3 and char not in _FREE_IN_TCVN3 and char != "\xa0"
        for char in text
    ):
        return None
    return _weighed(text, "tcvn3", _tcvn3_text, evidence)


def _tcvn3_text(text: str) -> str:
    # Where every word starts with a capital, so does this one: "Ý" is the name Ý, not the letter í.
    is_title = all(word[0].isupper() or word[0] in "¡¢£¤¥¦§" for word in text.split())
    return "".join(
        char if is_title and before.isspace() and char in _CAPITALS else TCVN3.get(char, char)
        for before, char in zip(" " + text, text, strict=False)
    )


def _from_vni(text: str) -> Reading | None:
    def evidence(word: str) -> tuple[int, int]:
        units = [unit.lower() for unit in _VNI_UNIT.findall(word)]
        western = sum(unit in _WESTERN_IN_VNI for unit in units)
        return len(units) - western, western

    if not _VNI_UNIT.sub("", text).replace("\xa0", " ").isascii():
        return None
    return _weighed(text, "vni", _vni_text, evidence)


def _vni_text(text: str) -> str:
    return _VNI_UNIT.sub(lambda unit: VNI[unit[0]], text)


def _weighed(
    text: str,
    reason: str,
    convert: Callable[[str], str],
    evidence: Callable[[str], tuple[int, int]],
) -> Reading | None:
    converted = convert(text)
    if converted == text:
        return None
    if _CAPITALS_ONLY.search(text) and not _SMALL.search(text):
        converted = converted.upper()  # "H" fonts: small bytes drawn as capitals
    certain = possible = 0
    for word, read in zip(_WORD.findall(text), _WORD.findall(convert(text)), strict=True):
        if read == word:
            continue
        # The case of a word is repaired with the whole text, so it is not judged here.
        sure, maybe = evidence(word)
        if word in _MICRO_UNITS or not (
            is_syllable(read.lower()) or (sure and is_word_of_ethnic_name(read))
        ):
            return None
        if len(read) > 1:  # a lone "·" or "§" is punctuation as often as a letter
            certain, possible = certain + sure, possible + maybe
    if certain or (possible > 1 and _all_syllables(converted)):
        return Reading(converted, reason, certain, possible)
    return None


def _all_syllables(text: str) -> bool:
    return all(is_syllable(word.lower(), tone_needed=False) for word in _WORD.findall(text))
