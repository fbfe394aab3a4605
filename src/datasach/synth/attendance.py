"""How somebody attends: kind of visit, entitlement with its benefit level, and how it ends.

Source: code lists MA_DOITUONG_KCB, KET_QUA_DTRI and MA_LOAI_RV (DOMAIN.md 1.8, code_lists.csv).
"""

from __future__ import annotations

from .bill import BASE_SALARY_RISE
from .clinic import Disease
from .facilities import Facility
from .mess import Registered
from .plan import Planned

DEADLY = ("A41.9", "I21.9", "I63.9", "K92.2", "C34.9")


def kind_of(planned: Planned, facility: Facility, sick: Disease, draw: float) -> str:
    if planned.kind in ("ward", "birth"):
        return planned.kind
    if planned.kind == "walk" and facility.level.ward_share and draw < 0.09:
        return "emergency"
    return "chronic" if sick.chronic and facility.level.pharmacy else "out"


def entitlement(
    planned: Planned, facility: Facility, desk: Registered, kind: str, sick: Disease, night: int
) -> tuple[str, int]:
    """MA_DOITUONG_KCB and the benefit level in tenths of a per cent (QĐ 3276/QĐ-BYT)."""
    full = desk.level * 10
    stays = kind in ("ward", "birth")
    at_home = desk.person.area == facility.index
    tier = facility.level.tier
    if not desk.card:
        return "9", 0
    if kind == "emergency":
        return "2", full
    if planned.kind in ("arrival", "return"):
        return ("1.3" if planned.kind == "arrival" else "1.5"), full
    if tier == "ban_dau":
        return ("1.1" if at_home else "1.2"), 1000
    if at_home:
        return "1.1", full
    if tier == "co_ban":
        return ("1.15" if stays else "1.12"), full
    if stays:
        return ("3.1", full * 4 // 10) if facility.level.name == "central" else ("3.2", full)
    if sick.chronic or night < BASE_SALARY_RISE:
        return "1.17", full
    return "1.18", full // 2


def outcome(
    planned: Planned, facility: Facility, kind: str, sick: Disease, draw: float
) -> tuple[str, str]:
    """KET_QUA_DTRI and MA_LOAI_RV."""
    if planned.transfer:
        return ("4" if draw < 0.3 else "3"), ("2" if draw < 0.8 else "5")
    if kind == "ward":
        # Without this a small country might have no death at all in three nights.
        if facility.index == 0 and planned.link.endswith("I0000") and draw < 0.6:
            return "5", "1"
        if draw < (0.07 if sick.icd in DEADLY else 0.006):
            return "5", "1"
        return ("1" if draw < 0.3 else "2" if draw < 0.93 else "3"), ("4" if draw > 0.97 else "1")
    return ("1" if kind == "birth" or draw < 0.25 else "2"), "1"
