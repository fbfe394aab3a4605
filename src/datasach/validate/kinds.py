"""The kinds of rule. Each says, in SQL over one row `r`, when the row is a violation and what NULL means.

A kind returns a `Check`: `applies` (the row is asked at all: the denominator) and `violated` (never NULL
where `applies` is true), with joins for kinds that look beyond the row. A new kind is one function in a
module kinds_of_… and one spec test; its docstring is what docs/reference/rules.md prints.
"""

from __future__ import annotations

import inspect
from typing import Any

from datasach.spec.load import suggestion
from datasach.spec.project import Project
from datasach.spec.rule import Rule
from datasach.validate import kinds_of_groups, kinds_of_lists, kinds_of_row, kinds_of_tables
from datasach.validate.context import KINDS, Check, Context, code_list, own_condition, text
from datasach.validate.sandbox import RuleProblem

__all__ = ["KINDS", "MODULES", "Check", "Context", "RuleProblem", "check_of", "code_list"]

MODULES = (kinds_of_row, kinds_of_groups, kinds_of_tables, kinds_of_lists)
"""Where kinds live; each enters its own in KINDS when it is imported."""


def check_of(project: Project, rule: Rule) -> Check:
    """The rule's check, with its `when` and validity in `applies`.

    Raises RuleProblem when the kind is unknown or the parameters do not fit it.
    """
    function = KINDS.get(rule.kind)
    if function is None:
        raise RuleProblem(f'no kind "{rule.kind}"{suggestion(rule.kind, KINDS)}')
    signature = inspect.signature(function)
    known = [name for name in signature.parameters if name != "ctx"]
    for name in rule.parameters:
        if name not in known:
            raise RuleProblem(f'{rule.kind} takes no "{name}"{suggestion(name, known)}')
    for name, parameter in signature.parameters.items():
        if (
            parameter.default is inspect.Parameter.empty
            and name != "ctx"
            and name not in rule.parameters
        ):
            raise RuleProblem(f'{rule.kind} needs "{name}"')
    ctx = Context(project, rule.table, rule.id, rule.when)
    check = function(ctx, **_typed(signature, rule.parameters))
    conditions = []
    computed = list(check.computed)
    if rule.when:
        when = f"coalesce(({own_condition(ctx, rule.when)}), false)"
        # CASE is evaluated only where its condition is true: a costly expression costs what it must.
        computed = [(name, f"CASE WHEN {when} THEN {sql} END") for name, sql in computed]
        if not check.computed:
            computed.append((ctx.alias("_when"), when))
            conditions.append(f"r.{ctx.alias('_when')}")
    if rule.vintages:
        conditions.append(f"r._vintage IN ({', '.join(text(v) for v in rule.vintages)})")
    if rule.valid_from:
        conditions.append(f"r._event_on >= DATE '{rule.valid_from}'")
    if rule.valid_to:
        conditions.append(f"r._event_on <= DATE '{rule.valid_to}'")
    applies = " AND ".join([*conditions, f"({check.applies})"])
    violated = f"CASE WHEN {applies} THEN {check.violated} ELSE false END"
    return Check(applies, violated, check.joins, check.reads, check.fields, tuple(computed))


def _typed(signature: inspect.Signature, parameters: dict[str, Any]) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    for name, value in parameters.items():
        wants_list = str(signature.parameters[name].annotation).startswith("list[")
        if wants_list and not isinstance(value, list):
            raise RuleProblem(f'"{name}" must be a list')
        if not wants_list and isinstance(value, list):
            raise RuleProblem(f'"{name}" must be one value, not a list')
        typed[name] = value
    return typed
