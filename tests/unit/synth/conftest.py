"""Two invented countries, made once for all tests of the generator."""

from __future__ import annotations

import polars as pl
import pytest
from synth_country import Country, Unit, make, read_all


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Country:
    return make(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Country:
    return make(tmp_path_factory.mktemp("clean"), errors=0.0, damaged=0.0)


@pytest.fixture(scope="session")
def units(demo: Country) -> list[Unit]:
    damaged = set(demo.table("files").filter(pl.col("kind") == "damaged")["file"])
    return [unit for unit in read_all(demo.inbox) if unit.file not in damaged]


@pytest.fixture(scope="session")
def clean_units(clean: Country) -> list[Unit]:
    return list(read_all(clean.inbox))
