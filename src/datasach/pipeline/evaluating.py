"""`datasach evaluate`: how right an answer of `datasach link` is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datasach.link.evaluate import evaluate, evaluate_judgements


def evaluated(
    answer: Path, truth: Path | None, strata: Path | None, judgements: Path | None
) -> str:
    """As JSON: agreement with the truth and with judgements, and what the model itself expects at each threshold."""
    persons = answer / "persons.parquet"
    found: dict[str, Any] = {}
    if truth is not None:
        found["truth"] = evaluate(persons, truth, strata).as_dict()
    if judgements is not None:
        found["judgements"] = evaluate_judgements(persons, judgements).as_dict()
    summary = json.loads((answer / "summary.json").read_text("utf-8"))
    found["unlabelled"] = summary["thresholds"]
    return json.dumps(found, indent=1)
