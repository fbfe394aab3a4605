"""The harness: break a night in every way there is, run it again, and look from outside what came of it.

    python -m tests.fault.harness [--kills 200] [--every 1] [--modes kill,enospc,eio] [--lanes 2]

The oracle is the same two nights, run undisturbed. After a broken second night and its repetition must be
equal: the files offered and what the ledger says of each (nothing lost, nothing twice), the published
tables by hash, the snapshot's name, the receipts word for word; and nothing unfinished may lie about. In
between, readers loop on `latest` and must see whole snapshots only, the old one or the new one.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from datasach.store.ledger import Ledger
from tests.conftest import ROOT
from tests.fault.reader import look
from tests.fault.small import NIGHTS, fill, small_project

EXPECTED = {"kill": (-9,), "enospc": (31,), "eio": (31,), "delay": (0,)}


class Nursery:
    """A process that makes nights to be killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.nursery"], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.said: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self.said.append(line)

    def run(
        self, args: list[str], fault: str | None = None, kill_after: float | None = None
    ) -> int:
        """Exit status of a night; -9 if it was killed."""
        assert self._process.stdin and self._process.stdout
        job = {"args": args, "fault": fault, "kill_after": kill_after}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(30)


@dataclass
class Broken:
    """What breaking nights came to."""

    runs: Counter[str] = field(default_factory=Counter)
    """Mode → nights that were broken so."""
    too_late: int = 0
    """Random kills that came when the night was over."""
    wrong: list[str] = field(default_factory=list)
    reads: int = 0
    wrong_reads: list[str] = field(default_factory=list)


def state_of(out: Path) -> dict[str, Any]:
    """Everything that must not depend on whether a night was broken."""
    ledger = Ledger(out / "state/ledger.sqlite", "harness")
    offers = [
        tuple(r)
        for r in ledger.rows(
            "SELECT o.night, o.path, o.sha256, o.state, o.code, d.path FROM offers o"
            " LEFT JOIN offers d ON d.offer = o.duplicate_of ORDER BY 1, 2, 3"
        )
    ]
    contents = [
        tuple(r) for r in ledger.rows("SELECT file, state, code, units_read FROM files ORDER BY 1")
    ]
    counts = [
        tuple(r)
        for r in ledger.rows("SELECT file, table_id, read, rejected FROM counts ORDER BY 1, 2")
    ]
    ledger.close()
    manifest = json.loads((out / "published/latest/manifest.json").read_text("utf-8"))
    return {
        "offers": offers,
        "contents": contents,
        "counts": counts,
        "snapshot": manifest["snapshot"],
        "snapshots": sorted(p.name for p in (out / "published").iterdir()),
        "tables": manifest["content_sha256"],
        "receipts": {
            str(path.relative_to(out)): path.read_text("utf-8")
            for path in sorted((out / "receipts").rglob("*.json"))
        },
        "pages": sorted(str(p.relative_to(out)) for p in (out / "receipts").rglob("*.html")),
        "held": sorted(str(p.relative_to(out)) for p in (out / "quarantine").rglob("*.parquet")),
        "unfinished": [
            str(p.relative_to(out))
            for p in out.rglob("*")
            if p.name.endswith((".part", ".new", ".old"))
        ],
    }


def offered(inbox: Path, out: Path) -> list[str]:
    """Files of the inbox that the ledger does not hold exactly once, seen from the inbox."""
    ledger = Ledger(out / "state/ledger.sqlite", "harness")
    entered = Counter(
        (r["night"], r["path"]) for r in ledger.rows("SELECT night, path FROM offers")
    )
    ledger.close()
    there = {
        (
            path.relative_to(inbox).parts[0],
            str(path.relative_to(inbox / path.relative_to(inbox).parts[0])),
        )
        for path in inbox.rglob("*")
        if path.is_file()
    }
    return [f"{key} {entered[key]} times" for key in sorted(there) if entered[key] != 1] + [
        f"{key} was never offered" for key in sorted(set(entered) - there)
    ]


