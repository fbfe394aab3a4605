"""Authorities and signatures made for tests, with other tools than those that check them. Nobody in them exists."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import SignatureConstructionMethod
from signxml.signer import XMLSigner
from signxml.xades import XAdESSigner

from datasach.spec.trust import Binding, Trust, TrustPolicy
from tests.envelopes import envelope, simple_visit

NIGHT = "2026-03-02"
AT = datetime(2026, 3, 2, 16, 59, 59, tzinfo=UTC)
DAY = timedelta(days=1)
FACILITY, OTHER = "79001", "79002"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
POLICY = TrustPolicy(
    signature_methods=["rsa-sha256", "rsa-sha512", "rsa-pss-sha256", "ecdsa-sha256"],
    digests=["sha256", "sha512"],
)


@dataclasses.dataclass(frozen=True)
class Signer:
    """A certificate with its key and the issuers a sender would send along."""

    certificate: x509.Certificate
    key: Any
    above: tuple[x509.Certificate, ...] = ()

    @property
    def pems(self) -> list[str]:
        return [c.public_bytes(Encoding.PEM).decode() for c in (self.certificate, *self.above)]


@lru_cache(maxsize=8)
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One key a name: making them is what takes time."""
    return rsa.generate_private_key(65537, bits)


def name_of(common: str, uid: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    return x509.Name(parts + ([x509.NameAttribute(NameOID.USER_ID, uid)] if uid else []))


def issue(
    subject: x509.Name, key: Any, issuer: Signer | None, *, ca: bool = False, usage: bool = True,
    signs: bool = True, since: datetime = AT - 300 * DAY, until: datetime = AT + 300 * DAY,
) -> Signer:  # fmt: skip
    """A certificate of `subject`; self-signed without an issuer."""
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if usage:
        builder = builder.add_extension(
            x509.KeyUsage(
                digital_signature=signs and not ca, content_commitment=False, key_encipherment=not signs,
                data_encipherment=False, key_agreement=False, key_cert_sign=ca, crl_sign=ca,
                encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )  # fmt: skip
    above = (issuer.certificate, *issuer.above) if issuer else ()
    return Signer(builder.sign(signer, hashes.SHA256()), key, above)


class Country:
    """A root, an issuing authority, two facilities, and every wrong certificate of the matrix."""

    def __init__(self) -> None:
        self.root = issue(name_of("Root"), rsa_key("root"), None, ca=True, until=AT + 3000 * DAY)
        self.sub = issue(
            name_of("Issuing"), rsa_key("sub"), self.root, ca=True, until=AT + 2000 * DAY
        )
        self.good = self.facility(FACILITY)
        self.other = self.facility(OTHER, rsa_key("other"))

    def facility(self, code: str = FACILITY, key: Any = None, **how: Any) -> Signer:
        subject = name_of(f"Facility {code}", f"MST:{code}")
        signer = issue(subject, key or rsa_key("facility"), self.sub, **how)
        return dataclasses.replace(signer, above=(self.sub.certificate,))

    def crl(
        self, issuer: Signer, revoked: Sequence[tuple[Signer, datetime]] = (), *,
        upto: datetime = AT + 7 * DAY, key: Any = None, lost: datetime | None = None,
    ) -> bytes:  # fmt: skip
        """DER of a revocation list; `key` other than the issuer's makes a forged one."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.certificate.subject)
            .last_update(upto - 14 * DAY)
            .next_update(upto)
            .add_extension(x509.CRLNumber(7), critical=False)
        )
        for signer, when in revoked:
            entry = (
                x509.RevokedCertificateBuilder()
                .serial_number(signer.certificate.serial_number)
                .revocation_date(when)
            )
            if lost is not None:
                entry = entry.add_extension(x509.InvalidityDate(lost), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(key or issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def trust(self, crls: Sequence[bytes] | None = None, **changes: Any) -> Trust:
        """A trust folder as it would be read."""
        lists = [self.crl(self.root), self.crl(self.sub)] if crls is None else crls
        values: dict[str, Any] = {
            "folder": Path("trust"),
            "policy": POLICY,
            "roots": (self.root.certificate.public_bytes(Encoding.DER),),
            "intermediates": (),
            "crls": tuple((f"{n}.crl", data) for n, data in enumerate(lists)),
            "bindings": tuple(bind(code) for code in (FACILITY, OTHER)),
            **changes,
        }
        print_ = hashlib.sha256(repr(sorted(values.items(), key=str)).encode()).hexdigest()
        return Trust(**values, fingerprint=print_)


def bind(code: str, since: date = date(2025, 1, 1), until: date | None = None) -> Binding:
    return Binding(code, f"MST:{code}", None, since, until, "test")


class _SignedInTime(XAdESSigner):
    """XAdES by signxml, but with the time a test wants."""

    said = AT - timedelta(hours=5)

    def add_signing_time(self, parent: Any, **_: Any) -> None:
        tag = "{http://uri.etsi.org/01903/v1.3.2#}SigningTime"
        etree.SubElement(parent, tag).text = self.said.isoformat()


PLACEHOLDER = (
    '<CHUKYDONVI><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"/>'
    "</CHUKYDONVI>"
)


class _AllowsAnything(XMLSigner):
    def check_deprecated_methods(self) -> None:
        """SHA-1 too: a test has to show that it is refused."""


def sign(
    signer: Signer, document: str | None = None, *, method: str = "rsa-sha256", digest: str = "sha256",
    c14n: str = EXCLUSIVE, reference: str | None = None, chain: bool = True, key: Any = None,
    xades: datetime | bool = False,
) -> bytes:  # fmt: skip
    """An envelope signed by signxml, in its own CHUKYDONVI. Its XAdES holds in inclusive canonical XML only."""
    c14n = C14N if xades else c14n
    text = document or envelope([simple_visit()], facility=FACILITY)
    root = etree.fromstring(text.replace("<CHUKYDONVI/>", PLACEHOLDER).encode())
    how = {
        "method": SignatureConstructionMethod.enveloped, "signature_algorithm": method,
        "digest_algorithm": digest, "c14n_algorithm": c14n,
    }  # fmt: skip
    maker: Any = _SignedInTime(**how) if xades else _AllowsAnything(**how)
    if isinstance(xades, datetime):
        maker.said = xades
    pems = signer.pems if chain else signer.pems[:1]
    is_hmac = method.startswith("hmac")
    signed = maker.sign(
        root, key=key or signer.key, cert=None if is_hmac else pems,
        reference_uri=reference,
    )  # fmt: skip
    return b'<?xml version="1.0" encoding="utf-8"?>' + etree.tostring(signed)


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
