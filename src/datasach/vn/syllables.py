"""Vietnamese syllables: the alphabet, the five tone marks, and whether a word could be Vietnamese.

    onset   b, c, ch, d, đ, … tr, v, x, or nothing
    rhyme   one of about 160 vowel groups with or without a final consonant: a, ac, … uyêt, yêu
    tone    at most one mark; a rhyme that ends in c, ch, p or t carries sắc or nặng

Source: the standard orthography (Thompson, A Vietnamese Reference Grammar, 1965, ch. 2-3);
confidence high for Kinh words. Trap: names of ethnic groups (Blô, Niê, Kpă, Mlô) are correct and
break these rules, so "not a syllable" is a hint that a text may be garbled, never a verdict on it.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

TONE_MARKS: Final = "\u0300\u0301\u0309\u0303\u0323"  # huyền, sắc, hỏi, ngã, nặng
VOWELS: Final = "aăâeêioôơuưy"
ACCENTED_LOWER: Final = "".join(
    unicodedata.normalize("NFC", vowel + tone)
    for vowel in VOWELS
    for tone in ["", *TONE_MARKS]
    if tone or vowel not in "aeiouy"
)
"""The 66 accented vowels; with đ and the capitals, the 134 letters beyond ASCII."""
LETTERS: Final = ACCENTED_LOWER + "đ" + ACCENTED_LOWER.upper() + "Đ"

_RHYME_LIST: Final = """
    a ac ach ai am an ang anh ao ap at au ay ăc ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây
    e ec em en eng eo ep et ê êch êm ên êng ênh êp êt êu
    i ia ich im in inh ip it iu iêc iêm iên iêng iêp iêt iêu
    o oa oac oach oai oam oan oang oanh oao oap oat oay oăc oăm oăn oăng oăt oc oe oen oeo oet
    oi om on ong ooc oong op ot ô ôc ôi ôm ôn ông ôp ôt ơ ơi ơm ơn ơng ơp ơt
    u ua uân uâng uât uây uc uê uêch uênh ui um un ung uô uôc uôi uôm uôn uông uôt uơ up ut
    uy uya uych uyên uyêt uyn uynh uyp uyt uyu
    ư ưa ưc ưi ưm ưn ưng ươc ươi ươm ươn ương ươp ươt ươu ưt ưu
    y yêm yên yêng yêt yêu
"""
RHYMES: Final = frozenset(_RHYME_LIST.split())
_ONSET: Final = re.compile(r"(?:ngh|ng|nh|gh|gi|kh|ph|th|tr|ch|qu|[bcdđghklmnprstvx])?")
_WORD_OF_ETHNIC_NAME: Final = re.compile(
    rf"(?:h'|k')?[bcdđghjklmnprstvwxy]{{0,3}}"
    rf"(?:[eiouư]?[{VOWELS}ŏĭŭĕ](?:ch|ng|nh|[chklmnprst])?|[aăâeêi][ouiy]|[oôơuư]i)"
)


def without_tone(lower: str) -> tuple[str, str]:
    """A lower-case word split into its letters and its tone marks, in order of appearance.

    >>> without_tone("nguyễn")
    ('nguyên', '̃')
    """
    letters: list[str] = []
    tones: list[str] = []
    for char in unicodedata.normalize("NFD", lower):
        (tones if char in TONE_MARKS else letters).append(char)
    return unicodedata.normalize("NFC", "".join(letters)), "".join(tones)


@lru_cache(maxsize=65_536)
def is_syllable(word: str, *, tone_needed: bool = True) -> bool:
    """Could this word be one Vietnamese syllable, written in small, Capital or CAPITALS?

    "HoÃ" is not: a capital inside a small word is the trace of bytes read in a wrong encoding.
    """
    if not (word.islower() or word.isupper() or (word[:1].isupper() and word[1:].islower())):
        return False
    letters, tones = without_tone(word.lower())
    if len(tones) > 1 or not _has_rhyme(letters):
        return False
    if letters.endswith(("c", "p", "t", "ch")) and tone_needed:
        return tones in ("\u0301", "\u0323")
    return True


def _has_rhyme(letters: str) -> bool:
    onset = _ONSET.match(letters)
    end = onset.end() if onset else 0
    # "gì" and "gìn" lend their i to the onset; "quỳnh" is q + uynh, "quốc" qu + ôc.
    rest = letters[end:]
    if letters.startswith("gi") and (rest == "" or "i" + rest in RHYMES):
        return True
    if letters.startswith("qu") and "u" + rest in RHYMES:
        return True
    return rest in RHYMES


def is_word_of_ethnic_name(word: str) -> bool:
    """One vowel group between consonants, as in Blô, Niê, H'Yă: looser than a syllable."""
    letters, tones = without_tone(word.lower())
    return len(tones) <= 1 and _WORD_OF_ETHNIC_NAME.fullmatch(letters) is not None
