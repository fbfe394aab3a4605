"""Places where a test can break a run: named points before and after everything that must survive a crash.

Off, as always outside tests, a point is one comparison with None. `DATASACH_FAULT` (read in `settings`)
switches one on, in this process and in those it starts:

    kill:publish.pointer:1     SIGKILL to the process itself when it passes the point for the first time
    enospc:*:17                OSError "no space left on device" at the 17th point passed, whichever it is
    eio:ledger.commit:2        OSError "input/output error"
    delay:landing.rename:1     half a second of sleep
    trace:*:0:FILE             write the name of every point passed into FILE, one a line
    kill:reader.settle:1:FILE  strike once over all processes: the first to make FILE is the one

Points in reading processes are named `reader.…`: killing one of those costs that process, not the run.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path

from datasach import settings

DELAY_S = 0.5


class _Armed:
    def __init__(self, said: str) -> None:
        mode, name, turn, *rest = said.split(":", 3)
        self.mode, self.name, self.turn = mode, name, int(turn)
        self.file = Path(rest[0]) if rest else None
        self.passed = 0

    def hit(self, name: str) -> None:
        if self.name not in ("*", name):
            return
        if self.name == "*" and name.startswith("reader."):
            return
        self.passed += 1
        if self.mode == "trace" and self.file is not None:
            with self.file.open("a", encoding="ascii") as handle:
                handle.write(f"{name}\n")
        elif self.passed == self.turn and self._is_the_one():
            self._strike(name)

    def _is_the_one(self) -> bool:
        if self.file is None:
            return True
        try:
            self.file.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _strike(self, name: str) -> None:
        if self.mode == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.mode == "delay":
            time.sleep(DELAY_S)
        else:
            code = {"enospc": errno.ENOSPC, "eio": errno.EIO}[self.mode]
            raise OSError(code, os.strerror(code), name)


_armed: _Armed | None = None


def arm(said: str | None) -> None:
    """Switch a fault on (see above), or off with None."""
    global _armed
    _armed = _Armed(said) if said else None


def point(name: str) -> None:
    """A place where the run may be made to die, to fail or to wait."""
    if _armed is not None:
        _armed.hit(name)


arm(settings.fault())
