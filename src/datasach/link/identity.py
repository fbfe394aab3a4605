"""Ids that live: the same person keeps the same id from night to night.

A person's id is `P-` and 16 hex digits, the digest of the key of the record he was first known by (his founder).
Somebody who has no number yet carries `T-` and the digits he will keep when he is identified. What was
published last night decides tonight:

1.  Every person of last night follows the most of his records (a tie: where his eldest record is). Records that
    made a person of their own before they were merged into him do not count while others do: parted again,
    both have the ids they had.
2.  A cluster that several persons come to is the eldest of them; the others end and forward to him.
3.  A cluster nobody comes to is a new person, founded by its eldest record. If that record's id ended with the
    record inside (it was merged and is now apart again), the id comes back; if the id is another's by now
    (its founder left it), the record founds its next one.

Records are ordered by the night they first arrived, then by key, so that later nights never put an elder record
before one that is known: nights run one by one and all at once give the same ids, except where a person was
published that all nights together would not have made (docs/decisions/0034-ids-that-live.md).

The state is the last snapshot itself (`persons/member`, `persons/forwarding`, `persons/history`): ids and the data
that carry them move with one pointer, or not at all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

from datasach.store.warehouse import Warehouse

DIGITS = "left(sha256('datasach person ' || {key}), 16)"
"""Digits of the person whom record `key` founded. With their letter they never look like a personal id (12 digits), a CMND (9), a
social-insurance number (10) or a card (rule ID-013), and say nothing about the person. Two of 26
million collide once in about 50,000 nations."""

KNOWN_FOUNDINGS = 16
"""A record that founded more persons than this and left them all founds the next without looking back."""

MEMBER = {"record_key": "VARCHAR", "person_id": "VARCHAR", "first_night": "DATE"}
FORWARDING = {
    "person_id": "VARCHAR", "forwarded_to": "VARCHAR", "leads_to": "VARCHAR", "night": "DATE",
    "cause": "VARCHAR", "founder": "VARCHAR", "given_on": "DATE",
}  # fmt: skip
HISTORY = {
    "night": "DATE", "record_key": "VARCHAR", "person_id": "VARCHAR", "cause": "VARCHAR",
    "other_id": "VARCHAR", "reason": "VARCHAR",
}  # fmt: skip
STATE = {"member": MEMBER, "forwarding": FORWARDING, "history": HISTORY}
"""Tables of the snapshot that hold the ids, with their columns."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of last night's persons."""

    merged: int
    """Ids that ended because their records joined an elder person."""
    split: int
    """Ids given to records that left a person."""
    identified: int
    """Temporary ids that ended."""
    restored: int
    """Ids that came back."""


def founded_by(key: str, times: int = 0) -> str:
    """SQL of the digits of the person that record `key` (SQL) founds after having founded `times` others."""
    return DIGITS.format(key=key if times == 0 else f"{key} || ' {times}'")


def _is_founder(digits: str, key: str) -> str:
    """SQL: was the person `digits` founded by record `key`?"""
    return (
        f"({digits} IN ({', '.join(founded_by(key, times) for times in range(KNOWN_FOUNDINGS))}))"
    )


def read_state(warehouse: Warehouse) -> date | None:
    """Writes  link.last_member, link.last_forwarding, link.last_history  as the newest snapshot has them
    Returns its night; None before the first.
    """
    folder = warehouse.layout.published / "latest"
    for name, columns in STATE.items():
        path = folder / "persons" / f"{name}.parquet"
        if path.exists():
            source = f"SELECT {', '.join(columns)} FROM read_parquet('{path.resolve()}')"
        else:
            nothing = ", ".join(f"NULL::{kind} AS {column}" for column, kind in columns.items())
            source = f"SELECT {nothing} WHERE false"
        warehouse.execute(f"CREATE OR REPLACE TABLE link.last_{name} AS {source}")
    manifest = folder / "manifest.json"
    if not manifest.exists():
        return None
    return date.fromisoformat(json.loads(manifest.read_text("utf-8"))["night"])


def assign_ids(
    warehouse: Warehouse, clusters: str, identified: str, night: date, last_night: date | None
) -> Changes:
    """Reads   `clusters` record_key (once each), cluster; `identified` record_key of records that hold a number;
            link.records, link.judgements, link.must, link.cannot, link.last_*
    Writes  link.cluster_persons  cluster, person_id
            link.member           record_key, person_id, first_night
            link.forwarding       ids that are no longer given, the id each was forwarded to (null: its records are
                                  gone) and the living one that this leads to tonight
            link.history          every change of a record's person so far, with cause and reason
    """
    _load(warehouse, clusters, identified)
    _keep(warehouse)
    _end(warehouse)
    _found(warehouse)
    _letters(warehouse)
    _write(warehouse, night)
    _explain_changes(warehouse, night, last_night)
    causes = dict(
        warehouse.rows(
            f"SELECT cause, count(DISTINCT CASE WHEN cause IN ('split', 'restored') THEN person_id ELSE other_id END)"
            f" FROM link.history WHERE night = DATE '{night}' GROUP BY cause"
        )
    )
    return Changes(*(int(causes.get(c, 0)) for c in ("merged", "split", "identified", "restored")))


