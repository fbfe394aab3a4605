"""One batch of raw parts → standard parts and the list of every change. Runs in a worker.

A raw part is read in slices, so memory does not depend on its size.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from datasach.spec.contract import Table
from datasach.spec.project import Project
from datasach.standardise.identity import identity_block, merger_changes
from datasach.standardise.types import Knowledge, convert
from datasach.store.layout import Layout
from datasach.store.warehouse import standard_columns

SLICE_ROWS = 120_000
CHANGE_SCHEMA: dict[str, Any] = {
    "_file": pl.String, "table_id": pl.String, "_row": pl.Int32, "field": pl.String,
    "reason": pl.String, "source_value": pl.String, "new_value": pl.String,
}  # fmt: skip
POLARS_TYPES: dict[str, Any] = {
    "VARCHAR": pl.String,
    "BIGINT": pl.Int64,
    "INTEGER": pl.Int32,
    "DATE": pl.Date,
    "TIMESTAMP": pl.Datetime("us"),
    "BOOLEAN": pl.Boolean,
    "DECIMAL(18,3)": pl.Decimal(18, 3),
}


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the ledger knows of a content, to be written beside each of its rows."""

    file: str
    night: str
    sender: str
    channel: str
    source: str
    facility: str | None
    declared_on: str | None


def standardise(
    project: Project, layout: Layout, batch: str, files: Mapping[str, FileFacts]
) -> dict[str, int]:
    """Reads   state/raw/<table>/<batch>.arrow
    Writes  state/standard/<table>/<batch>.parquet, state/changes/changes/<batch>.parquet
    Returns rows per table. A second call replaces the same files.
    """
    knowledge = _knowledge_of(project)
    facts = _facts_frame(files)
    order = (
        project.sources[next(iter(files.values())).source].options.date_order if files else "dmy"
    )
    scratch = layout.scratch(f"standardise-{batch}")
    counts: dict[str, int] = {}
    changes = _Changes(scratch / "changes.parquet")
    for table in project.tables.values():
        raw = layout.raw(table.id, batch)
        if not raw.exists():
            continue
        out = scratch / f"{table.id}.parquet"
        writer: Any = None
        for chunk in _slices(raw):
            standard = _chunk(chunk, table, facts, knowledge, order, changes)
            arrow = standard.to_arrow(compat_level=pl.CompatLevel.oldest())
            if writer is None:
                writer = pq.ParquetWriter(
                    out, arrow.schema, compression="zstd", compression_level=1
                )
            writer.write_table(arrow)
            counts[table.id] = counts.get(table.id, 0) + standard.height
        if writer is not None:
            writer.close()
            _settle(out, layout.part("standard", table.id, batch))
    changes.close()
    _settle(changes.path, layout.part("changes", "changes", batch))
    shutil.rmtree(scratch, ignore_errors=True)
    return counts


