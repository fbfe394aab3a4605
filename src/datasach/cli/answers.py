"""Questions that people ask of a night."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from datasach import settings
from datasach.cli.common import file_type, load, night_type, project_option, warehouse_type


@click.command()
@project_option
@click.option("--out", required=True, type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option(
    "--values",
    is_flag=True,
    help="Show source and new values (a person's data): needs a role, and is logged.",
)
@click.option("--vault", type=click.Path(file_okay=False, path_type=Path), default=settings.vault)
@click.option("--as", "actor", help="Actor, where your account acts for several.")
@click.option("--purpose", default="data_quality", show_default=True)
@click.argument("record")
def explain(
    root: Path | None, out: Path, record: str, values: bool, vault: Path | None,
    actor: str | None, purpose: str,
) -> None:  # fmt: skip
    """Walk one record from its file to the published row, or to why it was held.

    RECORD is FILE:TABLE:ROW (as receipts print it), FACILITY|MA_LK, or the place in a file: NAME#LINE.
    P-… (or T-…) is a person: his records, what joins them, the weakest link, where his golden fields come from.
    """
    from datasach.pipeline.explain import explain_record, explain_values
    from datasach.protect.desk import Asked

    project = load(root)
    if values:
        click.echo(explain_values(project, out, record, Asked(vault, purpose, actor=actor)))
    else:
        click.echo(explain_record(project, out, record))


@click.command()
@project_option
@click.option("--out", required=True, type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option("--rules", is_flag=True, help="Print suggested rules (YAML drafts) instead.")
@click.argument("table")
def profile(root: Path | None, out: Path, rules: bool, table: str) -> None:
    """Show how the fields of TABLE (kcb_emr.visit) are filled, and suggest rules."""
    from datasach.pipeline.profile import profile_table

    click.echo(profile_table(load(root), out, table, rules))


@click.command()
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
    found = check_before(load(root), files, facility, registers, when)
    click.echo(told(found, as_json))
    raise SystemExit(found.exit_code)


@click.command()
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

    found = list_tasks(load(root), out, province, facility, closed)
    if xlsx is not None:
        write_tasks(found, xlsx)
    click.echo(tasks_text(found))


@click.command()
@click.option("--out", required=True, type=warehouse_type, help="Warehouse folder.")
@click.option("--facility", required=True)
@click.option("--night", type=night_type, help="Default: the last night in which it sent anything.")
def fix(out: Path, facility: str, night: Any) -> None:
    """What must a facility fix from last night? Root causes first, with places and remedies."""
    from datasach.report.desk import clerks_list

    click.echo(clerks_list(out, facility, night.date().isoformat() if night else None))


@click.command()
@click.option("--out", required=True, type=warehouse_type, help="Warehouse folder.")
@click.option("--province", required=True, help="Two digits, of the list of 34.")
def department(out: Path, province: str) -> None:
    """Which facilities of a province are late or failing, and what is most common?"""
    from datasach.report.department import department_text, read_answer

    click.echo(department_text(read_answer(out, province)))


@click.command()
@project_option
@click.option("--out", required=True, type=warehouse_type, help="Warehouse folder.")
@click.option("--night", type=night_type, help="Default: the last night reported.")
@click.option("--province", help="Two digits, of the list of 34.")
@click.option("--facility", help="Code of a facility or sender.")
@click.option(
    "--to", "target", type=click.Path(dir_okay=False, path_type=Path), help="File to write."
)
def workbook(
    root: Path | None, out: Path, night: Any, province: str | None, facility: str | None,
    target: Path | None,
) -> None:  # fmt: skip
    """Write the workbook of one Department or of one facility, with every row."""
    from datasach.report.workbooks import write_one

    if (province is None) == (facility is None):
        raise click.UsageError("name either --province or --facility")
    when = night.date().isoformat() if night else None
    click.echo(write_one(load(root), out, when, province, facility, target))


@click.command()
@project_option
@click.option("--out", required=True, type=warehouse_type, help="Warehouse folder.")
@click.option("--night", type=night_type, help="Default: the last night reported.")
@click.option("--province", help="Two digits; default: the nation.")
@click.option("--since", type=night_type, help="The last meeting; default: seven nights before.")
@click.option("--to", "target", type=click.Path(file_okay=False, path_type=Path), help="Folder.")
def pack(
    root: Path | None, out: Path, night: Any, province: str | None, since: Any, target: Path | None
) -> None:
    """Write what a meeting needs: worst defects, who owes what, coverage; to print and as XLSX."""
    from datasach.report.pack import write_pack

    when, before = (one.date().isoformat() if one else None for one in (night, since))
    for path in write_pack(load(root), out, when, province, before, target):
        click.echo(path)


VERBS = (explain, profile, precheck, tasks, fix, department, workbook, pack)
