"""Processes to be killed, cheaply: everything is imported once here, then every night is a fork.

Reads one JSON job a line: {"args": [project, inbox, out, night], "fault": text or null}
Writes, for each:           the process id, and later its wait status.
"""

from __future__ import annotations

import json
import os
import sys
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
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
