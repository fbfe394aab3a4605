"""The person himself: everything we hold about him, or being forgotten where the law lets us forget.

A request is a YAML file (its number, the identifier that was proved, when it came), because an
identifier on a command line stands in the list of processes and in the shell's history.
"""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq
from pydantic import Field as PydanticField

from datasach.errors import AccessRefused, SpecError
from datasach.protect.accesslog import AccessLog
from datasach.protect.desk import Asked, Desk, is_about_people, open_desk
from datasach.protect.pseudonyms import pseudonym
from datasach.protect.vault import ERASED_KEY
from datasach.spec.load import Declared, Problems, build, read_yaml
from datasach.spec.project import Project
from datasach.store.landing import sha256_of
from datasach.store.layout import fsync_file, fsync_folder
from datasach.store.manifest import MANIFEST
from datasach.store.tombstones import PERSON, bury
from datasach.store.warehouse import sql_name

ACKNOWLEDGE_DAYS = 2
"""Working days until the person is told that the request came (NĐ 356/2025/NĐ-CP, medium confidence)."""
ANSWER_DAYS = {"export": 10, "erase": 20}
"""Days until it is answered (NĐ 356/2025/NĐ-CP: 10, 15 or 20 by kind; which is which is our reading)."""
KEPT_BY_LAW = (
    "Hồ sơ bệnh án được lưu 10 năm (nội trú, ngoại trú), 20 năm (tai nạn, tâm thần), 30 năm (tử vong) theo"
    " TT 33/2025/TT-BYT; dữ liệu thanh toán BHYT theo pháp luật bảo hiểm y tế.",
    "Medical records are kept 10 years (in- and outpatient), 20 (accident, psychiatric), 30 (death) by"
    " TT 33/2025/TT-BYT; insurance settlements as the insurance law says. Medium confidence.",
)


class Request(Declared):
    request: str = PydanticField(pattern=r"^[A-Za-z0-9._/-]{1,64}$")
    kind: Literal["export", "erase"]
    received_on: date
    citizen_id: str = PydanticField(pattern=r"^[0-9]{12}$")
    proved_by: str
    """How it was proved that the request is the person's own (VNeID, at the counter with the card …)."""


def read_request(path: Path, kind: str) -> Request:
    """Raises SpecError with file and line; the message never quotes the identifier."""
    problems = Problems(path.parent)
    document = read_yaml(path, problems)
    found = build(Request, document, problems) if document else None
    problems.raise_if_any()
    if found is None or found.kind != kind:
        raise SpecError(f'{path.name}: kind is not "{kind}"')
    return found


def export_subject(project: Project, out: Path, asked: Asked, path: Path, to: Path) -> str:
    """Write `<to>/<request>/data.json` and `receipt.json`; returns what to tell.

    Raises AccessRefused (logged) if nobody has that number or the place is taken.
    """
    request = read_request(path, "export")
    target = to.resolve() / request.request.replace("/", "-")
    if target.exists() or target.is_relative_to(out.resolve()):
        raise AccessRefused(f"{target} is taken or lies in the warehouse")
    with open_desk(project, out, asked, "subject export") as desk:
        person = _person(desk, request, "subject export")
        desk.enter(
            "subject export",
            "OK",
            request=request.request,
            subject=desk.subject(person),
            to=str(target),
        )
        desk.prepare()
        held = _everything(desk, person)
        side = target.with_name(f".{target.name}.part")
        shutil.rmtree(side, ignore_errors=True)
        side.mkdir(parents=True, mode=0o700)
        _write(side / "data.json", held)
        counts = {name: len(rows) for name, rows in held["tables"].items()}
        receipt = _receipt(desk, request) | {
            "records": counts, "data_sha256": sha256_of(side / "data.json"),
        }  # fmt: skip
        _write(side / "receipt.json", receipt)
        fsync_folder(side)
        side.replace(target)
        fsync_folder(target.parent)
        number = sum(counts.values())
        desk.enter("subject export", "DONE", request=request.request, rows=number)
    return (
        f"{number} bản ghi trong {len(counts)} bảng → {target}\n"
        f"records in tables; answer by {receipt['answer_by']}"
    )


def erase_subject(project: Project, out: Path, asked: Asked, path: Path, do: bool) -> str:
    """Bury the person's pseudonyms and rewrite what was handed over inside the warehouse without him.

    Without `do` nothing is changed. Exports that left the warehouse are listed with their recipients:
    they must be told. Medical records stay as long as the law keeps them.
    """
    request = read_request(path, "erase")
    with open_desk(project, out, asked, "subject erase") as desk:
        person = _person(desk, request, "subject erase")
        exports = _exports(desk)
        if not do:
            desk.enter(
                "subject erase", "LISTED", request=request.request, subject=desk.subject(person)
            )
            return _erase_text(desk, request, [name for name, _ in exports], do)
        desk.enter("subject erase", "OK", request=request.request, subject=desk.subject(person))
        key = desk.vault.key(ERASED_KEY)
        bury(
            desk.layout.root, PERSON, request=request.request, subject=pseudonym(key, "person", person),
            citizen=pseudonym(key, "citizen", request.citizen_id), basis="Law 91/2025/QH15", key=key.id,
        )  # fmt: skip
        touched = {}
        for name, folder in exports:
            touched[name] = _forget(desk, folder, person)
        receipt = _receipt(desk, request) | {
            "forgotten_rows": touched, "kept_by_law": list(KEPT_BY_LAW), "left_the_house": _handed_out(desk),
        }  # fmt: skip
        place = desk.layout.root / "access" / f"erased-{request.request.replace('/', '-')}.json"
        _write(place, receipt)
        fsync_folder(place.parent)
        rows = sum(touched.values())
        desk.enter("subject erase", "DONE", request=request.request, rows=rows)
        return _erase_text(desk, request, list(touched), do) + f"\nbiên nhận · receipt {place}"


