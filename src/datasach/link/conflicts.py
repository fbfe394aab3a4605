"""What forbids two records to be one person, whatever else agrees. Only people's judgement outweighs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from datasach.link.compare import near_ids

if TYPE_CHECKING:
    from datasach.link.engine import Records
    from datasach.link.weigh import Scorer

Array = np.ndarray[Any, Any]
GENERATION = 12
"""Years between the births of a parent and a child, at least."""


def forbidden(
    records: Records, scorer: Scorer, left: Array, right: Array, strict: bool = False
) -> Array:
    """0, or the number (from 1) of the first conflict of the document that forbids the pair.

    `strict`: a slip of the hand in an id forbids as well. So it is for what is published.
    """
    found = np.zeros(len(left), np.uint8)
    for number, conflict in reversed(list(enumerate(records.document.conflicts, 1))):
        against = RULES[conflict.rule](records, conflict.column, left, right)
        if conflict.rule == "different_ids" and conflict.slips and not strict:
            at = np.flatnonzero(against)
            if len(at):
                against[at[_are_slips(scorer, str(conflict.column), left[at], right[at])]] = False
        found[against] = number
    return found


def outvoted(records: Records, scorer: Scorer, reason: Array, left: Array, right: Array) -> Array:
    """Forbidden pairs that are one person still if other records of that person agree with both by far.

    A record with the sex wrong and one with the year wrong contradict each other, and neither contradicts the ten others.
    """
    found = np.zeros(len(left), bool)
    for number, conflict in enumerate(records.document.conflicts, 1):
        if conflict.outvoted:
            found |= reason == number
        elif conflict.slips:
            at = np.flatnonzero(reason == number)
            ids = _ids(scorer, str(conflict.column))
            a, b = ids[left[at]], ids[right[at]]
            found[at] = near_ids(a, b) & ~_neighbours(a, b)
    return found


def shows_id(records: Records) -> Array:
    """Which records show a valid id of their own, by which `different_ids` could part them from others."""
    found = np.zeros(records.rows, bool)
    for conflict in records.document.conflicts:
        if conflict.rule == "different_ids":
            found |= _own(records.features[str(conflict.column)].arrays, slice(None))
    return found


def _own(arrays: dict[str, Array], rows: Any) -> Array:
    """Whether the id of each of these rows is known, valid and its own, as far as that can be checked."""
    own: Array = arrays["id"][rows] != 0
    return own & (arrays["state"][rows] == 1) if "state" in arrays else own


def _are_slips(scorer: Scorer, column: str, left: Array, right: Array) -> Array:
    """Ids one slip of the hand apart, on records whose given name and birth date are the same or a slip apart.

    Twins have one birth date and often ids that differ in the last digit, so given names that are only alike
    count where the ids are no neighbours, and two different usual names never.
    """
    levels = dict(zip(scorer.names, scorer.levels(left, right), strict=True))
    given = next(level for name, level in levels.items() if name.endswith(".given"))
    born, sex = levels["born"], levels["sex"]
    ids = _ids(scorer, column)
    a, b = ids[left], ids[right]
    same = (given == 1) | (given == 2) | (given == 5)
    near = same | (((given == 3) | (given == 4)) & ~_neighbours(a, b))
    return near_ids(a, b) & near & (born >= 1) & (born <= 4) & (sex != 2)


def _ids(scorer: Scorer, column: str) -> Array:
    found: Array = scorer.comparisons.each[scorer.names.index(column)].ids  # type: ignore[attr-defined]
    return found


def _neighbours(a: Array, b: Array) -> Array:
    """Ids that differ in nothing but the last digit: so do those of twins."""
    return a >> np.uint64(4) == b >> np.uint64(4)


def _different_ids(records: Records, column: str | None, left: Array, right: Array) -> Array:
    """Both hold a valid id of their own, and not the same."""
    arrays = records.features[column or ""].arrays
    different: Array = arrays["id"][left] != arrays["id"][right]
    return different & _own(arrays, left) & _own(arrays, right)


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
