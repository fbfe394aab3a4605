"""The command line: one short function per verb, no logic of its own.

Heavy libraries are imported inside the verbs, so that `datasach --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from datasach import __version__, settings
from datasach.errors import DatasachError


class _Verbs(click.Group):
    """Errors of ours become one message and their exit code; everything else is a bug and shows itself."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DatasachError as error:
            click.echo(str(error), err=True)
            raise SystemExit(error.exit_code) from None


project_option = click.option(
    "--project", "root", type=click.Path(file_okay=False, path_type=Path),
    help="Project folder; default: the nearest one upward.",
)  # fmt: skip
night_type = click.DateTime(formats=["%Y-%m-%d"])
warehouse_type = click.Path(file_okay=False, exists=True, path_type=Path)
file_type = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.group(cls=_Verbs)
@click.version_option(__version__, prog_name="datasach")
def main() -> None:
    """Clean, linked, accountable health data · dữ liệu y tế đúng, đủ, sạch, sống."""


@main.command()
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

    project = _load(root)
    with _progress(quiet) as watch:
        outcome = run_night(project, inbox, out, night.date(), watch)
    click.echo(summary(outcome))
    raise SystemExit(outcome.exit_code)


@main.command()
@project_option
def check(root: Path | None) -> None:
    """Check every declaration, and every rule by its two examples. Reads no data."""
    from datasach.pipeline.check import check_project

    project = _load(root)
    proved = check_project(project)
    ids = len({rule.id for rule in project.rules if rule.examples})
    form = sum(rule.examples is None for rule in project.rules)
    proved -= form
    click.echo(
        f"{len(project.databases)} databases, {len(project.tables)} tables, {len(project.sources)} sources;"
        f" {ids} rules on {proved} tables proved by their examples"
    )


@main.command(name="plan")
def show_plan() -> None:
    """Print the steps of a night in their order."""
    from datasach.pipeline.plan import plan

    for step in plan():
        click.echo(
            f"{step.name:12} {step.title.vi} · {step.title.en}"
            + ("   [shards]" if step.shards else "")
        )


@main.command()
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

    project = _load(root)
    with _progress(quiet) as watch:
        outcomes = run_demo(project, out, seed, facilities, nights, visits, watch)
    for outcome in outcomes:
        click.echo(summary(outcome))
    raise SystemExit(max(outcome.exit_code for outcome in outcomes))


@main.command()
@project_option
@click.option("--out", required=True, type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option(
    "--values", is_flag=True, help="Show source and new values (restricted: a person's data)."
)
@click.argument("record")
def explain(root: Path | None, out: Path, record: str, values: bool) -> None:
    """Walk one record from its file to the published row, or to why it was held.

    RECORD is FILE:TABLE:ROW (as receipts print it), FACILITY|MA_LK, or the place in a file: NAME#LINE.
    """
    from datasach.pipeline.explain import explain_record

    click.echo(explain_record(_load(root), out, record, values))


@main.command()
@project_option
@click.option("--out", required=True, type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option("--rules", is_flag=True, help="Print suggested rules (YAML drafts) instead.")
@click.argument("table")
def profile(root: Path | None, out: Path, rules: bool, table: str) -> None:
    """Show how the fields of TABLE (kcb_emr.visit) are filled, and suggest rules."""
    from datasach.pipeline.profile import profile_table

    click.echo(profile_table(_load(root), out, table, rules))


@main.command()
@project_option
@click.option("--inbox", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--night", required=True, type=night_type)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
def flow(root: Path | None, inbox: Path, night: Any, out: Path) -> None:
    """Run one night as a Prefect flow, with its server embedded; no telemetry, state inside OUT."""
    from datasach.runners.launch import run_flow

    raise SystemExit(run_flow(root or settings.find_project(), inbox, out, night.date()))


@main.command()
@project_option
@click.option("--facility", help="Code of the facility; default: what the first envelope says.")
@click.option(
    "--with", "registers", type=warehouse_type,
    help="A warehouse whose registers (facilities, staff, cards …) are to be known.",
)  # fmt: skip
@click.option("--night", type=night_type, help="As if sent in this night; default: tonight.")
@click.option("--json", "as_json", is_flag=True, help="The receipts as JSON, for software.")
@click.argument("files", nargs=-1, required=True, type=file_type)
def precheck(
    root: Path | None, facility: str | None, registers: Path | None, night: Any, as_json: bool,
    files: tuple[Path, ...],
) -> None:  # fmt: skip
    """Check FILES before they are sent: the same rules, the same receipt, nothing stored.

    Exit code 0: nothing would be held or rejected; 20: something would.
    """
    from datasach.pipeline.precheck import precheck as check_before
    from datasach.pipeline.precheck import told

    when = night.date() if night else None
    found = check_before(_load(root), files, facility, registers, when)
    click.echo(told(found, as_json))
    raise SystemExit(found.exit_code)


@main.command()
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
def schema(out: Path) -> None:
    """Write JSON schemas of every declaration, for editors that complete and check YAML."""
    from datasach.spec.schema import write_schemas

    for path in write_schemas(out):
        click.echo(path)


@main.command()
@project_option
@click.option("--out", required=True, type=warehouse_type, help="Warehouse folder.")
@click.option("--province", help="Only this province (two digits).")
@click.option("--facility", help="Only this facility.")
@click.option("--closed", is_flag=True, help="Closed tasks too.")
@click.option(
    "--xlsx", type=click.Path(dir_okay=False, path_type=Path), help="Write a workbook too."
)
def tasks(
    root: Path | None, out: Path, province: str | None, facility: str | None, closed: bool,
    xlsx: Path | None,
) -> None:  # fmt: skip
    """Who owes what since when: open defects by facility and rule, worst first."""
    from datasach.report.task_list import list_tasks, tasks_text, write_tasks

    found = list_tasks(_load(root), out, province, facility, closed)
    if xlsx is not None:
        write_tasks(found, xlsx)
    click.echo(tasks_text(found))


@main.command()
@project_option
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
def catalogue(root: Path | None, out: Path) -> None:
    """Write the catalogue of all rules as one page and as CSV below OUT."""
    from datasach.pipeline.catalogue import publish_catalogue

    click.echo(publish_catalogue(_load(root), out))


@main.command()
@click.option("--out", required=True, type=warehouse_type, help="Warehouse folder.")
@click.option("--facility", required=True)
@click.option("--night", type=night_type, help="Default: the last night in which it sent anything.")
def fix(out: Path, facility: str, night: Any) -> None:
    """What must a facility fix from last night? Root causes first, with places and remedies."""
    from datasach.report.desk import clerks_list

    click.echo(clerks_list(out, facility, night.date().isoformat() if night else None))


@main.command()
@click.option("--out", required=True, type=warehouse_type, help="Warehouse folder.")
@click.option("--province", required=True, help="Two digits, of the list of 34.")
def department(out: Path, province: str) -> None:
    """Which facilities of a province are late or failing, and what is most common?"""
    from datasach.report.department import department_text, read_answer

    click.echo(department_text(read_answer(out, province)))


def _load(root: Path | None) -> Any:
    from datasach.spec.project import load_project

    return load_project(root.resolve() if root else settings.find_project())


def _progress(quiet: bool) -> Any:
    """A live line per step on a terminal; one plain line per step elsewhere."""
    from datasach.runners.progress import shown

    return shown(quiet)
