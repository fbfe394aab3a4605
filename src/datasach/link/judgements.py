"""What people decided about two records, and how it is obeyed.

A judgement is never changed or removed: the file `state/judgements.jsonl` only grows, every line carries the
digest of the line before it, and a pair that is judged again follows its newest judgement. Declared
judgements (`rules/judgements/`) count as if they had been taken on their day.

`same` and `different` beat every score; what they come to together, `settle` says.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TypeVar

import polars as pl

from datasach import settings
from datasach.errors import WarehouseDamaged
from datasach.link.settle import Judgement, Settled, settle
from datasach.spec.judgement import JudgementSpec
from datasach.spec.project import Project
from datasach.store.layout import Layout
from datasach.store.warehouse import Warehouse

FILE = "judgements.jsonl"
Node = TypeVar("Node", str, int)
# -- the file ------------------------------------------------------------------------------------


def journal(layout: Layout) -> Path:
    return layout.state / FILE


def read_journal(layout: Layout) -> list[Judgement]:
    """The judgements taken in this warehouse, in the order they were taken.

    Raises WarehouseDamaged if a line was changed, removed or put between others.
    """
    path = journal(layout)
    if not path.exists():
        return []
    found = []
    before = ""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            said = json.loads(line)
            after = said.pop("after")
            one = Judgement(**said, source=FILE)
        except (ValueError, TypeError, KeyError):
            raise WarehouseDamaged(f"{FILE}:{number}: not a judgement") from None
        if after != before or one.id != _id_of(asdict(one)):
            raise WarehouseDamaged(f"{FILE}:{number}: changed after it was written")
        before = _digest(line)
        found.append(one)
    return found


def record_judgement(layout: Layout, said: JudgementSpec) -> Judgement:
    """Append one judgement, on disk when this returns. The record keys are the caller's to check."""
    path = journal(layout)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        lines = path.read_text("utf-8").splitlines()
        values = {
            "at": settings.now().isoformat(), "a": said.a, "b": said.b, "verdict": said.verdict,
            "by": said.by, "why": said.why, "until": said.until.isoformat() if said.until else None,
        }  # fmt: skip
        values = {"id": _id_of(values), **values, "after": _digest(lines[-1]) if lines else ""}
        text = json.dumps(values, ensure_ascii=False) + "\n"
        os.write(handle, text.encode("utf-8"))
        os.fsync(handle)
    finally:
        os.close(handle)
    return next(one for one in reversed(read_journal(layout)) if one.id == values["id"])


def all_judgements(layout: Layout, project: Project) -> list[Judgement]:
    """Those of the warehouse and the declared ones; one that says the same twice counts once."""
    found = {one.id: one for one in read_journal(layout)}
    for spec in project.judgements:
        values = {
            "at": spec.on.isoformat(), "a": spec.a, "b": spec.b, "verdict": spec.verdict, "by": spec.by,
            "why": spec.why, "until": spec.until.isoformat() if spec.until else None,
        }  # fmt: skip
        identifier = _id_of(values)
        found.setdefault(identifier, Judgement(id=identifier, **values, source=spec.source))  # type: ignore[arg-type]
    return sorted(found.values(), key=lambda one: (one.at, one.id))


def _id_of(values: dict[str, str | None]) -> str:
    said = [values[name] for name in ("at", "a", "b", "verdict", "by", "why", "until")]
    return "J-" + _digest(json.dumps(said, ensure_ascii=False))[:12]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


# -- what they come to ---------------------------------------------------------------------------


def settle_judgements(warehouse: Warehouse, project: Project, until: date) -> Settled:
    """Reads   link.records, the judgements of the warehouse and of the project
    Writes  link.judgements      all of them, with the state each has tonight
            link.must            record_key_a < record_key_b that are one person (a star per group), judgements
            link.cannot          record_key_a < record_key_b that are two persons, judgements
            link.contradictions  same, different, others: ids of judgements that cannot all be true
    """
    judgements = all_judgements(warehouse.layout, project)
    named = pl.DataFrame({"record_key": sorted({key for j in judgements for key in j.pair})})
    warehouse.put("link.judged_records", named.cast(pl.String))
    here = warehouse.rows(
        "SELECT DISTINCT record_key FROM link.records SEMI JOIN link.judged_records USING (record_key)"
    )
    settled = settle(judgements, until, {str(row[0]) for row in here})
    texts = dict.fromkeys(
        ("id", "at", "a", "b", "verdict", "by", "why", "until", "source"), pl.String
    )
    frame = pl.DataFrame([asdict(one) for one in judgements], schema=texts)
    frame = frame.rename({"at": "judged_at", "by": "judged_by"})
    state = [settled.states[one.id] for one in judgements]
    warehouse.put("link.judgements", frame.with_columns(pl.Series("state", state, pl.String)))
    pair = dict.fromkeys(("record_key_a", "record_key_b", "judgements"), pl.String)
    must = [(keys[0], other, ";".join(ids)) for keys, ids in settled.groups for other in keys[1:]]
    warehouse.put("link.must", pl.DataFrame(must, schema=pair, orient="row"))
    warehouse.put("link.cannot", pl.DataFrame(settled.apart, schema=pair, orient="row"))
    warehouse.put(
        "link.contradictions",
        pl.DataFrame(
            [(a, b, ";".join(way)) for a, b, way in settled.contradictions],
            schema=dict.fromkeys(("same", "different", "others"), pl.String),
            orient="row",
        ),
    )
    return settled


