"""Which version of a record counts.

The unit of versioning is the treatment episode (MA_CSKCB, MA_LK) for rows of envelopes, and the
contract's key for all other tables. Versions are ordered by the day the sender says it made them
(NGAYLAP, unless it lies after the night the file arrived), then by night, file and place in the file:
an order that does not depend on when we ran. A version that says the same as the one before it is a
duplicate; the last that says something new is current; the others are superseded. All stay in `standard`.

Every row has one fate: current | superseded | duplicate.
"""

from __future__ import annotations

from datasach.spec.contract import Table
from datasach.spec.project import Project
from datasach.store.warehouse import Warehouse, sql_name

ORDER = "said_on, night, _file"


def settle_versions(warehouse: Warehouse, project: Project) -> None:
    """Reads   standard.*
    Writes  recon.units  one row per HOSO: fate, who replaced it
            recon.<table>  rows of exchange tables that are not current: _file, _row, fate, reason
            current.<table>  the rows that count, with the unit's key (`_key`)
    """
    _units(warehouse, project)
    for table in project.tables.values():
        if table.is_enveloped:
            _enveloped(warehouse, table)
        else:
            _keyed(warehouse, table)


def _units(warehouse: Warehouse, project: Project) -> None:
    warehouse.execute(
        """
        CREATE OR REPLACE TABLE recon.versions AS
        SELECT u.*, f.channel, f.night, f.sender,
               CASE WHEN f.declared_on <= f.night THEN f.declared_on ELSE f.night END AS said_on,
               count(*) OVER same_key AS versions,
               min(f.night) OVER same_key AS first_night
        FROM standard.units u JOIN standard.files f USING (_file)
        WINDOW same_key AS (PARTITION BY f.channel, u.facility, u.ma_lk, u.kind)
        """
    )
    _unit_digests(warehouse, project)
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE recon.units AS
        WITH marked AS (
            SELECT v.*, d.digest,
                   coalesce(d.digest = lag(d.digest) OVER by_age, false) AS is_repeat
            FROM recon.versions v LEFT JOIN recon.unit_digests d USING (_file, _unit)
            WINDOW by_age AS (PARTITION BY channel, facility, ma_lk, kind ORDER BY {ORDER}, _unit)
        ), effective AS (
            SELECT *, last_value(CASE WHEN NOT is_repeat THEN _file || '/' || _unit END IGNORE NULLS)
                      OVER (PARTITION BY channel, facility, ma_lk, kind ORDER BY {ORDER}, _unit
                            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS current_unit
            FROM marked
        )
        SELECT * EXCLUDE (is_repeat),
               CASE WHEN is_repeat THEN 'duplicate'
                    WHEN current_unit = _file || '/' || _unit THEN 'current'
                    ELSE 'superseded' END AS fate
        FROM effective
        """
    )


def _unit_digests(warehouse: Warehouse, project: Project) -> None:
    """Digest of everything a unit says, only for units of which several versions arrived."""
    warehouse.execute(
        "CREATE OR REPLACE TEMP TABLE several AS SELECT _file, _unit FROM recon.versions WHERE versions > 1"
    )
    parts = [
        f"SELECT _file, _unit, '{table.id}' AS part, md5(string_agg({_row_text(table)}, chr(30) ORDER BY _row)) AS digest"
        f" FROM standard.{sql_name(table.id)} SEMI JOIN several USING (_file, _unit) GROUP BY ALL"
        for table in project.tables.values()
        if table.is_enveloped
    ]
    warehouse.execute(
        "CREATE OR REPLACE TABLE recon.unit_digests AS"
        " SELECT _file, _unit, md5(string_agg(part || digest, chr(29) ORDER BY part)) AS digest"
        f" FROM ({' UNION ALL '.join(parts)}) GROUP BY ALL"
    )


def _row_text(table: Table) -> str:
    """One text of all of a row's fields; NULL differs from the empty text."""
    return (
        "concat_ws(chr(31), "
        + ", ".join(f'coalesce(CAST("{n}" AS VARCHAR), chr(28))' for n in table.field_names)
        + ")"
    )


def _enveloped(warehouse: Warehouse, table: Table) -> None:
    """Rows follow their unit. A table that both channels carry counts once: the coordination system's
    copy, where it has one, else Social Insurance's."""
    name = sql_name(table.id)
    xml = table.fields_from
    other = (
        f"""
        CASE WHEN u.channel = 'social_insurance' AND EXISTS (
            SELECT 1 FROM recon.units c WHERE c.fate = 'current' AND c.channel = 'coordination'
              AND c.facility = u.facility AND c.ma_lk = u.ma_lk AND c.kind = u.kind
              AND list_contains(string_split(c.parts, ';'), '{xml}')) THEN 'duplicate' END"""
        if table.channel == "any"
        else "NULL"
    )
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE recon.{name} AS
        SELECT _file, _unit, coalesce(CASE WHEN fate <> 'current' THEN fate END, other_channel) AS fate,
               CASE WHEN fate = 'current' AND other_channel IS NOT NULL THEN 'OTHER_CHANNEL'
                    WHEN fate = 'duplicate' THEN 'SAME_CONTENT' ELSE 'NEWER_VERSION' END AS reason
        FROM (SELECT u._file, u._unit, u.fate, {other} AS other_channel FROM recon.units u
              WHERE list_contains(string_split(u.parts, ';'), '{xml}'))
        WHERE fate <> 'current' OR other_channel IS NOT NULL
        """
    )
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE current.{name} AS
        SELECT s.*, u.facility || '|' || u.ma_lk AS _key, u.first_night AS _first_night
        FROM standard.{name} s JOIN recon.units u USING (_file, _unit)
        ANTI JOIN recon.{name} r USING (_file, _unit)
        """
    )


