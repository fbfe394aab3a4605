"""What the report needs of a night, so that this room never imports the one that runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from datasach.spec.project import Project
from datasach.store.layout import Layout
from datasach.store.ledger import Ledger
from datasach.store.warehouse import Warehouse

Progress = Callable[[str], None]


class Night(Protocol):
    """`pipeline.step.Night`, as far as it is read here."""

    @property
    def project(self) -> Project: ...
    @property
    def layout(self) -> Layout: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def warehouse(self) -> Warehouse: ...
    @property
    def until(self) -> date: ...
    @property
    def run(self) -> str: ...
    @property
    def found(self) -> dict[str, Any]: ...
    @property
    def carried(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class GateResult:
    """One check of the release gate: what great-expectations counted and what we counted."""

    about: str
    rule: str
    expectation: str
    column: str | None
    looked_at: int | None
    theirs: int | None
    ours: float | None
    holds: bool
    raised: bool

    @property
    def database(self) -> str:
        return self.about.split(".")[0]


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate's verdicts of the night (`validate.gate.Verdicts`), ready to be printed."""

    withheld: dict[str, str]
    results: list[GateResult] = field(default_factory=list)
    version: str = ""

    @property
    def failed(self) -> int:
        return sum(not one.holds for one in self.results)


def gate_of(night: Night) -> Gate:
    verdicts = night.carried.get("verdicts")
    if verdicts is None:
        return Gate({})
    return Gate(
        dict(verdicts.withheld), [_result(one) for one in verdicts.results], verdicts.gx_version
    )


def _result(one: dict[str, Any]) -> GateResult:
    """Holds = GX ran it, GX accepts it, and GX counts what we count: the gate's own rule, restated
    because this room may not call it; a test holds the two together."""
    theirs, ours = one["unexpected_count"], one["ours"]
    agrees = theirs is None or ours is None or theirs == ours
    return GateResult(
        about=str(one["about"]),
        rule=str(one["rule"]),
        expectation=str(one["expectation"]),
        column=one["column"],
        looked_at=one["element_count"],
        theirs=theirs,
        ours=ours,
        holds=bool(one["success"] and not one["raised"] and agrees),
        raised=bool(one["raised"]),
    )
