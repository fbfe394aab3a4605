"""Which pages a night has, and what each template is given. The only place that knows all pages."""

from __future__ import annotations

from collections.abc import Iterator

from datasach.errors import SpecError
from datasach.report import (
    audit_pages,
    facility_page,
    freshness,
    linkage_page,
    national_pages,
    progress,
    province_page,
    rules_page,
)
from datasach.report.book import Book, PageContext
from datasach.report.places import folder_of
from datasach.report.render import Renderer
from datasach.spec.load import suggestion
from datasach.spec.page import Page

CONTEXTS: dict[str, PageContext] = {
    "national": national_pages.national,
    "database": national_pages.database,
    "province": province_page.province,
    "facilities": province_page.facilities,
    "facility": facility_page.facility,
    "rules": rules_page.rules,
    "rule": rules_page.rule,
    "catalogue": rules_page.catalogue,
    "channels": audit_pages.channels,
    "linkage": linkage_page.linkage,
    "freshness": freshness.freshness,
    "progress": progress.progress,
    "run": audit_pages.run,
    "methods": audit_pages.methods,
}


LINKED_ONLY = ("catalogue", "progress")
"""Pages of the night that another page leads to; the menu is short enough for a telephone."""


def things(page: Page, book: Book) -> list[str]:
    """What there is one page each of; [""] for a page of the night."""
    if page.per == "database":
        return [database.id for database in book.databases]
    if page.id == "facilities":
        return [
            part
            for place in book.country.places.values()
            for part in province_page.parts(book, place)
        ]
    if page.per == "province":
        return list(book.country.places)
    if page.per == "facility":
        return [unit.id for unit in book.country.units.values() if book.has_page(unit)]
    if page.per == "rule":
        return list(book.quality.groups)
    return [""]


def render_all(book: Book, renderer: Renderer) -> Iterator[tuple[str, str]]:
    """(path below the site, page) of every page of reports/pages.yaml.

    Raises SpecError for a declared page this room cannot make.
    """
    menu = [
        {"id": page.id, "path": page.path, "title": page.title}
        for page in book.night.project.pages
        if page.per == "night" and page.id not in LINKED_ONLY
    ]
    for page in book.night.project.pages:
        context = CONTEXTS.get(page.id)
        if context is None:
            raise SpecError(
                f'reports/pages.yaml: no page "{page.id}"{suggestion(page.id, CONTEXTS)}'
            )
        for thing in things(page, book):
            # Codes of senders are what they sent; ids of rules are declared, and checked there.
            name = thing if page.per == "rule" else folder_of(thing) if thing else ""
            path = page.path.format(id=name)
            yield (
                path,
                renderer.page(
                    page.template,
                    page=page,
                    menu=menu,
                    section=page.id,
                    thing=thing,
                    up="../" * path.count("/"),
                    tonight=book.country.tonight,
                    **context(book, thing),
                ),
            )
