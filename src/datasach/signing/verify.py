"""Is this envelope what its facility signed?

    shape        one signature, over the whole document, allowed algorithms          structure.py
    mathematics  digest and signature value, by signxml                              here
    trust        key, chain, use, dates, revocation, facility                        trust.py

In that order, and the first that fails gives the code: before the bytes are known to be the signed ones, it
means nothing whose certificate lies beside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidDigest, InvalidSignature
from signxml.verifier import SignatureConfiguration, XMLVerifier

from datasach.signing.structure import (
    DIGESTS,
    METHODS,
    Claims,
    claims_of,
    is_signed,
    local,
    strict_parser,
)
from datasach.signing.trust import TrustStore, der
from datasach.signing.verdict import Refused, Verdict
from datasach.spec.trust import Binding

CLOCK_SKEW = timedelta(hours=24)
"""A signer's clock may be this much ahead of the end of the night it arrived in. Our proposal."""


class _Verifier(XMLVerifier):
    """signxml, with the canonical form of SignedInfo taken of a document of its own.

    libxml2 writes a stray `xmlns=""` into inclusive canonical XML of a subtree whose default namespace an ancestor
    declares (lxml 6.1.3, libxml2 2.14.6). Software that writes `<Signature xmlns="…">` without a prefix, as most
    does, would have every signature refused. A subtree made its own root keeps all namespaces in scope.
    """

    def _c14n(self, nodes: Any, algorithm: Any, inclusive_ns_prefixes: Any = None) -> bytes:
        if nodes.getparent() is not None:
            copy: Any = etree.tostring(nodes, with_tail=False)
            nodes = etree.fromstring(copy, strict_parser(len(copy)))
        canonical: bytes = super()._c14n(nodes, algorithm, inclusive_ns_prefixes)
        return canonical


def verify_envelope(
    data: bytes, store: TrustStore, at: datetime, now: datetime | None = None
) -> Verdict:
    """Judge the signature of an envelope as of `at`, the time it was received.

    `now`, where given, tells a signature that would no longer hold today (SIG_OK_AT_RECEIPT) from one that still
    does (SIG_OK). Whatever the bytes are, the answer is a Verdict: SIG_OK, SIG_OK_AT_RECEIPT,
    SIG_REVOCATION_UNKNOWN, or the reason why not. Content and facility are given as soon as the mathematics
    holds, for those who want to see what a refused signature covered.
    """
    try:
        root: Any = etree.fromstring(data, strict_parser(len(data)))
        if root.getroottree().docinfo.doctype:
            raise Refused("XML_DTD", "a document type is declared")
        if not is_signed(root):
            raise Refused("SIG_MISSING", "CHUKYDONVI is empty")
        claims = claims_of(root, store.policy)
        sent = [_certificate(one) for one in claims.certificates]
        leaf = _signer(sent)
        store.check_key(leaf)
        content, facility = _signed_content(data, claims, leaf)
    except Refused as refused:
        return Verdict(refused.code, refused.detail)
    except (etree.LxmlError, ValueError):
        return Verdict("SIG_MALFORMED", "not readable as XML")
    code, detail, chain, crls, binding = judge(
        store, leaf, sent, facility, claims.signed_at, at, now
    )
    facts = {
        "method": claims.method,
        "digests": list(claims.digests),
        "canonicalisation": claims.canonicalisation,
        "value_sha256": hashlib.sha256(claims.value).hexdigest(),
        "signed_sha256": hashlib.sha256(content).hexdigest(),
        "covers": "/GIAMDINHHS",
        "signing_time_claimed": claims.signed_at.isoformat() if claims.signed_at else None,
        "binding": binding.row() if binding else None,
    }
    return Verdict(
        code, detail, content, facility, tuple(der(one) for one in chain), crls, facts,
        claims.has_comments,
    )  # fmt: skip


class Judged(NamedTuple):
    """What a trust folder makes of a signer, once the mathematics holds."""

    code: str
    detail: str
    chain: list[x509.Certificate]
    """Signer first, root last; without a way to a root, the signer and what it sent along."""
    crls: tuple[dict[str, Any], ...]
    binding: Binding | None


