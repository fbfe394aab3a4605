"""Everything the pages of one night are made from, gathered once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from datasach.report import history, places, quality, tasks, trends, twice
from datasach.report.catalogue import Catalogue, collect
from datasach.report.counts import SQL_SUMS, Counts
from datasach.report.history import History
from datasach.report.night import Gate, Night
from datasach.report.places import Country, Unit, folder_of
from datasach.report.quality import IdentityFill, Quality, Score
from datasach.report.tasks import Task
from datasach.report.trends import Trends
from datasach.report.twice import Channels
from datasach.report.words import Words
from datasach.spec.contract import Database, Title
from datasach.store.warehouse import sql_texts

BROKEN_BY = 20
"""Facilities that a rule's page lists, those it holds most rows of first."""
RECEIPTS_KEPT, SENDERS_KEPT = 3, 20
"""Sightings kept of each of them, and of all other senders together."""


class Sighting(NamedTuple):
    """A rule violated in what one sender sent in one night."""

    sender: str
    night: str
    times: int
    held: int
    told: bool
    """False where it was found in sensitive databases alone; these are in no sum (report.disclosure)."""


class HabitCount(NamedTuple):
    """A rule over all facilities whose files are written in one way, as one software writes them."""

    source: str
    notes: list[str]
    """Codes of what reading had to tolerate."""
    facilities: int
    tested: int
    failed: int


@dataclass(slots=True)
class Book:
    night: Night
    words: Words
    country: Country
    quality: Quality
    channels: Channels
    history: History
    gate: Gate
    table_counts: dict[str, Counts]
    """Table → rows of all deliveries."""
    tasks: dict[str, list[Task]]
    """Facility → its open tasks, most urgent first."""
    moved: Trends
    """What moved since the nights before, and why."""
    identity_filled: dict[str, list[IdentityFill]]
    """Facility → how often its records carry what a person is known by, by table."""
    catalogue: Catalogue
    found_in: dict[str, list[Sighting]]
    """Rule → the deliveries it was found in, newest and most first: the last ones of each of the `BROKEN_BY` it is
    broken by most, and of other senders together."""
    habits: dict[str, list[HabitCount]]
    """Rule → its counts by how files are written, highest failing share first."""

    @property
    def databases(self) -> list[Database]:
        return sorted(self.night.project.databases.values(), key=lambda d: d.number)

    @property
    def manifest(self) -> dict[str, Any]:
        """Of the release that stands after tonight; empty before the first."""
        release = self.night.carried.get("release")
        return dict(release.manifest) if release else {}

    @property
    def not_run(self) -> list[Any]:
        return list(self.night.carried.get("not_run", []))

    def has_page(self, unit: Unit) -> bool:
        """Units that sent something or are spoken of in a record; mere names in a register have no page."""
        records = self.quality.scores.records
        return bool(unit.nights) or any(
            (d, unit.id) in records for d in self.night.project.databases
        )

    def scores(self, database: str = "", whose: str = "") -> list[Score]:
        return self.quality.scores.of(database, whose)

    def trends(self, database: str) -> dict[str, list[float | None]]:
        """Pillar → a database's share over the nights; empty where tonight's is not told either."""
        return {
            score.pillar: self.history.trend(database, score.pillar) if score.tone != "none" else []
            for score in self.scores(database)
        }

    def records(self, database: str, whose: str = "") -> int | None:
        """Current records; None where the number must not be told."""
        scores = self.quality.scores
        key = (database, whose)
        return None if key in scores.hidden else scores.records.get(key, 0)

    def knows(self, database: str, whose: str) -> bool:
        """Are there records of this database about this place or facility?"""
        return (database, whose) in self.quality.scores.records

    def held_reason(self, database: str) -> Title | None:
        """Why the gate holds a database, in both languages; None if it does not."""
        if database not in self.gate.withheld:
            return None
        broken = next(
            (r for r in self.gate.results if r.database == database and not r.holds), None
        )
        if broken is None:
            return Title(vi="Cổng không đánh giá được.", en=self.gate.withheld[database])
        return _reason(broken.rule, broken.about, broken.theirs, broken.ours, broken.raised)


def _reason(rule: str, about: str, theirs: int | None, ours: float | None, raised: bool) -> Title:
    if raised:
        return Title(
            vi=f"Không kiểm tra được {rule} trên {about}.",
            en=f"{rule} could not be checked on {about}.",
        )
    if rule == "RULES_NOT_RUN":
        return Title(vi="Có quy tắc không chạy được.", en="Some rules did not run.")
    if rule == "BOOKS_OFF":
        return Title(vi="Sổ dòng không cân.", en="The books of rows do not balance.")
    if theirs is not None and ours is not None and theirs != ours:
        return Title(
            vi=f"Hai bộ đếm khác nhau ở {rule} ({about}): {theirs} và {ours:g}.",
            en=f"The two counts differ for {rule} ({about}): {theirs} and {ours:g}.",
        )
    return Title(vi=f"Không đạt {rule} ({about}).", en=f"{rule} does not hold ({about}).")


