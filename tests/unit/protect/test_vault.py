"""Who is asking is proved by the system, and keys that others can read are no keys."""

from __future__ import annotations

import hashlib
import hmac
from datetime import date
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasach.errors import AccessRefused, SpecError
from datasach.protect.pseudonyms import LENGTH, pseudonym, pseudonym_sql, use_key
from datasach.protect.vault import Key, Vault, new_key, this_account
from datasach.spec.access import Access

TODAY = date(2026, 3, 4)


def test_a_role_is_held_by_an_account_until_its_day(
    vault: Path, access: Access, tmp_path: Path
) -> None:
    opened = Vault(vault, tmp_path / "out")
    holder = opened.holder(access, "an.province", TODAY)
    assert (holder.role.id, holder.territory, holder.account) == ("province", "79", this_account())
    with pytest.raises(AccessRefused, match="holds no role any more"):
        opened.holder(access, "an.province", date(2100, 1, 1))
    with pytest.raises(AccessRefused, match="say which by --as"):
        opened.holder(access, None, TODAY)
    with pytest.raises(AccessRefused, match="holds no role as an.other"):
        opened.holder(access, "an.other", TODAY)


def test_an_actor_of_another_account_is_not_mine(
    vault: Path, access: Access, tmp_path: Path
) -> None:
    path = vault / "actors.yaml"
    path.write_text(path.read_text("utf-8").replace(f'"{this_account()}"', '"somebody"'), "utf-8")
    with pytest.raises(AccessRefused, match="holds no role"):
        Vault(vault, tmp_path / "out").holder(access, "an.national", TODAY)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{actor: a, account: x, role: nobody, until: "2030-01-01"}', 'no role "nobody"'),
        ('{actor: a, account: x, role: province, until: "2030-01-01"}', "its territory differ"),
        ('{actor: a, account: x, role: national, territory: "79", until: "2030-01-01"}', "its territory differ"),
        ('{actor: a, account: x, role: province, territory: "79\' OR 1", until: "2030-01-01"}', "no such territory"),
        ('{actor: a, account: x, role: province, territory: "79"}', "until"),
    ],
)  # fmt: skip
def test_a_wrong_line_of_actors_is_told_with_its_line(
    vault: Path, access: Access, tmp_path: Path, line: str, message: str
) -> None:
    (vault / "actors.yaml").write_text(f"actors:\n  - {line}\n", "utf-8")
    with pytest.raises(SpecError, match=f"actors.yaml:2.*{message}"):
        Vault(vault, tmp_path / "out").holder(access, None, TODAY)


def test_a_vault_open_to_others_or_inside_the_warehouse_is_none(
    vault: Path, tmp_path: Path
) -> None:
    with pytest.raises(AccessRefused, match="inside the warehouse"):
        Vault(vault, tmp_path)
    (vault / "log.key").chmod(0o640)
    with pytest.raises(AccessRefused, match=r"log\.key may be read or written by others"):
        Vault(vault, tmp_path / "out")
    with pytest.raises(AccessRefused, match="no vault"):
        Vault(None, tmp_path / "out")


def test_a_key_is_made_once_and_never_shown(tmp_path: Path) -> None:
    key = new_key(tmp_path / "v", "research")
    assert len(key.secret) == 32 and key.secret.hex() not in repr(key)
    assert (tmp_path / "v/research.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(AccessRefused, match="exists"):
        new_key(tmp_path / "v", "research")


@given(
    text=st.text(min_size=1).filter(lambda t: "\0" not in t),
    secret=st.binary(min_size=32, max_size=100),
)
def test_pseudonyms_are_hmac_in_sql_as_in_python(text: str, secret: bytes) -> None:
    key = Key("research", secret)
    with duckdb.connect() as con:
        use_key(con, key)
        found = con.execute(
            f"SELECT {pseudonym_sql('person', 't')} FROM (SELECT ? AS t)", [text]
        ).fetchone()
    expected = hmac.new(secret, f"person|{text}".encode(), hashlib.sha256).hexdigest()[:LENGTH]
    assert found == (expected,) and pseudonym(key, "person", text) == expected


def test_another_purpose_another_pseudonym(vault: Path, tmp_path: Path) -> None:
    opened = Vault(vault, tmp_path / "out")
    made = {pseudonym(opened.key(name), "person", "P-1") for name in ("research", "statistics")}
    assert len(made) == 2
    assert pseudonym(opened.key("research"), "person", "P-1") in made
