"""Small counts of people are not printed, nor can they be worked out from what is printed.

A count of 1 to `small - 1` is hidden. Where that leaves one unknown in a sum (the facilities of a
place, the places of the nation), the next smallest is hidden with it, or the total, until no sum has
one unknown.

This concerns the databases of `verdicts.yaml: sensitive`, whose records say something about a person by
their mere number (HIV, tuberculosis, deaths). Files and rows a facility sent are process counts and
are printed.

What a rule counts there is told for the nation alone, table by table, never by place or facility: the
same records are asked by many rules, and no one could keep their differences apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

NATION = ""


def hidden_cells(
    records: Mapping[tuple[str, str], int],
    tables: Mapping[str, int],
    members: Mapping[str, Sequence[str]],
    databases: Iterable[str],
    small: int,
) -> set[tuple[str, str]]:
    """(database, whose) of every count that must not be printed.

    `whose` is a facility, a place, `NATION`, or a table (`database.table`) over the nation, of which `tables`
    gives the records; `members` tells which facilities lie in a place.
    """
    hidden: set[tuple[str, str]] = set()
    for database in databases:
        counts = {whose: n for (name, whose), n in records.items() if name == database and n}
        sums = [(place, [f for f in found if f in counts]) for place, found in members.items()]
        sums = [(whole, parts) for whole, parts in sums if parts]
        sums.append((NATION, [place for place, _ in sums]))
        of_tables = {t: n for t, n in tables.items() if n and t.split(".")[0] == database}
        if of_tables:
            counts |= of_tables
            sums.append((NATION, list(of_tables)))
        hidden |= {(database, whose) for whose in hide_in_sums(counts, sums, small)}
    return hidden


def hide_in_sums(
    counts: Mapping[str, int], sums: Sequence[tuple[str, list[str]]], small: int
) -> set[str]:
    """Names of the counts to hide: small ones, and then more until no sum has exactly one unknown, for
    that one could be worked out. A sum is (whole, parts)."""
    hidden = {whose for whose, n in counts.items() if n < small}
    settled = False
    while not settled:
        settled = True
        for whole, parts in sums:
            if len(hidden & {whole, *parts}) != 1:
                continue
            others = sorted((counts[part], part) for part in parts if part not in hidden)
            # The smallest other part; where there is none, the total tells it, or it the total.
            hidden.add(others[0][1] if others else whole)
            settled = False
    return hidden


def is_small(counts: Iterable[int], small: int) -> bool:
    return any(0 < count < small for count in counts)


def merge_small(labels: Sequence[str], counts: Sequence[int], small: int) -> list[tuple[str, int]]:
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
