"""What stands in each table of `downloads.TABLES`: the rows of a night's book, hidden where pages hide them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from datasach.report.audit_pages import files_by_source
from datasach.report.book import Book
from datasach.report.catalogue import write_csv
from datasach.report.counts import COUNTS, SQL_SUMS, Counts
from datasach.report.deliveries import receipt_id
from datasach.report.downloads import frame_of, write_dictionary, write_table
from datasach.report.linkage_page import linkage
from datasach.report.national_pages import level_titles, silent_units
from datasach.report.places import Place, Unit
from datasach.report.quality import Score
from datasach.report.render import CHANNELS
from datasach.report.rules_page import catalogue_of
from datasach.report.tasks import Task

Row = tuple[Any, ...]
NATION = "VN"
OTHER = "khac"
"""Kind of data in `kinds` that stands for the sensitive databases together; see `kinds`."""


def write_downloads(book: Book, folder: Path) -> None:
    """Every table as CSV and Parquet, the catalogue of rules and the dictionary of columns, below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in NATION_ROWS.items():
        write_table(folder, name, frame_of(name, make(book)))
    for place in book.country.places.values():
        if place.units:
            for name, make_part in PLACE_ROWS.items():
                write_table(folder, name, frame_of(name, make_part(book, place)), place.id)
            write_table(folder, "kinds", kinds(book, place.id), place.id)
    write_csv(catalogue_of(book), folder / "catalogue.csv")
    write_dictionary(folder)


def _share(top: float, bottom: float) -> float | None:
    return top / bottom if bottom else None


# -- facilities, places, nights --------------------------------------------------------------------


def databases(book: Book, whose: str, name: str) -> Iterator[Row]:
    for one in book.databases:
        if whose and not book.knows(one.id, whose):
            continue
        records = book.records(one.id, whose)
        scores = _scores(book.scores(one.id, whose), parts=4)
        yield (name, one.id, one.title.vi, _gate(book, one.id), records, records is None, *scores)


def _scores(found: list[Score], parts: int) -> Iterator[Any]:
    """Share and verdict of every pillar, with numerator and denominator if `parts` is 4. What is too
    little for a rate has no numbers either, as on the pages."""
    for score in found:
        told = score.value is not None
        yield score.value
        if parts == 4:
            yield round(score.share.numerator, 3) if told else None
            yield round(score.share.denominator, 3) if told else None
        yield score.tone


def _place_databases(book: Book, place: Place) -> Iterator[Row]:
    yield from databases(book, place.id, place.id)
    for unit in place.units:
        if book.has_page(unit):
            yield from databases(book, unit.id, unit.id)


def provinces(book: Book) -> Iterator[Row]:
    tonight = book.country.tonight
    for place in book.country.places.values():
        counts = place.counts
        owed = [task for unit in place.units for task in book.tasks.get(unit.id, [])]
        yield (
            place.id, place.name, "; ".join(f"{name} ({code})" for code, name in place.former) or None,
            sum(tonight in u.evenings for u in place.units if not u.authority),
            sum(bool(u.expected) for u in place.units), sum(book.has_page(u) for u in place.units),
            *counts, _share(counts.accepted, counts.read), len(owed), _overdue(owed),
        )  # fmt: skip


def _overdue(tasks: list[Task]) -> int:
    return sum(task.state == "overdue" for task in tasks)


def facilities(book: Book, units: list[Unit]) -> Iterator[Row]:
    levels = level_titles(book)
    for u in units:
        owed = book.tasks.get(u.id, [])
        level = levels[u.level].vi if u.level in levels else u.level
        yield (
            u.id, u.name, u.place, level, u.registered, u.authority, u.expected, u.nights, u.last, u.silent,
            u.files, *u.counts, len(owed), _overdue(owed), *_scores(book.scores("", u.id), parts=2),
        )  # fmt: skip


def nights(book: Book, place: str = "") -> Iterator[Row]:
    for night in book.country.nights:
        one = book.country.of_night(night, place)
        yield (night, one.senders, one.files, *one.counts)


