"""Clusters against an independent oracle, on random graphs; and what must never be merged is not."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from datasach.link.cluster import cluster


class Tables:
    """The little of a warehouse that clustering touches."""

    def __init__(self, signatures: pl.DataFrame, edges: pl.DataFrame) -> None:
        self._frames = {"link.signatures": signatures, "link.edges": edges}
        self.written: dict[str, pl.DataFrame] = {}

    def frame(self, sql: str) -> pl.DataFrame:
        name = next(name for name in self._frames if name in sql)
        frame = self._frames[name]
        return frame.sort("rank", "sid_a", "sid_b") if name == "link.edges" else frame

    def put(self, name: str, frame: pl.DataFrame) -> None:
        self.written[name] = frame


@st.composite
def populations(
    draw: Any,
) -> tuple[list[tuple[str | None, int | None, str | None]], list[tuple[int, int, int]]]:
    size = draw(st.integers(1, 12))
    people = [
        (
            draw(st.sampled_from([None, None, "A", "B"])),
            draw(st.sampled_from([None, 1980, 1999])),
            draw(st.sampled_from([None, "1", "2"])),
        )
        for _ in range(size)
    ]
    pairs = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)).filter(
        lambda p: p[0] < p[1]
    )
    edges = draw(st.lists(pairs, max_size=14, unique=True)) if size > 1 else []
    return people, [(a, b, draw(st.integers(0, 3))) for a, b in edges]


def run(people: Any, edges: Any) -> tuple[list[int], set[tuple[int, int]]]:
    signatures = pl.DataFrame(
        [(i, *p, f"r{i:03}") for i, p in enumerate(people)],
        schema={
            "sid": pl.Int64,
            "citizen_id": pl.String,
            "birth_year": pl.Int32,
            "sex": pl.String,
            "record_key": pl.String,
        },
        orient="row",
    )
    frame = pl.DataFrame(
        edges, schema={"sid_a": pl.Int64, "sid_b": pl.Int64, "rank": pl.Int64}, orient="row"
    )
    tables = Tables(signatures, frame)
    cluster(tables)  # type: ignore[arg-type]
    cut = set(tables.written["link.cut_edges"].rows())
    return tables.written["link.elders"].sort("sid")["elder"].to_list(), cut


def contradict(a: Any, b: Any) -> bool:
    both_ids = a[0] and b[0] and a[0] != b[0]
    births = a[1] and b[1] and a[2] and b[2] and a[1] != b[1] and a[2] != b[2]
    return bool(both_ids or births)


@given(populations())
def test_no_person_holds_a_contradiction(population: Any) -> None:
    people, edges = population
    ids, _ = run(people, edges)
    for i, a in enumerate(people):
        for j, b in enumerate(people[:i]):
            if ids[i] == ids[j]:
                assert not contradict(a, b)


@given(populations())
def test_without_contradictions_persons_are_the_components_of_the_graph(population: Any) -> None:
    people, edges = population
    blank = [(None, None, None)] * len(people)
    ids, cut = run(blank, edges)
    parent = list(range(len(people)))

    def find(x: int) -> int:
        return x if parent[x] == x else find(parent[x])

    for a, b, _ in edges:
        parent[find(a)] = find(b)
    assert cut == set()
    for i in range(len(people)):
        for j in range(i):
            assert (ids[i] == ids[j]) == (find(i) == find(j))


@given(populations())
def test_a_person_is_named_after_the_eldest_record(population: Any) -> None:
    people, edges = population
    ids, _ = run(people, edges)
    for name in set(ids):
        assert name == ids.index(name)


@given(populations(), st.randoms())
def test_the_order_of_edges_as_they_come_does_not_matter(population: Any, random: Any) -> None:
    people, edges = population
    shuffled = list(edges)
    random.shuffle(shuffled)
    assert run(people, edges) == run(people, shuffled)
