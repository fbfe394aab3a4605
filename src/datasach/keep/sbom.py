"""The bill of materials: what the running lock installs, as CycloneDX 1.6 JSON. Same lock, same bytes."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from pathlib import Path
from typing import Any

from datasach import __version__
from datasach.errors import SpecError

_PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", re.M)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_VIA = re.compile(r"#\s+(?:via\s+)?([A-Za-z0-9_.-]+)\s*$")
ENGINE = "datasach"


def bill(lock: Path) -> dict[str, Any]:
    """Components with their hashes (one per file the index offers) and who needs whom.

    Raises SpecError if a pin of the lock has no hash.
    """
    text = lock.read_text("utf-8")
    components: list[dict[str, Any]] = []
    refs: dict[str, str] = {}
    needs: dict[str, list[str]] = {}
    for block in re.split(r"(?m)^(?=[A-Za-z0-9])", text):
        pin = _PIN.match(block)
        if pin is None:
            continue
        name, version = pin[1].lower().replace("_", "-"), pin[2]
        hashes = sorted(set(_HASH.findall(block)))
        if not hashes:
            raise SpecError(f"{lock.name}: {name} has no hash")
        components.append(
            {
                "type": "library", "bom-ref": _ref(name, version), "name": name, "version": version,
                "purl": _ref(name, version),
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in hashes],
            }
        )  # fmt: skip
        refs[name] = _ref(name, version)
        needs[name] = _needed_by(block)
    own = f"pkg:generic/{ENGINE}@{__version__}"
    depends: dict[str, list[str]] = {own: [], **{ref: [] for ref in refs.values()}}
    for name, parents in needs.items():
        for parent in parents or [""]:
            depends[refs.get(parent, own)].append(refs[name])
    serial = uuid.UUID(hashlib.sha256(text.encode()).hexdigest()[:32], version=5)
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application", "bom-ref": own, "name": ENGINE, "version": __version__,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
            "properties": [
                {"name": "datasach:lock", "value": lock.name},
                {"name": "datasach:lock:sha256", "value": hashlib.sha256(text.encode()).hexdigest()},
            ],
        },
        "components": components,
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(set(on))} for ref, on in sorted(depends.items())
        ],
    }  # fmt: skip


def _ref(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def _needed_by(block: str) -> list[str]:
    """Packages named under `# via`; "" for the project's own request (`-r run.in`)."""
    lines = [line.strip() for line in block.splitlines() if line.strip().startswith("#")]
    names = [found[1] for line in lines if (found := _VIA.match(line)) and found[1] != "via"]
    own = [""] if any("-r " in line for line in lines) else []
    return [*own, *(name.lower().replace("_", "-") for name in names)]


def bill_text(lock: Path) -> str:
    return json.dumps(bill(lock), indent=1, sort_keys=True) + "\n"
