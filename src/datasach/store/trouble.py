"""Is an error the machine's, and not a file's or ours? A full disk, a failing disk, a read-only one.

Every library says it in its own way; whatever it says, the run must stop with one message and one exit
code, and no sender may be told that the file was at fault.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from datasach.errors import MachineTrouble

_ERRNO = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
_SAID = (
    "no space left on device", "disk quota exceeded", "input/output error", "read-only file system",
    "disk i/o error", "database or disk is full",
)  # fmt: skip

FULL_OR_FAILING = (
    "the disk is full or failing ({}); what was published stands."
    " Free space or mend the disk, and run the night again: it goes on where it stopped"
)


def is_the_machines(error: BaseException) -> bool:
    """Does the error say that a disk is full or failing?"""
    if isinstance(error, OSError) and error.errno in _ERRNO:
        return True
    if isinstance(error, OSError | sqlite3.Error | duckdb.Error) or type(error).__module__ in (
        "polars.exceptions",
    ):
        text = str(error).lower()
        return any(words in text for words in _SAID)
    return False


@contextmanager
def told() -> Iterator[None]:
    """Turn what libraries say of a full or failing disk into MachineTrouble."""
    try:
        yield
    except MachineTrouble:
        raise
    except Exception as error:
        if is_the_machines(error):
            raise MachineTrouble(FULL_OR_FAILING.format(type(error).__name__)) from error
        raise
