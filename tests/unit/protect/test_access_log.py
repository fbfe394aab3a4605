"""Whatever is done to the access log is found; nothing is handed over that could not be entered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasach.errors import AccessRefused, WarehouseDamaged
from datasach.protect.accesslog import AccessLog, Head, hash_of
from datasach.protect.vault import Holder
from datasach.spec.access import Role
from datasach.spec.contract import Title

HOLDER = Holder("an.b", "an", Role(id="national", title=Title(vi="", en=""), territory="all"), None)


def filled(folder: Path, entries: int = 12) -> AccessLog:
    log = AccessLog(folder)
    for number in range(entries):
        log.write(HOLDER, "export", "OK", rows=number)
    return log


def test_entries_are_chained_and_the_head_names_the_last(tmp_path: Path) -> None:
    log = filled(tmp_path)
    entries = list(log.entries())
    assert [entry["n"] for entry in entries] == list(range(1, 13))
    assert log.verify() == Head(12, entries[-1]["hash"])
    assert (tmp_path / "access/log.jsonl").stat().st_mode & 0o777 == 0o600


def _edited(lines: list[str], at: int) -> list[str]:
    entry = json.loads(lines[at]) | {"actor": "somebody.else"}
    return [*lines[:at], json.dumps(entry), *lines[at + 1 :]]


def _edited_and_sealed(lines: list[str], at: int) -> list[str]:
    entry = json.loads(lines[at]) | {"actor": "somebody.else"}
    entry["hash"] = hash_of(entry)
    return [*lines[:at], json.dumps(entry), *lines[at + 1 :]]


TAMPERINGS = {
    "edited": _edited,
    "edited, its own hash made anew": _edited_and_sealed,
    "removed": lambda lines, at: [*lines[:at], *lines[at + 1 :]],
    "added": lambda lines, at: [*lines[:at], lines[at], *lines[at:]],
    "moved": lambda lines, at: [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]],
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
@pytest.mark.parametrize("at", [0, 5, 9])
def test_tampering_is_found(tmp_path: Path, tampering: str, at: int) -> None:
    log = filled(tmp_path)
    lines = log.path.read_text("utf-8").splitlines()
    log.path.write_text("\n".join(TAMPERINGS[tampering](lines, at)) + "\n", "utf-8")
    with pytest.raises(WarehouseDamaged, match="chain is broken"):
        log.verify()


@pytest.mark.parametrize("left", [0, 1, 11])
def test_a_cut_tail_is_found_against_a_head_kept_elsewhere(tmp_path: Path, left: int) -> None:
    log = filled(tmp_path)
    kept = log.verify()
    lines = log.path.read_text("utf-8").splitlines()[:left]
    log.path.write_text("".join(line + "\n" for line in lines), "utf-8")
    log.verify()  # the chain alone is whole
    with pytest.raises(WarehouseDamaged, match="tail was cut off"):
        log.verify(kept)


def test_a_log_that_went_on_passes_an_older_head(tmp_path: Path) -> None:
    log = filled(tmp_path, 3)
    kept = Head.read(str(log.verify()))
    log.write(HOLDER, "export", "OK")
    assert log.verify(kept).entries == 4


@given(cut=st.integers(1, 200))
def test_after_a_torn_write_the_chain_goes_on(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    log = filled(tmp_path_factory.mktemp("torn"), 4)
    data = log.path.read_bytes()
    log.path.write_bytes(data[:-cut])
    log.write(HOLDER, "export", "OK")
    assert log.verify().entries == (5 if cut <= 1 else 4)


def test_what_cannot_be_entered_is_refused(tmp_path: Path) -> None:
    (tmp_path / "access").write_text("a file where the folder should be", "utf-8")
    with pytest.raises(AccessRefused, match="nothing is handed over"):
        AccessLog(tmp_path).write(HOLDER, "export", "OK")


def test_two_who_write_at_once_make_one_chain(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: AccessLog(tmp_path).write(HOLDER, "export", "OK", n2=n), range(40)))
    assert AccessLog(tmp_path).verify().entries == 40
