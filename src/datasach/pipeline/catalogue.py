"""`datasach catalogue`: every rule as a page and as CSV. Reads declarations only, no data."""

from __future__ import annotations

from pathlib import Path

from datasach.report.catalogue import write_catalogue
from datasach.spec.project import Project
from datasach.validate.compile import compiled


def publish_catalogue(project: Project, out: Path) -> str:
    """Write the catalogue below `out`; returns what to print.

    Raises SpecError if a rule does not compile: a catalogue lists what would run.
    """
    fields = {key: ", ".join(check.fields) for key, check in compiled(project).items()}
    written = write_catalogue(project, out, fields)
    rules = len({rule.id for rule in project.rules})
    return "\n".join([f"{rules} quy tắc · rules", *map(str, written)])
