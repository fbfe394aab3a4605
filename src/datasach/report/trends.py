"""What moved since the nights before, and why: data, rules or code.

    state/history/signals/<night>.parquet   night, signal, facility, numerator, denominator: of what came that night
    state/history/facts/<night>.parquet     night, fingerprint, version, inputs, files

A signal is `filled:<table>.<field>`, `new_year:<table>` (births on 1 January) or `mix:<table>.<field>=<code>`.
A score that moves is explained by comparing the facts of the two nights: whether anything new was read
(`inputs`), whether a declaration changed (`fingerprint`), whether the engine did (`version`).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from datasach import __version__
from datasach.report import history
from datasach.report.counts import Share
from datasach.report.history import History
from datasach.report.night import Night
from datasach.report.numbers import Percent, percent, percent_en
from datasach.report.numbers import vi as number
from datasach.report.odds import count_tail, share_tail
from datasach.report.words import PILLARS, TrendTerms, Words
from datasach.spec.contract import Title
from datasach.spec.rule import PILLAR_TITLES
from datasach.store.warehouse import sql_name

Cause = Literal["data", "rules", "code"]
CAUSE_TITLES: dict[Cause, Title] = {
    "data": Title(vi="dữ liệu", en="data"),
    "rules": Title(vi="quy tắc, khai báo", en="rules and declarations"),
    "code": Title(vi="phần mềm", en="code"),
}
SHOWN = 10


class Facts(NamedTuple):
    """What a night's numbers were made from."""

    night: str
    fingerprint: str
    version: str
    inputs: str
    files: int


class Driver(NamedTuple):
    """The rule that moved a score most."""

    rule: str
    table: str
    before: int | None
    """Failing records the night before; None if the rule was not asked then."""
    after: int


@dataclass(frozen=True, slots=True)
class Move:
    """Something that moved, in a sentence of both languages."""

    about: Title
    facility: str
    rarity: float
    """Chance by its own history; 0 for a score, which is explained and not tested."""
    is_bad: bool


@dataclass(slots=True)
class Trends:
    since: str | None = None
    """The night compared with; None on the first."""
    causes: tuple[Cause, ...] = ()
    scores: list[Move] = field(default_factory=list)
    moves: dict[str, list[Move]] = field(default_factory=dict)
    """Facility → what moved there, rarest first."""

    @property
    def rarest(self) -> list[Move]:
        found = [move for moves in self.moves.values() for move in moves]
        return sorted(found, key=lambda m: (m.rarity, m.facility, m.about.vi))[:SHOWN]


def what_changed(before: Facts, after: Facts) -> tuple[Cause, ...]:
    """
    >>> what_changed(Facts("a", "r1", "1", "i1", 3), Facts("b", "r1", "1", "i2", 5))
    ('data',)
    """
    pairs: tuple[tuple[Cause, bool], ...] = (
        ("data", before.inputs != after.inputs),
        ("rules", before.fingerprint != after.fingerprint),
        ("code", before.version != after.version),
    )
    return tuple(cause for cause, changed in pairs if changed)


def said_causes(before: Facts, after: Facts) -> Title:
    """What changed between two nights, as the end of a sentence."""
    details: dict[Cause, Title] = {
        "data": Title(vi=f"dữ liệu ({after.files - before.files:+} tệp)", en=f"data ({after.files - before.files:+} files)"),
        "rules": Title(vi=f"quy tắc, khai báo ({before.fingerprint[:8]} → {after.fingerprint[:8]})",
                       en=f"rules and declarations ({before.fingerprint[:8]} → {after.fingerprint[:8]})"),
        "code": Title(vi=f"phần mềm ({before.version} → {after.version})", en=f"code ({before.version} → {after.version})"),
    }  # fmt: skip
    causes = what_changed(before, after)
    if not causes:
        return Title(
            vi="không đổi dữ liệu, quy tắc hay phần mềm", en="neither data, rules nor code changed"
        )
    return Title(
        vi="đã đổi " + ", ".join(details[c].vi for c in causes),
        en="changed: " + ", ".join(details[c].en for c in causes),
    )


