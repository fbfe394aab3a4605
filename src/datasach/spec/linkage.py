"""A linkage document: which records are the same person, by which keys, and what forbids it.

Read from `rules/linkage/<name>.yaml`.
"""

from __future__ import annotations

from typing import Literal

from datasach.spec.contract import Title
from datasach.spec.load import Declared


class StrongKey(Declared):
    """Records that agree on all `columns` are the same person if `confirm` holds as well."""

    id: str
    title: Title
    columns: list[str]
    confirm: list[
        Literal["same_name", "near_name", "same_birth_year", "near_birth_year", "same_sex"]
    ]
    because: str
    at_most: int = 50
    """A value shared by more records than this is nobody's key (a reception desk's phone)."""


class Linkage(Declared):
    entity: Literal["person"]
    skip_values: dict[str, list[str]]
    """Column → values that say nothing (placeholders); they never make or break a pair."""
    strong_keys: list[StrongKey]
    conflicts: list[Literal["two_citizen_ids", "sex_and_birth_year", "child_on_parents_id"]]
    near_name: float
    """Smallest similarity (0..1, RapidFuzz ratio of folded names) that counts as the same name."""


class Survivorship(Declared):
    """Which source a golden field is taken from; first the source, then the newest record."""

    fields: dict[
        str, list[Literal["population", "social_insurance", "coordination", "exchange", "register"]]
    ]
    because: str
