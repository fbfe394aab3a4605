"""Handing over: a zone of the newest snapshot, for one purpose, to one recipient.

    zones/<zone>/<purpose>/<territory>/<snapshot>/<database>/<table>.parquet, manifest.json

Made aside and moved into place. Nothing is written before the access log holds the request.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasach import __version__
from datasach.errors import AccessRefused
from datasach.protect.columns import Column, birth_column, general_columns
from datasach.protect.desk import Desk, is_about_people
from datasach.protect.open_zone import Hide, write_open
from datasach.protect.pseudonyms import pseudonym_sql, use_key
from datasach.spec.access import PERSONS
from datasach.spec.contract import Table
from datasach.store.landing import sha256_of
from datasach.store.layout import fsync_file, fsync_folder
from datasach.store.manifest import MANIFEST
from datasach.store.warehouse import sql_name

MARK = "datasach_export"
NOT_ERASED = "(r.person_id IS NULL OR r.person_id NOT IN (FROM erased))"


@dataclass(frozen=True, slots=True)
class Exported:
    folder: Path
    request: str
    rows: int
    files: int
    masked: int
    """Values that showed an identifier where none belongs."""
    nameless_withdrawals: int


def export(desk: Desk, to: Path | None, hide: Hide) -> Exported:
    """Write the desk's zone below `to` (default: the warehouse's own `zones/`).

    `hide` decides which counts of the open zone must not be told (report.disclosure).
    Raises AccessRefused if the place is taken, or inside the restricted zone.
    """
    target = _target(desk, to)
    request = desk.enter("export", "OK", snapshot=desk.snapshot.name, to=str(target))
    side = target.with_name(f".{target.name}.part")
    shutil.rmtree(side, ignore_errors=True)
    side.mkdir(parents=True, mode=0o700)
    try:
        desk.prepare()
        is_open = desk.zone == "open"
        files = write_open(desk, side, hide) if is_open else _write_tables(desk, side)
        rows = sum(facts["rows"] for facts in files.values())
        masked = sum(sum(facts.get("masked", {}).values()) for facts in files.values())
        _seal(desk, side, request, files)
        target.parent.mkdir(parents=True, exist_ok=True)
        side.replace(target)
        fsync_folder(target.parent)
    except BaseException:
        shutil.rmtree(side, ignore_errors=True)
        desk.enter("export", "FAILED", request=request)
        raise
    desk.enter("export", "DONE", request=request, rows=rows, files=len(files))
    return Exported(target, request, rows, len(files), masked, desk.nameless_withdrawals)


def _target(desk: Desk, to: Path | None) -> Path:
    place = desk.holder.territory or "all"
    base = to.resolve() if to else desk.layout.root / "zones"
    inside = base.is_relative_to(desk.layout.root) and not base.is_relative_to(
        desk.layout.root / "zones"
    )
    if inside:
        raise AccessRefused("an export does not go into the warehouse, except into its zones/")
    target = base / desk.zone / desk.purpose.id / place / desk.snapshot.name
    if target.exists():
        raise AccessRefused(f"{target} is there already; it was made from the same snapshot")
    return target


def _write_tables(desk: Desk, side: Path) -> dict[str, dict[str, Any]]:
    general = desk.zone == "general"
    if general:
        use_key(desk.con, desk.vault.key(desk.purpose.id))
    _people(desk, general)
    files: dict[str, dict[str, Any]] = {}
    for table in desk.tables():
        files[f"{table.database}/{table.name}.parquet"] = _write(
            desk, side, table.database, table.name, *_select(desk, table, general)
        )
    if desk.sees(PERSONS):
        files["persons/person.parquet"] = _write(
            desk, side, "persons", "person", *_select_persons(desk, general)
        )
    return files


def _people(desk: Desk, general: bool) -> None:
    """`people` (person_id, pid, name): pseudonyms are computed once a person, not once a row."""
    folded = "replace(strip_accents(lower(full_name)), 'đ', 'd')"
    pid = pseudonym_sql("person", "person_id") if general else "person_id"
    desk.con.execute(
        f"CREATE TEMP TABLE people AS SELECT person_id, {pid} AS pid,"
        f" CASE WHEN contains({folded}, ' ') THEN {folded} END AS name FROM pub_persons"
    )
    desk.con.execute(
        "CREATE TEMP TABLE known_names AS SELECT DISTINCT name FROM people WHERE name IS NOT NULL"
    )


Query = tuple[list[Column], str, str, str]
"""Columns, FROM, WHERE, ORDER BY."""


def _select(desk: Desk, table: Table, general: bool) -> Query:
    name = f"pub.{sql_name(table.id)}"
    if not general or not is_about_people(desk.project, table):
        hidden = desk.hidden_fields()
        plain = [
            Column(column, f'r."{column}"')
            for column in _columns(desk, name)
            if column not in hidden and not (general and column in ("_file", "_row", "person_id"))
        ]
        if general:
            kept = {f.name for f in table.fields if f.classification == "general"}
            own = {f.name for f in table.fields}
            plain = [column for column in plain if column.name in kept or column.name not in own]
        return plain, f"{name} r", desk.rows_sql(table), ""
    columns = general_columns(table, desk.purpose, desk.hidden_fields())
    kept_rows = f"{desk.rows_sql(table)} AND {NOT_ERASED}"
    # The order of the restricted zone would give away which row is which: pseudonyms order anew.
    first = [c.name for c in columns if c.name in ("rid", *table.key)]
    order = ", ".join(f'"{name}"' for name in [*first, "pid"])
    return columns, f"{name} r LEFT JOIN people p USING (person_id)", kept_rows, order


def _select_persons(desk: Desk, general: bool) -> Query:
    name = "pub.persons__person"
    if not general:
        plain = [Column(c, f'r."{c}"') for c in _columns(desk, name)]
        return plain, f"{name} r", desk.persons_sql(), "person_id"
    day = f"DATE '{desk.manifest['night']}'"
    columns = [
        Column("pid", "p.pid"), Column("sex", "r.sex"), birth_column(desk.purpose, day),
        *(Column(c, f"r.{c}") for c in (
            "province_code", "records", "tables", "facilities", "first_night", "last_night"
        )),
    ]  # fmt: skip
    rows = f"{desk.persons_sql()} AND {NOT_ERASED}"
    return columns, f"{name} r JOIN people p USING (person_id)", rows, '"pid"'


def _columns(desk: Desk, name: str) -> list[str]:
    return [str(row[0]) for row in desk.con.execute(f"DESCRIBE {name}").fetchall()]


def _write(
    desk: Desk, side: Path, database: str, name: str, columns: list[Column], source: str,
    where: str, order: str,
) -> dict[str, Any]:  # fmt: skip
    path = side / database / f"{name}.parquet"
    path.parent.mkdir(exist_ok=True)
    listed = ", ".join(f'{column.sql} AS "{column.name}"' for column in columns)
    ordered = f" ORDER BY {order}" if order else ""
    target = str(path).replace("'", "''")
    done = desk.con.execute(
        f"COPY (SELECT {listed} FROM {source} WHERE {where}{ordered}) TO '{target}'"
        f" (FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{MARK}: '{desk.purpose.id}'}})"
    ).fetchone()
    facts: dict[str, Any] = {"rows": int(done[0]) if done else 0, "sha256": sha256_of(path)}
    checked = [column for column in columns if column.checked]
    if checked and facts["rows"]:
        facts["masked"] = _masked(desk, path, checked, source, where)
    fsync_file(path)
    return facts


def _masked(
    desk: Desk, path: Path, checked: Sequence[Column], source: str, where: str
) -> dict[str, int]:
    """Field → values left out because they showed an identifier."""
    counts = ", ".join(f'count(r."{column.name}")' for column in checked)
    before = desk.con.execute(f"SELECT {counts} FROM {source} WHERE {where}").fetchone() or ()
    counts = ", ".join(f'count("{column.name}")' for column in checked)
    after = desk.con.execute(f"SELECT {counts} FROM read_parquet('{path}')").fetchone() or ()
    differ = zip(checked, before, after, strict=True)
    return {column.name: int(b - a) for column, b, a in differ if b != a}


def _seal(desk: Desk, side: Path, request: str, files: Mapping[str, Mapping[str, Any]]) -> None:
    key = desk.vault.key(desk.purpose.id).id if desk.zone == "general" else None
    manifest = {
        "zone": desk.zone, "purpose": desk.purpose.id, "basis": desk.purpose.basis,
        "cites": desk.purpose.cites, "snapshot": desk.snapshot.name, "at": desk.at.isoformat(),
        "territory": desk.holder.territory, "recipient": desk.asked.recipient, "request": request,
        "key": key, "engine": __version__, "declarations_sha256": desk.project.fingerprint,
        "apart": [group.id for group in desk.apart()],
        "nameless_withdrawals": desk.nameless_withdrawals, "files": files,
    }  # fmt: skip
    path = side / MANIFEST
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True), "utf-8")
    fsync_file(path)
    for folder in (side, *(p for p in side.iterdir() if p.is_dir())):
        fsync_folder(folder)


def export_text(done: Exported) -> str:
    lines = [
        f"{done.files} tệp, {done.rows} dòng → {done.folder}",
        f"{done.files} files, {done.rows} rows; request {done.request}",
    ]
    if done.masked:
        lines.append(
            f"{done.masked} giá trị tự do bị che vì chứa định danh · free values masked: they showed an identifier"
        )
    if done.nameless_withdrawals:
        lines.append(
            f"{done.nameless_withdrawals} lần rút đồng ý không rõ của ai · withdrawals that name nobody we know"
        )
    return "\n".join(lines)
