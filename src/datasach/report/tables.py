"""The numbers behind the pages as CSV, for people who want to count again. UTF-8 with BOM: spreadsheets
otherwise take it for another encoding. No names of people, no keys of records, no file names."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from datasach.report.book import Book
from datasach.report.catalogue import write_csv
from datasach.report.counts import FATES
from datasach.report.rules_page import catalogue_of

COUNTS = ("read", *FATES)


def write_tables(book: Book, folder: Path) -> None:
    """receipts.csv, facilities.csv, scores.csv, rules.csv, gate.csv, tasks.csv, catalogue.csv below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "receipts.csv", ("night", "sender", "receipt", "sha256", "bytes", "state", "code", "outcome", *COUNTS), (
        (d.night, d.sender, d.receipt, d.sha256, d.size, d.state, d.code, book.outcomes[d.offer], *d.counts)
        for d in book.deliveries
    ))  # fmt: skip
    _write(folder / "facilities.csv", ("facility", "province", "registered", "expected", "nights", "last", "files", *COUNTS), (
        (u.id, u.place, int(u.registered), u.expected, len(u.evenings), u.last, u.files, *u.counts)
        for u in book.country.units.values()
    ))  # fmt: skip
    least = book.words.verdicts.min_records
    scores = book.quality.scores
    _write(folder / "scores.csv", ("database", "whose", "pillar", "numerator", "denominator"), (
        (database, whose or "VN", pillar, round(share.numerator, 3), round(share.denominator, 3))
        for (database, whose, pillar), share in sorted(scores.shares.items())
        if database
        and scores.records.get((database, whose), 0) >= least
        and (database, whose) not in scores.hidden
    ))  # fmt: skip
    _write(folder / "rules.csv", ("rule", "table", "severity", "tested", "failed", "facilities", "held", "not_run"), (
        (r.rule.id, r.rule.table, r.rule.severity, r.tested, r.failed, r.facilities, r.held, r.not_run)
        for r in book.quality.rules.values()
    ))  # fmt: skip
    _write(folder / "gate.csv", ("about", "rule", "expectation", "column", "looked_at", "gx", "ours", "holds"), (
        (g.about, g.rule, g.expectation, g.column, g.looked_at, g.theirs, g.ours, int(g.holds))
        for g in book.gate.results
    ))  # fmt: skip
    _write(folder / "tasks.csv", ("facility", "rule", "severity", "state", "opened", "last_seen", "nights_open", "due", "reopened"), (
        (t.facility, t.rule.id, t.severity, t.state, t.opened, t.last_seen, t.nights_open, t.due, len(t.earlier))
        for found in book.tasks.values() for t in found
    ))  # fmt: skip
    write_csv(catalogue_of(book), folder / "catalogue.csv")


def _write(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