# -- obeying them --------------------------------------------------------------------------------


def apply_judgements(warehouse: Warehouse, edges: str, clusters: str, into: str) -> None:
    """Reads   `clusters` record_key, cluster BIGINT; `edges` record_key_a, record_key_b, weight (the larger the
            stronger; records of one cluster hang together by them); link.must, link.cannot
    Writes  `into`  record_key, cluster: the same clusters, except that judged records are where people put them

    Clusters that a `same` connects become one. A cluster that holds two records judged different is put together
    again from its judgements and then from its edges, strongest first, without the unions that would bring the
    two together: what is far from the judged pair stays where it was. No other cluster changes.
    """
    warehouse.execute(
        f"CREATE OR REPLACE TABLE {into} AS SELECT record_key, cluster FROM {clusters}"
    )
    if not warehouse.value(
        "SELECT (SELECT count(*) FROM link.must) + (SELECT count(*) FROM link.cannot)"
    ):
        return
    _unite(warehouse, into)
    warehouse.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE judged_apart AS
        SELECT DISTINCT a.cluster FROM link.cannot p JOIN {into} a ON a.record_key = p.record_key_a
        JOIN {into} b ON b.record_key = p.record_key_b WHERE a.cluster = b.cluster
        """
    )
    if not warehouse.value("SELECT count(*) FROM judged_apart"):
        return
    members = warehouse.rows(
        f"SELECT DISTINCT record_key, cluster FROM {into} SEMI JOIN judged_apart USING (cluster) ORDER BY ALL"
    )
    inside = (
        f"JOIN (SELECT record_key, cluster FROM {into} SEMI JOIN judged_apart USING (cluster)) a"
        " ON a.record_key = e.record_key_a"
        f" JOIN {into} b ON b.record_key = e.record_key_b AND b.cluster = a.cluster"
    )
    links = warehouse.rows(
        f"SELECT e.record_key_a, e.record_key_b FROM link.must e {inside} ORDER BY 1, 2"
    )
    links += warehouse.rows(
        f"SELECT e.record_key_a, e.record_key_b FROM {edges} e {inside} ORDER BY e.weight DESC, 1, 2"
    )
    cannot = warehouse.rows(
        f"SELECT e.record_key_a, e.record_key_b FROM link.cannot e {inside} ORDER BY 1, 2"
    )
    roots = unions([str(key) for key, _ in members], links, cannot)
    fresh = int(warehouse.value(f"SELECT max(cluster) FROM {into}")) + 1
    number = {root: fresh + i for i, root in enumerate(sorted(set(roots.values())))}
    warehouse.put(
        "link.judged_clusters",
        pl.DataFrame(
            [(key, number[root]) for key, root in roots.items()],
            schema={"record_key": pl.String, "cluster": pl.Int64},
            orient="row",
        ),
    )
    warehouse.execute(
        f"UPDATE {into} AS c SET cluster = j.cluster FROM link.judged_clusters j WHERE j.record_key = c.record_key"
    )


def _unite(warehouse: Warehouse, into: str) -> None:
    """Make one of the clusters that `same` judgements connect."""
    pairs = warehouse.rows(
        f"SELECT DISTINCT a.cluster, b.cluster FROM link.must p JOIN {into} a ON a.record_key = p.record_key_a"
        f" JOIN {into} b ON b.record_key = p.record_key_b WHERE a.cluster <> b.cluster ORDER BY ALL"
    )
    if not pairs:
        return
    names = sorted({cluster for pair in pairs for cluster in pair})
    roots = unions(names, pairs, [])
    warehouse.put(
        "link.united_clusters",
        pl.DataFrame(
            [(old, new) for old, new in roots.items() if old != new],
            schema={"old": pl.Int64, "new": pl.Int64},
            orient="row",
        ),
    )
    warehouse.execute(
        f"UPDATE {into} AS c SET cluster = u.new FROM link.united_clusters u WHERE u.old = c.cluster"
    )


def unions(
    nodes: Iterable[Node], links: Iterable[tuple[Node, Node]], apart: Iterable[tuple[Node, Node]]
) -> dict[Node, Node]:
    """Node → smallest node of its group: `links` in their order, except those that would unite an `apart` pair."""
    parent = {node: node for node in nodes}
    forbidden: dict[Node, set[Node]] = {}
    for a, b in apart:
        forbidden.setdefault(a, set()).add(b)
        forbidden.setdefault(b, set()).add(a)

    def root(node: Node) -> Node:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in links:
        keep, drop = sorted((root(a), root(b)))
        if keep == drop or any(root(other) == keep for other in forbidden.get(drop, ())):
            continue
        parent[drop] = keep
        forbidden.setdefault(keep, set()).update(forbidden.get(drop, ()))
    return {node: root(node) for node in parent}
