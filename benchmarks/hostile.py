"""A night of good files with hostile ones among them, against the same night without: time, memory, codes.

    python benchmarks/hostile.py [--files 10000] [--hostile 100] [--whole]

Reads (arrival, reading apart, standardising) or, with --whole, runs the whole night. Each side runs in a
process of its own; CPU seconds count every process it started, wall time on a shared machine says less.
The hostile files are those of tests/fault/hostile.py, every kind in turn, from several facilities.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from itertools import cycle
from pathlib import Path

ROOT = Path(__file__).parents[1]
NIGHT = date(2026, 3, 2)
PR_SET_CHILD_SUBREAPER = 36
sys.path.insert(0, str(ROOT))


def build(inbox: Path, files: int, hostile: int) -> dict[str, list[str]]:
    """Write the inbox; returns path of each hostile file → the codes that are right for it."""
    from tests.envelopes import envelope, simple_visit
    from tests.fault.hostile import corpus

    night = inbox / NIGHT.isoformat()
    for number in range(files):
        facility = f"{79001 + number % 40}"
        folder = night / facility
        folder.mkdir(parents=True, exist_ok=True)
        unit = simple_visit(MA_LK=f"B{number:06d}", MA_CSKCB=facility)
        (folder / f"DPDL_{number:06d}.xml").write_text(envelope([unit], facility=facility), "utf-8")
    expected: dict[str, list[str]] = {}
    for facility in map(str, cycle(range(79001, 79041))):
        for name, content, codes in corpus(facility):
            if len(expected) == hostile:
                return expected
            (night / facility / name).write_bytes(content)
            expected[f"{facility}/{name}"] = list(codes)
    return expected


def run(inbox: Path, out: Path, whole: bool) -> dict[str, object]:
    from datasach.pipeline.plan import plan
    from datasach.runners.local import opened, run_shards
    from datasach.spec.project import load_project

    began = time.perf_counter()
    with opened(load_project(ROOT), inbox, out, NIGHT) as night:
        for step in plan() if whole else plan()[:3]:
            step.run(night, run_shards(night, step), lambda _: None)
        rows = night.ledger.rows(
            "SELECT o.path, coalesce(o.code, f.code) AS code, f.state FROM offers o LEFT JOIN files f USING (offer)"
        )
        told = {
            "wall": time.perf_counter() - began,
            "codes": {r["path"]: r["code"] for r in rows if r["code"]},
            "read": sum(r["state"] not in (None, "REJECTED") for r in rows),
            "reader_mb": night.found["extract"]["peak_mb"],
            "deaths": night.found["extract"]["deaths"],
            "own_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        if not whole:
            night.carried["release"] = type("Nothing", (), {"snapshot": None, "withheld": ()})()
    return told


def built(inbox: Path, files: int, hostile: int) -> dict[str, list[str]]:
    """`build` in a process of its own: what it needs of memory must not count as the night's."""
    command = [sys.executable, __file__, "--files", str(files), "--build", str(inbox), str(hostile)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    told: dict[str, list[str]] = json.loads(done.stdout)
    return told


def measured(inbox: Path, out: Path, whole: bool) -> dict[str, float]:
    """Run in a process of its own and wait for every process it leaves, so that all are counted."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [
        sys.executable,
        __file__,
        "--one",
        str(inbox),
        str(out),
        *(["--whole"] if whole else []),
    ]
    found = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**found, "cpu": cpu}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--hostile", type=int, default=100)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--build", nargs=2, metavar=("INBOX", "HOSTILE"), help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=2, metavar=("INBOX", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.build:
        inbox, hostile = args.build
        print(json.dumps(build(Path(inbox), args.files, int(hostile))))
        return
    if args.one:
        print(json.dumps(run(Path(args.one[0]), Path(args.one[1]), args.whole)))
        return
    scratch = Path(tempfile.mkdtemp(prefix="datasach-benchmark-"))
    try:
        built(scratch / "clean", args.files, 0)
        expected = built(scratch / "mixed", args.files, args.hostile)
        clean = measured(scratch / "clean", scratch / "out-clean", args.whole)
        mixed = measured(scratch / "mixed", scratch / "out-mixed", args.whole)
    finally:
        shutil.rmtree(scratch)
    codes = mixed["codes"]
    wrong = {p: (codes.get(p), c) for p, c in expected.items() if codes.get(p) not in c}
    blamed = {p: c for p, c in codes.items() if p not in expected}
    print(
        f"{'':8}{'read':>8}{'refused':>9}{'CPU-s':>8}{'wall s':>8}{'own MB':>8}{'reader MB':>10}{'deaths':>8}"
    )
    for name, one in (("clean", clean), ("mixed", mixed)):
        print(
            f"{name:8}{one['read']:8}{len(one['codes']):9}{one['cpu']:8.1f}{one['wall']:8.1f}{one['own_mb']:8.0f}{one['reader_mb']:10.0f}{one['deaths']:8}"
        )
    print(
        f"ratio   CPU {mixed['cpu'] / clean['cpu']:.2f}, wall {mixed['wall'] / clean['wall']:.2f}"
    )
    print(f"wrong code {len(wrong)}, good files blamed {len(blamed)}")
    for path, one in (*wrong.items(), *blamed.items()):
        print("  ", path, one)


if __name__ == "__main__":
    main()
