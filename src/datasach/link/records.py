"""The records that say who somebody is, from every table that describes a person, as one table."""

from __future__ import annotations

from datasach.spec.linkage import Linkage
from datasach.spec.project import Project
from datasach.store.warehouse import Warehouse, sql_name

COLUMNS = (
    "full_name", "name_folded", "born_on", "birth_year", "birth_precision", "sex", "citizen_id",
    "insurance_number", "insurance_card", "phone", "province_code", "commune_code", "patient_code",
    "mother_name_folded", "mother_citizen_id",
)  # fmt: skip
DISTINGUISHING = (
    "name_folded", "born_on", "birth_year", "sex", "citizen_id", "insurance_number", "phone",
    "commune_code", "patient_code", "mother_citizen_id", "facility",
)  # fmt: skip
"""Two records equal in all of these are one signature: they are compared once."""


def collect_records(warehouse: Warehouse, project: Project, linkage: Linkage) -> None:
    """Reads   current.* of tables with an identity
    Writes  link.records     one row per record: record_key (stable over versions), where it stands, who it says
            link.signatures  distinct identities: sid ordered by the eldest record, so that ids do not depend on tonight
    """
    skipped = {
        column: ", ".join("'" + v.replace("'", "''") + "'" for v in values)
        for column, values in linkage.skip_values.items()
    }
    parts = []
    for table in project.tables.values():
        if table.identity is None:
            continue
        columns = ", ".join(
            f'CASE WHEN "{c}" NOT IN ({skipped[c]}) THEN "{c}" END AS "{c}"'
            if c in skipped
            else f'"{c}"'
            for c in COLUMNS
        )
        kind = "'population'" if table.id == "ehr_book.population_check" else "_channel"
        verified = "AND ket_qua = 'khop'" if table.id == "ehr_book.population_check" else ""
        parts.append(
            f"SELECT '{table.id}:' || _key AS record_key, '{table.id}' AS table_id, _file, _row, _key,"
            f" _first_night AS first_night, _night AS night, {kind} AS channel, _facility AS facility,"
            f" is_placeholder_name, {columns} FROM current.{sql_name(table.id)} WHERE _key IS NOT NULL {verified}"
        )
    warehouse.execute(f"CREATE OR REPLACE TABLE link.all_records AS {' UNION ALL '.join(parts)}")
    # A placeholder is nobody's name: the record can still be known by its numbers.
    warehouse.execute(
        "CREATE OR REPLACE TABLE link.records AS SELECT * REPLACE ("
        " CASE WHEN is_placeholder_name THEN NULL ELSE name_folded END AS name_folded,"
        " CASE WHEN is_placeholder_name THEN NULL ELSE full_name END AS full_name)"
        " FROM link.all_records; DROP TABLE link.all_records"
    )
    listed = ", ".join(DISTINGUISHING)
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE link.signatures AS
        SELECT row_number() OVER (ORDER BY first_night, record_key) - 1 AS sid, * FROM (
            SELECT {listed}, min(first_night) AS first_night,
                   arg_min(record_key, (first_night, record_key)) AS record_key, count(*) AS records
            FROM link.records GROUP BY {listed})
        """
    )
