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
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from datasach.signing.trust import TrustStore, store_of
from datasach.signing.verdict import Verdict, receipt_time
from datasach.signing.verify import judge, verify_envelope
from datasach.spec.trust import Binding, Trust, TrustPolicy
from datasach.store.layout import Layout, fsync_folder

KIND, FORMAT = "datasach evidence", 1
MAX_BYTES = 4 * 2**20
Facts = dict[str, Any]


def evidence_of(
    verdict: Verdict, data: bytes, at: datetime, trust: Trust, submission: Facts
) -> Facts:
    """The evidence of one judgement. `submission` says where the file came from (night, sender, source …)."""
    read = [x509.load_der_x509_certificate(one) for one in verdict.chain]
    store = store_of(trust)
    bindings = store.bindings_about(read[0], verdict.facility) if read else ()
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
        "chain": [one.public_bytes(Encoding.PEM).decode("ascii") for one in read],
        "crls": list(verdict.crls),
        "trust": {
            "sha256": trust.fingerprint,
            "invented": trust.is_invented,
            "policy": trust.policy.model_dump(mode="json"),
            "bindings": [one.row() for one in bindings],
        },
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


def settle_evidence(layout: Layout, places: Iterable[tuple[str, str]]) -> None:
    """Make what was written for these (night, sender) survive a power cut. Once a batch, not once a file."""
    folders = [layout.evidence / "crl", *(layout.evidence / n / s for n, s in sorted(set(places)))]
    for folder in folders:
        if folder.is_dir():
            fsync_folder(folder)


def read_evidence(path: Path) -> Facts | None:
    """The evidence in a file; None if it is something else."""
    if path.stat().st_size > MAX_BYTES:
        return None
    try:
        facts = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) and facts.get("kind") == KIND else None


def code_today(facts: Facts, store: TrustStore, night: str) -> str:
    """The code that a trust folder gives to the signer of an evidence file, had it signed in `night`."""
    if not facts["chain"] or not facts["signature"]:
        return str(facts["code"])
    chain = [x509.load_pem_x509_certificate(one.encode()) for one in facts["chain"]]
    said = facts["signature"]["signing_time_claimed"]
    signed_at = datetime.fromisoformat(said) if said else None
    at = receipt_time(night)
    return judge(store, chain[0], chain, facts["facility"], signed_at, at).code


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking an evidence file came to; `problems` is empty when everything in it holds."""

    facts: Facts
    verdict: Verdict
    problems: tuple[str, ...]


def check_evidence(
    facts: Facts, path: Path, data: bytes | None, trust: Trust | None = None
) -> Checked:
    """Work out again what an evidence file says, from the submission's bytes and what the evidence carries:
    chain, revocation lists, policy, bindings.

    That shows the judgement follows from them; that its root is a root at all only the reader's own trust folder
    can show, and must, where it is given. `data` None: the submission is not at hand, which is a problem.
    """
    if data is None:
        told = "the submission itself is not at hand: give it as a second file"
        return Checked(facts, Verdict(str(facts["code"]), str(facts["detail"])), (told,))
    own, problems = _carried(facts, path)
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != facts["file"]["sha256"]:
        problems.append(f"the file is another one: SHA-256 {sha256[:16]}…")
    verdict = verify_envelope(data, TrustStore(own), datetime.fromisoformat(facts["judged_at"]))
    said = {"SIG_NONE": "SIG_MISSING"}.get(facts["code"], facts["code"])
    if verdict.code != said:
        problems.append(f"it says {facts['code']}, the file says {verdict.code} {verdict.detail}")
    elif (verdict.facts or None) != facts["signature"] or verdict.facility != facts["facility"]:
        problems.append("what it says of the signature is not what the file says")
    if trust is not None and trust.roots and own.roots and own.roots[0] not in trust.roots:
        problems.append(f"its root is not a root of {trust.folder}")
    return Checked(facts, verdict, tuple(problems))


def _carried(facts: Facts, path: Path) -> tuple[Trust, list[str]]:
    """The trust an evidence file carries with it, and what of it is missing."""
    chain = [
        x509.load_pem_x509_certificate(one.encode()).public_bytes(Encoding.DER)
        for one in facts["chain"]
    ]
    lists, problems = [], []
    for name in sorted({str(one["sha256"]) for one in facts["crls"]}):
        beside = path.resolve().parents[2] / "crl" / f"{name}.crl"
        data = beside.read_bytes() if beside.is_file() else b""
        if hashlib.sha256(data).hexdigest() == name:
            lists.append((name, data))
        else:
            problems.append(f"the revocation list {name[:16]}… it names is not at {beside}")
    has_root = len(chain) > 1 and facts["code"] != "SIG_UNTRUSTED"
    return Trust(
        folder=path.parent,
        policy=TrustPolicy.model_validate(facts["trust"]["policy"]),
        roots=tuple(chain[-1:]) if has_root else (),
        intermediates=tuple(chain[1:-1]) if has_root else tuple(chain[1:]),
        crls=tuple(lists),
        bindings=tuple(Binding.of(row) for row in facts["trust"]["bindings"]),
        fingerprint=str(facts["trust"]["sha256"]),
    ), problems
