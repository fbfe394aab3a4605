"""What the pages for auditors show: the two channels, linkage, the night's manifest, methods."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from datasach.report.book import Book, Context
from datasach.report.counts import Counts, total
from datasach.report.render import CHANNELS
from datasach.report.twice import LEAST_VISITS, STATES, Visits
from datasach.spec.contract import Title

FACILITIES_SHOWN = 30
LIBRARIES = ("duckdb", "polars", "pyarrow", "great-expectations", "rapidfuzz", "recordlinkage")


# -- two channels ----------------------------------------------------------------------------------


def channels(book: Book, _: str) -> Context:
    found = book.channels
    ranked = sorted(found.facilities.items(), key=lambda item: (-_unreconciled(item[1]), item[0]))
    return {
        "states": STATES,
        "nation": found.nation,
        "fields": [f for f in found.fields if f.visits][:20],
        "send_once": found.fields,
        "agreeing": sum(f.agrees for f in found.fields),
        "not_there": found.not_there,
        "least_visits": LEAST_VISITS,
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
        "files": book.country.files,
        "titles": {t.id: t.title for t in night.project.tables.values()},
        "databases": book.databases,
        "steps": _steps(night.found),
        "rule_ids": book.quality.groups,
        "versions": _versions(book),
        "certificate": certificate(book),
        "runs": _runs(book),
    }


def certificate(book: Book) -> list[dict[str, Any]]:
    """great-expectations' own results by database and table: what it expected, of which column, how many rows it
    looked at, what it counted. Every check it made, taken from the result JSON it answered with."""
    by_table: dict[str, list[Any]] = defaultdict(list)
    for result in book.gate.results:
        by_table[result.about].append(result)
    return [
        {
            "about": about,
            "title": book.night.project.tables[about].title
            if about in book.night.project.tables
            else None,
            "results": sorted(found, key=lambda r: (r.holds, r.rule, r.column or "")),
            "failed": sum(not r.holds for r in found),
        }
        for about, found in sorted(by_table.items())
    ]


def _versions(book: Book) -> list[tuple[Title, str]]:
    """What made the night's numbers: engine, libraries, and the SHA-256 of every declaration and learnt model."""
    root, layout = book.night.project.root, book.night.layout
    found: list[tuple[Title, str]] = [
        (Title(vi="Thư viện", en="Libraries"), ", ".join(f"{name} {version(name)}" for name in LIBRARIES)),
        (Title(vi="Quy tắc", en="Rules"), _digest(sorted((root / "rules").rglob("*.yaml")), root)),
        (Title(vi="Hợp đồng và nguồn", en="Contracts and sources"),
         _digest(sorted((root / "datasets").glob("*/*.yaml")), root)),
        (Title(vi="Danh mục tham chiếu", en="Reference lists"),
         _digest([p for p in sorted((root / "datasets/_reference").rglob("*")) if p.is_file()], root)),
        (Title(vi="Trang và lời văn báo cáo", en="Pages and words"),
         _digest([p for p in sorted((root / "reports").rglob("*")) if p.is_file() and "example" not in p.parts], root)),
    ]  # fmt: skip
    for path in sorted((layout.state / "link").glob("*.json")):
        title = Title(vi=f"Mô hình liên kết ({path.name})", en=f"Linkage model ({path.name})")
        found.append((title, _digest([path], path.parent)))
    return found


def _digest(paths: list[Path], root: Path) -> str:
    """SHA-256 over the names and contents of some files."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(root)}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _runs(book: Book) -> list[dict[str, Any]]:
    """The last runs that ended, newest first, as the ledger keeps them."""
    rows = book.night.ledger.rows(
        "SELECT run, night, snapshot, version, fingerprint, outcome FROM runs WHERE ended_at IS NOT NULL"
        " ORDER BY run DESC LIMIT 14"
    )
    return [dict(row) for row in rows]


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
    return str(
        book.night.warehouse.value(
            "SELECT sha256(coalesce(string_agg(line, '' ORDER BY line), '')) FROM"
            " (SELECT concat(night, ' ', folder, ' ', sha256, chr(10)) AS line FROM checks.offers)"
        )
    )


def _sources(book: Book) -> list[dict[str, Any]]:
    """Every declared source with what came through it, tonight and so far: absence is shown too."""
    files = files_by_source(book)
    return [
        {"title": s.title, "id": s.id, "channel": CHANNELS[s.channel], "tonight": files.get(s.id, (0, 0))[0], "all": files.get(s.id, (0, 0))[1]}
        for s in sorted(book.night.project.sources.values(), key=lambda s: s.id)
    ]  # fmt: skip


def files_by_source(book: Book) -> dict[str, tuple[int, int]]:
    """Source → files that came through it (tonight, so far)."""
    return {
        source: (tonight, ever)
        for source, tonight, ever in book.night.warehouse.rows(
            f"SELECT source, count(DISTINCT offer) FILTER (o.night = '{book.country.tonight}'), count(DISTINCT offer)"
            " FROM standard.files f JOIN checks.offers o USING (offer) WHERE source IS NOT NULL GROUP BY source"
        )
    }


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
