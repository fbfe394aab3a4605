"""`datasach explain`: one record from its file and line to the published row, or to why it was held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from datasach.errors import DatasachError
from datasach.pipeline.explain_person import explain_person, is_person
from datasach.protect.desk import Asked, open_desk
from datasach.spec.project import Project
from datasach.store.layout import Layout
from datasach.store.ledger import Ledger


class NoSuchRecord(DatasachError):
    exit_code = 2


def explain_record(project: Project, out: Path, record: str) -> str:
    """Text about every row the words name, without a value of a person.

    RECORD is `FILE:TABLE:ROW`, `FACILITY|MA_LK`, or `PATH#LINE` with the path as the inbox had it; an id `P-…` or `T-…`
    is a person. Raises NoSuchRecord (NoSuchPerson), saying which part was not found.
    """
    if is_person(record):
        return explain_person(out, record)
    layout = Layout(out.resolve())
    ledger = Ledger(layout.ledger, "explain")
    try:
        with duckdb.connect() as con:
            rows = _find(con, project, layout, ledger, record)
            return "\n\n".join(_story(con, project, layout, ledger, row, False) for row in rows)
    finally:
        ledger.close()


def explain_values(project: Project, out: Path, record: str, asked: Asked) -> str:
    """The same with values, through the desk: role, purpose, territory, consent; logged before it is shown.

    Rows that may not be shown are refused as a whole, so that what is left does not tell of them.
    Raises AccessRefused, NoSuchRecord, WarehouseDamaged.
    """
    with open_desk(project, out, asked, "explain") as desk:
        desk.prepare()
        layout = desk.layout
        ledger = Ledger(layout.ledger, "explain")
        try:
            rows = _find(desk.con, project, layout, ledger, record)
            passing = [row for row in rows if row["_row"] is not None]
            if not all(desk.passes(row["table_id"], row["_file"], row["_row"]) for row in passing):
                raise desk.refuse(
                    "explain", "RECORD", "a row of this record may not be shown to you"
                )
            shown = sorted({f"{row['_file']}:{row['table_id']}" for row in rows})
            desk.enter("explain", "OK", records=shown, rows=len(rows))
            return "\n\n".join(_story(desk.con, project, layout, ledger, row, True) for row in rows)
        finally:
            ledger.close()


Row = dict[str, Any]


def _find(
    con: duckdb.DuckDBPyConnection, project: Project, layout: Layout, ledger: Ledger, record: str
) -> list[Row]:
    if "#" in record:
        path, _, line = record.rpartition("#")
        return _by_place(con, project, layout, ledger, path, line)
    if "|" in record:
        facility, _, ma_lk = record.partition("|")
        units = _query(
            con, f"SELECT _file, _unit FROM read_parquet('{layout.state}/results/recon.units.parquet')"
            " WHERE facility = ? AND ma_lk = ? ORDER BY night, _file, _unit", [facility, ma_lk],
        )  # fmt: skip
        found = [row for unit in units for row in _rows_of_unit(con, project, layout, ledger, unit)]
        return found or _nothing(f"no episode {ma_lk} of facility {facility} has arrived")
    parts = record.split(":")
    if len(parts) != 3 or parts[1] not in project.tables or not parts[2].isdigit():
        _nothing("a record is named FILE:TABLE:ROW, FACILITY|MA_LK or PATH#LINE")
    return _rows(con, layout, ledger, parts[0], parts[1], f"_row = {int(parts[2])}") or _nothing(
        f"{parts[1]} has no row {parts[2]} of file {parts[0]}"
    )


def _nothing(message: str) -> list[Row]:
    raise NoSuchRecord(message)


def _by_place(
    con: duckdb.DuckDBPyConnection,
    project: Project,
    layout: Layout,
    ledger: Ledger,
    path: str,
    line: str,
) -> list[Row]:
    files = ledger.rows(
        "SELECT f.file FROM files f JOIN offers o USING (offer) WHERE o.path = ?", (path,)
    )
    if not files:
        _nothing(f"no file {path} has arrived")
    if not line.isdigit():
        _nothing("after # comes the line, sheet row or HOSO number")
    found: list[Row] = []
    for (file,) in files:
        for table in project.tables.values():
            place = "_unit" if table.is_enveloped else "_line"
            found += _rows(con, layout, ledger, file, table.id, f"{place} = {int(line)}")
        found += [
            {"_file": file, "table_id": r["table_id"], "_row": None, "_unit": r["_unit"], "_line": r["_line"], "code": r["code"]}
            for r in _query(
                con,
                f"SELECT * FROM read_parquet('{layout.state}/rejects/rejects/*.parquet') WHERE _file = ?"
                " AND coalesce(_line, _unit) = ?", [file, int(line)],
            )
        ]  # fmt: skip
    return found or _nothing(f"nothing was read at {path}#{line}")


def _rows_of_unit(
    con: duckdb.DuckDBPyConnection, project: Project, layout: Layout, ledger: Ledger, unit: Row
) -> list[Row]:
    return [
        row
        for table in project.tables.values()
        if table.is_enveloped
        for row in _rows(con, layout, ledger, unit["_file"], table.id, f"_unit = {unit['_unit']}")
    ]


def _rows(
    con: duckdb.DuckDBPyConnection,
    layout: Layout,
    ledger: Ledger,
    file: str,
    table_id: str,
    where: str,
) -> list[Row]:
    batch = ledger.rows("SELECT batch FROM files WHERE file = ?", (file,))
    if not batch or batch[0][0] is None:
        return []
    part = layout.part("standard", table_id, batch[0][0])
    if not part.exists():
        return []
    rows = _query(
        con, f"SELECT _file, _row, _unit, _line, _facility FROM read_parquet('{part}') WHERE _file = ? AND {where} ORDER BY _row",
        [file],
    )  # fmt: skip
    return [{**row, "table_id": table_id} for row in rows]


def _story(
    con: duckdb.DuckDBPyConnection,
    project: Project,
    layout: Layout,
    ledger: Ledger,
    row: Row,
    with_values: bool,
) -> str:
    file = ledger.rows(
        "SELECT f.*, o.path, o.night AS offered FROM files f JOIN offers o USING (offer) WHERE file = ?",
        (row["_file"],),
    )[0]
    place = f"HOSO {row['_unit']}" if row.get("_unit") else f"line {row.get('_line')}"
    member = f" › {file['member']}" if file["member"] else ""
    lines = [
        f"record     {row['_file']}:{row['table_id']}:{row['_row'] if row['_row'] is not None else '-'}",
        f"file       {file['path']}{member}, night {file['offered']}, channel {file['channel']}, {file['state']}",
        f"           sha256 {file['sha256']}",
        f"place      {place}",
    ]
    if row["_row"] is None:
        return "\n".join([*lines, f"fate       rejected while reading: {row['code']}"])
    lines += _changes(con, layout, row, with_values)
    lines += _person(con, project, layout, row)
    lines += _findings(con, project, layout, row)
    lines.append(f"fate       {_fate(con, layout, row)}")
    return "\n".join(lines)


def _changes(
    con: duckdb.DuckDBPyConnection, layout: Layout, row: Row, with_values: bool
) -> list[str]:
    found = _query(
        con, f"SELECT field, reason, source_value, new_value FROM read_parquet('{layout.state}/changes/changes/*.parquet')"
        " WHERE _file = ? AND table_id = ? AND _row = ? ORDER BY field", [row["_file"], row["table_id"], row["_row"]],
    )  # fmt: skip
    shown = [
        f"changed    {c['field']}: {c['reason']}"
        + (f"   {c['source_value']!r} → {c['new_value']!r}" if with_values else "")
        for c in found
    ]
    return shown or ["changed    nothing"]


def _person(
    con: duckdb.DuckDBPyConnection, project: Project, layout: Layout, row: Row
) -> list[str]:
    results = layout.state / "results"
    found = _query(
        con, f"SELECT person_id FROM read_parquet('{results}/link.record_persons.parquet')"
        " WHERE _file = ? AND table_id = ? AND _row = ?", [row["_file"], row["table_id"], row["_row"]],
    )  # fmt: skip
    if not found and project.tables[row["table_id"]].is_enveloped:
        found = _query(
            con, f"SELECT p.person_id FROM read_parquet('{results}/link.unit_persons.parquet') p"
            f" JOIN read_parquet('{results}/recon.units.parquet') u ON p._key = u.facility || '|' || u.ma_lk"
            " WHERE u._file = ? AND u._unit = ?", [row["_file"], row["_unit"]],
        )  # fmt: skip
    return [
        f"person     {found[0]['person_id'] if found else 'none (not a record of a person, or not current)'}"
    ]


def _findings(
    con: duckdb.DuckDBPyConnection, project: Project, layout: Layout, row: Row
) -> list[str]:
    found = _query(
        con, f"SELECT rule, severity FROM read_parquet('{layout.state}/results/checks.findings.parquet')"
        " WHERE _file = ? AND table_id = ? AND _row = ? ORDER BY rule", [row["_file"], row["table_id"], row["_row"]],
    )  # fmt: skip
    says = {rule.id: rule.vi for rule in project.rules}
    return [f"finding    {f['rule']} ({f['severity']}): {says.get(f['rule'], '')}" for f in found]


def _fate(con: duckdb.DuckDBPyConnection, layout: Layout, row: Row) -> str:
    results, key = layout.state / "results", [row["_file"], row["table_id"]]
    old = _query(
        con, f"SELECT fate, reason FROM read_parquet('{results}/row_fates.parquet') WHERE _file = ? AND table_id = ?"
        " AND (_row = ? OR (_row IS NULL AND _unit = ?))", [*key, row["_row"], row["_unit"]],
    )  # fmt: skip
    if old:
        return f"{old[0]['fate']}: {old[0]['reason']}"
    held = _query(
        con, f"SELECT rule, with_parent FROM read_parquet('{results}/checks.held.parquet')"
        " WHERE _file = ? AND table_id = ? AND _row = ?", [*key, row["_row"]],
    )  # fmt: skip
    if held:
        parent = " (its parent record is held)" if held[0]["with_parent"] else ""
        return f"quarantined by {held[0]['rule']}{parent}"
    database, table = row["table_id"].split(".")
    path = layout.published / "latest" / database / f"{table}.parquet"
    if path.exists():
        hit = _query(
            con, f"SELECT file_row_number AS n FROM read_parquet('{path}', file_row_number=true) WHERE _file = ? AND _row = ?",
            [row["_file"], row["_row"]],
        )  # fmt: skip
        if hit:
            snapshot = path.resolve().parents[1].name
            return f"published in snapshot {snapshot}, {database}/{table}.parquet, row {hit[0]['n'] + 1}"
    return "accepted, but its database is withheld by the gate"


def _query(con: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any]) -> list[Row]:
    cursor = con.execute(sql, parameters)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
