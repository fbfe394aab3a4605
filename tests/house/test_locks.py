"""Locks hold hashes and no address; every package the project was asked to use stands in the running lock."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
ASKED = (
    "polars",
    "duckdb",
    "great-expectations",
    "recordlinkage",
    "rapidfuzz",
    "pyarrow",
    "prefect",
)


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt"])
def test_a_lock_names_no_address_and_hashes_everything(lock: str) -> None:
    text = (REQUIREMENTS / lock).read_text("utf-8")
    assert "://" not in text
    pins = re.findall(
        r"^([A-Za-z0-9_.-]+)==\S+ \\\n((?:    --hash=sha256:[0-9a-f]{64}.*\n)+)", text, re.M
    )
    assert len(pins) == len(re.findall(r"^[A-Za-z0-9_.-]+==", text, re.M))


def test_the_running_lock_holds_every_package_asked_for() -> None:
    text = (REQUIREMENTS / "run.txt").read_text("utf-8")
    for package in ASKED:
        assert re.search(rf"^{package}==", text, re.M), package
