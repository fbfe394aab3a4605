"""A register of a nation linked once, then a night's records against its index: CPU seconds, peak memory, accuracy.

    python benchmarks/linkage/register.py --work DIR [--records 26200000] [--night 200000]

The register is of kind `typical`. Half of the night are records of people nobody knows yet, half are records of
the register sent again under new keys, every second of these without personal id and telephone. Each link is a process
of its own, measured as in `run.py`. Needs 15 GB of disk and 10 GB of memory for 26 million.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import polars as pl  # noqa: E402
import population  # noqa: E402
from run import PERSON, measured  # noqa: E402

from datasach.link.evaluate import evaluate  # noqa: E402


def night(register: Path, strangers: Path, records: int, out: Path) -> None:
    """Write the night's records."""
    population.generate("typical", records // 2, 21, strangers)
    new = pl.read_parquet(strangers / "records.parquet")
    new = new.with_columns(record_key=pl.lit("new-") + pl.col("record_key"))
    known = pl.scan_parquet(register)
    step = max(1, known.select(pl.len()).collect().item() // (records // 2))
    again = known.gather_every(step).head(records // 2).collect().with_row_index("at")
    bare = pl.col("at") % 2 == 0
    again = again.with_columns(
        pl.lit("again-") + pl.col("record_key"),
        *(pl.when(~bare).then(pl.col(name)).alias(name) for name in ("citizen_id", "phone")),
    )
    pl.concat([new, again.select(new.columns)]).write_parquet(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--records", type=int, default=26_200_000)
    parser.add_argument("--night", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=3)
    given = parser.parse_args()
    work: Path = given.work
    data, index, delta = work / "register", work / "index", work / "night.parquet"
    if not (data / "records.parquet").is_file():
        population.generate("typical", given.records, given.seed, data)
    night(data / "records.parquet", work / "strangers", given.night, delta)
    shutil.rmtree(index, ignore_errors=True)
    for name, records in (("register", data / "records.parquet"), ("night", delta)):
        out = work / "out" / name
        out.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable, "-m", "datasach", "link", str(records), "--linkage", str(PERSON),
            "--out", str(out), "--index", str(index),
        ]  # fmt: skip
        print(name, json.dumps(measured(command, out / "log.txt")), flush=True)
    found = evaluate(work / "out/register/persons.parquet", data / "truth.parquet", None).all
    print(
        f"register F1 {found.f1.value:.5f}, recall {found.recall.value:.5f}, over-merged {found.over_merged:,}"
        f" ({found.over_merged_per_10_000.value:.1f} in 10,000)"
    )


if __name__ == "__main__":
    main()
