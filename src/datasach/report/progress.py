"""The progress record of a night, to be printed and signed, of what was reached and what is owed.

It holds numbers other pages hold too; here they stand beside the targets and the marks they are measured by.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from datasach.report.book import Book, Context
from datasach.report.national_pages import coverage_by_level
from datasach.report.numbers import as_day
from datasach.report.words import TONES
from datasach.spec.contract import Title

DEBTORS = 8


def progress(book: Book, _: str) -> Context:
    country = book.country
    counts = country.counts
    open_tasks = [task for found in book.tasks.values() for task in found]
    owed: Counter[str] = Counter(task.facility for task in open_tasks if task.state == "overdue")
    if not owed:
        owed = Counter(task.facility for task in open_tasks)
    return {
        "counts": counts,
        "run": book.night.run,
        "snapshot": book.manifest.get("snapshot"),
        "content_sha256": book.manifest.get("content_sha256"),
        "sent": len(country.sent_tonight()),
        "expected": len(country.expected_tonight()),
        "nights": len(country.nights),
        "first_night": country.nights[0],
        "marks": _marks(book),
        "baselines": book.words.baselines,
        "databases": [_database(book, d.id) for d in book.databases],
        "in_use": sum(book.quality.scores.records.get((d.id, ""), 0) > 0 for d in book.databases),
        "released": sum(d.id not in book.gate.withheld for d in book.databases),
        "year": as_day(country.tonight).year,
        "levels_table": coverage_by_level(book),
        "tasks_open": len(open_tasks),
        "tasks_late": sum(task.state == "overdue" for task in open_tasks),
        "debtors": [
            {
                "unit": book.country.units.get(facility),
                "id": facility,
                "late": late,
                "open": len(book.tasks[facility]),
            }
            for facility, late in sorted(owed.items(), key=lambda item: (-item[1], item[0]))[:DEBTORS]
        ],
        "any_late": any(task.state == "overdue" for task in open_tasks),
        "moved": book.moved,
    }  # fmt: skip


def _marks(book: Book) -> list[dict[str, Any]]:
    """Ours beside each figure of baselines.yaml."""
    current = book.quality.tables
    sums: Counter[str] = Counter()
    for (table, _), records in current.items():
        sums[table] += records
    ours = {
        "facilities": sum(bool(u.nights) and not u.authority for u in book.country.units.values()),
        "visits": sums["kcb_emr.visit"],
        "prescriptions": sums["eprescription.prescription"],
        "referrals": sums["referral_reexam.referral"],
    }
    return [
        {"title": b.title, "mark": b.value, "ours": ours.get(b.id, 0)}
        for b in book.words.baselines.figures
    ]


def _database(book: Book, name: str) -> dict[str, Any]:
    spec = book.night.project.databases[name]
    scores = book.scores(name)
    records = book.records(name)
    told = [s for s in scores if s.tone != "none"]
    worst = min(told, key=lambda s: TONES.index(s.tone), default=None)
    state: tuple[str, Title]
    if name in book.gate.withheld:
        state = ("bad", Title(vi="Giữ tại cổng", en="Held at the gate"))
    elif records == 0:
        state = ("none", Title(vi="Chưa có dữ liệu", en="No data yet"))
    else:
        state = ("good", Title(vi="Đang công bố", en="Released"))
    return {"spec": spec, "records": records, "scores": scores, "worst": worst, "state": state}
