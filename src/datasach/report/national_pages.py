"""What the national page, a database's page and a province's page show."""

from __future__ import annotations

from collections import Counter
from typing import Any

from datasach.report.book import Book, Context
from datasach.report.charts import Column
from datasach.report.counts import Counts, Share, total
from datasach.report.numbers import Percent, day, short_day
from datasach.report.places import Place, Unit, folder_of
from datasach.report.render import rule_path, say
from datasach.report.rules_page import rates, worst_groups
from datasach.report.trends import CAUSE_TITLES
from datasach.report.words import TONES, Tone
from datasach.spec.contract import Title
from datasach.spec.rule import PILLAR_TITLES

NIGHTS_DRAWN = 31
LOOK_FIRST = 5
RULES_FIRST = 10
COSTLY = 5


# -- national --------------------------------------------------------------------------------------


def national(book: Book, _: str) -> Context:
    country = book.country
    evenings = country.evenings_tonight()
    outcomes: Counter[str] = sum((e.outcomes for e in evenings), Counter())
    places = sorted(
        country.places.values(),
        key=lambda p: (p.id == "khac", not p.units, -p.counts.read, p.id),
    )
    tone, sentence = _tonight(book)
    return {
        "tone": tone,
        "sentence": sentence,
        "sent": len(country.sent_tonight()),
        "expected": len(country.expected_tonight()),
        "files": sum(e.files for e in evenings),
        "files_refused": outcomes["rejected"] + outcomes["rows_rejected"],
        "files_again": outcomes["duplicate"],
        "counts_tonight": country.of_night(country.tonight).counts,
        "counts": country.counts,
        "persons": book.night.found.get("link", {}).get("persons"),
        "look_first": look_first(book),
        "costly": [
            {"group": g, "rates": rates(book, g.rule.id)} for g in worst_groups(book)[:COSTLY]
        ],
        "tiles": _tiles(book),
        "connected": sum(bool(u.nights) and not u.authority for u in country.units.values()),
        "baseline": next(b.value for b in book.words.baselines.figures if b.id == "facilities"),
        "levels_table": coverage_by_level(book),
        "databases": [_database_row(book, d.id) for d in book.databases],
        "places": [_place_row(book, p) for p in places],
        "columns_data": nights_drawn(book),
        "first_night": country.nights[0],
        "moved": book.moved,
        "unusual": [(move, _page_of(book, move.facility)) for move in book.moved.rarest],
        "cause_titles": CAUSE_TITLES,
        "trend_shown": len(book.history.nights) > 1,
    }


def _tiles(book: Book) -> dict[str, list[dict[str, Any]]]:
    """The provinces where they stand among the tiles, each with tonight's senders and what they earn."""
    tonight = book.country.tonight
    bounds = book.words.verdicts
    found: dict[str, list[dict[str, Any]]] = {}
    for block, spots in (("north", book.words.tiles.north), ("south", book.words.tiles.south)):
        found[block] = []
        for code, (column, row) in sorted(spots.items(), key=lambda item: (item[1][1], item[1][0])):
            place = book.country.places[code]
            expected = sum(bool(u.expected) for u in place.units)
            sent = sum(tonight in u.evenings for u in place.units if not u.authority)
            tone: Tone = bounds.tone("song", sent / expected) if expected else "none"
            found[block].append(
                {"place": place, "column": column, "row": row, "sent": sent, "expected": expected, "tone": tone}
            )  # fmt: skip
    return found


def coverage_by_level(book: Book) -> list[dict[str, Any]]:
    """Facilities by level: registered, ever sent, sent tonight."""
    titles = level_titles(book)
    tonight = book.country.tonight
    sums: dict[str, list[int]] = {}
    for unit in book.country.units.values():
        if unit.authority or not (unit.registered or unit.nights):
            continue
        row = sums.setdefault(unit.level if unit.level in titles else "", [0, 0, 0])
        row[0] += unit.registered
        row[1] += bool(unit.nights)
        row[2] += tonight in unit.evenings
    unknown = Title(vi="Chưa rõ cấp", en="Level unknown")
    return [
        {"title": titles.get(level, unknown), "registered": a, "connected": b, "tonight": c}
        for level, (a, b, c) in sorted(sums.items(), key=lambda item: (item[0] == "", item[0]))
    ]


