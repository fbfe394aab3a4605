"""Keeping what was published: scrub, backup, restore, doctor."""

from __future__ import annotations

import click

VERBS: tuple[click.Command, ...] = ()
