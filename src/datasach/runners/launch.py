"""Start the Prefect flow in a process of its own, with an environment that keeps everything on this machine."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

from datasach import settings
from datasach.store.layout import Layout


def run_flow(project: Path, inbox: Path, out: Path, night: date) -> int:
    """Exit code of `flows/nightly.py`. Prefect reads its settings when it is imported, so the
    environment must stand before the process starts."""
    layout = Layout(out.resolve())
    command = [
        sys.executable, str(project / "flows" / "nightly.py"), "--project", str(project),
        "--inbox", str(inbox), "--out", str(out), "--night", night.isoformat(),
    ]  # fmt: skip
    return subprocess.run(
        command, env=settings.quiet_environment(layout.state), check=False
    ).returncode
