"""A clerk's question: what must I fix from last night? Answered from the facility's own receipts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datasach.errors import DatasachError
from datasach.report import numbers
from datasach.report.counts import FATES, Counts, total
from datasach.report.places import folder_of
from datasach.report.receipt_text import fix_text


def receipts_of(
    out: Path, facility: str, night: str | None = None
) -> tuple[str, list[dict[str, Any]]]:
    """(night, receipts) of one sender: of the night asked for, else of the last in which it sent anything.

    Raises DatasachError if there are none.
    """
    root = out / "receipts"
    nights = sorted(p.parent.name for p in root.glob(f"*/{folder_of(facility)}") if p.is_dir())
    chosen = night or (nights[-1] if nights else None)
    if chosen is None or chosen not in nights:
        asked = f" in the night of {night}" if night else ""
        raise DatasachError(f"{facility} has sent nothing{asked}: there is no receipt below {root}")
    return chosen, issued_to(out, chosen, facility)


def issued_to(out: Path, night: str, sender: str) -> list[dict[str, Any]]:
    """A sender's receipts of a night as they were issued, by the names of their files; none where none are kept."""
    paths = (out / "receipts" / night / folder_of(sender)).glob("*.json")
    found: list[dict[str, Any]] = [json.loads(path.read_bytes()) for path in paths]
    return sorted(found, key=lambda one: (str(one["file"]["name"]), one["receipt"]))


def clerks_list(out: Path, facility: str, night: str | None = None) -> str:
    """The receipts' causes, gravest first, with counts, places and remedies."""
    when, payloads = receipts_of(out, facility, night)
    counts = total(Counts(*(p["counts"][name] for name in ("read", *FATES))) for p in payloads)
    kept = counts.quarantined + counts.rejected
    return (
        f"Cơ sở {facility}, đêm {numbers.day(when)}: {len(payloads)} tệp, {numbers.vi(counts.accepted)} trong"
        f" {numbers.vi(counts.read)} dòng được chấp nhận, {numbers.vi(kept)} dòng bị giữ hoặc từ chối.\n"
        f"Facility {facility}, night of {when}: {len(payloads)} files, {numbers.en(counts.accepted)} of"
        f" {numbers.en(counts.read)} rows accepted, {numbers.en(kept)} held or rejected.\n\n{fix_text(payloads)}"
    )
