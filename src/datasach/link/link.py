"""Linking, in the order it is done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from datasach.link.cluster import cluster
from datasach.link.encounters import match_encounters
from datasach.link.golden import golden_records
from datasach.link.persons import name_persons
from datasach.link.queue import rank_queue
from datasach.link.records import DISTINGUISHING, collect_records
from datasach.link.registers import match_registers, measure_reuse
from datasach.link.strong import strong_edges
from datasach.link.temporary import follow_temporary_ids
from datasach.link.weighed import put_to_people, weigh_signatures
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
    merged: int
    split: int
    identified: int
    restored: int
    judgements: int
    contradictions: int
    two_ids: int
    same_visits: int


def link(warehouse: Warehouse, project: Project, until: date) -> Linked:
    """Reads   current.*, the last snapshot's ids, judgements
    Writes  link.record_persons and the tables of ids and judgements (see `persons`)
            link.unit_persons    _key of a treatment episode → person_id, for tables that name nobody
            golden.person, link.review, link.identity_review; what registers, temporary ids and visits come to
    """
    collect_records(warehouse, project, project.linkage)
    strong_edges(warehouse, project.linkage)
    weighed = weigh_signatures(warehouse, project)
    cut = cluster(warehouse)
    _hand_over(warehouse)
    named = name_persons(warehouse, project, until)
    _signature_persons(warehouse)
    _unit_persons(warehouse, project)
    golden_records(warehouse, project.survivorship)
    put_to_people(warehouse, weighed)
    possible = rank_queue(warehouse, "link.possible_pairs", project.review)
    match_registers(warehouse)
    measure_reuse(warehouse)
    follow_temporary_ids(warehouse)
    same_visits = match_encounters(warehouse, project.encounter)
    states = list(named.judgements.states.values())
    return Linked(
        records=warehouse.value("SELECT count(*) FROM link.records"),
        signatures=warehouse.value("SELECT count(*) FROM link.signatures"),
        persons=warehouse.value("SELECT count(*) FROM golden.person"),
        edges=warehouse.value("SELECT count(*) FROM link.edges"),
        cut_edges=cut,
        refused_pairs=warehouse.value("SELECT count(*) FROM link.refused"),
        possible_pairs=possible,
        merged=named.changes.merged,
        split=named.changes.split,
        identified=named.changes.identified,
        restored=named.changes.restored,
        judgements=states.count("in_force"),
        contradictions=len(named.judgements.contradictions),
        two_ids=named.two_ids,
        same_visits=same_visits,
    )


def _hand_over(warehouse: Warehouse) -> None:
    """Writes  link.record_signatures  record_key, sid
    link.clusters_new       record_key (once each), cluster
    link.record_edges       view: record_key_a, record_key_b, weight; the stronger the key the larger, and
                            records of one signature are closest of all
    """
    same = " AND ".join(f"r.{c} IS NOT DISTINCT FROM s.{c}" for c in DISTINGUISHING)
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE link.record_signatures AS
        SELECT r.record_key, min(s.sid) AS sid FROM link.records r JOIN link.signatures s ON {same}
        GROUP BY r.record_key;
        CREATE OR REPLACE TABLE link.clusters_new AS
        SELECT record_key, elder AS cluster FROM link.record_signatures JOIN link.elders USING (sid);
        CREATE OR REPLACE VIEW link.record_edges AS
        SELECT a.record_key AS record_key_a, b.record_key AS record_key_b, (100 - e.rank)::DOUBLE AS weight,
               e.strong_key AS because
        FROM link.edges e JOIN link.signatures a ON a.sid = e.sid_a JOIN link.signatures b ON b.sid = e.sid_b
        UNION ALL
        SELECT s.record_key, r.record_key, 1000.0, 'same_words'
        FROM link.record_signatures r JOIN link.signatures s USING (sid) WHERE s.record_key <> r.record_key
        """
    )


def _signature_persons(warehouse: Warehouse) -> None:
    """Writes  link.clusters  sid → person_id of its eldest record (a judgement can part records of one signature)"""
    warehouse.execute(
        "CREATE OR REPLACE TABLE link.clusters AS SELECT s.sid, m.person_id"
        " FROM link.signatures s JOIN link.member m USING (record_key)"
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
