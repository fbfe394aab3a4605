"""The catalogue of rules with tonight's numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from datasach.report.book import Book, Context
from datasach.report.catalogue import Catalogue, collect, page_context
from datasach.report.quality import RuleTonight
from datasach.spec.rule import Rule

SHOWN_FIRST = 10


@dataclass(slots=True)
class Group:
    """One rule over all its tables."""

    rule: Rule
    tables: list[RuleTonight] = field(default_factory=list)

    @property
    def tested(self) -> int:
        return sum(t.tested for t in self.tables)

    @property
    def failed(self) -> int:
        return sum(t.failed for t in self.tables)

    @property
    def held(self) -> int:
        return sum(t.held for t in self.tables)

    @property
    def facilities(self) -> int:
        """Of the table where most facilities violate it: a facility is not counted once per table."""
        return max((t.facilities for t in self.tables), default=0)

    @property
    def not_run(self) -> list[RuleTonight]:
        return [t for t in self.tables if t.not_run]


def groups(book: Book) -> list[Group]:
    """Rules by id, in the order they are declared."""
    found: dict[str, Group] = {}
    for one in book.quality.rules.values():
        found.setdefault(one.rule.id, Group(one.rule)).tables.append(one)
    return list(found.values())


def worst_groups(book: Book) -> list[Group]:
    """Rules violated tonight: those that hold most rows first, then those that fail most often."""
    broken = [g for g in groups(book) if g.failed]
    return sorted(broken, key=lambda g: (-g.held, -g.failed, g.rule.id))


def catalogue(book: Book, _: str) -> Context:
    return page_context(catalogue_of(book))


def catalogue_of(book: Book) -> Catalogue:
    fields = {key: one.fields for key, one in book.quality.rules.items()}
    return collect(book.night.project, book.words.kinds, fields)


def rules(book: Book, _: str) -> Context:
    found = groups(book)
    checks = list(book.quality.rules.values())
    families: dict[str, list[Group]] = {}
    for group in found:
        families.setdefault(group.rule.id.split("-")[0], []).append(group)
    return {
        "worst": worst_groups(book)[:SHOWN_FIRST],
        "families": families,
        "declared": len(checks),
        "evaluated": sum(1 for c in checks if c.tested and not c.not_run),
        "not_asked": sum(1 for c in checks if not c.tested and not c.not_run),
        "not_run": [c for c in checks if c.not_run],
        "rule_count": len(found),
        "titles": {t.id: t.title for t in book.night.project.tables.values()},
    }
