"""A declared correction: a value known to be wrong at its source, put right in our copy until the source does.

Read from `datasets/<id>/corrections.yaml`. The signed original never changes; a correction is a layer on top,
with its reason, and it ends by itself: when the source says something else than `expect`, or after `until`.
"""

from __future__ import annotations

from datetime import date

from pydantic import Field as PydanticField
from pydantic import field_validator

from datasach.spec.contract import Title
from datasach.spec.load import Declared


class CorrectionSpec(Declared):
    id: str = PydanticField(pattern=r"^COR-[0-9]{3,}$")
    table: str
    where: dict[str, str]
    """Field → the text it must equal: the record's key. Empty would touch every row, so it is refused."""
    field: str
    expect: str | None
    """What the source says today, as standardised; None: blank. Anything else ends the correction."""
    to: str | None
    """The right value, as a sender would write it; None blanks the field."""
    reason: Title
    decided_by: str
    until: date

    @field_validator("where")
    @classmethod
    def _names_a_record(cls, where: dict[str, str]) -> dict[str, str]:
        if not where:
            raise ValueError("where is empty: it would touch every record")
        return where


class CorrectionFile(Declared):
    corrections: list[CorrectionSpec]


class Correction(CorrectionSpec):
    """`CorrectionSpec` with its database; `table` is the table's id."""

    database: str
