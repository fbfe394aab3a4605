"""Where a signature stands in an envelope and what it says it covers; no key is touched here.

Signature libraries answer "some part of this file was signed by somebody". The attacks that matter keep the
signed part and show the reader another one (signature wrapping), so we refuse every shape but one: a single
ds:Signature, at GIAMDINHHS/CHUKYDONVI, whose one data reference is the whole document. Whatever passes is
verified afterwards, and values are read from the verified bytes alone.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from datasach.signing.verdict import ICT, Refused
from datasach.spec.trust import TrustPolicy

ROOT, PLACE = "GIAMDINHHS", "CHUKYDONVI"
DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
SIGNATURE = f"{{{DS}}}Signature"
PROPERTIES_TYPE = "http://uri.etsi.org/01903#SignedProperties"
ENVELOPED = f"{DS}enveloped-signature"
CANONICAL = tuple(
    base + comments
    for base in (
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
    )
    for comments in ("", "WithComments" if base.endswith("#") else "#WithComments")
)
METHODS = {
    f"http://www.w3.org/2001/04/xmldsig-more#{kind}-{hash_}": f"{kind}-{hash_}"
    for kind in ("rsa", "ecdsa")
    for hash_ in ("sha256", "sha384", "sha512")
} | {
    f"http://www.w3.org/2007/05/xmldsig-more#{hash_}-rsa-MGF1": f"rsa-pss-{hash_}"
    for hash_ in ("sha256", "sha384", "sha512")
}
DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}
WEAK = ("sha1", "md5", "md2", "ripemd160", "sha224")
MAX_CERTIFICATES = 10
MAX_REFERENCES = 3
"""The document, and what XAdES signs beside it: the properties, and often the KeyInfo."""
HUGE_FROM = 9 * 2**20
HASHES = {**DIGESTS, f"{DS}sha1": "sha1"}
"""Digests by which XAdES may name its certificate: it is a name there, the key is proved elsewhere."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a signature of the accepted shape says of itself; nothing of it is proved yet."""

    location: str
    """ElementPath from the root to the parent of ds:Signature."""
    references: int
    data: int
    """Which of the references is the document."""
    method: str
    digests: tuple[str, ...]
    canonicalisation: str
    value: bytes
    certificates: tuple[bytes, ...]
    """DER, in their order."""
    signed_at: datetime | None
    """XAdES SigningTime: the signer's clock, or its wish."""
    named: tuple[tuple[str, bytes], ...]
    """(hash, digest) of each certificate that XAdES names as the signer's."""
    has_comments: bool


def strict_parser(size: int) -> etree.XMLParser:
    """Nothing is fetched, nothing replaced, nothing left out: a dropped comment or PI is another digest."""
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False,
        recover=False, huge_tree=size > HUGE_FROM, remove_comments=False, remove_pis=False,
    )  # fmt: skip


def local(element: Any) -> str:
    tag: Any = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def is_signed(root: Any) -> bool:
    """Does a parsed envelope carry anything that could be a signature, wherever it stands?"""
    if any(True for _ in root.iter(SIGNATURE)):
        return True
    places = [child for child in root if local(child).upper() == PLACE]
    return any(len(place) or (place.text or "").strip() for place in places)


