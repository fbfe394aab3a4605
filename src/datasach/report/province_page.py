"""What a province's page shows, for its Department of Health.

A Department with more facilities than a page can carry gets them on pages of their own, linked from its
page: a page stays below a megabyte whatever the province.
"""

from __future__ import annotations

from datasach.report.book import Book, Context, receipt_link
from datasach.report.counts import Counts, total
from datasach.report.department import department
from datasach.report.national_pages import level_titles, nights_drawn, silent_units
from datasach.report.places import Place, Unit, folder_of
from datasach.report.tasks import Task

TASKS_SHOWN = 10
NIGHTS_SHOWN = 7
ON_THE_PAGE = 120
"""Facilities listed on the Department's own page."""
A_PART = 400
"""Facilities on each page of its own; with all columns about 0.9 MB."""
UP = "../"


def units_shown(book: Book, place: Place) -> list[Unit]:
    """Facilities with a page, those that sent most rows first."""
    shown = [u for u in place.units if book.has_page(u)]
    return sorted(shown, key=lambda u: (-u.counts.read, u.id))


def parts(book: Book, place: Place) -> list[str]:
    """Ids of the pages that list the place's facilities; none where its own page does."""
    count = len(units_shown(book, place))
    if count <= ON_THE_PAGE:
        return []
    return [f"{place.id}-{n + 1}" for n in range((count + A_PART - 1) // A_PART)]


def province(book: Book, name: str) -> Context:
    place = book.country.places[name]
    shown = units_shown(book, place)
    pages = parts(book, place)
    owed = [task for unit in place.units for task in book.tasks.get(unit.id, [])]
    tasks = sorted(owed, key=Task.urgency)
    tonight = book.country.tonight
    nights = book.country.nights[-NIGHTS_SHOWN:]
    sending = [u for u in place.units if u.expected]
    return {
        "place": place,
        "former_text": ", ".join(f"{name} (mã {code})" for code, name in place.former),
        "former_text_en": ", ".join(f"{name} (code {code})" for code, name in place.former),
        "answer": department(book, place),
        "tasks": tasks[:TASKS_SHOWN],
        "tasks_open": len(tasks),
        "tasks_late": sum(task.state == "overdue" for task in tasks),
        "silent": silent_units(book, place.units),
        "sent": sum(tonight in u.evenings for u in place.units if not u.authority),
        "expected": len(sending),
        "nights_sent": sum(u.nights for u in sending),
        "nights_expected": sum(u.expected for u in sending),
        "counts": place.counts,
        "counts_tonight": book.country.of_night(tonight, name).counts,
        "scores": book.scores("", name),
        "databases": [
            {"spec": d, "records": book.records(d.id, name), "scores": book.scores(d.id, name)}
            for d in book.databases
            if book.knows(d.id, name)
        ],
        "visits": book.channels.places.get(name),
        "columns_data": nights_drawn(book, name),
        "kinds": book.words.data.kinds,
        "kind_sums": _kinds(place),
        "night_sums": [(n, book.country.of_night(n, name)) for n in reversed(nights)],
        "pages": pages,
        "unsent": [u for u in place.units if not book.has_page(u)],
        **_table(book, shown if not pages else [], nights),
    }  # fmt: skip


def facilities(book: Book, name: str) -> Context:
    """One part of a Department's facilities."""
    code, _, number = name.rpartition("-")
    place = book.country.places[code]
    first = (int(number) - 1) * A_PART
    shown = units_shown(book, place)
    chosen = shown[first : first + A_PART]
    return {
        "place": place,
        "pages": parts(book, place),
        "part": name,
        "first": first + 1,
        "last": first + len(chosen),
        "all": len(shown),
        "counts": place.counts,
        "counts_part": total(u.counts for u in chosen),
        "kinds": book.words.data.kinds,
        "unsent": [],
        **_table(book, chosen, book.country.nights[-NIGHTS_SHOWN:]),
    }


def _table(book: Book, units: list[Unit], nights: list[str]) -> Context:
    """What the facilities' tables need."""
    return {
        "levels": level_titles(book),
        "counts_zero": Counts(),
        "nights": nights,
        "units": [
            {
                "unit": u,
                "page": f"{UP}cskcb/{folder_of(u.id)}.html",
                "counts": u.counts,
                "kinds": u.kinds,
                "scores": (scores := book.scores("", u.id)),
                "on_time": scores[-1],
                "tasks": len(book.tasks.get(u.id, [])),
                "late": sum(task.state == "overdue" for task in book.tasks.get(u.id, [])),
                "nights": [
                    (e, receipt_link(n, u.id, UP)) if (e := u.evenings.get(n)) else None for n in nights
                ],
            }
            for u in units
        ],
    }  # fmt: skip


def _kinds(place: Place) -> dict[str, Counts]:
    found: dict[str, Counts] = {}
    for unit in place.units:
        for kind, counts in unit.kinds.items():
            found[kind] = found.get(kind, Counts()).plus(counts)
    return found
