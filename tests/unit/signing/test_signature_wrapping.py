"""The signed part is kept and the reader is shown another: no construction gets a forged value in."""

from __future__ import annotations

import random
import re

import pytest

from datasach.signing.verdict import GOOD
from tests.envelopes import envelope, simple_visit
from tests.signing import FACILITY, Country, sign
from tests.unit.signing.conftest import Judge

FORGED = "66666"
PLAIN = envelope([simple_visit()], facility=FACILITY)
WITH_ID = PLAIN.replace("<GIAMDINHHS>", '<GIAMDINHHS Id="goc">')
PROLOGUE = '<?xml version="1.0" encoding="utf-8"?>'


def parts(signed: bytes) -> tuple[str, str, str]:
    """(document without prologue, its signature, the document with an empty CHUKYDONVI)."""
    text = (
        signed.decode().replace(PROLOGUE, "").replace('<?xml version="1.0" encoding="UTF-8"?>', "")
    )
    block = re.search(r"<CHUKYDONVI>(.*)</CHUKYDONVI>", text, re.S)
    assert block
    return text, block[1], text.replace(block[1], "")


def forged(root: str, chuky: str, extra: str = "") -> bytes:
    inside = envelope([simple_visit()], facility=FORGED).replace(PROLOGUE, "")
    inside = inside.replace("<GIAMDINHHS>", f"{root}{extra}")
    return (
        PROLOGUE + inside.replace("<CHUKYDONVI/>", f"<CHUKYDONVI>{chuky}</CHUKYDONVI>")
    ).encode()


def into_object(signed: bytes) -> bytes:
    _, signature, rest = parts(signed)
    moved = signature.replace("</ds:Signature>", f"<ds:Object>{rest}</ds:Object></ds:Signature>")
    return forged("<GIAMDINHHS>", moved)


def into_sibling(signed: bytes) -> bytes:
    _, signature, rest = parts(signed)
    return forged("<GIAMDINHHS>", signature, f"<WRAP>{rest}</WRAP>")


def nested(signed: bytes) -> bytes:
    whole, _, _ = parts(signed)
    return forged("<GIAMDINHHS>", "", f"<WRAP>{whole}</WRAP>")


def nested_in_place(signed: bytes) -> bytes:
    whole, _, _ = parts(signed)
    return forged("<GIAMDINHHS>", whole)


def duplicate_id(signed: bytes) -> bytes:
    _, signature, rest = parts(signed)
    return forged('<GIAMDINHHS Id="goc">', signature, f"<WRAP>{rest}</WRAP>")


def other_attribute(name: str):
    def make(signed: bytes) -> bytes:
        _, signature, rest = parts(signed)
        return forged(f'<GIAMDINHHS {name}="goc">', signature, f"<WRAP>{rest}</WRAP>")

    return make


def second_place(signed: bytes) -> bytes:
    whole, signature, _ = parts(signed)
    return forged("<GIAMDINHHS>", signature, f"<CHUKYDONVI>{signature}</CHUKYDONVI>")


def elsewhere(signed: bytes) -> bytes:
    """Nothing forged, but a reader that trusts the place would not look there."""
    whole, signature, rest = parts(signed)
    moved = whole.replace(f"<CHUKYDONVI>{signature}</CHUKYDONVI>", f"<CHUKYDONVI/>{signature}")
    return (PROLOGUE + moved).encode()


WITH_REFERENCE = {
    "moved into ds:Object": into_object,
    "moved into a sibling": into_sibling,
    "signed document nested": nested,
    "signed document nested in CHUKYDONVI": nested_in_place,
    "duplicate Id": duplicate_id,
    "forged root with ID=": other_attribute("ID"),
    "forged root with id=": other_attribute("id"),
    "forged root with xml:id=": other_attribute("xml:id"),
    "two CHUKYDONVI": second_place,
}
REFUSED = {"SIG_COVERAGE", "SIG_MULTIPLE"}


@pytest.mark.parametrize("case", WITH_REFERENCE)
@pytest.mark.parametrize("reference", ["#goc", None])
def test_no_wrapping_gets_in(
    case: str, reference: str | None, country: Country, judge: Judge
) -> None:
    signed = sign(country.good, WITH_ID, reference=reference)
    assert judge(signed).code == "SIG_OK"
    verdict = judge(WITH_REFERENCE[case](signed))
    # A wrapped `URI=""` signature fails by digest or by place, whichever is seen first.
    assert verdict.code in REFUSED | ({"SIG_DIGEST"} if reference is None else set()), (
        verdict.detail
    )
    assert verdict.content is None and verdict.facility is None


def test_a_signature_beside_its_place_is_refused(country: Country, judge: Judge) -> None:
    assert judge(elsewhere(sign(country.good))).code == "SIG_COVERAGE"


def test_a_signature_over_one_part_is_refused(country: Country, judge: Judge) -> None:
    document = PLAIN.replace("<THONGTINDONVI>", '<THONGTINDONVI Id="dv">')
    signed = sign(country.good, document, reference="#dv")
    assert judge(signed).code == "SIG_COVERAGE"
    more = signed.replace(b"<SOLUONGHOSO>1", b"<SOLUONGHOSO>9")
    assert judge(more).code == "SIG_COVERAGE"


def test_properties_of_another_signature_are_refused(country: Country, judge: Judge) -> None:
    """A second element with the Id of SignedProperties, where a library might look first."""
    signed = sign(country.good, xades=True).decode()
    found = re.search(r'<xades:SignedProperties Id="([^"]+)"', signed)
    assert found
    wrapped = signed.replace("<CHUKYDONVI>", f'<X Id="{found[1]}"/><CHUKYDONVI>')
    assert judge(wrapped.encode()).code == "SIG_COVERAGE"


def test_no_change_of_bytes_gets_another_value_in(country: Country, judge: Judge) -> None:
    """Bytes flipped, cut, doubled and moved at random: whatever still holds says exactly what was signed."""
    rng = random.Random(6)
    signed = sign(country.good, WITH_ID, reference="#goc", xades=True)
    content = judge(signed).content
    held = 0
    for _ in range(400):
        data = bytearray(signed)
        at, size, to = rng.randrange(len(data)), rng.randrange(1, 60), rng.randrange(len(data))
        kind = rng.randrange(4)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at : at + size]
        elif kind == 2:
            data[to:to] = data[at : at + size]
        else:
            data[at:at] = rng.choice([b"<!-- x -->", b" ", b"\n", b"<X/>", b'Id="goc"'])
        verdict = judge(bytes(data))
        if verdict.code in GOOD:
            held += 1
            assert verdict.content == content
    assert held  # comments and white space inside tags change nothing that is signed
