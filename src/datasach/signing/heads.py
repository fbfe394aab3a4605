"""Heads: one small file per night that pins what was published, each naming the one before.

    heads/<night>.json     sequence, manifest digest, counts, digest of the head before, signature

Whoever edits a manifest, replaces a night, takes one out or puts one in breaks a link. Whoever also rewrites every
later head must forge their signatures. Whoever cuts off the end leaves an intact shorter chain: only a head that
somebody else keeps shows that (`datasach head --export`), so a copy belongs to a second custodian every night.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from datasach import __version__
from datasach.errors import SpecError, WarehouseDamaged
from datasach.store.landing import sha256_of
from datasach.store.layout import Layout, fsync_folder

KIND, FORMAT = "datasach head", 1
Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """A head as it lies on disk."""

    name: str
    data: bytes
    facts: Facts

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def sequence(self) -> int:
        return int(self.facts["sequence"])


def read_head(path: Path) -> Head:
    """Raises WarehouseDamaged if the file is no head."""
    data = path.read_bytes()
    try:
        facts = json.loads(data)
        if facts["kind"] != KIND or not isinstance(facts["sequence"], int):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WarehouseDamaged(f"{path} is not a head") from None
    return Head(path.stem, data, facts)


def heads_of(layout: Layout) -> list[Head]:
    """Every head of a warehouse, by sequence."""
    paths = sorted(layout.heads.glob("[0-9]*.json")) if layout.heads.is_dir() else []
    return sorted((read_head(path) for path in paths), key=lambda head: head.sequence)


# -- writing ---------------------------------------------------------------------------------------


def write_head(
    layout: Layout, night: str, snapshot: str, counts: Facts, key_file: Path | None
) -> Head:
    """The head of a night that was just published; the one that is there if it says the same.

    Snapshots that a crash left without a head get theirs first, without counts and marked `recovered`: a head can
    be made at any time after its manifest, so publishing need not wait for it.
    Raises SpecError if the key cannot be used.
    """
    key = load_key(key_file) if key_file is not None else None
    heads = heads_of(layout)
    known = {head.facts["snapshot"] for head in heads} | {snapshot}
    for manifest in sorted(layout.published.glob("[0-9]*/manifest.json"), key=_by_age):
        if manifest.parent.name not in known:
            missed = json.loads(manifest.read_text("utf-8"))["night"]
            heads.append(_append(layout, heads, missed, manifest.parent.name, None, key))
    last = heads[-1].facts if heads else {}
    manifest_sha256 = sha256_of(layout.published / snapshot / "manifest.json")
    said = (night, snapshot, manifest_sha256, counts)
    if said == tuple(last.get(n) for n in ("night", "snapshot", "manifest_sha256", "counts")):
        return heads[-1]
    return _append(layout, heads, night, snapshot, counts, key)


def _by_age(manifest: Path) -> tuple[str, int]:
    night, _, revision = manifest.parent.name.partition(".r")
    return night, int(revision) if revision.isdigit() else 1


def _append(
    layout: Layout, heads: list[Head], night: str, snapshot: str, counts: Facts | None,
    key: Ed25519PrivateKey | None,
) -> Head:  # fmt: skip
    facts: Facts = {
        "kind": KIND,
        "format": FORMAT,
        "sequence": heads[-1].sequence + 1 if heads else 1,
        "night": night,
        "snapshot": snapshot,
        "manifest_sha256": sha256_of(layout.published / snapshot / "manifest.json"),
        "counts": counts,
        "recovered": counts is None,
        "previous": heads[-1].digest if heads else None,
        "engine": __version__,
        "key": _public_text(key.public_key()) if key else None,
    }
    if key is not None:
        facts["signature"] = base64.b64encode(key.sign(_signed_bytes(facts))).decode("ascii")
    taken = {head.name for head in heads}
    name, revision = night, 1
    while name in taken:
        revision += 1
        name = f"{night}.r{revision}"
    data = json.dumps(facts, ensure_ascii=False, indent=1, sort_keys=True).encode()
    layout.heads.mkdir(exist_ok=True)
    side = layout.heads / f".{name}.part"
    with side.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    side.replace(layout.heads / f"{name}.json")
    fsync_folder(layout.heads)
    return Head(name, data, facts)


def _signed_bytes(facts: Facts) -> bytes:
    """What is signed: every other field, as JSON with sorted keys and no blanks."""
    rest = {name: value for name, value in facts.items() if name != "signature"}
    return json.dumps(rest, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


# -- keys ------------------------------------------------------------------------------------------


def _public_text(key: Ed25519PublicKey) -> str:
    return base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode("ascii")


def load_key(path: Path) -> Ed25519PrivateKey:
    """The key that signs heads. Raises SpecError if it is not one, or others can read it."""
    try:
        mode = path.stat().st_mode
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        raise SpecError(f"{path} is no readable private key (PEM, without a password)") from None
    if mode & 0o077:
        raise SpecError(f"{path} can be read by others: chmod 600 {path}")
    if not isinstance(key, Ed25519PrivateKey):
        raise SpecError(f"{path} is not an Ed25519 key: make one with datasach head --new-key FILE")
    return key


def new_key(path: Path) -> Path:
    """Write a fresh private key, for its owner's eyes only, and beside it the public one; returns the latter.

    Raises SpecError if a file is there already: a key that signed anything must not vanish.
    """
    public = path.with_name(path.name + ".pub")
    if path.exists() or public.exists():
        raise SpecError(f"{path} is there already")
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(pem)
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return public


def public_key(path: Path) -> str:
    """A public key file as heads name it. Raises SpecError if it is none."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError):
        raise SpecError(f"{path} is no public key (PEM)") from None
    if not isinstance(key, Ed25519PublicKey):
        raise SpecError(f"{path} is not an Ed25519 key")
    return _public_text(key)


