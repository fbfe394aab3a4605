"""Which visits of the two channels are one visit although their MA_LK differs; and what is worth asking people.

Read from `rules/linkage/encounter.yaml` and `rules/linkage/review.yaml`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field as PydanticField
from pydantic import field_validator

from datasach.spec.contract import Title
from datasach.spec.load import Declared


class Level(Declared):
    """Agreement up to `within`: minutes, shares of the larger amount, or characters of a code that may differ."""

    within: float = PydanticField(ge=0)
    weight: float
    """Bits: log2 of how many times likelier this is for one visit than for two."""


class EncounterComparison(Declared):
    field: str
    measure: Literal["minutes", "amount", "code", "exact"]
    levels: list[Level] = PydanticField(min_length=1)
    """Closest first; a pair takes the first level it reaches."""
    otherwise: float
    """Bits where both sides say something and no level is reached. Unknown is 0."""
    because: str

    @field_validator("levels")
    @classmethod
    def _closest_first(cls, levels: list[Level]) -> list[Level]:
        if [one.within for one in levels] != sorted(one.within for one in levels):
            raise ValueError("levels go from the closest to the loosest")
        return levels


class EncounterLinkage(Declared):
    entity: Literal["encounter"]
    title: Title
    sides: list[str] = PydanticField(min_length=2, max_length=2)
    """The two tables of visits, both fed by envelopes."""
    near: str
    """Field of both with the time by which candidates are found."""
    near_minutes: int = PydanticField(gt=0)
    who: list[Literal["person_id", "patient_code"]] = PydanticField(min_length=1)
    """Candidates are of one facility and agree on one of these."""
    comparisons: list[EncounterComparison]
    certain: float
    """Bits from which a pair is taken for one visit, if no other pair of either side comes within `margin`."""
    possible: float
    margin: float


class ReviewPolicy(Declared):
    """How much it matters to decide a pair: by where its records stand."""

    because: str
    weights: dict[str, float]
    """Table id, or the id of its database → weight."""
    otherwise: float