def open_book(night: Night, words: Words, gate: Gate) -> Book:
    """Reads besides what the parts read checks.sent and checks.deliveries (standing.py)."""
    country = places.survey(night, words)
    place_of = {unit.id: unit.place for unit in country.units.values()}
    found = quality.assess(night, words.verdicts, place_of)
    history.keep(night, country)
    trends.keep(night, words, country.tonight)
    past = history.look_back(night, country.tonight, words.verdicts.sensitive)
    return Book(
        night=night,
        words=words,
        country=country,
        quality=found,
        channels=twice.compare(night, place_of),
        history=past,
        gate=gate,
        table_counts=_by_table(night),
        tasks=_open_tasks(night, words, country.tonight),
        moved=trends.look(night, words, past, country.tonight),
        identity_filled=quality.identity_filled(night, words.verdicts.sensitive),
        catalogue=collect(
            night.project, words.kinds, {key: one.fields for key, one in found.rules.items()}
        ),
        found_in=_found_in(night, found, words.verdicts.sensitive),
        habits=_habits(night, words.verdicts.sensitive),
    )


def _habits(night: Night, sensitive: list[str]) -> dict[str, list[HabitCount]]:
    """Of rules that some habit breaks, without the sensitive databases."""
    silent = sql_texts(sensitive)
    found: dict[str, list[HabitCount]] = defaultdict(list)
    for rule, habit, facilities, tested, failed in night.warehouse.rows(
        "SELECT rule, habit, max(facilities), sum(tested)::BIGINT, sum(failed)::BIGINT FROM checks.metrics_by_habit"
        f" WHERE tested > 0 AND split_part(table_id, '.', 1) NOT IN ({silent}) GROUP BY rule, habit QUALIFY sum(sum(failed)) OVER (PARTITION BY rule) > 0"
        " ORDER BY rule, sum(failed) / sum(tested) DESC, habit"
    ):
        source, _, rest = habit.partition(" ")
        notes = [note for word in rest.split() for note in word.split("+")]
        found[rule].append(HabitCount(source, notes, facilities, tested, failed))
    return dict(found)


def _found_in(night: Night, found: Quality, sensitive: list[str]) -> dict[str, list[Sighting]]:
    """Sums leave the sensitive databases out. A line held with its record counts for the record's rule."""
    shown = [
        (rule, facility)
        for rule, broken in found.broken_by.items()
        for facility, _ in broken[:BROKEN_BY]
    ]
    night.warehouse.put(
        "checks.shown_breakers",
        pl.DataFrame(
            sorted(set(shown)), schema={"rule": pl.String, "folder": pl.String}, orient="row"
        ),
    )
    silent = sql_texts(sensitive)
    told = f"split_part(table_id, '.', 1) NOT IN ({silent})"
    sightings: dict[str, list[Sighting]] = defaultdict(list)
    for rule, *one in night.warehouse.rows(
        f"""
        WITH times AS (
            SELECT _file, rule, count(*) FILTER ({told}) AS times FROM checks.findings GROUP BY ALL
        ), held AS (
            SELECT _file, rule, count(*) FILTER ({told}) AS held FROM checks.held
            GROUP BY ALL HAVING count(*) FILTER (NOT with_parent) > 0
        ), seen AS (
            SELECT rule, folder, o.night, sum(times)::BIGINT AS times, coalesce(sum(held), 0)::BIGINT AS held
            FROM times LEFT JOIN held USING (_file, rule) JOIN checks.contents f USING (_file)
            JOIN (SELECT offer, folder, night FROM checks.offers) o USING (offer) GROUP BY ALL
        ), placed AS (
            SELECT *, CASE WHEN b.folder IS NULL THEN '' ELSE folder END AS line
            FROM seen LEFT JOIN checks.shown_breakers b USING (rule, folder)
        )
        SELECT rule, folder, night, times, held, times > 0 FROM placed
        QUALIFY row_number() OVER (PARTITION BY rule, line ORDER BY night DESC, held DESC, times DESC, folder DESC)
                <= CASE WHEN line = '' THEN {SENDERS_KEPT} ELSE {RECEIPTS_KEPT} END
        ORDER BY rule, night DESC, held DESC, times DESC, folder DESC
        """
    ):
        sightings[rule].append(Sighting(*one))
    return dict(sightings)


def _open_tasks(night: Night, words: Words, tonight: str) -> dict[str, list[Task]]:
    found: dict[str, list[Task]] = defaultdict(list)
    frame = night.warehouse.frame
    for task in tasks.tasks_of(night.layout, night.project, words.tasks, frame, tonight):
        found[task.facility].append(task)
    return dict(found)


def _by_table(night: Night) -> dict[str, Counts]:
    return {
        table: Counts(*counts)
        for table, *counts in night.warehouse.rows(
            f"SELECT table_id, {SQL_SUMS} FROM checks.sent GROUP BY table_id"
        )
    }


def receipt_link(night: str, sender: str, up: str, rule: str = "") -> str:
    """From a page of the site to the receipts of a sender's night, to what they say of one rule if it is
    given; `up` leads to the site's root."""
    anchor = f"#{rule}" if rule else ""
    return f"{up}../../receipts/{night}/{folder_of(sender)}/index.html{anchor}"


Context = dict[str, Any]
PageContext = Callable[[Book, str], Context]
"""(book, id of the thing the page is about) → what the template is given."""
