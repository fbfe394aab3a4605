"""`datasach check`: are the declarations right, and does every rule tell its good example from its bad one?

The examples go the way of real rows: text as a sender writes it, standardised, then judged by the
compiled rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from datasach.report.words import load_words
from datasach.spec.access import load_access
from datasach.spec.load import Problems
from datasach.spec.not_built import load_not_built
from datasach.spec.project import Project
from datasach.spec.rule import Rule
from datasach.standardise.standardise import (
    CHANGE_SCHEMA,
    POLARS_TYPES,
    FileFacts,
    standardise_rows,
)
from datasach.store.warehouse import LAYERS, SIDE_LAYERS, sql_name, standard_columns
from datasach.validate.kinds import check_of
from datasach.validate.recorded import RECORDED, judge_fact
from datasach.validate.sandbox import RuleProblem
from datasach.validate.validate import base_query

NIGHT = "2026-03-10"
FACILITY = "79001"
DEFAULT_KEY = "LK1"
PSEUDO = (
    "_night",
    "_declared_on",
    "_facility",
    "_vintage",
    "_unit_problems",
    "_channel",
    "_sender",
    "_person",
    "_extra",
)
"""Words an example may use besides the table's fields: facts of the delivery, not of the record."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One example, tried."""

    rule: Rule
    is_good: bool
    applies: bool
    violated: bool

    @property
    def right(self) -> bool:
        return (not self.violated) if self.is_good else (self.applies and self.violated)


def check_project(project: Project) -> int:
    """Check every rule of a loaded project; returns how many (rule, table) pairs were proved.

    Raises SpecError with every problem, file and line.
    """
    load_words(project.root)
    load_not_built(project.root)
    load_access(project)
    problems = Problems(project.root)
    good: list[Rule] = []
    for rule in project.rules:
        try:
            check_of(project, rule)
            _known_words(project, rule)
        except RuleProblem as problem:
            problems.add(_file_of(project, rule), rule.line, f"{rule.id}: {problem}")
        else:
            good.append(rule)
    for tried in try_examples(project, good):
        if not tried.right:
            word = "good" if tried.is_good else "bad"
            what = (
                "is a violation" if tried.is_good
                else "is not a violation" if tried.applies else "is not asked: the rule does not apply to it"
            )  # fmt: skip
            problems.add(
                _file_of(project, tried.rule), tried.rule.line,
                f"{tried.rule.id} on {tried.rule.table}: its {word} example {what}",
            )  # fmt: skip
    problems.raise_if_any()
    return len(good)


def _file_of(project: Project, rule: Rule) -> Path:
    inside = project.root / "rules" / rule.file
    return inside if inside.exists() else project.root / "rules" / "shared" / rule.file


def _known_words(project: Project, rule: Rule) -> None:
    if rule.examples is None or rule.kind == RECORDED:
        return
    for example in (rule.examples.good, rule.examples.bad):
        for table_id, rows in ((rule.table, [example.row]), *example.beside.items()):
            if table_id not in project.tables:
                raise RuleProblem(f'an example speaks of a table "{table_id}" that is not there')
            known = {*project.tables[table_id].field_names, *PSEUDO}
            for row in rows:
                for name in row:
                    # A rule on many tables carries one example for all: words of the others are let pass.
                    if name not in known and not _known_elsewhere(project, name):
                        raise RuleProblem(
                            f'an example uses "{name}", which {table_id} does not have'
                        )


def _known_elsewhere(project: Project, name: str) -> bool:
    return any(name in table.field_names for table in project.tables.values())


