"""Options and helpers that every verb shares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from datasach import settings

project_option = click.option(
    "--project", "root", type=click.Path(file_okay=False, path_type=Path),
    help="Project folder; default: the nearest one upward.",
)  # fmt: skip
night_type = click.DateTime(formats=["%Y-%m-%d"])
warehouse_type = click.Path(file_okay=False, exists=True, path_type=Path)
file_type = click.Path(dir_okay=False, exists=True, path_type=Path)


def load(root: Path | None) -> Any:
    """The project at ROOT, or the nearest one upward."""
    from datasach.spec.project import load_project

    return load_project(
        root.resolve() if root else settings.find_project(), settings.trust_folder()
    )


def progress(quiet: bool) -> Any:
    """A live line per step on a terminal; one plain line per step elsewhere."""
    from datasach.runners.progress import shown

    return shown(quiet)
