"""Untrusted files are read apart: in processes that may die, so that a poisonous file costs itself only.

A reading process has limits on memory, CPU time, wall time and on what it writes. It works through a
shard (files that are read together) and says which file it is at. When it dies, the file it was at is
read once more, alone; the files before and after it are read without it. A file that kills its process
alone, too, is refused with a code, and the next file is fine. Death between files has no suspect: then
the shard is halved.

Forkserver, not fork: the libraries' thread pools do not survive a fork. One start of it costs about a
CPU-second of imports; each process after that, some hundredths.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import multiprocessing
import os
import resource
import signal
import sys
import time
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from datasach.errors import DatasachError, MachineTrouble
from datasach.settings import ReadLimits
from datasach.spec.project import Project
from datasach.store.layout import Layout
from datasach.store.trouble import FULL_OR_FAILING, is_the_machines

MIB = 2**20
OUT_OF_MEMORY = 77
"""Exit status of a reading process that could not get more memory."""
STARTING_S = 60.0
"""What a busy machine may take to start a reading process, the first one's imports included."""
PR_SET_PDEATHSIG = 1
ALLOCATION = ("memory allocation of", "bad_alloc", "out of memory", "cannot allocate memory")
"""What native libraries print before they abort for want of memory."""


class Divisible(Protocol):
    """A shard: files that are read together and can be told apart."""

    def __len__(self) -> int: ...
    def cut(self, start: int, end: int) -> Self: ...
    def size_of(self, index: int) -> int:
        """Bytes of one of its files."""


ShardT = TypeVar("ShardT", bound=Divisible)
At = Callable[[int], None]
"""Called with the index of the file that is read next; with len(shard) when only the output is left."""
Work = Callable[[Project, Layout, Any, At], Any]


@dataclass(frozen=True, slots=True)
class Death:
    """How a file ended its process, twice: a code of reports/codes.yaml."""

    code: str
    detail: str


@dataclass(slots=True)
class _Reader:
    process: Any
    pipe: Any
    errors: Path
    shard: Any = None
    at: int = -1
    since: float = 0.0
    """When it began the file it is at (monotonic seconds)."""
    late: bool = False


@dataclass(slots=True)
class _Job:
    shard: Any
    tries: int = 0


