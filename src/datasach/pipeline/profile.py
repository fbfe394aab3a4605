"""`datasach profile`: open a warehouse, look at one table, say what is in it."""

from __future__ import annotations

from pathlib import Path

from datasach import settings
from datasach.errors import DatasachError
from datasach.spec.load import suggestion
from datasach.spec.project import Project
from datasach.store.layout import Layout
from datasach.store.ledger import Ledger
from datasach.store.warehouse import Warehouse, open_standard
from datasach.validate.profile import as_text, profile, suggested_rules


class NoSuchTable(DatasachError):
    exit_code = 2


def profile_table(project: Project, out: Path, table_id: str, rules: bool) -> str:
    """Text of the profile, or YAML of suggested rules. Raises NoSuchTable with a suggestion."""
    table = project.tables.get(table_id)
    if table is None:
        raise NoSuchTable(f'no table "{table_id}"{suggestion(table_id, project.tables)}')
    layout = Layout(out.resolve())
    ledger = Ledger(layout.ledger, "profile")
    warehouse = Warehouse(layout, settings.resources())
    try:
        open_standard(warehouse, project, ledger)
        found = profile(warehouse, table)
    finally:
        warehouse.close()
        ledger.close()
    return suggested_rules(table, found) if rules else as_text(table, found)
