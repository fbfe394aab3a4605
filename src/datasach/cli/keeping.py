"""Keeping what was published: scrub, backup, restore, doctor."""

from __future__ import annotations

from pathlib import Path

import click

from datasach import settings
from datasach.cli.common import load, project_option, warehouse_type

out_option = click.option("--out", required=True, type=warehouse_type, help="Warehouse folder.")
folder_type = click.Path(file_okay=False, path_type=Path)
backup_vault = click.option(
    "--vault", type=folder_type, default=settings.vault,
    help="Where backup.key of a sealed backup is; default: DATASACH_VAULT.",
)  # fmt: skip


def _secret(
    backup: Path, vault: Path | None, warehouse: Path | None = None, seal: bool = False
) -> bytes | None:
    """What opens a sealed backup; None for a plain one. A vault inside the backup or the warehouse is refused."""
    from datasach.keep.contents import SEALED
    from datasach.protect.vault import Vault

    if not (seal or (backup / SEALED).exists()):
        return None
    if warehouse is not None:
        Vault(vault, outside=warehouse)
    return Vault(vault, outside=backup).key("backup").secret


@click.command()
@out_option
def scrub(out: Path) -> None:
    """Read every published file against its manifest. Exit code 30: something is damaged."""
    from datasach.keep.scrub import scrub as read_all
    from datasach.keep.scrub import scrub_text

    done = read_all(out)
    click.echo(scrub_text(done, out))
    raise SystemExit(30 if done.damaged else 0)


@click.command()
@click.option("--out", type=warehouse_type, help="Warehouse folder.")
@click.option("--to", required=True, type=folder_type, help="Backup folder.")
@click.option(
    "--verify", is_flag=True, help="Save nothing; read the backup itself against its names."
)
@click.option("--seal", is_flag=True, help="Encrypt it with backup.key of the vault.")
@backup_vault
def backup(out: Path | None, to: Path, verify: bool, seal: bool, vault: Path | None) -> None:
    """Save the warehouse by content; what is there already is not copied again. The vault is not in it."""
    from datasach.keep.tell import checked_text, save

    secret = _secret(to, vault, out, seal)
    if verify:
        text, whole = checked_text(to, secret)
        click.echo(text)
        raise SystemExit(0 if whole else 30)
    if out is None:
        raise click.UsageError("--out is missing")
    click.echo(save(out, to, secret))


@click.command()
@click.option("--from", "source", required=True, type=warehouse_type, help="Backup folder.")
@click.option("--to", required=True, type=folder_type, help="An empty or new folder.")
@click.option("--name", help="Which backup; default: the newest.")
@backup_vault
def restore(source: Path, to: Path, name: str | None, vault: Path | None) -> None:
    """Put a backup into an empty folder, check every content, ask twenty questions and compare."""
    from datasach.keep.tell import bring_back

    click.echo(bring_back(source, to, name, _secret(source, vault)))


@click.command()
@project_option
@out_option
@click.option("--do", is_flag=True, help="Delete; without this only list.")
def retain(root: Path | None, out: Path, do: bool) -> None:
    """What is past its time (datasets/_access/retention.yaml); each thing taken leaves a tombstone."""
    from datasach.keep.retain import retain as look

    click.echo(look(load(root), out, do))


@click.command()
@click.option("--project", "root", type=folder_type, help="Default: the nearest one upward.")
@click.option("--out", type=folder_type, help="Warehouse folder.")
@click.option("--vault", type=folder_type, default=settings.vault, help="Default: DATASACH_VAULT.")
def doctor(root: Path | None, out: Path | None, vault: Path | None) -> None:
    """Is this machine fit to run a night? Says what to do. Exit code 52: something must be mended first."""
    from datasach.keep.doctor import examine, this_machine, told

    found = examine(this_machine(root or settings.find_project(), out, vault))
    click.echo(told(found))
    raise SystemExit(52 if any(one.level == "bad" for one in found) else 0)


@click.command()
@click.option("--project", "root", type=folder_type, help="Default: the nearest one upward.")
@click.option("--lock", default="run.txt", show_default=True, help="A lock of requirements/.")
def sbom(root: Path | None, lock: str) -> None:
    """Print the bill of materials of the lock (CycloneDX 1.6 JSON, with hashes)."""
    from datasach.keep.sbom import bill_text

    click.echo(bill_text((root or settings.find_project()) / "requirements" / lock), nl=False)


VERBS: tuple[click.Command, ...] = (scrub, backup, restore, retain, doctor, sbom)
