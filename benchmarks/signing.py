"""What verifying signatures costs: CPU of one core, by size of envelope, and of revocation lists by length.

    .venv/bin/python benchmarks/signing.py

CPU seconds, not wall: a busy machine does not change them much. The last line fails (exit code 1) if a signed
envelope of 1 MB costs more than 60 ms.
"""

from __future__ import annotations

import base64
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from datasach.extract.envelope import read_envelope
from datasach.signing.trust import TrustStore, store_of
from datasach.signing.verdict import receipt_time
from datasach.signing.verify import verify_envelope
from datasach.spec.load import Problems
from datasach.spec.trust import Trust, load_trust
from datasach.synth.authority import Authority

PLAIN, XADES = "01001", "01002"
"""Facilities with an even place sign plain XMLDSig, those with an odd one XAdES."""
FIRST = date(2026, 3, 2)
AT = receipt_time(FIRST.isoformat())
SIZES = {
    "4 KB": 4_000,
    "100 KB": 100_000,
    "1 MB": 1_000_000,
    "10 MB": 10_000_000,
    "50 MB": 50_000_000,
}
LIMIT_MS = 60.0


def cpu_ms(work: Callable[[], object], least: float = 0.5) -> float:
    """Milliseconds of CPU per call, over at least half a second."""
    work()
    calls, start = 0, time.process_time()
    while (spent := time.process_time() - start) < least:
        work()
        calls += 1
    return spent / calls * 1000


def envelope(code: str, size: int) -> bytes:
    """An envelope of about `size` bytes: tables of 20 kB in base64, as many as it takes."""
    table = base64.b64encode(b"<TONG_HOP>" + b"x" * 15_000 + b"</TONG_HOP>").decode()
    table = table[: max(100, size - 600)] if size < 20_000 else table
    part = f"<HOSO><FILEHOSO><LOAIHOSO>XML1</LOAIHOSO><NOIDUNGFILE>{table}</NOIDUNGFILE></FILEHOSO></HOSO>"
    count = max(1, size // len(part))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><GIAMDINHHS><THONGTINDONVI><MACSKCB>{code}</MACSKCB>'
        f"</THONGTINDONVI><THONGTINHOSO><NGAYLAP>20260302</NGAYLAP><SOLUONGHOSO>{count}</SOLUONGHOSO>"
        f"<DANHSACHHOSO>{part * count}</DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>"
    ).encode()


def trusted(authority: Authority, folder: Path) -> Trust:
    authority.write(folder)
    problems = Problems(folder)
    trust = load_trust(folder, problems)
    problems.raise_if_any()
    assert trust is not None
    return trust


def revocation_list(authority: Authority, entries: int) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.issuing.subject)
        .last_update(datetime(2026, 3, 1, tzinfo=UTC))
        .next_update(datetime(2026, 3, 30, tzinfo=UTC))
    )
    for serial in range(1, entries + 1):
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(serial)
            .revocation_date(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=serial))
            .build()
        )
    return builder.sign(authority._sub_key, hashes.SHA256()).public_bytes(Encoding.DER)


def main() -> None:
    authority = Authority(1, [PLAIN, XADES], FIRST)
    authority.fates = dict.fromkeys(authority.codes, "valid")
    with tempfile.TemporaryDirectory() as scratch:
        store = store_of(trusted(authority, Path(scratch) / "trust"))
        print("ECDSA P-256, chain of three, two revocation lists; milliseconds of CPU")
        print(f"{'':8} {'XMLDSig':>9} {'XAdES':>9} {'reading the envelope alone':>28}")
        megabyte = 0.0
        for name, size in SIZES.items():
            costs = []
            for code in (PLAIN, XADES):
                data = authority.sign(envelope(code, size), code)
                verdict = verify_envelope(data, store, AT)
                assert verdict.code == "SIG_OK", verdict
                costs.append(cpu_ms(lambda data=data: verify_envelope(data, store, AT)))
            parse = cpu_ms(lambda data=data: read_envelope(data))
            print(f"{name:8} {costs[0]:9.1f} {costs[1]:9.1f} {parse:28.1f}")
            megabyte = max(costs) if name == "1 MB" else megabyte
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory {peak:.0f} MB")
        for entries in (1_000, 10_000):
            data = revocation_list(authority, entries)
            (Path(scratch) / "trust/crl/issuing.crl").write_bytes(data)
            trust = load_trust(Path(scratch) / "trust", Problems(Path(scratch)))
            assert trust is not None
            signed = authority.sign(envelope(PLAIN, 4_000), PLAIN)
            start = time.process_time()
            fresh = TrustStore(trust)
            assert verify_envelope(signed, fresh, AT).code == "SIG_OK"
            first = (time.process_time() - start) * 1000
            later = cpu_ms(lambda s=signed, f=fresh: verify_envelope(s, f, AT))
            print(
                f"list of {entries:,} ({len(data) / 1e6:.2f} MB): first envelope {first:.0f} ms, later {later:.1f} ms"
            )
    print(f"1 MB: {megabyte:.1f} ms, limit {LIMIT_MS:.0f} ms")
    sys.exit(megabyte > LIMIT_MS)


if __name__ == "__main__":
    main()
