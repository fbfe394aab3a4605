"""How a row of any table finds its person: rooms after `link` join this way."""

from __future__ import annotations

from datasach.spec.project import Project
from datasach.store.warehouse import sql_name


def person_join(project: Project, table_id: str, alias: str) -> tuple[str, str]:
    """(JOIN clause, SQL of the person id) for the rows `alias` of a table; ("", NULL) for things.

    A row that names somebody has its own link. A line or paper that names nobody belongs to its
    episode's or its parent's person. A birth certificate names the mother, and belongs to her episode.
    """
    table = project.tables[table_id]
    names_somebody = table.identity is not None and (
        not table.is_enveloped or table.identity.full_name is not None
    )
    if names_somebody and table.name != "birth":
        return (
            f"LEFT JOIN link.record_persons lp ON lp.table_id = '{table_id}'"
            f" AND lp._file = {alias}._file AND lp._row = {alias}._row",
            "lp.person_id",
        )
    if table.is_enveloped:
        return f"LEFT JOIN link.unit_persons lp ON lp._key = {alias}._key", "lp.person_id"
    if table.parent:
        parent = project.tables[f"{table.database}.{table.parent}"]
        same = " AND ".join(f'pp."{key}" = {alias}."{key}"' for key in parent.key)
        return (
            f"LEFT JOIN current.{sql_name(parent.id)} pp ON {same}"
            f" LEFT JOIN link.record_persons lp ON lp.table_id = '{parent.id}'"
            " AND lp._file = pp._file AND lp._row = pp._row",
            "lp.person_id",
        )
    return "", "CAST(NULL AS VARCHAR)"
