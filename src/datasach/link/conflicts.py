"""What forbids two records to be one person, whatever else agrees. Only people's judgement outweighs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from datasach.link.compare import near_ids

if TYPE_CHECKING:
    from datasach.link.engine import Records

Array = np.ndarray[Any, Any]
GENERATION = 12
"""Years between the births of a parent and a child, at least."""


def forbidden(records: Records, left: Array, right: Array, strict: bool = False) -> Array:
    """0, or the number (from 1) of the first conflict of the document that forbids the pair.

    `strict`: a slip of the hand in an id forbids as well. So it is for what is published.
    """
    found = np.zeros(len(left), np.uint8)
    for number, conflict in reversed(list(enumerate(records.document.conflicts, 1))):
        against = RULES[conflict.rule](records, conflict.column, left, right)
        if conflict.rule == "different_ids" and conflict.slips and not strict:
            at = np.flatnonzero(against)
            against[at[_is_slip(records, conflict.column, left[at], right[at])]] = False
        found[against] = number
    return found


def _is_slip(records: Records, column: str | None, left: Array, right: Array) -> Array:
    """Ids one slip apart, on records of one whole name, one sex and (but for one slip) one birth date.

    Twins have ids that differ in a digit, so the given name must be the same, letter for letter.
    """
    ids = records.features[column or ""].arrays["id"]
    name = records.features["name"].arrays
    date = records.features["born"].arrays["date"]
    sex = records.features["sex"].arrays["code"]
    slip = near_ids(ids[left], ids[right])
    slip &= (name["ordered"][left] == name["ordered"][right]) & (name["ordered"][left] != 0)
    slip &= (date[left] == date[right]) & (sex[left] == sex[right])
    marked = name["marked"]
    both = (marked[left] & marked[right] & 1) == 1
    return slip & ~(both & (marked[left] != marked[right]))


def _different_ids(records: Records, column: str | None, left: Array, right: Array) -> Array:
    """Both hold a valid id of their own, and not the same."""
    arrays = records.features[column or ""].arrays
    a, b = arrays["id"][left], arrays["id"][right]
    different = (a != b) & (a != 0) & (b != 0)
    if "state" in arrays:
        different &= (arrays["state"][left] == 1) & (arrays["state"][right] == 1)
    return different


def _sex_and_birth_year(records: Records, column: str | None, left: Array, right: Array) -> Array:
    """Both differ: one alone may be a slip of the hand."""
    sex = records.features["sex"].arrays["code"]
    born = records.features["born"].arrays["date"] >> 9
    a, b = sex[left], sex[right]
    x, y = born[left], born[right]
    return (a != b) & (a != 0) & (b != 0) & (x != y) & (x != 0) & (y != 0)


def _parents_id(records: Records, column: str | None, left: Array, right: Array) -> Array:
    """One id on two people a generation apart with different given names: a parent's, on the child."""
    ids = records.features[column or ""].arrays["id"]
    born = records.features["born"].arrays["date"] >> 9
    given = records.features["name"].arrays["given"]
    a, b = ids[left], ids[right]
    x, y = born[left], born[right]
    apart = (np.abs(x - y) >= GENERATION) & (x != 0) & (y != 0)
    g, h = given[left], given[right]
    return (a == b) & (a != 0) & apart & (g != h) & (g != 0) & (h != 0)


RULES = {
    "different_ids": _different_ids,
    "sex_and_birth_year": _sex_and_birth_year,
    "parents_id": _parents_id,
}