def explain(
    name: Title, before: Share, after: Share, facts: tuple[Facts, Facts], driver: Driver | None
) -> Title:
    """One sentence for one score: from what to what, what changed, and which rule weighs most."""
    a, b = before.value or 0.0, after.value or 0.0
    causes = said_causes(*facts)
    vi = f"{name.vi}: {percent(a)} → {percent(b)}; {causes.vi}."
    en = f"{name.en}: {percent_en(a)} → {percent_en(b)}; {causes.en}."
    if driver is not None:
        was = "chưa hỏi" if driver.before is None else number(driver.before)
        was_en = "not asked" if driver.before is None else str(driver.before)
        vi += f" Nhiều nhất do {driver.rule} trên {driver.table}: {was} → {number(driver.after)} vi phạm."
        en += f" Most by {driver.rule} on {driver.table}: {was_en} → {driver.after} failures."
    return Title(vi=vi, en=en)


# -- what a night keeps ----------------------------------------------------------------------------


def keep(night: Night, words: Words, tonight: str) -> None:
    """Write tonight's facts and signals, in place of any of the same night."""
    files = night.ledger.rows(
        "SELECT file FROM files WHERE state <> 'REJECTED' AND night <= ? ORDER BY file", (tonight,)
    )
    inputs = hashlib.sha256("\n".join(str(row[0]) for row in files).encode()).hexdigest()
    history.keep_query(
        night, "facts", tonight,
        f"SELECT '{night.project.fingerprint}' AS fingerprint, '{__version__}' AS version, '{inputs}' AS inputs,"
        f" {len(files)} AS files",
    )  # fmt: skip
    parts = list(_signal_queries(night, words, tonight))
    sql = (
        " UNION ALL ".join(parts)
        or "SELECT '' AS signal, '' AS facility, 0 AS numerator, 0 AS denominator WHERE false"
    )
    history.keep_query(
        night, "signals", tonight, f"SELECT * FROM ({sql}) WHERE facility IS NOT NULL ORDER BY ALL"
    )


def _signal_queries(night: Night, words: Words, tonight: str) -> Iterable[str]:
    for table in night.project.tables.values():
        if table.database in words.verdicts.sensitive:
            continue  # how such records move tells something about people
        came = f"FROM standard.{sql_name(table.id)} WHERE _night = DATE '{tonight}'"
        for name in (n for n in table.priority if table.field(n).presence != "optional"):
            yield (
                f"SELECT 'filled:{table.id}.{name}' AS signal, _facility AS facility,"
                f' count("{name}") AS numerator, count(*) AS denominator {came} GROUP BY ALL'
            )
        if table.identity is not None and table.identity.born is not None:
            yield (
                f"SELECT 'new_year:{table.id}', _facility, count(*) FILTER (month(born_on) = 1 AND day(born_on) = 1),"
                f" count(born_on) {came} GROUP BY ALL HAVING count(born_on) > 0"
            )
    for watched in words.trends.mix:
        table_id, _, name = watched.rpartition(".")
        if table_id in night.project.tables and name in night.project.tables[table_id].field_names:
            came = f"FROM standard.{sql_name(table_id)} WHERE _night = DATE '{tonight}'"
            yield (
                f"SELECT 'mix:{watched}=' || code, facility, n, sum(n) OVER (PARTITION BY facility) FROM"
                f' (SELECT "{name}" AS code, _facility AS facility, count(*) AS n {came} AND "{name}" IS NOT NULL'
                " GROUP BY ALL)"
            )


# -- what moved ------------------------------------------------------------------------------------


