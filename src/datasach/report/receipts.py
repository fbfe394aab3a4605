"""Receipts: what a sender gets back for every file, as JSON for software and as a page for people.

    receipts/<night>/<sender>/<receipt>.json    one per file
    receipts/<night>/<sender>/index.html        all files of the sender's night
    receipts/<night>/<sender>/bien-nhan.xlsx    the same to work through, where something is to be mended

The content depends on the data and the declarations alone: no clock, no run id, everything sorted. A
receipt whose content changes (its rows were superseded, a gate opened) is issued again under the same id
with the next version and the night that changed it. MA_LK and line numbers stand here and nowhere else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from datasach.report import numbers
from datasach.report.counts import Counts
from datasach.report.deliveries import Content, Delivery, Finding
from datasach.report.night import Night
from datasach.report.words import Code, Words
from datasach.signing.verdict import PLAIN
from datasach.spec.rule import Rule

SEVERITY_ORDER = {"stop": 0, "quarantine": 1, "flag": 2}
Payload = dict[str, Any]


def outcome_of(delivery: Delivery, counts: Counts, flags: int, withheld: frozenset[str]) -> str:
    """Key of `outcomes.yaml`: what the sender is told, worked out from where its rows are."""
    if delivery.state == "DUPLICATE":
        return "duplicate"
    if delivery.state == "REJECTED" or all(
        c.facts["state"] == "REJECTED" for c in delivery.contents
    ):
        return "rejected"
    if any(c.facts["state"] in ("RECEIVED", "VERIFIED", "INGESTED") for c in delivery.contents):
        return "in_progress"
    if counts.read == 0:
        return "empty"
    if counts.rejected == counts.read:
        return "rows_rejected"
    if counts.accepted == 0:
        if counts.quarantined:
            return "held"
        return "superseded" if counts.superseded else "duplicate" if counts.duplicate else "held"
    open_tables = [
        t for t, c in delivery.tables.items() if c.accepted and t.split(".")[0] not in withheld
    ]
    if not open_tables:
        return "waiting_gate"
    refused = any(c.facts["state"] == "REJECTED" for c in delivery.contents)
    if counts.quarantined or counts.rejected or refused:
        return "partially_accepted"
    return "accepted_with_warnings" if flags else "accepted"


class Receipts:
    """Builds and writes the receipts of a night."""

    def __init__(
        self, night: Night, words: Words, deliveries: list[Delivery], withheld: Iterable[str]
    ) -> None:
        self._words = words
        self._withheld = frozenset(withheld)
        self._deliveries = deliveries
        self._rules: dict[tuple[str, str], Rule] = {
            (rule.id, rule.table): rule for rule in night.project.rules
        }
        self._fields = {
            (rule, table): fields
            for rule, table, fields in night.warehouse.rows(
                "SELECT rule, table_id, fields FROM checks.rules"
            )
        }
        self._titles = {table.id: table.title for table in night.project.tables.values()}
        self.outcomes: dict[int, str] = {}
        """Offer → outcome, filled by `payloads`."""

    def payloads(self) -> dict[tuple[str, str], list[Payload]]:
        """(night, sender) → its receipts in the order of arrival."""
        found: dict[tuple[str, str], list[Payload]] = defaultdict(list)
        for delivery in self._deliveries:
            found[(delivery.night, delivery.sender)].append(self._payload(delivery))
        return dict(found)

    def _payload(self, delivery: Delivery) -> Payload:
        counts = delivery.counts
        findings = self._findings(delivery.contents)
        flags = sum(one["count"] for one in findings if one["severity"] == "flag")
        signature = _signature(delivery.contents)
        flags += sum(_is_doubtful(c) for c in delivery.contents)
        outcome = outcome_of(delivery, counts, flags, self._withheld)
        self.outcomes[delivery.offer] = outcome
        words = self._words.outcomes[outcome]
        said = {**counts._asdict(), "flags": flags}
        first = delivery.contents[0].facts if delivery.contents else {}
        if not first and delivery.copies:
            first = delivery.copies[0][1].facts
        return {
            "receipt": delivery.receipt,
            "night": delivery.night,
            "sender": delivery.sender,
            "file": {
                "name": delivery.name,
                "bytes": delivery.size,
                "sha256": delivery.sha256,
                "members": _members(delivery),
            },
            "source": first.get("source"),
            "channel": first.get("channel"),
            "declared_on": first.get("declared_on"),
            "vintage": first.get("vintage"),
            "signature": self._code(signature or first.get("signature")),
            "state": delivery.state,
            "outcome": {
                "id": outcome,
                "tone": words.tone,
                "word": _title(words.word.vi, words.word.en),
                "vi": words.vi.format(**{k: numbers.vi(v) for k, v in said.items()}),
                "en": words.en.format(**{k: numbers.en(v) for k, v in said.items()}),
            },
            "next": _title(words.next.vi, words.next.en),
            "reason": self._reason(delivery, outcome),
            "duplicate_of": self._twin(delivery),
            "units": {
                "said": _sum(delivery.contents, "units_said"),
                "read": _sum(delivery.contents, "units_read"),
            },
            "counts": counts._asdict(),
            "tables": self._tables(delivery),
            "held_with_parent": sum(c.held_with_parent for c in delivery.contents),
            "rejects": self._rejects(delivery.contents),
            "findings": findings,
            "notes": self._notes(delivery.contents),
            "not_current": self._not_current(delivery.contents),
        }

    def _tables(self, delivery: Delivery) -> list[Payload]:
        return [
            {
                "table": table,
                "title": _title(title.vi, title.en) if (title := self._titles.get(table)) else None,
                "released": table.split(".")[0] not in self._withheld,
                **counts._asdict(),
            }
            for table, counts in sorted(delivery.tables.items())
        ]

    @staticmethod
    def _twin(delivery: Delivery) -> Payload | None:
        twin = delivery.twin
        return None if twin is None else {**twin._asdict(), "own": twin.sender == delivery.sender}

    def _reason(self, delivery: Delivery, outcome: str) -> Payload | None:
        """Why a file was not taken, where one code says it all."""
        if delivery.code is not None and delivery.state in ("REJECTED", "DUPLICATE"):
            # The offer carries the code, the content what was found there.
            details = (delivery.detail, *(c.facts["detail"] for c in delivery.contents))
            return self._code(delivery.code, detail=next((d for d in details if d), None))
        if outcome == "rejected" and delivery.contents:
            facts = delivery.contents[0].facts
            return self._code(facts["code"], detail=facts["detail"])
        return None

    def _code(self, code: str | None, **more: Any) -> Payload | None:
        if code is None:
            return None
        word: Code = self._words.code(code)
        return {
            "code": code,
            "vi": word.vi,
            "en": word.en,
            "fix": _title(word.fix.vi, word.fix.en),
            **more,
        }

    def _notes(self, contents: list[Content]) -> list[Payload]:
        times: dict[str, int] = defaultdict(int)
        for content in contents:
            for note in content.notes:
                times[note] += 1
            for code, units in content.problems.items():
                # What was refused stands under rejects, what a rule judges under findings.
                if self._words.code(code).level == "note":
                    times[code] += units
        return [self._code(code, times=times[code]) or {} for code in sorted(times)]

    def _not_current(self, contents: list[Content]) -> list[Payload]:
        units: dict[str, int] = defaultdict(int)
        rows: dict[str, int] = defaultdict(int)
        for content in contents:
            for one in content.not_current:
                units[one.code] += one.units
                rows[one.code] += one.rows
        return [
            self._code(code, units=units[code], rows=rows[code]) or {} for code in sorted(units)
        ]

    def _rejects(self, contents: list[Content]) -> list[Payload]:
        return [
            self._code(one.code, table=one.table, rows=one.rows, places=one.places) or {}
            for content in contents
            for one in content.rejects
        ]

    def _findings(self, contents: list[Content]) -> list[Payload]:
        found = [self._finding(one) for content in contents for one in content.findings]
        found.sort(
            key=lambda f: (
                SEVERITY_ORDER.get(f["severity"], 9), -f["held"], -f["count"], f["rule"], f["table"]
            )
        )  # fmt: skip
        return found

    def _finding(self, one: Finding) -> Payload:
        rule = self._rules.get((one.rule, one.table))
        return {
            "rule": one.rule,
            "table": one.table,
            "severity": one.severity,
            "fields": self._fields.get((one.rule, one.table), ""),
            "count": one.times,
            "held": one.held,
            "vi": rule.vi if rule else one.rule,
            "en": rule.says if rule else one.rule,
            "fix": _title(rule.fix.vi, rule.fix.en) if rule else _title("", ""),
            "places": one.places,
        }


def _is_doubtful(content: Content) -> bool:
    """Read, though its signature does not hold."""
    code = content.facts["signature"]
    return code not in (None, *PLAIN) and content.facts["state"] != "REJECTED"


def _signature(contents: list[Content]) -> str | None:
    """Of several contents, the signature there is something to say about."""
    codes = sorted({c.facts["signature"] for c in contents if c.facts["signature"]})
    return next((code for code in codes if code not in PLAIN), codes[0] if codes else None)


def _members(delivery: Delivery) -> list[Payload]:
    """Contents of an archive, own and already known; empty for a plain file."""
    named = [(c.facts["member"] or "", c, False) for c in delivery.contents]
    named += [(member, c, True) for member, c in delivery.copies]
    if len(named) == 1 and not named[0][0]:
        return []
    return [
        {"name": name, "sha256": c.facts["sha256"], "code": c.facts["code"], "known": known}
        for name, c, known in sorted(named, key=lambda n: (n[0], n[1].facts["sha256"]))
    ]


def _title(vi: str, en: str) -> dict[str, str]:
    return {"vi": vi, "en": en}


def _sum(contents: list[Content], fact: str) -> int | None:
    values = [c.facts[fact] for c in contents if c.facts[fact] is not None]
    return sum(values) if values else None