def evenings(book: Book, place: Place) -> Iterator[Row]:
    yield from book.night.warehouse.rows(
        "SELECT folder, night, string_agg(outcome || ' ' || n, ', ' ORDER BY outcome), sum(n)::BIGINT,"
        f" {SQL_SUMS} FROM (SELECT folder, night, outcome, count(*) AS n, {SQL_SUMS} FROM checks.deliveries"
        f" SEMI JOIN (SELECT folder FROM checks.units WHERE place = '{place.id}') USING (folder) GROUP BY ALL)"
        " GROUP BY folder, night ORDER BY folder, night"
    )


def kinds(book: Book, place: str) -> pl.DataFrame:
    """Rows by facility, night and database, of the units of a place."""
    rows = book.night.warehouse.rows(
        f"SELECT d.folder, d.night, split_part(s.table_id, '.', 1), {', '.join(f's.{name}' for name in COUNTS)}"
        " FROM checks.sent s JOIN checks.deliveries d USING (offer)"
        f" JOIN checks.units u ON u.folder = d.folder AND u.place = '{place}'"
    )
    verdicts = book.words.verdicts
    return told_kinds(frame_of("kinds", rows), verdicts.sensitive, verdicts.small_cell)


def told_kinds(sent: pl.DataFrame, sensitive: Sequence[str], small: int) -> pl.DataFrame:
    """`sent` (facility, night, kind = database, six counts), summed as it may be told.

    How many rows of HIV or deaths a facility sent says something about people, so the sensitive databases
    stand together as `OTHER`. Where these are fewer than the small cell, the facility's smallest other
    database of the night is put with them: the night's total, which is printed, must not tell them.
    """
    named = pl.when(pl.col("kind").is_in(list(sensitive))).then(pl.lit(OTHER)).otherwise("kind")
    sums = _sum_kinds(sent.with_columns(kind=named))
    evening, read = ("facility", "night"), pl.col("read")
    few = sums.filter(pl.col("kind") == OTHER, read > 0, read < small).select(evening)
    smallest = (
        sums.filter(pl.col("kind") != OTHER)
        .join(few, on=evening, how="semi")
        .sort(*evening, "read", "kind")
        .unique(evening, keep="first", maintain_order=True)
        .select(*evening, "kind", joined=pl.lit(OTHER))
    )
    joined = sums.join(smallest, on=(*evening, "kind"), how="left")
    return _sum_kinds(joined.with_columns(kind=pl.coalesce("joined", "kind")).drop("joined"))


def _sum_kinds(frame: pl.DataFrame) -> pl.DataFrame:
    return (
        frame.group_by("facility", "night", "kind")
        .agg(pl.col(COUNTS).sum())
        .sort("facility", "night", "kind")
    )


def silent(book: Book, units: list[Unit]) -> Iterator[Row]:
    for unit in silent_units(book, units):
        yield (unit.id, unit.name, unit.place, unit.silent, unit.last)


# -- rules, tasks ----------------------------------------------------------------------------------


def failing(book: Book, place: Place) -> Iterator[Row]:
    least = book.words.verdicts.min_records
    for unit in place.units:
        for one in book.quality.failing.get(unit.id, []):
            rule, hidden = one.rule.rule, one.rule.rule.database in book.words.verdicts.sensitive
            rated = not hidden and one.tested >= least
            yield (
                unit.id, unit.name, rule.id, rule.severity, rule.table, rule.vi,
                None if hidden else one.tested, None if hidden else one.failed,
                one.failed / one.tested if rated else None, one.peers if rated else None,
                None if hidden else one.held, hidden, rule.fix.vi,
            )  # fmt: skip


def tasks(book: Book, units: list[Unit]) -> Iterator[Row]:
    found = [(task, unit) for unit in units for task in book.tasks.get(unit.id, [])]
    for task, unit in sorted(found, key=lambda pair: pair[0].urgency()):
        hidden = task.tells_of(book.words.verdicts.sensitive)
        yield (
            unit.id, unit.name, unit.place, task.rule.id, task.severity, task.rule.vi, task.state, task.opened,
            task.last_seen, task.nights_open, task.due.isoformat(), len(task.earlier),
            None if hidden else task.failed, None if hidden else task.tested, hidden,
            "; ".join(o.vi for o in task.owners), "; ".join(o.en for o in task.owners), " ".join(task.tables),
        )  # fmt: skip


