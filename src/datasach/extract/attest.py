"""What a source's signature policy makes of one envelope, and the evidence kept of it.

    off        nobody looks
    optional   the envelope is read; where its signature does not hold, its receipt says so
    required   where the signature does not hold, the envelope is refused

Where a signature holds, what is read is what was signed: the canonical bytes that were verified, never the file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from datasach.extract.arrive import FileRef
from datasach.signing.evidence import evidence_of, path_of, write_evidence
from datasach.signing.trust import store_of
from datasach.signing.verdict import PLAIN, Verdict, receipt_time
from datasach.signing.verify import verify_envelope
from datasach.spec.project import Project
from datasach.spec.source import Source
from datasach.store.layout import Layout


@dataclass(frozen=True, slots=True)
class Attested:
    """What became of the signature of one envelope."""

    code: str | None = None
    """SIG_*; None where nobody looked."""
    detail: str = ""
    certificate: str | None = None
    is_refused: bool = False
    content: bytes | None = None
    """The signed bytes, to be read instead of the file; None where the signature does not hold."""
    notes: set[str] = field(default_factory=set)


def attest(
    project: Project, layout: Layout, source: Source, ref: FileRef, data: bytes, is_signed: bool
) -> Attested:
    """Judge the signature of an envelope as of the night it arrived in.

    Writes  evidence/<night>/<sender>/<file>.json
    Without a trust folder that has a root, presence is all that is told (SIG_PRESENT, SIG_NONE), and kept nowhere.
    """
    if source.signature == "off":
        return Attested()
    if project.trust.is_empty:
        return Attested("SIG_PRESENT" if is_signed else "SIG_NONE")
    at = receipt_time(ref.night)
    verdict = (
        verify_envelope(data, store_of(project.trust), at)
        if is_signed
        else Verdict("SIG_MISSING", "CHUKYDONVI is empty")
    )
    required = source.signature == "required"
    if verdict.code == "SIG_MISSING" and not required:
        verdict = Verdict("SIG_NONE")
    submission = {
        "night": ref.night, "sender": ref.sender, "source": source.id, "channel": source.channel,
        "file": ref.file, "member": ref.member, "landed": ref.landed.name, "policy": source.signature,
    }  # fmt: skip
    facts = evidence_of(verdict, data, at, project.trust, submission)
    write_evidence(layout, path_of(layout, ref.night, ref.sender, ref.file), facts, project.trust)
    notes = set() if verdict.code in PLAIN else {verdict.code}
    if verdict.is_good and verdict.has_comments:
        notes.add("COMMENTS_LEFT_OUT")
    return Attested(
        code=verdict.code,
        detail=verdict.detail,
        certificate=hashlib.sha256(verdict.chain[0]).hexdigest() if verdict.chain else None,
        is_refused=required and not verdict.is_good,
        content=verdict.content if verdict.is_good else None,
        notes=notes,
    )
