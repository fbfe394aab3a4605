"""`datasach link`: any Parquet records, any linkage document, no warehouse."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from datasach.errors import UnlinkableRecords
from datasach.link.block import plan
from datasach.link.deliver import deliver
from datasach.link.engine import (
    NO_JUDGEMENT,
    Judged,
    check_columns,
    link_records,
    read_records,
    reader,
    successors_of_communes,
)
from datasach.link.index import Index
from datasach.link.settle import Judgement, settle
from datasach.link.text_hash import person_ids, text_hash
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
    files: list[Path], document: Path, out: Path, model: Path | None, wards: Path | None,
    index: Path | None = None, judgements: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Link `files` by `document`, write the results below `out`, return the summary.

    `judgements`: Parquet with all that stand: record_key_a, record_key_b, verdict (same, different, unsure), and
    optionally judged_at, of which the latest counts. They outweigh everything.

    `index`: a folder that keeps the answer. Where it holds one, `files` are what is new or changed since, and
    only `changed.parquet` (record_key, person_id, before; null: new) and summary.json are written.
    """
    matching = load_document(document)
    successors = _successors(matching, wards)
    if index is not None and (index / "manifest.json").is_file():
        return _link_to_index(files, matching, out, index, successors, judgements)
    records = read_records(files, matching, successors)
    judged, contradictions = NO_JUDGEMENT, 0
    if judgements is not None:
        verdicts, contradictions = _verdicts(judgements)
        judged = Judged.of_keys(verdicts, records)
    linked = link_records(records, Model.load(model) if model else None, judged=judged)

    def keys() -> pl.Series:
        return pl.scan_parquet(files).select(matching.key).collect().to_series()

    if index is not None:
        Index.build(index, linked, keys())
    return deliver(linked, keys, out, by_row=index is not None, contradictions=contradictions)


def _link_to_index(
    files: list[Path], matching: Matching, out: Path, folder: Path, successors: pl.DataFrame | None,
    judgements: Path | None,
) -> dict[str, Any]:  # fmt: skip
    check_columns(files, matching)
    index = Index.open(folder, matching)
    verdicts, contradictions = _verdicts(judgements) if judgements else (None, 0)
    delta = index.add(reader(files), successors, verdicts)
    out.mkdir(parents=True, exist_ok=True)
    changed = delta.changed
    heads = pl.concat([changed["person"], changed["before"].drop_nulls()]).unique()
    names = pl.DataFrame({"row": heads, "id": person_ids(text_hash(index.keys().gather(heads)))})
    changed = (
        changed.join(names, left_on="person", right_on="row", how="left")
        .rename({"id": "person_id"})
        .join(names, left_on="before", right_on="row", how="left")
        .select("record_key", "person_id", before="id")
        .sort("record_key")
    )
    changed.write_parquet(out / "changed.parquet")
    summary = {
        "linkage": matching.linkage, "version": matching.version, "records": delta.records,
        "replaced": delta.replaced, "pairs_compared": delta.compared, "looked_at_again": delta.touched,
        "changed": changed.height, "contradictions": contradictions, "index_records": index.rows,
    }  # fmt: skip
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", "utf-8")
    return summary


def _verdicts(judgements: Path) -> tuple[pl.DataFrame, int]:
    """key_a, key_b, same: what the judgements come to; and how many have no effect because they contradict another.

    Raises UnlinkableRecords where a column is missing or a verdict is no such word.
    """
    told = pl.read_parquet(judgements)
    missing = {"record_key_a", "record_key_b", "verdict"} - set(told.columns)
    if missing:
        raise UnlinkableRecords(f"the judgements have no column {', '.join(sorted(missing))}")
    if not told["verdict"].is_in(["same", "different", "unsure"]).all():
        raise UnlinkableRecords("a verdict is none of same, different, unsure")
    at = "judged_at" if "judged_at" in told.columns else pl.lit("")
    rows = told.select(pl.col("record_key_a", "record_key_b").cast(pl.String), "verdict", at=at)
    each = [
        Judgement(f"{number:09}", str(when), a, b, verdict, "", "", None, judgements.name)
        for number, (a, b, verdict, when) in enumerate(rows.iter_rows())
    ]
    settled = settle(each, date.min, {key for one in each for key in one.pair})
    pairs = [(first, other, True) for (first, *others), _ in settled.groups for other in others]
    pairs += [(a, b, False) for a, b, _ in settled.apart]
    schema = {"key_a": pl.String, "key_b": pl.String, "same": pl.Boolean}
    return pl.DataFrame(pairs, schema, orient="row"), len(settled.contradictions)


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
    contradicted = (
        f"\n{count:,} judgements contradict others and have no effect"
        if (count := summary["contradictions"])
        else ""
    )
    if "index_records" in summary:
        return (
            f"{summary['records']:,} bản ghi mới hoặc đổi · records new or changed ({summary['replaced']:,} replaced),"
            f" {summary['pairs_compared']:,} pairs compared, {summary['looked_at_again']:,} records looked at again,"
            f" {summary['changed']:,} got a person or another one{contradicted}"
        )
    grades = summary["grades"]
    return (
        f"{summary['records']:,} bản ghi · records → {summary['persons']:,} người · persons"
        f" ({summary['pairs_compared']:,} pairs compared)\n"
        f"certain {grades['certain']:,} · possible {grades['possible']:,} · single {grades['single']:,};"
        f" {summary['review']:,} pairs for people; forbidden {json.dumps(summary['forbidden'])}{contradicted}"
    )


def _successors(document: Matching, wards: Path | None) -> pl.DataFrame | None:
    if not any(column.merged for column in document.columns.values()):
        return None
    return successors_of_communes(wards) if wards and wards.is_file() else None
