"""Processes to be killed, cheaply: everything is imported once here, then every night is a fork.

Reads one JSON job a line: {"args": [project, inbox, out, night], "fault": text or null, "kill_after": seconds or null}
Writes, for each:           its exit status, -9 if it was killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from multiprocessing import forkserver
from typing import Any

from datasach.store import faults
from tests.fault.night import main


def share_the_readers_imports() -> None:
    """One forkserver for all nights: its imports cost more than a small night. A reading process may so
    outlive the night that was killed, and go on writing: the harder case."""
    server: Any = forkserver._forkserver  # type: ignore[attr-defined]
    server.set_forkserver_preload(["datasach.extract.extract", "datasach.extract.look"])
    server.ensure_running()
    server.ensure_running = lambda: None


def serve() -> None:
    share_the_readers_imports()
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                faults.arm(job["fault"])
                status = main(*job["args"])
            finally:
                sys.stderr.flush()
                os._exit(status)
        print(_ended(child, job["kill_after"]), flush=True)


def _ended(child: int, kill_after: float | None) -> int:
    """Exit status of a child, killed after so many seconds. Only who waits for it knows that the number is still its own."""
    if kill_after is not None:
        until = time.monotonic() + kill_after
        while time.monotonic() < until:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    serve()