def _keyed(warehouse: Warehouse, table: Table) -> None:
    name = sql_name(table.id)
    key = ", ".join(f's."{column}"' for column in table.key)
    key_text = "concat_ws('|', " + ", ".join(f'"{column}"' for column in table.key) + ")"
    warehouse.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE row_versions AS
        SELECT * FROM (
            SELECT s._file, s._row, s._night AS night, {key_text} AS key,
                   CASE WHEN s._declared_on <= s._night THEN s._declared_on ELSE s._night END AS said_on,
                   count(*) OVER (PARTITION BY {key}) AS versions,
                   min(s._night) OVER (PARTITION BY {key}) AS first_night
            FROM standard.{name} s)
        WHERE versions > 1
        """
    )
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE recon.{name} AS
        WITH told AS (
            SELECT v.*, md5({_row_text(table)}) AS digest
            FROM row_versions v JOIN standard.{name} s USING (_file, _row)
        ), marked AS (
            SELECT *, coalesce(digest = lag(digest) OVER (PARTITION BY key ORDER BY {ORDER}, _row), false) AS is_repeat
            FROM told
        ), effective AS (
            SELECT *, last_value(CASE WHEN NOT is_repeat THEN _file || '/' || _row END IGNORE NULLS)
                      OVER (PARTITION BY key ORDER BY {ORDER}, _row
                            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS current_row
            FROM marked
        )
        SELECT _file, _row, CASE WHEN is_repeat THEN 'duplicate' ELSE 'superseded' END AS fate,
               CASE WHEN is_repeat THEN 'SAME_CONTENT' ELSE 'NEWER_VERSION' END AS reason
        FROM effective WHERE is_repeat OR current_row <> _file || '/' || _row
        """
    )
    warehouse.execute(
        f"CREATE OR REPLACE TABLE recon.{name}__first AS SELECT key AS _key, min(first_night) AS _first_night"
        " FROM row_versions GROUP BY key"
    )
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE current.{name} AS
        SELECT s.*, {key_text} AS _key, coalesce(f._first_night, s._night) AS _first_night
        FROM standard.{name} s ANTI JOIN recon.{name} r USING (_file, _row)
        LEFT JOIN recon.{name}__first f ON f._key = {key_text}
        """
    )
