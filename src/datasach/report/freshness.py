"""From the event to the reader: how long records take to arrive, and files to be published.

    event → received    days between what a record tells of and the end of the night it came, by kind and facility
    received → published  minutes between a file's entry in the ledger and its publication, by source

Both stand for what is current now. Counts of sensitive databases follow report.disclosure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from datasach.report.book import Book, Context
from datasach.report.counts import Share
from datasach.report.places import folder_of
from datasach.report.render import CHANNELS
from datasach.spec.contract import Table, Title
from datasach.store.warehouse import sql_name

FACILITIES_SHOWN = 200
"""Slowest first; every facility's own share stands on its page."""
BUCKETS: tuple[tuple[str, Title], ...] = (
    ("early", Title(vi="Trước sự kiện", en="Before the event")),
    ("day", Title(vi="Trong 1 ngày", en="Within 1 day")),
    ("three", Title(vi="2–3 ngày", en="2–3 days")),
    ("week", Title(vi="4–7 ngày", en="4–7 days")),
    ("month", Title(vi="8–30 ngày", en="8–30 days")),
    ("later", Title(vi="Hơn 30 ngày", en="More than 30 days")),
)
_BUCKET_SQL = (
    "lag < 0", "lag BETWEEN 0 AND 1", "lag BETWEEN 2 AND 3", "lag BETWEEN 4 AND 7", "lag BETWEEN 8 AND 30", "lag > 30",
)  # fmt: skip


class Kind(NamedTuple):
    """Records of one table that tell of an event."""

    table: Table
    target_hours: int
    records: int
    median: float
    ninth: float
    """Days within which nine of ten came."""
    buckets: tuple[int, ...]
    in_time: Share


@dataclass(slots=True)
class Waiting:
    """Files of one source that came tonight."""

    title: Title
    channel: Title
    files: int
    published: int
    mean: float | None
    longest: float | None
    """Minutes."""


def freshness(book: Book, _: str) -> Context:
    kinds = _kinds(book)
    told = [k for k in kinds if not _hidden(book, k)]
    total = Share()
    for kind in told:
        total = total.plus(kind.in_time)
    scored = [
        (unit, score, score.value)
        for unit in book.country.units.values()
        if book.has_page(unit) and (score := book.scores("", unit.id)[-1]).value is not None
    ]
    scored.sort(key=lambda one: (one[2] or 0.0, one[0].id))
    facilities = [
        {"unit": unit, "page": f"cskcb/{folder_of(unit.id)}.html", "score": score}
        for unit, score, _ in scored
    ]
    return {
        "kinds": [{"kind": k, "hidden": _hidden(book, k)} for k in kinds],
        "buckets": BUCKETS,
        "total": total,
        "tone": book.words.verdicts.tone("song", total.value) if total.value is not None else "none",
        "facilities": facilities[:FACILITIES_SHOWN],
        "more": max(0, len(facilities) - FACILITIES_SHOWN),
        "waiting": (waiting := _waiting(book)),
        "files": sum(w.files for w in waiting),
        "published": sum(w.published for w in waiting),
        "longest": max((w.longest for w in waiting if w.longest is not None), default=None),
    }  # fmt: skip


def _hidden(book: Book, kind: Kind) -> bool:
    """Sensitive databases are told as a whole (their page); their single tables are not counted here."""
    return kind.table.database in book.words.verdicts.sensitive


def _kinds(book: Book) -> list[Kind]:
    """Reads current.<table>, checks.lateness. The day counts from the end of the event's day, as checks.lateness."""
    project = book.night.project
    timed = [t for t in project.tables.values() if t.event]
    lags = " UNION ALL ".join(
        f"SELECT '{t.id}' AS table_id, date_diff('day', CAST(\"{t.event}\" AS DATE), _night) AS lag"
        f' FROM current.{sql_name(t.id)} WHERE "{t.event}" IS NOT NULL'
        for t in timed
    )
    in_time = {
        table: Share(float(top), float(bottom))
        for table, top, bottom in book.night.warehouse.rows(
            "SELECT table_id, sum(in_time), sum(tested) FROM checks.lateness GROUP BY ALL"
        )
    }
    counted = ", ".join(f"count(*) FILTER ({condition})" for condition in _BUCKET_SQL)
    found = []
    for table, records, median, ninth, *buckets in book.night.warehouse.rows(
        f"SELECT table_id, count(*), median(lag), quantile_cont(lag, 0.9), {counted} FROM ({lags}) GROUP BY table_id"
    ):
        spec = project.tables[table]
        hours = project.databases[spec.database].freshness_hours
        found.append(
            Kind(spec, hours, records, median, ninth, tuple(buckets), in_time.get(table, Share()))
        )
    return sorted(found, key=lambda k: (project.databases[k.table.database].number, k.table.id))


def _waiting(book: Book) -> list[Waiting]:
    """Reads the ledger's files and events: from RECEIVED to the first PUBLISHED."""
    sources = book.night.project.sources
    rows = book.night.ledger.rows(
        """
        SELECT source, count(*) AS files, count(published) AS published, avg((julianday(published) - julianday(received)) * 1440)
               AS mean, max((julianday(published) - julianday(received)) * 1440) AS longest
        FROM (SELECT f.source, min(CASE e.state WHEN 'RECEIVED' THEN e.at END) AS received,
                     min(CASE e.state WHEN 'PUBLISHED' THEN e.at END) AS published
              FROM files f LEFT JOIN events e ON e.file = f.file
              WHERE f.night = ? AND f.source IS NOT NULL GROUP BY f.file, f.source)
        GROUP BY source ORDER BY source
        """,
        (book.country.tonight,),
    )  # fmt: skip
    return [
        Waiting(sources[r["source"]].title, CHANNELS[sources[r["source"]].channel], r["files"], r["published"], r["mean"], r["longest"])
        for r in rows if r["source"] in sources
    ]  # fmt: skip