def rules(book: Book) -> Iterator[Row]:
    """Of a sensitive database only what no small count can be read from."""
    least = book.words.verdicts.min_records
    for one in book.quality.rules.values():
        rule, hidden = one.rule, not one.told
        rated = not hidden and one.tested >= least
        yield (
            rule.id, rule.table, rule.severity, None if hidden else one.tested, None if hidden else one.failed,
            one.rate if rated else None, hidden, one.facilities, None if hidden else one.held, one.not_run,
            rule.vi, rule.says, rule.fix.vi, rule.fix.en,
        )  # fmt: skip


def rule_provinces(book: Book) -> Iterator[Row]:
    verdicts = book.words.verdicts
    for one in book.quality.rules.values():
        hidden = one.rule.database in verdicts.sensitive
        for place, (tested, failed) in sorted(one.shares.items()):
            rated = not hidden and tested >= verdicts.min_records
            yield (
                one.rule.id, one.rule.table, place or OTHER, None if hidden else tested,
                None if hidden else failed, failed / tested if rated else None, hidden,
            )  # fmt: skip


def fields(book: Book) -> Iterator[Row]:
    """Of sensitive databases over the nation alone, as the numbers of rules."""
    verdicts = book.words.verdicts
    for (table, field), shares in sorted(book.quality.filled.items()):
        spec = book.night.project.tables[table]
        for whose, share in sorted(shares.items()):
            hidden = spec.database in verdicts.sensitive and (
                bool(whose) or not book.quality.tells_fill(table, field)
            )
            rated = not hidden and share.denominator >= verdicts.min_records
            yield (
                table, field, spec.field(field).title.vi, whose or NATION,
                None if hidden else int(share.numerator), None if hidden else int(share.denominator),
                share.value if rated else None, hidden,
            )  # fmt: skip


def scores(book: Book) -> Iterator[Row]:
    """Without the sums over all databases, and without what is too little to be told."""
    least, found = book.words.verdicts.min_records, book.quality.scores
    for (database, whose, pillar), share in sorted(found.shares.items()):
        told = (
            found.records.get((database, whose), 0) >= least
            and (database, whose) not in found.hidden
        )
        if database and told:
            yield (
                database, whose or NATION, pillar, round(share.numerator, 3), round(share.denominator, 3)
            )  # fmt: skip


def tables(book: Book) -> Iterator[Row]:
    published = book.manifest.get("databases", {})
    for database in book.databases:
        rows = published.get(database.id, {"tables": {}})["tables"]
        for table in database.tables.values():
            counts = book.table_counts.get(table.id, Counts())
            told = book.quality.scores.tells(table.id)
            yield (
                database.id,
                table.id,
                table.title.vi,
                rows.get(table.name, {"rows": 0})["rows"] if told else None,
                *(counts if told else [None] * len(counts)),
                not told,
            )


# -- channels, people, the run ---------------------------------------------------------------------


def channels(book: Book, units: list[Unit]) -> Iterator[Row]:
    for unit in units:
        visits = book.channels.facilities.get(unit.id)
        if visits is not None:
            yield (unit.id, unit.name, unit.place, *visits)


def _all_channels(book: Book) -> Iterator[Row]:
    yield from channels(book, _units(book))
    unknown = [
        book.channels.facilities[f] for f in book.channels.facilities if f not in book.country.units
    ]
    if unknown:
        yield (None, None, None, *(sum(column) for column in zip(*unknown, strict=True)))


def channel_fields(book: Book, units: list[Unit]) -> Iterator[Row]:
    for unit in units:
        for one in book.channels.by_facility.get(unit.id, []):
            yield (unit.id, unit.place, one.field, one.title.vi, one.visits)


