"""Exchange extracts (CSV, JSON, XLSX, Parquet, PostgreSQL) → raw tables.

The reader gives text columns under the sender's headings; here they get the contract's names. Rows
that speak for another facility, or have no key, are rejected one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from datasach.errors import UnreadableExtract
from datasach.extract import archives
from datasach.extract.arrive import FileRef
from datasach.extract.raw import raw_schema
from datasach.extract.readers import literal, quoted, readers
from datasach.extract.recognise import match_headings
from datasach.spec.contract import Table
from datasach.spec.project import Project
from datasach.spec.source import Source, TableMapping

if TYPE_CHECKING:
    from datasach.extract.extract import FileResult

CHUNK_ROWS = 100_000


def read_tables(
    project: Project,
    source: Source,
    ref: FileRef,
    con: duckdb.DuckDBPyConnection,
    scratch: Path,
    result: FileResult,
    rejects: list[tuple[Any, ...]],
) -> Iterator[tuple[str, pa.Table]]:
    """(table id, raw rows) of one file, in chunks.

    Raises UnreadableExtract when the file cannot be read, or a table lacks its key columns.
    """
    path = _plain_file(ref, scratch)
    form = _format_of(source, path)
    for table_id, mapping in source.tables.items():
        table = project.tables[table_id]
        incoming = readers()[form](con, path, source.options, mapping.path, scratch)
        result.notes |= incoming.notes
        found = match_headings(incoming.headings, mapping, table.field_names)
        missing = [key for key in table.key if key not in found]
        if missing and incoming.headings:
            raise UnreadableExtract("COLUMNS_MISSING", ", ".join(missing))
        unknown = [h for h in incoming.headings if h not in found.values()]
        if unknown and mapping.path == "$" and not _is_nested(source):
            result.notes.add("EXTRA_COLUMNS")
        for line, code in incoming.rejected:
            rejects.append((ref.file, table_id, None, line, 1, code))
        result.read[table_id] += len(incoming.rejected)
        result.rejected[table_id] += len(incoming.rejected)
        if incoming.headings:
            select = _select(incoming.sql, table, mapping, found, unknown, ref, source)
            yield from _chunks(con, select, table, ref, result, rejects)


def _plain_file(ref: FileRef, scratch: Path) -> Path:
    """The content as a file of its own: the landed copy, or what an archive held."""
    if ref.kind == "plain":
        return ref.landed
    target = scratch / ref.file
    target.write_bytes(archives.content(ref.landed, ref.kind, ref.member))
    return target


def _format_of(source: Source, path: Path) -> str:
    """The declared format, unless the bytes are plainly another one (a workbook named .csv)."""
    with path.open("rb") as handle:
        head = handle.read(4)
    if source.format != "postgres":
        if head.startswith(b"PK"):
            return "xlsx"
        if head == b"PAR1":
            return "parquet"
        if source.format in ("xlsx", "parquet"):
            return "csv"
    return source.format


def _is_nested(source: Source) -> bool:
    return any(mapping.path != "$" for mapping in source.tables.values())


def _select(
    incoming: str,
    table: Table,
    mapping: TableMapping,
    found: dict[str, str],
    unknown: list[str],
    ref: FileRef,
    source: Source,
) -> str:
    fields = ", ".join(
        f"nullif(trim({quoted(found[name])}), '') AS {quoted(name)}"
        if name in found
        else f"NULL::VARCHAR AS {quoted(name)}"
        for name in table.field_names
    )
    extra = "NULL::VARCHAR"
    if unknown and not _is_nested(source):
        pairs = ", ".join(f"{literal(h)}, {quoted(h)}" for h in unknown)
        filled = " OR ".join(f"nullif(trim({quoted(h)}), '') IS NOT NULL" for h in unknown)
        extra = f"CASE WHEN {filled} THEN CAST(json_object({pairs}) AS VARCHAR) END"
    return (
        f"SELECT *, CASE WHEN {_no_key(table)} THEN 'KEY_EMPTY' WHEN {_foreign(table, ref, source)}"
        f" THEN 'WRONG_FACILITY' END AS _code FROM (SELECT {fields}, {extra} AS _extra, _line FROM ({incoming}))"
    )


def _no_key(table: Table) -> str:
    return " OR ".join(f"{quoted(key)} IS NULL" for key in table.key) or "false"


def _foreign(table: Table, ref: FileRef, source: Source) -> str:
    """A sender speaks for itself unless it is an authority. Leading zeros may be lost in a workbook."""
    if table.facility is None or ref.sender in source.authorities:
        return "false"
    return f"ltrim({quoted(table.facility)}, '0') <> ltrim({literal(ref.sender)}, '0')"


def _chunks(
    con: duckdb.DuckDBPyConnection,
    select: str,
    table: Table,
    ref: FileRef,
    result: FileResult,
    rejects: list[tuple[Any, ...]],
) -> Iterator[tuple[str, pa.Table]]:
    schema = raw_schema(table.field_names)
    number = 0
    for batch in con.sql(select).to_arrow_reader(CHUNK_ROWS):
        chunk = pa.Table.from_batches([batch])
        result.read[table.id] += chunk.num_rows
        refused = chunk.filter(pc.is_valid(chunk["_code"]))
        for line, code in zip(
            refused["_line"].to_pylist(), refused["_code"].to_pylist(), strict=True
        ):
            rejects.append((ref.file, table.id, None, line, 1, code))
        result.rejected[table.id] += refused.num_rows
        kept = chunk.filter(pc.is_null(chunk["_code"]))
        size = kept.num_rows
        if size == 0:
            continue
        values = {name: kept[name] for name in (*table.field_names, "_line", "_extra")}
        values["_file"] = pa.array([ref.file] * size, pa.string())
        values["_row"] = pa.array(range(number + 1, number + size + 1), pa.int32())
        values["_unit"] = pa.nulls(size, pa.int32())
        values["_problem"] = pa.nulls(size, pa.string())
        number += size
        yield (
            table.id,
            pa.Table.from_arrays(
                [values[name].cast(schema.field(name).type) for name in schema.names], schema=schema
            ),
        )
