"""What became of rows, in the six numbers that must add up everywhere in the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from datasach.spec.contract import Title

FATES = ("accepted", "quarantined", "rejected", "superseded", "duplicate")
COUNTS = ("read", *FATES)
SQL_SUMS = ", ".join(f"sum({name})::BIGINT AS {name}" for name in COUNTS)
"""The six numbers added up, in SQL."""
FATE_TITLES: dict[str, Title] = {
    "read": Title(vi="Đã đọc", en="Read"),
    "accepted": Title(vi="Chấp nhận", en="Accepted"),
    "quarantined": Title(vi="Giữ lại", en="Held"),
    "rejected": Title(vi="Từ chối", en="Rejected"),
    "superseded": Title(vi="Đã thay thế", en="Superseded"),
    "duplicate": Title(vi="Trùng", en="Duplicate"),
}


class Counts(NamedTuple):
    """read = accepted + quarantined + rejected + superseded + duplicate."""

    read: int = 0
    accepted: int = 0
    quarantined: int = 0
    rejected: int = 0
    superseded: int = 0
    duplicate: int = 0

    @property
    def balances(self) -> bool:
        return self.read == sum(self[1:])

    def plus(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))


NOTHING = Counts()


def total(counts: Iterable[Counts]) -> Counts:
    """
    >>> total([Counts(3, 2, 1), Counts(1, 1)])
    Counts(read=4, accepted=3, quarantined=1, rejected=0, superseded=0, duplicate=0)
    """
    columns = list(zip(*counts, strict=True))
    return Counts(*(sum(column) for column in columns)) if columns else NOTHING


@dataclass(frozen=True, slots=True)
class Share:
    """A numerator and its denominator. Shares are added, never averaged."""

    numerator: float = 0.0
    denominator: float = 0.0

    @property
    def value(self) -> float | None:
        return self.numerator / self.denominator if self.denominator else None

    def plus(self, other: Share) -> Share:
        return Share(self.numerator + other.numerator, self.denominator + other.denominator)
