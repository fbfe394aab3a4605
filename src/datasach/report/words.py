"""The report's words and terms, declared beside its pages: `codes.yaml`, `outcomes.yaml`, `verdicts.yaml`,
`tasks.yaml`, `kinds.yaml`, `trends.yaml`, `kinds_of_data.yaml`, `tiles.yaml`, `baselines.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from datasach.spec.contract import Title
from datasach.spec.load import Declared, Problems, build, read_yaml
from datasach.spec.rule import Pillar, Severity

Tone = Literal["good", "watch", "concern", "bad", "none"]
TONES: tuple[Tone, ...] = ("bad", "concern", "watch", "good", "none")
"""Worst first; `none` says nothing and never wins."""
PILLARS: tuple[Pillar, ...] = ("dung", "du", "sach", "song")

DeclaredT = TypeVar("DeclaredT", bound=Declared)


class Code(Declared):
    """What a reading code means and what its sender does about it."""

    level: Literal["file", "row", "note", "duplicate", "version", "signature"]
    vi: str
    en: str
    fix: Title


class Codes(Declared):
    codes: dict[str, Code]


class Outcome(Declared):
    """What became of a file: `vi` and `en` are templates over the receipt's counts."""

    tone: Tone
    word: Title
    vi: str
    en: str
    next: Title


class Outcomes(Declared):
    outcomes: dict[str, Outcome]


class Bounds(Declared):
    """Shares from which a verdict is earned; below `concern` the data cannot be used."""

    good: float
    watch: float
    concern: float


class Verdicts(Declared):
    origin: Title
    min_records: int
    small_cell: int
    silent_after: int
    sensitive: list[str]
    pillars: dict[Pillar, Bounds]
    words: dict[Tone, Title]

    def tone(self, pillar: Pillar, share: float) -> Tone:
        bounds = self.pillars[pillar]
        if share >= bounds.good:
            return "good"
        if share >= bounds.watch:
            return "watch"
        return "concern" if share >= bounds.concern else "bad"


class Opening(Declared):
    """From how many failing records, and from which share of those tested, a defect is a task."""

    failed: int
    share: float

    def reached(self, tested: int, failed: int) -> bool:
        return failed >= self.failed and failed >= self.share * tested


class TaskTerms(Declared):
    origin: Title
    close_after: int
    opens_from: dict[Severity, Opening]
    working_days: dict[Severity, int]


class TaskFile(Declared):
    tasks: TaskTerms


class Floor(Declared):
    """A change is worth a sentence from this count and this share on, both."""

    least_count: int
    least_change: float

    def reached(self, count: float, change: float) -> bool:
        return count >= self.least_count and change >= self.least_change


class TrendTerms(Declared):
    origin: Title
    least_nights: int
    history_nights: int
    p_value: float
    share: Floor
    volume: Floor
    score_change: float
    mix: list[str]


class TrendFile(Declared):
    trends: TrendTerms


class KindWords(Declared):
    """What kinds of rule and their parameters are called in the catalogue."""

    kinds: dict[str, Title]
    parameters: dict[str, Title]

    def kind(self, name: str) -> Title:
        return self.kinds.get(name, Title(vi=name, en=name))

    def parameter(self, name: str) -> Title:
        return self.parameters.get(name, Title(vi=name, en=name))


class KindOfData(Declared):
    """What a Department calls one thing though it comes in several tables."""

    id: str
    title: Title
    of: list[str]
    """Tables, or databases with all their tables; empty for what is named nowhere else."""


class KindsOfData(Declared):
    kinds: list[KindOfData]

    def of_table(self, table: str) -> str:
        """Id of the kind a table belongs to; the table's own name goes before its database's."""
        for name in (table, table.split(".")[0]):
            for kind in self.kinds:
                if name in kind.of:
                    return kind.id
        return next(kind.id for kind in self.kinds if not kind.of)


class Tiles(Declared):
    """Province → [column, row] in each of two blocks."""

    north: dict[str, tuple[int, int]]
    south: dict[str, tuple[int, int]]


class Baseline(Declared):
    id: str
    value: int
    title: Title


class Baselines(Declared):
    source: Title
    figures: list[Baseline]


NO_WORDS = Code(
    level="file",
    vi="Mã này chưa có lời giải thích.",
    en="There is no explanation for this code yet.",
    fix=Title(vi="Hỏi Trung tâm.", en="Ask the Centre."),
)
"""A night must not stop because a new code has no sentence; a test does instead."""


@dataclass(frozen=True, slots=True)
class Words:
    codes: dict[str, Code]
    outcomes: dict[str, Outcome]
    verdicts: Verdicts
    tasks: TaskTerms
    kinds: KindWords
    trends: TrendTerms
    data: KindsOfData
    tiles: Tiles
    baselines: Baselines

    def code(self, code: str) -> Code:
        return self.codes.get(code, NO_WORDS)


def load_words(root: Path) -> Words:
    """Read the words and terms of `<root>/reports`.

    Raises SpecError with file and line of everything wrong with them.
    """
    problems = Problems(root)
    codes = _load(Codes, root / "reports/codes.yaml", problems)
    outcomes = _load(Outcomes, root / "reports/outcomes.yaml", problems)
    verdicts = _load(Verdicts, root / "reports/verdicts.yaml", problems)
    tasks = _load(TaskFile, root / "reports/tasks.yaml", problems)
    kinds = _load(KindWords, root / "reports/kinds.yaml", problems)
    trends = _load(TrendFile, root / "reports/trends.yaml", problems)
    data = _load(KindsOfData, root / "reports/kinds_of_data.yaml", problems)
    tiles = _load(Tiles, root / "reports/tiles.yaml", problems)
    baselines = _load(Baselines, root / "reports/baselines.yaml", problems)
    problems.raise_if_any()
    assert codes and outcomes and verdicts and tasks and kinds and trends
    assert data and tiles and baselines
    return Words(
        codes.codes, outcomes.outcomes, verdicts, tasks.tasks, kinds, trends.trends, data, tiles, baselines
    )  # fmt: skip


def _load(model: type[DeclaredT], path: Path, problems: Problems) -> DeclaredT | None:
    if not path.is_file():
        problems.add(path, 1, "this file is missing")
        return None
    document = read_yaml(path, problems)
    return build(model, document, problems) if document else None


def worst(tones: list[Tone]) -> Tone:
    """The worst of several verdicts; `none` only if there is nothing else."""
    return min(tones, key=TONES.index, default="none")
