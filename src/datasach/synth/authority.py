"""Invented certificate authorities, and envelopes signed by facilities as vendors' software signs them.

    root → issuing authority → one certificate a facility

Keys are points of a seed, and signatures are deterministic (RFC 6979), so an inbox is the same bytes every
time it is made. A key anybody can work out vouches for nobody: the trust folder carries the mark INVENTED and
is for this inbox alone. What goes wrong goes wrong for a reason a real facility could have:

valid            every envelope as it should be
unsigned         the software does not sign yet
expired          the certificate ended the day before the first night
revoked          the key was reported lost during the first night: good until then, bad afterwards
wrong_facility   signed with the certificate of another facility
reformatted      the software re-formats the file after signing it
"""

from __future__ import annotations

import base64
import csv
import datetime
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree

FATES = (
    "valid", "unsigned", "valid", "expired", "valid", "revoked", "valid", "wrong_facility",
    "valid", "valid", "reformatted", "unsigned",
)  # fmt: skip
"""Of the first twelve facilities by code; after them every sixth does not sign and the others are right."""
DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
EMPTY = "<CHUKYDONVI/>"
MADE_ON = re.compile(r"<NGAYLAP>([0-9]{8})")
DAY = datetime.timedelta(days=1)
POLICY = """\
# Trust folder of an invented inbox: its authorities are invented and vouch for nobody.
signature_methods: [rsa-sha256, ecdsa-sha256]
digests: [sha256]
revocation: required
crl_grace_days: "3"
"""


class Authority:
    """The authorities of an invented country and the keys of its facilities."""

    def __init__(self, seed: int, facilities: Sequence[str], first: datetime.date) -> None:
        self.seed = seed
        self.codes = sorted(facilities)
        midnight = datetime.datetime.combine(first, datetime.time(), datetime.UTC)
        self.first = midnight - datetime.timedelta(hours=7)
        self.fates = {code: self._fate(at) for at, code in enumerate(self.codes)}
        since, until = self.first - 400 * DAY, self.first + 3_650 * DAY
        self._root_key, self._sub_key = self._key("root"), self._key("issuing")
        self.root = self._issue(_name("Gốc hư cấu"), self._root_key, None, since, until)
        self.issuing = self._issue(
            _name("Chứng thực hư cấu"), self._sub_key, self.root, since, until
        )
        self.certificates = {code: self._facility(code) for code in self.codes}

    @staticmethod
    def _fate(at: int) -> str:
        if at < len(FATES):
            return FATES[at]
        return "unsigned" if at % 6 == 5 else "valid"

    def _key(self, name: str) -> ec.EllipticCurvePrivateKey:
        digest = hashlib.sha256(f"datasach invented key {self.seed} {name}".encode()).digest()
        return ec.derive_private_key(int.from_bytes(digest[:31]) + 1, ec.SECP256R1())

    def _serial(self, name: str) -> int:
        digest = hashlib.sha256(f"datasach invented serial {self.seed} {name}".encode()).digest()
        return int.from_bytes(digest[:8]) >> 1 or 1

    def _facility(self, code: str) -> x509.Certificate:
        subject = _name(f"Cơ sở hư cấu {code}", uid=subject_id(code))
        until = self.first - DAY if self.fates[code] == "expired" else self.first + 1_000 * DAY
        return self._issue(subject, self._key(code), self.issuing, self.first - 300 * DAY, until)

    def _issue(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None,
        since: datetime.datetime, until: datetime.datetime,
    ) -> x509.Certificate:  # fmt: skip
        is_ca = issuer is None or issuer is getattr(self, "root", None)
        signer = self._root_key if is_ca else self._sub_key
        public, above = key.public_key(), signer.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject if issuer else subject)
            .public_key(public)
            .serial_number(self._serial(subject.rfc4514_string()))
            .not_valid_before(since)
            .not_valid_after(until)
            .add_extension(
                x509.BasicConstraints(ca=is_ca, path_length=None if issuer is None else 0 if is_ca else None),
                critical=True,
            )
            .add_extension(_usage(is_ca), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False
            )
            .sign(signer, hashes.SHA256(), ecdsa_deterministic=True)
        )  # fmt: skip

    # -- signing --------------------------------------------------------------------------------

    def sign(self, envelope: bytes, facility: str) -> bytes:
        """The envelope as its facility sends it; odd ones by XAdES, even ones by plain XMLDSig."""
        fate = self.fates[facility]
        if fate == "unsigned":
            return envelope
        at = self.codes.index(facility)
        signer = self.codes[(at + 1) % len(self.codes)] if fate == "wrong_facility" else facility
        encoding = "utf-16-le" if envelope[:2] == b"\xff\xfe" else "ascii"
        made = MADE_ON.search(envelope.replace(b"\0", b"")[:2_000].decode("latin-1"))
        day = made[1] if made and at % 2 else None
        signature = self._signature(envelope, signer, day)
        signed = envelope.replace(
            EMPTY.encode(encoding), f"<CHUKYDONVI>{signature}</CHUKYDONVI>".encode(encoding)
        )
        if fate == "reformatted":
            end = "</THONGTINDONVI>"
            signed = signed.replace(end.encode(encoding), f"{end}\n".encode(encoding), 1)
        return signed

    def _signature(self, envelope: bytes, signer: str, day: str | None) -> str:
        certificate = self.certificates[signer]
        root = etree.fromstring(envelope, etree.XMLParser(huge_tree=True, resolve_entities=False))
        references = _reference(
            "", f"{DS}enveloped-signature", C14N, etree.tostring(root, method="c14n")
        )
        thing = ""
        if day is not None:
            thing, properties = _xades(certificate, day)
            references += _reference("#properties", EXCLUSIVE, None, properties)
        info = (
            f'<SignedInfo xmlns="{DS}"><CanonicalizationMethod Algorithm="{C14N}"></CanonicalizationMethod>'
            '<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256">'
            f"</SignatureMethod>{references}</SignedInfo>"
        )
        algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        r, s = decode_dss_signature(self._key(signer).sign(info.encode(), algorithm))
        certificates = "".join(
            f"<X509Certificate>{_b64(one.public_bytes(Encoding.DER))}</X509Certificate>"
            for one in (certificate, self.issuing)
        )
        return (
            f'<Signature xmlns="{DS}">{info}<SignatureValue>{_b64(r.to_bytes(32) + s.to_bytes(32))}'
            f"</SignatureValue><KeyInfo><X509Data>{certificates}</X509Data></KeyInfo>{thing}</Signature>"
        )

    # -- the trust folder -----------------------------------------------------------------------

    def write(self, folder: Path) -> None:
        """The trust folder by which these signatures can be judged."""
        for name in ("roots", "intermediates", "crl"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "INVENTED").write_text(
            "Invented authorities, whose keys anybody can work out. Never use for real data.\n"
        )
        (folder / "policy.yaml").write_text(POLICY, "utf-8")
        for name, one in (("roots/root", self.root), ("intermediates/issuing", self.issuing)):
            (folder / f"{name}.pem").write_bytes(one.public_bytes(Encoding.PEM))
        revoked = [c for code, c in self.certificates.items() if self.fates[code] == "revoked"]
        for name, issuer, key, gone in (
            ("root", self.root, self._root_key, []),
            ("issuing", self.issuing, self._sub_key, revoked),
        ):
            data = self._list(issuer, key, gone).public_bytes(Encoding.PEM)
            (folder / f"crl/{name}.crl").write_bytes(data)
        with (folder / "bindings.csv").open("w", encoding="utf-8", newline="") as handle:
            rows = csv.writer(handle, lineterminator="\n")
            rows.writerow(
                ("facility", "subject_id", "certificate_sha256", "valid_from", "valid_to", "source")
            )
            since = (self.first - 300 * DAY).date().isoformat()
            for code in self.codes:
                rows.writerow((code, subject_id(code), "", since, "", "hư cấu · invented"))

    def _list(
        self, issuer: x509.Certificate, key: ec.EllipticCurvePrivateKey,
        revoked: list[x509.Certificate],
    ) -> x509.CertificateRevocationList:  # fmt: skip
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.subject)
            .last_update(self.first + 30 * DAY)
            .next_update(self.first + 1_000 * DAY)
            .add_extension(x509.CRLNumber(30), critical=False)
        )
        for certificate in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(certificate.serial_number)
                .revocation_date(self.first + DAY)
                .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
                .build()
            )
        return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)


