"""What the page about persons shows: how many, known by what, found how, and what still waits.

Parts whose result table is not there, or is empty, are left out: an engine without them still has its page.

    link.weight_histogram  bin_bits, count     pairs by match weight
    link.passes            pass, pairs, gain   what each blocking pass proposed, and pairs no earlier pass had
    link.cluster_sizes     size, persons       records per person, as clustered
"""

from __future__ import annotations

from typing import Any

from datasach.report.book import Book, Context
from datasach.report.counts import Share
from datasach.report.disclosure import merge_small
from datasach.report.places import folder_of
from datasach.store.warehouse import sql_name

BUCKETS = ((1, 1, "1"), (2, 2, "2"), (3, 5, "3–5"), (6, 10, "6–10"), (11, 10**9, "11+"))
REUSE_SHOWN = 100
LINK_COUNTS = ("records", "signatures", "edges", "cut_edges", "refused_pairs", "possible_pairs")
KNOWN_BY = (
    "Có số định danh cá nhân · Personal number",
    "Chỉ có mã số BHXH · Social-insurance number only",
    "Chưa có cả hai · Neither",
)
BOOK = "ehr_book.book"


def linkage(book: Book, _: str) -> Context:
    """Counts of people by how they are known; small ones are joined with their neighbours or hidden."""
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
    model = book.night.project.linkage
    reuse = _reuse(book)
    return {
        "found": {name: counted.get(name, 0) for name in LINK_COUNTS},
        "by_records": merge_small(labels, row[:size], small),
        "by_facilities": merge_small(labels, row[size : 2 * size], small),
        "known_by": merge_small(KNOWN_BY, row[-4:-1], small),
        "persons": row[-1],
        "unresolved": row[-2],
        "keys": model.strong_keys,
        "possible": book.night.project.matching.possible,
        "thresholds": _thresholds(book.night.project.matching),
        "weights": _rows(book, "weight_histogram", "bin_bits, count", "bin_bits"),
        "passes": _rows(book, "passes", '"pass", pairs, gain', "gain DESC"),
        "cluster_sizes": _sizes(book, small),
        "reuse": reuse[:REUSE_SHOWN],
        "reuse_total": _sum(reuse),
        "resolving": _resolving(book),
    }


def _thresholds(model: Any) -> list[tuple[float, str]]:
    """Weights from which something happens to a pair, in bits, as rules/linkage/person.yaml declares them."""
    names = (("possible", "xem xét · review"), ("certain", "gộp · merge"))
    return [
        (float(value), said)
        for name, said in names
        if (value := getattr(model, name, None)) is not None
    ]


def _there(book: Book, name: str, schema: str = "link") -> bool:
    found = book.night.warehouse.value(
        f"SELECT count(*) FROM duckdb_tables() WHERE schema_name = '{schema}' AND table_name = '{name}'"
    )
    return bool(found)


def _rows(book: Book, name: str, columns: str, order: str) -> list[tuple[Any, ...]]:
    if not _there(book, name):
        return []
    return book.night.warehouse.rows(f"SELECT {columns} FROM link.{name} ORDER BY {order}")


def _sizes(book: Book, small: int) -> list[tuple[str, int]]:
    rows = _rows(book, "cluster_sizes", "size, persons", "size")
    if not rows:
        return []
    sums = [sum(n for size, n in rows if low <= size <= high) for low, high, _ in BUCKETS]
    return merge_small([label for _, _, label in BUCKETS], sums, small)


def _resolving(book: Book) -> list[dict[str, Any]]:
    """Temporary ids by the night that gave them: how many have got a number since, after how many days."""
    if not _there(book, "temporary_ids"):
        return []
    return [
        {"night": night, "given": given, "resolved": resolved, "days": days}
        for night, given, resolved, days in book.night.warehouse.rows(
            "SELECT CAST(given_on AS VARCHAR), count(*), count(*) FILTER (state = 'identified'),"
            " median(days) FILTER (state = 'identified') FROM link.temporary_ids GROUP BY ALL ORDER BY ALL DESC"
        )
    ]


def _reuse(book: Book) -> list[dict[str, Any]]:
    """Visits of people who already have a health book, by facility: link.unit_persons or record_persons tell
    whose a visit is, and the book's own rows who has one. Empty where the engine keeps neither."""
    if BOOK not in book.night.project.tables or not _there(book, "record_persons"):
        return []
    visits = sql_name("kcb_emr.visit")
    columns = {
        name
        for (name,) in book.night.warehouse.rows(
            "SELECT column_name FROM duckdb_columns() WHERE schema_name = 'link' AND table_name = 'record_persons'"
        )
    }
    if not {"person_id", "table_id", "_file", "_row"} <= columns:
        return []
    rows = book.night.warehouse.rows(
        "WITH owner AS (SELECT DISTINCT person_id FROM link.record_persons"
        f" WHERE table_id = '{BOOK}' AND person_id IS NOT NULL)"
        " SELECT v._facility, count(o.person_id), count(*)"
        f" FROM current.{visits} v JOIN link.record_persons p ON p.table_id = 'kcb_emr.visit'"
        " AND p._file = v._file AND p._row = v._row LEFT JOIN owner o USING (person_id)"
        " WHERE v._facility IS NOT NULL GROUP BY ALL ORDER BY ALL"
    )
    found = [
        {
            "unit": book.country.units[facility],
            "page": f"cskcb/{folder_of(facility)}.html",
            "share": Share(float(having), float(visits)),
        }
        for facility, having, visits in rows
        if facility in book.country.units and book.has_page(book.country.units[facility])
    ]
    return sorted(found, key=lambda r: (-r["share"].denominator, r["unit"].id))


def _sum(rows: list[dict[str, Any]]) -> Share:
    whole = Share()
    for row in rows:
        whole = whole.plus(row["share"])
    return whole
