"""The access log: who looked at what, why, decided how; written to disk before anything is handed over.

`access/log.jsonl`, one entry a line, each holding the hash of the one before. An edited, inserted,
removed or reordered entry breaks the chain at its place. A tail that was cut off leaves a whole chain
behind: that is found against a head kept elsewhere (`datasach access-log --head`, the nightly head).

Kept at least 24 months; NĐ 165/2025/NĐ-CP art. 17 asks 6 (medium confidence).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasach import settings
from datasach.errors import AccessRefused, WarehouseDamaged
from datasach.protect.vault import Holder
from datasach.store.layout import fsync_folder

FIRST = "0" * 64
Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: with it a cut tail is found."""

    entries: int
    hash: str

    def __str__(self) -> str:
        return f"{self.entries}:{self.hash}"

    @staticmethod
    def read(text: str) -> Head:
        """Raises WarehouseDamaged if the text is no head."""
        number, _, digest = text.strip().partition(":")
        if not number.isdigit() or len(digest) != 64:
            raise WarehouseDamaged("a head of the access log is written ENTRIES:SHA256")
        return Head(int(number), digest)


class AccessLog:
    def __init__(self, root: Path) -> None:
        """`root`: the warehouse folder."""
        self.path = root / "access" / "log.jsonl"

    def write(self, holder: Holder, verb: str, decision: str, **facts: Any) -> str:
        """Append one entry and bring it to the disk; returns the id of the request.

        Facts hold ids of purposes, tables, counts and pseudonyms, never a value of a person.
        Raises AccessRefused if it cannot be written: then nothing may be handed over.
        """
        request = facts.pop("request", None) or secrets.token_hex(8)
        entry = {
            "at": settings.now().isoformat(timespec="milliseconds"), "request": request,
            "actor": holder.actor, "account": holder.account, "role": holder.role.id,
            "territory": holder.territory, "verb": verb, "decision": decision, **facts,
        }  # fmt: skip
        try:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                self._append(handle, entry)
            finally:
                os.close(handle)
            fsync_folder(self.path.parent)
        except OSError as error:
            raise AccessRefused(
                f"the access log cannot be written ({error.strerror}): nothing is handed over"
            ) from None
        return request

    def _append(self, handle: int, entry: Entry) -> None:
        last, torn = _last(handle)
        sealed = {
            "n": last["n"] + 1 if last else 1,
            **entry,
            "prev": last["hash"] if last else FIRST,
        }
        sealed["hash"] = hash_of(sealed)
        # A torn line is what a crash left of an entry under which nothing was handed over. It stays.
        line = ("\n" if torn else "") + _text(sealed) + "\n"
        os.write(handle, line.encode())
        os.fsync(handle)

    def entries(self) -> Iterator[Entry]:
        """Every entry as it stands, oldest first; torn lines left out."""
        for _, entry in self._lines():
            if entry is not None:
                yield entry

    def _lines(self) -> Iterator[tuple[int, Entry | None]]:
        if not self.path.exists():
            return
        with self.path.open("r", encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                yield number, _entry(line)

    def verify(self, kept: Head | None = None) -> Head:
        """The head of a whole chain.

        Raises WarehouseDamaged, naming the line, if an entry was altered, removed, added or moved, or if
        the chain does not pass through the head `kept` (its tail was cut off, or all was written anew).
        """
        before, count = FIRST, 0
        passed = kept is None or (kept.entries == 0 and kept.hash == FIRST)
        for number, entry in self._lines():
            if entry is None:
                continue
            if (
                entry.get("n") != count + 1
                or entry.get("prev") != before
                or entry.get("hash") != hash_of(entry)
            ):
                raise WarehouseDamaged(
                    f"{self.path.name} line {number}: the chain is broken here (entry {count + 1} expected)"
                )
            before, count = str(entry["hash"]), count + 1
            passed = passed or (kept is not None and kept == Head(count, before))
        if not passed:
            assert kept is not None
            raise WarehouseDamaged(
                f"{self.path.name} has {count} entries and does not pass through the kept head of"
                f" {kept.entries}: its tail was cut off or it was written anew"
            )
        return Head(count, before)


def hash_of(entry: Entry) -> str:
    return hashlib.sha256(
        _text({k: v for k, v in entry.items() if k != "hash"}).encode()
    ).hexdigest()


def _text(entry: Entry) -> str:
    return json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _entry(line: str) -> Entry | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _last(handle: int) -> tuple[Entry | None, bool]:
    """The last whole entry, and whether something torn stands behind it; reads backward from the end."""
    size = os.lseek(handle, 0, os.SEEK_END)
    block = 1 << 16
    while size:
        start = max(0, size - block)
        data = os.pread(handle, size - start, start)
        lines = data.split(b"\n")
        whole = lines if start == 0 else lines[1:]
        for line in reversed(whole):
            entry = _entry(line.decode("utf-8", "replace"))
            if entry is not None:
                return entry, not data.endswith(b"\n")
        if start == 0:
            return None, not data.endswith(b"\n")
        block *= 4
    return None, False
