"""Signatures and the evidence of what was sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from datasach.cli.common import file_type, load, night_type, project_option, warehouse_type


@click.command()
@project_option
@click.option("--night", type=night_type, help="As if it had arrived in this night; default: now.")
@click.option("--chain", type=warehouse_type, help="Check the nightly heads of this warehouse.")
@click.option("--head", "kept", multiple=True, type=file_type, help="A head somebody else kept.")
@click.option("--key", "keys", multiple=True, type=file_type, help="A public key that may sign.")
@click.argument("files", nargs=-1, type=file_type)
def verify(
    root: Path | None, night: Any, chain: Path | None, kept: tuple[Path, ...],
    keys: tuple[Path, ...], files: tuple[Path, ...],
) -> None:  # fmt: skip
    """Check FILES: envelopes against the trust folder, evidence files against their submissions; or a chain of heads.

    Opens no database. Exit code 0: everything holds; 40: something does not.
    """
    from datasach.pipeline import signatures

    if chain is not None:
        said = signatures.verify_chain(chain, kept, keys)
    else:
        said = signatures.verify(load(root), files, night.date() if night else None)
    click.echo(said.text)
    raise SystemExit(said.exit_code)


@click.command()
@project_option
@click.option("--certificate", type=file_type, help="What bindings.csv needs of this certificate.")
def trust(root: Path | None, certificate: Path | None) -> None:
    """Show whose signatures count: roots, issuers, revocation lists, bindings, and what needs attention."""
    from datasach.pipeline.signatures import show_certificate, show_trust

    said = show_certificate(certificate) if certificate else show_trust(load(root).trust)
    click.echo(said.text)
    raise SystemExit(said.exit_code)


@click.command()
@click.option("--out", type=warehouse_type, help="Warehouse folder.")
@click.option("--export", type=click.Path(dir_okay=False, path_type=Path), help="Copy it here.")
@click.option(
    "--new-key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Make a key that signs heads.",
)
def head(out: Path | None, export: Path | None, new_key: Path | None) -> None:
    """Show the newest nightly head, and copy it for the second custodian."""
    from datasach.pipeline.head import show_head

    if out is None and new_key is None:
        raise click.UsageError("give --out or --new-key")
    click.echo(show_head(out, export, new_key))


VERBS: tuple[click.Command, ...] = (verify, trust, head)
