"""Evidence: what was found of one submission's signature, kept so that anybody can check it without us.

    evidence/<night>/<sender>/<file>.json     the judgement and everything it rests on
    evidence/crl/<sha256>.crl                 the revocation lists it was judged by, each once

An evidence file names the submission by its hash, carries the certificate chain, and says what was covered, at
what time it was judged, by which lists and under which trust folder. `check_evidence` works it all out again from
the submission itself: no database, no ledger, no warehouse. It depends on data and declarations alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from datasach.signing.trust import TrustStore
from datasach.signing.verdict import Verdict
from datasach.signing.verify import verify_envelope
from datasach.spec.trust import Trust
from datasach.store.layout import Layout, fsync_folder

KIND, FORMAT = "datasach evidence", 1
MAX_BYTES = 4 * 2**20
Facts = dict[str, Any]


def evidence_of(
    verdict: Verdict, data: bytes, at: datetime, trust: Trust, submission: Facts
) -> Facts:
    """The evidence of one judgement. `submission` says where the file came from (night, sender, source …)."""
    chain = [
        x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM).decode("ascii")
        for one in verdict.chain
    ]
    return {
        "kind": KIND,
        "format": FORMAT,
        "submission": submission,
        "file": {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)},
        "facility": verdict.facility,
        "code": verdict.code,
        "detail": verdict.detail,
        "judged_at": at.isoformat(),
        "signature": verdict.facts or None,
        "chain": chain,
        "crls": list(verdict.crls),
        "trust": {"sha256": trust.fingerprint, "invented": trust.is_invented},
    }


def path_of(layout: Layout, night: str, sender: str, file: str) -> Path:
    return layout.evidence / night / sender / f"{file}.json"


def write_evidence(layout: Layout, path: Path, facts: Facts, trust: Trust) -> None:
    """Put an evidence file in its place, whole or not at all, and the revocation lists it names."""
    wanted = {one["sha256"] for one in facts["crls"]}
    for _, data in trust.crls:
        name = hashlib.sha256(data).hexdigest()
        home = layout.evidence / "crl" / f"{name}.crl"
        if name in wanted and not home.exists():
            _settle(home, data)
    text = json.dumps(facts, ensure_ascii=False, indent=1, sort_keys=True)
    _settle(path, text.encode())


def _settle(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    side = path.with_name(f".{path.name}.{os.getpid()}.part")
    with side.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    side.replace(path)
    fsync_folder(path.parent)


def read_evidence(path: Path) -> Facts | None:
    """The evidence in a file; None if it is something else."""
    if path.stat().st_size > MAX_BYTES:
        return None
    try:
        facts = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) and facts.get("kind") == KIND else None


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking an evidence file came to; `problems` is empty when everything in it holds."""

    facts: Facts
    verdict: Verdict
    problems: tuple[str, ...]


def check_evidence(facts: Facts, path: Path, data: bytes | None, trust: Trust | None) -> Checked:
    """Work out again what an evidence file says, from the submission's bytes.

    With a trust folder that has roots, the chain must lead to one of them; without, it is judged by the root the
    evidence carries, and the caller must say so. Revocation lists are those named in the evidence, from the
    folder beside it. `data` None: only what the evidence says of itself can be checked.
    """
    problems: list[str] = []
    own, missing = _own_trust(facts, path, trust)
    problems += [f"the revocation list {name[:16]}… it names is not beside it" for name in missing]
    if data is None:
        problems.append("the submission itself is not at hand: give it as a second file")
        return Checked(facts, Verdict(str(facts.get("code"))), tuple(problems))
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != facts["file"]["sha256"]:
        problems.append(f"the file is another one: SHA-256 {sha256[:16]}…")
    at = datetime.fromisoformat(facts["judged_at"])
    verdict = verify_envelope(data, TrustStore(own), at)
    code = "SIG_MISSING" if facts["code"] == "SIG_NONE" else facts["code"]
    if verdict.code != code:
        problems.append(f"it says {facts['code']}, the file says {verdict.code} {verdict.detail}")
    if verdict.code == code and (verdict.facts or None) != facts["signature"]:
        problems.append("what it says of the signature is not what the file says")
    return Checked(facts, verdict, tuple(problems))


def _own_trust(facts: Facts, path: Path, trust: Trust | None) -> tuple[Trust, list[str]]:
    """The trust under which an evidence was judged, put together from it: roots from the given folder if it has
    any, revocation lists as named, and its binding."""
    assert trust is not None
    chain = [
        x509.load_pem_x509_certificate(one.encode()).public_bytes(Encoding.DER)
        for one in facts["chain"]
    ]
    wanted = {one["sha256"] for one in facts["crls"]}
    lists = {hashlib.sha256(data).hexdigest(): data for _, data in trust.crls}
    for name in wanted - set(lists):
        beside = path.parent.parent.parent / "crl" / f"{name}.crl"
        if beside.is_file() and hashlib.sha256(beside.read_bytes()).hexdigest() == name:
            lists[name] = beside.read_bytes()
    missing = sorted(wanted - set(lists))
    kept = tuple((name, lists[name]) for name in sorted(wanted & set(lists)))
    return (
        replace(
            trust,
            roots=trust.roots or tuple(chain[-1:]) if len(chain) > 1 else trust.roots,
            intermediates=(*trust.intermediates, *chain[1:-1]),
            crls=kept,
            fingerprint="",
        ),
        missing,
    )


