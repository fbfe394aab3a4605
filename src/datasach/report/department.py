"""A Department of Health's question: which of my facilities are late or failing, and what is most common?

One answer for the province's page and for `datasach department`: the night's site keeps it as
`data/province-<code>.json`, and the command prints that. No names of people, no keys of records.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from datasach.errors import DatasachError
from datasach.report import numbers
from datasach.report.book import Book
from datasach.report.facility_page import causes
from datasach.report.national_pages import silent_units
from datasach.report.places import Place, Unit
from datasach.spec.rule import Rule

COMMON = 10
FAILING = 15
REFUSED = ("rejected", "rows_rejected")
Answer = dict[str, Any]


def department(book: Book, place: Place) -> Answer:
    """Late facilities, the longest silent first; failing ones, worst first; rules most facilities break."""
    tonight = book.country.tonight
    failing = [f for unit in place.units if (f := _failing(book, unit))]
    failing.sort(key=lambda f: (-f["refused"], -f["kept_back"], -f["overdue"], f["facility"]))
    return {
        "night": tonight,
        "province": place.id,
        "name": place.name,
        "sent": sum(tonight in u.evenings for u in place.units if not u.authority),
        "expected": sum(bool(u.expected) for u in place.units),
        "late": [
            {"facility": u.id, "name": u.name or u.id, "nights": u.silent, "last": u.last}
            for u in silent_units(book, place.units)
        ],
        "failing": failing,
        "common": _common(book, place),
    }


def _failing(book: Book, unit: Unit) -> Answer | None:
    """Numbers of a facility whose last night was not all taken, or that has tasks past their day."""
    evening = unit.evenings[unit.last] if unit.last else None
    kept_back = evening.counts.quarantined + evening.counts.rejected if evening else 0
    refused = sum(evening.outcomes[name] for name in REFUSED) if evening else 0
    tasks = book.tasks.get(unit.id, [])
    overdue = sum(task.state == "overdue" for task in tasks)
    if not (kept_back or refused or overdue):
        return None
    return {
        "facility": unit.id, "name": unit.name or unit.id, "night": unit.last, "refused": refused,
        "kept_back": kept_back, "read": evening.counts.read if evening else 0, "tasks": len(tasks),
        "overdue": overdue,
    }  # fmt: skip


def _common(book: Book, place: Place) -> list[Answer]:
    facilities: dict[str, int] = defaultdict(int)
    failed: dict[str, int] = defaultdict(int)
    held: dict[str, int] = defaultdict(int)
    rules: dict[str, Rule] = {}
    uncounted = set()
    for unit in place.units:
        for cause in causes(book.quality.failing.get(unit.id, [])):
            name = cause.rule.id
            rules[name] = cause.rule
            facilities[name] += 1
            failed[name] += sum(f.failed for f in cause.found)
            held[name] += cause.held
            # How many records of a sensitive database there are must not be told by its failures.
            if any(f.rule.rule.database in book.words.verdicts.sensitive for f in cause.found):
                uncounted.add(name)
    ranked = sorted(facilities, key=lambda n: (-facilities[n], -held[n], -failed[n], n))
    return [
        {
            "rule": name, "severity": rules[name].severity, "vi": rules[name].vi, "en": rules[name].says,
            "fix": {"vi": rules[name].fix.vi, "en": rules[name].fix.en}, "facilities": facilities[name],
            "failed": None if name in uncounted else failed[name],
            "held": None if name in uncounted else held[name],
        }
        for name in ranked[:COMMON]
    ]  # fmt: skip


def write_answers(book: Book, folder: Path) -> None:
    for place in book.country.places.values():
        if place.units:
            text = json.dumps(department(book, place), ensure_ascii=False, indent=1, sort_keys=True)
            (folder / f"province-{place.id}.json").write_text(text + "\n", "utf-8")


def read_answer(out: Path, province: str) -> Answer:
    """What the newest site says of a province.

    Raises DatasachError if there is no site, or nothing came from the province.
    """
    data = out / "reports/latest/data"
    path = data / f"province-{province}.json"
    if not data.is_dir():
        raise DatasachError(f"{out}: no night has been reported here yet")
    if not province.isalnum() or not path.is_file():
        known = ", ".join(
            sorted(p.stem.removeprefix("province-") for p in data.glob("province-*.json"))
        )
        raise DatasachError(
            f'no facility of province "{province}" is known here; there are {known}'
        )
    found: Answer = json.loads(path.read_text("utf-8"))
    return found


def department_text(said: Answer) -> str:
    lines = [
        f"{said['name']}, đêm {numbers.day(said['night'])}: {said['sent']} trong {said['expected']} cơ sở dự kiến đã gửi.",
        f"{said['sent']} of {said['expected']} expected facilities sent.",
        "",
        f"Chưa gửi đêm nay · Late ({len(said['late'])})",
    ]
    for one in said["late"]:
        last = numbers.day(one["last"]) if one["last"] else "chưa lần nào · never"
        lines.append(
            f"  {one['facility']}  {one['nights']:3} đêm · nights; lần cuối · last {last}; {one['name']}"
        )
    lines += ["", f"Có sai sót hoặc việc quá hạn · Failing or overdue ({len(said['failing'])})"]
    for one in said["failing"][:FAILING]:
        lines.append(
            f"  {one['facility']}  {one['refused']:3} tệp bị từ chối · files rejected; {numbers.vi(one['kept_back'])}/"
            f"{numbers.vi(one['read'])} dòng giữ hoặc từ chối · rows held or rejected; {one['overdue']}/{one['tasks']}"
            f" việc quá hạn · tasks overdue; {one['name']}"
        )
    if len(said["failing"]) > FAILING:
        lines.append(f"  … (+{len(said['failing']) - FAILING})")
    lines += ["", "Lỗi phổ biến nhất · Most common"]
    for number, one in enumerate(said["common"], 1):
        count = "" if one["failed"] is None else f", {numbers.vi(one['failed'])} lần · times"
        lines += [
            f"{number:3}. {one['rule']}  {one['facilities']} cơ sở · facilities{count}",
            f"     {one['vi']}", f"     {one['en']}",
            f"     Sửa: {one['fix']['vi']} · Mend: {one['fix']['en']}",
        ]  # fmt: skip
    return "\n".join(lines)
