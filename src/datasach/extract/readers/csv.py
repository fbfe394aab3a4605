"""CSV and its relatives: any separator, any encoding, broken lines set aside one by one."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb

from datasach.errors import UnreadableExtract
from datasach.extract.readers import (
    Incoming,
    check_width,
    distinct_headings,
    literal,
    quoted,
    refusal,
)
from datasach.extract.readers.encodings import as_utf8
from datasach.spec.source import Options

SEPARATORS = ";,\t|"
MAX_LINE = 4 * 2**20


def incoming(
    con: duckdb.DuckDBPyConnection, file: Path, options: Options, path: str, scratch: Path
) -> Incoming:
    """Rows of a CSV file whose first line holds the headings.

    Raises UnreadableExtract TEXT_EMPTY, TEXT_ENCODING, TEXT_NUL, CSV_HEADER, CSV_SYNTAX, READ_*.
    """
    text, notes = as_utf8(file, options.encoding, scratch)
    with text.open(encoding="utf-8", newline="") as handle:
        first = handle.readline(MAX_LINE)
    if first.lower().startswith("sep=") and len(first.strip()) == 5:
        raise UnreadableExtract("CSV_HEADER", "the first line declares a separator: remove it")
    separator = options.separator or max(SEPARATORS, key=first.count)
    check_width(first.count(separator) + 1)
    try:
        headings = distinct_headings(next(csv.reader([first], delimiter=separator)))
    except (csv.Error, StopIteration):
        raise UnreadableExtract("CSV_HEADER", "the first line is not a list of headings") from None
    if len(headings) < 2:
        raise UnreadableExtract("CSV_HEADER", "fewer than two columns")
    columns = "{" + ", ".join(f"{literal(h)}: 'VARCHAR'" for h in headings) + "}"
    read = (
        f"read_csv({literal(str(text))}, delim={literal(separator)}, skip=1, header=false,"
        f" auto_detect=false, columns={columns}, quote='\"', escape='\"', strict_mode=true,"
        f" null_padding=false, store_rejects=true, ignore_errors=true, max_line_size={MAX_LINE},"
        " rejects_table='csv_rejects', rejects_scan='csv_scans', rejects_limit=0)"
    )
    names = ", ".join(quoted(h) for h in headings)
    try:
        con.execute("DROP TABLE IF EXISTS csv_rejects; DROP TABLE IF EXISTS csv_scans")
        con.execute(f"CREATE OR REPLACE TEMP TABLE csv_rows AS SELECT {names} FROM {read}")
    except duckdb.Error as error:
        raise refusal("CSV_SYNTAX", error) from None
    lines = [
        int(row[0])
        for row in con.execute("SELECT DISTINCT line FROM csv_rejects ORDER BY line").fetchall()
    ]
    # A row's line is its ordinal, the heading, and the broken lines before it. Values that run over
    # several lines shift it; the record still stands at or after the line we name.
    return Incoming(
        sql=(
            f"SELECT rowid + 2 + (SELECT count(*) FROM (SELECT DISTINCT line FROM csv_rejects) r"
            f" WHERE r.line - (SELECT count(*) FROM (SELECT DISTINCT line FROM csv_rejects) q"
            f" WHERE q.line < r.line) <= rowid + 2) AS _line, {names} FROM csv_rows"
            if lines
            else f"SELECT rowid + 2 AS _line, {names} FROM csv_rows"
        ),
        headings=headings,
        rejected=[(line, "CSV_LINE") for line in lines],
        notes=notes,
    )
