"""Who consented to what, at an instant: decided set-based, closed by default.

A grant opens a purpose only if everything about it is in order: it is published (its record was not
held), its time, purpose and scope are readable and declared, and it was given by somebody who could
give it. A withdrawal closes even if little is in order: held or superseded, of an unknown scope (then
every scope), of an unknown purpose (then every purpose), without a time (then from ever until a grant
after the night it came). The last event counts, from its own time; of two at once the withdrawal.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb

from datasach.spec.access import EVERY_TABLE, PERSONS, Access, Purpose
from datasach.spec.project import Project
from datasach.store.layout import Layout

EVENT_COLUMNS = """person_id VARCHAR, word VARCHAR, scope VARCHAR, state VARCHAR, channel VARCHAR,
    said_at TIMESTAMP, night DATE, published BOOLEAN, born_on DATE, birth_year INTEGER"""


def gather_events(
    con: duckdb.DuckDBPyConnection, project: Project, access: Access, layout: Layout,
    snapshot: Path, parts: list[Path],
) -> int:  # fmt: skip
    """Make the table `consent_events`, one row per event and person it is of.

    `parts`: the standard parts of the events' table, all nights. An event finds its person by its own
    link and by its citizen id. Returns how many withdrawals name nobody we know: they close nothing, and
    whoever exports is told their number.
    """
    events = access.events
    con.execute(f"CREATE OR REPLACE TEMP TABLE consent_events ({EVENT_COLUMNS})")
    if not parts:
        return 0
    database, table = events.table.split(".")
    listed = ", ".join(_quoted(path) for path in parts)
    published = snapshot / database / f"{table}.parquet"
    links = layout.state / "results/link.record_persons.parquet"
    link = (
        f"SELECT _file, _row, person_id FROM read_parquet({_quoted(links)})"
        f" WHERE table_id = '{events.table}'"
        if links.exists()
        else "SELECT NULL::VARCHAR AS _file, NULL::INTEGER AS _row, NULL::VARCHAR AS person_id WHERE false"
    )
    current = (
        f"SELECT _file, _row, person_id FROM read_parquet({_quoted(published)})"
        if published.exists()
        else "SELECT NULL::VARCHAR AS _file, NULL::INTEGER AS _row, NULL::VARCHAR AS person_id WHERE false"
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE consent_named AS
        WITH event AS (SELECT * FROM read_parquet([{listed}], union_by_name = true)),
             current AS ({current}), link AS ({link}),
             named AS (
               SELECT _file, _row, person_id FROM current UNION SELECT _file, _row, person_id FROM link
               UNION SELECT e._file, e._row, p.person_id FROM event e JOIN pub_persons p USING (citizen_id))
        SELECT n.person_id, e."{events.purpose}" AS word, e."{events.scope}" AS scope,
               e."{events.state}" AS state, e."{events.channel}" AS channel, e."{events.at}" AS said_at,
               e._night AS night, c._file IS NOT NULL AS published, p.born_on, p.birth_year
        FROM event e
        LEFT JOIN (SELECT * FROM named WHERE person_id IS NOT NULL) n ON n._file = e._file AND n._row = e._row
        LEFT JOIN current c ON c._file = e._file AND c._row = e._row
        LEFT JOIN pub_persons p ON p.person_id = n.person_id
        """
    )
    con.execute(
        "INSERT INTO consent_events SELECT * FROM consent_named WHERE person_id IS NOT NULL"
    )
    found = con.execute(
        "SELECT count(*) FROM consent_named WHERE person_id IS NULL AND state IS DISTINCT FROM ?",
        [events.given],
    ).fetchone()
    return int(found[0]) if found else 0


def decide(
    con: duckdb.DuckDBPyConnection, project: Project, access: Access, purpose: Purpose, at: datetime
) -> None:
    """Reads `consent_events`; makes `consent_granted` (person_id, table_id): what is open at `at` (local time).

    Only for purposes whose basis is consent.
    """
    events = access.events
    scopes = _scopes(project, access)
    con.execute("CREATE OR REPLACE TEMP TABLE scope_tables (scope VARCHAR, table_id VARCHAR)")
    rows = [(scope, table) for scope, tables in scopes.items() for table in sorted(tables)]
    if rows:
        con.executemany("INSERT INTO scope_tables VALUES (?, ?)", rows)
    con.execute("CREATE OR REPLACE TEMP TABLE known_words (word VARCHAR)")
    words = {word for one in access.purposes.values() for word in one.consent}
    con.executemany("INSERT INTO known_words VALUES (?)", [(word,) for word in sorted(words)])
    mine = ", ".join(_text(word) for word in purpose.consent)
    adult = ", ".join(_text(channel) for channel in events.child_channels) or "NULL"
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE consent_granted AS
        WITH event AS (
          SELECT *, state IS NOT DISTINCT FROM {_text(events.given)} AS gives,
                 coalesce(date_diff('year', born_on, said_at::DATE)
                          - (strftime(said_at, '%m%d') < strftime(born_on, '%m%d'))::INTEGER,
                          year(said_at) - birth_year - 1) AS age
          FROM consent_events),
        counted AS (
          SELECT person_id, scope, true AS gives, said_at AS since, said_at AS placed FROM event
          WHERE gives AND published AND word IN ({mine}) AND said_at IS NOT NULL
            AND scope IN (SELECT scope FROM scope_tables)
            AND (age >= {events.child_age} OR (age IS NOT NULL AND channel IN ({adult})))
          UNION ALL
          SELECT person_id, scope, false, said_at, coalesce(said_at, night + INTERVAL 1 DAY) FROM event
          WHERE NOT gives AND (word IS NULL OR word IN ({mine}) OR word NOT IN (SELECT word FROM known_words))),
        -- A withdrawal reaches every scope that shares a table with its own, and all if its own is unknown.
        applied AS (
          SELECT c.person_id, c.scope, c.gives, c.since, c.placed FROM counted c WHERE c.gives
          UNION ALL
          SELECT c.person_id, reached.scope, false, c.since, c.placed FROM counted c
          JOIN (SELECT DISTINCT a.scope AS own, b.scope FROM scope_tables a JOIN scope_tables b USING (table_id)) reached
            ON reached.own = c.scope WHERE NOT c.gives
          UNION ALL
          SELECT c.person_id, s.scope, false, c.since, c.placed FROM counted c
          CROSS JOIN (SELECT DISTINCT scope FROM scope_tables) s
          WHERE NOT c.gives AND (c.scope IS NULL OR c.scope NOT IN (SELECT scope FROM scope_tables))),
        last AS (
          SELECT person_id, scope, arg_max(gives, (placed, NOT gives)) AS gives FROM applied
          WHERE since IS NULL OR since <= ? GROUP BY person_id, scope)
        SELECT DISTINCT person_id, table_id FROM last JOIN scope_tables USING (scope) WHERE gives
        """,
        [at],
    )


def _scopes(project: Project, access: Access) -> dict[str, set[str]]:
    every = {*project.tables, PERSONS}
    return {
        scope.id: every if EVERY_TABLE in scope.tables else set(scope.tables)
        for scope in access.scopes.values()
    }


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _quoted(path: Path) -> str:
    return _text(str(path))