def look(night: Night, words: Words, past: History, tonight: str) -> Trends:
    """Compare tonight with the nights before."""
    terms = words.trends
    facts = _facts(night, tonight)
    if len(facts) < 2:
        return Trends()
    before, after = facts[-2], facts[-1]
    found = Trends(since=before.night, causes=what_changed(before, after))
    found.scores = _score_moves(night, words, past, (before, after))
    moves: dict[str, list[Move]] = defaultdict(list)
    for move in [*_volume_moves(night, terms, tonight), *_share_moves(night, terms, tonight)]:
        moves[move.facility].append(move)
    found.moves = {
        f: sorted(m, key=lambda one: (one.rarity, one.about.vi)) for f, m in moves.items()
    }
    return found


def _facts(night: Night, tonight: str) -> list[Facts]:
    paths = history.kept(night.layout, "facts", tonight)
    if not paths:
        return []
    rows = night.warehouse.rows(
        "SELECT night, fingerprint, version, inputs, files FROM"
        f" {history.sql_list(paths.values())} ORDER BY night DESC LIMIT 2"
    )
    return [Facts(*row) for row in reversed(rows)]


def _score_moves(
    night: Night, words: Words, past: History, facts: tuple[Facts, Facts]
) -> list[Move]:
    found, sensitive = [], words.verdicts.sensitive
    for database in sorted(night.project.databases.values(), key=lambda d: d.number):
        for pillar in PILLARS:
            before = past.share(database.id, pillar, facts[0].night)
            after = past.share(database.id, pillar, facts[1].night)
            if before is None or after is None or before.value is None or after.value is None:
                continue
            change = after.value - before.value
            if abs(change) < words.trends.score_change:
                continue
            title = PILLAR_TITLES[pillar]
            name = Title(
                vi=f"{database.title.vi}, điểm {title.vi.lower()}",
                en=f"{database.title.en}, {title.en.lower()}",
            )
            # In a sensitive database, how often a rule fails is told under report.disclosure alone.
            asked = pillar == "dung" and database.id not in sensitive
            driver = _driver(night, database.id, change, facts) if asked else None
            found.append(Move(explain(name, before, after, facts, driver), "", 0.0, change < 0))
    return found


def _driver(
    night: Night, database: str, change: float, facts: tuple[Facts, Facts]
) -> Driver | None:
    """The rule whose weighted failures moved the score most, in its direction."""
    paths = history.kept(night.layout, "metrics", facts[1].night)
    if not {one.night for one in facts} <= set(paths):
        return None
    sums = (
        "SELECT table_id, rule, sum(tested) AS tested, sum(failed) AS failed FROM {} WHERE split_part(table_id, '.', 1)"
        f" = '{database}' GROUP BY ALL"
    )
    old, new = (sums.format(history.sql_list([paths[one.night]])) for one in facts)
    rows = night.warehouse.rows(
        f"WITH old AS ({old}), new AS ({new}), w AS (SELECT table_id, rule, weight FROM checks.rules WHERE pillar = 'dung')"
        " SELECT rule, table_id, old.failed, coalesce(new.failed, 0),"
        " weight * coalesce(new.failed, 0) / (SELECT sum(weight * tested) FROM new JOIN w USING (table_id, rule))"
        " - weight * coalesce(old.failed, 0) / (SELECT sum(weight * tested) FROM old JOIN w USING (table_id, rule)) AS lost"
        " FROM old FULL JOIN new USING (table_id, rule) JOIN w USING (table_id, rule)"
        f" ORDER BY lost {'DESC' if change < 0 else 'ASC'} NULLS LAST, rule, table_id LIMIT 1"
    )
    if not rows or rows[0][4] is None or rows[0][4] * change >= 0:
        return None
    rule, table, before, now, _ = rows[0]
    return Driver(rule, table, None if before is None else int(before), int(now))


