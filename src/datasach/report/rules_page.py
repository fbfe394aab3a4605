"""The rules: which are broken tonight, all of them, and a page for each."""

from __future__ import annotations

from typing import Any

from datasach.report.book import BROKEN_BY, Book, Context, Sighting, receipt_link
from datasach.report.catalogue import CONFIDENCE, DIMENSIONS, Catalogue, page_context
from datasach.report.places import folder_of
from datasach.report.quality import Failing, Group

SHOWN_FIRST = 10
UP = "../"


def groups(book: Book) -> list[Group]:
    """Rules by id, in the order they are declared."""
    return list(book.quality.groups.values())


def worst_groups(book: Book) -> list[Group]:
    """Rules violated tonight: those that hold most rows first, then those that fail most often."""
    broken = [g for g in groups(book) if g.is_broken]
    return sorted(broken, key=lambda g: (-g.held, -g.failed, g.rule.id))


def catalogue(book: Book, _: str) -> Context:
    return page_context(catalogue_of(book))


def catalogue_of(book: Book) -> Catalogue:
    return book.catalogue


def rules(book: Book, _: str) -> Context:
    found = groups(book)
    checks = list(book.quality.rules.values())
    families: dict[str, list[Group]] = {}
    for group in found:
        families.setdefault(group.rule.id.split("-")[0], []).append(group)
    return {
        "broken": worst_groups(book),
        "families": families,
        "declared": len(checks),
        "evaluated": sum(1 for c in checks if c.tested and not c.not_run),
        "not_asked": sum(1 for c in checks if not c.tested and not c.not_run),
        "not_run": [c for c in checks if c.not_run],
        "rule_count": len(found),
        "rule_trend": {g.rule.id: rates(book, g.rule.id) for g in found if g.is_broken},
    }


def rates(book: Book, rule: str) -> list[float | None]:
    """Failing share by night; no more than one value where the history is shorter than two nights."""
    return [one.rate if one else None for one in book.history.of_rule(rule)]


# -- one rule --------------------------------------------------------------------------------------


def rule(book: Book, name: str) -> Context:
    group = book.quality.groups[name]
    entry = book.catalogue.entry(name)
    databases = [book.night.project.databases[d] for d in entry.databases]
    broken = book.quality.broken_by.get(name, [])
    found_in = book.found_in.get(name, [])
    shown = {facility for facility, _ in broken[:BROKEN_BY]}
    nights = list(zip(book.history.nights, book.history.of_rule(name), strict=True))
    return {
        "group": group,
        "rule": group.rule,
        "entry": entry,
        "databases": databases,
        "owners": list({d.owner.vi: d.owner for d in databases}.values()),
        "facilities": [_facility(book, f, one, found_in) for f, one in broken[:BROKEN_BY]],
        "more": max(0, len(broken) - BROKEN_BY),
        "senders": [
            {
                "unit": book.country.units.get(one.sender),
                "one": one,
                "link": receipt_link(one.night, one.sender, UP, name),
            }
            for one in found_in
            if one.sender not in shown
        ],
        "places": _places(book, group),
        "habits": book.habits.get(name, []),
        "nights": [(n, one) for n, one in nights if one],
        "rates": rates(book, name),
        "compared": [
            r for r in book.gate.results
            if r.rule == name and r.ours is not None and r.theirs is not None
        ],
        "dimensions": DIMENSIONS,
        "confidence": CONFIDENCE,
        "titles": {t: book.night.project.tables[t].title for t in entry.tables},
    }  # fmt: skip


def _facility(book: Book, name: str, one: Failing, found_in: list[Sighting]) -> dict[str, Any]:
    unit = book.country.units.get(name)
    nights = [f for f in found_in if f.sender == name]
    return {
        "id": name,
        "unit": unit,
        "page": f"{UP}cskcb/{folder_of(name)}.html" if unit and book.has_page(unit) else None,
        "one": one,
        "hidden": one.rule.rule.database in book.words.verdicts.sensitive,
        "receipts": [
            (f.night, receipt_link(f.night, f.sender, UP, one.rule.rule.id)) for f in nights
        ],
    }


def _places(book: Book, group: Group) -> list[dict[str, Any]]:
    """Tested and failed by province, most failures first, without the sensitive databases."""
    sums: dict[str, list[int]] = {}
    for table in group.tables:
        if table.rule.database in book.words.verdicts.sensitive:
            continue
        for place, (tested, failed) in table.shares.items():
            seen = sums.setdefault(place, [0, 0])
            seen[0] += tested
            seen[1] += failed
    return [
        {"place": book.country.places[place], "tested": tested, "failed": failed}
        for place, (tested, failed) in sorted(sums.items(), key=lambda item: (-item[1][1], item[0]))
        if failed and place in book.country.places
    ]
