"""`datasach link`: any Parquet records, any linkage document, no warehouse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from datasach.link.block import plan
from datasach.link.deliver import deliver
from datasach.link.engine import link_records, read_records, successors_of_communes
from datasach.link.weigh import Model
from datasach.spec.load import Problems, build, read_yaml
from datasach.spec.matching import Matching


def load_document(path: Path) -> Matching:
    """Raises SpecError with file and line for everything that is wrong with the document."""
    problems = Problems(path.parent)
    read = read_yaml(path, problems)
    document = build(Matching, read, problems) if read else None
    problems.raise_if_any()
    assert document
    return document


def link_files(
    files: list[Path], document: Path, out: Path, model: Path | None, wards: Path | None
) -> dict[str, Any]:
    """Link `files` by `document`, write the results below `out`, return the summary."""
    matching = load_document(document)
    records = read_records(files, matching, _successors(matching, wards))
    linked = link_records(records, Model.load(model) if model else None)
    return deliver(
        linked, lambda: pl.scan_parquet(files).select(matching.key).collect().to_series(), out
    )


def plan_files(files: list[Path], document: Path, wards: Path | None) -> str:
    """Pairs each pass would make, before anything is compared."""
    matching = load_document(document)
    records = read_records(files, matching, _successors(matching, wards))
    told = plan(matching.passes, records.part, records.rows)
    lines = [f"{records.rows:,} records", f"{'pairs':>14} {'left out':>12} {'largest':>8}  pass"]
    lines += [f"{p.pairs:>14,} {p.left_out:>12,} {p.largest:>8,}  {p.on}" for p in told]
    lines.append(
        f"{sum(p.pairs for p in told):>14,} pairs at most (a pair that several passes find counts once)"
    )
    return "\n".join(lines)


def told(summary: dict[str, Any]) -> str:
    """The summary in a few lines for a terminal."""
    grades = summary["grades"]
    return (
        f"{summary['records']:,} bản ghi · records → {summary['persons']:,} người · persons"
        f" ({summary['pairs_compared']:,} pairs compared)\n"
        f"certain {grades['certain']:,} · possible {grades['possible']:,} · single {grades['single']:,};"
        f" {summary['review']:,} pairs for people; forbidden {json.dumps(summary['forbidden'])}"
    )


def _successors(document: Matching, wards: Path | None) -> pl.DataFrame | None:
    if not any(column.merged for column in document.columns.values()):
        return None
    return successors_of_communes(wards) if wards and wards.is_file() else None
