"""spoil(): any field of any table of a clean night, by classes of mistakes that need no knowledge of the field.

The generator of this folder plants what a person would think of, in the tables of a visit. This one goes
over every field of all tables there are: what was read is spoiled row by row before it is standardised, at
most one field of a row and of a third of the rows, so that what is said about a row can only be about that field.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pyarrow as pa

from datasach.pipeline.step import Night
from datasach.spec.contract import Field, Table

Spoiler = Callable[[str], str | None]
"""The value as sent → a wrong one; None where it cannot be made wrong in this way."""
Place = tuple[str, str, int]
"""Table, file, row."""
GARBLED = "Đau bụng dữ dội".encode().decode("cp1252", "ignore")


@dataclass
class Spoiled:
    """(field, class of mistake) by place."""

    places: dict[Place, tuple[str, str]] = field(default_factory=dict)


def _digits(length: int, change: Callable[[str], str]) -> Spoiler:
    return lambda v: change(v) if v[:length].isdigit() and len(v) >= length else None


def _number(change: Callable[[str], str]) -> Spoiler:
    return lambda v: change(v) if v.strip("0.") and v.replace(".", "").isdigit() else None


def ways(one: Field) -> Iterator[tuple[str, Spoiler]]:
    """Classes of mistakes an auditor would call wrong whatever the field means."""
    if one.presence == "required":
        yield "blank", lambda v: ""
    if one.type in ("date", "datetime", "birth"):
        yield "impossible day", _digits(8, lambda v: v[:4] + "0231" + v[8:])
        yield "before 1900", _digits(8, lambda v: "1826" + v[4:])
    if one.type in ("integer", "decimal"):
        yield "negative", _number(lambda v: "-" + v)
        yield "decimal comma", lambda v: "1.234,56"
        yield "letters for a number", lambda v: "abc"
    if one.type == "sex" or (one.type in ("code", "codes") and one.list):
        yield "not in the list", lambda v: "Z9Q"
    if one.type in ("text", "name"):
        yield "lost letters", lambda v: "Nguy?n V?n Th?ng"
        yield "garbled", lambda v: GARBLED
        if one.max_length and one.max_length < 5000:
            yield "too long", lambda v, n=one.max_length: "x" * (n + 1)  # type: ignore[misc]


def spoil(night: Night, seed: int) -> Spoiled:
    """Spoil the raw parts of a night that was read and not yet standardised."""
    rng, result = Random(seed), Spoiled()
    used: Counter[tuple[str, str, str]] = Counter()
    for table in night.project.tables.values():
        for part in sorted(
            path
            for b in night.ledger.batches("raw")
            if (path := night.layout.raw(table.id, b)).exists()
        ):
            _spoil_part(part, table, rng, used, result)
    return result


def _spoil_part(
    part: Path, table: Table, rng: Random, used: Counter[tuple[str, str, str]], result: Spoiled
) -> None:
    with pa.ipc.open_file(part) as reader:
        schema, columns = reader.schema, reader.read_all().to_pydict()
    rows = list(range(len(columns["_row"])))
    rng.shuffle(rows)
    rows = rows[: max(1, len(rows) // 3)]
    jobs = [(one.name, name, way) for one in table.fields for name, way in ways(one)]
    rng.shuffle(jobs)
    jobs.sort(key=lambda job: used[table.id, job[0], job[1]])
    for name, kind, way in jobs:
        for row in rows[-8:]:
            wrong = way(columns[name][row] or "") if columns[name][row] else None
            if wrong is None or wrong == columns[name][row]:
                continue
            columns[name][row] = wrong or None
            result.places[table.id, columns["_file"][row], columns["_row"][row]] = (name, kind)
            used[table.id, name, kind] += 1
            rows.remove(row)
            break
    with pa.ipc.new_file(str(part), schema) as writer:
        writer.write_table(
            pa.table({n: pa.array(columns[n], schema.field(n).type) for n in schema.names}, schema)
        )
