"""Scores, rules and the two channels, gathered once for all pages.

Shares are sums of numerators over sums of denominators at every level (facility, province, nation).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from datasach.report.counts import Share
from datasach.report.disclosure import NATION, hidden_cells, is_small
from datasach.report.history import PEERS
from datasach.report.night import Night
from datasach.report.words import PILLARS, Tone, Verdicts, worst
from datasach.spec.contract import Title
from datasach.spec.rule import Pillar, Rule

NO_SHARE = Share()


class Score(NamedTuple):
    """One pillar of one thing: its share and the verdict it earns."""

    pillar: Pillar
    share: Share
    tone: Tone

    @property
    def value(self) -> float | None:
        return self.share.value if self.tone != "none" else None


@dataclass(slots=True)
class Scores:
    """Sums of shares and records by (database, place or facility); `""` stands for all of either. All
    databases together leave the sensitive ones out: a difference of printed sums must not tell them."""

    verdicts: Verdicts
    shares: dict[tuple[str, str, str], Share] = field(default_factory=dict)
    """(database, whose, pillar)"""
    records: dict[tuple[str, str], int] = field(default_factory=dict)
    """(database, whose)"""
    hidden: set[tuple[str, str]] = field(default_factory=set)
    """(database, whose) whose number of records must not be told; `whose` may be a table over the nation."""

    def add(self, database: str, whose: str, pillar: str, share: Share) -> None:
        key = (database, whose, pillar)
        self.shares[key] = self.shares.get(key, NO_SHARE).plus(share)

    def count(self, database: str, whose: str, records: int) -> None:
        self.records[(database, whose)] = self.records.get((database, whose), 0) + records

    def of(self, database: str, whose: str = "") -> list[Score]:
        """The four scores, in the order of `PILLARS`."""
        key = (database, whose)
        few = self.records.get(key, 0) < self.verdicts.min_records or key in self.hidden
        found = []
        for pillar in PILLARS:
            share = self.shares.get((database, whose, pillar), NO_SHARE)
            value = share.value
            thin = few or share.denominator < self.verdicts.min_records
            tone: Tone = "none" if thin or value is None else self.verdicts.tone(pillar, value)
            found.append(Score(pillar, share, tone))
        return found

    def tone(self, database: str, whose: str = "") -> Tone:
        """The worst of the four; never their average."""
        return worst([score.tone for score in self.of(database, whose)])

    def tells(self, table: str, *counts: int) -> bool:
        """May these counts of a table's records over the nation be printed?"""
        database = table.split(".")[0]
        return database not in self.verdicts.sensitive or not (
            {(database, NATION), (database, table)} & self.hidden
            or is_small(counts, self.verdicts.small_cell)
        )


