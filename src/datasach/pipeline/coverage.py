"""Was the night what a night should be? What was due and did not come, what came late, how much was poison.

Worked out from the ledger alone, after reading. A night with gaps is still a night: everything that is
there goes out, the run says what is missing. A night that is mostly poison releases nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from datasach.pipeline.step import Night

POISON = (
    "READ_", "XML_", "ARC_", "ENV_", "TEXT_", "CSV_", "JSON_", "XLSX_", "PARQUET_", "FILE_TOO_BIG", "SIG_",
)  # fmt: skip
"""Beginnings of the codes by which a file is refused for what is in it. Not among them: what says that
the file is not for us, or that we or a server were not ready."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A source of one sender that was due and did not come, or of which nothing could be read."""

    sender: str
    source: str
    state: str
    """MISSING or REJECTED."""


@dataclass(frozen=True, slots=True)
class Coverage:
    files: int
    """Files that arrived in the night."""
    unreadable: int
    """Of them, refused for what is in them."""
    due: int
    """Sources of senders that were expected."""
    gaps: tuple[Gap, ...]
    late: dict[str, int]
    """Earlier night → files that have come for it since it was last run."""

    def told(self) -> dict[str, Any]:
        return asdict(self)


def cover(night: Night) -> Coverage:
    """Reads the ledger's offers, files, copies and runs; nothing else."""
    tonight = night.until.isoformat()
    states = night.ledger.rows(
        "SELECT o.offer, o.state, coalesce(o.code, (SELECT min(f.code) FROM files f WHERE f.offer = o.offer"
        " AND f.state = 'REJECTED')) AS code FROM offers o WHERE o.night = ?",
        (tonight,),
    )
    poison = sum(str(row["code"] or "").startswith(POISON) for row in states)
    due = _due(night, tonight)
    came = _came(night, tonight)
    gaps = tuple(
        Gap(sender, source, "REJECTED" if (sender, source) in came else "MISSING")
        for sender, source in sorted(due)
        if not came.get((sender, source))
    )
    return Coverage(len(states), poison, len(due), gaps, _late(night, tonight))


def is_mostly_poison(night: Night, coverage: Coverage) -> bool:
    """Does the circuit breaker open (datasets/_night.yaml)?"""
    limit = night.project.night.unreadable
    return (
        night.until not in limit.accepted
        and coverage.unreadable >= limit.at_least
        and coverage.unreadable >= limit.share * coverage.files
    )


_DELIVERED = (
    "SELECT o.night, o.sender, f.source, f.state FROM offers o JOIN files f USING (offer)"
    " UNION ALL SELECT o.night, o.sender, f.source, f.state FROM offers o JOIN copies c USING (offer)"
    " JOIN files f ON f.file = c.file"
)


def _due(night: Night, tonight: str) -> set[tuple[str, str]]:
    """(sender, source) that came in each of the last nights before; nobody while there are too few nights."""
    wanted = night.project.night.due.nights
    before = [
        row[0]
        for row in night.ledger.rows(
            "SELECT DISTINCT night FROM offers WHERE night < ? ORDER BY night DESC LIMIT ?",
            (tonight, wanted),
        )
    ]
    if len(before) < wanted:
        return set()
    rows = night.ledger.rows(
        f"SELECT sender, source FROM ({_DELIVERED}) WHERE source IS NOT NULL AND night >= ? AND night < ?"
        " GROUP BY sender, source HAVING count(DISTINCT night) = ?",
        (before[-1], tonight, wanted),
    )
    return {(row[0], row[1]) for row in rows}


def _came(night: Night, tonight: str) -> dict[tuple[str, str], bool]:
    """(sender, source) → whether anything of it could be read, for what came in tonight's folder."""
    rows = night.ledger.rows(
        f"SELECT sender, source, max(state <> 'REJECTED') FROM ({_DELIVERED})"
        " WHERE source IS NOT NULL AND night = ? GROUP BY sender, source",
        (tonight,),
    )
    return {(row[0], row[1]): bool(row[2]) for row in rows}


def _late(night: Night, tonight: str) -> dict[str, int]:
    """Files that lay in the folder of a night which had been run to its end before they came."""
    rows = night.ledger.rows(
        """
        SELECT o.night, count(*) FROM offers o JOIN runs r USING (run)
        WHERE r.rowid > (SELECT max(rowid) FROM runs WHERE outcome IN ('published', 'withheld'))
          AND o.night <= (SELECT max(night) FROM runs WHERE outcome IN ('published', 'withheld'))
          AND o.night < ?
        GROUP BY o.night ORDER BY o.night
        """,
        (tonight,),
    )
    return {row[0]: int(row[1]) for row in rows}
