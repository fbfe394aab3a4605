"""From clusters to persons: what people judged, the ids that live, and what must never be.

The engine hands over `link.clusters_new` and `link.record_edges`; everything after it reads the tables written here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from datasach.link.identity import Changes, assign_ids, read_state
from datasach.link.judgements import apply_judgements, settle_judgements
from datasach.link.settle import Settled
from datasach.link.temporary import find_identified
from datasach.link.two_ids import find_two_ids
from datasach.spec.project import Project
from datasach.store.warehouse import Warehouse

ENGINE_CLUSTERS, EDGES, CLUSTERS = "link.clusters_new", "link.record_edges", "link.clusters_judged"


@dataclass(frozen=True, slots=True)
class Named:
    judgements: Settled
    changes: Changes
    two_ids: int
    """Persons that break the invariant; the gate withholds what would show them."""


def name_persons(warehouse: Warehouse, project: Project, until: date) -> Named:
    """Reads   link.records; link.clusters_new (record_key once, cluster), link.record_edges (record_key_a, record_key_b,
            weight); the last snapshot's ids; judgements
    Writes  link.member, link.cluster_persons, link.forwarding, link.history, link.id_conflicts (see `identity`,
            `two_ids`), link.judgements, link.contradictions (see `judgements`)
            link.record_persons    record_key, table_id, _file, _row, _key, person_id
            link.identity_changes  night, cause, reason, persons, records: the history, counted
    """
    settled = settle_judgements(warehouse, project, until)
    apply_judgements(warehouse, EDGES, ENGINE_CLUSTERS, CLUSTERS)
    find_identified(warehouse, project)
    last_night = read_state(warehouse)
    changes = assign_ids(warehouse, CLUSTERS, "link.identified", until, last_night)
    two_ids = find_two_ids(warehouse, ENGINE_CLUSTERS)
    warehouse.execute(
        "CREATE OR REPLACE TABLE link.record_persons AS"
        " SELECT record_key, r.table_id, r._file, r._row, r._key, m.person_id"
        " FROM link.records r JOIN link.member m USING (record_key) ORDER BY record_key, _file, _row"
    )
    warehouse.execute(
        "CREATE OR REPLACE TABLE link.identity_changes AS"
        " SELECT night, cause, regexp_replace(reason, ' .*', '') AS reason, count(*) AS records,"
        " count(DISTINCT CASE WHEN cause IN ('split', 'restored') THEN person_id ELSE other_id END) AS persons"
        " FROM link.history GROUP BY ALL ORDER BY ALL"
    )
    return Named(settled, changes, two_ids)
