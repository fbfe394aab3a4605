"""What the page of one sender's night shows: its receipts, troubled ones in full."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from markupsafe import Markup

from datasach.report.cells import spans
from datasach.report.counts import FATES, Counts, total
from datasach.report.places import folder_of
from datasach.report.words import TONES, Tone, worst

FULL_FILES, FULL_ITEMS, LISTED = 40, 600, 500
"""Files in full, their findings, files listed: what one page takes. The JSON always says everything."""
FIRST = 8
PLACES_SHOWN = 10


def receipt_context(
    night: str,
    sender: str,
    name: str | None,
    payloads: list[dict[str, Any]],
    workbook: str | None = None,
) -> dict[str, Any]:
    counts = [Counts(*(p["counts"][name] for name in ("read", *FATES))) for p in payloads]
    rows: list[dict[str, Any]] = [
        {"receipt": p, "counts": c} for p, c in zip(payloads, counts, strict=True)
    ]
    rows.sort(
        key=lambda r: (TONES.index(r["receipt"]["outcome"]["tone"]), r["receipt"]["file"]["name"])
    )
    troubled = [r for r in rows if _says_more(r["receipt"])]
    full = _in_full(troubled)
    tones: list[Tone] = [p["outcome"]["tone"] for p in payloads]
    return {
        "night": night,
        "sender": sender,
        "name": name,
        "sender_id": folder_of(sender),
        "rows": rows[:LISTED],
        "files": len(rows),
        "full": full,
        "left_out": len(troubled) - len(full),
        "counts": total(counts),
        "tone": worst(tones),
        "refused": sum(p["outcome"]["id"] in ("rejected", "rows_rejected") for p in payloads),
        "fix_first": fix_first(payloads),
        "first": FIRST,
        "places": places,
        "workbook": workbook,
    }


def places(named: list[dict[str, Any]], count: int) -> Markup:
    """Where it happened: MA_LK (row), or the line, or the number of the record in its envelope."""
    shown = [_place(one) for one in named[:PLACES_SHOWN]]
    more = " …" if count > len(shown) else ""
    return Markup('<span class="places">{}{}</span>').format(Markup(", ").join(shown), more)


def _place(one: dict[str, Any]) -> Markup:
    row = one.get("row")
    if "ma_lk" in one:
        return Markup("<code>{}</code> ({})").format(one["ma_lk"], row)
    for key, vi, en in (
        ("line", "dòng", "line"),
        ("unit", "hồ sơ", "record"),
        ("row", "dòng", "row"),
    ):
        if key in one:
            return Markup("{} {}").format(spans(vi, en), one[key])
    return Markup("")


def _says_more(payload: dict[str, Any]) -> bool:
    parts = ("reason", "findings", "rejects", "notes", "not_current")
    return any(payload[part] for part in parts)


def _in_full(troubled: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first files whose findings fit on a page that still opens on a telephone."""
    full: list[dict[str, Any]] = []
    items = 0
    for row in troubled[:FULL_FILES]:
        receipt = row["receipt"]
        items += len(receipt["findings"]) + len(receipt["rejects"]) + len(receipt["notes"])
        if full and items > FULL_ITEMS:
            break
        full.append(row)
    return full


def fix_first(payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Causes over all files of the night, those that hold or refuse most rows first, each with the
    places its receipts name."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    files: dict[tuple[str, str], int] = defaultdict(int)
    for payload in payloads:
        causes = [
            (("rule", f["rule"]), f, f["count"], f["held"], f["severity"])
            for f in payload["findings"]
        ]
        causes += [
            (("code", r["code"]), r, r["rows"], r["rows"], "reject") for r in payload["rejects"]
        ]
        # A signature that does not hold concerns the file, not its rows: no count, and first of its kind.
        causes += [
            (("code", n["code"]), n, 0, 0, "flag")
            for n in payload["notes"]
            if n["code"].startswith("SIG_")
        ]
        if payload["reason"] and payload["outcome"]["id"] == "rejected":
            causes.append((("code", payload["reason"]["code"]), payload["reason"], 0, 0, "reject"))
        for key, cause, times, held, severity in causes:
            one = found.setdefault(
                key,
                {"id": key[1], "vi": cause["vi"], "en": cause["en"], "fix": cause["fix"],
                 "severity": severity, "is_rule": key[0] == "rule", "times": 0, "held": 0, "places": [], "tables": set()},
            )  # fmt: skip
            one["times"] += times
            one["held"] += held
            one["places"] += cause.get("places") or []
            one["tables"] |= {cause["table"]} if "table" in cause else set()
        for key in {c[0] for c in causes}:
            files[key] += 1
    for key, one in found.items():
        one["files"] = files[key]
    order = {"reject": 0, "stop": 0, "quarantine": 1, "flag": 2}
    return sorted(
        found.values(),
        key=lambda c: (order[c["severity"]], c["times"] > 0, -c["held"], -c["times"], c["id"]),
    )
