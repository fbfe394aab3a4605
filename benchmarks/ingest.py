"""Envelopes → typed tables in Parquet: HOSO per CPU-second, and peak memory.

    python benchmarks/ingest.py [--hoso 4000] [--large 100000]

Measures, each in a process of its own so that peaks do not mix:

    rows        lxml to Python dicts, one per row: what a straightforward reader does, nothing written
    dicts       the same and on to Parquet by Arrow from the dicts
    extract     ours: landed files → raw Parquet (text, provenance, units, rejects)
    typed       ours: raw Parquet → standard Parquet (types, identity block, every change recorded)
    both        extract + typed, the figure that counts
    night       the same files through arrival, two processes, and the ledger (wall against CPU)

The envelopes are invented visits of `datasach.synth`, repeated under new episode keys. CPU seconds are
user + system of the process and its children; this says more than wall time on a shared machine.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
NIGHT = date(2026, 3, 2)
PER_FILE = 400


def build(inbox: Path, hoso: int) -> float:
    """Write `hoso` HOSO into plain envelopes of one facility; returns kilobytes per HOSO."""
    from datasach.synth import generate

    with tempfile.TemporaryDirectory() as scratch:
        generate(
            Path(scratch) / "inbox", Path(scratch) / "truth", reference=ROOT / "datasets/_reference", seed=11,
            nights=[NIGHT], facilities=4, persons=4_000, visits_per_night=500, errors=1.0, damaged=0.0,
        )  # fmt: skip
        units = []
        for path in sorted((Path(scratch) / "inbox").rglob("DPDL_*.xml")):
            text = path.read_bytes().decode("utf-8-sig", "ignore")
            for unit in re.findall(r"<HOSO>.*?</HOSO>", text, re.S):
                if "<LOAIHOSO>XML1<" in unit and "CDATA" not in unit and "<TONG_HOP>" not in unit:
                    units.append(unit)
    folder = inbox / NIGHT.isoformat() / "79001"
    folder.mkdir(parents=True)
    size = 0
    for start in range(0, hoso, PER_FILE):
        body = "".join(
            renamed(units[n % len(units)], f"BM{n:09d}")
            for n in range(start, min(hoso, start + PER_FILE))
        )
        count = min(PER_FILE, hoso - start)
        text = (
            '<?xml version="1.0" encoding="utf-8"?><GIAMDINHHS><THONGTINDONVI><MACSKCB>79001</MACSKCB></THONGTINDONVI>'
            f"<THONGTINHOSO><NGAYLAP>20260302</NGAYLAP><SOLUONGHOSO>{count}</SOLUONGHOSO><DANHSACHHOSO>{body}"
            "</DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>"
        )
        size += len(text)
        (folder / f"DPDL_{start:09d}.xml").write_text(text, "utf-8")
    return size / hoso / 1000


def renamed(unit: str, key: str) -> str:
    """The unit under another episode key and the benchmark's facility."""

    def change(found: re.Match[str]) -> str:
        document = base64.b64decode(found[1]).decode("utf-8", "ignore")
        document = re.sub(r"<MA_LK>[^<]*<", f"<MA_LK>{key}<", document)
        document = re.sub(r"<MA_CSKCB>[^<]*<", "<MA_CSKCB>79001<", document)
        return f"<NOIDUNGFILE>{base64.b64encode(document.encode()).decode()}<"

    return re.sub(r"<NOIDUNGFILE>([^<]*)<", change, unit)


def _prepare(inbox: Path, out: Path):  # type: ignore[no-untyped-def]
    from datasach.extract.arrive import arrive, waiting
    from datasach.spec.project import load_project
    from datasach.store.layout import Layout
    from datasach.store.ledger import Ledger

    project = load_project(ROOT)
    layout = Layout(out)
    ledger = Ledger(layout.ledger, "benchmark")
    arrive(project, layout, ledger, inbox, NIGHT)
    return project, layout, waiting(project, layout, ledger)


def measure_rows(inbox: Path, out: Path) -> dict[str, float]:
    return _straightforward(inbox, None)


def measure_dicts(inbox: Path, out: Path) -> dict[str, float]:
    return _straightforward(inbox, out)


