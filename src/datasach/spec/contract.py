"""A health database as it is promised: tables, fields, keys, owner, freshness.

Read from `datasets/<id>/contract.yaml`; docs/data-model.md describes the words. Tables fed by BHYT
envelopes take their fields from `_reference/xml_fields.csv` (QĐ 130, 4750, 3176).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field as PydanticField

from datasach.spec.load import Declared

LogicalType = Literal[
    "key", "text", "name", "code", "codes", "integer", "decimal", "date", "datetime", "dates",
    "birth", "sex", "identifier", "card", "cards", "phone", "province", "district", "commune",
    "icd", "icds",
]  # fmt: skip
Channel = Literal["coordination", "social_insurance", "any"]
Presence = Literal["required", "conditional", "optional"]
Classification = Literal["restricted", "general"]

SQL_TYPES: dict[str, str] = {
    "integer": "BIGINT",
    "decimal": "DECIMAL(18,3)",
    "date": "DATE",
    "datetime": "TIMESTAMP",
}
"""DuckDB type per logical type; every type not named here is VARCHAR."""


class Title(Declared):
    """Vietnamese first, English beside it."""

    vi: str
    en: str


class Field(Declared):
    name: str = PydanticField(pattern=r"^[a-z][a-z0-9_]*$")
    type: LogicalType
    title: Title
    presence: Presence = "optional"
    list: str | None = None
    classification: Classification = "restricted"
    """A field is kept in the restricted zone unless its contract says otherwise."""
    max_length: int | None = None
    """Longest value in characters that QĐ 3176 allows; None means no bound."""

    @property
    def sql_type(self) -> str:
        return SQL_TYPES.get(self.type, "VARCHAR")


class Identity(Declared):
    """Which fields of a table describe the person a record is about."""

    full_name: str | None = None
    born: str | None = None
    sex: str | None = None
    identifier: str | None = None
    card: str | None = None
    phone: str | None = None
    province: str | None = None
    commune: str | None = None
    district: str | None = None
    patient_code: str | None = None
    mother_name: str | None = None
    mother_identifier: str | None = None

    def fields(self) -> dict[str, str]:
        """Part of the identity → field of the table, only those declared."""
        return {part: name for part, name in self.model_dump().items() if name is not None}


class TableSpec(Declared):
    title: Title
    fields_from: str | None = PydanticField(default=None, pattern=r"^XML(1[0-5]|[0-9])$")
    channel: Channel | None = None
    parent: str | None = None
    key: list[str] = []
    event: str | None = None
    facility: str | None = None
    identity: Identity | None = None
    priority: list[str] = []
    fields: list[Field] = []


class Table(TableSpec):
    """A table with its database, its name and all its fields."""

    database: str
    name: str

    @property
    def id(self) -> str:
        return f"{self.database}.{self.name}"

    @property
    def is_enveloped(self) -> bool:
        return self.fields_from is not None

    @property
    def field_names(self) -> list[str]:
        return [field.name for field in self.fields]

    def field(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)


class ContractSpec(Declared):
    id: str = PydanticField(pattern=r"^[a-z][a-z0-9_]*$")
    number: int
    title: Title
    owner: Title
    target_year: int
    evidence: str
    basis: str
    freshness_hours: int
    tables: dict[str, TableSpec]


class Database(Declared):
    """One of the national health databases, ready for the rooms."""

    id: str
    number: int
    title: Title
    owner: Title
    target_year: int
    evidence: str
    basis: str
    freshness_hours: int
    tables: dict[str, Table]
