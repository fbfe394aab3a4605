"""Archives are read within limits, and nothing of them is believed."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from datasach.errors import UnreadableExtract
from datasach.extract import archives


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def read(tmp_path: Path, content: bytes) -> list[tuple[str | None, bytes]]:
    path = tmp_path / "landed"
    path.write_bytes(content)
    return list(archives.members(path, archives.kind_of(path)))


def test_a_zip_gives_its_members_and_a_gzip_its_content(tmp_path: Path) -> None:
    assert read(tmp_path, zipped(("a.xml", b"1"), ("b.xml", b"2"))) == [
        ("a.xml", b"1"),
        ("b.xml", b"2"),
    ]
    assert read(tmp_path, gzip.compress(b"3")) == [(None, b"3")]


def test_a_member_is_found_again_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "landed"
    path.write_bytes(zipped(("a.xml", b"1"), ("b.xml", b"2")))
    assert archives.content(path, "zip", "b.xml") == b"2"


HOSTILE = {
    "ARC_BOMB": zipped(("a.xml", b"0" * 30_000_000)),
    "ARC_NAME": zipped(("../evil.xml", b"1")),
    "ARC_DUP": zipped(("a.xml", b"1"), ("A.XML", b"2")),
    "ARC_EMPTY": zipped(),
    "ARC_CORRUPT": zipped(("a.xml", b"hello" * 100))[:-30],
}


@pytest.mark.parametrize("code", HOSTILE)
def test_hostile_zips_are_refused(tmp_path: Path, code: str) -> None:
    with pytest.raises(UnreadableExtract) as refused:
        read(tmp_path, HOSTILE[code])
    assert refused.value.code == code


def test_gzip_bombs_and_stumps_are_refused(tmp_path: Path) -> None:
    for content, code in (
        (gzip.compress(b"0" * 50_000_000), "ARC_BOMB"),
        (gzip.compress(b"1" * 99)[:-5], "ARC_CORRUPT"),
    ):
        with pytest.raises(UnreadableExtract) as refused:
            read(tmp_path, content)
        assert refused.value.code == code
