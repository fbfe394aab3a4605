"""One module per format. Each has `incoming(...) -> Incoming`: a DuckDB relation of text columns, one row
per record with its place in the file, and the records that could not be read.

A new format is a module here and a line in `READERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from datasach.errors import UnreadableExtract
from datasach.spec.source import Options
from datasach.store.trouble import is_the_machines


@dataclass(slots=True)
class Incoming:
    """What a reader found in one file.

    `sql` selects `_line` BIGINT (1-based place of the record in the file: line, row or element) and
    one VARCHAR column per heading, blanks as NULL.
    """

    sql: str
    headings: list[str]
    rejected: list[tuple[int, str]] = field(default_factory=list)
    """(line, code) of records that could not be read."""
    notes: set[str] = field(default_factory=set)


MAX_COLUMNS = 4_000
"""More than any extract has, less than what makes a query of every column a burden."""
MEMORY_MB = 768
"""What DuckDB may use for one file before it spills: half of a reading process's allowance."""

Reader = Callable[[duckdb.DuckDBPyConnection, Path, Options, str, Path], Incoming]
"""(connection, file, options, path of the records inside the file, scratch folder) → Incoming."""


def readers() -> dict[str, Reader]:
    from datasach.extract.readers import csv, excel, json, parquet, postgres

    return {
        "csv": csv.incoming,
        "json": json.incoming,
        "xlsx": excel.incoming,
        "parquet": parquet.incoming,
        "postgres": postgres.incoming,
    }


def connect(scratch: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB for the readers, within the limits of a reading process; what does not fit lies in `scratch`."""
    return duckdb.connect(
        config={
            "threads": 1,
            "memory_limit": f"{MEMORY_MB}MB",
            "temp_directory": str(scratch / "spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )


def refusal(code: str, error: Exception) -> Exception:
    """What a reader raises for an error of DuckDB's: the file's own code, unless memory or the disk ended."""
    if is_the_machines(error):
        return error
    if isinstance(error, duckdb.OutOfMemoryException):
        return UnreadableExtract("READ_TOO_LARGE", "memory")
    return UnreadableExtract(code, type(error).__name__)


def check_width(count: int) -> None:
    """Raises UnreadableExtract READ_TOO_WIDE for more columns than any extract has."""
    if count > MAX_COLUMNS:
        raise UnreadableExtract("READ_TOO_WIDE", f"{count} columns")


def quoted(name: str) -> str:
    """An SQL identifier: headings come from senders."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string constant."""
    return "'" + text.replace("'", "''") + "'"


def distinct_headings(headings: list[str]) -> list[str]:
    """Headings made unique: the second "Ghi chú" becomes "Ghi chú (2)", an empty one "cột 7"."""
    seen: dict[str, int] = {}
    result = []
    for position, heading in enumerate(headings, 1):
        name = heading.strip().strip("\ufeff") or f"cột {position}"
        seen[name.casefold()] = seen.get(name.casefold(), 0) + 1
        count = seen[name.casefold()]
        result.append(name if count == 1 else f"{name} ({count})")
    return result
