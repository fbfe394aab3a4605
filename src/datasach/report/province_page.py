"""What a province's page shows, for its Department of Health."""

from __future__ import annotations

from datasach.report.book import Book, Context
from datasach.report.counts import Counts, total
from datasach.report.department import department
from datasach.report.national_pages import level_titles, nights_drawn, silent_units
from datasach.report.tasks import Task

TASKS_SHOWN = 10


def province(book: Book, name: str) -> Context:
    place = book.country.places[name]
    shown = [u for u in place.units if book.has_page(u)]
    shown.sort(key=lambda u: (-u.counts.read, u.id))
    owed = [task for unit in place.units for task in book.tasks.get(unit.id, [])]
    tasks = sorted(owed, key=Task.urgency)
    return {
        "place": place,
        "former_text": ", ".join(f"{name} (mã {code})" for code, name in place.former),
        "levels": level_titles(book),
        "counts_zero": Counts(),
        "units": [
            {
                "unit": u,
                "scores": book.scores("", u.id),
                "trouble": len(book.quality.failing.get(u.id, [])),
                "tasks": len(book.tasks.get(u.id, [])),
                "late": sum(task.state == "overdue" for task in book.tasks.get(u.id, [])),
            }
            for u in shown
        ],
        "answer": department(book, place),
        "tasks": tasks[:TASKS_SHOWN],
        "tasks_open": len(tasks),
        "tasks_late": sum(task.state == "overdue" for task in tasks),
        "unsent": [u for u in place.units if not book.has_page(u)],
        "silent": silent_units(book, place.units),
        "sent": sum(book.country.tonight in u.evenings for u in place.units if not u.authority),
        "expected": sum(bool(u.expected) for u in place.units),
        "counts": place.counts,
        "counts_tonight": total(
            u.evenings[book.country.tonight].counts
            for u in place.units
            if book.country.tonight in u.evenings
        ),
        "scores": book.scores("", name),
        "databases": [
            {"spec": d, "records": book.records(d.id, name), "scores": book.scores(d.id, name)}
            for d in book.databases
            if book.knows(d.id, name)
        ],
        "visits": book.channels.places.get(name),
        "columns_data": nights_drawn(book, place.units),
    }