def _load(warehouse: Warehouse, clusters: str, identified: str) -> None:
    warehouse.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE id_now AS
        SELECT record_key, cluster, first_night, arrived, i.record_key IS NOT NULL AS has_number
        FROM {clusters} c
        JOIN (SELECT record_key, min(first_night) AS first_night, max(night) AS arrived
              FROM link.records GROUP BY record_key) r USING (record_key)
        LEFT JOIN {identified} i USING (record_key);
        CREATE OR REPLACE TEMP TABLE id_before AS
        SELECT record_key, substr(person_id, 3) AS digits, left(person_id, 1) AS letter, first_night
        FROM link.last_member;
        CREATE OR REPLACE TEMP TABLE id_pairs AS
        SELECT digits, cluster, count(*) AS shared FROM id_before JOIN id_now USING (record_key) GROUP BY ALL
        """
    )


def _keep(warehouse: Warehouse) -> None:
    """id_follows: the cluster each person of last night goes to. id_given: cluster → the digits it keeps."""
    warehouse.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE id_counted AS
        SELECT *, count(*) OVER (PARTITION BY digits) AS parts, count(*) OVER (PARTITION BY cluster) AS claims
        FROM id_pairs;
        -- Almost everybody: one cluster, and nobody else comes to it.
        CREATE OR REPLACE TEMP TABLE id_follows AS
        SELECT digits, cluster FROM id_counted WHERE parts = 1 AND claims = 1;
        CREATE OR REPLACE TEMP TABLE id_ages AS
        SELECT b.digits, b.record_key, n.cluster, row_number() OVER (ORDER BY b.first_night, b.record_key) AS age
        FROM id_before b LEFT JOIN id_now n USING (record_key)
        SEMI JOIN (SELECT digits FROM id_counted WHERE parts > 1 OR claims > 1) c ON c.digits = b.digits;
        CREATE OR REPLACE TEMP TABLE id_contested AS
        SELECT digits, cluster FROM (
            SELECT p.digits, p.cluster, row_number() OVER (
                       PARTITION BY p.digits
                       ORDER BY NOT p.has_founder AND w.founder IS NOT NULL, p.shared DESC, p.eldest) AS place
            FROM (SELECT digits, cluster, count(*) AS shared, min(age) AS eldest, arg_min(record_key, age) AS first,
                         bool_or({_is_founder("digits", "record_key")}) AS has_founder
                  FROM id_ages WHERE cluster IS NOT NULL GROUP BY digits, cluster) p
            LEFT JOIN (SELECT DISTINCT founder FROM link.last_forwarding
                       WHERE substr(person_id, 3) IS DISTINCT FROM substr(forwarded_to, 3)) w ON w.founder = p.first)
        WHERE place = 1;
        CREATE OR REPLACE TEMP TABLE id_given AS
        SELECT cluster, digits FROM id_follows
        UNION ALL
        SELECT cluster, digits FROM (
            SELECT c.cluster, c.digits, row_number() OVER (PARTITION BY c.cluster ORDER BY a.age) AS place
            FROM id_contested c JOIN (SELECT digits, min(age) AS age FROM id_ages GROUP BY digits) a USING (digits))
        WHERE place = 1;
        INSERT INTO id_follows SELECT digits, cluster FROM id_contested
        """
    )


