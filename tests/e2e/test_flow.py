"""The Prefect flow publishes what the local runner publishes."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from datasach.runners.launch import run_flow
from tests.conftest import ROOT, Invented


@pytest.mark.slow
def test_the_flow_gives_the_same_bytes_as_the_local_runner(
    three_nights: Invented, tmp_path: Path
) -> None:
    out = tmp_path / "by_prefect"
    assert run_flow(ROOT, three_nights.inbox, out, date(2026, 3, 2)) == 0
    assert content(out, "latest") == content(three_nights.out, "2026-03-02")
    assert (out / "state/prefect/prefect.db").exists(), "Prefect keeps its state inside ours"


def content(out: Path, snapshot: str) -> str:
    manifest = json.loads((out / "published" / snapshot / "manifest.json").read_text("utf-8"))
    return str(manifest["content_sha256"])


def test_the_deployment_names_a_flow_that_exists() -> None:
    import yaml

    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))
    for deployment in declared["deployments"]:
        path, name = deployment["entrypoint"].split(":")
        assert f"{name}" in (ROOT / path).read_text("utf-8")
        assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
        assert deployment["schedules"][0]["timezone"] == "Asia/Ho_Chi_Minh"
