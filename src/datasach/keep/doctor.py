"""Is this machine fit to run a night? Every finding says what is wrong and what to do, in two languages."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sqlite3
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from datasach import settings

Level = Literal["ok", "warn", "bad"]

LEAST_FREE = 5 << 30
"""Bytes free on the warehouse's disk; a night writes about three times what it reads (our estimate)."""
LEAST_MEMORY = 2 << 30
KEY_AGE = timedelta(days=366)
"""Keys of pseudonyms are changed yearly (our proposal)."""
CERTIFICATE_SOON = timedelta(days=30)
RESTRICTED = ("landing", "published", "quarantine", "state", "access", "receipts")
EXPECTED_OFFSETS = (0, 7 * 3600)
"""The night is counted in Viet Nam's time whatever the machine's zone is; schedules and logs are read by
people, who expect UTC or UTC+7."""


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    level: Level
    vi: str
    en: str
    fix_vi: str = ""
    fix_en: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """What is looked at. Tests put something broken in each place."""

    project: Path
    out: Path | None
    vault: Path | None
    now: datetime
    gmt_offset: int
    """Seconds east of UTC of the system's zone."""
    memory: int
    """Bytes available now."""


def this_machine(project: Path, out: Path | None, vault: Path | None) -> Machine:
    return Machine(
        project, out.resolve() if out else None, vault.resolve() if vault else None,
        settings.now(), time.localtime().tm_gmtoff, _memory_available(),
    )  # fmt: skip


def examine(machine: Machine) -> list[Finding]:
    """Findings of every check, in a fixed order. A check that cannot look says so as a finding of its own."""
    found: list[Finding] = []
    for name, check in CHECKS.items():
        try:
            mine = list(check(machine))
        except OSError as error:
            why = error.strerror or type(error).__name__
            mine = [_warn(name, f"không kiểm tra được: {why}", f"could not be checked: {why}")]
        found += mine or [Finding(name, "ok", "ổn", "fine")]
    return found


def told(found: list[Finding]) -> str:
    marks = {"ok": "  ", "warn": "! ", "bad": "✗ "}
    lines = []
    for one in found:
        lines.append(f"{marks[one.level]}{one.check:12} {one.vi} · {one.en}")
        if one.fix_vi:
            lines.append(f"  {'':12} → {one.fix_vi}")
            lines.append(f"  {'':12} → {one.fix_en}")
    return "\n".join(lines)


def _bad(check: str, vi: str, en: str, fix_vi: str = "", fix_en: str = "") -> Finding:
    return Finding(check, "bad", vi, en, fix_vi, fix_en)


def _warn(check: str, vi: str, en: str, fix_vi: str = "", fix_en: str = "") -> Finding:
    return Finding(check, "warn", vi, en, fix_vi, fix_en)


# -- the machine -----------------------------------------------------------------------------------


def _versions(machine: Machine) -> Iterator[Finding]:
    if sys.version_info[:2] != (3, 11):
        yield _bad(
            "versions", f"Python {sys.version_info[0]}.{sys.version_info[1]}, cần 3.11",
            "Python is not 3.11", "Cài python3.11 rồi tạo lại .venv: make run",
            "Install python3.11 and make .venv anew: make run",
        )  # fmt: skip
    lock = machine.project / "requirements/run.txt"
    if not lock.is_file():
        return
    differ = []
    for name, pinned in re.findall(
        r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", lock.read_text("utf-8"), re.M
    ):
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = None
        if installed != pinned:
            differ.append(f"{name} {installed or '–'} ≠ {pinned}")
    if differ:
        yield _bad(
            "versions", f"{len(differ)} thư viện khác bản khoá: {', '.join(differ[:4])}",
            f"{len(differ)} packages differ from the lock",
            "Cài lại đúng bản khoá: rm .venv/run && make run",
            "Install what the lock says: rm .venv/run && make run",
        )  # fmt: skip


def _disk(machine: Machine) -> Iterator[Finding]:
    place = _existing(machine.out or machine.project)
    free = shutil.disk_usage(place).free
    if free < LEAST_FREE:
        yield _bad(
            "disk", f"chỉ còn {free >> 20} MiB trống", f"only {free >> 20} MiB free",
            "Xem thứ quá hạn: datasach retain --out …; hoặc thêm đĩa",
            "See what is past its time: datasach retain --out …; or add disk",
        )  # fmt: skip


def _memory(machine: Machine) -> Iterator[Finding]:
    if machine.memory < LEAST_MEMORY:
        yield _bad(
            "memory", f"chỉ còn {machine.memory >> 20} MiB bộ nhớ",
            f"only {machine.memory >> 20} MiB of memory available",
            "Dừng chương trình khác, hoặc đặt DATASACH_MEMORY_MB nhỏ hơn",
            "Stop other programs, or set DATASACH_MEMORY_MB lower",
        )  # fmt: skip


