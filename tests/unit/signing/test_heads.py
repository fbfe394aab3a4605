"""A chain of nightly heads: whatever is changed behind it shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from datasach.errors import SpecError
from datasach.signing.heads import Chain, check_chain, heads_of, new_key, public_key, write_head
from datasach.store.layout import Layout, move_pointer

NIGHTS = ("2026-03-02", "2026-03-03", "2026-03-04")
COUNTS = {"files": {"PUBLISHED": 3}}


def publish(layout: Layout, night: str, content: str = "") -> None:
    folder = layout.published / night
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"night": night[:10], "content": content}))
    move_pointer(layout.published / "latest", night)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "head.key"
    new_key(path)
    return path


@pytest.fixture
def layout(tmp_path: Path, key: Path) -> Layout:
    """Three nights, signed."""
    layout = Layout(tmp_path / "out")
    for night in NIGHTS:
        publish(layout, night)
        write_head(layout, night, night, COUNTS, key)
    return layout


def checked(layout: Layout, key: Path, **how: object) -> Chain:
    return check_chain(layout, keys=[public_key(Path(f"{key}.pub"))], **how)  # type: ignore[arg-type]


def test_a_chain_as_written_is_whole(layout: Layout, key: Path) -> None:
    found = checked(layout, key, kept=[heads_of(layout)[-1]])
    assert found.problems == [] and found.notes == []
    assert [head.sequence for head in found.heads] == [1, 2, 3]


def test_writing_a_head_again_changes_nothing(layout: Layout, key: Path) -> None:
    before = {path.name: path.read_bytes() for path in layout.heads.iterdir()}
    write_head(layout, NIGHTS[-1], NIGHTS[-1], COUNTS, key)
    assert {path.name: path.read_bytes() for path in layout.heads.iterdir()} == before


def test_a_night_published_again_gets_a_further_head(layout: Layout, key: Path) -> None:
    publish(layout, "2026-03-04.r2", "corrected")
    head = write_head(layout, NIGHTS[-1], "2026-03-04.r2", COUNTS, key)
    assert (head.name, head.sequence) == ("2026-03-04.r2", 4)
    assert checked(layout, key).problems == []


def test_what_a_crash_left_without_a_head_gets_one(layout: Layout, key: Path) -> None:
    publish(layout, "2026-03-05")
    assert checked(layout, key).problems  # published without a head
    publish(layout, "2026-03-06")
    write_head(layout, "2026-03-06", "2026-03-06", COUNTS, key)
    found = checked(layout, key)
    assert found.problems == []
    assert [(h.name, h.facts["recovered"]) for h in found.heads[3:]] == [
        ("2026-03-05", True),
        ("2026-03-06", False),
    ]


def edit(path: Path, **changes: object) -> None:
    facts = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(facts | changes), "utf-8")


def relinked(layout: Layout) -> None:
    """Somebody without the key makes every link right again."""
    paths = [layout.heads / f"{head.name}.json" for head in heads_of(layout)]
    for before, path in zip(paths, paths[1:], strict=False):
        digest = next(h.digest for h in heads_of(layout) if h.name == before.stem)
        edit(path, previous=digest)


def replaced_night(layout: Layout) -> None:
    from datasach.store.landing import sha256_of

    manifest = layout.published / NIGHTS[1] / "manifest.json"
    manifest.write_text('{"night": "2026-03-03", "content": "forged"}')
    edit(layout.heads / f"{NIGHTS[1]}.json", manifest_sha256=sha256_of(manifest))
    relinked(layout)


def unsigned_tail(layout: Layout) -> None:
    edit(layout.heads / f"{NIGHTS[2]}.json", counts={}, signature=None, key=None)


TAMPERINGS: dict[str, Callable[[Layout], object]] = {
    "a manifest is edited": lambda x: (x.published / NIGHTS[0] / "manifest.json").write_text("{}"),
    "a head is edited": lambda x: edit(x.heads / f"{NIGHTS[1]}.json", counts={}),
    "a head is edited and the links mended": lambda x: (
        edit(x.heads / f"{NIGHTS[0]}.json", counts={}), relinked(x),
    ),
    "a night is replaced, links and all": replaced_night,
    "the first night is taken out": lambda x: (x.heads / f"{NIGHTS[0]}.json").unlink(),
    "a night in the middle is taken out": lambda x: (x.heads / f"{NIGHTS[1]}.json").unlink(),
    "the last head is taken out": lambda x: (x.heads / f"{NIGHTS[2]}.json").unlink(),
    "the last head is replaced by an unsigned one": unsigned_tail,
    "latest points to an older night": lambda x: move_pointer(x.published / "latest", NIGHTS[0]),
}  # fmt: skip


@pytest.mark.parametrize("case", TAMPERINGS)
def test_tampering_shows(case: str, layout: Layout, key: Path) -> None:
    TAMPERINGS[case](layout)
    assert checked(layout, key).problems


@pytest.mark.parametrize(
    "case", sorted(set(TAMPERINGS) - {"the last head is replaced by an unsigned one"})
)
def test_tampering_shows_without_the_public_key(case: str, layout: Layout) -> None:
    TAMPERINGS[case](layout)
    assert check_chain(layout).problems


def test_a_cut_tail_shows_only_against_what_another_kept(layout: Layout, key: Path) -> None:
    kept = heads_of(layout)[-1]
    (layout.heads / f"{NIGHTS[2]}.json").unlink()
    (layout.published / NIGHTS[2] / "manifest.json").unlink()
    move_pointer(layout.published / "latest", NIGHTS[1])
    alone = checked(layout, key)
    assert alone.problems == [] and any("cut tail" in note for note in alone.notes)
    assert any("tail was cut" in one for one in checked(layout, key, kept=[kept]).problems)


def test_whoever_has_the_key_is_caught_by_what_another_kept(layout: Layout, key: Path) -> None:
    """The chain written anew from the first night on, with the right key."""
    kept = heads_of(layout)[1]
    for path in layout.heads.iterdir():
        path.unlink()
    for night in NIGHTS:
        write_head(layout, night, night, {"files": {"PUBLISHED": 2}}, key)
    assert checked(layout, key).problems == []
    assert any("replaced" in one for one in checked(layout, key, kept=[kept]).problems)


def test_another_key_is_not_the_custodians(layout: Layout, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.key"
    new_key(stranger)
    assert len(checked(layout, stranger).problems) == 3


def test_without_a_key_heads_are_chained_and_said_to_be_unsigned(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "plain")
    for night in NIGHTS:
        publish(layout, night)
        write_head(layout, night, night, COUNTS, None)
    found = check_chain(layout)
    assert found.problems == [] and "3 of 3 heads are not signed" in found.notes
    edit(layout.heads / f"{NIGHTS[0]}.json", counts={})
    assert check_chain(layout).problems


def test_snapshots_no_longer_kept_are_told_and_no_failure(layout: Layout, key: Path) -> None:
    (layout.published / NIGHTS[0] / "manifest.json").unlink()
    found = checked(layout, key)
    assert found.problems == [] and any("no longer kept" in note for note in found.notes)


def test_a_key_others_can_read_is_refused(layout: Layout, key: Path) -> None:
    key.chmod(0o644)
    with pytest.raises(SpecError, match="chmod 600"):
        write_head(layout, NIGHTS[-1], NIGHTS[-1], {}, key)


def test_a_key_is_never_overwritten(key: Path) -> None:
    with pytest.raises(SpecError):
        new_key(key)
