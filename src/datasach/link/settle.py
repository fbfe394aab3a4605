"""What judgements come to on one night: which of them count, who is one person by them, who is not.

`same` and `different` follow from each other: A = B and B = C put A, B and C together, and A ≠ C, A = B keep B and C
apart. Where they contradict each other nothing is dropped in silence: `different` holds (keeping two people apart is
the safer mistake), the latest `same` that cannot be true beside it has no effect, and both are reported until
somebody settles it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from datetime import date

STATES = (
    "in_force", "contradicted", "unsure", "superseded", "expired", "waiting",
)  # fmt: skip
"""`waiting`: a record it names is not among tonight's records; it still carries A = B = C across it."""


@dataclass(frozen=True, slots=True)
class Judgement:
    id: str
    at: str
    """Instant in UTC (ISO), or the day of a declared one: judgements of one pair are ordered by it."""
    a: str
    b: str
    verdict: str
    by: str
    why: str
    until: str | None
    source: str
    """The file it stands in."""

    @property
    def pair(self) -> tuple[str, str]:
        return (self.a, self.b) if self.a < self.b else (self.b, self.a)


@dataclass(slots=True)
class Settled:
    """What the judgements come to on one night."""

    states: dict[str, str] = field(default_factory=dict)
    """Judgement id → one of STATES."""
    groups: list[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    """(records that are one person, ids of the judgements that say so), two records or more."""
    apart: list[tuple[str, str, str]] = field(default_factory=list)
    """(record, record, id of the judgement): pairs that are different persons, with all that follows."""
    contradictions: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    """(id of the `same` without effect, id of the `different` it meets, ids of the others on the way)."""


def settle(judgements: Iterable[Judgement], night: date, records: Set[str]) -> Settled:
    """Which judgements count on `night` among `records`, and what follows from them."""
    settled = Settled()
    newest: dict[tuple[str, str], Judgement] = {}
    for one in sorted(judgements, key=lambda j: (j.at, j.id)):
        if (old := newest.get(one.pair)) is not None:
            settled.states[old.id] = "superseded"
        newest[one.pair] = one
    counting = []
    for one in sorted(newest.values(), key=lambda j: (j.at, j.id)):
        if one.until is not None and night.isoformat() > one.until:
            settled.states[one.id] = "expired"
        elif one.verdict == "unsure":
            settled.states[one.id] = "unsure"
        else:
            present = one.a in records and one.b in records
            settled.states[one.id] = "in_force" if present else "waiting"
            counting.append(one)
    same = [one for one in counting if one.verdict == "same"]
    different = [one for one in counting if one.verdict == "different"]
    groups = _Groups(different)
    for one in same:
        against = groups.join(one)
        if against is not None:
            settled.states[one.id] = "contradicted"
            settled.contradictions.append((one.id, against.id, tuple(groups.way(one, against))))
    _follow(settled, groups, different, records)
    return settled


def _follow(
    settled: Settled, groups: _Groups, different: list[Judgement], records: Set[str]
) -> None:
    members: dict[str, list[str]] = {}
    for key in groups.known():
        members.setdefault(groups.root(key), []).append(key)
    said: dict[str, list[str]] = {}
    for one in groups.joined:
        said.setdefault(groups.root(one.a), []).append(one.id)
    for root, keys in sorted(members.items()):
        here = tuple(sorted(key for key in keys if key in records))
        if len(here) > 1:
            settled.groups.append((here, tuple(sorted(said[root]))))
    pairs: dict[tuple[str, str], str] = {}
    for one in different:
        for a in members.get(groups.root(one.a), [one.a]):
            for b in members.get(groups.root(one.b), [one.b]):
                if a in records and b in records:
                    pairs.setdefault((a, b) if a < b else (b, a), one.id)
    settled.apart = sorted((a, b, said) for (a, b), said in pairs.items())


class _Groups:
    """Union-find over judged records that refuses what `different` forbids. Bounded by human work."""

    def __init__(self, different: list[Judgement]) -> None:
        self._parent: dict[str, str] = {}
        self._apart: dict[str, list[Judgement]] = {}
        self.joined: list[Judgement] = []
        for one in different:
            for key in one.pair:
                self._apart.setdefault(key, []).append(one)

    def known(self) -> list[str]:
        return sorted(self._parent)

    def root(self, key: str) -> str:
        while (up := self._parent.get(key, key)) != key:
            key = up
        return key

    def join(self, one: Judgement) -> Judgement | None:
        """Join both sides; the judgement that forbids it, if one does."""
        a, b = self.root(one.a), self.root(one.b)
        for key in one.pair:
            self._parent.setdefault(key, key)
        if a == b:
            self.joined.append(one)
            return None
        keep, drop = min(a, b), max(a, b)
        for other in self._apart.get(drop, []):
            if {self.root(other.a), self.root(other.b)} == {a, b}:
                return other
        self._parent[drop] = keep
        self._apart.setdefault(keep, []).extend(self._apart.get(drop, []))
        self.joined.append(one)
        return None

    def way(self, one: Judgement, against: Judgement) -> Iterator[str]:
        """The other `same` judgements that, with `one`, lead from one side of `against` to the other."""
        sides = {self.root(one.a), self.root(one.b)}
        return (other.id for other in self.joined if self.root(other.a) in sides)