def standardise_rows(
    project: Project, table: Table, raw: pl.DataFrame, files: Mapping[str, FileFacts]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The standard rows of a few raw rows, and their changes, in memory: for examples and single records."""
    changes = _Changes(None)
    standard = _chunk(raw, table, _facts_frame(files), _knowledge_of(project), "dmy", changes)
    return standard, changes.frame()


_CACHE: dict[Path, Knowledge] = {}


def _knowledge_of(project: Project) -> Knowledge:
    """Built once per process: the commune tables alone hold 10,602 rows."""
    if project.root not in _CACHE:
        _CACHE[project.root] = Knowledge.of(project)
    return _CACHE[project.root]


def _facts_frame(files: Mapping[str, FileFacts]) -> pl.DataFrame:
    rows = list(files.values())
    return pl.DataFrame(
        {
            "_file": [f.file for f in rows],
            "_night": [f.night for f in rows],
            "_sender": [f.sender for f in rows],
            "_channel": [f.channel for f in rows],
            "_source": [f.source for f in rows],
            "_said_facility": [f.facility for f in rows],
            "_declared_on": [f.declared_on for f in rows],
        },
        schema=dict.fromkeys(
            ("_file", "_night", "_sender", "_channel", "_source", "_said_facility", "_declared_on"),
            pl.String,
        ),
    ).with_columns(pl.col("_night", "_declared_on").str.to_date("%Y-%m-%d", strict=False))


def _slices(path: Path) -> Iterator[pl.DataFrame]:
    """The part in pieces of about SLICE_ROWS; neighbouring small pieces go together."""
    waiting: list[pa.RecordBatch] = []
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        for index in range(reader.num_record_batches):
            waiting.append(reader.get_batch(index))
            if sum(batch.num_rows for batch in waiting) >= SLICE_ROWS:
                yield _frame(waiting)
                waiting = []
    if waiting:
        yield _frame(waiting)


def _frame(batches: list[pa.RecordBatch]) -> pl.DataFrame:
    frame = pl.from_arrow(pa.Table.from_batches(batches))
    assert isinstance(frame, pl.DataFrame)
    return frame.rechunk()


def _chunk(
    raw: pl.DataFrame,
    table: Table,
    facts: pl.DataFrame,
    knowledge: Knowledge,
    order: Any,
    changes: _Changes,
) -> pl.DataFrame:
    raw = raw.join(facts, on="_file", how="left", maintain_order="left")
    typed, reasons = convert(raw, table.fields, knowledge, order, strict=table.is_enveloped)
    changes.add(raw, table, typed, reasons)
    typed = typed.with_columns(_facility(raw, typed, table), _decides(raw, typed, table))
    provenance = raw.select(
        "_file", "_row", "_unit", "_line", "_night", "_sender", "_channel", "_source",
        "_declared_on", "_extra", "_problem",
    )  # fmt: skip
    parts = [typed, provenance]
    if table.identity:
        block = identity_block(raw, typed, table, knowledge, order)
        changes.add_rows(raw, table, merger_changes(typed, block, table))
        parts.append(block)
    whole = pl.concat(parts, how="horizontal")
    return whole.select(
        pl.col(name).cast(POLARS_TYPES[kind]).alias(name) for name, kind in standard_columns(table)
    )


def _facility(raw: pl.DataFrame, typed: pl.DataFrame, table: Table) -> pl.Series:
    """The facility a record belongs to: the envelope's, the record's own field, or the sender."""
    own = typed.get_column(table.facility) if table.facility else None
    frame = pl.DataFrame(
        {
            "said": raw.get_column("_said_facility"),
            "sender": raw.get_column("_sender"),
            "own": own
            if own is not None
            else pl.Series([None], dtype=pl.String).new_from_index(0, raw.height),
        }
    )
    # A workbook may have taken the zeros of "01001": the sender's code proves them.
    zeros_lost = pl.col("own").str.strip_chars_start("0") == pl.col("sender").str.strip_chars_start(
        "0"
    )
    repaired = pl.when(zeros_lost).then("sender").otherwise("own")
    return frame.select(pl.coalesce("said", repaired, "sender").alias("_facility")).to_series()


def _decides(raw: pl.DataFrame, typed: pl.DataFrame, table: Table) -> pl.Series:
    """The date that says which list of provinces a record was written with: its event in an envelope, which
    is written when the visit ends; the day of the extract elsewhere, whose addresses are today's."""
    event = (
        typed.get_column(table.event).cast(pl.Date)
        if table.event
        and table.is_enveloped
        and typed.get_column(table.event).dtype in (pl.Date, pl.Datetime("us"))
        else pl.Series([None], dtype=pl.Date).new_from_index(0, raw.height)
    )
    frame = pl.DataFrame(
        {"e": event, "d": raw.get_column("_declared_on"), "n": raw.get_column("_night")}
    )
    return frame.select(pl.coalesce("e", "d", "n").alias("_on")).to_series()


def _settle(path: Path, home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    path.replace(home)


class _Changes:
    """Collects changes and writes them out in pieces."""

    FLUSH = 200_000

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._frames: list[pl.DataFrame] = []
        self._waiting = 0
        self._writer: Any = None

    def add(
        self, raw: pl.DataFrame, table: Table, typed: pl.DataFrame, reasons: pl.DataFrame
    ) -> None:
        """`reasons` has a column per field that may have changed."""
        if reasons.is_empty():
            return
        nulls = reasons.null_count().row(0)
        for field, count in zip(reasons.columns, nulls, strict=True):
            if count == reasons.height:
                continue
            found = pl.DataFrame(
                {
                    "row": pl.int_range(reasons.height, eager=True),
                    "reason": reasons.get_column(field),
                    "source": raw.get_column(field),
                    "new": typed.get_column(field),
                }
            ).filter(pl.col("reason").is_not_null())
            self.add_rows(
                raw,
                table,
                found.with_columns(pl.col("new").cast(pl.String), pl.lit(field).alias("field")),
            )

    def add_rows(self, raw: pl.DataFrame, table: Table, found: pl.DataFrame) -> None:
        """`found`: row (position in the chunk), field, reason, source, new."""
        if found.is_empty():
            return
        places = raw.select("_file", "_row")[found.get_column("row")]
        self._frames.append(
            places.hstack(found.drop("row")).select(
                "_file",
                pl.lit(table.id).alias("table_id"),
                "_row",
                "field",
                "reason",
                pl.col("source").alias("source_value"),
                pl.col("new").alias("new_value"),
            )
        )
        self._waiting += found.height
        if self._path is not None and self._waiting >= self.FLUSH:
            self._flush()

    @property
    def path(self) -> Path:
        assert self._path is not None
        return self._path

    def frame(self) -> pl.DataFrame:
        """What was collected and is not written yet."""
        found = pl.concat(self._frames) if self._frames else pl.DataFrame(schema=CHANGE_SCHEMA)
        return found.select(pl.col(name).cast(kind) for name, kind in CHANGE_SCHEMA.items())

    def _flush(self) -> None:
        arrow = self.frame().to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self.path, arrow.schema, compression="zstd", compression_level=1
            )
        self._writer.write_table(arrow)
        self._frames, self._waiting = [], 0

    def close(self) -> None:
        self._flush()
        self._writer.close()
