"""Who is who: linking, judging, evaluating."""

from __future__ import annotations

from pathlib import Path

import click

from datasach import settings
from datasach.cli.common import file_type, project_option


@click.command()
@project_option
@click.option("--linkage", required=True, type=file_type, help="Linkage document (YAML).")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for results.")
@click.option("--model", type=file_type, help="Use this model instead of learning one.")
@click.option(
    "--index",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps the answer: later runs compare only what is new or changed.",
)
@click.option("--plan", is_flag=True, help="Only print how many pairs each pass would make.")
@click.argument("records", nargs=-1, required=True, type=file_type)
def link(
    root: Path | None, linkage: Path, out: Path | None, model: Path | None, index: Path | None, plan: bool,
    records: tuple[Path, ...],
) -> None:  # fmt: skip
    """Link RECORDS (Parquet) by a linkage document: persons, weighed pairs, a queue for people."""
    from datasach.pipeline.linking import link_files, plan_files, told

    wards = (root or settings.find_project()) / "datasets/_reference/wards.csv.gz"
    if plan:
        click.echo(plan_files(list(records), linkage, wards))
        return
    if out is None:
        raise click.UsageError("--out is needed (or --plan)")
    click.echo(told(link_files(list(records), linkage, out, model, wards, index)))


VERBS: tuple[click.Command, ...] = (link,)
