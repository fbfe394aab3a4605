"""Judgements: what follows from them, what cannot all be true, and that nothing written can be changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasach.errors import WarehouseDamaged
from datasach.link.judgements import (
    apply_judgements,
    journal,
    read_journal,
    record_judgement,
)
from datasach.link.settle import Judgement, settle
from datasach.spec.judgement import JudgementSpec, load_judgements
from datasach.spec.load import Problems
from datasach.store.layout import Layout

NIGHT = date(2026, 3, 5)
KEYS = "abcdefgh"
Pair = tuple[str, str]


def said(
    number: int, a: str, b: str, verdict: str, until: str | None = None, at: str = ""
) -> Judgement:
    return Judgement(
        f"J{number}", at or f"2026-03-01T00:00:{number:02}", a, b, verdict, "BS A", "w", until, "x"
    )


@st.composite
def many(draw: Any) -> list[Judgement]:
    pairs = st.sampled_from(list(combinations(KEYS, 2)))
    verdict = st.sampled_from(["same", "same", "different", "unsure"])
    until = st.sampled_from([None, None, None, "2026-03-04", "2026-03-05"])
    found = draw(st.lists(st.tuples(pairs, verdict, until, st.booleans()), max_size=12))
    return [
        said(n, *(pair if turned else pair[::-1]), verdict, until)
        for n, (pair, verdict, until, turned) in enumerate(found)
    ]


def reachable(pairs: list[Pair], start: str) -> set[str]:
    seen, new = {start}, [start]
    while new:
        at = new.pop()
        for a, b in pairs:
            for one, other in ((a, b), (b, a)):
                if one == at and other not in seen:
                    seen.add(other)
                    new.append(other)
    return seen


def oracle(judgements: list[Judgement]) -> tuple[list[Pair], list[Pair], set[str]]:
    """Effective pairs by walking the graph again for every judgement: (same, different, ids without effect)."""
    newest = {frozenset((j.a, j.b)): j for j in judgements}
    counting = [j for j in newest.values() if j.until is None or j.until >= NIGHT.isoformat()]
    counting.sort(key=lambda j: j.at)
    different = [(j.a, j.b) for j in counting if j.verdict == "different"]
    same: list[Pair] = []
    refused = set()
    for j in counting:
        if j.verdict == "same":
            trial = [*same, (j.a, j.b)]
            if any(b in reachable(trial, a) for a, b in different):
                refused.add(j.id)
            else:
                same = trial
    return same, different, refused


@given(many())
def test_what_follows_is_what_the_graph_says(judgements: list[Judgement]) -> None:
    same, different, refused = oracle(judgements)
    settled = settle(judgements, NIGHT, set(KEYS))
    assert set(settled.states) == {j.id for j in judgements}
    assert {i for i, state in settled.states.items() if state == "contradicted"} == refused
    assert {c[0] for c in settled.contradictions} == refused
    together = {frozenset(p) for keys, _ in settled.groups for p in combinations(keys, 2)}
    apart = {frozenset((a, b)) for a, b, _ in settled.apart}
    for a, b in combinations(KEYS, 2):
        assert (frozenset((a, b)) in together) == (b in reachable(same, a))
        follows = any(
            (a in reachable(same, x) and b in reachable(same, y))
            or (b in reachable(same, x) and a in reachable(same, y))
            for x, y in different
        )
        assert (frozenset((a, b)) in apart) == follows
    assert together.isdisjoint(apart)


def test_both_sides_of_a_contradiction_are_reported_and_the_different_holds() -> None:
    settled = settle(
        [said(1, "a", "b", "same"), said(2, "b", "c", "same"), said(3, "a", "c", "different")],
        NIGHT, set(KEYS),
    )  # fmt: skip
    assert settled.contradictions == [("J2", "J3", ("J1",))]
    assert settled.states == {"J1": "in_force", "J2": "contradicted", "J3": "in_force"}
    assert [keys for keys, _ in settled.groups] == [("a", "b")]
    assert [(a, b) for a, b, _ in settled.apart] == [("a", "c"), ("b", "c")]


def test_the_newest_judgement_of_a_pair_counts_and_an_expired_one_says_nothing() -> None:
    settled = settle(
        [said(1, "a", "b", "same"), said(2, "b", "a", "unsure"), said(3, "c", "d", "same"),
         said(4, "d", "c", "different", until="2026-03-04")],
        NIGHT, set(KEYS),
    )  # fmt: skip
    assert settled.states == {
        "J1": "superseded", "J2": "unsure", "J3": "superseded", "J4": "expired"
    }  # fmt: skip
    assert settled.groups == settled.apart == []


def test_a_record_that_is_gone_still_carries_what_was_said_across_it() -> None:
    settled = settle([said(1, "a", "b", "same"), said(2, "b", "c", "same")], NIGHT, {"a", "c"})
    assert settled.groups == [(("a", "c"), ("J1", "J2"))]
    assert settled.states == {"J1": "waiting", "J2": "waiting"}


# -- obeying them --------------------------------------------------------------------------------


class Tables:
    def __init__(self) -> None:
        self.con = duckdb.connect()
        self.con.execute("SET threads = 1; CREATE SCHEMA link")

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


@pytest.fixture(scope="module")
def tables() -> Iterator[Tables]:
    yield Tables()


def obeyed(
    tables: Tables, clusters: dict[str, int], edges: list[tuple[str, str, float]], judgements: Any
) -> dict[str, int]:
    settled = settle(judgements, NIGHT, set(clusters))
    pair = dict.fromkeys(("record_key_a", "record_key_b", "judgements"), pl.String)
    must = [(keys[0], k, ";".join(ids)) for keys, ids in settled.groups for k in keys[1:]]
    tables.put("link.must", pl.DataFrame(must, schema=pair, orient="row"))
    tables.put("link.cannot", pl.DataFrame(settled.apart, schema=pair, orient="row"))
    whole = {"record_key": pl.String, "cluster": pl.Int64}
    tables.put("link.engine", pl.DataFrame(list(clusters.items()), schema=whole, orient="row"))
    said = {"record_key_a": pl.String, "record_key_b": pl.String, "weight": pl.Float64}
    tables.put("link.all_edges", pl.DataFrame(edges, schema=said, orient="row"))
    apply_judgements(tables, "link.all_edges", "link.engine", "link.judged")  # type: ignore[arg-type]
    return dict(tables.rows("SELECT record_key, cluster FROM link.judged"))


@st.composite
def situations(draw: Any) -> Any:
    clusters = {key: draw(st.integers(0, 3)) for key in KEYS}
    inside = [(a, b) for a, b in combinations(KEYS, 2) if clusters[a] == clusters[b]]
    # Every cluster hangs together by a chain; further edges at random.
    chain = [
        (a, b) for a, b in inside if not any(clusters[c] == clusters[a] and a < c < b for c in KEYS)
    ]
    more = draw(st.lists(st.sampled_from(inside), max_size=5)) if inside else []
    edges = [(a, b, float(draw(st.integers(1, 9)))) for a, b in [*chain, *more]]
    return clusters, edges, draw(many())


@settings(max_examples=40)
@given(situations())
def test_records_are_where_people_put_them_and_nobody_else_moves(
    tables: Tables, situation: Any
) -> None:
    clusters, edges, judgements = situation
    same, different, _ = oracle(judgements)
    judged = obeyed(tables, clusters, edges, judgements)
    assert judged.keys() == clusters.keys()
    for a, b in same:
        assert judged[a] == judged[b]
    for a, b in different:
        assert judged[a] != judged[b]
    # Nobody comes together but by the engine or by a `same`, and who is apart is apart by a `different`.
    links = [*same, *((a, b) for a, b in combinations(KEYS, 2) if clusters[a] == clusters[b])]
    for a, b in combinations(KEYS, 2):
        if judged[a] == judged[b]:
            assert b in reachable(links, a)
        elif b in reachable(links, a):
            assert any(x in reachable(links, a) and y in reachable(links, a) for x, y in different)


def test_a_split_leaves_each_record_with_its_stronger_neighbour(tables: Tables) -> None:
    judged = obeyed(
        tables, dict.fromkeys("abcd", 1) | {"e": 2},
        [("a", "b", 9.0), ("b", "c", 2.0), ("c", "d", 8.0)],
        [said(1, "a", "d", "different")],
    )  # fmt: skip
    assert judged["a"] == judged["b"] != judged["c"] == judged["d"]
    assert judged["e"] == 2


# -- the journal ---------------------------------------------------------------------------------


def spec(verdict: str = "same", b: str = "kcb_emr.visit:2") -> JudgementSpec:
    return JudgementSpec.model_validate(
        {"a": "kcb_emr.visit:1", "b": b, "verdict": verdict, "by": "BS A", "on": NIGHT, "why": "w"}
    )


def test_the_journal_only_grows(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    first = record_judgement(layout, spec())
    text = journal(layout).read_text("utf-8")
    second = record_judgement(layout, spec("different"))
    assert journal(layout).read_text("utf-8").startswith(text)
    assert [j.id for j in read_journal(layout)] == [first.id, second.id]


@pytest.mark.parametrize("harm", ["change", "remove", "reorder", "cut"])
def test_a_journal_that_was_tampered_with_is_refused(tmp_path: Path, harm: str) -> None:
    layout = Layout(tmp_path)
    for n in range(3):
        record_judgement(layout, spec(b=f"kcb_emr.visit:{n + 2}"))
    lines = journal(layout).read_text("utf-8").splitlines(keepends=True)
    harmed = {
        "change": [lines[0].replace('"same"', '"different"'), *lines[1:]],
        "remove": [lines[0], lines[2]],
        "reorder": [lines[1], lines[0], lines[2]],
        "cut": [*lines[:2], lines[2][:30]],
    }[harm]
    journal(layout).write_text("".join(harmed), "utf-8")
    with pytest.raises(WarehouseDamaged, match=r"judgements\.jsonl:\d"):
        read_journal(layout)


def test_declared_judgements_are_read_and_their_mistakes_named(tmp_path: Path) -> None:
    folder = tmp_path / "rules/judgements"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text(
        "a,b,verdict,by,on,why,until\n"
        "kcb_emr.visit:1,kcb_emr.visit:2,same,BS A,2026-03-01,thẻ,\n"
        "kcb_emr.visit:1,kcb_emr.visit:1,same,BS A,2026-03-01,thẻ,\n"
        "nothing:1,kcb_emr.visit:2,perhaps,,2026-03-01,thẻ,\n",
        "utf-8",
    )
    (folder / "b.yaml").write_text(
        "judgements:\n"
        '  - {a: "kcb_emr.visit:1", b: "kcb_em.visit:2", verdict: different, by: B, on: "2026-03-02", why: w}\n',
        "utf-8",
    )
    problems = Problems(tmp_path)
    found = load_judgements(tmp_path, {"kcb_emr.visit"}, problems)
    assert [(j.b, j.verdict, j.source) for j in found] == [
        ("kcb_emr.visit:2", "same", "rules/judgements/a.csv")
    ]
    places = {(p.file, p.line) for p in problems.found}
    assert places == {
        ("rules/judgements/a.csv", 3), ("rules/judgements/a.csv", 4), ("rules/judgements/b.yaml", 2)
    }  # fmt: skip