class Harness:
    """Two nights: the first is run once, the second is broken again and again from a copy of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = small_project(folder)
        self.inbox = folder / "inbox"
        fill(self.inbox)
        self.nursery = Nursery()
        self.first = folder / "first"
        assert self.night(self.nursery, self.first, 0) == 0, self.nursery.said
        clean = self._copy("clean")
        began = time.monotonic()
        assert self.night(self.nursery, clean, 1) == 0, self.nursery.said
        self.seconds = time.monotonic() - began
        self.truth = state_of(clean)
        assert self.truth["snapshot"] == NIGHTS[1].isoformat() and not self.truth["unfinished"]

    @cached_property
    def points(self) -> list[str]:
        """Every fault point the second night passes, in order."""
        trace = self.folder / "trace"
        self.night(self.nursery, self._copy("traced"), 1, f"trace:*:0:{trace}")
        return trace.read_text("ascii").splitlines()

    def night(
        self, nursery: Nursery, out: Path, turn: int, fault: str | None = None, **more: Any
    ) -> int:
        args = [str(self.project), str(self.inbox), str(out), NIGHTS[turn].isoformat()]
        return nursery.run(args, fault, **more)

    def _copy(self, name: str) -> Path:
        target = self.folder / name
        shutil.copytree(self.first, target, symlinks=True)
        return target

    def break_all(
        self, faults: list[tuple[str, str | None, float | None]], lanes: int = 1
    ) -> Broken:
        """Break the second night by every (mode, fault, kill after seconds), each from a fresh copy."""
        broken = Broken()
        lock = threading.Lock()
        queue = list(enumerate(faults))[::-1]

        def lane(number: int) -> None:
            nursery = Nursery()
            current, told = self.folder / f"current{number}", self.folder / f"told{number}"
            current.write_text(str(self.first), "utf-8")
            watcher = subprocess.Popen(
                [sys.executable, "-m", "tests.fault.reader", str(current), str(told)], cwd=ROOT
            )
            done: list[Path] = []
            while True:
                with lock:
                    if not queue:
                        break
                    index, (mode, fault, after) = queue.pop()
                out = self._copy(f"run{index}")
                current.write_text(str(out), "utf-8")
                status = self.night(nursery, out, 1, fault, kill_after=after)
                wrong = self._after(nursery, out, mode, fault, status)
                with lock:
                    broken.runs[mode] += 1
                    broken.too_late += after is not None and status == 0
                    told_of = [f"{mode} {fault or after}: {one}" for one in wrong]
                    broken.wrong += told_of
                    print(
                        *told_of, sep="\n", end="\n" if told_of else "", file=sys.stderr, flush=True
                    )
                done.append(out)
                # Kept for a while: the reader may still be looking at the one before.
                for old in done[:-2]:
                    shutil.rmtree(old, ignore_errors=True)
                del done[:-2]
            current.write_text("", "utf-8")
            watcher.wait(60)
            seen = json.loads(told.read_text("utf-8"))
            with lock:
                broken.reads += seen["reads"]
                broken.wrong_reads += seen["wrong"] + [f"{b} went back" for b in seen["went_back"]]
            nursery.close()

        with ThreadPoolExecutor(lanes) as pool:
            # A lane that fails is a failure, not a night that went well.
            for done in [pool.submit(lane, number) for number in range(lanes)]:
                done.result()
        assert sum(broken.runs.values()) == len(faults) and broken.reads > 0
        return broken

    def _after(
        self, nursery: Nursery, out: Path, mode: str, fault: str | None, status: int
    ) -> list[str]:
        """What is wrong after a broken night, and after the same night was run again."""
        wrong = []
        if fault is not None and status not in EXPECTED[mode]:
            wrong.append(f"ended with {status}")
        try:
            look(out)
        except Exception as error:
            wrong.append(f"half published: {type(error).__name__} {error}")
        again = self.night(nursery, out, 1)
        if again != 0:
            return [*wrong, f"the repetition ended with {again}: {''.join(nursery.said[-5:])}"]
        wrong += offered(self.inbox, out)
        found = state_of(out)
        for name, expected in self.truth.items():
            if found[name] != expected:
                wrong.append(f"{name} differ: {_difference(expected, found[name])}")
        return wrong

    def close(self) -> None:
        self.nursery.close()


def _difference(expected: Any, found: Any) -> str:
    if isinstance(expected, dict):
        keys = [k for k in sorted({*expected, *found}) if expected.get(k) != found.get(k)]
        return f"{len(keys)} entries, first {keys[:1]}"
    if isinstance(expected, list):
        return f"lost {[e for e in expected if e not in found][:2]}, gained {[f for f in found if f not in expected][:2]}"
    return f"{expected} → {found}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200, help="kills at random moments")
    parser.add_argument("--every", type=int, default=1, help="every n-th point of the night")
    parser.add_argument("--modes", default="kill,enospc,eio")
    parser.add_argument("--lanes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="datasach-fault-"))
    began = time.monotonic()
    try:
        harness = Harness(folder)
        chance = random.Random(args.seed)
        faults: list[tuple[str, str | None, float | None]] = [
            (mode, f"{mode}:*:{turn}", None)
            for mode in args.modes.split(",")
            for turn in range(1, len(harness.points) + 1, args.every)
        ]
        faults += [
            ("random kill", None, chance.uniform(0, harness.seconds)) for _ in range(args.kills)
        ]
        broken = harness.break_all(faults, args.lanes)
        harness.close()
        print(f"points of a night     {len(harness.points)} ({len(set(harness.points))} names)")
        for mode, count in broken.runs.items():
            print(f"{mode:21} {count} nights")
        print(f"came too late         {broken.too_late} of the random kills")
        print(f"wrong afterwards      {len(broken.wrong)}")
        print(
            f"reads meanwhile       {broken.reads}, {len(broken.wrong_reads)} not of a whole snapshot"
        )
        print(f"took                  {time.monotonic() - began:.0f} s")
        for one in (*broken.wrong, *broken.wrong_reads):
            print("  ", one)
        raise SystemExit(bool(broken.wrong or broken.wrong_reads))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
