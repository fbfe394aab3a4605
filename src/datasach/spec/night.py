"""What a night may be like and still be released; read from `datasets/_night.yaml`, which may be absent."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from datasach.spec.load import Declared


class Unreadable(Declared):
    """The circuit breaker: when most of a night cannot be read, nothing is released."""

    share: float = Field(default=0.5, gt=0, le=1)
    """Of the files that arrived in the night: at this share and above, readers keep the last release."""
    at_least: int = Field(default=20, ge=1)
    """Unreadable files below which the share says nothing."""
    accepted: list[date] = []
    """Nights that somebody has looked at and released all the same."""


class Due(Declared):
    """When a sender's source is expected."""

    nights: int = Field(default=3, ge=1)
    """It came in each of so many nights before."""


class NightSpec(Declared):
    unreadable: Unreadable = Unreadable()
    due: Due = Due()
