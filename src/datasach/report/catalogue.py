"""The catalogue of all rules, as one page that filters without a script and as CSV.

catalogue.html   self-contained; the boxes above the table leave out what is not asked for
catalogue.csv    a line per rule; behind them the rules that are not built, with their reasons
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasach import __version__
from datasach.report.issue import write_text
from datasach.report.render import Renderer
from datasach.report.words import KindWords, load_words
from datasach.spec.contract import Title
from datasach.spec.not_built import NotBuilt, load_not_built
from datasach.spec.project import Project
from datasach.spec.rule import PILLAR_TITLES, Rule

Fields = dict[tuple[str, str], str]
"""(rule, table) → the fields it is about, with commas."""

CONFIDENCE = {
    "high": Title(vi="cao", en="high"),
    "medium": Title(vi="vừa", en="medium"),
    "low": Title(vi="thấp", en="low"),
}
DIMENSIONS = {
    "conformity": Title(vi="đúng dạng", en="conformity"),
    "accuracy": Title(vi="chính xác", en="accuracy"),
    "completeness": Title(vi="đầy đủ", en="completeness"),
    "coverage": Title(vi="độ phủ", en="coverage"),
    "uniqueness": Title(vi="không trùng", en="uniqueness"),
    "consistency": Title(vi="nhất quán", en="consistency"),
    "timeliness": Title(vi="kịp thời", en="timeliness"),
}
STATES = {
    "live": Title(vi="đang chạy", en="live"),
    "elsewhere": Title(vi="làm ở bước khác", en="enforced elsewhere"),
    "not_built": Title(vi="chưa làm được", en="not built"),
}
HEAD = (
    "id", "state", "tables", "vi", "en", "fix_vi", "fix_en", "kind", "kind_vi", "kind_en", "parameters", "fields",
    "dimension", "pillar", "severity", "tolerance", "basis", "confidence", "vintages", "valid_from",
    "valid_to", "file", "line", "reason_vi", "reason_en", "done_by",
)  # fmt: skip


@dataclass(slots=True)
class Entry:
    """A rule over all its tables."""

    rule: Rule
    kind: Title
    parameters: list[tuple[Title, str]]
    tables: list[str] = field(default_factory=list)
    fields: str = ""
    """Of its first table; the others name the same things."""
    file: str = ""

    @property
    def databases(self) -> list[str]:
        return list(dict.fromkeys(table.split(".")[0] for table in self.tables))


@dataclass(frozen=True, slots=True)
class Catalogue:
    project: Project
    entries: list[Entry]
    not_built: list[NotBuilt]
    _by_id: dict[str, Entry] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {entry.rule.id: entry for entry in self.entries})

    def entry(self, rule: str) -> Entry:
        return self._by_id[rule]

    @property
    def states(self) -> Counter[str]:
        """How many rules are in which state of STATES; together all of the domain catalogue."""
        counted = Counter(state_of(one) for one in self.not_built)
        counted["live"] = len(self.entries)
        return counted


def state_of(one: NotBuilt) -> str:
    return "elsewhere" if one.done_by else "not_built"


def collect(project: Project, words: KindWords, fields: Fields) -> Catalogue:
    entries: dict[str, Entry] = {}
    for rule in project.rules:
        known = fields.get((rule.id, rule.table), "")
        if rule.id not in entries:
            said = said_parameters(rule, words)
            home = "rules" if (project.root / "rules" / rule.file).exists() else "rules/shared"
            entries[rule.id] = Entry(
                rule, words.kind(rule.kind), said, fields=known, file=f"{home}/{rule.file}"
            )
        entries[rule.id].tables.append(rule.table)
    ordered = sorted(entries.values(), key=lambda e: e.rule.id)
    return Catalogue(project, ordered, load_not_built(project.root))


def said_parameters(rule: Rule, words: KindWords) -> list[tuple[Title, str]]:
    """A kind's parameters under their names in both languages, with the rule's condition last."""
    found = [(words.parameter(name), _said(value)) for name, value in rule.parameters.items()]
    if rule.when:
        found.append((Title(vi="chỉ khi", en="only when"), rule.when))
    return found


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} = {_said(one)}" for key, one in value.items())
    return str(value)


def page_context(found: Catalogue) -> dict[str, Any]:
    severities = Counter(entry.rule.severity for entry in found.entries)
    return {
        "catalogue": found,
        "databases": sorted(found.project.databases.values(), key=lambda d: d.number),
        "severities": severities,
        "checks": sum(len(entry.tables) for entry in found.entries),
        "states": STATES,
        "state_of": state_of,
        "dimensions": DIMENSIONS,
        "confidence": CONFIDENCE,
        "more_style": filter_style(found),
    }


def filter_style(found: Catalogue) -> str:
    """CSS that leaves out the rows another choice does not want: the filter, without a script."""
    choices = [f"db-{database}" for database in found.project.databases]
    choices += [f"sev-{name}" for name in ("stop", "quarantine", "flag")]
    choices += [f"pil-{name}" for name in PILLAR_TITLES]
    lines = [
        f"body:has(#{one}:checked) .rules > tbody > tr:not(.{one}) {{ display: none; }}"
        for one in choices
    ]
    return "\n".join(lines)


def write_catalogue(project: Project, folder: Path, fields: Fields) -> list[Path]:
    """Write both files below `folder`; returns their paths."""
    words = load_words(project.root)
    found = collect(project, words.kinds, fields)
    renderer = Renderer(project.root, words, __version__, project.fingerprint)
    folder.mkdir(parents=True, exist_ok=True)
    page, table = folder / "catalogue.html", folder / "catalogue.csv"
    write_text(page, renderer.page("catalogue_alone.html.j2", **page_context(found)))
    write_csv(found, table)
    return [page, table]


def write_csv(found: Catalogue, path: Path) -> None:
    """UTF-8 with BOM: spreadsheets otherwise take it for another encoding."""
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(HEAD)
        writer.writerows([_harmless(cell) for cell in row] for row in _lines(found))


def _lines(found: Catalogue) -> Iterator[tuple[Any, ...]]:
    for entry in found.entries:
        rule, kind = entry.rule, entry.kind
        parameters = "; ".join(f"{title.en}: {said}" for title, said in entry.parameters)
        yield (
            rule.id, "live", " ".join(entry.tables), rule.vi, rule.says, rule.fix.vi, rule.fix.en, rule.kind,
            kind.vi, kind.en, parameters, entry.fields, rule.dimension, PILLAR_TITLES[rule.pillar].vi,
            rule.severity, f"{rule.tolerance:g}" if rule.severity == "stop" else "", rule.because,
            rule.confidence, " ".join(rule.vintages), rule.valid_from or "", rule.valid_to or "",
            entry.file, rule.line, "", "", "",
        )  # fmt: skip
    for one in found.not_built:
        blank = [""] * (len(HEAD) - 5)
        yield (one.id, state_of(one), *blank, one.reason.vi, one.reason.en, one.done_by)


def _harmless(cell: Any) -> Any:
    """A pattern or condition that begins like a formula is not one."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell
