"""Long work shows progress: a live line on a terminal, a line per step in a log, nothing when asked."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Watcher = Callable[[str, str], None]


@contextmanager
def shown(quiet: bool) -> Iterator[Watcher]:
    """A watcher to hand to a runner: called with (step, what it is doing)."""
    if quiet:
        yield lambda *_: None
    elif sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status("datasach") as status:
            yield lambda step, what: status.update(f"{step} {what}")
    else:
        yield _plain_lines()


def _plain_lines() -> Watcher:
    """One line when a step begins, with the seconds since the first."""
    began = time.monotonic()
    last = [""]

    def watch(step: str, what: str) -> None:
        if step != last[0]:
            last[0] = step
            print(f"{time.monotonic() - began:7.1f} s  {step}", file=sys.stderr, flush=True)

    return watch
