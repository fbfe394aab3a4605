"""Small counts of people are not printed, nor can they be worked out from what is printed.

Two rules. A count of 1 to `small - 1` is hidden (primary). Where that leaves one hidden count in a sum whose total
is printed, the next smallest is hidden with it (secondary), and where there is no other, the total is
hidden too and is itself a hidden count one level up.

This concerns the databases of `verdicts.yaml: sensitive`, whose records say something about a person by their
mere number (HIV, tuberculosis, deaths). Files and rows a facility sent are process counts and are printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

NATION = ""


def hidden_cells(
    records: Mapping[tuple[str, str], int],
    members: Mapping[str, Sequence[str]],
    databases: Iterable[str],
    small: int,
) -> set[tuple[str, str]]:
    """(database, whose) of every count that must not be printed.

    `members` tells which facilities lie in a place; `whose` is a facility, a place or `NATION`.
    """
    hidden: set[tuple[str, str]] = set()
    for database in databases:
        counts = {whose: n for (name, whose), n in records.items() if name == database}
        for place, facilities in members.items():
            hidden |= {(database, w) for w in _in_sum(counts, facilities, place, set(), small)}
        places_hidden = {w for name, w in hidden if name == database and w in members}
        hidden |= {
            (database, w) for w in _in_sum(counts, list(members), NATION, places_hidden, small)
        }
    return hidden


def _in_sum(
    counts: Mapping[str, int], parts: Sequence[str], whole: str, hidden: set[str], small: int
) -> set[str]:
    """Parts of one sum that must be hidden, and the whole where hiding parts is not enough."""
    known = sorted((n, part) for part in parts if (n := counts.get(part, 0)))
    found = {part for n, part in known if n < small} | (hidden & {part for _, part in known})
    if not found:
        return {whole} if 0 < counts.get(whole, 0) < small else set()
    for _, part in known:
        if len(found) >= 2:
            break
        found.add(part)
    if len(found) < 2:
        # The only part of its sum: the total would tell it.
        found.add(whole)
    return found


def merge_small(
    labels: Sequence[str], counts: Sequence[int], small: int
) -> list[tuple[str, int]]:
    """Neighbouring classes joined until none holds 1 to `small - 1` people; the total stays what it was.

    >>> merge_small(["1", "2", "3-5", "6+"], [90, 7, 2, 1], small=5)
    [('1', 90), ('2 / 3-5 / 6+', 10)]
    """
    rows = [(label, int(count)) for label, count in zip(labels, counts, strict=True)]
    at = len(rows) - 1
    while at >= 0:
        label, count = rows[at]
        if 0 < count < small and len(rows) > 1:
            near = at - 1 if at else 1
            first, second = sorted((at, near))
            joined = (f"{rows[first][0]} / {rows[second][0]}", rows[first][1] + rows[second][1])
            rows[first : second + 1] = [joined]
            at = len(rows)
        at -= 1
    return rows
