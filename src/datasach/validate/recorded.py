"""Rules about what other rooms wrote down: a file that could not be read, two persons made one, a late run.

They have a denominator and a failing count like every rule, by facility; but no record breaks them, so they
hold nothing back and leave no finding: the receipt, the review list or the ledger already names the case.
A rule stands on the table of the database it is counted for. Where that table is fed by one channel, only
facts of this channel are counted; facts that belong to a database are counted for it alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from datasach.spec.load import suggestion
from datasach.spec.project import Project
from datasach.spec.rule import Rule
from datasach.store.warehouse import Warehouse
from datasach.validate.context import Check, Context, kind, text
from datasach.validate.facts import FACTS, Facts
from datasach.validate.sandbox import RuleProblem, only_an_expression

RECORDED = "recorded"
Row = dict[str, str | None]


@kind
def recorded(ctx: Context, facts: str, holds: str, where: str | None = None) -> Check:
    """Of every fact of `facts` (see validate/facts.py) for which `where` is true, the SQL condition holds. Where
    it is NULL the fact is not asked. Counted by facility; no record is held and none is found."""
    _asked_and_broken(facts, holds, where)
    return Check("true", "false")


def _asked_and_broken(name: str, holds: str, where: str | None) -> tuple[str, str]:
    facts = FACTS.get(name)
    if facts is None:
        raise RuleProblem(f'there are no facts "{name}"{suggestion(name, FACTS)}')
    for sql in (holds, *([where] if where else [])):
        for ref in only_an_expression(sql):
            if ref[-1] not in facts.columns or len(ref) != 1:
                raise RuleProblem(
                    f'{name} have no column "{".".join(ref)}"{suggestion(ref[-1], facts.columns)}'
                )
    asked = f"({holds}) IS NOT NULL" + (f" AND coalesce(({where}), false)" if where else "")
    return asked, f"{asked} AND NOT ({holds})"


def _of(rule: Rule) -> tuple[str, str, str]:
    """(facts, asked, broken) of a rule that compiled."""
    p = rule.parameters
    return str(p["facts"]), *_asked_and_broken(str(p["facts"]), str(p["holds"]), p.get("where"))


def count_recorded(
    warehouse: Warehouse, project: Project, rules: Iterable[Rule]
) -> list[tuple[Rule, duckdb.Error]]:
    """Reads   what FACTS read
    Writes  rows of the temp tables `asked` and `noted` (see validate.evaluate)
    Returns rules that could not be counted, with the error.
    """
    failed: list[tuple[Rule, duckdb.Error]] = []
    by_facts: dict[str, list[Rule]] = {}
    for rule in rules:
        by_facts.setdefault(str(rule.parameters["facts"]), []).append(rule)
    for name, asking in by_facts.items():
        try:
            warehouse.execute(
                f"CREATE OR REPLACE TEMP TABLE fact_rows AS {FACTS[name].sql(project)}"
            )
        except duckdb.Error as error:
            failed += [(rule, error) for rule in asking]
            continue
        for rule in asking:
            try:
                _count(warehouse, project, rule)
            except duckdb.Error as error:
                failed.append((rule, error))
    warehouse.execute("DROP TABLE IF EXISTS fact_rows; DROP TABLE IF EXISTS counted")
    return failed


def _count(warehouse: Warehouse, project: Project, rule: Rule) -> None:
    _, asked, broken = _of(rule)
    warehouse.execute(
        f"CREATE OR REPLACE TEMP TABLE counted AS SELECT facility, count(*) FILTER ({asked}) AS tested,"
        f" count(*) FILTER ({broken}) AS failed FROM fact_rows WHERE {_belongs(project, rule)} GROUP BY facility"
    )
    place = f"{text(rule.table)}, {text(rule.id)}, facility"
    warehouse.execute(
        f"INSERT INTO asked SELECT {place}, NULL, tested FROM counted WHERE tested > 0"
    )
    warehouse.execute(f"INSERT INTO noted SELECT {place}, failed FROM counted WHERE failed > 0")


def _belongs(project: Project, rule: Rule) -> str:
    table = project.tables[rule.table]
    mine = f"(database IS NULL OR database = {text(table.database)})"
    if table.channel in (None, "any"):
        return mine
    return f"{mine} AND (channel IS NULL OR channel = {text(str(table.channel))})"


def judge_fact(con: duckdb.DuckDBPyConnection, rule: Rule, row: Row) -> tuple[bool, bool]:
    """(asked, broken) of a rule's example: one fact, its values as texts; what is not said is NULL."""
    name, asked, broken = _of(rule)
    facts = FACTS[name]
    unknown = [column for column in row if column not in facts.columns]
    if unknown:
        raise RuleProblem(f'an example uses "{unknown[0]}", which {name} do not have')
    found = con.execute(
        f"SELECT coalesce(({asked}), false), coalesce(({broken}), false) FROM (SELECT {_typed(facts, row)})"
    ).fetchone()
    assert found is not None
    return bool(found[0]), bool(found[1])


def _typed(facts: Facts, row: Row) -> str:
    return ", ".join(
        f'CAST({text(value) if (value := row.get(column)) is not None else "NULL"} AS {kind_of}) AS "{column}"'
        for column, kind_of in facts.columns.items()
    )