def _page_of(book: Book, facility: str) -> str | None:
    unit = book.country.units.get(facility)
    return f"cskcb/{folder_of(facility)}.html#khac-thuong" if unit and book.has_page(unit) else None


def _tonight(book: Book) -> tuple[Tone, Any]:
    """The first sentence of the report: may the data be used tonight?"""
    databases, withheld = len(book.databases), len(book.gate.withheld)
    when = day(book.country.tonight)
    if withheld:
        return "bad", say(
            "Đêm {d}: {n} trong {m} cơ sở dữ liệu bị giữ tại cổng, chưa công bố.",
            "Night of {d}: {n} of {m} databases are held at the gate.",
            d=when, n=withheld, m=databases,
        )  # fmt: skip
    if book.not_run:
        return "concern", say(
            "Đêm {d}: đã công bố {m} cơ sở dữ liệu, nhưng có {n} phép kiểm tra không chạy được.",
            "Night of {d}: {m} databases are released, but {n} checks did not run.",
            d=when, n=len(book.not_run), m=databases,
        )  # fmt: skip
    return "good", say(
        "Đêm {d}: cả {m} cơ sở dữ liệu qua cổng và được công bố.",
        "Night of {d}: all {m} databases passed the gate and are released.",
        d=when, m=databases,
    )  # fmt: skip


def look_first(book: Book) -> list[dict[str, Any]]:
    """At most `LOOK_FIRST` things a leader should look at, the gravest first."""
    found: list[dict[str, Any]] = []
    for database in book.databases:
        reason = book.held_reason(database.id)
        if reason:
            found.append(_item(
                "bad",
                say("{t} bị giữ tại cổng. {r}", "{e} is held at the gate. {x}",
                    t=database.title.vi, r=reason.vi, e=database.title.en, x=reason.en),
                f"db/{database.id}.html",
            ))  # fmt: skip
    if book.not_run:
        found.append(_item(
            "concern",
            say("{n} phép kiểm tra không chạy được đêm nay.", "{n} checks did not run tonight.", n=len(book.not_run)),
            "dem.html#khong-chay",
        ))  # fmt: skip
    silent = silent_units(book, list(book.country.units.values()))
    if silent:
        found.append(_item(
            "watch",
            say("{n} cơ sở dự kiến gửi nhưng đêm nay chưa gửi; lâu nhất là {m} đêm.",
                "{n} facilities were expected but sent nothing tonight; the longest silence is {m} nights.",
                n=len(silent), m=silent[0].silent),
            "#tinh",
        ))  # fmt: skip
    evenings = book.country.evenings_tonight()
    refused = [n for e in evenings if (n := e.outcomes["rejected"] + e.outcomes["rows_rejected"])]
    if refused:
        found.append(_item(
            "watch",
            say("{n} tệp bị từ chối đêm nay, của {m} đơn vị gửi.", "{n} files were rejected tonight, from {m} senders.",
                n=sum(refused), m=len(refused)),
            "#tinh",
        ))  # fmt: skip
    for group in worst_groups(book)[:2]:
        if group.held:
            found.append(_item(
                "concern",
                say("{i} giữ lại {n} dòng: {v}", "{i} holds {n} rows: {e}",
                    i=group.rule.id, n=group.held, v=group.rule.vi, e=group.rule.says),
                rule_path(group.rule.id),
            ))  # fmt: skip
    found += _weak_scores(book)
    if book.channels.nation.different:
        found.append(_item(
            "watch",
            say("{n} trong {m} lượt khám gửi hai kênh khác nhau về nội dung.",
                "{n} of {m} visits sent through both channels differ.",
                n=book.channels.nation.different, m=book.channels.nation.both),
            "hai-kenh.html",
        ))  # fmt: skip
    found.sort(key=lambda item: TONES.index(item["tone"]))
    return found[:LOOK_FIRST]


