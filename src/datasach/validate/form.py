"""Form rules: what a contract promises of every field, checked without a line of YAML.

    REQ-<field>   a field that is always expected is filled
    LST-<field>   a code is in its code list
    RDB-<field>   what was sent could be read as the field's type, in the standard's form; a text, as letters;
                  no number is below 0, no date before 1900 or half a century ahead
    LEN-<field>   a text is no longer than QĐ 3176 allows

There are about a thousand of them, so they are not evaluated one by one: three queries a table; most of
RDB standardising has already answered. A field that a YAML rule asks the same of is left to it.
"""

from __future__ import annotations

from datasach.spec.contract import Table
from datasach.spec.project import Project
from datasach.spec.rule import Rule
from datasach.store.warehouse import Warehouse, sql_name
from datasach.validate.context import Check, Context, code_list, kind

CHANGED = {
    "readable": ("unreadable", "date_form", "impossible_day"),
    "legible": ("control", "question_marks", "garbled", "double_utf8", "tcvn3", "vni"),
}
"""Check → reasons of changes that mean: not as the standard writes it. Standardising has answered them."""


@kind
def form(ctx: Context, field: str, check: str) -> Check:
    """A promise of the contract: `check` is filled, listed, readable, legible or length. Declared by contracts, not
    in rule files. Only `filled` asks blank values."""
    ctx.column(field)
    return Check("true", "false", fields=(field,))


def evaluate_form(warehouse: Warehouse, project: Project, table: Table, rules: list[Rule]) -> None:
    """Reads   current.<table>, standard.changes
    Writes  rows of the temp tables `asked` and `broken` (see validate.evaluate)
    """
    if not rules:
        return
    scanned = [rule for rule in rules if _violated(project, table, rule)]
    name = sql_name(table.id)
    _ask(warehouse, table, name, rules)
    if scanned:
        tests = ", ".join(
            f"CASE WHEN {_violated(project, table, rule)} THEN '{rule.id}' END" for rule in scanned
        )
        warehouse.execute(
            f"INSERT INTO broken SELECT '{table.id}', _file, _row, _key, _facility, unnest(failed), 'flag' FROM"
            f" (SELECT _file, _row, _key, _facility, list_filter([{tests}], lambda x: x IS NOT NULL) AS failed"
            f" FROM current.{name}) WHERE len(failed) > 0"
        )
    for check, reasons in CHANGED.items():
        fields = [r.parameters["field"] for r in rules if r.parameters["check"] == check]
        if fields:
            any_reason = " OR ".join(f"contains(';' || h.reason || ';', ';{r};')" for r in reasons)
            listed = ", ".join(f"'{field}'" for field in sorted(fields))
            warehouse.execute(
                f"INSERT INTO broken SELECT DISTINCT '{table.id}', c._file, c._row, c._key, c._facility,"
                f" 'RDB-' || h.field, 'flag' FROM standard.changes h JOIN current.{name} c"
                " ON c._file = h._file AND c._row = h._row ANTI JOIN broken b ON b.table_id = h.table_id"
                " AND b._file = h._file AND b._row = h._row AND b.rule = 'RDB-' || h.field"
                f" WHERE h.table_id = '{table.id}' AND h.field IN ({listed}) AND ({any_reason})"
            )


def _ask(warehouse: Warehouse, table: Table, name: str, rules: list[Rule]) -> None:
    """How many rows each rule asks, by facility and channel: all for `filled`, those with a value for the rest."""
    fields = sorted({rule.parameters["field"] for rule in rules})
    counts = ", ".join(f'count("{field}") AS "{field}"' for field in fields)
    rows = warehouse.rows(
        f"SELECT _facility, _channel, count(*), {counts} FROM current.{name} GROUP BY ALL ORDER BY ALL"
    )
    at = {field: 3 + i for i, field in enumerate(fields)}
    asked = [
        (
            table.id,
            rule.id,
            row[0],
            row[1],
            row[2] if rule.parameters["check"] == "filled" else row[at[rule.parameters["field"]]],
        )
        for row in rows
        for rule in rules
    ]
    warehouse.append("asked", ("table_id", "rule", "facility", "channel", "tested"), asked)


def _violated(project: Project, table: Table, rule: Rule) -> str:
    """Condition over a row; empty where the changes of standardising are all there is to ask."""
    column = f'"{rule.parameters["field"]}"'
    field = table.field(rule.parameters["field"])
    match rule.parameters["check"]:
        case "filled":
            return f"{column} IS NULL"
        case "length":
            return f"length(CAST({column} AS VARCHAR)) > {field.max_length}"
        case "readable" if field.type in ("integer", "decimal"):
            return f"{column} < 0"
        case "readable" if field.type in ("date", "datetime"):
            return f"{column} NOT BETWEEN DATE '1900-01-01' AND _night + INTERVAL 50 YEAR"
        case "readable" | "legible":
            return ""
        case _:
            codes = ", ".join(
                "'" + code.replace("'", "''") + "'" for code in code_list(project, field.list or "")
            )
            return f"{column} IS NOT NULL AND {column} NOT IN ({codes})"
