"""Parquet: read as text like everything else; its own types only help to write the text well.

Two independent libraries must agree on the file before a row of it counts: one reads what a flipped bit
in the footer made of it, the other does not (measured), and only one checks the checksums of pages that
have them. A flipped bit in a page without a checksum cannot be seen in the file alone.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from datasach.errors import UnreadableExtract
from datasach.extract.readers import Incoming, check_width, literal, quoted, refusal
from datasach.spec.source import Options
from datasach.store.trouble import is_the_machines

ROWS_AT_A_TIME = 65_536


def incoming(
    con: duckdb.DuckDBPyConnection, file: Path, options: Options, path: str, scratch: Path
) -> Incoming:
    """Raises UnreadableExtract PARQUET_SYNTAX, PARQUET_TYPE, READ_TOO_WIDE."""
    source = f"read_parquet({literal(str(file))}, file_row_number=true)"
    rows = _rows_by_arrow(file)
    try:
        described = con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        headings = [str(row[0]) for row in described if row[0] != "file_row_number"]
        counted = con.execute(f"SELECT count(*) FROM {source}").fetchone()
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise refusal("PARQUET_SYNTAX", error) from None
    if counted != (rows,):
        raise UnreadableExtract("PARQUET_SYNTAX", "the footer and the pages count differently")
    columns = "".join(f", CAST({quoted(h)} AS VARCHAR) AS {quoted(h)}" for h in headings)
    return Incoming(
        sql=f"SELECT file_row_number + 1 AS _line{columns} FROM {source}", headings=headings
    )


def _rows_by_arrow(file: Path) -> int:
    """Rows that Arrow finds when it reads everything once, checking what checksums there are."""
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            check_width(len(opened.schema_arrow))
            for field in opened.schema_arrow:
                if pa.types.is_nested(field.type) or pa.types.is_binary(field.type):
                    raise UnreadableExtract("PARQUET_TYPE", "a column of lists, records or bytes")
            return sum(batch.num_rows for batch in opened.iter_batches(ROWS_AT_A_TIME))
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, MemoryError) or is_the_machines(error):
            raise
        raise UnreadableExtract("PARQUET_SYNTAX", type(error).__name__) from None
