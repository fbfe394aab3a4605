"""What the tests of signatures share: authorities made once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from datasach.signing.trust import TrustStore
from datasach.signing.verdict import Verdict
from datasach.signing.verify import verify_envelope
from tests.signing import AT, Country

Judge = Callable[..., Verdict]


@pytest.fixture(scope="session")
def country() -> Country:
    return Country()


@pytest.fixture(scope="session")
def judge(country: Country) -> Judge:
    """judge(envelope, trust folder, at, now): a verdict, as of the night in March if nothing else is said."""
    store = TrustStore(country.trust())

    def go(data: bytes, trust=None, at=AT, now=None) -> Verdict:
        return verify_envelope(data, TrustStore(trust) if trust else store, at, now)

    return go
