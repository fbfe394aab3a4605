"""Who is who: linking, judging, evaluating."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from datasach.cli.common import load, night_type, project_option, warehouse_type


@click.command()
@click.option("--out", required=True, type=warehouse_type, help="Warehouse folder.")
@click.option("--limit", default=20, show_default=True, help="How many pairs to show.")
@click.option(
    "--values", is_flag=True, help="Show both records' values (restricted: a person's data)."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for software.")
def review(out: Path, limit: int, values: bool, as_json: bool) -> None:
    """List the pairs of records worth asking people about, most valuable first."""
    from datasach.pipeline.judging import review_queue, review_text

    click.echo(review_text(review_queue(out, limit, values), as_json))


@click.command()
@project_option
@click.option("--out", required=True, type=warehouse_type, help="Warehouse folder.")
@click.option("--by", required=True, help="Who decides.")
@click.option("--why", required=True, help="On what grounds.")
@click.option("--until", type=night_type, help="Last night on which it counts; default: no end.")
@click.argument("a")
@click.argument("b")
@click.argument("verdict", type=click.Choice(["same", "different", "unsure"]))
def judge(
    root: Path | None, out: Path, by: str, why: str, until: Any, a: str, b: str, verdict: str
) -> None:
    """Record that the records A and B are the same person, different persons, or cannot be told."""
    from datasach.pipeline.judging import judge as write_down

    end = until.date() if until else None
    click.echo(write_down(load(root), out, a, b, verdict, by, why, end))


@click.command()
@click.option("--out", required=True, type=warehouse_type, help="Warehouse folder.")
@click.option("--json", "as_json", is_flag=True, help="Everything known of the id, as JSON.")
@click.argument("person_id")
def person(out: Path, as_json: bool, person_id: str) -> None:
    """Where an id leads today, the ids that led to it, and every change of its records."""
    from datasach.pipeline.explain_person import person_text

    click.echo(person_text(out, person_id, as_json))


VERBS: tuple[click.Command, ...] = (review, judge, person)
