"""Pseudonyms: HMAC-SHA-256 under the key of one purpose, computed set-based.

Keyed, because a plain hash of a citizen id hides nothing: twelve digits are tried through in about a
hundred core-hours (measured). Another purpose has another key, so its pseudonyms of the same people
cannot be joined to these without both keys.
"""

from __future__ import annotations

import hashlib
import hmac

import duckdb

from datasach.protect.vault import Key

LENGTH = 20
"""Hex digits kept, 80 bits: among 10^8 people two share a pseudonym with probability 4·10^-9."""
_BLOCK = 64


def pseudonym(key: Key, kind: str, text: str) -> str:
    """One pseudonym. `kind` keeps apart what must not be joined (a person, a key of a record)."""
    return hmac.new(key.secret, f"{kind}|{text}".encode(), hashlib.sha256).hexdigest()[:LENGTH]


def use_key(con: duckdb.DuckDBPyConnection, key: Key) -> None:
    """Make the key known to `pseudonym_sql` on this connection. Keys never stand in the text of a query."""
    # RFC 2104: HMAC(K, m) = H((K ⊕ opad) ‖ H((K ⊕ ipad) ‖ m)); K longer than a block is hashed first.
    secret = key.secret if len(key.secret) <= _BLOCK else hashlib.sha256(key.secret).digest()
    padded = secret.ljust(_BLOCK, b"\0")
    con.execute("SET VARIABLE inner_pad = ?::BLOB", [bytes(b ^ 0x36 for b in padded)])
    con.execute("SET VARIABLE outer_pad = ?::BLOB", [bytes(b ^ 0x5C for b in padded)])


def pseudonym_sql(kind: str, text: str) -> str:
    """SQL of the pseudonym of the SQL expression `text`; NULL for NULL."""
    inner = f"sha256(getvariable('inner_pad') || encode('{kind}|' || {text}))"
    return f"substr(sha256(getvariable('outer_pad') || unhex({inner})), 1, {LENGTH})"
