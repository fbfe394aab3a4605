"""A step of a night: data, not a call. Runners decide where and how it is executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from datasach.settings import Resources
from datasach.spec.contract import Title
from datasach.spec.project import Project
from datasach.store.layout import Layout
from datasach.store.ledger import Ledger
from datasach.store.warehouse import Warehouse

Progress = Callable[[str], None]


@dataclass(slots=True)
class Night:
    """One run over one warehouse up to one night, and what its steps have found so far."""

    project: Project
    layout: Layout
    ledger: Ledger
    resources: Resources
    inbox: Path
    until: date
    run: str
    warehouse: Warehouse
    found: dict[str, Any] = field(default_factory=dict)
    """Counts by step, for the manifest and the summary."""
    carried: dict[str, Any] = field(default_factory=dict)
    """Objects one step hands to a later one (the staged tables, the gate's verdicts)."""


@dataclass(frozen=True, slots=True)
class Step:
    """`run` does the step in the run's own process. A step with `shards` is done by calling `work` on
    each shard, anywhere and in any order, and then `run` with the results: shards are independent,
    repeatable, and return counts and paths, never rows."""

    name: str
    title: Title
    needs: tuple[str, ...]
    run: Callable[[Night, list[Any], Progress], None]
    shards: Callable[[Night], list[Any]] | None = None
    work: Callable[..., Any] | None = None
    """Called as work(project, layout, shard)."""
    weigh: Callable[[Night, Any], int] | None = None
    """Bytes a shard has to read: a runner starts processes only when there is work for them."""
    enter: Callable[[Night, Any], None] | None = None
    """Called in the run's own process with the result of each shard as soon as it is there, so that a run
    that dies has lost only the shards it was at."""
