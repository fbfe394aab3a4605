"""The bill of materials is CycloneDX and says exactly what the lock says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from datasach.errors import SpecError
from datasach.keep.sbom import bill, bill_text
from tests.conftest import ROOT

LOCK = ROOT / "requirements/run.txt"


def test_every_pin_is_a_component_with_its_hashes_and_no_other() -> None:
    text = LOCK.read_text("utf-8")
    made = json.loads(bill_text(LOCK))
    pins = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", text, re.M))
    assert {c["name"]: c["version"] for c in made["components"]} == {
        name.lower().replace("_", "-"): version for name, version in pins.items()
    }
    hashes = [h["content"] for c in made["components"] for h in c["hashes"]]
    assert sorted(hashes) == sorted(re.findall(r"sha256:([0-9a-f]{64})", text))


def test_the_form_is_that_of_cyclonedx_1_6() -> None:
    made = bill(LOCK)
    assert (made["bomFormat"], made["specVersion"], made["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(
        r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        made["serialNumber"],
    )
    refs = {c["bom-ref"] for c in made["components"]} | {made["metadata"]["component"]["bom-ref"]}
    assert len(refs) == len(made["components"]) + 1
    for component in made["components"]:
        assert component["type"] == "library" and component["purl"].startswith("pkg:pypi/")
        assert all(h["alg"] == "SHA-256" and len(h["content"]) == 64 for h in component["hashes"])
    assert {d["ref"] for d in made["dependencies"]} == refs
    assert all(set(d["dependsOn"]) <= refs - {d["ref"]} for d in made["dependencies"])


def test_everything_is_reached_from_the_engine() -> None:
    made = bill(LOCK)
    needs = {d["ref"]: d["dependsOn"] for d in made["dependencies"]}
    seen, waiting = set(), [made["metadata"]["component"]["bom-ref"]]
    while waiting:
        ref = waiting.pop()
        if ref not in seen:
            seen.add(ref)
            waiting += needs[ref]
    assert seen == set(needs)


def test_the_same_lock_gives_the_same_bytes() -> None:
    assert bill_text(LOCK) == bill_text(LOCK)


def test_a_pin_without_a_hash_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.txt").write_text("polars==2.1.0\n", "utf-8")
    with pytest.raises(SpecError, match="polars has no hash"):
        bill(tmp_path / "run.txt")
