"""What was published is still that: rot is found, a backup comes back whole, nothing is kept too long or too short."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from datasach.errors import DatasachError, WarehouseBusy, WarehouseDamaged
from datasach.keep.backup import backup, backups, check_backup, restore
from datasach.keep.contents import Contents
from datasach.keep.golden import golden_answers
from datasach.keep.retain import classes_of_care, due, retain, take
from datasach.keep.scrub import scrub
from datasach.runners.local import run_night
from datasach.spec.access import load_access
from datasach.spec.project import Project
from datasach.store.layout import Layout, only_run
from datasach.store.tombstones import buried, bury
from tests.conftest import NIGHTS, Invented

Copy = Callable[[Path], Path]


def flips(out: Path, number: int) -> None:
    """One byte at a time: exactly that file is found, and nothing once the byte is put back."""
    chance = random.Random(number)
    files = sorted(p for p in (out / "published").rglob("*") if p.is_file() and not p.is_symlink())
    assert scrub(out).damaged == ()
    for _ in range(number):
        path = chance.choice(files)
        good = path.read_bytes()
        at = chance.randrange(len(good))
        path.write_bytes(good[:at] + bytes([good[at] ^ chance.randrange(1, 256)]) + good[at + 1 :])
        found = scrub(out).damaged
        assert [one.path for one in found] == [path], (path, at)
        path.write_bytes(good)
    assert scrub(out).damaged == ()


def test_every_flipped_byte_is_found_and_none_falsely(
    three_nights: Invented, copy_of: Copy
) -> None:
    flips(copy_of(three_nights.out), 20)


@pytest.mark.long
def test_two_hundred_flipped_bytes_are_all_found(three_nights: Invented, copy_of: Copy) -> None:
    flips(copy_of(three_nights.out), 200)


def test_a_missing_and_an_added_file_are_found(three_nights: Invented, copy_of: Copy) -> None:
    out = copy_of(three_nights.out)
    (out / "published/2026-03-03/kcb_emr/visit.parquet").unlink()
    (out / "published/2026-03-03/kcb_emr/extra.parquet").touch()
    assert sorted(one.kind for one in scrub(out).damaged) == ["missing", "unknown"]


@pytest.fixture(scope="module")
def saved(three_nights: Invented, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("backup") / "b"
    backup(three_nights.out, to)
    return to


def test_a_restored_warehouse_answers_as_the_saved_one(
    three_nights: Invented, saved: Path, tmp_path: Path
) -> None:
    restored = tmp_path / "restored"
    _, checked = restore(saved, restored)
    asked = golden_answers(three_nights.out)
    assert golden_answers(restored) == asked
    assert len(asked) == 20 and "none" not in asked.values()
    assert checked.damaged == [] and scrub(restored).damaged == ()


@pytest.mark.long
def test_a_restored_warehouse_runs_on(
    project: Project, three_nights: Invented, saved: Path, tmp_path: Path
) -> None:
    restored = tmp_path / "restored"
    restore(saved, restored)
    again = run_night(project, three_nights.inbox, restored, NIGHTS[-1])
    assert (again.is_new, again.found["arrive"]["new_files"]) == (False, 0)


@pytest.mark.long
def test_a_second_backup_copies_only_what_is_new(
    three_nights: Invented, copy_of: Copy, tmp_path: Path
) -> None:
    out = copy_of(three_nights.out)
    first = backup(out, tmp_path / "b")
    (out / "runs/note.json").write_text("{}", "utf-8")
    second = backup(out, tmp_path / "b")
    assert first.new_files > 100
    assert (second.files, second.new_files, second.new_bytes) == (first.files + 1, 1, 2)
    assert check_backup(tmp_path / "b").damaged == []
    name, _ = restore(tmp_path / "b", tmp_path / "older", backups(tmp_path / "b")[0])
    assert not (tmp_path / "older/runs/note.json").exists()


def test_a_damaged_backup_is_found_and_not_restored(saved: Path, tmp_path: Path) -> None:
    copy = tmp_path / "b"
    shutil.copytree(saved, copy)
    contents = sorted(
        (p for p in (copy / "objects").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size
    )
    altered, missing = contents[-1], contents[-2]
    data = bytearray(altered.read_bytes())
    data[100] ^= 4
    altered.chmod(0o600)
    altered.write_bytes(data)
    missing.unlink()
    assert len(check_backup(copy).damaged) >= 2
    with pytest.raises(WarehouseDamaged, match="cannot be restored") as caught:
        restore(copy, tmp_path / "to")
    assert "altered" in str(caught.value) and "missing" in str(caught.value)
    assert not (tmp_path / "to").exists()


def test_a_manifest_that_was_changed_is_refused(saved: Path, tmp_path: Path) -> None:
    copy = tmp_path / "b"
    shutil.copytree(saved, copy)
    path = next((copy / "manifests").glob("*.json"))
    path.chmod(0o600)
    manifest = json.loads(path.read_text("utf-8"))
    manifest["files"]["../outside"] = {"link": "/etc/passwd"}
    path.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(WarehouseDamaged, match="not as it was written"):
        restore(copy, tmp_path / "to")


def test_no_backup_while_a_night_runs_nor_restore_over_something(
    three_nights: Invented, saved: Path, copy_of: Copy, tmp_path: Path
) -> None:
    out = copy_of(three_nights.out)
    with only_run(Layout(out)), pytest.raises(WarehouseBusy):
        backup(out, tmp_path / "b2")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a").touch()
    with pytest.raises(DatasachError, match="not empty"):
        restore(saved, tmp_path / "full")


def test_a_sealed_backup_tells_nothing_and_comes_back_whole(
    three_nights: Invented, tmp_path: Path
) -> None:
    secret, to = bytes(range(32)), tmp_path / "sealed"
    first = backup(three_nights.out, to, secret)
    again = backup(three_nights.out, to, secret)
    assert (again.new_files, again.files) == (0, first.files), "nothing twice"
    _, checked = restore(to, tmp_path / "back", secret=secret)
    assert checked.damaged == [] == check_backup(to, secret).damaged
    assert golden_answers(tmp_path / "back") == golden_answers(three_nights.out)
    contents = [p.read_bytes() for p in to.rglob("*") if p.is_file()]
    # Four bytes stand somewhere in so much noise by chance; at a file's head or foot they would mean what they say.
    assert not any(c.startswith(b"PAR1") or c.endswith(b"PAR1") for c in contents)
    plain = three_nights.out / "published/latest/kcb_emr/visit.parquet"
    for word in (b"SQLite format", b"kcb_emr.visit", plain.read_bytes()[100:200]):
        assert not any(word in c for c in contents)
    names = {p.name for p in (to / "objects").rglob("*")}
    assert hashlib.sha256(plain.read_bytes()).hexdigest() not in names


def test_a_sealed_backup_opens_with_its_key_only(three_nights: Invented, tmp_path: Path) -> None:
    to = tmp_path / "sealed"
    backup(three_nights.out, to, b"a" * 32)
    for secret in (None, b"b" * 32):
        with pytest.raises(DatasachError, match=r"sealed"):
            restore(to, tmp_path / "back", secret=secret)
        with pytest.raises(DatasachError, match=r"sealed"):
            backup(three_nights.out, to, secret)


@pytest.mark.parametrize("secret", [None, b"k" * 32], ids=["plain", "sealed"])
def test_a_damaged_content_that_no_manifest_names_is_found_too(
    tmp_path: Path, secret: bytes | None
) -> None:
    """A backup that died before its manifest leaves such; the next one would take it for what its name says."""
    to, file = tmp_path / "b", tmp_path / "file"
    to.mkdir()
    file.write_bytes(b"x" * 1000)
    contents = Contents(to, secret)
    home = contents.home(contents.put(file)[0])
    assert check_backup(to, secret).damaged == []
    home.chmod(0o600)
    home.write_bytes(home.read_bytes()[:-1] + b"?")
    assert [line.startswith("objects/") for line in check_backup(to, secret).damaged] == [True]


@pytest.mark.parametrize("change", ["flip", "cut", "swap", "again"])
def test_a_sealed_content_that_was_touched_does_not_open(tmp_path: Path, change: str) -> None:
    """One bit; the last block gone; two blocks exchanged; one block twice."""
    to, plain = tmp_path / "b", tmp_path / "plain"
    to.mkdir()
    contents = Contents(to, b"k" * 32)
    plain.write_bytes(random.Random(1).randbytes(3 << 20))
    sha256, _ = contents.put(plain)
    assert contents.fetch(sha256, tmp_path / "back") is None
    assert (tmp_path / "back").read_bytes() == plain.read_bytes()
    home = contents.home(sha256)
    sealed, size = home.read_bytes(), 4 + (1 << 20) + 16
    salt, blocks = sealed[:32], [sealed[32 + i * size : 32 + (i + 1) * size] for i in range(4)]
    touched = {
        "flip": salt + blocks[0] + blocks[1][:99] + bytes([blocks[1][99] ^ 1]) + blocks[1][100:] + b"".join(blocks[2:]),
        "cut": salt + b"".join(blocks[:3]),
        "swap": salt + blocks[1] + blocks[0] + blocks[2] + blocks[3],
        "again": salt + blocks[0] + b"".join(blocks),
    }[change]  # fmt: skip
    home.chmod(0o600)
    home.write_bytes(touched)
    assert contents.fetch(sha256, tmp_path / "back") == "its content is altered"


def test_what_was_forgotten_after_a_backup_stays_forgotten(
    three_nights: Invented, copy_of: Copy, tmp_path: Path
) -> None:
    out = copy_of(three_nights.out)
    backup(out, tmp_path / "b")
    bury(out, "person", subject="s", citizen="c")
    backup(out, tmp_path / "b")
    restore(tmp_path / "b", tmp_path / "older", backups(tmp_path / "b")[0])
    assert [stone["subject"] for stone in buried(tmp_path / "older", "person")] == ["s"]


# -- retention -------------------------------------------------------------------------------------


def test_an_original_is_kept_as_long_as_its_longest_record(
    project: Project, three_nights: Invented
) -> None:
    retention = load_access(project).retention
    layout = Layout(three_nights.out)
    cares = classes_of_care(layout, project, retention)
    assert {"ordinary", "accident", "death"} <= set(cares.values())

    def originals(years: float) -> dict[str | None, int]:
        today = NIGHTS[-1] + timedelta(days=int(years * 366))
        found = [one for one in due(project, three_nights.out, today) if one.kind == "originals"]
        return {
            care: sum(one.care == care for one in found) for care in {one.care for one in found}
        }

    assert originals(9) == {}
    ten, twenty, thirty = originals(11), originals(21), originals(31)
    assert set(ten) == {"ordinary"}
    assert {"ordinary", "accident"} <= set(twenty) and "death" not in twenty
    landed = sum(path.is_file() for path in layout.landing.rglob("*"))
    assert sum(thirty.values()) == landed and thirty["death"] > 0


def test_nothing_is_deleted_until_told_and_each_thing_leaves_a_tombstone(
    project: Project, three_nights: Invented, copy_of: Copy
) -> None:
    out = copy_of(three_nights.out)
    today = NIGHTS[0] + timedelta(days=366 * 11)
    before = {path for path in out.rglob("*") if path.is_file()}
    text = retain(project, out, do=False, today=today)
    assert "nothing deleted" in text and {p for p in out.rglob("*") if p.is_file()} == before
    found = due(project, out, today)
    take(project, out, found[:3])  # killed here
    take(project, out, found)
    assert due(project, out, today) == []
    stones = buried(out)
    assert [stone["name"] for stone in stones] == [one.name for one in found], "each once"
    assert all(stone["basis"] and stone["due"] for stone in stones)
    assert (out / "published/latest/manifest.json").exists() and scrub(out).damaged == ()


def test_snapshots_thin_out_with_age(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    layout = Layout(out)
    nights = [date(2025, 1, 1) + timedelta(days=n) for n in range(500)]
    for night in nights:
        (layout.published / night.isoformat()).mkdir()
    (layout.published / f"{nights[-1].isoformat()}.r2").mkdir()
    (layout.published / "latest").symlink_to(f"{nights[-1].isoformat()}.r2")
    gone = {
        one.name.split("/")[1] for one in due(project, out, nights[-1]) if one.kind == "snapshots"
    }
    kept = sorted({p.name for p in layout.published.iterdir() if not p.is_symlink()} - gone)
    assert f"{nights[-1].isoformat()}.r2" in kept and nights[-1].isoformat() in gone
    assert {n.isoformat() for n in nights[-7:-1]} <= set(kept)
    assert len({name[:7] for name in kept}) == 12
    assert len(kept) <= 7 + 4 + 12
