"""Every rule of a project compiled, once: validation, scores and the checks of a project ask again and again."""

from __future__ import annotations

from functools import lru_cache

from datasach.errors import SpecError
from datasach.spec.project import Project
from datasach.spec.rule import Rule
from datasach.validate import form as form_kind
from datasach.validate import recorded as recorded_kind
from datasach.validate.kinds import Check, check_of
from datasach.validate.sandbox import RuleProblem


@lru_cache(maxsize=2)
def compiled(project: Project) -> dict[tuple[str, str], Check]:
    """(rule id, table id) → its SQL.

    Raises SpecError naming file and line of every rule that does not compile: a night does not begin
    with a rule that cannot be run.
    """
    checks: dict[tuple[str, str], Check] = {}
    wrong: list[str] = []
    for rule in project.rules:
        try:
            checks[rule.id, rule.table] = check_of(project, rule)
        except RuleProblem as problem:
            wrong.append(f"rules: {rule.file}:{rule.line}: {rule.id} on {rule.table}: {problem}")
    if wrong:
        raise SpecError("\n".join(wrong))
    return checks


_ = form_kind, recorded_kind  # importing them is what makes their kinds known


def compiled_check(project: Project, rule: Rule) -> Check:
    return compiled(project)[rule.id, rule.table]


@lru_cache(maxsize=2)
def by_table(project: Project) -> dict[str, list[tuple[Rule, Check]]]:
    """Table id → its rules with their SQL, in the order they were declared."""
    checks = compiled(project)
    tables: dict[str, list[tuple[Rule, Check]]] = {table: [] for table in project.tables}
    for rule in project.rules:
        tables[rule.table].append((rule, checks[rule.id, rule.table]))
    return tables
