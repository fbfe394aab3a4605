"""Who is who: linking, judging, evaluating."""

from __future__ import annotations

import click

VERBS: tuple[click.Command, ...] = ()
