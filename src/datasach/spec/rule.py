"""A rule: what must hold, for whom it matters, what follows when it does not.

Read from `rules/*.yaml` and `rules/shared/*.yaml`. Keys that are not named here are the parameters of
the rule's kind; `validate.kinds` checks them, since only it knows the kinds.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic import Field as PydanticField

from datasach.spec.contract import Title
from datasach.spec.load import Declared

Dimension = Literal[
    "conformity", "accuracy", "completeness", "coverage", "uniqueness", "consistency", "timeliness"
]
Severity = Literal["stop", "quarantine", "flag"]
Vintage = Literal["130", "4750", "3176"]
Pillar = Literal["dung", "du", "sach", "song"]

PILLAR_OF: dict[str, Pillar] = {
    "conformity": "dung",
    "accuracy": "dung",
    "completeness": "du",
    "coverage": "du",
    "uniqueness": "sach",
    "consistency": "sach",
    "timeliness": "song",
}
"""The ministry's four words (đúng, đủ, sạch, sống) for the dimensions of the Open Data Contract Standard."""

PILLAR_TITLES: dict[Pillar, Title] = {
    "dung": Title(vi="Đúng", en="Correct"),
    "du": Title(vi="Đủ", en="Complete"),
    "sach": Title(vi="Sạch", en="Clean"),
    "song": Title(vi="Sống", en="Live"),
}


class Example(Declared):
    """One row (and, for rules across tables, the rows beside it) with values as a sender writes them."""

    row: dict[str, str | None]
    beside: dict[str, list[dict[str, str | None]]] = {}
    """Table id → rows, for rules that look at other tables."""


class Examples(Declared):
    good: Example
    bad: Example


class RuleSpec(Declared):
    model_config = ConfigDict(frozen=True, extra="allow")

    id: str = PydanticField(pattern=r"^[A-Z]{2,4}-[0-9]{3}[a-z]?$")
    tables: list[str] = []
    """Table ids (`kcb_emr.visit`), or the one word `identity`: every table that describes a person."""
    says: str
    vi: str
    fix: Title
    kind: str
    when: str | None = None
    """SQL condition over the row; where it is not true the rule does not apply (and is not counted)."""
    dimension: Dimension
    severity: Severity
    tolerance: float = 0.0
    """Only for `stop`: the failing share from which the database is withheld."""
    because: str
    confidence: Literal["high", "medium", "low"]
    vintages: list[Vintage] = []
    valid_from: date | None = None
    valid_to: date | None = None
    examples: Examples

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class RuleFile(Declared):
    rules: list[RuleSpec]


class Rule(Declared):
    """A rule on one table: `RuleSpec` with its tables multiplied out, and where it was declared."""

    id: str
    table: str
    says: str
    vi: str
    fix: Title
    kind: str
    parameters: dict[str, Any]
    when: str | None
    dimension: Dimension
    severity: Severity
    tolerance: float
    because: str
    confidence: str
    vintages: list[Vintage]
    valid_from: date | None
    valid_to: date | None
    examples: Examples
    file: str
    line: int

    @property
    def pillar(self) -> Pillar:
        return PILLAR_OF[self.dimension]

    @property
    def database(self) -> str:
        return self.table.split(".")[0]