def claims_of(root: Any, policy: TrustPolicy) -> Claims:
    """What the one acceptable signature of this document claims.

    Raises Refused: SIG_MALFORMED, SIG_MULTIPLE, SIG_COVERAGE, SIG_REF, SIG_ALG, SIG_WEAK_ALG.
    """
    signature = _the_signature(root)
    info = _one(signature, "SignedInfo")
    method = _method(info, policy)
    canonical = _algorithm(_one(info, "CanonicalizationMethod"))
    if canonical not in CANONICAL:
        raise Refused("SIG_ALG", "CanonicalizationMethod")
    properties = _properties(signature)
    own = [one for one in (properties, signature.find(f"{{{DS}}}KeyInfo")) if one is not None]
    references = info.findall(f"{{{DS}}}Reference")
    targets = [_own_part(one, own, root) for one in references]
    data = [n for n, target in enumerate(targets) if target is None]
    if len(data) != 1 or len(references) > MAX_REFERENCES:
        raise Refused(
            "SIG_COVERAGE", f"{len(data)} references to data; one to the whole is expected"
        )
    _covers_the_root(references[data[0]], root)
    digests = tuple(
        _reference_algorithms(one, n == data[0], policy) for n, one in enumerate(references)
    )
    covered = properties if any(target is properties for target in targets) else None
    return Claims(
        location=f"./{signature.getparent().tag}/",
        references=len(references),
        data=data[0],
        method=method,
        digests=digests,
        canonicalisation=canonical,
        value=_base64(_one(signature, "SignatureValue"), "SignatureValue"),
        certificates=_certificates(signature),
        signed_at=_signing_time(covered),
        named=_named_certificates(covered),
        has_comments=any(True for _ in root.iter(etree.Comment)),
    )


def _the_signature(root: Any) -> Any:
    if local(root).upper() != ROOT:
        raise Refused("SIG_COVERAGE", f"the root is not {ROOT}")
    places = [child for child in root if local(child).upper() == PLACE]
    found = list(root.iter(SIGNATURE))
    if not found:
        raise Refused("SIG_MALFORMED", f"{PLACE} holds no ds:Signature")
    if len(found) > 1 or len(places) > 1:
        raise Refused("SIG_MULTIPLE", f"{len(found)} signatures, {len(places)} {PLACE}")
    if not places or found[0].getparent() is not places[0]:
        raise Refused("SIG_COVERAGE", f"the signature does not stand at {ROOT}/{PLACE}")
    return found[0]


def _one(element: Any, name: str) -> Any:
    found = element.findall(f"{{{DS}}}{name}")
    if len(found) != 1:
        raise Refused("SIG_MALFORMED", f"{len(found)} {name}")
    return found[0]


def _algorithm(element: Any) -> str:
    return str(element.get("Algorithm") or "")


def _is_weak(uri: str) -> bool:
    name = uri.rpartition("#")[2].lower()
    return not name.startswith("hmac") and any(weak in name for weak in WEAK)


def _method(info: Any, policy: TrustPolicy) -> str:
    uri = _algorithm(_one(info, "SignatureMethod"))
    method = METHODS.get(uri)
    if method is None or method not in policy.signature_methods:
        code = "SIG_WEAK_ALG" if _is_weak(uri) else "SIG_ALG"
        raise Refused(code, f"SignatureMethod {uri.rpartition('#')[2][:40]}")
    return method


def _reference_algorithms(reference: Any, is_data: bool, policy: TrustPolicy) -> str:
    transforms = [_algorithm(one) for one in reference.iterfind(f"{{{DS}}}Transforms/*")]
    allowed = {*CANONICAL, ENVELOPED} if is_data else set(CANONICAL)
    if any(uri not in allowed for uri in transforms):
        raise Refused("SIG_ALG", "a transform that is not canonicalisation")
    if is_data and transforms.count(ENVELOPED) != 1:
        raise Refused("SIG_COVERAGE", "the enveloped-signature transform is missing")
    uri = _algorithm(_one(reference, "DigestMethod"))
    digest = DIGESTS.get(uri)
    if digest is None or digest not in policy.digests:
        code = "SIG_WEAK_ALG" if _is_weak(uri) else "SIG_ALG"
        raise Refused(code, f"DigestMethod {uri.rpartition('#')[2][:40]}")
    return digest


def _holders(root: Any, value: str) -> list[Any]:
    """Elements that any reader of any library could take for the one this Id names."""
    path = "//*[@*[translate(local-name(), 'ID', 'id') = 'id'] = $value]"
    found: list[Any] = root.xpath(path, value=value)
    return found