def _weak_scores(book: Book) -> list[dict[str, Any]]:
    """Databases with a score nobody should build on."""
    return [
        _item(
            "bad",
            say("{t}: điểm “{p}” {v}, không dùng được.", "{e}: the score “{q}” is {v}, unusable.",
                t=d.title.vi, p=PILLAR_TITLES[s.pillar].vi.lower(), e=d.title.en,
                q=PILLAR_TITLES[s.pillar].en.lower(), v=Percent(s.value or 0.0)),
            f"db/{d.id}.html",
        )
        for d in book.databases for s in book.scores(d.id) if s.tone == "bad"
    ]  # fmt: skip


def _item(tone: Tone, text: Any, link: str) -> dict[str, Any]:
    return {"tone": tone, "text": text, "link": link}


def silent_units(book: Book, units: list[Unit]) -> list[Unit]:
    """Expected tonight, nothing came; longest silence first."""
    missing = [u for u in units if u.expected and book.country.tonight not in u.evenings]
    return sorted(missing, key=lambda u: (-u.silent, u.id))


def _database_row(book: Book, database: str) -> dict[str, Any]:
    spec = book.night.project.databases[database]
    return {
        "spec": spec,
        "records": book.records(database),
        "scores": book.scores(database),
        "held_reason": book.held_reason(database),
        "trend": book.trends(database)["dung"],
    }


def _place_row(book: Book, place: Place) -> dict[str, Any]:
    tonight = book.country.tonight
    return {
        "place": place,
        "sent": sum(tonight in u.evenings for u in place.units if not u.authority),
        "expected": sum(bool(u.expected) for u in place.units),
        "units": sum(book.has_page(u) for u in place.units),
        "counts": place.counts,
        "scores": book.scores("", place.id),
    }


def nights_drawn(book: Book, place: str = "") -> list[Column]:
    """Rows by night of arrival; apart: what was held or rejected."""
    found = []
    for night in book.country.nights[-NIGHTS_DRAWN:]:
        counts = book.country.of_night(night, place).counts
        found.append(Column(short_day(night), counts.read, counts.quarantined + counts.rejected))
    return found


# -- database --------------------------------------------------------------------------------------


def database(book: Book, name: str) -> Context:
    spec = book.night.project.databases[name]
    published = book.manifest.get("databases", {}).get(name, {"state": "new", "tables": {}})
    rules = [r for r in book.quality.rules.values() if r.rule.database == name]
    failing = sorted((r for r in rules if r.failed), key=lambda r: (-r.held, -r.failed, r.rule.id))
    counts = {t: c for t, c in book.table_counts.items() if t.split(".")[0] == name}
    return {
        "spec": spec,
        "held_reason": book.held_reason(name),
        "scores": book.scores(name),
        "tone": book.quality.scores.tone(name),
        "trends": book.trends(name),
        "current": book.records(name),
        "tables": [
            {
                "table": table,
                "counts": counts.get(table.id, Counts()),
                "published": published["tables"].get(table.name, {"rows": 0})["rows"],
                "told": book.quality.scores.tells(table.id),
            }
            for table in spec.tables.values()
        ],
        "counts": total(counts.values()),
        "rules": rules,
        "failing": failing[:RULES_FIRST],
        "not_run": [r for r in rules if r.not_run],
        "filled": [
            (table, table.field(field), book.quality.filled[(table.id, field)].get("", Share()))
            for table in spec.tables.values()
            for field in table.priority
            if (table.id, field) in book.quality.filled and book.quality.tells_fill(table.id, field)
        ],
        "places": [
            {"place": p, "records": book.records(name, p.id), "scores": book.scores(name, p.id)}
            for p in book.country.places.values()
            if book.knows(name, p.id)
        ],
        "snapshot": book.manifest.get("snapshot"),
    }


def level_titles(book: Book) -> dict[str, Title]:
    """Code of a facility's level → its name."""
    lists = book.night.project.reference("code_lists")
    rows = lists.filter(lists["list"] == "FACILITY_LEVEL").rows(named=True)
    return {row["code"]: Title(vi=row["label_vi"], en=row["label_en"]) for row in rows}
