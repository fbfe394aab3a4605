"""One benchmark run: ours and the peers side by side on the same records, alternating, everything measured the same way.

    python benchmarks/linkage/run.py --sets typical,hostile --records 100000 --seeds 11,12 --name dev
    python benchmarks/linkage/run.py --sets febrl3,febrl4,figures --name other

Tools (`--tools`): ours, ours-saved, splink, splink-saved, ecm. The saved ones link with the model that the same tool learnt on
the same records in the run before. Every link is a process of its own; CPU seconds are user + system of that process and
its children, memory the peak resident size of its largest process (wait4). Splink is given prepared records, and that is in nobody's time; ours reads raw
records and standardises inside its time. Writes results/<name>.json (all figures, all strata) and results/<name>.md.

Splink stands in the tables twice: as it is, and `+ rule`, our id-conflict rule applied to its edges and clusters.
Its CPU seconds never hold the rule's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

import other_sets  # noqa: E402
import polars as pl  # noqa: E402
import population  # noqa: E402
from prepare import prepare  # noqa: E402

from datasach.link.evaluate import Agreement, Evaluation, evaluate  # noqa: E402

OTHER = ("febrl3", "febrl4", "figures")
DOCUMENTS = {
    "febrl3": HERE / "documents/febrl.yaml",
    "febrl4": HERE / "documents/febrl.yaml",
    "figures": HERE / "documents/figures.yaml",
}
PROFILES = {"febrl3": "febrl", "febrl4": "febrl", "figures": "figures"}
PERSON = ROOT / "rules/linkage/person.yaml"


def sets(given: argparse.Namespace) -> Iterator[tuple[str, Path, Path]]:
    """Name, folder with the records and the truth, and prepared records; made where they are missing."""
    for kind in given.sets.split(","):
        sizes = [0] if kind in OTHER else [int(n) for n in given.records.split(",")]
        seeds = [1] if kind.startswith("febrl") else [int(s) for s in given.seeds.split(",")]
        for size in sizes:
            for seed in seeds:
                name = f"{kind}-{size}-{seed}" if size else f"{kind}-{seed}"
                data, prepared = given.work / "data" / name, given.work / "prep" / f"{name}.parquet"
                if not (data / "records.parquet").is_file():
                    if size:
                        population.generate(kind, size, seed, data)
                    else:
                        other_sets.write(kind, seed, data)
                if not prepared.is_file():
                    prepared.parent.mkdir(parents=True, exist_ok=True)
                    records = pl.read_parquet(data / "records.parquet")
                    if kind in OTHER:
                        records.rename({"record_key": "unique_id"}).write_parquet(prepared)
                    else:
                        prepare(records).write_parquet(prepared)
                yield name, data, prepared


LAUNCH = """
import json, os, subprocess, sys, time
start = time.monotonic()
process = subprocess.Popen(sys.argv[2:])
_, status, used = os.wait4(process.pid, 0)
seconds = used.ru_utime + used.ru_stime
with open(sys.argv[1], "w") as out:
    json.dump({"cpu_s": seconds, "rss_mb": used.ru_maxrss / 1024, "wall_s": time.monotonic() - start}, out)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Starts the tool from a small process: a process counts the peak of the one it was forked from as its own."""


def measured(command: list[str], log: Path) -> dict[str, float]:
    """CPU seconds, peak megabytes and wall seconds of a process and its children."""
    told = log.with_name("used.json")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    launch = [sys.executable, "-c", LAUNCH, str(told), *command]
    with log.open("w") as out:
        done = subprocess.run(
            launch, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT, env=environment
        )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nfailed with {done.returncode}: see {log}")
    used = json.loads(told.read_text("utf-8"))
    return {
        "cpu_s": round(used["cpu_s"], 2),
        "rss_mb": round(used["rss_mb"]),
        "wall_s": round(used["wall_s"], 1),
    }


def link(
    tool: str, name: str, data: Path, prepared: Path, given: argparse.Namespace
) -> list[dict[str, Any]]:
    """Run one tool on one set; one row of figures per answer (Splink gives two)."""
    kind = name.split("-")[0]
    out = given.work / "out" / name / tool
    trained = given.work / "out" / name / tool.removesuffix("-saved") / "model.json"
    saved = ["--model", str(trained)] if tool.endswith("-saved") else []
    if tool.startswith("ours"):
        command = [given.python, "-m", "datasach", "link", str(data / "records.parquet"), "--linkage",
                   str(DOCUMENTS.get(kind, PERSON)), "--out", str(out), *saved]  # fmt: skip
        answers = [("", out / "persons.parquet")]
    elif tool.startswith("splink"):
        command = [given.peers, str(HERE / "splink_peer.py"), str(prepared), "--profile", PROFILES.get(kind, "vietnam"),
                   "--out", str(out), *saved]  # fmt: skip
        answers = [("", out / "persons.parquet"), (" + rule", out / "persons_with_rule.parquet")]
    else:
        command = [given.python, str(HERE / "ecm_peer.py"), str(prepared), "--out", str(out)]
        answers = [("", out / "persons.parquet")]
    out.mkdir(parents=True, exist_ok=True)
    used = measured(command, out / "log.txt")
    phases = (
        json.loads((out / "phases.json").read_text("utf-8"))["cpu"]
        if (out / "phases.json").is_file()
        else {}
    )
    used["cpu_s"] = round(used["cpu_s"] - phases.get("rule", 0), 2)
    strata = data / "strata.parquet"
    rows = []
    for suffix, path in answers:
        if path.is_file():
            result = evaluate(path, data / "truth.parquet", strata if strata.is_file() else None)
            rows.append(
                {"set": name, "tool": tool + suffix, **used, "phases": phases, **figures(result)}
            )
    return rows


def figures(result: Evaluation) -> dict[str, Any]:
    return {
        **of(result.all), "exact_precision": result.exact_precision, "exact_recall": result.exact_recall, "largest": result.largest,
        "p999_size": result.p999_size, "strata": {
            name: {k: round(v, 6) if isinstance(v, float) else v for k, v in of(agreement).items() if k in IN_STRATA}
            for name, agreement in result.strata.items()
        },
    }  # fmt: skip


IN_STRATA = (
    "records",
    "precision",
    "recall",
    "f1",
    "over_merged",
    "over_merged_per_10_000",
    "under_merged",
)


def of(agreement: Agreement) -> dict[str, Any]:
    plain = asdict(agreement)
    for name in ("precision", "recall", "f1", "over_merged_per_10_000"):
        ratio = plain.pop(name)
        plain |= {name: ratio["value"], f"{name}_low": ratio["low"], f"{name}_high": ratio["high"]}
    return plain


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: one line per set and tool; CPU and memory are medians over repeats."""
    lines = [
        "| set | tool | F1 | precision | recall | B-cubed F1 | over-merged persons (per 10,000) | persons split | largest | CPU-s | peak MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["set"], row["tool"]), []).append(row)
    for (name, tool), runs in groups.items():
        last = runs[-1]
        cpu = sorted(r["cpu_s"] for r in runs)
        rss = sorted(r["rss_mb"] for r in runs)
        shown = f"{cpu[len(cpu) // 2]:.1f}" + (
            f" ({cpu[0]:.1f}–{cpu[-1]:.1f})" if len(cpu) > 1 else ""
        )
        lines.append(
            f"| {name} | {tool} | {last['f1']:.5f} | {last['precision']:.5f} | {last['recall']:.5f} | {last['b3_f1']:.5f}"
            f" | {last['over_merged']:,} ({last['over_merged_per_10_000']:.1f}) | {last['under_merged']:,} | {last['largest']}"
            f" | {shown} | {rss[len(rss) // 2]:,} |"
        )
    return "\n".join(lines)


def as_json(about: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """One run a line, so that a difference can be read."""
    lines = ",\n".join(json.dumps(row) for row in rows)
    return f'{{"about": {json.dumps(about)},\n"runs": [\n{lines}\n]}}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sets", required=True, help=f"of {', '.join((*population.KINDS, *OTHER))}"
    )
    parser.add_argument("--records", default="100000", help="sizes of the Vietnamese sets")
    parser.add_argument(
        "--seeds", default="1", help="1-3 are for development, 11-15 for reporting only"
    )
    parser.add_argument("--tools", default="ours,splink,ours-saved,splink-saved")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("/tmp/linkage-benchmark"))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--peers", default="/tmp/peers-splink/bin/python")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--name", required=True)
    given = parser.parse_args()
    given.results.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    about = {
        "machine": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        **{name: getattr(given, name) for name in ("sets", "records", "seeds", "tools", "repeat")},
    }
    for name, data, prepared in sets(given):
        for _ in range(given.repeat):
            for tool in given.tools.split(","):
                new = link(tool, name, data, prepared, given)
                rows += new
                for row in new:
                    print(table([row]).splitlines()[-1], flush=True)
                (given.results / f"{given.name}.json").write_text(
                    as_json(about, rows) + "\n", "utf-8"
                )
                (given.results / f"{given.name}.md").write_text(table(rows) + "\n", "utf-8")


if __name__ == "__main__":
    main()
