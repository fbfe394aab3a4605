"""Who goes where on which night: the light part of a night, derivable for any facility and date.

A `Plan` holds people (area, block, place) and one row of uniforms per visit; everything a visit
contains is computed from that row, so a correction or a late file of another night is the same
visit again. Four kinds of links between nights are found by looking back at earlier plans:

    ward stays     admitted on night n for L nights, discharged (and sent) on n + L
    referrals      written at a facility on n, arriving at the hospital above it on n … n + 2
    appointments   given on n for n + 1, 2, 7 or 28, kept by four of five
    corrections    six in a hundred visits of n are sent again on n + 1

A person goes to one facility a night: a stream per (block, night) sends him home, to the hospital
above, or to the centre, and each facility takes only those who are sent to it. Ward patients are a
quarter of the people and come at least 14 nights apart, so that no two stays of one person overlap.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .facilities import Country, Facility
from .people import MOTHER, PLACES, PLAN, TONIGHT, Person, stream
from .reference import Floats, Ints

DRAWS = 120  # uniforms of one visit: 0-9 the plan, 10-44 the desk, 45… the content
OF_DESK, OF_CONTENT = 10, 45
DESTINATIONS = np.array([0.62, 0.86, 0.95])
APPOINTMENT_DAYS = np.array([28, 7, 2, 1, 0])
APPOINTMENT_SHARES = np.array([0.10, 0.17, 0.20, 0.23])
STAY_SHARES = np.array([0.10, 0.30, 0.50, 0.65, 0.78, 0.88, 0.95])
LONGEST_STAY = 8

Ref = tuple[int, int, int]  # area, block, place
CANARY_REF = (-1, 0, 0)


@dataclass(frozen=True)
class Plan:
    facility: Facility
    night: int
    walk: list[Ref]
    walk_draws: Floats
    appointment: Ints  # days until the next appointment of each walk-in, 0 for none
    transfers: int  # the last `transfers` of the walk-ins are sent to the hospital above
    ward: list[Ref]
    ward_draws: Floats
    stay: Ints  # nights of each admission
    mothers: list[Ref]
    mother_draws: Floats


@dataclass(frozen=True, slots=True)
class Planned:
    """One visit to be written. `began`: ordinal of its first day; `paper`: its referral, if any."""

    kind: str  # walk | ward | birth | arrival | return | canary
    link: str
    ref: Ref
    draws: list[float]
    began: int
    appointment: int = 0
    transfer: bool = False
    paper: str = ""
    sent_by: str = ""
    like: tuple[str, float] = ("", 0.0)  # kind and disease draw of the visit that led here


class Planner:
    def __init__(self, country: Country, per_night: int, first: int) -> None:
        self.country, self.per_night, self.first = country, per_night, first
        self.plan = lru_cache(maxsize=512)(self._plan)
        self._tonight = lru_cache(maxsize=256)(self._destinations)
        self.children: list[list[int]] = [[] for _ in country.facilities]
        for facility in country.facilities:
            if facility.parent is not None:
                self.children[facility.parent].append(facility.index)

    def _destinations(self, area: int, block: int, night: int) -> npt.NDArray[np.int8]:
        size = len(self.country.block(area, block).present)
        uniform = stream(self.country.seed, TONIGHT, night, area, block).random(size)
        return np.searchsorted(DESTINATIONS, uniform, side="right").astype(np.int8)

    def _plan(self, index: int, night: int) -> Plan:
        facility = self.country.facilities[index]
        rng = stream(self.country.seed, PLAN, night, index)
        total = self.country.visits_of(facility, night, self.per_night)
        settle = rng.random(4)
        walk_in = int(total * (1 - facility.level.ward_share) * 0.88 + settle[0])
        admitted = int(total * facility.level.ward_share + settle[1])
        transfers = 0 if facility.parent is None else int(walk_in * 0.04 + settle[2])
        births = int(admitted * 0.09 + settle[3]) if admitted else 0
        if index == 0:
            births = max(1, births)
        walk, ward, mothers = self._pick(facility, night, rng, walk_in, admitted, births)
        walk_draws = rng.random((len(walk), DRAWS))
        ward_draws = rng.random((len(ward), DRAWS))
        days = APPOINTMENT_DAYS[np.searchsorted(APPOINTMENT_SHARES, walk_draws[:, 0], "right")]
        transfers = min(transfers, len(walk) // 2)
        days[len(walk) - transfers :] = 0
        stay = 1 + np.searchsorted(STAY_SHARES, ward_draws[:, 0], side="right")
        return Plan(
            facility, night, walk, walk_draws, days, transfers, ward, ward_draws,
            stay.astype(np.int64), mothers, rng.random((len(mothers), DRAWS)),
        )  # fmt: skip

    def _pick(
        self, facility: Facility, night: int, rng: np.random.Generator,
        walk_in: int, admitted: int, births: int,
    ) -> tuple[list[Ref], list[Ref], list[Ref]]:  # fmt: skip
        """People for tonight, drawn by need of care, without replacement; fewer if too few live."""
        blocks: list[tuple[int, int]] = []
        needs: list[Floats] = []
        pools: tuple[list[Ints], list[Ints], list[Ints]] = ([], [], [])
        wanted = (walk_in, admitted, births)
        for seen, (area, number) in enumerate(self._blocks(facility, rng)):
            block = self.country.block(area, number)
            chain = self.country.chains[area]
            here = [k for k in range(4) if chain[k] == facility.index]
            goes = self._tonight(area, number, night)
            fits = block.present & (block.born <= night - 30)
            fits &= (goes == here[0]) if len(here) == 1 else np.isin(goes, here)
            due = np.flatnonzero(fits & block.for_wards & ((night + block.phase) % 14 == 0))
            age = (night - block.born[due]) / 365.2425
            mothers = (due % PLACES == MOTHER) & (age > 18) & (age < 43)
            blocks.append((area, number))
            needs.append(block.need)
            pools[0].append(np.flatnonzero(fits & ~block.for_wards))
            pools[1].append(due[~mothers])
            pools[2].append(due[mothers])
            have = [sum(map(len, pool)) for pool in pools]
            enough = have[0] >= 1.3 * walk_in and have[1] >= 1.2 * admitted and have[2] >= births
            if (enough and seen >= 2) or seen >= 48:
                break
        picked: list[list[Ref]] = []
        for pool, count in zip(pools, wanted, strict=True):
            # Efraimidis and Spirakis: the largest u^(1/w) are a weighted sample.
            need = np.concatenate([n[at] for n, at in zip(needs, pool, strict=True)])
            keys = rng.random(len(need)) ** (1 / need)
            order = np.argsort(-keys, kind="stable")[:count]
            starts = np.cumsum([0, *map(len, pool)])
            refs = []
            for at in order.tolist():
                which = int(np.searchsorted(starts, at, side="right")) - 1
                refs.append((*blocks[which], int(pool[which][at - starts[which]])))
            picked.append(refs)
        return picked[0], picked[1], picked[2]

    def _blocks(self, facility: Facility, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
        """Own blocks and those of the areas below, in turn; repeatable for one stream."""
        areas = self.country.facilities
        own = rng.permutation(facility.area.blocks).tolist()
        feeders = self.country.feeders[facility.index]
        below = [feeders[i] for i in rng.permutation(len(feeders))[:60].tolist()]
        turns = rng.random(len(below))
        for at in range(max(len(own), len(below))):
            if at < len(own):
                yield facility.index, own[at]
            if at < len(below):
                yield below[at], int(turns[at] * areas[below[at]].area.blocks)

    def person(self, ref: Ref) -> Person:
        return self.country.person(*ref)

    def visits(self, index: int, night: int) -> Iterator[Planned]:
        """Every visit that ends at the facility on the night, in a fixed order."""
        plan = self.plan(index, night)
        kept = len(plan.walk) - plan.transfers
        for n, ref in enumerate(plan.walk):
            yield Planned(
                "walk", link(night, "O", n), ref, plan.walk_draws[n].tolist(), night,
                appointment=int(plan.appointment[n]), transfer=n >= kept,
            )  # fmt: skip
        yield from self._discharged(index, night)
        yield from self._births(index, night)
        yield from self._arrived(index, night)
        yield from self._returned(index, night)
        if index == 0:
            yield Planned("canary", link(night, "K", 0), CANARY_REF, [0.5] * DRAWS, night)

    def admitted(self, index: int, night: int) -> Iterator[Planned]:
        """Ward stays and deliveries that begin tonight: only their check-in is sent now."""
        plan = self.plan(index, night)
        for n, ref in enumerate(plan.ward):
            yield Planned("ward", link(night, "I", n), ref, plan.ward_draws[n].tolist(), night)
        for nights in (2, 3):
            for planned in self._births(index, night + nights):
                if planned.began == night:
                    yield planned

    def _births(self, index: int, night: int) -> Iterator[Planned]:
        """Mothers who leave on the night with their children; they came two or three nights ago."""
        plan = self.plan(index, night)
        for n, ref in enumerate(plan.mothers):
            draws = plan.mother_draws[n].tolist()
            yield Planned("birth", link(night, "S", n), ref, draws, night - 2 - int(draws[0] * 2))

    def _discharged(self, index: int, night: int) -> Iterator[Planned]:
        if not self.country.facilities[index].level.ward_share:
            return
        for nights in range(1, LONGEST_STAY + 1):
            plan = self.plan(index, night - nights)
            for n in np.flatnonzero(plan.stay == nights).tolist():
                yield Planned(
                    "ward", link(night - nights, "I", n), plan.ward[n],
                    plan.ward_draws[n].tolist(), night - nights,
                )  # fmt: skip

    def _arrived(self, index: int, night: int) -> Iterator[Planned]:
        for child in self.children[index]:
            for delay in range(3):
                if night - delay < self.first:
                    break
                plan = self.plan(child, night - delay)
                for n in range(len(plan.walk) - plan.transfers, len(plan.walk)):
                    draws = plan.walk_draws[n].tolist()
                    # Nine of ten arrive: today a fifth of them, most on the next day.
                    if draws[1] > 0.92 or int(draws[2] * 5 / 2 + 0.5) != delay:
                        continue
                    yield Planned(
                        "arrival", f"{link(night, 'T', n)}{delay}{plan.facility.code}",
                        plan.walk[n], draws[60:] + draws[:60], night,
                        paper=paper(plan.facility, night - delay, n), sent_by=plan.facility.code,
                        like=("walk", draws[OF_CONTENT]),
                    )  # fmt: skip

    def _returned(self, index: int, night: int) -> Iterator[Planned]:
        for days in (1, 2, 7, 28):
            if night - days < self.first:
                break
            plan = self.plan(index, night - days)
            for n in np.flatnonzero(plan.appointment == days).tolist():
                draws = plan.walk_draws[n].tolist()
                if draws[1] < 0.8:
                    yield Planned(
                        "return", f"{link(night, 'H', n)}{days}", plan.walk[n],
                        draws[50:] + draws[:50], night, like=("walk", draws[OF_CONTENT]),
                    )  # fmt: skip


@lru_cache(maxsize=128)
def day_text(ordinal: int) -> str:
    """yyyymmdd of a day given as ordinal."""
    return f"{datetime.date.fromordinal(ordinal):%Y%m%d}"


def link(night: int, kind: str, number: int) -> str:
    """MA_LK of a visit: the day it began, its kind and its number at that facility."""
    return f"{day_text(night)[2:]}{kind}{number:04d}"


def paper(facility: Facility, night: int, number: int) -> str:
    """Number of a referral paper: unique per facility."""
    return f"{number + 1:03d}/{day_text(night)[2:]}/{facility.code}"