def _person(desk: Desk, request: Request, verb: str) -> str:
    found = desk.con.execute(
        "SELECT person_id FROM pub_persons WHERE citizen_id = ?", [request.citizen_id]
    ).fetchall()
    if len(found) != 1:
        code = "NOBODY" if not found else "SEVERAL"
        raise desk.refuse(
            verb,
            code,
            f"{len(found)} people have the number of the request",
            request=request.request,
        )
    return str(found[0][0])


def _everything(desk: Desk, person: str) -> dict[str, Any]:
    """Every published row of the person, with the headings of the contract and where each row came from."""
    tables: dict[str, list[dict[str, Any]]] = {}
    titles: dict[str, dict[str, Any]] = {}
    for table in desk.tables():
        if not is_about_people(desk.project, table):
            continue
        cursor = desk.con.execute(
            f"SELECT r.* FROM pub.{sql_name(table.id)} r WHERE r.person_id = ? AND {desk.rows_sql(table)}",
            [person],
        )
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        if rows:
            tables[table.id] = rows
            fields = {f.name: [f.title.vi, f.title.en] for f in table.fields}
            titles[table.id] = {"title": [table.title.vi, table.title.en], "fields": fields}
    cursor = desk.con.execute("SELECT * FROM pub_persons WHERE person_id = ?", [person])
    names = [column[0] for column in cursor.description]
    tables["persons.person"] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {"snapshot": desk.snapshot.name, "titles": titles, "tables": tables}


def _receipt(desk: Desk, request: Request) -> dict[str, Any]:
    """What happened, by when it was due; no value of the person."""
    answer = request.received_on + timedelta(days=ANSWER_DAYS[request.kind])
    return {
        "request": request.request, "kind": request.kind, "received_on": request.received_on.isoformat(),
        "proved_by": request.proved_by, "done_at": desk.at.isoformat(timespec="seconds"),
        "by": desk.holder.actor, "snapshot": desk.snapshot.name,
        "acknowledge_by": _working_days_after(request.received_on, ACKNOWLEDGE_DAYS).isoformat(),
        "answer_by": answer.isoformat(), "cites": desk.purpose.cites,
    }  # fmt: skip


def _working_days_after(day: date, number: int) -> date:
    """Saturdays and Sundays do not count; public holidays are not known here."""
    while number:
        day += timedelta(days=1)
        number -= day.weekday() < 5
    return day


def _exports(desk: Desk) -> list[tuple[str, Path]]:
    """(path below zones/, folder) of every general export that lies in the warehouse."""
    zones = desk.layout.root / "zones"
    found = sorted((zones / "general").glob(f"*/*/*/{MANIFEST}"))
    return [(str(path.parent.relative_to(zones)), path.parent) for path in found]


def _forget(desk: Desk, folder: Path, person: str) -> int:
    """Rewrite an export without the person; returns rows taken out."""
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    pid = pseudonym(desk.vault.key(manifest["purpose"]), "person", person)
    taken = 0
    for name, facts in manifest["files"].items():
        path = folder / name
        if not name.endswith(".parquet") or "pid" not in pq.read_schema(path).names:
            continue
        number = desk.con.execute(
            f"SELECT count(*) FROM read_parquet('{path}') WHERE pid = ?", [pid]
        ).fetchone()
        if not number or not number[0]:
            continue
        side = path.with_name(f".{path.name}.part")
        desk.con.execute(
            f"COPY (SELECT * FROM read_parquet('{path}') WHERE pid IS DISTINCT FROM '{pid}')"
            f" TO '{side}' (FORMAT parquet, COMPRESSION zstd)"
        )
        fsync_file(side)
        side.replace(path)
        taken += int(number[0])
        facts |= {"rows": facts["rows"] - int(number[0]), "sha256": sha256_of(path)}
    if taken:
        manifest["forgotten"] = manifest.get("forgotten", 0) + taken
        side = folder / f".{MANIFEST}.part"
        side.write_text(json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True), "utf-8")
        fsync_file(side)
        side.replace(folder / MANIFEST)
        fsync_folder(folder)
    return taken


def _handed_out(desk: Desk) -> list[dict[str, Any]]:
    """Exports that left the warehouse, and to whom: from the access log."""
    zones = str(desk.layout.root / "zones")
    return [
        {name: entry.get(name) for name in ("at", "request", "purpose", "zone", "recipient", "to")}
        for entry in AccessLog(desk.layout.root).entries()
        if entry.get("verb") == "export" and entry.get("decision") == "OK"
        and entry.get("zone") != "open" and not str(entry.get("to", "")).startswith(zones)
    ]  # fmt: skip


def _erase_text(desk: Desk, request: Request, exports: list[str], done: bool) -> str:
    lines = [
        f"yêu cầu {request.request}: vùng chung {'đã quên' if done else 'sẽ quên'} người này"
        f" trong {len(exports)} bản xuất · the general zone {'forgot' if done else 'would forget'} the person",
        *(f"  {name}" for name in exports),
    ]
    outside = _handed_out(desk)
    if outside:
        lines.append(
            f"{len(outside)} bản xuất đã rời kho, phải báo bên nhận · exports left the house: tell their recipients"
        )
    lines += KEPT_BY_LAW
    if not done:
        lines.append("chưa đổi gì; thêm --do để làm · nothing changed; add --do")
    return "\n".join(lines)


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, default=str), "utf-8")
    path.chmod(0o600)
    fsync_file(path)
