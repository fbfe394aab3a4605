"""`datasach explain P-…` and `datasach person`: who an id means, why his records are one, and what became of the id."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb

from datasach.errors import DatasachError
from datasach.store.layout import Layout

PERSON_ID = re.compile(r"[PT]-[0-9a-f]{16}")
SHOWN_MEMBERS = 200


class NoSuchPerson(DatasachError):
    exit_code = 2


Row = dict[str, Any]


def is_person(word: str) -> bool:
    return PERSON_ID.fullmatch(word) is not None


def person_facts(out: Path, person: str) -> Row:
    """What is known of an id, keys and codes only: `person_id`; `living`; `forwarded` (the way to the living id);
    `members` (record_key, first_night); `earlier_ids` that lead here; `history` of its records and of its id;
    `edges` between members with what made them; `weakest` (the edge without which he would fall apart into the
    most equal parts among the weakest, with the size of the smaller part; None for a single record or where no
    edge is a bridge); `judgements` about his records; `golden` (field → record the value was taken from).

    Raises NoSuchPerson if no night gave this id.
    """
    layout = Layout(out.resolve())
    with duckdb.connect() as con:
        forwarded = _way(con, layout, person)
        members = _rows(
            con, f"SELECT record_key, first_night FROM {_published(layout, 'member')} WHERE person_id = ? ORDER BY first_night, record_key",
            person,
        )  # fmt: skip
        if not members and not forwarded:
            raise NoSuchPerson(f"no night gave the id {person}")
        keys = [m["record_key"] for m in members]
        edges = _edges(con, layout, keys)
        facts: Row = {
            "person_id": person,
            "living": bool(members),
            "forwarded": forwarded,
            "members": members,
            "earlier_ids": _rows(
                con, f"SELECT person_id, night, cause FROM {_published(layout, 'forwarding')} WHERE leads_to = ? ORDER BY ALL",
                person,
            ),
            "history": _rows(
                con, f"SELECT * FROM {_published(layout, 'history')} WHERE person_id = $1 OR other_id = $1 ORDER BY ALL",
                person,
            ),
            "edges": edges,
            "weakest": weakest_link(keys, edges),
            "judgements": _rows(
                con, f"SELECT id, verdict, state, a, b, judged_by, why FROM {_result(layout, 'identity_judgements')}"
                " WHERE a IN (SELECT unnest($1)) OR b IN (SELECT unnest($1)) ORDER BY judged_at, id", keys,
            ),
            "golden": _golden(con, layout, person),
        }  # fmt: skip
    return facts


def weakest_link(keys: list[str], edges: list[Row]) -> Row | None:
    """The last edge that joining the records strongest edge first needs, with the size of the smaller side."""
    parent = {key: key for key in keys}
    size = dict.fromkeys(keys, 1)

    def root(key: str) -> str:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    found = None
    for edge in sorted(edges, key=lambda e: (-e["weight"], e["record_key_a"], e["record_key_b"])):
        a, b = root(edge["record_key_a"]), root(edge["record_key_b"])
        if a != b:
            smaller = min(size[a], size[b])
            parent[b] = a
            size[a] += size[b]
            found = {**edge, "smaller_side": smaller}
    return found


def explain_person(out: Path, person: str) -> str:
    """The facts as text. No value of a person stands in it: records, fields and codes only."""
    facts = person_facts(out, person)
    members = facts["members"]
    lines = [
        f"person     {person}" + ("" if facts["living"] else "   không còn dùng · no longer given")
    ]
    lines += [
        f"forwarded  {f['person_id']} → {f['forwarded_to'] or 'nobody'}   night {f['night']}, {f['cause']}"
        for f in facts["forwarded"]
    ]
    if not facts["living"]:
        lines.append(
            f"now        {facts['forwarded'][-1]['forwarded_to'] or 'nobody: its records are gone'}"
        )
    lines.append(f"records    {len(members)}")
    lines += [
        f"           {m['record_key']}   since {m['first_night']}" for m in members[:SHOWN_MEMBERS]
    ]
    if len(members) > SHOWN_MEMBERS:
        lines.append(f"           … {len(members) - SHOWN_MEMBERS} more")
    lines += [
        f"edge       {e['because']}   {e['record_key_a']} — {e['record_key_b']}   weight {e['weight']:g}"
        for e in facts["edges"][:SHOWN_MEMBERS]
    ]
    if (weakest := facts["weakest"]) is not None:
        lines.append(
            f"weakest    {weakest['because']}   {weakest['record_key_a']} — {weakest['record_key_b']}"
            f"   weight {weakest['weight']:g}; without it {weakest['smaller_side']} of {len(members)} records fall away"
        )
    lines += [f"golden     {field:18} from {key}" for field, key in facts["golden"].items()]
    lines += [
        f"judgement  {j['id']} {j['verdict']} ({j['state']})   {j['a']} | {j['b']}   {j['judged_by']}: {j['why']}"
        for j in facts["judgements"]
    ]
    lines += [
        f"earlier id {e['person_id']}   until {e['night']}, {e['cause']}"
        for e in facts["earlier_ids"]
    ]
    return "\n".join([*lines, *_history_lines(facts["history"])])


def person_text(out: Path, person: str, as_json: bool) -> str:
    """`datasach person`: the id, where it leads, and every change of it."""
    facts = person_facts(out, person)
    if as_json:
        return json.dumps(facts, ensure_ascii=False, indent=1, default=str)
    now = person if facts["living"] else facts["forwarded"][-1]["forwarded_to"]
    lines = [
        f"{person}   → {now or 'nobody'}"
        if now != person
        else f"{person}   {len(facts['members'])} hồ sơ · records"
    ]
    lines += [
        f"forwarded  {f['person_id']} → {f['forwarded_to'] or 'nobody'}   night {f['night']}, {f['cause']}"
        for f in facts["forwarded"]
    ]
    lines += [
        f"earlier id {e['person_id']}   until {e['night']}, {e['cause']}"
        for e in facts["earlier_ids"]
    ]
    return "\n".join([*lines, *_history_lines(facts["history"])])


def _history_lines(history: list[Row]) -> list[str]:
    return [
        f"history    {h['night']}  {h['cause']:10} {h['record_key']}   {h['other_id']} → {h['person_id'] or 'nobody'}   {h['reason']}"
        for h in history
    ]


def _way(con: duckdb.DuckDBPyConnection, layout: Layout, person: str) -> list[Row]:
    way: list[Row] = []
    at: str | None = person
    while at is not None:
        step = _rows(
            con, f"SELECT person_id, forwarded_to, night, cause FROM {_published(layout, 'forwarding')} WHERE person_id = ?", at
        )  # fmt: skip
        if not step:
            break
        way += step
        at = step[0]["forwarded_to"]
    return way


def _edges(con: duckdb.DuckDBPyConnection, layout: Layout, keys: list[str]) -> list[Row]:
    return _rows(
        con,
        f"SELECT record_key_a, record_key_b, weight, because FROM {_result(layout, 'identity_edges')}"
        " WHERE record_key_a IN (SELECT unnest($1)) AND record_key_b IN (SELECT unnest($1))"
        " UNION ALL SELECT a, b, 10000.0, 'judgement ' || id"
        f" FROM {_result(layout, 'identity_judgements')} WHERE verdict = 'same' AND state = 'in_force'"
        " AND a IN (SELECT unnest($1)) AND b IN (SELECT unnest($1))"
        " ORDER BY weight DESC, record_key_a, record_key_b",
        keys,
    )


def _golden(con: duckdb.DuckDBPyConnection, layout: Layout, person: str) -> dict[str, str]:
    rows = _rows(con, f"SELECT * FROM {_published(layout, 'person')} WHERE person_id = ?", person)
    return {
        name.removesuffix("_from"): key
        for name, key in (rows[0].items() if rows else ())
        if name.endswith("_from") and key is not None
    }


def _published(layout: Layout, name: str) -> str:
    path = layout.published / "latest" / "persons" / f"{name}.parquet"
    if not path.exists():
        raise NoSuchPerson(f"no night of {layout.root} has published persons yet")
    return f"read_parquet('{path.resolve()}')"


def _result(layout: Layout, name: str) -> str:
    return f"read_parquet('{layout.state}/results/{name}.parquet')"


def _rows(con: duckdb.DuckDBPyConnection, sql: str, *parameters: Any) -> list[Row]:
    cursor = con.execute(sql, list(parameters))
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
