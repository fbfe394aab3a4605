"""The contents of a backup: each stored once, plain or sealed.

    plain    objects/ab/abcdef…   named by the SHA-256 of the content
    sealed   objects/ab/abcdef…   named by an HMAC of that SHA-256, so a name tells nothing of what it names; encrypted
             sealed               id of the key, so that a wrong one is told before it is used

Sealing is AES-256-GCM in blocks of a megabyte, under a key of the content's own; the place of a block is its nonce and the
last block is empty, so blocks that are swapped, repeated or cut off do not open. All keys are derived (HKDF-SHA256) from one
secret of the vault, which is never in the backup: a lost medium tells how much was saved and when, and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO

from datasach.errors import DatasachError, WarehouseDamaged
from datasach.store.layout import fsync_file, fsync_folder

BLOCK = 1 << 20
SALT = 32
LENGTH = 4
TAG = 16
SEALED = "sealed"


class Contents:
    """Contents below `target`; sealed if a `secret` is given.

    Raises DatasachError if the folder is sealed and the secret is missing or another, or holds plain contents already.
    """

    def __init__(self, target: Path, secret: bytes | None = None) -> None:
        self.target = target
        self._names = self._blocks = b""
        mark = target / SEALED
        if secret is None:
            if mark.exists():
                raise DatasachError(
                    f"{target} is sealed: name the vault whose backup.key opens it (--vault)"
                )
            return
        self._names, self._blocks = _derived(secret, b"names"), _derived(secret, b"blocks")
        key_id = _derived(secret, b"id").hex()[:16]
        if mark.exists():
            if mark.read_text("ascii").strip() != key_id:
                raise DatasachError(f"{target} was sealed with another key than backup.key")
        elif any((target / "manifests").glob("*")):
            raise DatasachError(
                f"{target} holds plain backups: a sealed one needs a folder of its own"
            )
        elif target.exists():
            mark.write_text(f"{key_id}\n", "ascii")
            fsync_file(mark)

    @property
    def is_sealed(self) -> bool:
        return bool(self._blocks)

    def home(self, sha256: str) -> Path:
        """Where a content stands, if it does."""
        name = sha256
        if self.is_sealed:
            name = hmac.new(self._names, sha256.encode("ascii"), hashlib.sha256).hexdigest()
        return self.target / "objects" / name[:2] / name

    def put(self, path: Path) -> tuple[str, int]:
        """Store what a file holds; its SHA-256, and how many bytes were new."""
        side = self.target / f".{os.getpid()}.part"
        digest = hashlib.sha256()

        def chunks() -> Iterator[bytes]:
            with path.open("rb") as source:
                while chunk := source.read(BLOCK):
                    digest.update(chunk)
                    yield chunk

        with side.open("wb") as copy:
            for chunk in _sealed(chunks(), self._blocks) if self.is_sealed else chunks():
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        home = self.home(digest.hexdigest())
        if home.exists():
            side.unlink()
            return digest.hexdigest(), 0
        size = side.stat().st_size
        home.parent.mkdir(parents=True, exist_ok=True)
        side.chmod(0o400)
        side.replace(home)
        fsync_folder(home.parent)
        return digest.hexdigest(), size

    def fetch(self, sha256: str, path: Path) -> str | None:
        """Write a content to `path` and say what is wrong with it, or None."""
        home = self.home(sha256)
        if not home.is_file():
            return "its content is missing"
        try:
            found = self._digest(home, path)
        except WarehouseDamaged:
            return "its content is altered"
        return None if found == sha256 else "its content is altered"

    def is_whole(self, home: Path) -> bool:
        """Whether what stands there is what its name says; a backup that died may have left what no manifest names."""
        try:
            return self.home(self._digest(home)) == home
        except WarehouseDamaged:
            return False

    def _digest(self, home: Path, path: Path | None = None) -> str:
        """SHA-256 of a content, which is written to `path` on the way. Raises WarehouseDamaged if it does not open."""
        digest = hashlib.sha256()
        with home.open("rb") as saved, (path or Path(os.devnull)).open("wb") as copy:
            for chunk in self._opened(saved):
                digest.update(chunk)
                copy.write(chunk)
            if path is not None:
                copy.flush()
                os.fsync(copy.fileno())
        return digest.hexdigest()

    def text(self, sha256: str) -> str:
        """A content as text; "" if it is missing or altered."""
        home = self.home(sha256)
        if not home.is_file():
            return ""
        with home.open("rb") as saved:
            try:
                return b"".join(self._opened(saved)).decode("utf-8")
            except WarehouseDamaged:
                return ""

    def seal_text(self, text: str) -> bytes:
        """What a manifest is written as."""
        plain = text.encode("utf-8", "surrogateescape")
        return b"".join(_sealed(iter([plain]), self._blocks)) if self.is_sealed else plain

    def open_text(self, path: Path) -> str:
        """Raises WarehouseDamaged if a sealed text was altered."""
        with path.open("rb") as saved:
            return b"".join(self._opened(saved)).decode("utf-8", "surrogateescape")

    def _opened(self, saved: BinaryIO) -> Iterator[bytes]:
        if self.is_sealed:
            yield from _unsealed(saved, self._blocks)
        else:
            while chunk := saved.read(BLOCK):
                yield chunk


def _derived(secret: bytes, purpose: bytes, salt: bytes | None = None) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, salt, b"datasach sealed backup " + purpose).derive(secret)


def _sealed(chunks: Iterator[bytes], key: bytes) -> Iterator[bytes]:
    """A salt that makes a key of this content's own; every chunk with its length before it; an empty one at the end."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt = os.urandom(SALT)
    cipher = AESGCM(_derived(key, b"content", salt))
    yield salt
    for place, chunk in enumerate(chain(filter(None, chunks), [b""])):
        block = cipher.encrypt(place.to_bytes(12, "big"), chunk, None)
        yield len(block).to_bytes(LENGTH, "big") + block


def _unsealed(saved: BinaryIO, key: bytes) -> Iterator[bytes]:
    """Raises WarehouseDamaged at the first block that is not as it was sealed, or if the last one is not the end."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    cipher = AESGCM(_derived(key, b"content", saved.read(SALT)))
    for place in count():
        length = int.from_bytes(saved.read(LENGTH), "big")
        block = saved.read(length) if TAG <= length <= TAG + BLOCK else b""
        try:
            chunk = cipher.decrypt(place.to_bytes(12, "big"), block, None)
        except (InvalidTag, ValueError):
            raise WarehouseDamaged("a sealed content is not as it was written") from None
        if not chunk:
            if saved.read(1):
                raise WarehouseDamaged("a sealed content goes on behind its end")
            return
        yield chunk