def _writable(machine: Machine) -> Iterator[Finding]:
    if machine.out is None:
        return
    for folder in (machine.out, *(machine.out / name for name in RESTRICTED)):
        if not folder.is_dir():
            continue
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            yield _bad(
                "writable", f"không ghi được vào {folder}: {error.strerror}", f"cannot write to {folder}",
                f"Giao thư mục cho tài khoản chạy đêm: chown -R TÀI_KHOẢN {folder}",
                f"Give the folder to the night's account: chown -R ACCOUNT {folder}",
            )  # fmt: skip


def _modes(machine: Machine) -> Iterator[Finding]:
    if machine.out is None or not machine.out.is_dir():
        return
    if not _others(machine.out):
        return
    folders = [machine.out / name for name in RESTRICTED]
    wide = [folder.name for folder in folders if folder.is_dir() and _others(folder)]
    if wide:
        yield _warn(
            "modes", f"tài khoản khác đọc được vùng hạn chế: {', '.join(wide)}",
            "other accounts can read the restricted zone",
            f"chmod go= {machine.out}", f"chmod go= {machine.out}",
        )  # fmt: skip


def _vault(machine: Machine) -> Iterator[Finding]:
    if machine.vault is None or not machine.vault.is_dir():
        yield _warn(
            "vault", "chưa có kho khoá; không xuất dữ liệu được", "there is no vault: nothing can be handed over",
            "datasach vault --vault THƯ_MỤC log erased MỤC_ĐÍCH…, rồi đặt DATASACH_VAULT",
            "datasach vault --vault FOLDER log erased PURPOSE…, then set DATASACH_VAULT",
        )  # fmt: skip
        return
    if machine.out is not None and machine.vault.is_relative_to(machine.out):
        yield _bad(
            "vault", "kho khoá nằm trong kho dữ liệu", "the vault lies inside the warehouse",
            "Dời ra ngoài: ai chép một nơi sẽ có cả hai", "Move it out: whoever copies one place has both",
        )  # fmt: skip
    for path in (machine.vault, *sorted(machine.vault.iterdir())):
        if _others(path):
            yield _bad(
                "vault", f"tài khoản khác đọc được {path.name}", f"other accounts can read {path.name}",
                f"chmod go= {path}", f"chmod go= {path}",
            )  # fmt: skip
        age = machine.now - datetime.fromtimestamp(path.stat().st_mtime, UTC)
        if path.suffix == ".key" and age > KEY_AGE:
            yield _warn(
                "vault", f"{path.name} đã dùng {age.days} ngày", f"{path.name} is {age.days} days old",
                "Đổi khoá theo sổ tay vận hành (mã giả danh sẽ đổi)",
                "Change it as the runbook says (pseudonyms will change)",
            )  # fmt: skip


def _volume(machine: Machine) -> Iterator[Finding]:
    place = _existing(machine.out or machine.project).resolve()
    device = _device_of(place)
    if device is not None and not device.startswith(("/dev/mapper/", "/dev/dm-")):
        yield _warn(
            "encryption", f"đĩa {device} có vẻ không mã hoá", f"the disk {device} does not look encrypted",
            "Đặt kho trên phân vùng LUKS (docs/threat-model.md, mục mã hoá)",
            "Put the warehouse on a LUKS volume (docs/threat-model.md, encryption)",
        )  # fmt: skip


# -- trust -----------------------------------------------------------------------------------------


def _trust(machine: Machine) -> Iterator[Finding]:
    folder = machine.project / "trust"
    if not folder.is_dir():
        return
    from cryptography import x509

    for path in sorted(folder.rglob("*.pem")):
        try:
            certificates = x509.load_pem_x509_certificates(path.read_bytes())
        except ValueError:
            yield _bad(
                "trust", f"{path.name} không phải chứng thư", f"{path.name} is no certificate"
            )
            continue
        for certificate in certificates:
            left = certificate.not_valid_after_utc - machine.now
            if left < CERTIFICATE_SOON:
                level = _bad if left < timedelta(0) else _warn
                yield level(
                    "trust", f"{path.name}: chứng thư còn {left.days} ngày",
                    f"{path.name}: the certificate has {left.days} days left",
                    "Xin chứng thư mới của nơi cấp", "Get the issuer's new certificate",
                )  # fmt: skip
    for path in sorted(folder.rglob("*.crl")):
        data = path.read_bytes()
        try:
            pem = data.lstrip().startswith(b"-----")
            crl = x509.load_pem_x509_crl(data) if pem else x509.load_der_x509_crl(data)
        except ValueError:
            yield _bad("trust", f"{path.name} không phải CRL", f"{path.name} is no CRL")
            continue
        ends = crl.next_update_utc
        if ends is not None and ends < machine.now:
            yield _bad(
                "trust", f"{path.name} hết hạn từ {ends.date()}", f"{path.name} is out of date since {ends.date()}",
                "Tải CRL mới của nơi cấp, chép vào trust/crl", "Fetch the issuer's new CRL into trust/crl",
            )  # fmt: skip


# -- time ------------------------------------------------------------------------------------------


