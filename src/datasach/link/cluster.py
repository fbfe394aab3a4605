"""From edges to persons: components, and inside a contested component only the unions nothing forbids.

Where every component is free of contradictions the plain components are the answer. A component that
holds two different personal ids (or two births and two sexes) is rebuilt edge by edge, strongest key
first, and a union that would bring the contradiction into one person is refused: one bad edge cannot
join two people. The order of edges is that of the eldest records, so the result does not depend on
row order or on how many nights were run at once.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from datasach.link.partition import components
from datasach.store.warehouse import Warehouse


def cluster(warehouse: Warehouse) -> int:
    """Reads   link.signatures, link.edges
    Writes  link.elders     sid, elder (sid of the eldest signature of its person)
            link.cut_edges  edges that were refused inside a contested component
    Returns how many edges were cut.
    """
    signatures = warehouse.frame(
        "SELECT sid, citizen_id, birth_year, sex, record_key FROM link.signatures ORDER BY sid"
    )
    edges = warehouse.frame("SELECT sid_a, sid_b, rank FROM link.edges ORDER BY rank, sid_a, sid_b")
    labels = components(signatures.height, edges["sid_a"].to_numpy(), edges["sid_b"].to_numpy())
    labels, cut = _mend(signatures, edges, labels)
    elders = (
        pl.DataFrame({"sid": signatures["sid"], "label": labels})
        .with_columns(pl.col("sid").min().over("label").alias("elder"))
        .select("sid", "elder")
    )
    warehouse.put("link.elders", elders)
    warehouse.put(
        "link.cut_edges",
        pl.DataFrame(cut, schema={"sid_a": pl.Int64, "sid_b": pl.Int64}, orient="row"),
    )
    return len(cut)


def _mend(
    signatures: pl.DataFrame, edges: pl.DataFrame, labels: np.ndarray
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Rebuild the components that hold a contradiction."""
    contested = (
        signatures.with_columns(pl.Series("label", labels))
        .group_by("label")
        .agg(
            pl.col("citizen_id").drop_nulls().n_unique().alias("ids"),
            pl.col("birth_year").drop_nulls().n_unique().alias("years"),
            pl.col("sex").drop_nulls().n_unique().alias("sexes"),
        )
        .filter((pl.col("ids") > 1) | ((pl.col("years") > 1) & (pl.col("sexes") > 1)))
        .get_column("label")
        .to_numpy()
    )
    if not len(contested):
        return labels, []
    inside = np.isin(labels, contested)
    members = np.flatnonzero(inside)
    ids = signatures["citizen_id"].to_list()
    years = signatures["birth_year"].to_list()
    sexes = signatures["sex"].to_list()
    parent = {int(m): int(m) for m in members}
    known: dict[int, tuple[set[str], set[tuple[int, str]]]] = {
        m: ({ids[m]} - {None}, {(years[m], sexes[m])} if years[m] and sexes[m] else set())
        for m in parent
    }
    cut: list[tuple[int, int]] = []

    def find(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in (
        edges.select("sid_a", "sid_b")
        .filter(pl.Series(inside[edges["sid_a"].to_numpy()]))
        .iter_rows()
    ):
        root_a, root_b = find(a), find(b)
        if root_a == root_b:
            continue
        people = known[root_a][0] | known[root_b][0]
        births = known[root_a][1] | known[root_b][1]
        if len(people) > 1 or _contradict(births):
            cut.append((a, b))
            continue
        keep, drop = min(root_a, root_b), max(root_a, root_b)
        parent[drop] = keep
        known[keep] = (people, births)
    result = labels.copy()
    fresh = int(labels.max()) + 1
    for member in parent:
        result[member] = fresh + find(member)
    return result, cut


def _contradict(births: set[tuple[int, str]]) -> bool:
    """Two of them differ in year and in sex."""
    return any(y1 != y2 and s1 != s2 for y1, s1 in births for y2, s2 in births)