def try_examples(project: Project, rules: Iterable[Rule]) -> list[Tried]:
    """Judge both examples of every rule."""
    of_facts = [rule for rule in rules if rule.kind == RECORDED]
    tried = [
        (rule, rule.examples)
        for rule in rules
        if rule.examples is not None and rule.kind != RECORDED
    ]
    rows: dict[str, list[tuple[str, dict[str, str | None]]]] = {}
    for number, (rule, examples) in enumerate(tried):
        for word, example in (("good", examples.good), ("bad", examples.bad)):
            label = f"{number}-{word}"
            rows.setdefault(rule.table, []).append(
                (label, {**_identity_row(project, rule, example.row), "_subject": "1"})
            )
            for table_id, others in example.beside.items():
                rows.setdefault(table_id, []).extend((label, other) for other in others)
    with duckdb.connect() as con:
        _stage(con, project, rows)
        found = [
            Tried(rule, word == "good", *_judge(con, project, rule, f"{number}-{word}"))
            for number, (rule, _) in enumerate(tried)
            for word in ("good", "bad")
        ]
        found += [
            Tried(rule, is_good, *judge_fact(con, rule, example.row))
            for rule in of_facts
            if rule.examples is not None
            for is_good, example in ((True, rule.examples.good), (False, rule.examples.bad))
        ]
    return found


def _identity_row(
    project: Project, rule: Rule, row: dict[str, str | None]
) -> dict[str, str | None]:
    """An example of a rule for every person table is written with the standard's usual names
    (ho_ten, ngay_sinh …); here they take the names this table has for them."""
    table = project.tables[rule.table]
    if table.identity is None:
        return row
    usual = {
        "ho_ten": "full_name", "ngay_sinh": "born", "gioi_tinh": "sex", "so_cccd": "identifier",
        "ma_the_bhyt": "card", "dien_thoai": "phone", "matinh_cu_tru": "province",
        "maxa_cu_tru": "commune", "mahuyen_cu_tru": "district", "ma_bn": "patient_code",
        "ho_ten_me": "mother_name", "so_cccd_me": "mother_identifier",
    }  # fmt: skip
    own = table.identity.fields()
    renamed = {}
    for name, value in row.items():
        part = usual.get(name)
        renamed[own.get(part, name) if part and name not in table.field_names else name] = value
    return renamed


def _stage(
    con: duckdb.DuckDBPyConnection,
    project: Project,
    rows: dict[str, list[tuple[str, dict[str, str | None]]]],
) -> None:
    """Tables `examples.*` with all rows, and `current.*` views of the rows of one example."""
    for schema in (*LAYERS, "examples"):
        con.execute(f"CREATE SCHEMA {schema}")
    con.execute("SET VARIABLE example = ''")
    for layer, columns in SIDE_LAYERS.items():
        if layer != "changes":
            listed = ", ".join(f'"{name}" {kind}' for name, kind in columns)
            con.execute(f"CREATE TABLE standard.{layer} ({listed})")
    _put_rows(con, project, rows, project.tables)


def _put_rows(
    con: duckdb.DuckDBPyConnection,
    project: Project,
    rows: dict[str, list[tuple[str, dict[str, str | None]]]],
    tables: Iterable[str],
) -> None:
    """The rows of `tables` in place of what they held, with their changes, units and persons."""
    changes = [pl.DataFrame(schema=CHANGE_SCHEMA)]
    units: list[tuple[str, int, str | None, str | None]] = []
    for table in (project.tables[name] for name in tables):
        found = rows.get(table.id, [])
        frame, changed = _standard(project, table.id, found)
        changes.append(changed)
        labels = pl.Series("_example", [label for label, _ in found], dtype=pl.String)
        subject = pl.Series("_subject", [row.get("_subject") for _, row in found], dtype=pl.String)
        keys = pl.Series(
            "_key", [_key(project, table.id, row) for _, row in found], dtype=pl.String
        )
        nights = frame.get_column("_night").alias("_first_night")
        con.register("frame", frame.hstack([labels, subject, keys, nights]))
        con.execute(f"CREATE OR REPLACE TABLE examples.{sql_name(table.id)} AS SELECT * FROM frame")
        con.unregister("frame")
        con.execute(
            f"CREATE OR REPLACE VIEW current.{sql_name(table.id)} AS SELECT * EXCLUDE (_example) FROM examples.{sql_name(table.id)}"
            " WHERE _example = getvariable('example')"
        )
        units += [
            (f"{table.id}-{i}", i, row.get("_vintage"), row.get("_unit_problems"))
            for i, (_, row) in enumerate(found, 1)
        ]
    con.register("frame", pl.concat(changes))
    con.execute("CREATE OR REPLACE TABLE standard.changes AS SELECT * FROM frame")
    con.unregister("frame")
    con.execute(
        "CREATE OR REPLACE TABLE recon.units (_file VARCHAR, _unit INTEGER, vintage VARCHAR, problems VARCHAR)"
    )
    if units:
        con.executemany("INSERT INTO recon.units VALUES (?, ?, ?, ?)", units)
    _stage_persons(con, project, rows)