def subject_id(code: str) -> str:
    """The tax code of an invented facility, as certificates of organisations name it."""
    return f"MST:99{code}000"


def _name(common: str, uid: str | None = None) -> x509.Name:
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Hư cấu (invented)"),
        x509.NameAttribute(NameOID.COMMON_NAME, common),
    ]
    return x509.Name([*parts, x509.NameAttribute(NameOID.USER_ID, uid)] if uid else parts)


def _usage(is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca, content_commitment=not is_ca, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=is_ca, crl_sign=is_ca,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _reference(uri: str, first: str, second: str | None, content: Any) -> str:
    """A ds:Reference as canonical XML writes it."""
    kind = ' Type="http://uri.etsi.org/01903#SignedProperties"' if uri else ""
    transforms = "".join(
        f'<Transform Algorithm="{one}"></Transform>' for one in (first, second) if one
    )
    digest = _b64(hashlib.sha256(content).digest())
    return (
        f'<Reference{kind} URI="{uri}"><Transforms>{transforms}</Transforms>'
        f'<DigestMethod Algorithm="{SHA256}"></DigestMethod><DigestValue>{digest}</DigestValue></Reference>'
    )


def _xades(certificate: x509.Certificate, day: str) -> tuple[str, bytes]:
    """ds:Object with XAdES properties, signed at six in the evening of `day`; and their canonical bytes."""
    digest = _b64(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest())
    inner = (
        f'<xades:SignedProperties xmlns:xades="{XADES}" Id="properties"><xades:SignedSignatureProperties>'
        f"<xades:SigningTime>{day[:4]}-{day[4:6]}-{day[6:]}T18:00:00+07:00</xades:SigningTime>"
        "<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>"
        f'<DigestMethod xmlns="{DS}" Algorithm="{SHA256}"></DigestMethod>'
        f'<DigestValue xmlns="{DS}">{digest}</DigestValue></xades:CertDigest></xades:Cert>'
        "</xades:SigningCertificateV2></xades:SignedSignatureProperties></xades:SignedProperties>"
    )
    whole = f'<Object><xades:QualifyingProperties xmlns:xades="{XADES}" Target="">{inner}</xades:QualifyingProperties></Object>'
    return whole, etree.tostring(etree.fromstring(inner), method="c14n", exclusive=True)
