"""Which columns of a table stand in the general zone, and in which form. Derived from the contract.

A field is there only if its contract calls it `general` and its type does not identify; a new field
is restricted until somebody says otherwise. Of the person there are a pseudonym, sex, a band or year
of birth, and the province; keys of records are pseudonyms too, so that lines still find their visit.
"""

from __future__ import annotations

from dataclasses import dataclass

from datasach.protect.pseudonyms import pseudonym_sql
from datasach.spec.access import IDENTIFYING, Purpose
from datasach.spec.contract import Field, Table
from datasach.vn.citizen_id import PROVINCES

OLDEST = 90
"""People of this age and more stand in one band: so few reach it that a year would name them
(the HIPAA safe-harbour rule draws the line here, 45 CFR 164.514(b)(2)(i)(C); own knowledge)."""

CITIZEN_PROVINCES = "|".join(sorted(PROVINCES))
HIDDEN = (
    rf"(^|[^0-9])({CITIZEN_PROVINCES})[0-9]{{9}}([^0-9]|$)"
    r"|[A-Z]{2}[1-5][0-9]{12}"
    r"|(^|[^0-9])0[35789][0-9]{8}([^0-9]|$)"
)
"""A citizen id, a card, a mobile number inside a text."""
_FREE = frozenset(("text", "code", "codes"))


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    sql: str
    """Over `r` (the published row) and `p` (pseudonym and folded name of its person)."""
    checked: bool = False
    """May hold what a hand typed: values that show an identifier become NULL and are counted."""


def general_columns(table: Table, purpose: Purpose, hidden: set[str]) -> list[Column]:
    """Columns of a table about people, in order; `hidden` fields never pass."""
    columns = [Column("pid", "p.pid")]
    if table.parent is None:
        record = pseudonym_sql("record", f"'{table.id}|' || r._file || '|' || r._row")
        columns.append(Column("rid", record))
    if table.identity is not None:
        columns += _of_the_person(table, purpose)
    extra = set(purpose.fields.get(table.id, ()))
    taken = {column.name for column in columns}
    for field in table.fields:
        if field.name in hidden - extra or field.name in taken:
            continue
        if field.name in extra or field.classification == "general":
            column = _column(table, field)
            if column is not None:
                columns.append(column)
    return [
        *columns,
        *(
            Column(name, f"r.{name}")
            for name in ("_night", "_channel", "_facility", "_flags", "_held_lines")
        ),
    ]


def _of_the_person(table: Table, purpose: Purpose) -> list[Column]:
    day = f'coalesce(r."{table.event}"::DATE, r._night)' if table.event else "r._night"
    return [
        Column("sex", "r.sex"),
        birth_column(purpose, day),
        Column("province_code", "r.province_code"),
    ]


def birth_column(purpose: Purpose, day: str) -> Column:
    """Age as a five-year band on `day`, or the year of birth; both top-coded."""
    age = f"year({day}) - r.birth_year"
    if purpose.birth == "year":
        return Column("born", f"greatest(r.birth_year, year({day}) - {OLDEST})")
    band = (
        f"CASE WHEN r.birth_year IS NULL OR {age} < 0 THEN NULL WHEN {age} = 0 THEN '0'"
        f" WHEN {age} < 5 THEN '1-4' WHEN {age} >= {OLDEST} THEN '{OLDEST}+'"
        f" ELSE ({age}) // 5 * 5 || '-' || (({age}) // 5 * 5 + 4) END"
    )
    return Column("age_band", band)


def _column(table: Table, field: Field) -> Column | None:
    name = f'r."{field.name}"'
    if field.type in IDENTIFYING:
        return None
    if field.type == "key" and field.name != table.facility:
        # Numbers of episodes are a facility's own: two facilities may use the same one.
        owner = "r._facility || '|' || " if field.name == "ma_lk" else ""
        return Column(field.name, pseudonym_sql(field.name, owner + name))
    if field.type in _FREE and field.list is None:
        folded = f"replace(strip_accents(lower({name})), 'đ', 'd')"
        shows = (
            f"regexp_matches({name}, '{HIDDEN}')"
            f" OR coalesce(contains({folded}, p.name), false) OR {folded} IN (FROM known_names)"
        )
        return Column(field.name, f"CASE WHEN {shows} THEN NULL ELSE {name} END", checked=True)
    return Column(field.name, name)
