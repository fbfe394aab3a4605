"""What a table really looks like: fill, patterns, extremes, suspicious values — and rules it suggests.

For the person who writes rules. Values of restricted fields are never shown: their shapes are
("9" a digit, "A" a capital, "a" a small letter), which is what a rule needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from datasach.spec.contract import Field, Table
from datasach.store.warehouse import Warehouse, sql_name

FEW = 15
"""So many distinct values look like a code list."""
NEARLY_ALL = 0.995
PLACEHOLDERS = ("N/A", "NULL", "NONE", "KHONG", "KHÔNG", "X", "XX", "-", ".", "1900-01-01")
"""Values that often mean "nothing was entered" (own knowledge)."""
NUMERIC = ("integer", "decimal")
DATED = ("date", "datetime")


@dataclass(frozen=True, slots=True)
class FieldProfile:
    field: Field
    rows: int
    filled: int
    distinct: int
    top: list[tuple[str, int]]
    """Commonest values of a general field, commonest shapes of a restricted one."""
    shapes: list[tuple[str, int]]
    low: str | None
    high: str | None
    """0.1 and 99.9 per cent points of numbers, first and last day of dates."""
    placeholders: int

    @property
    def fill(self) -> float:
        return self.filled / self.rows if self.rows else 0.0


def profile(warehouse: Warehouse, table: Table) -> list[FieldProfile]:
    """One profile per field of `standard.<table>`, in the contract's order."""
    name = f"standard.{sql_name(table.id)}"
    warehouse.execute(f"CREATE OR REPLACE TEMP TABLE profiled AS SELECT * FROM {name}")
    rows = int(warehouse.value("SELECT count(*) FROM profiled"))
    return [_field(warehouse, field, rows) for field in table.fields]


def _field(warehouse: Warehouse, field: Field, rows: int) -> FieldProfile:
    column = f'"{field.name}"'
    text = f"CAST({column} AS VARCHAR)"
    filled, distinct = warehouse.rows(
        f"SELECT count({column}), count(DISTINCT {column}) FROM profiled"
    )[0]
    shape = f"regexp_replace(regexp_replace(regexp_replace({text}, '[0-9]', '9', 'g'), '\\p{{Lu}}', 'A', 'g'), '\\p{{Ll}}', 'a', 'g')"
    shapes = _commonest(warehouse, shape, column)
    is_open = field.classification == "general"
    low = high = None
    if filled and field.type in NUMERIC:
        low, high = warehouse.rows(
            f"SELECT CAST(quantile_disc({column}, 0.001) AS VARCHAR), CAST(quantile_disc({column}, 0.999) AS VARCHAR) FROM profiled"
        )[0]
    elif filled and field.type in DATED and is_open:
        low, high = warehouse.rows(
            f"SELECT CAST(min({column}) AS VARCHAR), CAST(max({column}) AS VARCHAR) FROM profiled"
        )[0]
    listed = ", ".join("'" + word + "'" for word in PLACEHOLDERS)
    placeholders = warehouse.value(
        f"SELECT count(*) FROM profiled WHERE upper({text}) IN ({listed})"
    )
    top = _commonest(warehouse, text, column) if is_open else shapes
    return FieldProfile(
        field, rows, filled, distinct, top, shapes, low, high, int(placeholders or 0)
    )


def _commonest(warehouse: Warehouse, expression: str, column: str) -> list[tuple[str, int]]:
    return [
        (str(value), int(count))
        for value, count in warehouse.rows(
            f"SELECT {expression}, count(*) AS n FROM profiled WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1 LIMIT {FEW}"
        )
    ]


def as_text(table: Table, profiles: list[FieldProfile]) -> str:
    """The profile as a person reads it: one line per field, suspicious things marked with `!`."""
    lines = [f"{table.id}: {profiles[0].rows if profiles else 0:,} rows", ""]
    lines.append(f"{'field':24}{'fill':>8}{'distinct':>10}  commonest (shape where restricted)")
    for one in profiles:
        common = ", ".join(f"{value[:24]} ×{count}" for value, count in one.top[:3])
        bounds = f"  [{one.low} … {one.high}]" if one.low is not None else ""
        marks = "".join(f"  ! {word}" for word in _suspicions(one))
        lines.append(
            f"{one.field.name:24}{one.fill:8.1%}{one.distinct:10,}  {common}{bounds}{marks}"
        )
    return "\n".join(lines)


