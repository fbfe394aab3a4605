"""Raw parts: rows as sent, every contract field a text column, with where each row came from.

A raw part lives only until its batch is standardised, so it is Arrow as it stands in memory, lightly
compressed: writing Parquet here cost as much as parsing.

Columns of a raw part: the table's fields as VARCHAR (blank = null), then

    _file     id of the content (store.ledger.file_id)
    _row      1-based number of the row within file and table
    _unit     number of the HOSO in its envelope; null elsewhere
    _line     line, sheet row or element in the file; null in envelopes
    _extra    JSON object of filled values whose column or tag the contract does not know; null if none
    _problem  code of what was wrong with the row's form; null if nothing
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

FLUSH_ROWS = 40_000
PROVENANCE = (
    ("_file", pa.string()),
    ("_row", pa.int32()),
    ("_unit", pa.int32()),
    ("_line", pa.int64()),
    ("_extra", pa.string()),
    ("_problem", pa.string()),
)
Cells = list[str | None]


def raw_schema(fields: Sequence[str]) -> pa.Schema:
    return pa.schema([*((name, pa.string()) for name in fields), *PROVENANCE])


class RawPart:
    """Writes one raw part of one table, batch by batch, in bounded memory."""

    def __init__(self, path: Path, fields: Sequence[str]) -> None:
        self.path = path
        self.fields = tuple(fields)
        self.rows = 0
        self._schema = raw_schema(fields)
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        if self._writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writer = pa.ipc.new_file(str(self.path), self._schema, options=options)
        self._writer.write_table(table)
        self.rows += table.num_rows

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class TaggedRows:
    """Rows of one XML table of a batch, kept by layout until they are worth turning into columns.

    A layout is the tuple of tags a row showed. Rows of one layout have the same cells in the same
    places, so a column is one slice: `zip(*rows)`.
    """

    def __init__(self, part: RawPart, aliases: dict[str, str]) -> None:
        self._part = part
        self._aliases = {tag.lower(): name for tag, name in aliases.items()}
        self._layouts: dict[
            tuple[str, ...], tuple[list[Cells], list[tuple[str, int, int, str | None]]]
        ] = {}
        self._waiting = 0

    def add(
        self, tags: tuple[str, ...], cells: Cells, where: tuple[str, int, int, str | None]
    ) -> None:
        """`where` is (_file, _row, _unit, _problem)."""
        rows, places = self._layouts.setdefault(tags, ([], []))
        rows.append(cells)
        places.append(where)
        self._waiting += 1
        if self._waiting >= FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        for tags, (rows, places) in self._layouts.items():
            self._part.write(self._columns(tags, rows, places))
        self._layouts.clear()
        self._waiting = 0

    def field_of(self, tag: str) -> str:
        bare = (tag.rpartition("}")[2] if tag.startswith("{") else tag).lower()
        return self._aliases.get(bare, bare)

    def _columns(
        self,
        tags: tuple[str, ...],
        rows: list[Cells],
        places: list[tuple[str, int, int, str | None]],
    ) -> pa.Table:
        by_field: dict[str, Any] = {}
        extra: list[tuple[str, Any]] = []
        known = set(self._part.fields)
        for tag, column in zip(tags, zip(*rows, strict=True), strict=True):
            name = self.field_of(tag)
            if name in known and name not in by_field:
                by_field[name] = column
            else:
                extra.append((tag, column))
        size = len(rows)
        arrays = [
            pa.array(by_field[name], pa.string())
            if name in by_field
            else pa.nulls(size, pa.string())
            for name in self._part.fields
        ]
        files, numbers, units, problems = zip(*places, strict=True)
        arrays += [
            pa.array(files, pa.string()),
            pa.array(numbers, pa.int32()),
            pa.array(units, pa.int32()),
            pa.nulls(size, pa.int64()),
            pa.array(_extras(extra, size), pa.string()),
            pa.array(problems, pa.string()),
        ]
        return pa.Table.from_arrays(arrays, schema=raw_schema(self._part.fields))


def _extras(columns: list[tuple[str, Any]], size: int) -> list[str | None]:
    """JSON of the unknown cells of each row. Rare, so a loop over rows is no cost."""
    if not columns:
        return [None] * size
    result: list[str | None] = []
    for index in range(size):
        found = {tag: column[index] for tag, column in columns if (column[index] or "").strip()}
        result.append(json.dumps(found, ensure_ascii=False, sort_keys=True) if found else None)
    return result
