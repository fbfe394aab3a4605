"""The release gate: may a database go out tonight? Decided only from counts and from the staged Parquet.

A database is withheld when a `stop` rule fails more often than its tolerance, a rule did not run, GX finds
in the Parquet another number of failing rows than we did, or the gate could not judge it. The others
go out: one database never blocks another.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from datasach import settings
from datasach.spec.project import Project
from datasach.spec.rule import Rule
from datasach.store.layout import Layout
from datasach.store.warehouse import Warehouse
from datasach.validate.kinds import code_list
from datasach.validate.validate import NotRun

CAN_EXPRESS = frozenset({"required", "in_set", "in_list", "between", "pattern", "not_after"})


class StagedFile(Protocol):
    """What the gate needs to know of a staged table."""

    @property
    def path(self) -> Path: ...
    @property
    def rows(self) -> int: ...


@dataclass(slots=True)
class Verdicts:
    withheld: dict[str, str]
    """Database → why it may not go out."""
    results: list[dict[str, Any]] = field(default_factory=list)
    """Every expectation with both counts; the certificate page shows them."""
    gx_version: str = ""

    @property
    def checks(self) -> int:
        return len(self.results)

    @property
    def failed(self) -> int:
        return sum(not passed(one) for one in self.results)


def passed(result: dict[str, Any]) -> bool:
    """GX ran it, GX accepts it, and GX counts what we count."""
    agrees = (
        result["unexpected_count"] is None
        or result["ours"] is None
        or result["unexpected_count"] == result["ours"]
    )
    return bool(result["success"] and not result["raised"] and agrees)


def judge(
    warehouse: Warehouse,
    project: Project,
    layout: Layout,
    staged: Mapping[str, StagedFile],
    not_run: list[NotRun],
    until: date,
) -> Verdicts:
    """Reads   the staged Parquet, checks.metrics, checks.findings, checks.held
    Writes  a request and GX's answer in a scratch folder
    """
    scratch = layout.scratch("gate")
    request = scratch / "request.json"
    request.write_text(
        json.dumps(
            {
                "scratch": str(scratch),
                "threads": warehouse.threads,
                "tables": [
                    _table(warehouse, project, t, s)
                    for t, s in staged.items()
                    if t in project.tables and s.rows
                ],
                "metrics": _metrics(warehouse, project, not_run),
            }
        ),
        "utf-8",
    )
    answer = _GATE.ask(request, layout.state)
    if answer.get("error"):
        reason = f"the gate could not judge ({answer['error']})"
        return Verdicts(dict.fromkeys(project.databases, reason), gx_version=answer.get("gx", ""))
    withheld: dict[str, str] = {}
    for result in answer["results"]:
        if not passed(result):
            database = str(result["about"]).split(".")[0]
            withheld.setdefault(database, _reason(result))
    return Verdicts(withheld, answer["results"], answer["gx"])


def _reason(result: dict[str, Any]) -> str:
    rule, about = result["rule"], result["about"]
    if result["raised"]:
        return f"{about}: {rule} could not be checked"
    if result["success"]:
        return f"{about}: {rule} fails {result['unexpected_count']} times by the gate, {result['ours']} by us"
    return f"{about}: {rule} does not hold ({result['expectation']})"


def _table(
    warehouse: Warehouse, project: Project, table_id: str, staged: StagedFile
) -> dict[str, Any]:
    table = project.tables[table_id]
    failed = dict(
        warehouse.rows(
            "SELECT rule, count(*) FROM checks.findings f ANTI JOIN checks.held h"
            f" USING (table_id, _file, _row) WHERE table_id = '{table_id}' GROUP BY rule"
        )
    )
    key = table.key
    if table.is_enveloped:
        # An episode has one summary; its lines may repeat a number, which a rule flags, not the gate.
        key = ["_facility", "ma_lk"] if table.fields_from in ("XML0", "XML1") else ["_file", "_row"]
    described = warehouse.rows(f"DESCRIBE SELECT * FROM read_parquet('{staged.path}')")
    return {
        "id": table_id,
        "path": str(staged.path),
        "rows": staged.rows,
        "columns": [row[0] for row in described],
        "key": key,
        "checks": [
            check
            for rule in project.rules
            if rule.table == table_id and (check := _expressible(project, rule, failed)) is not None
        ],
    }


def _expressible(project: Project, rule: Rule, failed: dict[str, int]) -> dict[str, Any] | None:
    """The rule in the request's words; None where GX could not say the same (conditions, joins)."""
    if (
        rule.kind not in CAN_EXPRESS
        or rule.when
        or rule.vintages
        or rule.valid_from
        or rule.valid_to
    ):
        return None
    parameters = rule.parameters
    field_name = str(parameters["field"])
    if rule.kind == "between" and project.tables[rule.table].field(field_name).type not in (
        "integer",
        "decimal",
    ):
        return None
    check: dict[str, Any] = {
        "rule": rule.id, "field": field_name, "severity": rule.severity,
        "failed": failed.get(rule.id, 0), "kind": rule.kind,
    }  # fmt: skip
    if rule.kind == "in_list":
        name = parameters.get("list") or project.tables[rule.table].field(field_name).list
        check |= {"kind": "in_set", "values": code_list(project, str(name))}
    elif rule.kind == "in_set":
        check["values"] = parameters["values"]
    elif rule.kind == "pattern":
        check["matches"] = parameters["matches"]
    elif rule.kind == "not_after":
        check["other"] = parameters["other"]
    elif rule.kind == "between":
        check |= {"low": parameters.get("low"), "high": parameters.get("high")}
    return check


