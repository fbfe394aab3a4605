"""What can go stale is compared with what it describes."""

from __future__ import annotations

import re

import pytest

from datasach.cli import main
from datasach.errors import EXIT_CODES
from datasach.report.words import load_words
from datasach.spec.project import Project
from datasach.spec.schema import SCHEMAS, schema_text
from tests.conftest import ROOT


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_in_docs_are_those_of_the_models(name: str) -> None:
    """Renew with `datasach schema --out docs/schemas`."""
    assert (ROOT / f"docs/schemas/{name}.schema.json").read_text("utf-8") == schema_text(name)


def test_the_reference_of_commands_names_every_verb() -> None:
    text = (ROOT / "docs/commands.md").read_text("utf-8")
    for name, command in main.commands.items():
        assert f"`datasach {name}" in text, name
        assert command.help, name


def test_the_readme_names_every_exit_code() -> None:
    table = re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text("utf-8"), re.M)
    assert {int(code) for code in table} == set(EXIT_CODES)


def test_the_list_of_databases_is_the_projects(project: Project) -> None:
    text = (ROOT / "datasets/README.md").read_text("utf-8")
    for database in project.databases.values():
        assert f"`{database.id}`" in text or f"| {database.id} |" in text, database.id
        assert database.title.vi in text, database.id


def test_every_decision_has_context_decision_and_price() -> None:
    for path in sorted((ROOT / "docs/decisions").glob("*.md")):
        text = path.read_text("utf-8")
        assert all(f"**{word}.**" in text for word in ("Context", "Decision", "Price")), path.name


def test_operators_are_told_of_every_code_of_signatures() -> None:
    text = (ROOT / "docs/signatures.md").read_text("utf-8")
    codes = load_words(ROOT).codes
    assert [
        c for c, word in codes.items() if word.level == "signature" and f"`{c}`" not in text
    ] == []
