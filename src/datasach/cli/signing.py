"""Signatures and the evidence of what was sent."""

from __future__ import annotations

import click

VERBS: tuple[click.Command, ...] = ()
