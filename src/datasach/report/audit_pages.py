"""What the pages for auditors show: the two channels, linkage, the night's manifest, methods."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

from datasach.report.book import Book, Context
from datasach.report.counts import Counts, total
from datasach.report.disclosure import merge_small
from datasach.report.render import CHANNELS
from datasach.report.twice import STATES, Visits
from datasach.spec.contract import Title

FACILITIES_SHOWN = 30
BUCKETS = ((1, 1, "1"), (2, 2, "2"), (3, 5, "3–5"), (6, 10, "6–10"), (11, 10**9, "11+"))

LINK_COUNTS = ("records", "signatures", "edges", "cut_edges", "refused_pairs", "possible_pairs")
KNOWN_BY = (
    "Có số định danh cá nhân · Personal number",
    "Chỉ có mã số BHXH · Social-insurance number only",
    "Chưa có cả hai · Neither",
)


# -- two channels ----------------------------------------------------------------------------------


def channels(book: Book, _: str) -> Context:
    found = book.channels
    ranked = sorted(found.facilities.items(), key=lambda item: (-_unreconciled(item[1]), item[0]))
    return {
        "states": STATES,
        "nation": found.nation,
        "fields": found.fields[:20],
        "facilities": [
            {"unit": book.country.units.get(name), "id": name, "visits": visits}
            for name, visits in ranked[:FACILITIES_SHOWN]
            if _unreconciled(visits)
        ],
        "more": max(0, len(ranked) - FACILITIES_SHOWN),
        "places": [
            {"place": place, "visits": found.places[place.id]}
            for place in book.country.places.values()
            if place.id in found.places
        ],
    }


def _unreconciled(visits: Visits) -> int:
    return visits.all - visits.identical


# -- linkage ---------------------------------------------------------------------------------------


def linkage(book: Book, _: str) -> Context:
    """Counts of people by how they are known; small ones are hidden on the page."""
    counted = book.night.found.get("link", {})
    spread = ", ".join(
        f"count(*) FILTER (WHERE {column} BETWEEN {low} AND {high})"
        for column in ("records", "facilities")
        for low, high, _ in BUCKETS
    )
    row = book.night.warehouse.rows(
        f"SELECT {spread}, count(citizen_id), count(*) FILTER (WHERE citizen_id IS NULL AND"
        " insurance_number IS NOT NULL), count(*) FILTER (WHERE citizen_id IS NULL AND insurance_number IS NULL),"
        " count(*) FROM golden.person"
    )[0]
    size = len(BUCKETS)
    labels = [label for _, _, label in BUCKETS]
    small = book.words.verdicts.small_cell
    return {
        "found": {name: counted.get(name, 0) for name in LINK_COUNTS},
        "by_records": merge_small(labels, row[:size], small),
        "by_facilities": merge_small(labels, row[size : 2 * size], small),
        "known_by": merge_small(KNOWN_BY, row[-4:-1], small),
        "persons": row[-1],
        "keys": book.night.project.linkage.strong_keys,
        "possible": book.night.project.matching.possible,
    }


# -- manifest --------------------------------------------------------------------------------------


def run(book: Book, _: str) -> Context:
    night = book.night
    began = night.ledger.rows(
        "SELECT started_at, version, fingerprint FROM runs WHERE run = ?", (night.run,)
    )
    gate = book.gate
    books = _books(book)
    return {
        "run": night.run,
        "began": began[0]["started_at"] if began else None,
        "manifest": book.manifest,
        "inputs_sha256": _inputs_digest(book),
        "gate": gate,
        "gate_rows": [
            {
                "spec": database,
                "reason": book.held_reason(database.id),
                "checks": sum(r.database == database.id for r in gate.results),
                "failed": sum(r.database == database.id and not r.holds for r in gate.results),
                "compared": sum(
                    r.database == database.id and r.ours is not None and r.theirs is not None
                    for r in gate.results
                ),
                "published": book.manifest.get("databases", {}).get(database.id),
            }
            for database in book.databases
        ],  # fmt: skip
        "compared": [r for r in gate.results if r.ours is not None and r.theirs is not None],
        "broken": [r for r in gate.results if not r.holds],
        "not_run": book.not_run,
        "sources": _sources(book),
        "books": books,
        "books_total": total(books.values()),
        "receipts_total": book.country.counts,
        "resent": book.country.counts.read - total(books.values()).read,
        "files": len(book.deliveries),
        "titles": {t.id: t.title for t in night.project.tables.values()},
        "databases": book.databases,
        "steps": _steps(night.found),
    }


def _books(book: Book) -> dict[str, Counts]:
    """Rows by database, each content once."""
    return {
        name: Counts(*(int(n) for n in numbers))
        for name, *numbers in book.night.warehouse.rows(
            "SELECT split_part(table_id, '.', 1) AS database, sum(read), sum(accepted), sum(quarantined), sum(rejected),"
            " sum(superseded), sum(duplicate) FROM checks.books GROUP BY database ORDER BY database"
        )
    }


def _inputs_digest(book: Book) -> str:
    """SHA-256 over night, sender and SHA-256 of every file, sorted: equal digests, equal inputs."""
    digest = hashlib.sha256()
    for line in sorted(f"{d.night} {d.sender} {d.sha256}\n" for d in book.deliveries):
        digest.update(line.encode())
    return digest.hexdigest()


def _sources(book: Book) -> list[dict[str, Any]]:
    """Every declared source with what came through it, tonight and so far: absence is shown too."""
    files: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for delivery in book.deliveries:
        for source in {c.facts["source"] for c in delivery.contents if c.facts["source"]}:
            files[source][0] += delivery.night == book.country.tonight
            files[source][1] += 1
    return [
        {"title": s.title, "id": s.id, "channel": CHANNELS[s.channel], "tonight": files[s.id][0], "all": files[s.id][1]}
        for s in sorted(book.night.project.sources.values(), key=lambda s: s.id)
    ]  # fmt: skip


STEP_TITLES = {
    "arrive": Title(vi="Tiếp nhận", en="Arrive"),
    "extract": Title(vi="Đọc", en="Extract"),
    "standardise": Title(vi="Chuẩn hoá", en="Standardise"),
    "reconcile": Title(vi="Đối chiếu", en="Reconcile"),
    "link": Title(vi="Liên kết", en="Link"),
    "validate": Title(vi="Kiểm tra", en="Validate"),
    "stage": Title(vi="Dàn xếp", en="Stage"),
    "gate": Title(vi="Cổng", en="Gate"),
    "publish": Title(vi="Công bố", en="Publish"),
}


def _steps(found: dict[str, Any]) -> list[tuple[Title, str]]:
    """What each step says it did. Numbers as the steps named them; nothing is worked out here."""
    lines = []
    for name, title in STEP_TITLES.items():
        facts = found.get(name)
        if isinstance(facts, dict):
            lines.append(
                (title, " · ".join(f"{key} = {_plain(value)}" for key, value in facts.items()))
            )
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "0"
    return str(value)


def methods(book: Book, _: str) -> Context:
    return {
        "verdicts": book.words.verdicts,
        "codes": book.words.codes,
        "outcomes": book.words.outcomes,
    }
