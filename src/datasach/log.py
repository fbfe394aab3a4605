"""What may be written where people read logs: no number, name, card or phone of a person.

Our own messages hold none. Messages of libraries may quote the value they choked on ("Could not
convert string …"), and Prefect keeps the text of every exception in its database. So everything that
leaves the engine as a log line or a traceback passes here first.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from datasach.errors import DatasachError

_HASH = r"(?<![0-9A-Za-z])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}|[0-9a-f]{16})(?![0-9A-Za-z])"
_DIGITS = r"[A-Za-z]{0,2}[0-9](?:[ .\-]?[0-9]){8,}"
_NUMBERS = re.compile(f"({_HASH})|({_DIGITS})")
_TIMES = re.compile(r"(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.+Z]*)?")
_QUOTED = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|“[^”\n]*”|`[^`\n]*`")
_PLAIN_WORD = re.compile(r"[A-Za-z_<>/][A-Za-z0-9_.:/*<>()\[\]-]{0,79}")
_LETTERS_WITH_MARKS = re.compile(r"[À-ÖØ-öø-ɏ̀-ͯḀ-ỿ]")
_WORDS = re.compile(r"[^\W\d_]+(?:[ \t]+[^\W\d_]+)+")
MASKED = "‹…›"
_SURNAMES = frozenset(
    [
        "nguyen",
        "tran",
        "le",
        "pham",
        "hoang",
        "huynh",
        "phan",
        "vu",
        "vo",
        "dang",
        "bui",
        "do",
        "ho",
        "ngo",
        "duong",
        "ly",
        "dinh",
        "truong",
    ]
)
"""The commonest ones, folded: nine of ten people bear one of them (own knowledge). For names without marks."""


def mask(text: str) -> str:
    """The text without what could be a value of a person; codes, names of fields and places stay.

    >>> mask("Could not convert string 'Nguyễn Văn A' to INT32 at kcb_emr.visit, 079085012345")
    'Could not convert string ‹…› to INT32 at kcb_emr.visit, ‹…345›'
    """
    text = _QUOTED.sub(_quoted, text)
    text = _NUMBERS.sub(_number, text)
    return _WORDS.sub(_words, text)


def _quoted(found: re.Match[str]) -> str:
    inner = found[0][1:-1]
    return found[0] if not inner or _PLAIN_WORD.fullmatch(inner) else MASKED


def _number(found: re.Match[str]) -> str:
    if found[1] or _TIMES.fullmatch(found[0]):
        return found[0]
    digits = re.sub(r"\D", "", found[0])
    return f"‹…{digits[-3:]}›"


def _words(found: re.Match[str]) -> str:
    """Capitalised Vietnamese words side by side could be a name; our own sentences start only once."""
    words = found[0].split()
    capitals = [word for word in words if word[0].isupper()]
    marked = _LETTERS_WITH_MARKS.search(" ".join(capitals))
    if len(capitals) < 2 or not (marked or capitals[0].lower() in _SURNAMES):
        return found[0]
    return " ".join(MASKED if word[0].isupper() else word for word in words)


class Masking(logging.Filter):
    """Put on a handler: the line as it will be written, arguments and traceback included, is masked."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += "\n" + masked_traceback(record.exc_info[1])
        record.msg, record.args, record.exc_info, record.exc_text = mask(text), (), None, None
        return True


def masked_traceback(error: BaseException) -> str:
    """Where it happened, line by line, and what was said, masked. Source lines are ours and hold no values."""
    lines = traceback.TracebackException.from_exception(error, capture_locals=False, compact=True)
    text = []
    for line in lines.format():
        text.append(line if line.startswith("  File ") else mask(line))
    return "".join(text)


class Masked(Exception):
    """An error of a library, as it may be told: its kind, its place, its masked words."""


@contextmanager
def masked_errors() -> Iterator[None]:
    """Whatever is raised inside goes on without a value of a person, and without its cause.

    Ours (DatasachError) pass as they are: they hold none by law of the house.
    """
    try:
        yield
    except DatasachError:
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {mask(str(error))}"
        where = traceback.extract_tb(error.__traceback__)
        at = f" (at {where[-1].filename}:{where[-1].lineno})" if where else ""
        raise Masked(told + at) from None