def judge(
    store: TrustStore, leaf: x509.Certificate, sent: Sequence[x509.Certificate],
    facility: str | None, signed_at: datetime | None, at: datetime, now: datetime | None = None,
) -> Judged:  # fmt: skip
    """May this certificate speak for this facility at that time? The bytes signed are not asked again."""
    others = [one for one in sent if one is not leaf]
    chain, crls, binding = [leaf, *others], (), None  # type: tuple[Any, Any, Any]
    try:
        chain = store.chain(leaf, others, at)
        store.check_usage(leaf)
        store.check_dates(leaf, at)
        _check_claimed_time(signed_at, leaf, at)
        revocation = store.revocation(chain, at)
        crls = revocation.crls
        if revocation.state in ("REVOKED", "STALE"):
            codes = {"REVOKED": "SIG_REVOKED", "STALE": "SIG_REVOCATION_STALE"}
            raise Refused(codes[revocation.state], revocation.detail)
        binding = store.bound(leaf, facility or "", at)
    except Refused as refused:
        return Judged(refused.code, refused.detail, chain, crls, binding)
    if revocation.state == "GRACE":
        return Judged("SIG_REVOCATION_UNKNOWN", revocation.detail, chain, crls, binding)
    since = _ended(store, leaf, chain, now) if now is not None else ""
    return Judged("SIG_OK_AT_RECEIPT" if since else "SIG_OK", since, chain, crls, binding)


def _check_claimed_time(said: datetime | None, leaf: x509.Certificate, at: datetime) -> None:
    """A claimed time cannot help a signature, but one that cannot be true speaks against it."""
    if said is None:
        return
    if said > at + CLOCK_SKEW:
        raise Refused("SIG_TIME", f"claims to be signed on {said:%Y-%m-%d}, after it arrived")
    if not leaf.not_valid_before_utc <= said <= leaf.not_valid_after_utc:
        raise Refused("SIG_TIME", f"claims to be signed on {said:%Y-%m-%d}, outside its validity")


def _ended(
    store: TrustStore, leaf: x509.Certificate, chain: Sequence[x509.Certificate], now: datetime
) -> str:
    """Why a signature that held when it came would be refused today; empty if it would not."""
    if now > leaf.not_valid_after_utc:
        return f"the certificate expired on {leaf.not_valid_after_utc:%Y-%m-%d}"
    later = store.revocation(chain, now)
    return f"the certificate was {later.detail}" if later.state == "REVOKED" else ""


def _certificate(data: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(data)
    except ValueError:
        raise Refused("SIG_MALFORMED", "KeyInfo holds something that is no certificate") from None


def _signer(sent: Sequence[x509.Certificate]) -> x509.Certificate:
    """The certificate that issued none of the others: senders put their chain in any order."""
    if len(sent) == 1:
        return sent[0]
    issuers = {one.issuer.public_bytes() for one in sent if one.issuer != one.subject}
    ends = [one for one in sent if one.subject.public_bytes() not in issuers]
    return ends[0] if len(ends) == 1 else sent[0]


def _signed_content(
    data: bytes, claims: Claims, leaf: x509.Certificate
) -> tuple[bytes, str | None]:
    """The bytes that were signed, canonical, and the MACSKCB they say.

    Raises Refused: SIG_DIGEST (the document is not what was signed), SIG_VALUE (the signature was not made with
    this certificate's key), SIG_MALFORMED, SIG_COVERAGE.
    """
    for hash_, digest in claims.named:
        if hashlib.new(hash_, der(leaf), usedforsecurity=False).digest() == digest:
            break
    else:
        if claims.named:
            raise Refused("SIG_MALFORMED", "XAdES names another certificate as the signer's")
    config = SignatureConfiguration(
        location=claims.location,
        expect_references=claims.references,
        signature_methods=frozenset(SignatureMethod(uri) for uri in METHODS),
        digest_algorithms=frozenset(DigestAlgorithm(uri) for uri in DIGESTS),
        # Validity is judged by us, with a reason: here it must never be what fails.
        verification_time=leaf.not_valid_before_utc,
    )
    try:
        found = _Verifier().verify(
            data, x509_cert=leaf, parser=strict_parser(len(data)), expect_config=config
        )
    except InvalidDigest:
        raise Refused("SIG_DIGEST", "") from None
    except InvalidSignature:
        raise Refused("SIG_VALUE", "") from None
    except Exception as error:
        # An empty SignatureValue is a TypeError there, an odd KeyValue a NotImplementedError: whatever a sender
        # can provoke inside the library is the sender's malformed signature, and never stops a night.
        raise Refused("SIG_MALFORMED", type(error).__name__) from None
    result = found[claims.data] if isinstance(found, list) else found
    root: Any = result.signed_xml
    if root is None or local(root).upper() != "GIAMDINHHS":
        raise Refused("SIG_COVERAGE", "what was signed is not the envelope")
    return result.signed_data, _facility(root)


def _facility(root: Any) -> str | None:
    for name in ("THONGTINDONVI", "MACSKCB"):
        root = next((child for child in root if local(child).upper() == name), None)
        if root is None:
            return None
    return (root.text or "").strip() or None