@dataclass(slots=True)
class Readers:
    """The reading processes of one step. Use as a context manager: they end with it."""

    project: Project
    layout: Layout
    limits: ReadLimits
    workers: int
    peak_mb: float = 0.0
    """Largest resident size any of them reached."""
    deaths: int = 0
    _idle: list[_Reader] = field(default_factory=list)
    _busy: dict[Any, tuple[_Reader, _Job]] = field(default_factory=dict)
    _started: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in (*self._idle, *(reader for reader, _ in self._busy.values())):
            reader.process.kill()
            reader.pipe.close()
        for reader in (*self._idle, *(reader for reader, _ in self._busy.values())):
            reader.process.join(5)
            reader.errors.unlink(missing_ok=True)

    def read(
        self, work: Work, shards: Iterable[ShardT], refused: Callable[[ShardT, Death], Any]
    ) -> Iterator[tuple[ShardT, Any]]:
        """(shard, result of `work`) of every shard, as they are done; `refused` makes the result of a file
        that cannot be read at all. A shard may come back in pieces, each with its own result.

        Raises what a process raises that is no file's fault: MachineTrouble, WarehouseDamaged.
        """
        waiting = deque(_Job(shard) for shard in shards)
        while waiting or self._busy:
            while waiting and len(self._busy) < self.workers:
                self._give(work, waiting.popleft())
            for pipe in connection.wait(list(self._busy), self._patience()):
                reader, job = self._busy[pipe]
                said = _heard(reader)
                if said is None:
                    del self._busy[pipe]
                    done, again = self._after_death(reader, job, refused)
                    yield from done
                    waiting.extendleft(reversed(again))
                elif said[0] == "at":
                    reader.at, reader.since = said[1], time.monotonic()
                elif said[0] == "stop":
                    raise said[1]
                else:
                    self.peak_mb = max(self.peak_mb, said[2])
                    del self._busy[pipe]
                    self._idle.append(reader)
                    yield job.shard, said[1]
            self._stop_the_late()

    def _give(self, work: Work, job: _Job) -> None:
        reader = self._idle.pop() if self._idle else self._start()
        # A process that is only starting is not late: it has read nothing yet.
        grace = 0.0 if reader.shard is not None else STARTING_S
        reader.shard, reader.at, reader.since = job.shard, -1, time.monotonic() + grace
        # A process that died while idle is found out at its first silence.
        with contextlib.suppress(BrokenPipeError):
            reader.pipe.send((work, job.shard))
        self._busy[reader.pipe] = (reader, job)

    def _start(self) -> _Reader:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["datasach.extract.extract", "datasach.extract.look"])
        ours, theirs = context.Pipe()
        self._started += 1
        errors = self.layout.state / f".reader-{os.getpid()}-{id(self):x}-{self._started}.err"
        process = context.Process(
            target=_serve,
            args=(theirs, self.project, self.layout, self.limits, errors),
            daemon=True,
        )
        with _no_main():
            process.start()
        theirs.close()
        return _Reader(process, ours, errors)

    def _patience(self) -> float | None:
        ends = [self._deadline(reader) for reader, _ in self._busy.values()]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _deadline(self, reader: _Reader) -> float:
        return reader.since + _seconds(self.limits.wall_s, self.limits, reader.shard, reader.at)

    def _stop_the_late(self) -> None:
        for reader, _ in self._busy.values():
            if time.monotonic() > self._deadline(reader):
                reader.late = True
                reader.process.kill()

    def _after_death(
        self, reader: _Reader, job: _Job, refused: Callable[[Any, Death], Any]
    ) -> tuple[list[tuple[Any, Any]], list[_Job]]:
        """What is settled by the death, and what has to be read again."""
        self.deaths += 1
        death = _cause(reader)
        reader.pipe.close()
        reader.errors.unlink(missing_ok=True)
        shard, count = job.shard, len(job.shard)
        if count == 1:
            if job.tries > 0:
                return [(shard, refused(shard, death))], []
            return [], [_Job(shard, 1)]
        if 0 <= reader.at < count:
            cuts = [(0, reader.at), (reader.at, reader.at + 1), (reader.at + 1, count)]
        else:
            cuts = [(0, count // 2), (count // 2, count)]
        # The suspect's next try is its second: alone.
        return [], [
            _Job(shard.cut(start, end), int((start, end) == (reader.at, reader.at + 1)))
            for start, end in cuts
            if start < end
        ]


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    """A new process would run the caller's script again to have its names; it needs none of them."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _heard(reader: _Reader) -> tuple[Any, ...] | None:
    """What a process says; None if it is dead."""
    try:
        said: tuple[Any, ...] = reader.pipe.recv()
        return said
    except (EOFError, ConnectionResetError):
        return None


def _cause(reader: _Reader) -> Death:
    reader.process.join(5)
    status = reader.process.exitcode
    printed = ""
    with contextlib.suppress(OSError):
        # Looked at, never passed on: a library may print what it was reading.
        printed = reader.errors.read_bytes()[-4096:].decode("ascii", "replace").lower()
    if reader.late or status == -signal.SIGXCPU:
        return Death("READ_TIMEOUT", "wall time" if reader.late else "CPU time")
    if status in (OUT_OF_MEMORY, -signal.SIGKILL) or any(said in printed for said in ALLOCATION):
        return Death("READ_TOO_LARGE", "memory")
    return Death("READ_CRASHED", f"signal {-status}" if (status or 0) < 0 else f"status {status}")


def _seconds(plain: float, limits: ReadLimits, shard: Any, at: int) -> float:
    """Allowance for the file a process is at; for the whole shard before the first and after the last."""
    inside = 0 <= at < len(shard)
    size = shard.size_of(at) if inside else sum(map(shard.size_of, range(len(shard))))
    return float(plain + limits.per_mb_s * size / MIB)


# -- in the reading process ------------------------------------------------------------------------


def _serve(pipe: Any, project: Project, layout: Layout, limits: ReadLimits, errors: Path) -> None:
    """Work through shards until the pipe ends."""
    _bind(limits, errors)
    while True:
        try:
            work, shard = pipe.recv()
        except EOFError:
            return
        written = limits.written_mb * MIB + 8 * sum(map(shard.size_of, range(len(shard))))
        resource.setrlimit(resource.RLIMIT_FSIZE, (written, resource.RLIM_INFINITY))

        def at(index: int, shard: Any = shard) -> None:
            used = time.process_time() + _seconds(limits.cpu_s, limits, shard, index)
            resource.setrlimit(resource.RLIMIT_CPU, (int(used) + 1, resource.RLIM_INFINITY))
            pipe.send(("at", index))

        try:
            result = work(project, layout, shard, at)
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        except DatasachError as error:
            pipe.send(("stop", error))
            return
        except BaseException as error:
            if isinstance(error, OSError) and error.errno == errno.EFBIG:
                os._exit(OUT_OF_MEMORY)
            if is_the_machines(error):
                pipe.send(("stop", MachineTrouble(FULL_OR_FAILING.format(type(error).__name__))))
                return
            # A bug of ours that only this content wakes, or a panic of a library: it costs the file.
            os._exit(1)
        pipe.send(("done", result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def _bind(limits: ReadLimits, errors: Path) -> None:
    """Die with the run; leave no core; stay within limits; keep what native code prints to ourselves."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # Ctrl-C is for the run to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Writable private memory. Not address space: allocators reserve gigabytes of that and use none.
    held = _writable_mb()
    resource.setrlimit(resource.RLIMIT_DATA, ((held + limits.memory_mb) * MIB, -1))
    handle = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(handle, 2)
    os.close(handle)


def _writable_mb() -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) // 1024
    return 512
