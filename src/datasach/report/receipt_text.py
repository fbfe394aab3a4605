"""Receipts as plain text, for a terminal: Vietnamese first, English below it.

The order and the numbers are those of the receipt's page (`receipt_page.fix_first`); the places of a
cause (MA_LK, line) stand under it, so this text is for the sender alone, as its receipts are.
"""

from __future__ import annotations

from typing import Any

from datasach.report import numbers
from datasach.report.counts import FATE_TITLES, FATES
from datasach.report.receipt_page import fix_first

PLACES_SAID = 10
SEVERITY_WORDS = {
    "reject": ("TỪ CHỐI", "REJECTED"),
    "stop": ("CHẶN", "STOP"),
    "quarantine": ("GIỮ LẠI", "HELD"),
    "flag": ("CẢNH BÁO", "WARNING"),
}
Payload = dict[str, Any]


def receipts_text(payloads: list[Payload]) -> str:
    """Every file with its outcome and counts, then what to mend."""
    blocks = [_file(one) for one in payloads]
    return "\n\n".join([*blocks, fix_text(payloads)])


def _file(one: Payload) -> str:
    counts = one["counts"]
    told = " + ".join(
        f"{FATE_TITLES[fate].vi.lower()} {numbers.vi(counts[fate])}" for fate in FATES
    )
    lines = [
        f"{one['file']['name']}   {one['outcome']['word']['vi']} · {one['outcome']['word']['en']}",
        f"   {one['outcome']['vi']}",
        f"   {one['outcome']['en']}",
        f"   đã đọc {numbers.vi(counts['read'])} = {told}",
    ]
    if one["reason"]:
        detail = f" ({one['reason']['detail']})" if one["reason"].get("detail") else ""
        lines += [
            f"   {one['reason']['code']}{detail}: {one['reason']['vi']}",
            f"   {one['reason']['en']}",
        ]
    for note in one["notes"]:
        lines.append(f"   ghi chú · note {note['code']}: {note['vi']} · {note['en']}")
    for old in one["not_current"]:
        how_many = "; ".join(
            f"{numbers.vi(old[name])} {word}"
            for name, word in (("units", "hồ sơ · records"), ("rows", "dòng · rows"))
            if old[name]
        )
        lines.append(f"   {how_many}: {old['code']} {old['vi']} · {old['en']}")
    return "\n".join([*lines, f"   → {one['next']['vi']} · {one['next']['en']}"])


def fix_text(payloads: list[Payload]) -> str:
    """What to mend, gravest first: how often, how many rows it holds, where, and how."""
    causes = fix_first(payloads)
    if not causes:
        return "Không có gì phải sửa. · Nothing to mend."
    lines = [f"Sửa trước · Mend first ({len(causes)})"]
    for number, cause in enumerate(causes, 1):
        vi, en = SEVERITY_WORDS[cause["severity"]]
        lines += [
            "",
            f"{number:2}. [{vi} · {en}] {cause['id']}  {cause['vi']}",
            f"    {cause['en']}",
            f"    {_how_often(cause)}",
        ]
        if cause["places"]:
            lines.append(f"    ở · at  {_places(cause['places'], cause['times'])}")
        lines += [f"    Sửa: {cause['fix']['vi']}", f"    Mend: {cause['fix']['en']}"]
    return "\n".join(lines)


def _how_often(cause: dict[str, Any]) -> str:
    said = []
    if cause["times"]:
        said.append(f"{numbers.vi(cause['times'])} lần · times")
    if cause["held"]:
        said.append(f"{numbers.vi(cause['held'])} dòng không được nhận · rows not taken")
    said.append(f"{numbers.vi(cause['files'])} tệp · files")
    return "; ".join(said)


def _places(places: list[dict[str, Any]], count: int) -> str:
    shown = [place_text(one) for one in places[:PLACES_SAID]]
    more = f", … (+{numbers.vi(count - len(shown))})" if count > len(shown) else ""
    return ", ".join(shown) + more


def place_text(place: dict[str, Any]) -> str:
    """One place of a receipt as text.

    >>> place_text({"ma_lk": "LK001", "row": 3}), place_text({"line": 7})
    ('LK001 (3)', 'dòng 7')
    """
    if "ma_lk" in place:
        return f"{place['ma_lk']} ({place['row']})"
    for key, word in (("line", "dòng"), ("unit", "hồ sơ"), ("row", "dòng")):
        if key in place:
            return f"{word} {place[key]}"
    return ""