def _straightforward(inbox: Path, out: Path | None) -> dict[str, float]:
    """A reader as one would write it first: a dict per row, Arrow from the dicts."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from lxml import etree

    def work() -> int:
        count = 0
        for path in sorted(inbox.rglob("*.xml")):
            tables: dict[str, list[dict[str, str | None]]] = {}
            for unit in etree.parse(str(path)).getroot().iter("HOSO"):
                count += 1
                for part in unit:
                    root = etree.fromstring(base64.b64decode(part[1].text))
                    leaves = [e for e in root.iter() if len(e) and not len(e[0])]
                    tables.setdefault(part[0].text, []).extend(
                        {c.tag: c.text for c in e} for e in leaves
                    )
            if out is not None:
                for name, rows in tables.items():
                    out.mkdir(parents=True, exist_ok=True)
                    pq.write_table(
                        pa.Table.from_pylist(rows),
                        out / f"{path.stem}-{name}.parquet",
                        compression="zstd",
                    )
        return count

    return timed(work)


def measure_extract(inbox: Path, out: Path) -> dict[str, float]:
    from datasach.extract.extract import extract

    project, layout, batches = _prepare(inbox, out)
    return timed(
        lambda: sum(f.units_read or 0 for b in batches for f in extract(project, layout, b).files)
    )


def measure_typed(inbox: Path, out: Path) -> dict[str, float]:
    from datasach.extract.extract import extract

    project, layout, batches = _prepare(inbox, out)
    done = [extract(project, layout, b) for b in batches]
    return timed(lambda: _typed(project, layout, batches, done))


def _typed(project, layout, batches, done) -> int:  # type: ignore[no-untyped-def]
    from datasach.standardise.standardise import FileFacts, standardise

    count = 0
    for batch, result in zip(batches, done, strict=True):
        channel = project.sources[batch.source].channel
        facts = {
            f.file: FileFacts(
                f.file, batch.night, "79001", channel, batch.source, f.facility, f.declared_on
            )
            for f in result.files
        }
        standardise(project, layout, batch.id, facts)
        count += sum(f.units_read or 0 for f in result.files)
    return count


def measure_both(inbox: Path, out: Path) -> dict[str, float]:
    from datasach.extract.extract import extract

    project, layout, batches = _prepare(inbox, out)

    def work() -> int:
        return sum(_typed(project, layout, [b], [extract(project, layout, b)]) for b in batches)

    return timed(work)


def measure_night(inbox: Path, out: Path) -> dict[str, float]:
    """Arrival, reading and standardising as a run does them, on every core."""
    from datasach.pipeline.plan import plan
    from datasach.runners.local import opened, run_shards
    from datasach.spec.project import load_project

    def work() -> int:
        with opened(load_project(ROOT), inbox, out, NIGHT) as night:
            for step in plan()[:3]:
                step.run(night, run_shards(night, step), lambda _: None)
            units = night.ledger.rows("SELECT sum(units_read) FROM files")[0][0]
            night.carried["release"] = type("Nothing", (), {"snapshot": None, "withheld": ()})()
        return int(units)

    return timed(work)


def timed(work: Callable[[], int]) -> dict[str, float]:
    before, wall = _cpu(), time.perf_counter()
    count = work()
    cpu, seconds = _cpu() - before, time.perf_counter() - wall
    peak = max(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
    )
    return {"hoso": count, "cpu": cpu, "wall": seconds, "peak_mb": peak / 1024}


def _cpu() -> float:
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


MEASURES = {
    "rows": measure_rows, "dicts": measure_dicts, "extract": measure_extract,
    "typed": measure_typed, "both": measure_both, "night": measure_night,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hoso", type=int, default=4_000)
    parser.add_argument(
        "--large", type=int, default=0, help="also `both` and `night` at this many HOSO, for memory"
    )
    parser.add_argument(
        "--one", nargs=3, metavar=("MEASURE", "INBOX", "OUT"), help=argparse.SUPPRESS
    )
    args = parser.parse_args()
    if args.one:
        name, inbox, out = args.one
        print(json.dumps(MEASURES[name](Path(inbox), Path(out))))
        return
    for hoso, names in ((args.hoso, list(MEASURES)), (args.large, ["both", "night"])):
        if not hoso:
            continue
        scratch = Path(tempfile.mkdtemp(prefix="datasach-benchmark-"))
        try:
            size = build(scratch / "inbox", hoso)
            print(
                f"\n{hoso:,} HOSO, {size:.1f} kB each\n{'':10}{'HOSO/CPU-s':>12}{'CPU-s':>9}{'wall s':>9}{'peak MB':>9}"
            )
            for name in names:
                command = [
                    sys.executable,
                    __file__,
                    "--one",
                    name,
                    str(scratch / "inbox"),
                    str(scratch / name),
                ]
                found = json.loads(
                    subprocess.run(command, capture_output=True, check=True, text=True).stdout
                )
                print(
                    f"{name:10}{found['hoso'] / found['cpu']:12,.0f}{found['cpu']:9.1f}{found['wall']:9.1f}{found['peak_mb']:9.0f}"
                )
        finally:
            shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
