"""Run one small night in a process of its own, to be killed: python -m tests.fault.night PROJECT INBOX OUT NIGHT"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Any

from datasach.errors import DatasachError
from datasach.runners.local import run_night
from datasach.spec.project import load_project
from datasach.validate import gate


class Nods:
    """In the place of the process that judges: says yes at once."""

    def ask(self, request: Path, state: Path) -> dict[str, Any]:
        return {"results": [], "gx": "none"}


def main(project: str, inbox: str, out: str, night: str) -> int:
    gate._GATE = Nods()  # type: ignore[assignment]
    try:
        return run_night(
            load_project(Path(project)), Path(inbox), Path(out), date.fromisoformat(night)
        ).exit_code
    except DatasachError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
