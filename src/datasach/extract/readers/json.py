"""JSON arrays and newline-delimited JSON; nested lists become rows of their own table."""

from __future__ import annotations

from pathlib import Path

import duckdb

from datasach.errors import UnreadableExtract
from datasach.extract.readers import Incoming, check_width, literal, quoted, refusal
from datasach.extract.readers.encodings import as_utf8
from datasach.spec.source import Options

MAX_OBJECT = 16 * 2**20


def incoming(
    con: duckdb.DuckDBPyConnection, file: Path, options: Options, path: str, scratch: Path
) -> Incoming:
    """Records at `path`: `$`, or the name of a list inside each record (whose parent's fields are kept).

    Raises UnreadableExtract TEXT_EMPTY, TEXT_ENCODING, JSON_SYNTAX, JSON_SHAPE.
    """
    text, notes = as_utf8(file, options.encoding, scratch)
    with text.open("rb") as handle:
        first = handle.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    shape = "array" if first == b"[" else "newline_delimited"
    read = (
        f"read_json_objects({literal(str(text))}, format='{shape}', maximum_object_size={MAX_OBJECT},"
        f" ignore_errors={'true' if shape == 'newline_delimited' else 'false'})"
    )
    try:
        con.execute(f"CREATE OR REPLACE TEMP TABLE json_rows AS SELECT json FROM {read}")
    except duckdb.Error as error:
        raise refusal("JSON_SYNTAX", error) from None
    broken = "json IS NULL OR json_type(json) <> 'OBJECT'"
    rejected = [
        int(r[0]) + 1 for r in con.execute(f"SELECT rowid FROM json_rows WHERE {broken}").fetchall()
    ]
    records = f"SELECT rowid + 1 AS _line, json FROM json_rows WHERE NOT ({broken})"
    if path != "$":
        # The parent's plain fields travel with each element, so that a line knows its prescription.
        inner = literal(f"$.{quoted(path)}")
        records = (
            f"SELECT _line, json_merge_patch(json_merge_patch(json, json_object({literal(path)}, NULL)), item) AS json"
            f" FROM (SELECT _line, json, unnest(from_json(json -> {inner}, '[\"JSON\"]')) AS item FROM ({records}))"
            " WHERE json_type(item) = 'OBJECT'"
        )
    con.execute(f"CREATE OR REPLACE TEMP TABLE json_records AS {records}")
    keys = con.execute(
        "SELECT DISTINCT unnest(json_keys(json)) AS key FROM json_records ORDER BY key"
    ).fetchall()
    check_width(len(keys))
    headings = [str(row[0]) for row in keys]
    if not headings and not rejected:
        raise UnreadableExtract("JSON_SHAPE", "no record with fields")
    columns = "".join(f", json ->> {literal('$.' + quoted(h))} AS {quoted(h)}" for h in headings)
    return Incoming(
        sql=f"SELECT _line{columns} FROM json_records",
        headings=headings,
        # Only the outer table accounts for what cannot be read: a line must not be counted twice.
        rejected=[(line, "JSON_LINE") for line in rejected] if path == "$" else [],
        notes=notes,
    )
