"""A poisonous file costs itself only: it gets its code and its receipt, and the file beside it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from datasach.extract.apart import At, Death, Readers
from datasach.extract.arrive import Batch, arrive, waiting
from datasach.extract.extract import BatchResult, FileResult, extract, refused
from datasach.settings import ReadLimits
from datasach.spec.project import Project
from datasach.store.layout import Layout
from datasach.store.ledger import Ledger
from tests.envelopes import envelope, simple_visit
from tests.fault.hostile import corpus

NIGHT = date(2026, 3, 2)
FINE = envelope([simple_visit()]).encode()


def codes_of(project: Project, inbox: Path, out: Path, limits: ReadLimits) -> dict[str, str | None]:
    """Name of every file offered → code it is refused with, None if it was read."""
    layout = Layout(out)
    ledger = Ledger(layout.ledger, "test")
    layout.scratch("x")
    arrive(project, layout, ledger, inbox, NIGHT, limits=limits, workers=2)
    found: dict[str, str | None] = {}
    with Readers(project, layout, limits, 2) as readers:
        for _, result in readers.read(extract, waiting(project, layout, ledger), refused):
            found |= {one.file: one.code for one in result.files}
    rows = ledger.rows(
        "SELECT o.path, o.code AS offered, f.file, f.code FROM offers o LEFT JOIN files f USING (offer)"
    )
    ledger.close()
    return {
        row["path"].split("/")[-1]: row["offered"] or row["code"] or found[row["file"]]
        for row in rows
    }


def test_every_kind_of_hostile_file_gets_its_code_and_the_others_are_read(
    project: Project, tmp_path: Path
) -> None:
    folder = tmp_path / "inbox/2026-03-02/79001"
    folder.mkdir(parents=True)
    expected: dict[str, tuple[str | None, ...]] = {}
    for number, (name, content, codes) in enumerate(corpus()):
        (folder / name).write_bytes(content)
        expected[name] = codes
        if number % 4 == 0:
            fine = envelope([simple_visit(MA_LK=f"T{number}")]).encode()
            (folder / f"DPDL_fine{number}.xml").write_bytes(fine)
            expected[f"DPDL_fine{number}.xml"] = (None,)
    found = codes_of(project, tmp_path / "inbox", tmp_path / "out", ReadLimits(memory_mb=768))
    wrong = {n: (found[n], codes) for n, codes in expected.items() if found[n] not in codes}
    assert wrong == {}


# -- what no file in the corpus does: processes that hang, run, eat and die ------------------------


def misbehave(project: Project, layout: Layout, batch: Batch, at: At) -> BatchResult:
    """A reader in the place of ours; what it does with a file stands in the file's name."""
    import os
    import signal
    import time

    results = []
    for index, ref in enumerate(batch.files):
        at(index)
        what = ref.member or ""
        if what == "hang":
            time.sleep(60)
        while what == "spin":
            pass
        if what == "eat":
            bytearray(4 * 2**30)
        if what == "segv":
            os.kill(os.getpid(), signal.SIGSEGV)
        if what == "bug":
            raise KeyError("never shown")
        if what == "write":
            (layout.state / "hog").write_bytes(b"\0" * (64 * 2**20))
        results.append(FileResult(ref.file))
    return BatchResult(batch.id, results, [])


@contextmanager
def readers(project: Project, tmp_path: Path) -> Iterator[Readers]:
    limits = ReadLimits(memory_mb=512, cpu_s=1, wall_s=5, written_mb=8)
    with Readers(project, Layout(tmp_path / "out"), limits, 2) as opened:
        yield opened


def batch(*what: str) -> Batch:
    from datasach.extract.arrive import FileRef

    return Batch(
        "b", "2026-03-02", "s",
        tuple(FileRef(f"{n:04d}", "0", Path("/"), "zip", w, "79001", "2026-03-02", 0) for n, w in enumerate(what)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("eat", "READ_TOO_LARGE"), ("write", "READ_TOO_LARGE"), ("hang", "READ_TIMEOUT"),
        ("spin", "READ_TIMEOUT"), ("segv", "READ_CRASHED"), ("bug", "READ_CRASHED"),
    ],
)  # fmt: skip
def test_a_process_that_dies_costs_the_file_it_was_at(
    project: Project, tmp_path: Path, what: str, code: str
) -> None:
    files = ["", "", what, "", ""]
    found: dict[str, Any] = {}
    with readers(project, tmp_path) as opened:
        for _, result in opened.read(misbehave, [batch(*files)], refused):
            found |= {one.file: one.code for one in result.files}
        assert opened.deaths >= 2, "once in company, once alone"
    assert found == {f"{n:04d}": code if n == 2 else None for n in range(5)}


def test_a_death_between_files_is_narrowed_down_by_halves(project: Project, tmp_path: Path) -> None:
    found: dict[str, Any] = {}
    with readers(project, tmp_path) as opened:
        for _, result in opened.read(dies_at_the_end, [batch("", "", "", "late", "", "")], refused):
            found |= {one.file: one.code for one in result.files}
    assert {file for file, code in found.items() if code} == {"0003"} and len(found) == 6


def dies_at_the_end(project: Project, layout: Layout, batch: Batch, at: At) -> BatchResult:
    import os

    at(len(batch))
    if any(ref.member == "late" for ref in batch.files):
        os.abort()
    return BatchResult(batch.id, [FileResult(ref.file) for ref in batch.files], [])


def test_a_process_killed_once_by_somebody_else_costs_nothing(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    with readers(project, tmp_path) as opened:
        (done,) = opened.read(killed_once, [batch("")], refused)
    assert [one.code for one in done[1].files] == [None]


def killed_once(project: Project, layout: Layout, batch: Batch, at: At) -> BatchResult:
    import os
    import signal

    at(0)
    marker = layout.state / "killed"
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return BatchResult(batch.id, [FileResult(batch.files[0].file)], [])


def test_a_refusal_names_its_file(project: Project) -> None:
    one = batch("x")
    (result,) = refused(one, Death("READ_CRASHED", "signal 11")).files
    assert (result.file, result.code) == ("0000", "READ_CRASHED")


def test_limits_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from datasach import settings

    monkeypatch.setenv("DATASACH_READ_MEMORY_MB", "99")
    assert settings.read_limits() == replace(ReadLimits(), memory_mb=99)
