"""A sender's channel: how its files are recognised, read and mapped onto contract fields.

Read from `datasets/_sources/<id>.yaml`; docs/data-model.md section 2 describes the words.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

from datasach.spec.contract import Title
from datasach.spec.load import Declared

Format = Literal["bhyt_envelope", "csv", "json", "xlsx", "parquet", "postgres"]
SourceChannel = Literal["coordination", "social_insurance", "exchange", "register"]


class Options(Declared):
    """What a sender declares about its files. A declared value beats detection."""

    separator: str | None = None
    encoding: str | None = None
    date_order: Literal["dmy", "mdy", "ymd"] = "dmy"
    sheet: str | None = None
    query: str | None = None
    """PostgreSQL only: the SELECT that gives the rows."""
    connection: str | None = None
    """PostgreSQL only: name of the environment variable with the connection string (never the string)."""


class TableMapping(Declared):
    path: str = "$"
    columns: dict[str, list[str]]
    """Contract field → headings accepted besides the field's own name."""


class Source(Declared):
    id: str
    title: Title
    format: Format
    channel: SourceChannel
    files: list[str] = []
    default: bool = False
    authorities: list[str] = []
    signature: Literal["required", "optional", "off"] = "off"
    """Envelopes only. required: a file whose signature does not hold is refused. optional: it is read, and
    its receipt says so. off: nobody looks."""
    options: Options = Options()
    tables: dict[str, TableMapping] = {}

    def claims(self, file_name: str) -> bool:
        """Does one of the source's patterns fit this file name (case ignored)?"""
        name = file_name.lower()
        return any(fnmatchcase(name, pattern.lower()) for pattern in self.files)
