"""recordlinkage's ECM on prepared records: the second peer, for sets that fit into pandas (100,000 records).

    python benchmarks/linkage/ecm_peer.py PREPARED.parquet --out DIR

The same passes as Splink's; binary comparisons (Jaro-Winkler at 0.88 for names), unknown counts as disagreement, as the package
does it. Pairs the classifier calls matches become components. Runs in the project's environment.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import recordlinkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

PASSES = (
    ("citizen_id",), ("insurance_number",), ("name_sorted", "birth_year", "day_month"), ("given", "birth_year", "commune"),
    ("name_sorted", "birth_year", "province"), ("phone_block", "given"), ("citizen_tail", "birth_year"), ("citizen_head", "given"),
    ("born_day", "commune"), ("surname", "born_day", "province"), ("mother_id", "birth_year"), ("mother_name", "born_day"),
)  # fmt: skip
EXACT = ("sex", "citizen_id", "insurance_number", "phone", "commune", "born_on", "mother_id")
ALIKE = ("surname", "middle", "given", "mother_name")


def link(path: Path, out: Path) -> None:
    records = pl.read_parquet(path).with_row_index("row")
    pairs = []
    for columns in PASSES:
        side = records.select("row", *columns).drop_nulls()
        found = side.join(side, on=list(columns)).filter(pl.col("row") < pl.col("row_right"))
        pairs.append(found.select("row", "row_right"))
    both = pl.concat(pairs).unique().sort("row", "row_right")
    index = pd.MultiIndex.from_arrays([both["row"].to_numpy(), both["row_right"].to_numpy()])
    frame = records.drop("row").to_pandas()
    compare = recordlinkage.Compare()
    for column in EXACT:
        if frame[column].notna().any():
            compare.exact(column, column, label=column)
    for column in ALIKE:
        compare.string(column, column, method="jarowinkler", threshold=0.88, label=column)
    features = compare.compute(index, frame)
    matches = recordlinkage.ECMClassifier(binarize=0.5).fit_predict(features)
    a, b = matches.get_level_values(0).to_numpy(), matches.get_level_values(1).to_numpy()
    graph = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(len(frame), len(frame)))
    labels = connected_components(graph, directed=False)[1]
    out.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(
        {"record_key": records["unique_id"], "person_id": pl.Series(labels).cast(pl.String)}
    ).write_parquet(out / "persons.parquet")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    link(given.records, given.out)