def _stage_persons(
    con: duckdb.DuckDBPyConnection,
    project: Project,
    rows: dict[str, list[tuple[str, dict[str, str | None]]]],
) -> None:
    """What linking would say, from the examples' word `_person`."""
    persons = [
        (label, table_id, f"{table_id}-{i}", i, _key(project, table_id, row), row["_person"])
        for table_id, found in rows.items()
        for i, (label, row) in enumerate(found, 1)
        if row.get("_person")
    ]
    con.execute(
        "CREATE OR REPLACE TABLE examples.persons (_example VARCHAR, table_id VARCHAR, _file VARCHAR, _row INTEGER,"
        " _key VARCHAR, person_id VARCHAR)"
    )
    if persons:
        con.executemany("INSERT INTO examples.persons VALUES (?, ?, ?, ?, ?, ?)", persons)
    of_example = "FROM examples.persons WHERE _example = getvariable('example')"
    con.execute(
        f"CREATE OR REPLACE VIEW link.record_persons AS SELECT * EXCLUDE (_example) {of_example}"
    )
    con.execute(
        f"CREATE OR REPLACE VIEW link.unit_persons AS SELECT _key, any_value(person_id) AS person_id {of_example} GROUP BY _key"
    )


def _key(project: Project, table_id: str, row: dict[str, str | None]) -> str:
    table = project.tables[table_id]
    if table.is_enveloped:
        return f"{row.get('_facility') or FACILITY}|{row.get('ma_lk') or DEFAULT_KEY}"
    return "|".join(row.get(key) or "" for key in table.key)


def _standard(
    project: Project, table_id: str, found: list[tuple[str, dict[str, str | None]]]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    table = project.tables[table_id]
    if not found:
        schema = {name: POLARS_TYPES[kind] for name, kind in standard_columns(table)}
        return pl.DataFrame(schema=schema), pl.DataFrame(schema=CHANGE_SCHEMA)
    filled = [
        {**({"ma_lk": DEFAULT_KEY} if "ma_lk" in table.field_names else {}), **row}
        for _, row in found
    ]
    facts = {}
    for number, row in enumerate(filled, 1):
        name = f"{table_id}-{number}"
        facts[name] = FileFacts(
            name, row.get("_night") or NIGHT, row.get("_sender") or row.get("_facility") or FACILITY,
            row.get("_channel") or "coordination", "example", row.get("_facility") or FACILITY,
            row.get("_declared_on"),
        )  # fmt: skip
    raw = pl.DataFrame(
        {
            **{n: [row.get(n) or None for row in filled] for n in table.field_names},
            "_file": list(facts),
            "_row": list(range(1, len(filled) + 1)),
            "_unit": list(range(1, len(filled) + 1)),
            "_line": [None] * len(filled),
            "_extra": [row.get("_extra") for row in filled],
            "_problem": [None] * len(filled),
        },
        schema_overrides={n: pl.String for n in (*table.field_names, "_extra", "_problem")}
        | {"_row": pl.Int32, "_unit": pl.Int32, "_line": pl.Int64},
    )
    return standardise_rows(project, table, raw, facts)


def _judge(
    con: duckdb.DuckDBPyConnection, project: Project, rule: Rule, label: str
) -> tuple[bool, bool]:
    check = check_of(project, rule)
    con.execute(f"SET VARIABLE example = '{label}'")
    row = con.execute(
        f"SELECT bool_or(coalesce(({check.applies}), false)), bool_or(coalesce(({check.applies}) AND ({check.violated}), false))"
        f" FROM ({base_query(project.tables[rule.table], [check])}) r {' '.join(check.joins)} WHERE r._subject = '1'"
    ).fetchone()
    assert row is not None
    return bool(row[0]), bool(row[1])
