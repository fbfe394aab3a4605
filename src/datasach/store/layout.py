"""Where things lie below one warehouse folder (`--out`).

landing/     every file as it arrived, named by its SHA-256, never changed
state/       ledger.sqlite, and the Parquet parts of every layer
published/   snapshots; `latest` points to the newest whole one
receipts/    one folder per night and sender
reports/     one site per night; `latest` points to the newest
runs/        one manifest per run
evidence/    one file per signed submission, and the revocation lists they were judged by
heads/       one head per night, each naming the one before
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from datasach.errors import WarehouseBusy


@dataclass(frozen=True, slots=True)
class Layout:
    root: Path

    def __post_init__(self) -> None:
        for name in ("landing", "state", "published", "receipts", "reports", "runs"):
            (self.root / name).mkdir(parents=True, exist_ok=True)

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def published(self) -> Path:
        return self.root / "published"

    @property
    def evidence(self) -> Path:
        return self.root / "evidence"

    @property
    def heads(self) -> Path:
        return self.root / "heads"

    @property
    def ledger(self) -> Path:
        return self.state / "ledger.sqlite"

    def landed(self, sha256: str) -> Path:
        return self.landing / sha256[:2] / sha256

    def part(self, layer: str, table: str, batch: str) -> Path:
        """One Parquet part of a layer (`standard`, `changes`, …)."""
        return self.state / layer / table / f"{batch}.parquet"

    def raw(self, table: str, batch: str) -> Path:
        """A raw part, in Arrow; gone once its batch is standardised."""
        return self.state / "raw" / table / f"{batch}.arrow"

    def scratch(self, name: str) -> Path:
        """An empty folder for work that is not finished; what a crash leaves there is swept here."""
        folder = self.state / "scratch" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


@contextmanager
def only_run(layout: Layout) -> Iterator[None]:
    """Hold the warehouse for one run. The kernel frees the lock when the process dies, however it dies.

    Raises WarehouseBusy at once, naming the holder, if another run has it.
    """
    path = layout.state / "run.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 100, 0).decode("ascii", "replace").strip() or "unknown"
            raise WarehouseBusy(
                f"another run (process {holder}) is using {layout.root}; wait for it or stop it"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def fsync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_file(path: Path) -> None:
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def move_pointer(link: Path, target: str) -> None:
    """Point the symbolic link `link` at `target` in one step: readers see the old or the new, never none."""
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
    fsync_folder(link.parent)
