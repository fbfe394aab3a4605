"""A vault whose actors are whoever runs the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from datasach.protect.vault import new_key, this_account
from datasach.spec.access import Access, load_access
from datasach.spec.project import Project

ACTORS = {
    "an.national": ("national", None), "an.province": ("province", "79"), "an.facility": ("facility", "79001"),
    "an.auditor": ("auditor", None), "an.analyst": ("analyst", None), "an.hiv": ("hiv_officer", None),
    "an.dpo": ("data_protection", None),
}  # fmt: skip


def make_vault(folder: Path, access: Access, until: str = "2099-01-01") -> Path:
    for name in (*access.purposes, "log", "erased"):
        new_key(folder, name)
    lines = ["actors:"]
    for actor, (role, territory) in ACTORS.items():
        place = f', territory: "{territory}"' if territory else ""
        lines.append(
            f'  - {{actor: {actor}, account: "{this_account()}", role: {role}, until: "{until}"{place}}}'
        )
    path = folder / "actors.yaml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    path.chmod(0o600)
    return folder


@pytest.fixture(scope="session")
def access(project: Project) -> Access:
    return load_access(project)


@pytest.fixture
def vault(tmp_path: Path, access: Access) -> Path:
    return make_vault(tmp_path / "vault", access)


Ask = Callable[..., object]
