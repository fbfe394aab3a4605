"""Receipts: what became of every file, in numbers that add up, and nothing that names a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest_report import FIRST, GOOD, SECOND, CANARIES, HandmadeNight

from datasach.report.counts import FATES
from datasach.report.deliveries import receipt_id
from datasach.report.receipts import folder_of
from datasach.report.site import write_report


@pytest.fixture
def written(night: HandmadeNight) -> HandmadeNight:
    write_report(night, lambda _: None)
    return night


def receipts(night: HandmadeNight) -> dict[str, dict[str, Any]]:
    """File name → receipt."""
    paths = (night.layout.root / "receipts").rglob("*.json")
    found = [json.loads(path.read_text("utf-8")) for path in paths]
    return {one["file"]["name"]: one for one in found}
