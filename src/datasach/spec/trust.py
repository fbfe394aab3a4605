"""Whose signatures count: the trust folder, `datasets/_trust/` unless another is given.

    policy.yaml          algorithms, key sizes, what to do about revocation
    roots/*.pem          certificates trusted of themselves
    intermediates/*.pem  certificates of issuers below them, for senders that leave theirs out
    crl/*                revocation lists, PEM or DER; several of one issuer are read together
    bindings.csv         which certificate speaks for which facility, from when to when

Bytes and plain values only: worker processes receive it, and build what they need (signing.trust).
"""

from __future__ import annotations

import csv
import hashlib
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from datasach.spec.load import Declared, Problems, build, read_yaml, suggestion

SignatureMethod = Literal[
    "rsa-sha256", "rsa-sha384", "rsa-sha512", "rsa-pss-sha256", "rsa-pss-sha384", "rsa-pss-sha512",
    "ecdsa-sha256", "ecdsa-sha384", "ecdsa-sha512",
]  # fmt: skip
Digest = Literal["sha256", "sha384", "sha512"]
COLUMNS = ("facility", "subject_id", "certificate_sha256", "valid_from", "valid_to", "source")
FACILITY = re.compile(r"[0-9A-Z]{5}")
SHA256 = re.compile(r"[0-9a-f]{64}")
MARK = "INVENTED"
"""A file of this name in a trust folder says that its authorities are invented and vouch for nobody."""


class TrustPolicy(Declared):
    """What a signature must be made with. SHA-1 and HMAC cannot be declared at all."""

    signature_methods: list[SignatureMethod]
    digests: list[Digest]
    min_rsa_bits: int = 2048
    min_ec_bits: int = 256
    revocation: Literal["required", "off"] = "required"
    crl_grace_days: int = 3
    """Days after its `nextUpdate` for which a revocation list is still believed, with a flag."""
    recheck_nights: int = 30
    """Files of so many nights are judged again when the trust folder changes."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One certificate, or every certificate of one subject, speaks for one facility."""

    facility: str
    subject_id: str | None
    """UID, serialNumber or organizationIdentifier of the subject: it outlives yearly renewals."""
    certificate_sha256: str | None
    """Of the DER: for subjects whose certificates carry no such id."""
    valid_from: date
    valid_to: date | None
    """The last day; None while it lasts."""
    source: str
    """The document by which the facility said so."""

    def row(self) -> dict[str, str | None]:
        """As it stands in bindings.csv."""
        until = self.valid_to.isoformat() if self.valid_to else None
        return {
            "facility": self.facility, "subject_id": self.subject_id,
            "certificate_sha256": self.certificate_sha256,
            "valid_from": self.valid_from.isoformat(), "valid_to": until, "source": self.source,
        }  # fmt: skip

    @classmethod
    def of(cls, row: dict[str, str | None]) -> Binding:
        since, until = row["valid_from"], row["valid_to"]
        return cls(
            str(row["facility"]), row["subject_id"], row["certificate_sha256"],
            date.fromisoformat(str(since)), date.fromisoformat(until) if until else None,
            str(row["source"]),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Trust:
    """The trust folder as read. Equal when every byte of it is."""

    folder: Path
    policy: TrustPolicy
    roots: tuple[bytes, ...]
    intermediates: tuple[bytes, ...]
    crls: tuple[tuple[str, bytes], ...]
    """(file name, DER)"""
    bindings: tuple[Binding, ...]
    fingerprint: str
    """SHA-256 over every file of the folder."""
    is_invented: bool = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trust) and other.fingerprint == self.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def is_empty(self) -> bool:
        """Without a root nobody is trusted, and presence is all that can be told."""
        return not self.roots


def load_trust(folder: Path, problems: Problems) -> Trust | None:
    """Read a trust folder; None if its policy is beyond use. Every problem is noted with file and line."""
    path = folder / "policy.yaml"
    if not path.is_file():
        problems.add(path, 1, "this file is missing")
        return None
    document = read_yaml(path, problems)
    policy = build(TrustPolicy, document, problems) if document else None
    if policy is None:
        return None
    return Trust(
        folder=folder,
        policy=policy,
        roots=_certificates(folder / "roots", problems),
        intermediates=_certificates(folder / "intermediates", problems),
        crls=_lists(folder / "crl", problems),
        bindings=_bindings(folder / "bindings.csv", problems),
        fingerprint=_fingerprint(folder),
        is_invented=(folder / MARK).exists(),
    )


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(folder: Path, *endings: str) -> list[Path]:
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in endings and p.is_file())


def _certificates(folder: Path, problems: Problems) -> tuple[bytes, ...]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    found = []
    for path in _files(folder, ".pem", ".crt", ".cer"):
        data = path.read_bytes()
        try:
            if b"-----BEGIN" in data:
                certificates = x509.load_pem_x509_certificates(data)
            else:
                certificates = [x509.load_der_x509_certificate(data)]
        except ValueError as error:
            problems.add(path, 1, f"not a certificate: {error}")
            continue
        found += [one.public_bytes(Encoding.DER) for one in certificates]
    return tuple(found)


def _lists(folder: Path, problems: Problems) -> tuple[tuple[str, bytes], ...]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    found = []
    for path in _files(folder, ".pem", ".crl"):
        data = path.read_bytes()
        try:
            pem = b"-----BEGIN" in data
            read = x509.load_pem_x509_crl(data) if pem else x509.load_der_x509_crl(data)
            # A list that covers only part of its issuer's certificates would call the others good.
            partial = [e.oid.dotted_string for e in read.extensions if e.critical]
        except ValueError as error:
            problems.add(path, 1, f"not a revocation list: {error}")
            continue
        if partial:
            problems.add(path, 1, f"a partial or indirect list ({partial[0]}): put the full one")
            continue
        found.append((path.name, read.public_bytes(Encoding.DER)))
    return tuple(found)


def _bindings(path: Path, problems: Problems) -> tuple[Binding, ...]:
    if not path.is_file():
        return ()
    found = []
    with path.open(encoding="utf-8", newline="") as handle:
        rows = csv.DictReader(handle)
        for name in rows.fieldnames or ():
            if name not in COLUMNS:
                problems.add(path, 1, f'"{name}" is not a column here{suggestion(name, COLUMNS)}')
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            problems.add(path, 1, f"columns are missing: {', '.join(missing)}")
            return ()
        for row in rows:
            one = _binding(row, path, rows.line_num, problems)
            if one is not None:
                found.append(one)
    return tuple(found)


def _binding(row: dict[str, str], path: Path, line: int, problems: Problems) -> Binding | None:
    values = {name: (row.get(name) or "").strip() for name in COLUMNS}
    subject, certificate = values["subject_id"], values["certificate_sha256"].lower()
    certificate = certificate.replace(":", "")
    wrong = None
    if not FACILITY.fullmatch(values["facility"]):
        wrong = f'facility: "{values["facility"]}" is not a code of five characters'
    elif bool(subject) == bool(certificate):
        wrong = "give subject_id or certificate_sha256, and not both"
    elif certificate and not SHA256.fullmatch(certificate):
        wrong = "certificate_sha256: 64 hex digits are expected"
    elif not values["source"]:
        wrong = "source: which document says so?"
    try:
        since = date.fromisoformat(values["valid_from"])
        until = date.fromisoformat(values["valid_to"]) if values["valid_to"] else None
    except ValueError:
        wrong = wrong or "valid_from, valid_to: YYYY-MM-DD is expected"
    if wrong is not None:
        problems.add(path, line, wrong)
        return None
    return Binding(
        values["facility"], subject or None, certificate or None, since, until, values["source"]
    )
