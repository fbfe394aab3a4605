"""Ids that live, against a slow oracle in plain Python, over random nights of records, corrections and merges."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasach.link.identity import STATE, assign_ids, founded_by

FIRST = date(2026, 3, 1)


@dataclass
class Night:
    """What one night shows: record → cluster, and the records that hold a number."""

    clusters: dict[str, int]
    numbers: frozenset[str] = frozenset()


@dataclass
class Ids:
    """What a night leaves behind."""

    person: dict[str, str] = field(default_factory=dict)
    born: dict[str, int] = field(default_factory=dict)
    ended: dict[str, tuple[str | None, str, str | None]] = field(default_factory=dict)
    """id → (forwarded to, cause, founder)"""


# -- the oracle: one loop per sentence of the module's docstring ----------------------------------


def digits(record: str, times: int) -> str:
    text = f"datasach person {record}" + (f" {times}" if times else "")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def founder_of(person: str, members: list[str]) -> str | None:
    return next((r for r in members if any(digits(r, k) == person for k in range(16))), None)


def slow(before: Ids, night: Night, born: dict[str, int]) -> Ids:
    members: dict[str, list[str]] = {}
    for record, person in before.person.items():
        members.setdefault(person, []).append(record)
    parts: dict[int, list[str]] = {}
    for record, cluster in night.clusters.items():
        parts.setdefault(cluster, []).append(record)

    def age(records: list[str], nights: dict[str, int]) -> tuple[int, str]:
        return min((nights[r], r) for r in records)

    goes_to: dict[str, int | None] = {}
    for person, records in members.items():
        shares = {
            c: [r for r in records if night.clusters.get(r) == c]
            for c in {night.clusters[r] for r in records if r in night.clusters}
        }
        was_a_person = {
            founder
            for p, (to, _, founder) in before.ended.items()
            if founder and (to is None or to[2:] != p[2:])
        }

        def order(cluster: int) -> Any:
            here = shares[cluster]  # noqa: B023
            eldest = age(here, before.born)
            own = founder_of(person[2:], here) is not None  # noqa: B023
            return not own and eldest[1] in was_a_person, -len(here), eldest  # noqa: B023

        goes_to[person] = min(shares, key=order) if shares else None
    keeps: dict[int, str] = {}
    for cluster in parts:
        coming = [p for p, c in goes_to.items() if c == cluster]
        if coming:
            keeps[cluster] = min(coming, key=lambda p: age(members[p], before.born))[2:]
    ended = {p: goes_to[p] for p in members if p[2:] not in keeps.values()}
    founders = {
        p: founder_of(p[2:], [r for r in members[p] if night.clusters.get(r) == ended[p]])
        for p in ended
    }
    past = {p[2:]: founder for p, founder in founders.items()}
    past |= {
        p[2:]: founder
        for p, (to, _, founder) in before.ended.items()
        if to is None or to[2:] != p[2:]
    }
    for cluster, records in sorted(parts.items()):
        if cluster in keeps:
            continue
        founder = age(records, born)[1]
        times = 0
        while True:
            one = digits(founder, times)
            if one not in keeps.values() and past.get(one, founder) == founder:
                break
            times += 1
        keeps[cluster] = one
    known = [*before.person.values(), *before.ended]
    after = Ids(born=dict(born))
    ids = {}
    for cluster, one in keeps.items():
        named = f"P-{one}" in known or any(r in night.numbers for r in parts[cluster])
        ids[cluster] = ("P-" if named else "T-") + one
    after.person = {r: ids[c] for r, c in night.clusters.items()}
    living = {person[2:]: person for person in ids.values()}
    for person, (to, cause, founder) in before.ended.items():
        if person not in ids.values():
            after.ended[person] = (living.get(person[2:], to), cause, founder)
    for person, cluster in ended.items():
        if person[2:] in living:
            continue
        to = ids[cluster] if cluster is not None else None
        cause = (
            "gone"
            if to is None
            else "identified"
            if person[0] == "T" and to[0] == "P"
            else "merged"
        )
        after.ended[person] = (to, cause, founders[person])
    for person in members:
        now = living.get(person[2:])
        if person[0] == "T" and now is not None and now[0] == "P":
            after.ended[person] = (now, "identified", None)
    return after


# -- the engine's own, over the same nights -------------------------------------------------------


class Tables:
    """DuckDB in memory, as assigning ids sees a warehouse."""

    def __init__(self) -> None:
        self.con = duckdb.connect()
        self.con.execute("SET threads = 1")
        self.con.execute("CREATE SCHEMA link")
        for name in ("judgements (id VARCHAR, a VARCHAR, b VARCHAR, state VARCHAR)",):
            self.con.execute(f"CREATE TABLE link.{name}")

    def execute(self, sql: str) -> None:
        self.con.execute(sql)

    def value(self, sql: str) -> Any:
        row = self.con.execute(sql).fetchone()
        return row[0] if row else None

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.con.execute(sql).fetchall()

    def put(self, name: str, frame: pl.DataFrame) -> None:
        self.con.register("incoming", frame)
        self.con.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM incoming")
        self.con.unregister("incoming")

    def begin(self) -> None:
        """A warehouse before its first night."""
        for name, columns in STATE.items():
            listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
            self.execute(f"CREATE OR REPLACE TABLE link.last_{name} ({listed})")

    def run(self, night: Night, number: int, born: dict[str, int]) -> None:
        records = list(night.clusters)
        self.put(
            "link.records",
            pl.DataFrame(
                {
                    "record_key": records,
                    "first_night": [FIRST + timedelta(born[r]) for r in records],
                    "night": [FIRST + timedelta(born[r]) for r in records],
                },
                schema_overrides={
                    "record_key": pl.String,
                    "first_night": pl.Date,
                    "night": pl.Date,
                },
            ),
        )
        self.put(
            "link.engine",
            pl.DataFrame(
                list(night.clusters.items()),
                schema={"record_key": pl.String, "cluster": pl.Int64},
                orient="row",
            ),
        )
        self.put(
            "link.identified",
            pl.DataFrame({"record_key": sorted(night.numbers)}, schema={"record_key": pl.String}),
        )
        last = FIRST + timedelta(number - 1) if number else None
        assign_ids(
            self,  # type: ignore[arg-type]
            "link.engine", "link.identified", FIRST + timedelta(number), last,
        )  # fmt: skip

    def publish(self) -> None:
        for name in STATE:
            self.execute(f"CREATE OR REPLACE TABLE link.last_{name} AS SELECT * FROM link.{name}")

    def persons(self) -> dict[str, str]:
        return dict(self.rows("SELECT record_key, person_id FROM link.member"))

    def ended(self) -> dict[str, tuple[str | None, str, str | None]]:
        rows = self.rows("SELECT person_id, forwarded_to, cause, founder FROM link.forwarding")
        assert len(rows) == len({row[0] for row in rows})
        return {row[0]: (row[1], row[2], row[3]) for row in rows}


@pytest.fixture(scope="module")
def tables() -> Iterator[Tables]:
    yield Tables()


RECORDS = [f"r{i}" for i in range(8)]


@st.composite
def histories(draw: Any) -> tuple[list[Night], dict[str, int]]:
    """Nights on which records arrive, vanish, get numbers, and are clustered at random each time."""
    count = draw(st.integers(1, 4))
    born = {r: draw(st.integers(0, count - 1)) for r in RECORDS}
    nights = []
    numbers: frozenset[str] = frozenset()
    for number in range(count):
        arrived = [r for r in RECORDS if born[r] <= number]
        clusters = {r: draw(st.integers(0, 3)) for r in arrived if draw(st.integers(0, 9)) > 0}
        numbers |= frozenset(r for r in arrived if draw(st.integers(0, 4)) == 0)
        nights.append(Night(clusters, numbers & clusters.keys()))
    return nights, born


@settings(max_examples=25)
@given(histories())
def test_ids_are_those_of_the_oracle_on_every_night(tables: Tables, history: Any) -> None:
    nights, born = history
    tables.begin()
    ids = Ids()
    for number, night in enumerate(nights):
        tables.run(night, number, born)
        ids = slow(ids, night, born)
        assert tables.persons() == ids.person
        assert tables.ended() == ids.ended
        living = set(ids.person.values())
        assert len(living) == len(set(night.clusters.values()))
        assert living.isdisjoint(ids.ended)
        for (leads_to,) in tables.rows("SELECT leads_to FROM link.forwarding"):
            assert leads_to is None or leads_to in living
        tables.publish()


@settings(max_examples=6)
@given(histories(), st.randoms())
def test_neither_a_second_run_nor_another_order_changes_anything(
    tables: Tables, history: Any, random: Any
) -> None:
    nights, born = history
    tables.begin()
    for number, night in enumerate(nights):
        tables.run(night, number, born)
        first = [tables.rows(f"SELECT * FROM link.{name} ORDER BY ALL") for name in STATE]
        shuffled = list(night.clusters.items())
        random.shuffle(shuffled)
        names = list(range(10, 20))
        random.shuffle(names)
        other = Night({r: names[c] for r, c in shuffled}, night.numbers)
        tables.run(other, number, born)
        assert first == [tables.rows(f"SELECT * FROM link.{name} ORDER BY ALL") for name in STATE]
        tables.publish()
        tables.run(night, number, born)
        assert first == [tables.rows(f"SELECT * FROM link.{name} ORDER BY ALL") for name in STATE]


@settings(max_examples=8)
@given(histories())
def test_every_change_of_a_record_stands_in_the_history_once(tables: Tables, history: Any) -> None:
    nights, born = history
    tables.begin()
    last: dict[str, str] = {}
    told: set[tuple[Any, ...]] = set()
    for number, night in enumerate(nights):
        tables.run(night, number, born)
        now = tables.persons()
        told |= {
            (FIRST + timedelta(number), r, now.get(r), old)
            for r, old in last.items()
            if now.get(r) != old
        }
        rows = tables.rows("SELECT night, record_key, person_id, other_id FROM link.history")
        assert sorted(rows, key=repr) == sorted(told, key=repr)
        tables.publish()
        last = now


@st.composite
def growing(draw: Any) -> tuple[list[Night], dict[str, int]]:
    """Nights on which records arrive, persons merge, and young records leave in the smaller part: what nights
    at once cannot see makes no difference. Everybody has a number."""
    count = draw(st.integers(2, 4))
    born = {r: draw(st.integers(0, count - 1)) for r in RECORDS}
    clusters: dict[str, int] = {}
    nights = []
    for number in range(count):
        for r in (r for r in RECORDS if born[r] == number):
            clusters[r] = draw(
                st.sampled_from([*clusters.values(), len(RECORDS) + RECORDS.index(r)])
            )
        here = sorted(set(clusters.values()))
        if len(here) > 1 and draw(st.booleans()):
            a, b = draw(st.sampled_from(here)), draw(st.sampled_from(here))
            clusters = {r: a if c == b else c for r, c in clusters.items()}
        elif here:
            cluster = draw(st.sampled_from(here))
            inside = sorted((born[r], r) for r, c in clusters.items() if c == cluster)
            # Those that arrive tonight have not been published with anybody yet.
            old = [r for n, r in inside if n < number]
            leaving = [r for r in old[1:] if draw(st.booleans())][: len(old) // 2]
            clusters = clusters | dict.fromkeys(leaving, 100 + number)
        nights.append(Night(dict(clusters), frozenset(clusters)))
    return nights, born


@settings(max_examples=15)
@given(growing())
def test_nights_one_by_one_and_all_at_once_give_the_same_ids(tables: Tables, history: Any) -> None:
    nights, born = history
    tables.begin()
    for number, night in enumerate(nights):
        tables.run(night, number, born)
        tables.publish()
    in_order = tables.persons()
    tables.begin()
    tables.run(nights[-1], len(nights) - 1, born)
    assert tables.persons() == in_order


@pytest.mark.long
@settings(max_examples=300)
@given(histories(), growing(), st.randoms())
def test_all_of_it_over_many_more_nights(
    tables: Tables, history: Any, grown: Any, random: Any
) -> None:
    test_ids_are_those_of_the_oracle_on_every_night.hypothesis.inner_test(tables, history)
    test_neither_a_second_run_nor_another_order_changes_anything.hypothesis.inner_test(
        tables, history, random
    )
    test_every_change_of_a_record_stands_in_the_history_once.hypothesis.inner_test(tables, history)
    test_nights_one_by_one_and_all_at_once_give_the_same_ids.hypothesis.inner_test(tables, grown)


# -- examples ------------------------------------------------------------------------------------


def live(tables: Tables, *nights: dict[str, int]) -> list[dict[str, str]]:
    tables.begin()
    found = []
    born: dict[str, int] = {}
    for number, clusters in enumerate(nights):
        born |= {r: number for r in clusters if r not in born}
        tables.run(Night(clusters, frozenset(clusters)), number, born)
        tables.publish()
        found.append(tables.persons())
    return found


def test_when_a_correction_takes_the_eldest_record_away_the_others_keep_their_id(
    tables: Tables,
) -> None:
    first, then = live(tables, {"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 1, "c": 1})
    assert then["b"] == then["c"] == first["b"]
    assert then["a"] not in first.values()
    assert tables.rows("SELECT record_key, cause, other_id FROM link.history") == [
        ("a", "split", first["a"])
    ]


def test_a_merge_keeps_the_elder_id_and_its_end_brings_the_other_back(tables: Tables) -> None:
    apart, together, again = live(
        tables, {"a": 1, "b": 2, "c": 2}, {"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "c": 2}
    )
    assert set(together.values()) == {apart["a"]}
    assert again == apart
    assert [r[0] for r in tables.rows("SELECT cause FROM link.history ORDER BY night")] == [
        "merged", "merged", "restored", "restored"
    ]  # fmt: skip


def test_a_tie_stays_where_the_eldest_record_is(tables: Tables) -> None:
    first, then = live(tables, {"a": 1, "b": 1}, {"a": 1, "b": 2})
    assert then["a"] == first["a"] != then["b"]


def test_an_id_that_another_kept_is_never_given_to_its_founder_again(tables: Tables) -> None:
    first, _, gone, last = live(
        tables, {"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 1, "c": 1}, {"x": 9}, {"a": 1, "x": 9}
    )
    assert gone["x"] not in first.values()
    assert last["a"] != first["a"]


def test_who_had_no_number_keeps_his_digits_when_he_is_identified(tables: Tables) -> None:
    tables.begin()
    born = {"a": 0}
    tables.run(Night({"a": 1}), 0, born)
    temporary = tables.persons()["a"]
    tables.publish()
    tables.run(Night({"a": 1}, frozenset({"a"})), 1, born)
    assert temporary.startswith("T-") and tables.persons()["a"] == "P-" + temporary[2:]
    assert tables.ended()[temporary] == ("P-" + temporary[2:], "identified", None)


def test_a_person_id_is_never_taken_for_a_number_that_means_a_person(tables: Tables) -> None:
    odd = tables.value(
        f"SELECT count(*) FROM (SELECT {founded_by('record_key')} AS id FROM"
        " (SELECT 'kcb_emr.visit:79001|LK' || range AS record_key FROM range(5000)))"
        " WHERE NOT regexp_full_match(id, '[0-9a-f]{16}')"
    )
    assert odd == 0
