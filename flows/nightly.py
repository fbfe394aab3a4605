"""The scheduled night. Loaded by path: `flows/nightly.py:nightly` (see prefect.yaml)."""

import click

from datasach.runners.prefect import nightly

__all__ = ["nightly"]


@click.command()
@click.option("--project", default=".", show_default=True)
@click.option("--inbox", required=True)
@click.option("--out", required=True)
@click.option("--night", help="YYYY-MM-DD; default: the night just ended.")
def main(project: str, inbox: str, out: str, night: str | None) -> None:
    """Run the nightly flow once, against Prefect's server or an embedded one."""
    nightly(project=project, inbox=inbox, out=out, night=night)


if __name__ == "__main__":
    main()
