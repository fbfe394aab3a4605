"""What people decided about two records: the same person, different persons, or not to be decided.

Read from `rules/judgements/*.yaml` and `*.csv` (columns a, b, verdict, by, on, why, until); those that are
taken one by one with `datasach judge` stand in the warehouse. A record is named by its key, which survives its
corrections: `<database>.<table>:<key>`, as `kcb_emr.visit:79001|LK001`.
"""

from __future__ import annotations

import csv
from collections.abc import Container
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError, field_validator, model_validator

from datasach.spec.load import Declared, Problems, build, read_yaml

Verdict = Literal["same", "different", "unsure"]


class JudgementSpec(Declared):
    a: str
    b: str
    verdict: Verdict
    by: str
    """Who decided: a name or a role; never blank."""
    on: date
    why: str
    until: date | None = None
    """Last night on which it counts; None: until somebody judges the pair again."""

    @field_validator("by", "why")
    @classmethod
    def _said(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("may not be blank: a judgement names who decided, and why")
        return text.strip()

    @model_validator(mode="after")
    def _two_records(self) -> JudgementSpec:
        if self.a == self.b:
            raise ValueError("a and b are one record")
        return self


class JudgementFile(Declared):
    judgements: list[JudgementSpec]


class DeclaredJudgement(JudgementSpec):
    """With the file it stands in."""

    source: str


def load_judgements(
    root: Path, tables: Container[str], problems: Problems
) -> tuple[DeclaredJudgement, ...]:
    """Every declared judgement; what is wrong is noted with file and line."""
    found: list[DeclaredJudgement] = []
    folder = root / "rules" / "judgements"
    for path in sorted(folder.glob("*.yaml")) + sorted(folder.glob("*.csv")):
        source = f"rules/judgements/{path.name}"
        for line, one in _read(path, problems):
            for key in (one.a, one.b):
                if key.partition(":")[0] not in tables or not key.partition(":")[2]:
                    problems.add(path, line, "a record is named <database>.<table>:<key>")
                    break
            else:
                found.append(DeclaredJudgement(**one.model_dump(), source=source))
    return tuple(found)


def _read(path: Path, problems: Problems) -> list[tuple[int, JudgementSpec]]:
    if path.suffix == ".csv":
        return _read_csv(path, problems)
    document = read_yaml(path, problems)
    spec = build(JudgementFile, document, problems) if document else None
    if spec is None or document is None:
        return []
    return [(document.line(("judgements", i)), one) for i, one in enumerate(spec.judgements)]


def _read_csv(path: Path, problems: Problems) -> list[tuple[int, JudgementSpec]]:
    found: list[tuple[int, JudgementSpec]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            for row in reader:
                values: dict[str, Any] = {k: v or None for k, v in row.items() if k is not None}
                try:
                    found.append((reader.line_num, JudgementSpec.model_validate(values)))
                except ValidationError as error:
                    for detail in error.errors():
                        where = ".".join(str(step) for step in detail["loc"]) or "the row"
                        message = str(detail["msg"]).removeprefix("Value error, ")
                        problems.add(path, reader.line_num, f"{where}: {message}")
    except (UnicodeDecodeError, csv.Error):
        problems.add(path, 1, "not a CSV in UTF-8")
    return found
