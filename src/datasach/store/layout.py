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

import ctypes
import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from datasach.errors import WarehouseBusy
from datasach.store import faults


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

    @property
    def scratch_root(self) -> Path:
        """Home of everything unfinished; swept when a run begins."""
        return self.state / "scratch"

    def scratch(self, name: str) -> Path:
        """An empty folder for work that is not finished; what a crash leaves there is swept here."""
        folder = self.scratch_root / name
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
        os.pwrite(handle, f"{os.getpid()} on {os.uname().nodename}".encode(), 0)
        yield
    finally:
        os.close(handle)


def sweep(layout: Layout, batches: Collection[str], raw: Collection[str]) -> None:
    """Remove what a run that died left behind. Only for the run that holds the warehouse.

    Unfinished copies, unfinished snapshots and sites, scratch, parts of batches that never came to stand
    in the ledger (`batches` do), raw parts of those that need them no longer (`raw` do): none of them is
    ever read, but they take the disk.
    """
    shutil.rmtree(layout.scratch_root, ignore_errors=True)
    layout.scratch_root.mkdir(parents=True, exist_ok=True)
    for path in (*layout.landing.glob(".*.part"), *layout.state.glob(".reader-*.err")):
        path.unlink(missing_ok=True)
    for folder in (*layout.published.glob(".*.part"), *(layout.root / "reports").glob(".*.part")):
        shutil.rmtree(folder, ignore_errors=True)
    for layer in ("raw", "standard", "units", "rejects", "changes"):
        known = set(raw if layer == "raw" else batches)
        for part in (layout.state / layer).glob("*/*"):
            if part.suffix in (".arrow", ".parquet") and part.stem not in known:
                part.unlink(missing_ok=True)


def fsync_parts(layout: Layout, layers: Collection[str], batch: str) -> None:
    """Make the parts of a batch survive a power cut; to be called before the ledger names them."""
    for layer in layers:
        for folder in sorted((layout.state / layer).glob("*")):
            for part in folder.glob(f"{batch}.*"):
                fsync_file(part)
                fsync_folder(folder)


def put_folder(side: Path, home: Path) -> None:
    """Put the finished folder `side` in the place of `home`, in one step where the system can do it.

    What was there before is removed.
    """
    for folder in (side, *(path for path in side.rglob("*") if path.is_dir())):
        for path in folder.iterdir():
            if path.is_file():
                fsync_file(path)
        fsync_folder(folder)
    faults.point("folder.put")
    if not home.exists():
        side.replace(home)
    elif _exchange(side, home):
        shutil.rmtree(side, ignore_errors=True)
    else:
        old = side.with_name(f"{side.name}.old")
        home.replace(old)
        side.replace(home)
        shutil.rmtree(old, ignore_errors=True)
    faults.point("folder.was_put")
    fsync_folder(home.parent)


RENAME_EXCHANGE = 2
AT_FDCWD = -100


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step (Linux); False where that cannot be done."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    done = rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
    return bool(done == 0)


def fsync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    faults.point("fsync.folder")
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_file(path: Path) -> None:
    """Make what stands in the file survive a power cut."""
    faults.point("fsync.file")
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def move_pointer(link: Path, target: str) -> None:
    """Point the symbolic link `link` at `target` in one step: readers see the old or the new, never none."""
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    faults.point("pointer.move")
    fresh.replace(link)
    faults.point("pointer.moved")
    fsync_folder(link.parent)
