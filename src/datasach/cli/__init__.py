"""The command line: one short function per verb, no logic of its own; verbs stand in modules by who asks.

Heavy libraries are imported inside the verbs, so that `datasach --help` answers at once.
"""

from __future__ import annotations

from typing import Any

import click

from datasach import __version__, settings
from datasach.cli import answers, keeping, nights, persons, privacy, signing
from datasach.errors import DatasachError
from datasach.log import masked_traceback

settings.tune_process()


class _Verbs(click.Group):
    """Errors of ours become one message and their exit code; everything else is a bug and shows itself, masked."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DatasachError as error:
            click.echo(str(error), err=True)
            raise SystemExit(error.exit_code) from None
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            # A bug shows itself, but what a library quotes of the data does not.
            click.echo(masked_traceback(error), err=True)
            raise SystemExit(1) from None


@click.group(cls=_Verbs)
@click.version_option(__version__, prog_name="datasach")
def main() -> None:
    """Clean, linked, accountable health data · dữ liệu y tế đúng, đủ, sạch, sống."""


for _module in (nights, answers, persons, signing, privacy, keeping):
    for _verb in _module.VERBS:
        main.add_command(_verb)
