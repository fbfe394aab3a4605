"""What a run says of itself at the end: a dozen lines an operator reads at 02:00."""

from __future__ import annotations

from typing import Any

SHOWN = 5
"""Senders named on a line; all stand in runs/<run>.json."""


def summary(outcome: Any) -> str:
    """Text of one run's outcome (a `runners.local.Outcome`)."""
    found = outcome.found
    read, linked, checked = found["extract"], found["link"], found["validate"]
    channels = found["reconcile"]
    lines = [
        f"snapshot   {outcome.snapshot}"
        + ("" if outcome.is_new else "  (unchanged: nothing to publish)"),
        f"files      {found['arrive']['new_files']} new",
        f"rows       {read['rows']} read, {read['rejected']} rejected while reading",
        f"persons    {linked['persons']} from {linked['records']} records; {linked['possible_pairs']} pairs to review",
        "channels   " + ", ".join(f"{count} {state}" for state, count in channels.items()),
        f"checks     {checked['rules']} rules, {checked['findings']} findings, {checked['held']} rows held,"
        f" {checked['not_run']} rules not run",
        f"gate       {found['gate']['checks']} checks, {found['gate']['failed']} failed",
    ]
    if found["corrections"]:
        told = ", ".join(f"{n} {outcome}" for outcome, n in found["corrections"].items())
        lines.insert(4, f"corrected  {told}")
    moved = ", ".join(
        f"{linked[name]} {name}"
        for name in ("merged", "split", "identified", "restored")
        if linked[name]
    )
    if moved:
        lines.insert(4, f"ids        {moved}")
    if linked["contradictions"]:
        lines.append(
            f"CONTRADICTION  {linked['contradictions']} judgements cannot be true beside others: datasach review --out …"
        )
    lines += _gaps(found["coverage"])
    if found["extract"]["deaths"]:
        lines.append(
            f"readers    {found['extract']['deaths']} reading processes died of what they read"
        )
    if outcome.mostly_poison:
        cover = found["coverage"]
        lines.append(
            f"STOPPED    {cover['unreadable']} of {cover['files']} files could not be read: nothing was released,"
            " readers keep the last release (datasets/_night.yaml)"
        )
        return "\n".join([*lines, f"report     {outcome.report}"])
    for database in outcome.withheld:
        lines.append(f"WITHHELD   {database}: readers keep its last release")
    lines.append(f"report     {outcome.report}")
    return "\n".join(lines)


def _gaps(coverage: dict[str, Any]) -> list[str]:
    """What was due and is not there, and what came late."""
    lines = []
    for state, words in (("MISSING", "did not come"), ("REJECTED", "could not be read")):
        named = [f"{g['sender']}/{g['source']}" for g in coverage["gaps"] if g["state"] == state]
        if named:
            more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
            lines.append(
                f"DEGRADED   {len(named)} of {coverage['due']} due {words}: {', '.join(named[:SHOWN])}{more}"
            )
    for night, files in coverage["late"].items():
        lines.append(f"late       {files} files for {night}, now part of it")
    return lines
