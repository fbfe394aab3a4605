"""What one facility's page shows: did our data arrive, and what do we mend first?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from datasach.report.book import Book, Context, receipt_link
from datasach.report.counts import Counts
from datasach.report.desk import issued_to
from datasach.report.national_pages import level_titles
from datasach.report.places import KINDS_SHOWN, Unit
from datasach.report.quality import Failing
from datasach.report.receipt_page import fix_first
from datasach.report.render import say
from datasach.report.words import Tone
from datasach.spec.rule import Rule

FIX_FIRST = 5
STRIP_NIGHTS = 30
EVENINGS_SHOWN = 31
TASKS_SHOWN = 20
MOVES_SHOWN = 8
UP = "../"


@dataclass(slots=True)
class Cause:
    """One rule a facility violates, over all its tables: a mistake sent through two channels is one."""

    rule: Rule
    found: list[Failing] = field(default_factory=list)

    @property
    def held(self) -> int:
        return sum(f.held for f in self.found)


def causes(failing: list[Failing]) -> list[Cause]:
    """By rule, in the order of urgency of its most urgent table."""
    by_rule: dict[str, Cause] = {}
    for one in failing:
        by_rule.setdefault(one.rule.rule.id, Cause(one.rule.rule)).found.append(one)
    return list(by_rule.values())


def facility(book: Book, name: str) -> Context:
    unit = book.country.units[name]
    failing = book.quality.failing.get(name, [])
    tone, sentence = _status(book, unit)
    evenings = [unit.evenings[n] for n in sorted(unit.evenings, reverse=True)[:EVENINGS_SHOWN]]
    hidden = set(book.words.verdicts.sensitive)
    return {
        "unit": unit,
        "place": book.country.places[unit.place],
        "tone": tone,
        "sentence": sentence,
        "counts": unit.counts,
        "failing": failing,
        "tasks": book.tasks.get(name, [])[:TASKS_SHOWN],
        "tasks_open": len(book.tasks.get(name, [])),
        "tasks_late": sum(task.state == "overdue" for task in book.tasks.get(name, [])),
        "hidden": hidden,
        "last_night": _last_night(book, unit, hidden),
        "strip_data": [
            (night, unit.evenings[night].tone if night in unit.evenings else None)
            for night in book.country.nights[-STRIP_NIGHTS:]
        ],
        "evenings": [{"evening": e, "link": receipt_link(e.night, name, UP)} for e in evenings],
        "late_share": _share(book, name),
        "nights": unit.nights,
        "kind_nights": [e for e in evenings if e.night in book.country.nights[-KINDS_SHOWN:]],
        "levels": level_titles(book),
        "expected_vi": f" trên {unit.expected} đêm dự kiến" if unit.expected else "",
        "expected_en": f" of {unit.expected} expected" if unit.expected else "",
        "scores": book.scores("", name),
        "against_peers": _against_peers(book, unit),
        "hist_nights": book.history.nights,
        "filled": book.identity_filled.get(name, []),
        "rule_ids": book.quality.groups,
        "kinds": book.words.data.kinds,
        "kind_sums": unit.kinds,
        "moves": book.moved.moves.get(name, [])[:MOVES_SHOWN],
        "databases": [
            {"spec": d, "records": book.records(d.id, name), "scores": book.scores(d.id, name)}
            for d in book.databases
            if book.knows(d.id, name)
        ],
        "visits": book.channels.facilities.get(name),
        "differing": book.channels.by_facility.get(name, [])[:8],
    }


def _share(book: Book, name: str) -> Any:
    """The facility's `song`: records that came in time."""
    return next(score for score in book.scores("", name) if score.pillar == "song")


def _against_peers(book: Book, unit: Unit) -> list[dict[str, Any]]:
    """Each score over the nights with the median of similar facilities; none where there is no line to draw."""
    found = []
    for score in book.scores("", unit.id):
        own = book.history.of_facility(unit.id, score.pillar) if score.tone != "none" else []
        if sum(value is not None for value in own) < 2:
            continue
        peers, same_level = book.history.of_peers(unit.level, score.pillar)
        found.append({
            "score": score, "own": own, "peers": peers, "same_level": same_level,
            "peer_now": next((v for v in reversed(peers) if v is not None), None),
            "now": next(v for v in reversed(own) if v is not None),
            "rows": list(zip(book.history.nights, own, peers or [None] * len(own), strict=True)),
        })  # fmt: skip
    return found


def _last_night(book: Book, unit: Unit, hidden: set[str]) -> Context | None:
    """What is to be mended of the last night in which it sent: the receipts' own list, without places."""
    if unit.last is None:
        return None
    issued = issued_to(book.night.layout.root, unit.last, unit.id)
    if not issued:
        return None  # taken away when their time was over (datasach retain)
    found = fix_first(issued)
    for cause in found:
        cause["counted"] = not any(table.split(".")[0] in hidden for table in cause["tables"])
    link = receipt_link(unit.last, unit.id, UP)
    return {"night": unit.last, "causes": found[:FIX_FIRST], "all": len(found), "link": link}


def _status(book: Book, unit: Unit) -> tuple[Tone, Any]:
    """One sentence about the last night something came."""
    if unit.last is None:
        return "none", say(
            "Đơn vị này chưa tự gửi tệp nào; dữ liệu về đơn vị do nơi khác gửi.",
            "This unit has sent no file of its own; what is known of it was sent by others.",
        )
    evening = unit.evenings[unit.last]
    counts: Counts = evening.counts
    if unit.silent and unit.expected:
        return "watch", say(
            "Đã {n} đêm chưa nhận được tệp nào; lần gửi cuối là đêm {d}.",
            "Nothing has come for {n} nights; the last delivery was in the night of {d}.",
            n=unit.silent, d=_day(unit.last),
        )  # fmt: skip
    refused = evening.outcomes["rejected"] + evening.outcomes["rows_rejected"]
    if refused:
        return evening.tone, say(
            "Đêm {d} nhận {f} tệp: {r} tệp bị từ chối; {a} trong {n} dòng được chấp nhận.",
            "Night of {d}: {f} files came, {r} were rejected; {a} of {n} rows were accepted.",
            d=_day(unit.last), f=evening.files, r=refused, a=counts.accepted, n=counts.read,
        )  # fmt: skip
    if counts.quarantined + counts.rejected:
        return evening.tone, say(
            "Đêm {d} nhận {f} tệp: {a} trong {n} dòng được chấp nhận, {q} dòng bị giữ lại hoặc từ chối.",
            "Night of {d}: {f} files came; {a} of {n} rows were accepted, {q} are held or rejected.",
            d=_day(unit.last), f=evening.files, a=counts.accepted, n=counts.read,
            q=counts.quarantined + counts.rejected,
        )  # fmt: skip
    return evening.tone, say(
        "Đêm {d} nhận đủ {f} tệp, {a} dòng được chấp nhận, không dòng nào bị giữ.",
        "Night of {d}: {f} files came, {a} rows were accepted, none is held.",
        d=_day(unit.last), f=evening.files, a=counts.accepted,
    )  # fmt: skip


def _day(night: str) -> str:
    return f"{night[8:]}/{night[5:7]}"
