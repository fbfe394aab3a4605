"""Records that give away what the law keeps apart (HIV): found once, left out of whatever is not for them."""

from __future__ import annotations

import duckdb

from datasach.spec.access import Group, Marker
from datasach.spec.contract import Table
from datasach.spec.project import Project
from datasach.store.persons import person_join
from datasach.store.warehouse import sql_name

EPISODE = "ma_lk"
_WORDY = frozenset(("text", "code", "codes"))


def find_episodes(con: duckdb.DuckDBPyConnection, project: Project, group: Group) -> None:
    """Reads `pub.*`; makes `apart_episodes_<group>` (facility, ma_lk) and `apart_records_<group>`
    (table_id, key): everything that is to be kept apart because something of it tells.

    A line without an episode of its own (of an e-prescription) tells of its parent's record.
    """
    episodes, records = [], []
    about_people = [t for t in project.tables.values() if person_join(project, t.id, "c")[0]]
    for table in about_people:
        source = f"pub.{sql_name(table.id)} r"
        if table.id in group.tables:
            tells = "true"
        else:
            tells = _tells(table, [m for m in group.markers if m.reach == "episode"])
        if tells == "false":
            continue
        if EPISODE in table.field_names:
            episodes.append(f"SELECT _facility, {EPISODE} FROM {source} WHERE {tells}")
        owner = project.tables[f"{table.database}.{table.parent}"] if table.parent else table
        if owner.key and all(key in table.field_names for key in owner.key):
            key = _key("r", owner)
            records.append(
                f"SELECT '{owner.id}' AS table_id, {key} AS key FROM {source} WHERE {tells}"
            )
    # The parent record of a telling line tells as well: its episode goes with it.
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE apart_records_{group.id} AS"
        f" SELECT DISTINCT table_id, key FROM ({' UNION ALL '.join(records) or _NO_RECORDS})"
        " WHERE key IS NOT NULL"
    )
    for table in about_people:
        if table.key and EPISODE in table.field_names and not table.is_enveloped:
            episodes.append(
                f"SELECT _facility, {EPISODE} FROM pub.{sql_name(table.id)} r JOIN apart_records_{group.id} a"
                f" ON a.table_id = '{table.id}' AND a.key = {_key('r', table)}"
            )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE apart_episodes_{group.id} AS"
        f" SELECT DISTINCT _facility, {EPISODE} FROM ({' UNION ALL '.join(episodes) or _NO_EPISODES})"
        f" WHERE {EPISODE} IS NOT NULL"
    )


_NO_RECORDS = "SELECT NULL::VARCHAR AS table_id, NULL::VARCHAR AS key WHERE false"
_NO_EPISODES = f"SELECT NULL::VARCHAR AS _facility, NULL::VARCHAR AS {EPISODE} WHERE false"


def belongs_sql(project: Project, group: Group, table: Table) -> str:
    """SQL that is true for the rows `r` of a table that the group keeps apart; needs `find_episodes`."""
    if table.id in group.tables:
        return "true"
    parts = [_tells(table, group.markers)]
    if EPISODE in table.field_names:
        parts.append(
            f"EXISTS (FROM apart_episodes_{group.id} a WHERE a._facility = r._facility AND a.{EPISODE} = r.{EPISODE})"
        )
    owner = project.tables[f"{table.database}.{table.parent}"] if table.parent else table
    if owner.key and all(key in table.field_names for key in owner.key) and not table.is_enveloped:
        parts.append(
            f"EXISTS (FROM apart_records_{group.id} a WHERE a.table_id = '{owner.id}' AND a.key = {_key('r', owner)})"
        )
        if EPISODE not in table.field_names and EPISODE in owner.field_names:
            same = " AND ".join(f'o."{key}" = r."{key}"' for key in owner.key)
            parts.append(
                f"EXISTS (FROM pub.{sql_name(owner.id)} o JOIN apart_episodes_{group.id} a"
                f" ON a._facility = o._facility AND a.{EPISODE} = o.{EPISODE} WHERE {same})"
            )
    found = [part for part in parts if part != "false"]
    return "(" + " OR ".join(found) + ")" if found else "false"


def _key(alias: str, table: Table) -> str:
    return "concat_ws('|', " + ", ".join(f'{alias}."{key}"' for key in table.key) + ")"


def _tells(table: Table, markers: list[Marker]) -> str:
    """SQL: does a row `r` of the table show one of the markers in its own fields?"""
    codes = [f.name for f in table.fields if f.type in ("icd", "icds")]
    texts = [f.name for f in table.fields if f.type in _WORDY]
    parts = []
    for marker in markers:
        if marker.icd and codes:
            listed = "|".join(code.replace(".", r"\.?") for code in marker.icd)
            joined = _joined(codes)
            parts.append(f"regexp_matches({joined}, '(^|[; ])({listed})')")
        if marker.words and texts:
            listed = "|".join(rf"{w}\b" if len(w) < 5 else w for w in marker.words)
            folded = f"replace(strip_accents(lower({_joined(texts)})), 'đ', 'd')"
            parts.append(rf"regexp_matches({folded}, '\b({listed})')")
    return "(" + " OR ".join(parts) + ")" if parts else "false"


def _joined(fields: list[str]) -> str:
    return "concat_ws(' ', " + ", ".join(f'r."{name}"' for name in fields) + ")"
