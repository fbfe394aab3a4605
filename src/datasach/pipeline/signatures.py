"""`datasach verify` and `datasach trust`: what an auditor, an operator or a facility asks of signatures.

No database is opened: an evidence file, the submission it is about and a chain of heads stand for themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509

from datasach import settings
from datasach.errors import DatasachError, UnreadableExtract
from datasach.extract import archives
from datasach.report.words import Words, load_words
from datasach.signing.evidence import Facts, check_evidence, read_evidence
from datasach.signing.heads import check_chain, public_key, read_head
from datasach.signing.trust import TrustStore, der, store_of, subject_ids
from datasach.signing.verdict import GOOD, ICT, Verdict, receipt_time
from datasach.signing.verify import verify_envelope
from datasach.spec.project import Project
from datasach.spec.trust import Trust
from datasach.store.layout import Layout

NOT_PROVED = 40
SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Said:
    """What a verb prints, and whether everything it was asked about holds."""

    text: str
    holds: bool

    @property
    def exit_code(self) -> int:
        return 0 if self.holds else NOT_PROVED


# -- verify ----------------------------------------------------------------------------------------


def verify(project: Project, files: Sequence[Path], night: date | None) -> Said:
    """Each evidence file against its submission, and each envelope against the trust folder.

    A submission is looked for among the other files, then in the landing zone beside the evidence. An envelope is
    judged as if it had arrived in `night`; now, if none is given.
    """
    words = load_words(project.root)
    evidence = {path: facts for path in files if (facts := read_evidence(path)) is not None}
    others = [path for path in files if path not in evidence]
    given = {name: data for path in others for name, data in _contents(path)} if evidence else {}
    by_hash = {hashlib.sha256(data).hexdigest(): data for data in given.values()}
    blocks, holds = [], True
    for path, facts in evidence.items():
        data = by_hash.get(facts["file"]["sha256"])
        if data is None and len(others) == 1 and len(given) == 1:
            data = next(iter(given.values()))
        try:
            found = check_evidence(facts, path, data or _landed(path, facts), project.trust)
            blocks.append(_evidence_text(path, facts, found.problems, words, project.trust))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise DatasachError(f"{path} is not a whole evidence file") from None
        holds &= not found.problems
    if not evidence:
        store, now = store_of(project.trust), settings.now()
        at = receipt_time(night.isoformat()) if night else now
        for path in others:
            for name, data in _contents(path):
                verdict = verify_envelope(data, store, at, now)
                blocks.append(_verdict_text(name, verdict, words, at))
                holds &= verdict.code in GOOD
    if not blocks:
        raise DatasachError("nothing to verify: give envelopes, evidence files, or --chain")
    return Said("\n\n".join(blocks), holds)


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of a file, or of each member of an archive."""
    try:
        kind = archives.kind_of(path)
        if kind == "plain":
            yield path.name, path.read_bytes()
            return
        for member, data in archives.members(path, kind):
            yield f"{path.name}/{member}" if member else path.name, data
    except UnreadableExtract as error:
        raise DatasachError(f"{path}: {error}") from None


def _landed(path: Path, facts: Facts) -> bytes | None:
    """The submission where a warehouse keeps it, if the evidence lies in one."""
    submission = facts["submission"]
    name, member = str(submission["landed"]), submission["member"]
    try:
        landed = path.resolve().parents[3] / "landing" / name[:2] / name
    except IndexError:
        return None
    if not landed.is_file():
        return None
    return archives.content(landed, archives.kind_of(landed), member)


def _evidence_text(
    path: Path, facts: Facts, problems: Sequence[str], words: Words, trust: Trust
) -> str:
    submission, signature = facts["submission"], facts["signature"]
    lines = [
        f"{path.name}: {'KHÔNG KHỚP · DOES NOT HOLD' if problems else 'khớp · holds'}",
        f"   submission  {submission['sender']}, night {submission['night']}, file {submission['file']}",
        f"   sha256      {facts['file']['sha256']}",
        *_code_lines(facts["code"], facts["detail"], words),
        f"   judged at   {facts['judged_at']} (policy of the source: {submission['policy']})",
    ]
    if signature:
        lines.append(
            f"   covered     {signature['covers']}, {signature['method']}, facility {facts['facility']}"
        )
    for number, pem in enumerate(facts["chain"]):
        one = x509.load_pem_x509_certificate(pem.encode())
        lines.append(f"   {'signer' if not number else 'issuer'}      {_certificate_text(one)}")
    if facts["chain"] and trust.is_empty:
        lines.append(
            "   the root is the one the evidence carries: no trust folder of yours was asked"
        )
    if facts["trust"]["invented"]:
        lines.append("   judged by invented authorities: for demonstration only")
    return "\n".join(lines + [f"   !! {problem}" for problem in problems])


