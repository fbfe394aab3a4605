"""Certificates: does a chain lead to a root, was it revoked, for which facility does it speak?

Path building and path rules are cryptography's (RFC 5280 as browsers apply it); revocation, validity with a
usable message, key size and the binding to a facility are ours, because the library asks for none of them.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID, ObjectIdentifier

from datasach.signing.verdict import ICT, Refused
from datasach.spec.trust import Binding, Trust

SUBJECT_IDS = (
    NameOID.USER_ID,  # organisations in Viet Nam: UID=MST:<tax code>
    NameOID.SERIAL_NUMBER,
    ObjectIdentifier("2.5.4.97"),  # organizationIdentifier
)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


@dataclass(frozen=True, slots=True)
class Revocation:
    """`state` is GOOD, GRACE, STALE or REVOKED; `crls` are those that were asked."""

    state: str
    detail: str
    crls: tuple[dict[str, Any], ...]


class _List:
    """One revocation list; the dates of its entries are read when somebody asks."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.read = x509.load_der_x509_crl(data)
        self._dates: dict[int, datetime] | None = None

    def revoked_at(self, serial: int) -> datetime | None:
        if self._dates is None:
            self._dates = {entry.serial_number: _since(entry) for entry in self.read}
        return self._dates.get(serial)

    def facts(self) -> dict[str, Any]:
        upto = self.read.next_update_utc
        try:
            number = self.read.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        except x509.ExtensionNotFound:
            number = None
        return {
            "issuer": self.read.issuer.rfc4514_string(),
            "number": number,
            "sha256": self.sha256,
            "this_update": self.read.last_update_utc.isoformat(),
            "next_update": upto.isoformat() if upto else None,
        }


def _since(entry: x509.RevokedCertificate) -> datetime:
    """From when on a certificate is not to be believed: the date its key was lost, if the list tells."""
    try:
        lost = entry.extensions.get_extension_for_class(x509.InvalidityDate).value
    except x509.ExtensionNotFound:
        return entry.revocation_date_utc
    return min(lost.invalidity_date_utc, entry.revocation_date_utc)