def _end(warehouse: Warehouse) -> None:
    """id_ended: persons of last night who are none tonight, where they went, and the founder if he went along."""
    founds = _is_founder("b.digits", "b.record_key")
    warehouse.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE id_ended AS
        SELECT b.digits, any_value(b.letter) AS letter, any_value(f.cluster) AS cluster,
               any_value(b.record_key) FILTER (WHERE n.cluster IS NOT DISTINCT FROM f.cluster AND {founds}) AS founder,
               min(b.first_night) AS given_on
        FROM id_before b ANTI JOIN id_given g ON g.digits = b.digits
        LEFT JOIN id_follows f ON f.digits = b.digits
        LEFT JOIN id_now n ON n.record_key = b.record_key
        GROUP BY b.digits
        """
    )


def _found(warehouse: Warehouse) -> None:
    """Give digits to the clusters nobody came to; id_founded says to which, and whether they are given again."""
    warehouse.execute(
        """
        CREATE OR REPLACE TEMP TABLE id_founders AS
        WITH unclaimed AS (SELECT * FROM id_now ANTI JOIN id_given USING (cluster)),
        first AS (SELECT cluster, min(first_night) AS first_night FROM unclaimed GROUP BY cluster)
        SELECT cluster, min(record_key) AS founder FROM unclaimed JOIN first USING (cluster, first_night)
        GROUP BY cluster;
        CREATE OR REPLACE TEMP TABLE id_past AS
        SELECT digits, founder FROM id_ended
        UNION ALL
        SELECT substr(person_id, 3), founder FROM link.last_forwarding
        WHERE substr(person_id, 3) IS DISTINCT FROM substr(forwarded_to, 3);
        CREATE OR REPLACE TEMP TABLE id_founded (cluster BIGINT, digits VARCHAR, founder VARCHAR)
        """
    )
    times = 0
    while warehouse.value("SELECT count(*) FROM id_founders"):
        warehouse.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE id_free AS
            SELECT cluster, founder, digits FROM (SELECT *, {founded_by("founder", times)} AS digits FROM id_founders) c
            ANTI JOIN id_given g ON g.digits = c.digits
            ANTI JOIN id_past p ON p.digits = c.digits AND p.founder IS DISTINCT FROM c.founder;
            INSERT INTO id_founded SELECT cluster, digits, founder FROM id_free;
            DELETE FROM id_founders WHERE cluster IN (SELECT cluster FROM id_free)
            """
        )
        times += 1
    warehouse.execute("INSERT INTO id_given SELECT cluster, digits FROM id_founded")


def _letters(warehouse: Warehouse) -> None:
    """P for who holds a number or was published as P before; else T."""
    warehouse.execute(
        """
        CREATE OR REPLACE TEMP TABLE id_was AS
        SELECT digits, min(letter) AS letter FROM (
            SELECT DISTINCT digits, letter FROM id_before
            UNION ALL SELECT substr(person_id, 3), left(person_id, 1) FROM link.last_forwarding)
        GROUP BY digits;
        CREATE OR REPLACE TABLE link.cluster_persons AS
        SELECT g.cluster, CASE WHEN n.has_number OR w.letter = 'P' THEN 'P-' ELSE 'T-' END || g.digits AS person_id
        FROM id_given g
        JOIN (SELECT cluster, bool_or(has_number) AS has_number FROM id_now GROUP BY cluster) n USING (cluster)
        LEFT JOIN id_was w ON w.digits = g.digits
        """
    )


