"""An evidence file shows what was judged, by itself, and a changed one shows that it was changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datasach.signing.evidence import (
    check_evidence,
    code_today,
    evidence_of,
    path_of,
    read_evidence,
    write_evidence,
)  # fmt: skip
from datasach.signing.trust import TrustStore
from datasach.store.layout import Layout
from tests.signing import AT, DAY, FACILITY, NIGHT, OTHER, Country, bind, sign
from tests.unit.signing.conftest import Judge

Keep = Callable[..., tuple[Path, bytes]]


@pytest.fixture
def keep(country: Country, judge: Judge, tmp_path: Path) -> Keep:
    """keep(envelope, trust): its evidence as a night writes it."""

    def go(data: bytes, trust=None) -> tuple[Path, bytes]:
        trust = trust or country.trust()
        layout = Layout(tmp_path / "out")
        path = path_of(layout, NIGHT, FACILITY, "0123456789abcdef")
        submission = {"night": NIGHT, "sender": FACILITY}
        write_evidence(
            layout, path, evidence_of(judge(data, trust), data, AT, trust, submission), trust
        )
        return path, data

    return go


def problems(path: Path, data: bytes | None, **how: Any) -> tuple[str, ...]:
    facts = read_evidence(path)
    assert facts is not None
    return check_evidence(facts, path, data, **how).problems


def revoked(country: Country) -> list[bytes]:
    return [country.crl(country.root), country.crl(country.sub, [(country.good, AT - DAY)])]


def test_evidence_of_every_answer_holds_by_itself(country: Country, keep: Keep) -> None:
    data = sign(country.good)
    for trust in (
        country.trust(),
        country.trust(revoked(country)),
        country.trust(roots=()),
        country.trust([]),
        country.trust(bindings=()),
        country.trust(bindings=(bind(FACILITY, until=AT.date() - DAY),)),
    ):
        path, _ = keep(data, trust)
        assert problems(path, data) == ()
    for odd in (
        sign(country.other),
        sign(country.facility(until=AT - DAY)),
        data[:-30],
        b"<GIAMDINHHS/>",
    ):
        path, _ = keep(odd)
        assert problems(path, odd) == ()


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "code": lambda f: f.update(code="SIG_REVOKED"),
    "facility": lambda f: f.update(facility=OTHER),
    "time": lambda f: f.update(judged_at=(AT + 400 * DAY).isoformat()),
    "file": lambda f: f["file"].update(sha256="0" * 64),
    "signed digest": lambda f: f["signature"].update(signed_sha256="0" * 64),
    "binding": lambda f: f["signature"]["binding"].update(source="elsewhere"),
    "chain": lambda f: f.update(chain=f["chain"][:1]),
    "lists": lambda f: f.update(crls=[]),
    "policy": lambda f: f["trust"]["policy"].update(min_rsa_bits=4096),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_evidence_does_not_hold(change: str, country: Country, keep: Keep) -> None:
    path, data = keep(sign(country.good))
    facts = json.loads(path.read_text("utf-8"))
    CHANGES[change](facts)
    path.write_text(json.dumps(facts), "utf-8")
    assert problems(path, data)


def test_a_changed_or_missing_submission_is_told(country: Country, keep: Keep) -> None:
    path, data = keep(sign(country.good))
    assert problems(path, data.replace(b"<SOLUONGHOSO>1", b"<SOLUONGHOSO>2"))
    assert problems(path, b"\xef\xbb\xbf" + data)
    assert problems(path, None)


def test_a_missing_or_changed_revocation_list_is_told(country: Country, keep: Keep) -> None:
    path, data = keep(sign(country.good))
    kept = sorted((path.parents[2] / "crl").glob("*.crl"))
    assert len(kept) == 2
    kept[0].write_bytes(b"x")
    kept[1].unlink()
    assert len(problems(path, data)) >= 2


def test_a_root_that_is_not_the_readers_is_told(country: Country, keep: Keep) -> None:
    path, data = keep(sign(country.good))
    assert problems(path, data, trust=country.trust()) == ()
    assert problems(path, data, trust=Country().trust())


def test_a_later_trust_folder_judges_again_without_the_file(country: Country, keep: Keep) -> None:
    path, _ = keep(sign(country.good), country.trust(bindings=()))
    facts = read_evidence(path)
    assert facts is not None and facts["code"] == "SIG_UNBOUND"
    for trust, code in (
        (country.trust(bindings=()), "SIG_UNBOUND"),
        (country.trust(), "SIG_OK"),
        (country.trust(revoked(country)), "SIG_REVOKED"),
        (country.trust([]), "SIG_REVOCATION_STALE"),
    ):
        assert code_today(facts, TrustStore(trust), NIGHT) == code