def _verdict_text(name: str, verdict: Verdict, words: Words, at: datetime) -> str:
    lines = [
        f"{name}: {'hợp lệ · holds' if verdict.is_good else 'KHÔNG HỢP LỆ · DOES NOT HOLD'}",
        *_code_lines(verdict.code, verdict.detail, words),
        f"   judged at   {at.isoformat(timespec='seconds')}",
    ]
    if verdict.facility:
        lines.append(f"   facility    {verdict.facility} (as signed)")
    for number, one in enumerate(verdict.chain):
        text = _certificate_text(x509.load_der_x509_certificate(one))
        lines.append(f"   {'signer' if not number else 'issuer'}      {text}")
    return "\n".join(lines)


def _code_lines(code: str, detail: str, words: Words) -> list[str]:
    word = words.code(code)
    lines = [f"   {code}{f' ({detail})' if detail else ''}", f"   {word.vi}", f"   {word.en}"]
    if code not in GOOD:
        lines += [f"   → {word.fix.vi}", f"   → {word.fix.en}"]
    return lines


def _certificate_text(one: x509.Certificate) -> str:
    name = one.subject.rfc4514_string()
    return f"{name}, {one.not_valid_before_utc:%Y-%m-%d} … {one.not_valid_after_utc:%Y-%m-%d}"


def verify_chain(out: Path, kept: Sequence[Path], keys: Sequence[Path]) -> Said:
    """The heads of a warehouse, against each other, what they pin, and what others kept of them."""
    found = check_chain(
        Layout(out.resolve()),
        [read_head(path) for path in kept],
        [public_key(path) for path in keys],
    )
    lines = [f"!! {problem}" for problem in found.problems]
    lines += [f"note: {note}" for note in found.notes]
    if found.heads:
        first, last = found.heads[0], found.heads[-1]
        lines.append(f"{len(found.heads)} heads, {first.name} … {last.name}; newest {last.digest}")
    lines.append("KHÔNG NGUYÊN VẸN · broken" if found.problems else "nguyên vẹn · whole")
    return Said("\n".join(lines), not found.problems)


# -- trust -----------------------------------------------------------------------------------------


def show_trust(trust: Trust) -> Said:
    """What the trust folder holds, and what of it needs attention."""
    store, now = TrustStore(trust), settings.now()
    lines = [f"{trust.folder}", f"sha256 {trust.fingerprint}"]
    if trust.is_invented:
        lines.append("invented authorities: never for real data")
    if trust.is_empty:
        lines.append("no root: presence of a signature is all that is told (SIG_PRESENT)")
    bad = []
    for kind, one in store.certificates():
        lines.append(f"{kind:13}{_certificate_text(one)}")
        if one.not_valid_after_utc < now:
            bad.append(f"{kind} {one.subject.rfc4514_string()} has expired")
        elif one.not_valid_after_utc < now + SOON:
            lines.append(f"{'':13}expires within {SOON.days} days")
    for name, read in store.lists():
        upto = read.next_update_utc
        lines.append(
            f"{'crl':13}{name}: {len(read)} revoked, next {upto:%Y-%m-%d %H:%M}" if upto else name
        )
        if upto is None or upto < now:
            bad.append(f"crl/{name} is out of date: fetch the new one")
    bad += [f"crl/{name}: its issuer is not in the folder" for name in store.unsigned_lists()]
    today = now.astimezone(ICT).date()
    current = [b for b in trust.bindings if b.valid_to is None or b.valid_to >= today]
    facilities = {b.facility for b in current}
    lines.append(
        f"{'bindings':13}{len(trust.bindings)}, of which {len(current)} hold, for {len(facilities)} facilities"
    )
    return Said("\n".join([*lines, *(f"!! {one}" for one in bad)]), not bad)


def show_certificate(path: Path) -> Said:
    """What bindings.csv needs to know of a certificate a facility sent in."""
    data = path.read_bytes()
    try:
        if b"-----BEGIN" in data:
            one = x509.load_pem_x509_certificate(data)
        else:
            one = x509.load_der_x509_certificate(data)
    except ValueError:
        raise DatasachError(f"{path} is not a certificate (PEM or DER)") from None
    facts: list[tuple[str, Any]] = [
        ("subject", one.subject.rfc4514_string()),
        ("issuer", one.issuer.rfc4514_string()),
        ("valid", f"{one.not_valid_before_utc:%Y-%m-%d} … {one.not_valid_after_utc:%Y-%m-%d}"),
        *(("subject_id", name) for name in sorted(subject_ids(one))),
        ("certificate_sha256", hashlib.sha256(der(one)).hexdigest()),
    ]
    return Said("\n".join(f"{name:19}{value}" for name, value in facts), True)