@dataclass(slots=True)
class RuleTonight:
    """One rule on one table, with tonight's numbers over all facilities."""

    rule: Rule
    fields: str
    tested: int = 0
    failed: int = 0
    facilities: int = 0
    held: int = 0
    not_run: str | None = None
    told: bool = True
    """May its numbers over the nation be printed? (report.disclosure)"""
    shares: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Place → (tested, failed)."""

    @property
    def rate(self) -> float | None:
        return self.failed / self.tested if self.tested else None


class Failing(NamedTuple):
    """A rule one facility violates."""

    rule: RuleTonight
    tested: int
    failed: int
    held: int
    peers: float | None
    """Median rate of the facilities of the same level; None where there are fewer than `PEERS`."""


@dataclass(slots=True)
class Group:
    """One rule over all its tables; the sums are over those whose numbers are told."""

    rule: Rule
    tables: list[RuleTonight] = field(default_factory=list)
    facilities: int = 0
    """Facilities that violate it, each counted once however many tables it does so in."""

    @property
    def tested(self) -> int:
        return sum(t.tested for t in self.tables if t.told)

    @property
    def failed(self) -> int:
        return sum(t.failed for t in self.tables if t.told)

    @property
    def held(self) -> int:
        return sum(t.held for t in self.tables if t.told)

    @property
    def is_broken(self) -> bool:
        return any(t.failed for t in self.tables)

    @property
    def untold(self) -> list[RuleTonight]:
        """Tables asked whose numbers are not told."""
        return [t for t in self.tables if t.tested and not t.told]

    @property
    def is_hidden(self) -> bool:
        """Nothing that it counted may be printed."""
        return bool(self.untold) and not any(t.tested and t.told for t in self.tables)

    @property
    def not_run(self) -> list[RuleTonight]:
        return [t for t in self.tables if t.not_run]


@dataclass(slots=True)
class Quality:
    scores: Scores
    rules: dict[tuple[str, str], RuleTonight]
    """(rule, table)"""
    failing: dict[str, list[Failing]]
    """Facility → what it violates, most urgent first."""
    filled: dict[tuple[str, str], dict[str, Share]]
    """(table, field) → {"" or a place: how often the field is filled}."""
    tables: dict[tuple[str, str], int]
    """(table, facility) → current records."""
    held: dict[str, int]
    """Table → rows held."""
    groups: dict[str, Group]
    """Rules by id, in the order they are declared."""
    broken_by: dict[str, list[tuple[str, Failing]]]
    """Rule → (facility, what it violates), those that hold most rows first, then those that fail most often."""

    def tells_fill(self, table: str, field: str) -> bool:
        """May it be printed how often a field is filled over the nation?"""
        share = self.filled.get((table, field), {}).get(NATION, NO_SHARE)
        rows, filled = int(share.denominator), int(share.numerator)
        return self.scores.tells(table, rows, filled, rows - filled)


def assess(night: Night, verdicts: Verdicts, place_of: dict[str, str]) -> Quality:
    """Reads checks.scores, records, rules, metrics, held, priority, facilities; carried["not_run"]. Writes
    checks.places_of and checks.told."""
    scores = Scores(verdicts)
    tables: dict[tuple[str, str], int] = {}
    for table, facility, records in night.warehouse.rows("SELECT * FROM checks.records"):
        database = table.split(".")[0]
        for whose in _owners(facility, place_of):
            scores.count(database, whose, records)
            if database not in verdicts.sensitive:
                scores.count("", whose, records)
        tables[(table, facility)] = records
    for database, facility, pillar, top, bottom in night.warehouse.rows(
        "SELECT database, facility, pillar, numerator, denominator FROM checks.scores ORDER BY ALL"
    ):
        for whose in _owners(facility, place_of):
            scores.add(database, whose, pillar, Share(top, bottom))
            if database not in verdicts.sensitive:
                scores.add("", whose, pillar, Share(top, bottom))
    members: dict[str, list[str]] = defaultdict(list)
    for facility, place in place_of.items():
        members[place].append(facility)
    by_table: dict[str, int] = defaultdict(int)
    for (table, _), records in tables.items():
        by_table[table] += records
    scores.hidden = hidden_cells(
        scores.records, by_table, members, verdicts.sensitive, verdicts.small_cell
    )
    rules, failing = _rules(night, place_of)
    for one in rules.values():
        one.told = scores.tells(one.rule.table, one.tested, one.failed, one.tested - one.failed)
    _put_told(night, rules)
    broken_by = _broken_by(failing)
    return Quality(
        scores=scores,
        rules=rules,
        failing=failing,
        filled=_filled(night, place_of),
        tables=tables,
        held=dict(night.warehouse.rows("SELECT table_id, count(*) FROM checks.held GROUP BY ALL")),
        groups=_groups(rules, broken_by),
        broken_by=broken_by,
    )


def _put_told(night: Night, rules: dict[tuple[str, str], RuleTonight]) -> None:
    """checks.told: the pairs of rule and table whose numbers may be printed, for what is summed in SQL."""
    told = [key for key, one in rules.items() if one.told]
    frame = pl.DataFrame(told, schema={"rule": pl.String, "table_id": pl.String}, orient="row")
    night.warehouse.put("checks.told", frame)


def _groups(
    rules: dict[tuple[str, str], RuleTonight], broken_by: dict[str, list[tuple[str, Failing]]]
) -> dict[str, Group]:
    found: dict[str, Group] = {}
    for one in rules.values():
        found.setdefault(one.rule.id, Group(one.rule)).tables.append(one)
    for name, group in found.items():
        group.facilities = len({f for f, _ in broken_by.get(name, []) if f is not None})
    return found


def _broken_by(failing: dict[str, list[Failing]]) -> dict[str, list[tuple[str, Failing]]]:
    found: dict[str, list[tuple[str, Failing]]] = defaultdict(list)
    for facility, broken in failing.items():
        for one in broken:
            found[one.rule.rule.id].append((facility, one))
    for pairs in found.values():
        pairs.sort(key=lambda pair: (-pair[1].held, -pair[1].failed, pair[0]))
    return found


def _owners(facility: str | None, place_of: dict[str, str]) -> set[str]:
    """Whose sums a facility's numbers go into: the nation's, its place's, its own."""
    return {"", *(name for name in (facility, place_of.get(facility or "")) if name)}


