"""Every rule of the project over one night of many visits: CPU seconds, peak memory, the dearest tables.

    python benchmarks/night_rules.py --out DIR [--visits 100000] [--inbox DIR]

Invents a night (or takes the first of an inbox that is there), brings it up to linking as every night is,
then measures the two steps that judge: `validate` and `score`. What was read and standardised stays in
`--out`: a second call reads nothing again and costs reconciling and linking only.

CPU seconds are user + system of this process. The peak is of the process and is set back to what it
holds before the rules begin, so linking's own peak is not counted; the floor is printed beside it.
"""

from __future__ import annotations

import argparse
import time
from datetime import date
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).parents[1]
NIGHT = date(2026, 3, 2)
BEFORE = ("arrive", "extract", "standardise", "reconcile", "link")
VISITS_OF_A_FACILITY = 300
PERSONS_A_VISIT = 4


def invent(inbox: Path, truth: Path, visits: int) -> None:
    from datasach.synth import generate

    facilities = max(4, visits // VISITS_OF_A_FACILITY)
    generate(
        inbox, truth, reference=ROOT / "datasets/_reference", seed=7, nights=[NIGHT],
        facilities=facilities, persons=PERSONS_A_VISIT * visits, visits_per_night=visits,
    )  # fmt: skip


def resident_mb(word: str) -> float:
    """VmRSS or VmHWM of this process."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(word)) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--visits", type=int, default=100_000)
    parser.add_argument(
        "--inbox", type=Path, help="an inbox that is there; its first night is taken"
    )
    parser.add_argument(
        "--sql", type=int, default=0, metavar="N", help="show the N dearest queries"
    )
    args = parser.parse_args()

    from datasach.pipeline.plan import plan
    from datasach.runners.local import opened, run_shards
    from datasach.spec.project import load_project
    from datasach.store.warehouse import Warehouse
    from datasach.validate.compile import by_table
    from datasach.validate.scores import score
    from datasach.validate.validate import validate

    inbox = args.inbox or args.out / "inbox"
    if not inbox.exists():
        invent(inbox, args.out / "truth", args.visits)
    until = date.fromisoformat(min(p.name for p in inbox.iterdir() if p.is_dir()))
    project = load_project(ROOT)
    with opened(project, inbox, args.out / "warehouse", until) as night:
        for step in plan():
            if step.name in BEFORE:
                begun = time.process_time()
                step.run(night, run_shards(night, step), lambda _: None)
                print(f"{step.name:12}{time.process_time() - begun:8.1f} CPU-s", flush=True)
        warehouse = night.warehouse
        rows = sum(
            int(warehouse.value(f"SELECT count(*) FROM current.{t.replace('.', '__')}"))
            for t in project.tables
        )
        begun = time.process_time()
        by_table(project)
        print(f"{'compile':12}{time.process_time() - begun:8.1f} CPU-s", flush=True)

        queries: list[tuple[float, str]] = []
        if args.sql:
            execute = Warehouse.execute

            def timed(self: Warehouse, sql: str, parameters: object = None) -> None:
                start = time.process_time()
                execute(self, sql, parameters)  # type: ignore[arg-type]
                queries.append((time.process_time() - start, " ".join(sql.split())[:220]))

            Warehouse.execute = timed  # type: ignore[method-assign]
        marks: list[tuple[str, float]] = []
        Path("/proc/self/clear_refs").write_text("5", "ascii")
        floor, begun = resident_mb("VmRSS"), time.process_time()
        not_run = validate(
            warehouse, project, lambda table: marks.append((table, time.process_time()))
        )
        judged = time.process_time()
        score(warehouse, project)
        done = time.process_time()
        marks.append(("", judged))
        findings = warehouse.value("SELECT count(*) FROM checks.findings")
        print(
            f"{rows:,} current rows, {len(project.rules):,} rule–table pairs, {len(not_run)} not run,"
            f" {findings:,} findings\n"
            f"validate {judged - begun:.1f} CPU-s, score {done - judged:.1f} CPU-s;"
            f" peak {resident_mb('VmHWM'):.0f} MB over a floor of {floor:.0f} MB"
        )
        for one in not_run:
            print(f"  not run: {one}")
        spent = sorted(
            ((b - a, table) for (table, a), (_, b) in zip(marks, marks[1:], strict=False)),
            reverse=True,
        )
        print("  " + ", ".join(f"{table} {cpu:.1f}" for cpu, table in spent[:8]))
        for cpu, sql in sorted(queries, reverse=True)[: args.sql]:
            print(f"  {cpu:6.2f}  {sql}")
        # Nothing is published: the run ends here.
        night.carried["release"] = SimpleNamespace(snapshot=None, withheld=())


if __name__ == "__main__":
    main()
