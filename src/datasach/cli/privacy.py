"""Who may see what: zones, consent, access."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from datasach import settings
from datasach.cli.common import file_type, load, project_option, warehouse_type

out_option = click.option("--out", required=True, type=warehouse_type, help="Warehouse folder.")
vault_option = click.option(
    "--vault", type=click.Path(file_okay=False, path_type=Path), default=settings.vault,
    help="Folder of keys and actors, outside the warehouse; default: DATASACH_VAULT.",
)  # fmt: skip


def asking(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Options by which somebody says who he is and what for."""
    for option in reversed((
        out_option, vault_option,
        click.option("--as", "actor", help="Actor, where your account acts for several."),
        click.option("--reason", help="Why, in your words; some purposes demand it."),
    )):  # fmt: skip
        verb = option(verb)
    return verb


@click.command()
@project_option
@asking
@click.option("--zone", required=True, type=click.Choice(["restricted", "general", "open"]))
@click.option("--purpose", required=True, help="One of datasets/_access/purposes.yaml.")
@click.option("--recipient", help="Who gets it; stands in the manifest and the access log.")
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), help="Default: OUT/zones.")
def export(
    root: Path | None, out: Path, vault: Path | None, actor: str | None, reason: str | None,
    zone: Any, purpose: str, recipient: str | None, to: Path | None,
) -> None:  # fmt: skip
    """Hand over a zone of the newest snapshot for one purpose; logged before anything is written."""
    from datasach.pipeline.handing_over import hand_over
    from datasach.protect.desk import Asked
    from datasach.protect.export import export_text

    asked = Asked(vault, purpose, zone, actor, reason, recipient)
    click.echo(export_text(hand_over(load(root), out, asked, to)))


@click.command()
@click.option(
    "--vault", "folder", required=True, type=click.Path(file_okay=False, path_type=Path),
    default=settings.vault, help="Folder of keys and actors; default: DATASACH_VAULT.",
)  # fmt: skip
@click.argument("names", nargs=-1, required=True)
def vault(folder: Path, names: tuple[str, ...]) -> None:
    """Make keys in the vault: NAMES are purposes, or `log` and `erased`. Prints their ids, never the keys."""
    from datasach.protect.vault import new_key

    for name in names:
        click.echo(f"{name}.key {new_key(folder, name).id}")


@click.command(name="access-log")
@project_option
@out_option
@vault_option
@click.option("--as", "actor", help="Actor, where your account acts for several.")
@click.option("--verify", is_flag=True, help="Only check the chain; needs no role.")
@click.option("--head", "kept", help="A head kept elsewhere (ENTRIES:SHA256) the chain must pass.")
@click.option("--who", help="Only entries of this actor.")
@click.option("--since", help="Only entries from this ISO time on.")
def access_log(
    root: Path | None, out: Path, vault: Path | None, actor: str | None, verify: bool,
    kept: str | None, who: str | None, since: str | None,
) -> None:  # fmt: skip
    """Show who looked at what and why, or verify that the log was not touched. Prints its head."""
    from datasach.protect.auditing import read_log, verify_log

    if verify or kept:
        click.echo(verify_log(out, kept))
    else:
        for line in read_log(load(root), out, vault, actor, who, since):
            click.echo(line)


@click.command(name="scan-leaks")
@click.option("--canaries", type=file_type, help="One planted value a line; none is ever printed.")
@click.option("--out", type=warehouse_type, help="Scan all of a warehouse that must be clean.")
@click.option("--patterns/--no-patterns", default=True, help="Count well-formed numbers too.")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
def scan_leaks(
    canaries: Path | None, out: Path | None, patterns: bool, paths: tuple[Path, ...]
) -> None:
    """Look for identifiers in files, archives, databases and logs. Prints places and counts only.

    Exit code 51: a canary was found. Well-formed numbers alone are reported, not judged.
    """
    from datasach.protect.leaks import report_text, scan, scan_warehouse

    found = scan_warehouse(out, canaries, patterns) if out else scan(paths, canaries, patterns)
    click.echo(report_text(found))
    raise SystemExit(51 if found.canaries else 0)


@click.group()
def subject() -> None:
    """Answer a person who asks for his data, or to be forgotten."""


@subject.command(name="export")
@project_option
@asking
@click.option("--request", "request", required=True, type=file_type, help="YAML; see the runbook.")
@click.option("--to", required=True, type=click.Path(file_okay=False, path_type=Path))
def subject_export(
    root: Path | None, out: Path, vault: Path | None, actor: str | None, reason: str | None,
    request: Path, to: Path,
) -> None:  # fmt: skip
    """Everything the published snapshot holds about the person, with where it came from."""
    from datasach.protect.desk import Asked
    from datasach.protect.subject import export_subject

    asked = Asked(vault, "subject_request", "restricted", actor, reason)
    click.echo(export_subject(load(root), out, asked, request, to))


@subject.command(name="erase")
@project_option
@asking
@click.option("--request", "request", required=True, type=file_type, help="YAML; see the runbook.")
@click.option("--do", is_flag=True, help="Do it; without this only say what would be done.")
def subject_erase(
    root: Path | None, out: Path, vault: Path | None, actor: str | None, reason: str | None,
    request: Path, do: bool,
) -> None:  # fmt: skip
    """The general zone forgets the person; medical records stay as long as the law keeps them."""
    from datasach.protect.desk import Asked
    from datasach.protect.subject import erase_subject

    asked = Asked(vault, "subject_request", "restricted", actor, reason)
    click.echo(erase_subject(load(root), out, asked, request, do))


VERBS: tuple[click.Command, ...] = (export, vault, access_log, scan_leaks, subject)
