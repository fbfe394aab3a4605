"""Who is who: linking, judging, evaluating."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from datasach import settings
from datasach.cli.common import file_type, load, night_type, project_option, warehouse_type


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
@click.option(
    "--judgements",
    type=file_type,
    help="Parquet: record_key_a, record_key_b, verdict. All that stand; they outweigh everything.",
)
@click.option("--plan", is_flag=True, help="Only print how many pairs each pass would make.")
@click.argument("records", nargs=-1, required=True, type=file_type)
def link(
    root: Path | None, linkage: Path, out: Path | None, model: Path | None, index: Path | None,
    judgements: Path | None, plan: bool, records: tuple[Path, ...],
) -> None:  # fmt: skip
    """Link RECORDS (Parquet) by a linkage document: persons, weighed pairs, a queue for people."""
    from datasach.pipeline.linking import link_files, plan_files, told

    settings.keep_freed_memory()
    wards = (root or settings.find_project()) / "datasets/_reference/wards.csv.gz"
    if plan:
        click.echo(plan_files(list(records), linkage, wards))
        return
    if out is None:
        raise click.UsageError("--out is needed (or --plan)")
    click.echo(told(link_files(list(records), linkage, out, model, wards, index, judgements)))


@click.command()
@project_option
@click.option("--out", required=True, type=warehouse_type, help="Warehouse folder.")
@click.option("--limit", default=20, show_default=True, help="How many pairs to show.")
@click.option(
    "--values",
    is_flag=True,
    help="Both records' values (a person's data): needs a role, and is logged.",
)
@click.option("--vault", type=click.Path(file_okay=False, path_type=Path), default=settings.vault)
@click.option("--as", "actor", help="Actor, where your account acts for several.")
@click.option("--purpose", default="data_quality", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for software.")
def review(
    root: Path | None, out: Path, limit: int, values: bool, vault: Path | None, actor: str | None,
    purpose: str, as_json: bool,
) -> None:  # fmt: skip
    """List the pairs of records worth asking people about, most valuable first."""
    from datasach.pipeline.judging import review_queue, review_text, with_values
    from datasach.protect.desk import Asked

    queue = review_queue(out, limit)
    if values:
        queue = with_values(load(root), out, queue, Asked(vault, purpose, actor=actor))
    click.echo(review_text(queue, as_json))


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


@click.command()
@click.option("--truth", type=file_type, help="Parquet: record_key, person.")
@click.option("--strata", type=file_type, help="Parquet: record_key and columns to cut by.")
@click.option("--judgements", type=file_type, help="Parquet: record_key_a, record_key_b, verdict.")
@click.argument("answer", type=click.Path(file_okay=False, exists=True, path_type=Path))
def evaluate(
    truth: Path | None, strata: Path | None, judgements: Path | None, answer: Path
) -> None:
    """How right is ANSWER (what `link --out` wrote)? By truth, by judgements, or by the model's own estimate."""
    from datasach.pipeline.evaluating import evaluated

    click.echo(evaluated(answer, truth, strata, judgements))


VERBS: tuple[click.Command, ...] = (link, evaluate, review, judge, person)