def _zone(machine: Machine) -> Iterator[Finding]:
    if machine.gmt_offset not in EXPECTED_OFFSETS:
        hours = machine.gmt_offset / 3600
        yield _warn(
            "time zone", f"múi giờ máy là UTC{hours:+g}", f"the system's zone is UTC{hours:+g}",
            "timedatectl set-timezone Asia/Ho_Chi_Minh", "timedatectl set-timezone Asia/Ho_Chi_Minh",
        )  # fmt: skip


def _clock(machine: Machine) -> Iterator[Finding]:
    last = _last_event(machine)
    if last is not None and last > machine.now + timedelta(minutes=5):
        yield _bad(
            "clock", f"đồng hồ chậm hơn sự kiện cuối ({last.isoformat(timespec='minutes')})",
            "the clock is behind the last event of the ledger",
            "Bật NTP: timedatectl set-ntp true; không chạy đêm trước khi sửa",
            "Switch NTP on: timedatectl set-ntp true; run no night before that",
        )  # fmt: skip


def _last_event(machine: Machine) -> datetime | None:
    path = machine.out / "state/ledger.sqlite" if machine.out else None
    if path is None or not path.is_file():
        return None
    row = _ask(path, "SELECT max(at) FROM events")
    return datetime.fromisoformat(row[0][0]).astimezone(UTC) if row and row[0][0] else None


# -- what a crash left -----------------------------------------------------------------------------


def _leftovers(machine: Machine) -> Iterator[Finding]:
    """Locks, unfinished runs and side folders while no run goes on."""
    if machine.out is None or not (machine.out / "state").is_dir():
        return
    lock = machine.out / "state/run.lock"
    if _held(lock):
        yield Finding("locks", "ok", "một đêm đang chạy", "a night is running")
        return
    ledger = machine.out / "state/ledger.sqlite"
    open_runs = (
        _ask(ledger, "SELECT count(*) FROM runs WHERE ended_at IS NULL") if ledger.is_file() else []
    )
    if open_runs and open_runs[0][0]:
        yield _warn(
            "locks", f"{open_runs[0][0]} lần chạy bị ngắt giữa chừng", "runs were cut off in the middle",
            "Chạy lại đêm đó: việc đã xong không làm lại", "Run that night again: what is done is not done twice",
        )  # fmt: skip
    sides = [*machine.out.glob("published/.*.part"), *machine.out.glob("zones/*/*/*/.*.part")]
    scratch = machine.out / "state/scratch"
    sides += [p for p in scratch.glob("*") if any(inner.is_file() for inner in p.rglob("*"))]
    if sides:
        yield _warn(
            "locks", f"{len(sides)} thư mục dở dang", f"{len(sides)} unfinished folders",
            "Lần chạy sau tự dọn; không cần làm gì", "The next run sweeps them; nothing to do",
        )  # fmt: skip


def _zombies(machine: Machine) -> Iterator[Finding]:
    """A killed flow run stands RUNNING in Prefect for ever; our ledger does not mind, people do."""
    path = machine.out / "state/prefect/prefect.db" if machine.out else None
    if machine.out is None or path is None or not path.is_file():
        return
    if _held(machine.out / "state/run.lock"):
        return
    rows = _ask(path, "SELECT id FROM flow_run WHERE state_type IN ('RUNNING', 'CANCELLING')")
    if rows:
        yield _warn(
            "prefect", f"{len(rows)} lần chạy Prefect treo ở RUNNING: {rows[0][0]}",
            f"{len(rows)} Prefect runs stand RUNNING though none goes on",
            "PREFECT_HOME=…/state/prefect prefect flow-run delete MÃ; sổ cái của datasach không bị ảnh hưởng",
            "PREFECT_HOME=…/state/prefect prefect flow-run delete ID; datasach's own ledger is not affected",
        )  # fmt: skip


def _held(lock: Path) -> bool:
    """Does a living process hold the run lock? (A file alone is no lock.)"""
    if not lock.is_file():
        return False
    handle = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(handle)


def _ask(path: Path, sql: str) -> list[tuple[str, ...]]:
    con = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        return con.execute(sql).fetchall()
    except sqlite3.Error:
        return []
    finally:
        con.close()


def _others(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _existing(path: Path) -> Path:
    path = path.resolve()
    while not path.exists():
        path = path.parent
    return path


def _device_of(place: Path) -> str | None:
    """Device of the longest mount point above `place`; None where it cannot be told (network, memory)."""
    best, device = "", None
    for line in Path("/proc/mounts").read_text("utf-8", "replace").splitlines():
        source, point = line.split(" ")[:2]
        inside = str(place) == point or str(place).startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, device = point, source if source.startswith("/dev/") else None
    return device


def _memory_available() -> int:
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


CHECKS: dict[str, Callable[[Machine], Iterator[Finding]]] = {
    "versions": _versions, "disk": _disk, "memory": _memory, "writable": _writable, "modes": _modes,
    "vault": _vault, "encryption": _volume, "trust": _trust, "time zone": _zone, "clock": _clock,
    "locks": _leftovers, "prefect": _zombies,
}  # fmt: skip
