"""`python -m datasach.synth OUT --seed 1`: OUT/inbox and OUT/truth."""

from __future__ import annotations

import argparse
import datetime
import time
from pathlib import Path

from . import generate

PROJECT = Path(__file__).resolve().parents[3]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m datasach.synth", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--reference", type=Path, default=PROJECT / "datasets" / "_reference")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--first", type=datetime.date.fromisoformat, default=datetime.date(2026, 3, 2)
    )
    parser.add_argument(
        "--night", type=datetime.date.fromisoformat, help="the first night to write"
    )
    parser.add_argument("--nights", type=int, default=3)
    parser.add_argument("--facilities", type=int, default=12)
    parser.add_argument("--persons", type=int, default=12_000)
    parser.add_argument("--visits", type=int, default=250, help="visits a night")
    parser.add_argument("--provinces", help="codes of the 34-list, comma-separated")
    parser.add_argument("--errors", type=float, default=1.0, help="multiplies every error rate")
    parser.add_argument("--damaged", type=float, default=0.02)
    parser.add_argument("--envelope-hoso", type=int, default=60)
    args = parser.parse_args()
    start = args.night or args.first
    summary = generate(
        args.out / "inbox",
        args.out / "truth",
        reference=args.reference,
        seed=args.seed,
        nights=[start + datetime.timedelta(n) for n in range(args.nights)],
        first=args.first,
        facilities=args.facilities,
        persons=args.persons,
        visits_per_night=args.visits,
        provinces=args.provinces.split(",") if args.provinces else None,
        errors=args.errors,
        damaged=args.damaged,
        envelope_hoso=args.envelope_hoso,
    )
    seconds = time.process_time()
    print(f"{summary.visits:,} visits, {summary.hoso:,} HOSO, {summary.bytes / 1e6:,.1f} MB")
    print("files  ", dict(sorted(summary.files.items())))
    print("records", dict(sorted(summary.records.items())))
    print("errors ", dict(sorted(summary.errors.items())))
    print(f"{seconds:.2f} CPU-s, {summary.hoso / seconds:,.0f} HOSO per CPU-s")


if __name__ == "__main__":
    main()
