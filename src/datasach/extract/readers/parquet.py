"""Parquet: read as text like everything else; its own types only help to write the text well."""

from __future__ import annotations

from pathlib import Path

import duckdb

from datasach.errors import UnreadableExtract
from datasach.extract.readers import Incoming, literal, quoted
from datasach.spec.source import Options


def incoming(
    con: duckdb.DuckDBPyConnection, file: Path, options: Options, path: str, scratch: Path
) -> Incoming:
    """Raises UnreadableExtract PARQUET_SYNTAX."""
    source = f"read_parquet({literal(str(file))}, file_row_number=true)"
    try:
        described = con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        headings = [str(row[0]) for row in described if row[0] != "file_row_number"]
        # Reading everything once here finds a damaged page before a row of it counts.
        con.execute(
            f"SELECT count(*), {', '.join(f'count({quoted(h)})' for h in headings)} FROM {source}"
        )
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise UnreadableExtract("PARQUET_SYNTAX", type(error).__name__) from None
    columns = "".join(f", CAST({quoted(h)} AS VARCHAR) AS {quoted(h)}" for h in headings)
    return Incoming(
        sql=f"SELECT file_row_number + 1 AS _line{columns} FROM {source}", headings=headings
    )