def _volume_moves(night: Night, terms: TrendTerms, tonight: str) -> Iterable[Move]:
    series = _series(night, terms, "arrivals", "'' AS signal, facility, sum(rows), 0", tonight)
    for (_, facility), by_night in series.items():
        now = by_night.get(tonight, (0, 0))[0]
        # Nights without anything are silence, which is listed and needs no test.
        usual = [count for when, (count, _) in by_night.items() if when != tonight]
        if not now or len(usual) < terms.least_nights:
            continue
        mean = sum(usual) / len(usual)
        if not terms.volume.reached(abs(now - mean), abs(now - mean) / mean):
            continue
        rarity = count_tail(usual, now)
        if rarity < terms.p_value:
            fell = now < mean
            word, word_en = ("giảm", "fell") if fell else ("tăng", "rose")
            yield Move(
                Title(
                    vi=f"Số dòng nhận {word} từ khoảng {number(mean)} xuống {number(now)} một đêm." if fell
                    else f"Số dòng nhận {word} từ khoảng {number(mean)} lên {number(now)} một đêm.",
                    en=f"Rows of a night {word_en} from about {mean:.0f} to {now}.",
                ),
                facility, rarity, fell,
            )  # fmt: skip


def _share_moves(night: Night, terms: TrendTerms, tonight: str) -> Iterable[Move]:
    series = _series(
        night, terms, "signals", "signal, facility, sum(numerator), sum(denominator)", tonight
    )
    _complete(series)
    for (signal, facility), by_night in series.items():
        count, of = by_night.get(tonight, (0, 0))
        past = [pair for when, pair in by_night.items() if when != tonight and pair[1]]
        if not of or len(past) < terms.least_nights:
            continue
        usual = sum(k for k, _ in past) / sum(n for _, n in past)
        change = count / of - usual
        if not terms.share.reached(abs(count - usual * of), abs(change)):
            continue
        kind = signal.partition(":")[0]
        if kind == "filled" and change > 0:
            continue  # better is no alarm
        rarity = share_tail(past, count, of)
        if rarity < terms.p_value:
            yield Move(_said(signal, usual, count / of), facility, rarity, kind != "mix")


def _complete(series: dict[tuple[str, str], dict[str, tuple[int, int]]]) -> None:
    """A code that did not come in a night in which others of its field came is a share of nothing."""
    nights: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    mixes = [key for key in series if key[0].startswith("mix:")]
    for signal, facility in mixes:
        field_name = signal.partition("=")[0]
        for when, (_, of) in series[signal, facility].items():
            nights[field_name, facility][when] = of
    for signal, facility in mixes:
        for when, of in nights[signal.partition("=")[0], facility].items():
            series[signal, facility].setdefault(when, (0, of))


def _said(signal: str, usual: float, now: float) -> Title:
    kind, _, about = signal.partition(":")
    names = {
        "filled": Title(vi=f"Tỷ lệ có giá trị của {about}", en=f"Share filled of {about}"),
        "new_year": Title(
            vi=f"Tỷ lệ ngày sinh 01/01 trong {about}", en=f"Share of births on 1 January in {about}"
        ),
        "mix": Title(vi=f"Tỷ lệ mã {about}", en=f"Share of the code {about}"),
    }
    name = names[kind]
    return Title(
        vi=f"{name.vi}: thường {percent(Percent(usual))}, đêm nay {percent(Percent(now))}.",
        en=f"{name.en}: usually {percent_en(usual)}, tonight {percent_en(now)}.",
    )


def _series(
    night: Night, terms: TrendTerms, kind: str, columns: str, tonight: str
) -> dict[tuple[str, str], dict[str, tuple[int, int]]]:
    """(signal, facility) → night → (count, of), of the nights looked back and tonight."""
    paths = list(history.kept(night.layout, kind, tonight).values())[-terms.history_nights - 1 :]
    found: dict[tuple[str, str], dict[str, tuple[int, int]]] = defaultdict(dict)
    if len(paths) <= terms.least_nights:
        return found
    rows: list[tuple[Any, ...]] = night.warehouse.rows(
        f"SELECT night, {columns} FROM {history.sql_list(paths)} GROUP BY ALL ORDER BY ALL"
    )
    for when, signal, facility, count, of in rows:
        found[(signal, facility)][when] = (int(count), int(of))
    return found