def _rules(
    night: Night, place_of: dict[str, str]
) -> tuple[dict[tuple[str, str], RuleTonight], dict[str, list[Failing]]]:
    fields = {
        (rule, table): text
        for rule, table, text in night.warehouse.rows(
            "SELECT rule, table_id, fields FROM checks.rules"
        )
    }
    rules = {
        (rule.id, rule.table): RuleTonight(rule, fields.get((rule.id, rule.table), ""))
        for rule in night.project.rules
    }
    for one in night.carried.get("not_run", []):
        if (one.rule, one.table) in rules:
            rules[(one.rule, one.table)].not_run = one.reason
    held = _held(night)
    level, medians = _peers(night)
    failing: dict[str, list[Failing]] = defaultdict(list)
    # A nation has millions of rows here and most of them fail nothing: sums are made where the rows are.
    frame = pl.DataFrame({"facility": list(place_of), "place": list(place_of.values())})
    night.warehouse.put("checks.places_of", frame.cast(pl.String))
    for table, name, place, tested, failed, facilities in night.warehouse.rows(
        "SELECT table_id, rule, coalesce(place, ''), sum(tested)::BIGINT, sum(failed)::BIGINT, count(*) FILTER (failed > 0)"
        " FROM checks.metrics LEFT JOIN checks.places_of USING (facility) WHERE tested > 0 GROUP BY ALL ORDER BY ALL"
    ):
        rule = rules.get((name, table))
        if rule is not None:
            rule.tested += tested
            rule.failed += failed
            rule.facilities += facilities
            rule.shares[place] = (tested, failed)
    for table, name, facility, tested, failed in night.warehouse.rows(
        "SELECT table_id, rule, facility, tested, failed FROM checks.metrics WHERE failed > 0 ORDER BY ALL"
    ):
        rule = rules.get((name, table))
        if rule is not None:
            held_here = held.get((name, table, facility), 0)
            rule.held += held_here
            peers = medians.get((table, name, level.get(facility, "")))
            failing[facility].append(Failing(rule, tested, failed, held_here, peers))
    for found in failing.values():
        found.sort(key=_urgency)
    return rules, failing


def _urgency(one: Failing) -> tuple[int, int, int, str, str]:
    """Stop rules, then what holds most rows back (their lines included), then what fails most often."""
    severity = {"stop": 0, "quarantine": 1}.get(one.rule.rule.severity, 2)
    return (severity, -one.held, -one.failed, one.rule.rule.id, one.rule.rule.table)


def _held(night: Night) -> dict[tuple[str, str, str], int]:
    """(rule, table, facility) → rows it holds; lines held with a record count for the record's table."""
    held: dict[tuple[str, str, str], int] = defaultdict(int)
    lines: dict[tuple[str, str, str], int] = defaultdict(int)
    for rule, table, facility, with_parent, rows in night.warehouse.rows(
        "SELECT rule, table_id, facility, with_parent, count(*) FROM checks.held GROUP BY ALL"
    ):
        if with_parent:
            spec = night.project.tables[table]
            lines[(rule, f"{spec.database}.{spec.parent}", facility)] += rows
        else:
            held[(rule, table, facility)] += rows
    for key, rows in lines.items():
        held[key] += rows
    return dict(held)


def _peers(night: Night) -> tuple[dict[str, str], dict[tuple[str, str, str], float]]:
    level = dict(night.warehouse.rows("SELECT facility, coalesce(cap, '') FROM checks.facilities"))
    rows = night.warehouse.rows(
        "SELECT m.table_id, m.rule, f.cap, median(m.failed / m.tested) FROM checks.metrics m"
        " JOIN checks.facilities f USING (facility) WHERE m.tested >= 20 AND f.cap IS NOT NULL"
        f" GROUP BY ALL HAVING count(*) >= {PEERS}"
    )
    return level, {(table, rule, cap): rate for table, rule, cap, rate in rows}


def _filled(night: Night, place_of: dict[str, str]) -> dict[tuple[str, str], dict[str, Share]]:
    found: dict[tuple[str, str], dict[str, Share]] = defaultdict(dict)
    for table, name, facility, filled, expected in night.warehouse.rows(
        "SELECT table_id, field, facility, filled, expected FROM checks.priority"
    ):
        shares = found[(table, name)]
        for whose in {"", place_of.get(facility, "")}:
            shares[whose] = shares.get(whose, NO_SHARE).plus(Share(filled, expected))
    return dict(found)


class IdentityFill(NamedTuple):
    """How often one field that tells who a person is was filled in one facility's records of one table."""

    table: str
    title: Title
    part: str
    """`identifier`, `card` or `phone`."""
    share: Share
    nation: Share


IDENTITY_PARTS = ("identifier", "card", "phone")


def identity_filled(night: Night, sensitive: list[str]) -> dict[str, list[IdentityFill]]:
    """Reads checks.priority. Tables of sensitive databases are left out: their row counts must not be told."""
    parts = {
        (table.id, field): (part, table.title)
        for table in night.project.tables.values()
        if table.identity and table.database not in sensitive
        for part, field in table.identity.fields().items()
        if part in IDENTITY_PARTS and field in table.priority
    }
    nation: dict[tuple[str, str], Share] = defaultdict(Share)
    own: dict[str, list[tuple[tuple[str, str], Share]]] = defaultdict(list)
    for table_id, name, facility, filled, expected in night.warehouse.rows(
        "SELECT table_id, field, facility, filled, expected FROM checks.priority WHERE expected > 0 ORDER BY ALL"
    ):
        key = (table_id, name)
        if key in parts:
            nation[key] = nation[key].plus(Share(filled, expected))
            if facility:
                own[facility].append((key, Share(filled, expected)))
    return {
        facility: [
            IdentityFill(key[0], parts[key][1], parts[key][0], share, nation[key])
            for key, share in found
        ]
        for facility, found in own.items()
    }