# -- checking --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chain:
    """What checking a warehouse's heads came to."""

    heads: list[Head]
    problems: list[str]
    notes: list[str]
    """What could not be checked, or need not be believed: told, and no failure."""


def check_chain(layout: Layout, kept: Sequence[Head] = (), keys: Sequence[str] = ()) -> Chain:
    """Check every head against the one before, the manifest it pins, the heads somebody else `kept`, and the
    public `keys` that may sign."""
    heads = heads_of(layout)
    problems, notes = _links(heads), []
    for one in kept:
        problems += _against_kept(heads, one)
    more_problems, more_notes = _signatures(heads, keys)
    problems += more_problems
    notes += more_notes
    more_problems, more_notes = _manifests(layout, heads)
    problems += more_problems
    notes += more_notes
    if not kept:
        notes.append("no head from a second custodian was given: a cut tail would not show")
    return Chain(heads, problems, notes)


def _links(heads: list[Head]) -> list[str]:
    if not heads:
        return ["there is no head"]
    problems = []
    if heads[0].sequence != 1 or heads[0].facts["previous"] is not None:
        problems.append(f"{heads[0].name}: the chain does not begin here, heads before it are gone")
    for before, head in zip(heads, heads[1:], strict=False):
        if head.sequence != before.sequence + 1:
            problems.append(f"{head.name}: number {head.sequence} follows {before.sequence}")
        elif head.facts["previous"] != before.digest:
            problems.append(
                f"{head.name}: the head before it ({before.name}) is not the one it names"
            )
    return problems


def _against_kept(heads: list[Head], kept: Head) -> list[str]:
    here = {head.sequence: head for head in heads}
    found = here.get(kept.sequence)
    if found is None:
        last = max(here, default=0)
        told = "the tail was cut" if kept.sequence > last else "it was taken out"
        return [f"{kept.facts['night']}: number {kept.sequence} that was kept is not here: {told}"]
    if found.digest != kept.digest:
        return [
            f"{found.name}: number {kept.sequence} is not the one that was kept: the night was replaced"
        ]
    return []


def _signatures(heads: list[Head], keys: Sequence[str]) -> tuple[list[str], list[str]]:
    problems, notes = [], []
    allowed = set(keys)
    unsigned = [head.name for head in heads if not head.facts.get("signature")]
    signed = [head for head in heads if head.facts.get("signature")]
    for head in signed:
        if not _is_signed_well(head):
            problems.append(f"{head.name}: its signature does not hold")
        elif allowed and head.facts["key"] not in allowed:
            problems.append(f"{head.name}: signed with a key that was not given")
    if allowed:
        problems += [f"{name}: not signed" for name in unsigned]
    elif unsigned:
        first = signed[0].sequence if signed else None
        late = [h.name for h in heads if h.name in unsigned and first and h.sequence > first]
        problems += [f"{name}: not signed, though heads before it are" for name in late]
        notes.append(f"{len(unsigned)} of {len(heads)} heads are not signed")
    if signed and not allowed:
        notes.append("the key that signed is the one the heads name; give yours to be sure")
        if len({head.facts["key"] for head in signed}) > 1:
            problems.append("heads are signed with more than one key: give each that is yours")
    return problems, notes


def _is_signed_well(head: Head) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(head.facts["key"]))
        key.verify(base64.b64decode(head.facts["signature"]), _signed_bytes(head.facts))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _manifests(layout: Layout, heads: list[Head]) -> tuple[list[str], list[str]]:
    problems, notes = [], []
    gone = set()
    for head in heads:
        path = layout.published / head.facts["snapshot"] / "manifest.json"
        if not path.is_file():
            gone.add(head.facts["snapshot"])
        elif sha256_of(path) != head.facts["manifest_sha256"]:
            problems.append(f"{head.name}: the manifest of {head.facts['snapshot']} was changed")
    known = {head.facts["snapshot"] for head in heads}
    for manifest in sorted(layout.published.glob("[0-9]*/manifest.json"), key=_by_age):
        if manifest.parent.name not in known:
            problems.append(
                f"{manifest.parent.name}: published without a head: run the night again"
            )
    latest = layout.published / "latest"
    shown = latest.readlink().name if latest.is_symlink() else None
    if heads and shown not in (None, heads[-1].facts["snapshot"]):
        problems.append(
            f"latest points to {shown}, the last head says {heads[-1].facts['snapshot']}"
        )
    if heads and heads[-1].facts["snapshot"] in gone:
        problems.append(f"{heads[-1].name}: its snapshot is gone")
        gone.discard(heads[-1].facts["snapshot"])
    if gone:
        notes.append(f"{len(gone)} older snapshots are no longer kept; their heads are")
    return problems, notes
