"""The invented population of the linkage benchmarks: the same for ever by seed, and nothing but the records tells who is who."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks/linkage"
RECORDS = 6_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import population
    finally:
        sys.path.remove(str(BENCHMARKS))
    folders = {}
    for name, kind, seed in (
        ("a", "hostile", 1),
        ("again", "hostile", 1),
        ("b", "hostile", 2),
        ("bare", "no_id", 1),
    ):
        folders[name] = tmp_path_factory.mktemp(name)
        population.generate(kind, RECORDS, seed, folders[name])
    return folders


def read(made: dict[str, Path], name: str) -> pl.DataFrame:
    """Records with truth and strata."""
    parts = [pl.read_parquet(made[name] / f"{p}.parquet") for p in ("records", "truth", "strata")]
    return parts[0].join(parts[1], on="record_key").join(parts[2], on="record_key")


def test_a_set_is_a_function_of_kind_size_and_seed(made: dict[str, Path]) -> None:
    for name in ("records", "truth", "strata"):
        path = f"{name}.parquet"
        assert pl.read_parquet(made["a"] / path).equals(pl.read_parquet(made["again"] / path))
    assert not read(made, "a").equals(read(made, "b"))
    assert read(made, "a").height == RECORDS


def test_neither_order_nor_key_tells_who_is_who(made: dict[str, Path]) -> None:
    people = read(made, "a")
    assert people["record_key"].n_unique() == RECORDS
    assert people["record_key"].is_sorted()
    neighbours = (people["person"] == people["person"].shift(1)).sum()
    assert neighbours <= 10  # by chance about one in 6,000


def test_nobody_shares_an_id_that_is_their_own(made: dict[str, Path]) -> None:
    own = (
        read(made, "a")
        .filter("bears_own_id")
        .group_by("citizen_id")
        .agg(pl.col("person").n_unique())
    )
    assert own["person"].max() == 1


def test_the_hard_cases_are_there(made: dict[str, Path]) -> None:
    people = read(made, "a")
    for flag in (
        "is_twin",
        "is_stranger",
        "is_ethnic",
        "is_nameless",
        "is_con_ba",
        "on_0101",
        "child_under_6",
    ):
        assert people[flag].sum() > 0, flag
    strangers = people.filter("is_stranger", pl.col("born_on").is_not_null())
    shared = strangers.group_by(pl.col("full_name").str.to_lowercase(), "born_on").agg(
        pl.col("person").n_unique()
    )
    assert (shared["person"] > 1).sum() > 10
    parents = people.filter(pl.col("citizen_id") == pl.col("mother_citizen_id"))
    assert parents.height > 0
    assert read(made, "bare")["citizen_id"].drop_nulls().is_in(["123456789012"]).sum() == 0
    assert read(made, "bare")["citizen_id"].null_count() == RECORDS