def _write(warehouse: Warehouse, night: date) -> None:
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE link.member AS
        SELECT record_key, person_id, first_night FROM id_now JOIN link.cluster_persons USING (cluster);
        CREATE OR REPLACE TEMP TABLE id_living AS
        SELECT DISTINCT person_id, substr(person_id, 3) AS digits FROM link.cluster_persons;
        CREATE OR REPLACE TEMP TABLE id_forwarding AS
        -- Ids that ended before, unless they are given again; a T- whose digits came back as P- leads there.
        SELECT f.person_id, CASE WHEN l.digits IS NULL THEN f.forwarded_to ELSE l.person_id END AS forwarded_to,
               f.night, f.cause, f.founder, f.given_on
        FROM link.last_forwarding f LEFT JOIN id_living l ON l.digits = substr(f.person_id, 3)
        ANTI JOIN id_living same ON same.person_id = f.person_id
        UNION ALL
        SELECT e.letter || '-' || e.digits, c.person_id, DATE '{night}',
               CASE WHEN c.person_id IS NULL THEN 'gone'
                    WHEN e.letter = 'T' AND starts_with(c.person_id, 'P') THEN 'identified' ELSE 'merged' END,
               e.founder, e.given_on
        FROM id_ended e LEFT JOIN link.cluster_persons c USING (cluster)
        WHERE e.digits NOT IN (SELECT digits FROM id_living)
        UNION ALL
        SELECT 'T-' || l.digits, l.person_id, DATE '{night}', 'identified', NULL, b.given_on
        FROM id_living l
        JOIN (SELECT digits, min(first_night) AS given_on FROM id_before WHERE letter = 'T' GROUP BY digits) b
             ON b.digits = l.digits
        WHERE starts_with(l.person_id, 'P');
        CREATE OR REPLACE TABLE link.forwarding AS
        WITH RECURSIVE walk AS (
            SELECT person_id, forwarded_to AS now FROM id_forwarding
            UNION ALL
            SELECT w.person_id, f.forwarded_to FROM walk w JOIN id_forwarding f ON f.person_id = w.now)
        SELECT f.person_id, f.forwarded_to, w.now AS leads_to, f.night, f.cause, f.founder, f.given_on
        FROM id_forwarding f LEFT JOIN (SELECT person_id, now FROM walk SEMI JOIN id_living l ON l.person_id = now) w
             USING (person_id)
        ORDER BY f.person_id
        """
    )


def _explain_changes(warehouse: Warehouse, night: date, last_night: date | None) -> None:
    """One row per record whose person is another than last night, with cause and reason."""
    since = f"DATE '{last_night}'" if last_night else "NULL::DATE"
    warehouse.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE id_changed AS
        SELECT b.record_key, b.letter || '-' || b.digits AS other_id, b.digits, c.person_id, n.cluster,
               CASE WHEN n.cluster IS NULL THEN 'gone'
                    WHEN substr(c.person_id, 3) = b.digits THEN 'identified'
                    WHEN e.cluster = n.cluster THEN
                        CASE WHEN b.letter = 'T' AND starts_with(c.person_id, 'P') THEN 'identified' ELSE 'merged' END
                    WHEN f.cluster IS NOT NULL THEN
                        CASE WHEN p.digits IS NOT NULL THEN 'restored' ELSE 'split' END
                    ELSE 'moved' END AS cause
        FROM id_before b LEFT JOIN id_now n USING (record_key)
        LEFT JOIN link.cluster_persons c ON c.cluster = n.cluster
        LEFT JOIN id_ended e ON e.digits = b.digits
        LEFT JOIN id_founded f ON f.cluster = n.cluster
        LEFT JOIN (SELECT DISTINCT digits FROM id_past) p ON p.digits = f.digits
        WHERE c.person_id IS DISTINCT FROM b.letter || '-' || b.digits;
        -- What happened to the person left and to the person joined: the strongest explanation is kept.
        CREATE OR REPLACE TEMP TABLE id_touched AS
        SELECT DISTINCT digits, cluster FROM id_changed;
        CREATE OR REPLACE TEMP TABLE id_reasons AS
        SELECT t.digits, t.cluster, 1 AS rank, 'judgement ' || j.id AS reason
        FROM id_touched t
        JOIN id_before b ON b.digits = t.digits
        JOIN (SELECT id, a, b FROM link.judgements UNION ALL SELECT id, b, a FROM link.judgements) j ON j.a = b.record_key
        JOIN id_now m ON m.record_key = j.a
        LEFT JOIN id_now o ON o.record_key = j.b
        LEFT JOIN id_before was ON was.record_key = j.b
        -- It united the two, or it (or its end) parted them.
        WHERE (o.cluster = m.cluster AND was.digits IS DISTINCT FROM t.digits)
           OR (o.cluster <> m.cluster AND was.digits = t.digits)
        UNION ALL
        SELECT t.digits, t.cluster, 2, 'correction' FROM id_touched t
        JOIN id_before b ON b.digits = t.digits JOIN id_now n ON n.record_key = b.record_key WHERE n.arrived > {since}
        UNION ALL
        SELECT t.digits, t.cluster, 2, 'correction' FROM id_touched t
        JOIN id_now n ON n.cluster = t.cluster JOIN id_before b ON b.record_key = n.record_key WHERE n.arrived > {since}
        UNION ALL
        SELECT t.digits, t.cluster, 3, 'new_record' FROM id_touched t
        JOIN id_now n ON n.cluster = t.cluster ANTI JOIN id_before b ON b.record_key = n.record_key
        UNION ALL
        SELECT t.digits, t.cluster, 3, 'new_record' FROM id_touched t
        JOIN id_given g ON g.digits = t.digits JOIN id_now n ON n.cluster = g.cluster
        ANTI JOIN id_before b ON b.record_key = n.record_key
        UNION ALL
        SELECT digits, cluster, 4, 'record_gone' FROM id_touched WHERE cluster IS NULL;
        CREATE OR REPLACE TABLE link.history AS
        SELECT night, record_key, person_id, cause, other_id, reason FROM link.last_history
        UNION ALL
        SELECT DATE '{night}', c.record_key, c.person_id, c.cause, c.other_id, coalesce(r.reason, 'rules')
        FROM id_changed c
        LEFT JOIN (SELECT digits, cluster, arg_min(reason, (rank, reason)) AS reason FROM id_reasons GROUP BY ALL) r
             ON r.digits = c.digits AND r.cluster IS NOT DISTINCT FROM c.cluster
        ORDER BY ALL
        """
    )
