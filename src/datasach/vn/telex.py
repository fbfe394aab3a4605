"""Telex residue: names typed with the input method off, so that its keys stand in the text.

    aa ee oo dd  â ê ô đ        aw ow uw  ă ơ ư        s f r x j  sắc huyền hỏi ngã nặng

"Nguyeexn" is Nguyễn, "Ddawng" is Đăng. Source: the Telex convention (TCVN 5712 era keyboards), common
knowledge; which words are residue is our judgement: only what is no syllable becomes one by it.
"""

import re
from typing import Final

from datasach.vn.syllables import RHYMES
from datasach.vn.text import fold_letters

_DOUBLES: Final = (("aa", "a"), ("ee", "e"), ("oo", "o"), ("dd", "d"))
_PLAIN_SYLLABLE: Final = re.compile(
    r"(?:ngh|ng|nh|gh|gi|kh|ph|th|tr|ch|qu|[bcdghklmnprstvx])?(?:"
    + "|".join(sorted({fold_letters(rhyme) for rhyme in RHYMES}, key=len, reverse=True))
    + r")|gi|qu(?:y|yen|ynh|yet|yt|yn|yu)"
)
_HORN: Final = re.compile(r"(?<=[aou])w")
_TONE_KEY: Final = re.compile(r"(?<=[aeiouycghmnpt])[sfrxj]")


def is_plain_syllable(word: str) -> bool:
    """Could this small-letter word without marks be a Vietnamese syllable? ("nguyen" is, "nguyeexn" is not)"""
    return _PLAIN_SYLLABLE.fullmatch(word) is not None


def undo_telex(token: str) -> str | None:
    """The plain letters of a small-letter word with telex keys in it; None if it is none.

    >>> undo_telex("nguyeexn"), undo_telex("ddawngf"), undo_telex("smith")
    ('nguyen', 'dang', None)
    """
    plain = token
    for double, single in _DOUBLES:
        plain = plain.replace(double, single)
    plain = _HORN.sub("", plain)
    keys = [found.start() for found in _TONE_KEY.finditer(plain)]
    for spelled in (plain, *(plain[:at] + plain[at + 1 :] for at in reversed(keys))):
        if spelled != token and is_plain_syllable(spelled):
            return spelled
    return None
