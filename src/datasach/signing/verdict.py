"""What can be said of a signature."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

ICT = timezone(timedelta(hours=7))
"""Viet Nam, no summer time."""
GOOD = frozenset({"SIG_OK", "SIG_OK_AT_RECEIPT", "SIG_REVOCATION_UNKNOWN"})
"""Codes with which a source that requires signatures accepts a file; the last one with a flag."""
PLAIN = frozenset({"SIG_OK", "SIG_OK_AT_RECEIPT", "SIG_PRESENT", "SIG_NONE"})
"""Codes that call for no flag on a receipt: verified, or not asked for."""
MAY_CHANGE = frozenset(
    {"SIG_PRESENT", "SIG_UNTRUSTED", "SIG_UNBOUND", "SIG_WRONG_FACILITY", "SIG_REVOCATION_UNKNOWN",
     "SIG_REVOCATION_STALE", "SIG_REVOKED", "SIG_ALG", "SIG_WEAK_KEY", "SIG_KEYUSAGE"}
)  # fmt: skip
"""Codes that depend on what the Centre declares: another trust folder can give another one."""


class Refused(Exception):
    """A signature does not hold. Raised and caught inside this room; callers get a Verdict."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def receipt_time(night: str) -> datetime:
    """The last second of a night in Viet Nam: by then every file of its folder had arrived.

    Certificates are judged at this time and at no other, so that a night gives the same answer whenever it is
    run again. It is the Centre's own clock; the time a signer claims proves nothing.
    """
    return datetime.combine(date.fromisoformat(night), time(23, 59, 59), ICT).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer about one envelope."""

    code: str
    detail: str = ""
    content: bytes | None = None
    """The signed bytes in canonical form, UTF-8: what is to be read. None unless the mathematics holds."""
    facility: str | None = None
    """MACSKCB as signed; None unless the mathematics holds."""
    chain: tuple[bytes, ...] = ()
    """DER, signer first, root last; the signer alone where no chain was found."""
    crls: tuple[dict[str, Any], ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    has_comments: bool = False

    @property
    def is_good(self) -> bool:
        return self.code in GOOD