def _metrics(warehouse: Warehouse, project: Project, not_run: list[NotRun]) -> list[dict[str, Any]]:
    """For every database the share of every stop rule with its tolerance, rules that did not run, books out of balance."""
    shares = {
        (table, rule): failed / tested if tested else 0.0
        for table, rule, tested, failed in warehouse.rows(
            "SELECT table_id, rule, sum(tested), sum(failed) FROM checks.metrics GROUP BY ALL"
        )
    }
    metrics: list[dict[str, Any]] = []
    for database in project.databases:
        missing = sum(one.table.split(".")[0] == database for one in not_run)
        off = warehouse.value(
            f"SELECT count(*) FROM checks.books WHERE split_part(table_id, '.', 1) = '{database}'"
            " AND read <> accepted + quarantined + rejected + superseded + duplicate"
        )
        rows = [
            {"about": database, "rule": "RULES_NOT_RUN", "value": float(missing), "at_most": 0.0},
            {"about": database, "rule": "BOOKS_OFF", "value": float(off), "at_most": 0.0},
        ]
        rows += [
            {
                "about": r.table,
                "rule": r.id,
                "value": shares.get((r.table, r.id), 0.0),
                "at_most": r.tolerance,
            }
            for r in project.rules
            if r.severity == "stop" and r.database == database
        ]
        metrics += rows
    return metrics + _two_ids(warehouse, project)


def _two_ids(warehouse: Warehouse, project: Project) -> list[dict[str, Any]]:
    """How many persons with two different personal ids, which no judgement joined, each database would show."""
    found: dict[str, int] = dict(
        warehouse.rows(
            "SELECT split_part(table_id, '.', 1), count(DISTINCT person_id) FROM link.id_conflicts GROUP BY 1"
            " UNION ALL SELECT 'persons', count(DISTINCT person_id) FROM link.id_conflicts"
        )
    )
    return [
        {"about": d, "rule": "TWO_PERSONAL_IDS", "value": float(found.get(d, 0)), "at_most": 0.0}
        for d in (*project.databases, "persons")
    ]


class _GateProcess:
    """GX in a process that is started when first asked and serves until the command ends."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def ask(self, request: Path, state: Path) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "datasach.validate.gx"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True, env=settings.quiet_environment(state),
            )  # fmt: skip
            atexit.register(self.stop)
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(f"{request}\n")
            self._process.stdin.flush()
            answered = self._process.stdout.readline().strip() == "done"
        except BrokenPipeError:
            answered = False
        if not answered:
            return {"error": "the gate process ended", "results": []}
        answer: dict[str, Any] = json.loads(request.with_suffix(".result.json").read_text("utf-8"))
        return answer

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)


_GATE = _GateProcess()
