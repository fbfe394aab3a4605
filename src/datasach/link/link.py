"""Linking, in the order it is done."""

from __future__ import annotations

from dataclasses import dataclass

from datasach.link.cluster import cluster, name_persons
from datasach.link.golden import golden_records
from datasach.link.records import DISTINGUISHING, collect_records
from datasach.link.review import weigh_possible_pairs
from datasach.link.strong import strong_edges
from datasach.spec.project import Project
from datasach.store.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Linked:
    """What linking found, in counts."""

    records: int
    signatures: int
    persons: int
    edges: int
    cut_edges: int
    refused_pairs: int
    possible_pairs: int


def link(warehouse: Warehouse, project: Project) -> Linked:
    """Reads   current.*
    Writes  link.record_persons  record_key, table_id, _file, _row, _key, person_id
            link.unit_persons    _key of a treatment episode → person_id, for tables that name nobody
            golden.person, link.review
    """
    collect_records(warehouse, project, project.linkage)
    strong_edges(warehouse, project.linkage)
    cut = cluster(warehouse)
    name_persons(warehouse)
    _record_persons(warehouse)
    _unit_persons(warehouse, project)
    golden_records(warehouse, project.survivorship)
    possible = weigh_possible_pairs(warehouse, project.linkage)
    return Linked(
        records=warehouse.value("SELECT count(*) FROM link.records"),
        signatures=warehouse.value("SELECT count(*) FROM link.signatures"),
        persons=warehouse.value("SELECT count(*) FROM golden.person"),
        edges=warehouse.value("SELECT count(*) FROM link.edges"),
        cut_edges=cut,
        refused_pairs=warehouse.value("SELECT count(*) FROM link.refused"),
        possible_pairs=possible,
    )


def _record_persons(warehouse: Warehouse) -> None:
    same = " AND ".join(f"r.{c} IS NOT DISTINCT FROM s.{c}" for c in DISTINGUISHING)
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE link.record_persons AS
        SELECT r.record_key, r.table_id, r._file, r._row, r._key, c.person_id, r.sid
        FROM (SELECT r.*, s.sid FROM link.records r JOIN link.signatures s ON {same}) r
        JOIN link.clusters c USING (sid) ORDER BY r.record_key
        """
    )


def _unit_persons(warehouse: Warehouse, project: Project) -> None:
    """The person of a treatment episode: as its summary says, else as any of its papers does."""
    ranked = [
        t.id for t in project.tables.values() if t.is_enveloped and t.identity and t.name != "birth"
    ]
    ranked.sort(key=lambda t: (t not in ("kcb_emr.visit", "bhyt_claims.claim"), t))
    order = " ".join(f"WHEN '{table}' THEN {i}" for i, table in enumerate(ranked))
    listed = ", ".join(f"'{table}'" for table in ranked)
    warehouse.execute(
        f"CREATE OR REPLACE TABLE link.unit_persons AS SELECT _key, arg_min(person_id, CASE table_id {order} END)"
        f" AS person_id FROM link.record_persons WHERE table_id IN ({listed}) GROUP BY _key"
    )
