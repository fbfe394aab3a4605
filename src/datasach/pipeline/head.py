"""The head of a night: what the chain pins beside the manifest, and what an operator is shown of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasach import settings
from datasach.errors import DatasachError
from datasach.pipeline.step import Night
from datasach.signing.heads import heads_of, load_key, new_key, write_head
from datasach.store.layout import Layout


def check_head_key() -> None:
    """Raises SpecError before a night begins rather than when it is published, if its key cannot be used."""
    path = settings.head_key()
    if path is not None:
        load_key(path)


def keep_head(night: Night) -> dict[str, Any]:
    """Write the head of tonight's release, after the ledger is settled. A second call changes nothing."""
    release = night.carried["release"]
    head = write_head(
        night.layout, night.until.isoformat(), release.snapshot, _counts(night, release.manifest),
        settings.head_key(),
    )  # fmt: skip
    return {"sequence": head.sequence, "sha256": head.digest, "signed": bool(head.facts["key"])}


def _counts(night: Night, manifest: dict[str, Any]) -> dict[str, Any]:
    """Files offered and contents by state, as the ledger has them; rows by database, as they are published."""
    return {
        **{
            table: {
                str(state): int(number)
                for state, number in night.ledger.rows(
                    f"SELECT state, count(*) FROM {table} GROUP BY state ORDER BY state"
                )
            }
            for table in ("offers", "files")
        },
        "rows": {
            database: sum(table["rows"] for table in entry["tables"].values())
            for database, entry in manifest["databases"].items()
        },
    }


def show_head(out: Path | None, export: Path | None, key: Path | None) -> str:
    """The newest head of a warehouse; copies it to `export`, makes a `key`, where asked."""
    said = []
    if key is not None:
        said.append(f"{key}, {new_key(key)}: export DATASACH_HEAD_KEY={key}")
    if out is None:
        return "\n".join(said)
    heads = heads_of(Layout(out.resolve()))
    if not heads:
        raise DatasachError(f"{out} has no head yet: it is written when a night is published")
    head = heads[-1]
    said += [
        f"head       {head.name}, number {head.sequence}, snapshot {head.facts['snapshot']}",
        f"sha256     {head.digest}",
        f"signed by  {head.facts['key'] or 'nobody: DATASACH_HEAD_KEY names no key'}",
    ]
    if export is not None:
        export.write_bytes(head.data)
        said.append(f"copy       {export}")
    return "\n".join(said)