class TrustStore:
    """A trust folder made ready for use. Answers depend on it and on the time asked about, on nothing else."""

    def __init__(self, trust: Trust) -> None:
        self.trust = trust
        self.policy = trust.policy
        self._roots = [x509.load_der_x509_certificate(one) for one in trust.roots]
        self._between = [x509.load_der_x509_certificate(one) for one in trust.intermediates]
        self._lists = [_List(name, data) for name, data in trust.crls]
        self._store = verification.Store(self._roots) if self._roots else None
        self._of_issuer: dict[bytes, list[_List]] = {}
        self._order = {binding: at for at, binding in enumerate(trust.bindings)}
        self._bindings: dict[str, list[Binding]] = defaultdict(list)
        for one in trust.bindings:
            for name in (one.facility, one.subject_id, one.certificate_sha256):
                if name:
                    self._bindings[name].append(one)

    # -- the signer's certificate --------------------------------------------------------------

    def check_key(self, leaf: x509.Certificate) -> None:
        """Raises Refused SIG_WEAK_KEY or SIG_ALG."""
        try:
            key = leaf.public_key()
        except (UnsupportedAlgorithm, ValueError):
            raise Refused("SIG_ALG", "the kind of key is not known") from None
        if isinstance(key, rsa.RSAPublicKey):
            kind, bits, least = "RSA", key.key_size, self.policy.min_rsa_bits
        elif isinstance(key, ec.EllipticCurvePublicKey):
            kind, bits, least = "EC", key.key_size, self.policy.min_ec_bits
        else:
            raise Refused("SIG_ALG", "the certificate's key is neither RSA nor EC")
        if bits < least:
            raise Refused("SIG_WEAK_KEY", f"{kind} {bits} bits; at least {least}")

    @staticmethod
    def check_usage(leaf: x509.Certificate) -> None:
        """Raises Refused SIG_KEYUSAGE unless the certificate says that it may sign documents."""
        try:
            usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        except (x509.ExtensionNotFound, ValueError):
            raise Refused("SIG_KEYUSAGE", "the certificate does not say what it is for") from None
        if not (usage.digital_signature or usage.content_commitment):
            raise Refused("SIG_KEYUSAGE", "neither digitalSignature nor contentCommitment")
        try:
            basic = leaf.extensions.get_extension_for_class(x509.BasicConstraints).value
        except x509.ExtensionNotFound:
            return
        if basic.ca:
            raise Refused("SIG_KEYUSAGE", "the certificate is an authority's, not a signer's")

    @staticmethod
    def check_dates(leaf: x509.Certificate, at: datetime) -> None:
        """Raises Refused SIG_CERT_EXPIRED or SIG_CERT_NOT_YET for the time `at`."""
        if at > leaf.not_valid_after_utc:
            raise Refused("SIG_CERT_EXPIRED", f"valid until {leaf.not_valid_after_utc:%Y-%m-%d}")
        if at < leaf.not_valid_before_utc:
            raise Refused("SIG_CERT_NOT_YET", f"valid from {leaf.not_valid_before_utc:%Y-%m-%d}")

    # -- the chain ------------------------------------------------------------------------------

    def chain(
        self, leaf: x509.Certificate, sent: Sequence[x509.Certificate], at: datetime
    ) -> list[x509.Certificate]:
        """Signer, issuers, root.

        Issuers may come with the signature or from the folder. Validity of the signer itself is told apart
        (check_dates): for it the chain is built at the nearest time at which it was valid.
        Raises Refused SIG_UNTRUSTED.
        """
        if self._store is None:
            raise Refused("SIG_UNTRUSTED", "no root is declared")
        when = min(max(at, leaf.not_valid_before_utc), leaf.not_valid_after_utc)
        verifier = (
            verification.PolicyBuilder()
            .store(self._store)
            .time(when)
            .extension_policies(
                ee_policy=verification.ExtensionPolicy.permit_all(),
                ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(),
            )
            .build_client_verifier()
        )
        try:
            return list(verifier.verify(leaf, [*sent, *self._between]).chain)
        except verification.VerificationError:
            issuer = leaf.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
            name = str(issuer[0].value)[:60] if issuer else "?"
            raise Refused("SIG_UNTRUSTED", f"issuer {name}") from None

    # -- revocation -----------------------------------------------------------------------------

    def _lists_of(self, issuer: x509.Certificate) -> list[_List]:
        """Lists that this issuer's own key signed. A list in its name that another key signed says nothing."""
        key = der(issuer)
        if key not in self._of_issuer:
            found = []
            for one in self._lists:
                if one.read.issuer == issuer.subject and _may_sign_lists(issuer):
                    try:
                        valid = one.read.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
                    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
                        valid = False
                    if valid:
                        found.append(one)
            self._of_issuer[key] = found
        return self._of_issuer[key]

    def unsigned_lists(self) -> list[str]:
        """Names of lists whose issuer is not among the folder's certificates."""
        known = [one for issuer in (*self._roots, *self._between) for one in self._lists_of(issuer)]
        return [one.name for one in self._lists if one not in known]

    def revocation(self, chain: Sequence[x509.Certificate], at: datetime) -> Revocation:
        """Was any certificate of the chain (the root apart) revoked at `at`, as far as the lists tell?

        A revocation later than `at` does not count: what was received before stays received.
        """
        asked: list[dict[str, Any]] = []
        if self.policy.revocation == "off":
            return Revocation("GOOD", "", ())
        late, who = timedelta(0), ""
        for certificate, issuer in zip(chain, chain[1:], strict=False):
            lists = self._lists_of(issuer)
            asked += [one.facts() for one in lists]
            for one in lists:
                since = one.revoked_at(certificate.serial_number)
                if since is not None and since <= at:
                    return Revocation("REVOKED", f"revoked {_day(since)}", tuple(asked))
            ends = [one.read.next_update_utc for one in lists if one.read.next_update_utc]
            behind = at - max(ends) if ends else timedelta.max
            if behind > late:
                late, who = behind, issuer.subject.rfc4514_string()[:80]
        if not late:
            return Revocation("GOOD", "", tuple(asked))
        if late == timedelta.max:
            return Revocation("STALE", f"no revocation list of {who}", tuple(asked))
        state = "GRACE" if late <= timedelta(days=self.policy.crl_grace_days) else "STALE"
        detail = f"revocation list {late.days} days out of date, {who}"
        return Revocation(state, detail, tuple(asked))

    # -- the facility ----------------------------------------------------------------------------

    def bindings_about(self, leaf: x509.Certificate, facility: str | None) -> list[Binding]:
        """Bindings that name this certificate, its subject or the facility, in the folder's order."""
        names = {hashlib.sha256(der(leaf)).hexdigest(), *subject_ids(leaf), facility or ""}
        found = {one: None for name in sorted(names) for one in self._bindings.get(name, ())}
        return sorted(found, key=self._order.__getitem__)

    def bound(self, leaf: x509.Certificate, facility: str, at: datetime) -> Binding:
        """The binding by which this certificate speaks for the facility at that time.

        Raises Refused SIG_WRONG_FACILITY where the certificate is another's, or the facility has others;
        SIG_UNBOUND where the Centre has recorded nothing about either.
        """
        names = {hashlib.sha256(der(leaf)).hexdigest(), *subject_ids(leaf)}
        about = self.bindings_about(leaf, facility)
        if not about:
            raise Refused("SIG_UNBOUND", "no certificate is recorded for this facility")
        day = at.astimezone(ICT).date()
        own = [
            one for one in about
            if one.facility == facility and names & {one.subject_id, one.certificate_sha256}
        ]  # fmt: skip
        for one in own:
            if one.valid_from <= day and (one.valid_to is None or day <= one.valid_to):
                return one
        if own:
            raise Refused("SIG_WRONG_FACILITY", f"the binding does not hold on {day}")
        raise Refused("SIG_WRONG_FACILITY", "the certificate is not this facility's")

    # -- for people ------------------------------------------------------------------------------

    def certificates(self) -> list[tuple[str, x509.Certificate]]:
        return [("root", one) for one in self._roots] + [("intermediate", o) for o in self._between]

    def lists(self) -> list[tuple[str, x509.CertificateRevocationList]]:
        return [(one.name, one.read) for one in self._lists]


def subject_ids(certificate: x509.Certificate) -> set[str]:
    return {
        str(attribute.value)
        for oid in SUBJECT_IDS
        for attribute in certificate.subject.get_attributes_for_oid(oid)
    }


def _may_sign_lists(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _day(when: datetime) -> str:
    return f"{when.astimezone(ICT):%Y-%m-%d}"


@lru_cache(maxsize=4)
def store_of(trust: Trust) -> TrustStore:
    """The store of a trust folder, made once a process: revocation lists can be large."""
    return TrustStore(trust)
