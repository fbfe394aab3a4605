"""One broken thing at a time, and the doctor names that one and says what to do."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from datasach.keep import doctor
from datasach.keep.doctor import Finding, Machine, examine, told
from datasach.protect.vault import new_key
from datasach.store.layout import Layout
from datasach.store.ledger import Ledger

NOW = datetime(2026, 3, 4, 20, 0, tzinfo=UTC)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Nothing is wrong with it."""
    out, vault = tmp_path / "out", tmp_path / "vault"
    layout = Layout(out)
    out.chmod(0o700)
    Ledger(layout.ledger, "r1").close()
    new_key(vault, "log")
    os.utime(vault / "log.key", (NOW.timestamp(), NOW.timestamp()))
    monkeypatch.setattr(doctor, "_device_of", lambda place: "/dev/mapper/data")
    (tmp_path / "project").mkdir()
    return Machine(tmp_path / "project", out, vault, NOW, 7 * 3600, 8 << 30)


def wrong(machine: Machine) -> list[Finding]:
    return [one for one in examine(machine) if one.level != "ok"]


def test_a_sound_machine_has_no_finding(machine: Machine) -> None:
    assert wrong(machine) == []
    assert told(examine(machine)).count("ổn · fine") == len(doctor.CHECKS)


def _versions(machine: Machine) -> Machine:
    (machine.project / "requirements").mkdir()
    (machine.project / "requirements/run.txt").write_text("polars==0.0.1 \\\n", "utf-8")
    return machine


def _writable(machine: Machine) -> Machine:
    shutil.rmtree(machine.out / "landing")
    (machine.out / "landing").symlink_to("/proc")  # nobody writes there, not even root
    return machine


def _wide(machine: Machine) -> Machine:
    machine.out.chmod(0o755)
    (machine.out / "published").chmod(0o755)
    return machine


def _open_key(machine: Machine) -> Machine:
    (machine.vault / "log.key").chmod(0o644)
    return machine


def _old_key(machine: Machine) -> Machine:
    at = (NOW - timedelta(days=400)).timestamp()
    os.utime(machine.vault / "log.key", (at, at))
    return machine


def _vault_inside(machine: Machine) -> Machine:
    shutil.move(machine.vault, machine.out / "vault")
    return replace(machine, vault=machine.out / "vault")


def _crl(machine: Machine) -> Machine:
    key = ec.generate_private_key(ec.SECP256R1())
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA (hư cấu)")]))
        .last_update(NOW - timedelta(days=9)).next_update(NOW - timedelta(days=2)).sign(key, hashes.SHA256())
    )  # fmt: skip
    from cryptography.hazmat.primitives.serialization import Encoding

    (machine.project / "trust/crl").mkdir(parents=True)
    (machine.project / "trust/crl/ca.crl").write_bytes(crl.public_bytes(Encoding.DER))
    return machine


def _clock(machine: Machine) -> Machine:
    with sqlite3.connect(machine.out / "state/ledger.sqlite") as con:
        later = (NOW + timedelta(hours=2)).isoformat()
        con.execute("INSERT INTO events (at, run, state) VALUES (?, 'r', 'RECEIVED')", (later,))
    return machine


def _cut_off(machine: Machine) -> Machine:
    with sqlite3.connect(machine.out / "state/ledger.sqlite") as con:
        con.execute(
            "INSERT INTO runs (run, night, started_at, fingerprint, version) VALUES ('r', '2026-03-03', 'x', 'x', 'x')"
        )
    return machine


def _aside(machine: Machine) -> Machine:
    (machine.out / "published/.2026-03-04.part/kcb_emr").mkdir(parents=True)
    return machine


def _zombie(machine: Machine) -> Machine:
    (machine.out / "state/prefect").mkdir()
    with sqlite3.connect(machine.out / "state/prefect/prefect.db") as con:
        con.execute("CREATE TABLE flow_run (id TEXT, state_type TEXT)")
        con.execute("INSERT INTO flow_run VALUES ('3f2a', 'RUNNING'), ('77b1', 'COMPLETED')")
    return machine


FAULTS: dict[str, tuple[Callable[[Machine], Machine], str, str]] = {
    "a package is not the lock's": (_versions, "versions", "bad"),
    "memory is short": (lambda m: replace(m, memory=1 << 30), "memory", "bad"),
    "a folder cannot be written": (_writable, "writable", "bad"),
    "others can read the warehouse": (_wide, "modes", "warn"),
    "there is no vault": (lambda m: replace(m, vault=None), "vault", "warn"),
    "the vault lies in the warehouse": (_vault_inside, "vault", "bad"),
    "others can read a key": (_open_key, "vault", "bad"),
    "a key is old": (_old_key, "vault", "warn"),
    "a CRL is out of date": (_crl, "trust", "bad"),
    "the zone is nobody's here": (lambda m: replace(m, gmt_offset=-5 * 3600), "time zone", "warn"),
    "the clock went back": (_clock, "clock", "bad"),
    "a run was cut off": (_cut_off, "locks", "warn"),
    "a folder was left aside": (_aside, "locks", "warn"),
    "a flow run stands RUNNING": (_zombie, "prefect", "warn"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_broken_thing_is_named_with_what_to_do(machine: Machine, fault: str) -> None:
    plant, check, level = FAULTS[fault]
    found = wrong(plant(machine))
    assert [(one.check, one.level) for one in found] == [(check, level)]
    assert found[0].fix_vi and found[0].fix_en


def test_a_full_disk_is_bad(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor.shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10, 9, 1)
    )  # type: ignore[attr-defined]
    assert [one.check for one in wrong(machine)] == ["disk"]


def test_a_disk_without_encryption_is_said(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_device_of", lambda place: "/dev/vda")
    assert [one.check for one in wrong(machine)] == ["encryption"]


def test_while_a_night_runs_nothing_is_a_leftover(machine: Machine) -> None:
    handle = os.open(machine.out / "state/run.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        assert wrong(_zombie(_cut_off(_aside(machine)))) == []
    finally:
        os.close(handle)