def _suspicions(one: FieldProfile) -> Iterator[str]:
    if one.filled and one.placeholders / one.filled > 0.01:
        yield f"{one.placeholders} placeholders"
    if one.filled >= 50 and one.distinct == 1:
        yield "always the same"
    if one.field.presence == "required" and one.rows and one.fill < NEARLY_ALL:
        yield f"{one.rows - one.filled} blank though required"
    if (
        len(one.shapes) > 1
        and one.field.type not in ("text", "name")
        and one.shapes[0][1] > NEARLY_ALL * one.filled
    ):
        yield f"{one.filled - one.shapes[0][1]} of another shape than {one.shapes[0][0]}"


def suggested_rules(table: Table, profiles: list[FieldProfile]) -> str:
    """Drafts of rules in YAML, never switched on by themselves: a person gives them a number, a basis and words."""
    drafts = [draft for one in profiles for draft in _drafts(table, one)]
    head = "# Suggested by `datasach profile`. Drafts: check the sentence, the basis and both examples before use.\nrules:\n"
    return head + "\n".join(drafts)


def _drafts(table: Table, one: FieldProfile) -> Iterator[str]:
    name = one.field.name
    if one.rows >= 50 and one.fill >= NEARLY_ALL and one.field.presence != "required":
        yield _yaml(
            table, name, "required", "", f"filled in {one.fill:.2%} of {one.rows} rows", "x", None
        )
    plain_codes = (
        one.field.type in ("code", "key")
        and one.field.list is None
        and one.field.classification == "general"
    )
    if plain_codes and one.filled >= 50 and 1 < one.distinct <= FEW:
        values = [value for value, _ in one.top]
        listed = ", ".join(f'"{v}"' for v in sorted(values))
        yield _yaml(
            table,
            name,
            "in_set",
            f"\n    values: [{listed}]",
            f"{one.distinct} values in {one.filled} rows",
            values[0],
            "?",
        )
    elif (
        one.shapes
        and one.filled >= 50
        and one.field.type in ("key", "code", "identifier", "card")
        and one.shapes[0][1] >= NEARLY_ALL * one.filled
    ):
        matches = _pattern(one.shapes[0][0])
        example = one.shapes[0][0].replace("A", "B").replace("a", "b")
        yield _yaml(
            table,
            name,
            "pattern",
            f'\n    matches: "{matches}"',
            f"{one.shapes[0][1]} of {one.filled} have this shape",
            example,
            "?",
        )
    if one.low is not None and one.field.type in NUMERIC and one.filled >= 200:
        yield _yaml(
            table,
            name,
            "between",
            f'\n    low: "{one.low}"\n    high: "{one.high}"',
            "0.1 and 99.9 per cent points",
            one.low,
            "-999999999",
        )


def _pattern(shape: str) -> str:
    """Regular expression of a shape.

    >>> _pattern("A99.9")
    '[A-Z][0-9]{2}[.][0-9]'
    """
    classes = {"9": "[0-9]", "A": "[A-Z]", "a": "[a-z]"}
    result, position = "", 0
    while position < len(shape):
        letter = shape[position]
        run = len(shape[position:]) - len(shape[position:].lstrip(letter))
        result += classes.get(letter, f"[{letter}]") + (f"{{{run}}}" if run > 1 else "")
        position += run
    return result


def _yaml(
    table: Table, name: str, kind: str, parameters: str, seen: str, good: str, bad: str | None
) -> str:
    wrong = "null" if bad is None else f'"{bad}"'
    return f"""  - id: XXX-000
    tables: ["{table.id}"]
    says: "{name} …"
    vi: "{table.field(name).title.vi} …"
    fix: {{vi: "…", en: "…"}}
    kind: {kind}
    field: {name}{parameters}
    dimension: {"completeness" if kind == "required" else "conformity"}
    severity: flag
    because: "seen in the data: {seen}; own proposal"
    confidence: low
    examples:
      good: {{row: {{{name}: "{good}"}}}}
      bad: {{row: {{{name}: {wrong}}}}}
"""