def people(book: Book) -> Iterator[Row]:
    """Classes of people; small ones are joined with their neighbours."""
    found = linkage(book, "")
    for name, title in (
        ("known_by", "Biết qua · Known by"),
        ("by_records", "Số bản ghi của một người · Records per person"),
        ("by_facilities", "Số cơ sở của một người · Facilities per person"),
    ):
        for label, count in found[name]:
            yield (title, label, count)


def receipts(book: Book) -> Iterator[Row]:
    for night, sender, again, folder, sha256, *rest in book.night.warehouse.rows(
        "SELECT o.night, o.sender, o.again, o.folder, o.sha256, o.size, o.state, o.code, d.outcome,"
        f" {', '.join(f'd.{name}' for name in COUNTS)} FROM checks.offers o JOIN checks.deliveries d USING (offer)"
        f" WHERE o.night = '{book.country.tonight}' ORDER BY offer"
    ):
        yield (night, folder, receipt_id(sender, sha256, night, again), sha256, *rest)


def gate_databases(book: Book) -> Iterator[Row]:
    for one in book.databases:
        found = [r for r in book.gate.results if r.database == one.id]
        compared = sum(r.ours is not None and r.theirs is not None for r in found)
        yield (
            one.id,
            one.title.vi,
            _gate(book, one.id),
            len(found),
            sum(not r.holds for r in found),
            compared,
        )


def _gate(book: Book, database: str) -> str:
    return "withheld" if database in book.gate.withheld else "released"


def gate(book: Book) -> Iterator[Row]:
    for g in book.gate.results:
        yield (g.about, g.rule, g.expectation, g.column, g.looked_at, g.theirs, g.ours, g.holds)


def books(book: Book) -> Iterator[Row]:
    """Rows by database, each content once."""
    yield from book.night.warehouse.rows(
        f"SELECT split_part(table_id, '.', 1) AS database, {SQL_SUMS} FROM checks.books GROUP BY ALL ORDER BY ALL"
    )


def sources(book: Book) -> Iterator[Row]:
    """Every declared source with the files that came through it: absence is told too."""
    files = files_by_source(book)
    for one in sorted(book.night.project.sources.values(), key=lambda s: s.id):
        yield (one.id, one.title.vi, CHANNELS[one.channel].vi, *files.get(one.id, (0, 0)))


def files(book: Book) -> Iterator[Row]:
    for database, entry in sorted(book.manifest.get("databases", {}).items()):
        for table, facts in sorted(entry["tables"].items()):
            yield (f"{database}/{table}.parquet", facts["rows"], facts["bytes"], facts["sha256"])


def _units(book: Book) -> list[Unit]:
    return list(book.country.units.values())


NATION_ROWS: dict[str, Callable[[Book], Iterator[Row]]] = {
    "databases": lambda book: databases(book, "", NATION),
    "provinces": provinces,
    "facilities": lambda book: facilities(book, _units(book)),
    "nights": nights,
    "silent": lambda book: silent(book, _units(book)),
    "tasks": lambda book: tasks(book, _units(book)),
    "receipts": receipts,
    "scores": scores,
    "rules": rules,
    "rule_provinces": rule_provinces,
    "fields": fields,
    "tables": tables,
    "channels": _all_channels,
    "channel_fields": lambda book: channel_fields(book, _units(book)),
    "people": people,
    "gate_databases": gate_databases,
    "gate": gate,
    "books": books,
    "sources": sources,
    "files": files,
}
PLACE_ROWS: dict[str, Callable[[Book, Place], Iterator[Row]]] = {
    "databases": _place_databases,
    "facilities": lambda book, place: facilities(book, place.units),
    "nights": lambda book, place: nights(book, place.id),
    "evenings": evenings,
    "silent": lambda book, place: silent(book, place.units),
    "failing": failing,
    "tasks": lambda book, place: tasks(book, place.units),
    "channels": lambda book, place: channels(book, place.units),
    "channel_fields": lambda book, place: channel_fields(book, place.units),
}