def _covers_the_root(reference: Any, root: Any) -> None:
    uri = reference.get("URI")
    if uri is None or (uri and not uri.startswith("#")) or uri.startswith("#xpointer"):
        raise Refused("SIG_REF", "the reference leads out of the document")
    if not uri:
        return
    holders = _holders(root, uri[1:])
    own = [name for name in ("Id", "ID", "id") if root.get(name) == uri[1:]]
    if len(holders) != 1 or holders[0] is not root or not own:
        raise Refused("SIG_COVERAGE", "the reference is not to the whole document")


def _properties(signature: Any) -> Any | None:
    """xades:SignedProperties. Any other ds:Object could carry what a reader mistakes for data."""
    objects = signature.findall(f"{{{DS}}}Object")
    if not objects:
        return None
    children = [child for one in objects for child in one if isinstance(child.tag, str)]
    if len(children) != 1 or children[0].tag != f"{{{XADES}}}QualifyingProperties":
        raise Refused("SIG_COVERAGE", "ds:Object holds something that is not XAdES")
    found = children[0].findall(f"{{{XADES}}}SignedProperties")
    return found[0] if len(found) == 1 else None


def _own_part(reference: Any, own: list[Any], root: Any) -> Any | None:
    """The signature's own KeyInfo or SignedProperties, if that is what is referred to; None for data."""
    uri = reference.get("URI") or ""
    target = next((one for one in own if one.get("Id") and uri == f"#{one.get('Id')}"), None)
    if target is None:
        if reference.get("Type") == PROPERTIES_TYPE:
            raise Refused("SIG_COVERAGE", "SignedProperties are not those of this signature")
        return None
    if len(_holders(root, uri[1:])) != 1:
        raise Refused("SIG_COVERAGE", "two elements share the Id of a part of the signature")
    return target


def _base64(element: Any, name: str) -> bytes:
    text = "".join((element.text or "").split())
    try:
        value = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise Refused("SIG_MALFORMED", f"{name} is not base64") from None
    if not value:
        raise Refused("SIG_MALFORMED", f"{name} is empty")
    return value


def _certificates(signature: Any) -> tuple[bytes, ...]:
    found = signature.findall(f"{{{DS}}}KeyInfo/{{{DS}}}X509Data/{{{DS}}}X509Certificate")
    if not found:
        raise Refused("SIG_MALFORMED", "KeyInfo holds no certificate")
    if len(found) > MAX_CERTIFICATES:
        raise Refused("SIG_MALFORMED", f"more than {MAX_CERTIFICATES} certificates")
    return tuple(_base64(one, "X509Certificate") for one in found)


def _signing_time(properties: Any | None) -> datetime | None:
    """The claimed time; Viet Nam's where it names no zone; None where there is none or it is none."""
    if properties is None:
        return None
    text = properties.findtext(f"{{{XADES}}}SignedSignatureProperties/{{{XADES}}}SigningTime")
    try:
        said = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return said if said.tzinfo else said.replace(tzinfo=ICT)


def _named_certificates(properties: Any | None) -> tuple[tuple[str, bytes], ...]:
    if properties is None:
        return ()
    found = []
    path = f"{{{XADES}}}SignedSignatureProperties"
    for name in ("SigningCertificate", "SigningCertificateV2"):
        for cert in properties.iterfind(
            f"{path}/{{{XADES}}}{name}/{{{XADES}}}Cert/{{{XADES}}}CertDigest"
        ):
            method, value = (
                cert.find(f"{{{DS}}}DigestMethod"),
                cert.findtext(f"{{{DS}}}DigestValue"),
            )
            hash_ = HASHES.get(_algorithm(method)) if method is not None else None
            if hash_ is not None and value:
                try:
                    found.append((hash_, base64.b64decode(value)))
                except binascii.Error:
                    raise Refused("SIG_MALFORMED", "CertDigest is not base64") from None
    return tuple(found)
