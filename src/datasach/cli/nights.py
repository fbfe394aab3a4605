"""The nightly run and what it is declared by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from datasach import settings
from datasach.cli.common import load, night_type, progress, project_option, warehouse_type


@click.command()
@project_option
@click.option("--inbox", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--night", required=True, type=night_type, help="Take everything up to this night (YYYY-MM-DD)."
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Warehouse folder.",
)
@click.option("--quiet", is_flag=True, help="No progress display.")
def run(root: Path | None, inbox: Path, night: Any, out: Path, quiet: bool) -> None:
    """Run one night: read the inbox, clean, link, check, publish and report."""
    from datasach.pipeline.summary import summary
    from datasach.runners.local import run_night

    project = load(root)
    with progress(quiet) as watch:
        outcome = run_night(project, inbox, out, night.date(), watch)
    click.echo(summary(outcome))
    raise SystemExit(outcome.exit_code)


@click.command()
@project_option
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    show_default=True,
)
@click.option("--seed", default=1, show_default=True)
@click.option("--facilities", default=12, show_default=True)
@click.option("--nights", default=3, show_default=True)
@click.option(
    "--visits", default=250, show_default=True, help="Visits a night, over all facilities."
)
@click.option("--quiet", is_flag=True, help="No progress display.")
def demo(
    root: Path | None, out: Path, seed: int, facilities: int, nights: int, visits: int, quiet: bool
) -> None:
    """Invent nights of extracts and run them. All people in them are invented."""
    from datasach.pipeline.demo import run_demo
    from datasach.pipeline.summary import summary

    project = load(root)
    with progress(quiet) as watch:
        outcomes = run_demo(project, out, seed, facilities, nights, visits, watch)
    for outcome in outcomes:
        click.echo(summary(outcome))
    raise SystemExit(max(outcome.exit_code for outcome in outcomes))


@click.command()
@project_option
@click.option("--inbox", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--night", required=True, type=night_type)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
def flow(root: Path | None, inbox: Path, night: Any, out: Path) -> None:
    """Run one night as a Prefect flow, with its server embedded; no telemetry, state inside OUT."""
    from datasach.runners.launch import run_flow

    raise SystemExit(run_flow(root or settings.find_project(), inbox, out, night.date()))


@click.command(name="plan")
def show_plan() -> None:
    """Print the steps of a night in their order."""
    from datasach.pipeline.plan import plan

    for step in plan():
        click.echo(
            f"{step.name:12} {step.title.vi} · {step.title.en}"
            + ("   [shards]" if step.shards else "")
        )


@click.command()
@project_option
def check(root: Path | None) -> None:
    """Check every declaration, and every rule by its two examples. Reads no data."""
    from datasach.pipeline.check import check_project

    project = load(root)
    proved = check_project(project)
    ids = len({rule.id for rule in project.rules if rule.examples})
    form = sum(rule.examples is None for rule in project.rules)
    proved -= form
    click.echo(
        f"{len(project.databases)} databases, {len(project.tables)} tables, {len(project.sources)} sources;"
        f" {ids} rules on {proved} tables proved by their examples"
    )


@click.command()
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
def schema(out: Path) -> None:
    """Write JSON schemas of every declaration, for editors that complete and check YAML."""
    from datasach.spec.schema import write_schemas

    for path in write_schemas(out):
        click.echo(path)


@click.command()
@project_option
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
def catalogue(root: Path | None, out: Path) -> None:
    """Write the catalogue of all rules as one page and as CSV below OUT."""
    from datasach.pipeline.catalogue import publish_catalogue

    click.echo(publish_catalogue(load(root), out))


@click.command()
@project_option
@click.option("--inbox", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--from", "first", required=True, type=night_type, help="First night (YYYY-MM-DD).")
@click.option("--to", "last", required=True, type=night_type, help="Last night (YYYY-MM-DD).")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--quiet", is_flag=True, help="No progress display.")
def backfill(root: Path | None, inbox: Path, first: Any, last: Any, out: Path, quiet: bool) -> None:
    """Run many nights in order; stopped anywhere, the same command goes on."""
    from datasach.pipeline.backfill import backfill as fill
    from datasach.pipeline.summary import summary

    with progress(quiet) as watch:
        outcomes = fill(load(root), inbox, out, first.date(), last.date(), watch)
    for outcome in outcomes:
        click.echo(summary(outcome))
    raise SystemExit(max(outcome.exit_code for outcome in outcomes))


@click.command()
@click.option("--out", required=True, type=warehouse_type, help="Warehouse folder.")
@click.option("--night", required=True, type=night_type, help="The night to repeat (YYYY-MM-DD).")
@click.option("--quiet", is_flag=True, help="No progress display.")
def replay(out: Path, night: Any, quiet: bool) -> None:
    """Run an old night again with its own files and declarations, and compare with what was published."""
    from datasach.pipeline.replay import replay as again

    with progress(quiet) as watch:
        replayed = again(out, night.date(), watch)
    click.echo(replayed.told())


VERBS = (run, backfill, replay, demo, flow, show_plan, check, schema, catalogue)
