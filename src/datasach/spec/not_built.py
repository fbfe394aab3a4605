"""Rules of the domain catalogue that are no YAML rule: `rules/not_built/*.yaml`, each with its reason."""

from __future__ import annotations

from pathlib import Path

from datasach.spec.contract import Title
from datasach.spec.load import Declared, Problems, build, read_yaml


class NotBuilt(Declared):
    id: str
    reason: Title
    done_by: str = ""
    """Where it is enforced instead; empty: nowhere yet."""


class _File(Declared):
    not_built: list[NotBuilt]


def load_not_built(root: Path) -> list[NotBuilt]:
    """Raises SpecError with file and line of everything wrong."""
    problems = Problems(root)
    found: list[NotBuilt] = []
    for path in sorted((root / "rules/not_built").glob("*.yaml")):
        document = read_yaml(path, problems)
        spec = build(_File, document, problems) if document else None
        found += spec.not_built if spec else []
    problems.raise_if_any()
    return sorted(found, key=lambda one: one.id)
