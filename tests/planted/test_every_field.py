"""Every field of every table, spoiled: something is said about that row and that field, or it was put right."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from types import SimpleNamespace

from datasach.pipeline.plan import plan
from datasach.pipeline.step import Night
from datasach.runners.local import opened, run_shards
from datasach.spec.project import Project
from datasach.store.warehouse import sql_name
from datasach.synth import generate
from datasach.validate.compile import compiled
from tests.conftest import NIGHTS
from tests.planted.spoil import Place, spoil

PARTS_OF = {
    "full_name": "full_name", "name_folded": "full_name", "is_placeholder_name": "full_name", "citizen_id": "identifier",
    "identifier_kind": "identifier", "born_on": "born", "birth_year": "born", "birth_precision": "born",
    "insurance_card": "card", "insurance_number": "card", "province_code": "province", "commune_code": "commune",
}  # fmt: skip
"""Column of the identity block → part of the identity it tells."""


def meant(project: Project, table: str, name: str) -> str:
    """One word for a field, however a rule calls it."""
    identity = project.tables[table].identity
    fields = {f: part for part, f in identity.fields().items()} if identity else {}
    return fields.get(name, PARTS_OF.get(name, name))


def said(night: Night) -> dict[Place, set[str]]:
    """Fields that a finding or a change names, by row."""
    checks = compiled(night.project)
    found: dict[Place, set[str]] = defaultdict(set)
    for table, file, row, rule in night.warehouse.rows(
        "SELECT table_id, _file, _row, rule FROM checks.findings"
    ):
        found[table, file, row] |= {
            meant(night.project, table, f) for f in checks[rule, table].fields
        }
    for table, file, row, name in night.warehouse.rows(
        "SELECT table_id, _file, _row, field FROM standard.changes"
    ):
        found[table, file, row].add(meant(night.project, table, name))
    return found


def test_a_spoiled_field_of_any_table_is_named(project: Project, tmp_path: Path) -> None:
    generate(
        tmp_path / "inbox", tmp_path / "truth", reference=project.root / "datasets/_reference", seed=77,
        nights=[NIGHTS[0]], facilities=24, persons=20_000, visits_per_night=120, errors=0.0, damaged=0.0,
    )  # fmt: skip
    with opened(project, tmp_path / "inbox", tmp_path / "out", NIGHTS[0]) as night:
        for step in plan():
            step.run(night, run_shards(night, step), lambda _: None)
            if step.name == "extract":
                spoiled = spoil(night, seed=5)
            if step.name == "validate":
                break
        night.carried["release"] = SimpleNamespace(snapshot=None, withheld=())
        told = said(night)
        current = {
            (table, file, row)
            for table in project.tables
            for file, row in night.warehouse.rows(
                f"SELECT _file, _row FROM current.{sql_name(table)}"
            )
        }
        held = night.warehouse.rows(
            "SELECT table_id, _file, _row, rule FROM checks.findings WHERE severity = 'quarantine'"
        )
    assert len(spoiled.places) > 500
    assert len({table for table, _, _ in spoiled.places}) >= 30
    missed = Counter(
        (table, name, kind)
        for (table, file, row), (name, kind) in spoiled.places.items()
        if (table, file, row) in current
        and meant(project, table, name) not in told[table, file, row]
    )
    assert missed.total() <= 0.01 * len(spoiled.places), missed
    assert [one for one in held if one[:3] not in spoiled.places] == []
