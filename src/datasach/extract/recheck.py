"""When the trust folder changes, signatures judged under the one before are judged again.

A root, a binding or a revocation list that comes later changes what may be believed of files that came earlier: a
refused facility need not send again because the Centre was slow, and a key reported lost takes down what was signed
with it. Only certificates are judged again (the bytes were); where the answer differs, the batch is read again and
everything after reading follows by itself.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, timedelta

from datasach.signing.evidence import Facts, code_today, path_of, read_evidence
from datasach.signing.trust import TrustStore, store_of
from datasach.signing.verdict import GOOD, MAY_CHANGE
from datasach.spec.project import Project
from datasach.store.layout import Layout
from datasach.store.ledger import Ledger

BATCH_LAYERS = ("raw", "standard", "units", "rejects", "changes")


def recheck(project: Project, layout: Layout, ledger: Ledger, until: date) -> int:
    """Judge the signatures of the last nights again if the trust folder is not the one of the last run.

    Returns how many contents wait to be read again. Nothing happens, and nothing is opened, while it is the same.
    """
    mark = layout.state / "trust.json"
    before = json.loads(mark.read_text("utf-8")) if mark.exists() else None
    now = {"sha256": project.trust.fingerprint}
    if before == now:
        return 0
    again = 0
    if before is not None and not project.trust.is_empty:
        since = (until - timedelta(days=project.trust.policy.recheck_nights)).isoformat()
        batches = _differing(layout, ledger, store_of(project.trust), since)
        for batch in sorted(batches):
            with ledger.transaction():
                again += ledger.read_again(batch)
            _clear(layout, batch)
    side = mark.with_suffix(".new")
    side.write_text(json.dumps(now), "utf-8")
    side.replace(mark)
    return again


def _differing(layout: Layout, ledger: Ledger, store: TrustStore, since: str) -> set[str]:
    """Batches with a file whose code would be another one today."""
    rows = ledger.rows(
        "SELECT f.file, f.night, f.sender, f.facility, f.signature, f.batch, s.certificate"
        " FROM files f LEFT JOIN signers s USING (file)"
        " WHERE f.signature IS NOT NULL AND f.batch IS NOT NULL AND f.night >= ?"
        " ORDER BY f.night, f.file",
        (since,),
    )
    groups: dict[tuple[str, ...], list[tuple[str, str, str, str]]] = defaultdict(list)
    for row in rows:
        if row["signature"] in MAY_CHANGE | GOOD:
            key = (row["certificate"] or row["file"], row["facility"] or "", row["signature"])
            groups[key].append((row["night"], row["sender"], row["file"], row["batch"]))
    found: set[str] = set()
    for (_, _, code), files in groups.items():
        found |= _of_one_signer(layout, store, code, files)
    return found


def _of_one_signer(
    layout: Layout, store: TrustStore, code: str, files: list[tuple[str, str, str, str]]
) -> set[str]:
    """Files of one certificate, facility and code, by night. Nearly always nothing differs, and the first and the
    last night tell so: revocation only begins, and a binding has one first and one last day."""
    facts = {
        file: _facts(layout, night, sender, file)
        for night, sender, file, _ in (files[0], files[-1])
    }
    ends = [
        _differs(facts[file], store, code, night) for night, _, file, _ in (files[0], files[-1])
    ]
    if not any(ends):
        return set()
    return {
        batch
        for night, sender, file, batch in files
        if _differs(_facts(layout, night, sender, file), store, code, night)
    }


def _facts(layout: Layout, night: str, sender: str, file: str) -> Facts | None:
    path = path_of(layout, night, sender, file)
    return read_evidence(path) if path.exists() else None


def _differs(facts: Facts | None, store: TrustStore, code: str, night: str) -> bool:
    """No evidence: it was judged before there was a trust folder. Another policy: the bytes are asked again."""
    if facts is None or facts["trust"]["policy"] != store.policy.model_dump(mode="json"):
        return True
    return code_today(facts, store, night) != code


def _clear(layout: Layout, batch: str) -> None:
    """Remove the parts of a batch the ledger no longer knows. Left behind by a crash, they would be read by nobody."""
    for layer in BATCH_LAYERS:
        for path in (layout.state / layer).glob(f"*/{batch}.*"):
            path.unlink()
