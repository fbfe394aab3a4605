"""Invented inboxes of Viet Nam's health records, seeded and repeatable, with the truth kept apart.

Every person, facility, product and event here is invented. `generate` writes the inbox that the
engine reads and, outside it, who is who and what was damaged on purpose.
"""

from __future__ import annotations

from .mess import Mess
from .nights import generate
from .people import CANARY_ID, CANARY_NAME, CANARY_PHONE
from .truth import Summary

__all__ = ["CANARY_ID", "CANARY_NAME", "CANARY_PHONE", "Mess", "Summary", "generate"]
