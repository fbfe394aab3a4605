"""The vault: keys and role holders, in a folder outside the project and outside every warehouse.

    actors.yaml          who holds which role, where and until when, proved by an account of this system
    <purpose>.key        pseudonyms of one purpose; a different key makes another, unlinkable set
    log.key, erased.key  subjects named in the access log; people whom the general zone has forgotten

A backup of the warehouse does not hold it, so neither does whoever finds one.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import secrets
import stat
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from datasach import settings
from datasach.errors import AccessRefused, SpecError
from datasach.spec.access import Access, Actor, Actors, Role
from datasach.spec.load import Problems, build, read_yaml

KEY_BYTES = 32
LOG_KEY = "log"
ERASED_KEY = "erased"
ACTORS = "actors.yaml"


@dataclass(frozen=True, slots=True)
class Key:
    name: str
    secret: bytes

    @property
    def id(self) -> str:
        """Names the key without telling anything of it; stands in manifests, so that a rotation shows."""
        return hashlib.sha256(b"datasach key id" + self.secret).hexdigest()[:8]

    def __repr__(self) -> str:
        return f"Key({self.name}, {self.id})"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who is asking: an actor whose account was proved by the operating system, in a role he holds today."""

    actor: str
    account: str
    role: Role
    territory: str | None


class Vault:
    """Raises AccessRefused if the folder is missing, open to others, or inside the warehouse `outside`."""

    def __init__(self, folder: Path | None, outside: Path) -> None:
        if folder is None:
            raise AccessRefused(
                "no vault: name the folder of keys and actors by --vault or DATASACH_VAULT"
            )
        self.folder = folder.resolve()
        if not self.folder.is_dir():
            raise AccessRefused(f"no vault at {self.folder}; make one with `datasach vault`")
        if self.folder.is_relative_to(outside.resolve()):
            raise AccessRefused("the vault lies inside the warehouse: whoever copies one has both")
        for path in (self.folder, *self.folder.iterdir()):
            if is_open(path):
                raise AccessRefused(f"{path} may be read or written by others: chmod go= {path}")

    def key(self, name: str) -> Key:
        path = self.folder / f"{name}.key"
        try:
            secret = bytes.fromhex(path.read_text("ascii").strip())
        except OSError:
            raise AccessRefused(
                f"the vault has no {name}.key; make it with `datasach vault {name}`"
            ) from None
        except ValueError:
            secret = b""
        if len(secret) < KEY_BYTES:
            raise AccessRefused(f"{path} is no key of {KEY_BYTES} bytes in hex")
        return Key(name, secret)

    def holder(self, access: Access, actor: str | None = None, on: date | None = None) -> Holder:
        """The role the account of this process holds (as `actor`, where it may act for several).

        Raises AccessRefused if it holds none today; SpecError if actors.yaml is wrong.
        """
        account = this_account()
        mine = [
            one
            for one in self._actors(access)
            if one.account == account and actor in (None, one.actor)
        ]
        today = on or settings.today()
        held = [one for one in mine if today <= one.until]
        if not held:
            ended = " any more" if mine else ""
            raise AccessRefused(f"account {account} holds no role{ended} as {actor or 'anybody'}")
        if len(held) > 1:
            names = ", ".join(one.actor for one in held)
            raise AccessRefused(f"account {account} acts for {names}: say which by --as")
        one = held[0]
        return Holder(one.actor, account, access.roles[one.role], one.territory)

    def _actors(self, access: Access) -> list[Actor]:
        path = self.folder / ACTORS
        if not path.is_file():
            raise AccessRefused(f"the vault has no {ACTORS}: nobody holds a role")
        problems = Problems(self.folder)
        document = read_yaml(path, problems)
        found = build(Actors, document, problems) if document else None
        for index, one in enumerate(found.actors if found else ()):
            assert document is not None
            line = document.line(("actors", index))
            if one.role not in access.roles:
                problems.add(path, line, f'no role "{one.role}"')
            elif (access.roles[one.role].territory == "all") == (one.territory is not None):
                problems.add(path, line, f"{one.actor}: role {one.role} and its territory differ")
            elif one.territory and not _TERRITORY[access.roles[one.role].territory].fullmatch(
                one.territory
            ):
                problems.add(path, line, f'{one.actor}: "{one.territory}" is no such territory')
        problems.raise_if_any()
        if found is None:
            raise SpecError(f"{path} cannot be read")
        return found.actors


_TERRITORY = {"province": re.compile("[0-9]{2}"), "facility": re.compile("[0-9A-Z]{5}")}


def this_account() -> str:
    """Account this process runs under; cannot be chosen by an option or the environment."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid-{number}"


def is_open(path: Path) -> bool:
    """May anybody but the owner read or write it?"""
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def new_key(folder: Path, name: str) -> Key:
    """Make `<folder>/<name>.key` (32 random bytes in hex, readable by its owner only) and the folder if need be.

    Raises AccessRefused if the key is there: pseudonyms made with it would never be found again.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise SpecError(f'"{name}" is no name of a key')
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{name}.key"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise AccessRefused(
            f"{path} exists; to change a key move the old one aside yourself"
        ) from None
    secret = secrets.token_bytes(KEY_BYTES)
    with os.fdopen(handle, "w") as file:
        file.write(secret.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return Key(name, secret)
