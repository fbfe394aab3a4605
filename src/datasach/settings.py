"""Where the project and the warehouse are, and what time it is. The only module that reads the
environment or the clock, so that a run can be repeated and a test can choose its own night.
"""

from __future__ import annotations

import ctypes
import gc
import os
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from datasach.errors import SpecError


@dataclass(frozen=True, slots=True)
class Resources:
    """What a run may use of the machine. Figures are per run, not per step."""

    workers: int
    """Processes that read files side by side."""
    memory_mb: int
    """Ceiling handed to DuckDB; its resident size can pass it by about 150 MB."""

    @property
    def threads(self) -> int:
        return self.workers


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What reading one file may cost. Figures of the design study (own measurements); each has a variable."""

    memory_mb: int = 1536
    """Memory a reading process may add to what it has when idle."""
    cpu_s: float = 60.0
    wall_s: float = 120.0
    per_mb_s: float = 0.5
    """Seconds a file may take for each of its megabytes, on top of both."""
    written_mb: int = 1024
    """Size of one file a reading process may write, on top of eight times what it reads."""


def read_limits() -> ReadLimits:
    """DATASACH_READ_MEMORY_MB, _CPU_S, _WALL_S, _PER_MB_S, _WRITTEN_MB replace the figures."""
    plain = ReadLimits()
    said = {
        name: type(value)(os.environ[variable])
        for name, value in asdict(plain).items()
        if (variable := f"DATASACH_READ_{name.upper()}") in os.environ
    }
    return replace(plain, **said)


def fault() -> str | None:
    """The fault a test wants (see `store.faults`); None in real life."""
    return os.environ.get("DATASACH_FAULT") or None


def find_project(start: Path | None = None) -> Path:
    """The nearest folder upward that has both `pyproject.toml` and `datasets/`."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "pyproject.toml").is_file() and (folder / "datasets").is_dir():
            return folder
    raise SpecError(
        f"no datasach project at {here} or above it (looked for pyproject.toml + datasets/)"
    )


def resources() -> Resources:
    """Half a machine's memory at most, every core unless DATASACH_WORKERS says otherwise."""
    cores = len(os.sched_getaffinity(0))
    workers = int(os.environ.get("DATASACH_WORKERS", cores))
    total_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    memory = int(os.environ.get("DATASACH_MEMORY_MB", min(4096, total_mb // 2)))
    return Resources(workers=max(1, workers), memory_mb=memory)


def quiet_environment(state: Path) -> dict[str, str]:
    """Environment for the processes that load prefect or great-expectations: nothing leaves the
    machine, and what they keep lies in our state folder."""
    return {
        **os.environ,
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_HOME": str(state / "prefect"),
        # 20 s, the default, is too short for a first start on a busy machine: the flow would fail.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    }


def secret(name: str | None) -> str | None:
    """Value of the environment variable a declaration names; None if it names none or it is not set."""
    return os.environ.get(name) if name else None


def trust_folder() -> Path | None:
    """The trust folder DATASACH_TRUST names; None for the project's own. Two people keep it, and its
    revocation lists are renewed daily: it may lie elsewhere than the rules."""
    named = os.environ.get("DATASACH_TRUST")
    return Path(named) if named else None


def head_key() -> Path | None:
    """File of the Ed25519 key that signs nightly heads, as DATASACH_HEAD_KEY names it; None: unsigned."""
    named = os.environ.get("DATASACH_HEAD_KEY")
    return Path(named) if named else None


def vault() -> Path | None:
    """Folder of keys and actors (DATASACH_VAULT); None if nobody named one."""
    named = os.environ.get("DATASACH_VAULT")
    return Path(named) if named else None


def now() -> datetime:
    """This instant in UTC. `DATASACH_NOW` (ISO) replaces it: replaying a night must not depend on today."""
    fixed = os.environ.get("DATASACH_NOW")
    return datetime.fromisoformat(fixed).astimezone(UTC) if fixed else datetime.now(UTC)


def yesterday() -> date:
    """The night just ended, in Viet Nam."""
    return today() - timedelta(days=1)


def today() -> date:
    """Today in Viet Nam (UTC+7, no summer time)."""
    return (now() + timedelta(hours=7)).date()


def tune_process() -> None:
    """Called before numpy is imported; what the operator set himself stays.

    No matrix is multiplied here, and threads that wait for one take turns spinning. Libraries make hundreds of
    thousands of objects while they are imported and tables next to none: looking for dead cycles after every 700
    costs a tenth of a short run.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(50_000, 20, 20)
    _prefer_fast_sorts()


def keep_freed_memory() -> None:
    """For work on arrays of millions, one after another, once everything is imported.

    Without it the C library (glibc; another one is left as it is) gives each back to the system and asks for the next
    page by page: linking a million records it saves an eighth of the time in the system and costs no memory at the
    peak. What imports made lives as long as the process and need not be looked through for dead cycles.
    """
    gc.freeze()
    adjust = getattr(ctypes.CDLL(None), "mallopt", None)
    if adjust is not None:
        adjust(MMAP_THRESHOLD, 32 << 20)
        adjust(TRIM_THRESHOLD, 256 << 20)


TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt. Source: malloc.h of glibc."""


def _prefer_fast_sorts() -> None:
    """On AMD processors with AVX-512 numpy's sort by AVX2 is the faster one.

    Measured on Zen 4 with numpy 2.4: a million 64-bit keys take 51 ms by AVX-512, whose compressing store is
    microcoded there, and 11 ms by AVX2.
    """
    try:
        told = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return
    if "AuthenticAMD" in told and " avx512f" in told:
        os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "X86_V4 AVX512_ICL")
