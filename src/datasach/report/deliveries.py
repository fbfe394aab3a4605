"""Everything known about files that were offered, gathered by a handful of set-based queries.

A delivery is one row of the ledger's `offers`: a file in somebody's inbox. Its contents are what was
read from it (itself, or the members of an archive); copies are contents that had arrived before, whose
rows count as duplicates here and under their own fate in the delivery that brought them first. So the
sum over deliveries is the books (each content once) plus what was sent again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import polars as pl

from datasach.report.counts import NOTHING, Counts, total
from datasach.report.night import Night
from datasach.store.warehouse import sql_name, sql_text

PLACES = 20
"""Records named per rule and file; the count beside them is always complete."""
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


SAFE_NAME = re.compile(r"[A-Za-z0-9_-]{1,20}")


def folder_of(sender: str) -> str:
    """A sender as it is named outside its own folder. An odd name (which arrival refuses) may be anything,
    a person's too: it gets a number instead."""
    if SAFE_NAME.fullmatch(sender):
        return sender
    return "x-" + hashlib.sha256(sender.encode("utf-8", "backslashreplace")).hexdigest()[:12]


class Finding(NamedTuple):
    """A rule violated in one content: how often, how many rows it holds back, and where."""

    rule: str
    table: str
    severity: str
    times: int
    held: int
    places: list[dict[str, Any]]


class Reject(NamedTuple):
    """Rows of one content refused while reading."""

    code: str
    table: str
    rows: int
    places: list[dict[str, Any]]


class NotCurrent(NamedTuple):
    """Records of one content that are not the ones that count, and why."""

    code: str
    units: int
    """Treatment episodes of an envelope; each brings several rows."""
    rows: int
    """Rows of tables outside envelopes."""


@dataclass(slots=True)
class Content:
    """One row of the ledger's `files`, with what was found in it."""

    facts: dict[str, Any]
    tables: dict[str, Counts] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    problems: dict[str, int] = field(default_factory=dict)
    """Code of a tolerated fault of form → treatment episodes that show it."""
    held_with_parent: int = 0
    not_current: list[NotCurrent] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        return [note for note in str(self.facts["notes"]).split(";") if note]


class Twin(NamedTuple):
    """The delivery that brought a content first."""

    receipt: str
    night: str
    sender: str


@dataclass(slots=True)
class Delivery:
    offer: int
    night: str
    sender: str
    path: str
    size: int
    sha256: str
    state: str
    code: str | None
    detail: str | None
    duplicate_of: int | None
    receipt: str = ""
    contents: list[Content] = field(default_factory=list)
    copies: list[tuple[str, Content]] = field(default_factory=list)
    """(name in the archive, the content that had arrived before)."""
    twin: Twin | None = None
    """Of what had arrived before as a whole."""

    tables: dict[str, Counts] = field(default_factory=dict)
    """Rows by table: own contents under their fates, copies as duplicates."""
    counts: Counts = NOTHING

    def add_up(self) -> None:
        """Fill `tables` and `counts` once contents and copies are known."""
        for content in self.contents:
            for table, counts in content.tables.items():
                self.tables[table] = self.tables.get(table, NOTHING).plus(counts)
        for _, copy in self.copies:
            for table, counts in copy.tables.items():
                again = Counts(read=counts.read, duplicate=counts.read)
                self.tables[table] = self.tables.get(table, NOTHING).plus(again)
        self.counts = total(self.tables.values())

    @property
    def name(self) -> str:
        """The path below the sender's folder."""
        return self.path.split("/", 1)[-1]


def receipt_id(sender: str, sha256: str, night: str, again: int = 0) -> str:
    """Twelve characters a person can read out over the telephone (Crockford's base 32: no I, L, O, U).

    `again` counts further files of the same content by the same sender in the same night.

    >>> receipt_id("01001", "ab" * 32, "2025-11-14")
    'E4E9-M74T-RHR2'
    """
    text = f"{sender}\n{sha256}\n{night}\n{again or ''}"
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 4
    letters = "".join(_ALPHABET[(number >> 5 * place) & 31] for place in range(12))
    return "-".join(letters[at : at + 4] for at in (0, 4, 8))


FACTS = (
    "sha256", "member", "size", "source", "channel", "facility", "declared_on", "vintage", "signature",
    "units_said", "units_read", "notes", "state", "code", "detail",
)  # fmt: skip
"""What the ledger knows of a content, besides its id and the delivery that brought it."""
_OFFERS = {
    "offer": pl.Int64, "night": pl.String, "sender": pl.String, "path": pl.String, "size": pl.Int64,
    "sha256": pl.String, "state": pl.String, "code": pl.String, "detail": pl.String, "duplicate_of": pl.Int64,
}  # fmt: skip


def list_offers(night: Night) -> None:
    """What the ledger knows of deliveries, as tables.

    checks.offers    every file ever offered: the ledger's columns; `folder`, the sender as it is named outside
                     its own folder; `again`, how many files of the same content it had offered that night before
    checks.contents  _file, offer, facts: all that the ledger knows of a content, in one text
    checks.copies    offer, member, _file
    """
    offers = night.ledger.frame(f"SELECT {', '.join(_OFFERS)} FROM offers ORDER BY offer", _OFFERS)
    senders = offers.select(pl.col("sender").unique())
    folders = senders.with_columns(
        pl.Series("folder", [folder_of(one) for one in senders["sender"]], dtype=pl.String)
    )
    again = pl.col("offer").rank("ordinal").over("night", "sender", "sha256").cast(pl.Int64) - 1
    night.warehouse.put(
        "checks.offers", offers.with_columns(again=again).join(folders, on="sender", how="left")
    )
    facts = " || ';' || ".join(f"quote({name})" for name in FACTS)
    contents = night.ledger.frame(
        f"SELECT file, offer, {facts} FROM files",
        {"_file": pl.String, "offer": pl.Int64, "facts": pl.String},
    )
    night.warehouse.put("checks.contents", contents)
    copies = night.ledger.frame(
        "SELECT offer, member, file FROM copies",
        {"offer": pl.Int64, "member": pl.String, "_file": pl.String},
    )
    night.warehouse.put("checks.copies", copies)


def gather(night: Night, offers: Sequence[int] | None = None) -> list[Delivery]:
    """These deliveries, or all, in the order of arrival. Reads what `list_offers` wrote."""
    chosen = "" if offers is None else " SEMI JOIN checks.chosen USING (offer)"
    if offers is not None:
        night.warehouse.put(
            "checks.chosen", pl.DataFrame({"offer": offers}, schema={"offer": pl.Int64})
        )
    deliveries = {}
    for sender, again, *facts in night.warehouse.rows(
        "SELECT sender, again, offer, night, folder, path, size, sha256, state, code, detail, duplicate_of"
        f" FROM checks.offers{chosen} ORDER BY offer"
    ):
        one = Delivery(*facts)
        one.receipt = receipt_id(sender, one.sha256, one.night, again)
        deliveries[one.offer] = one
    copies = night.warehouse.rows(
        f"SELECT offer, member, _file FROM checks.copies{chosen} ORDER BY ALL"
    )
    contents = _contents(night, list(deliveries), [file for _, _, file in copies])
    night.warehouse.put(
        "checks.chosen_files", pl.DataFrame({"_file": list(contents)}, schema={"_file": pl.String})
    )
    _add_books(night, contents)
    _add_findings(night, contents)
    _add_rejects(night, contents)
    _add_fates(night, contents)
    for content in contents.values():
        own = deliveries.get(content.facts["offer"])
        if own is not None:
            own.contents.append(content)
    for offer, member, file in copies:
        deliveries[offer].copies.append((member, contents[file]))
    _add_twins(night, deliveries.values())
    for delivery in deliveries.values():
        delivery.add_up()
    return list(deliveries.values())


def _add_twins(night: Night, deliveries: Iterable[Delivery]) -> None:
    firsts: dict[int, list[Delivery]] = defaultdict(list)
    for one in deliveries:
        first = one.duplicate_of
        if first is None and one.state == "DUPLICATE" and one.copies:
            first = one.copies[0][1].facts["offer"]
        if first is not None:
            firsts[first].append(one)
    night.warehouse.put(
        "checks.chosen", pl.DataFrame({"offer": list(firsts)}, schema={"offer": pl.Int64})
    )
    for offer, when, sender, folder, sha256, again in night.warehouse.rows(
        "SELECT offer, night, sender, folder, sha256, again FROM checks.offers SEMI JOIN checks.chosen USING (offer)"
    ):
        for one in firsts[offer]:
            one.twin = Twin(receipt_id(sender, sha256, when, again), when, folder)


def _contents(night: Night, offers: list[int], files: list[str]) -> dict[str, Content]:
    """Contents of deliveries, and these files besides."""
    rows = night.ledger.rows(
        f"SELECT file, offer, {', '.join(FACTS)} FROM files"
        " WHERE offer IN (SELECT value FROM json_each(?)) OR file IN (SELECT value FROM json_each(?))"
        " ORDER BY offer, member, file",
        (json.dumps(offers), json.dumps(files)),
    )
    return {row["file"]: Content(dict(row)) for row in rows}


def _add_books(night: Night, contents: dict[str, Content]) -> None:
    for file, table, *numbers in night.warehouse.rows(
        "SELECT _file, table_id, read, accepted, quarantined, rejected, superseded, duplicate"
        " FROM checks.books SEMI JOIN checks.chosen_files USING (_file) ORDER BY _file, table_id"
    ):
        contents[file].tables[table] = Counts(*(int(n) for n in numbers))


def _add_findings(night: Night, contents: dict[str, Content]) -> None:
    """Findings by content and rule. A held line of a held record counts for the record's rule."""
    held: dict[tuple[str, str, str], int] = defaultdict(int)
    cascade: dict[tuple[str, str], int] = defaultdict(int)
    for file, rule, table, with_parent, rows in night.warehouse.rows(
        "SELECT _file, rule, table_id, with_parent, count(*) FROM checks.held"
        " SEMI JOIN checks.chosen_files USING (_file) GROUP BY ALL"
    ):
        if with_parent:
            cascade[(file, rule)] += rows
            contents[file].held_with_parent += rows
        else:
            held[(file, rule, table)] += rows
    lines = _lines(night)
    for file, rule, table, severity, count, places in night.warehouse.rows(
        "SELECT _file, rule, table_id, any_value(severity), count(*),"
        f" arg_min({{'row': _row, 'key': _key}}, _row, {PLACES}) FROM checks.findings"
        " SEMI JOIN checks.chosen_files USING (_file) GROUP BY _file, rule, table_id ORDER BY _file, rule, table_id"
    ):
        own = held.get((file, rule, table), 0)
        # Lines are held by the rule that holds their parent; it is named once, with its own table.
        with_lines = cascade.pop((file, rule), 0) if own else 0
        enveloped = night.project.tables[table].is_enveloped
        named = [_place(p, enveloped, lines.get((table, file, p["row"]))) for p in places]
        contents[file].findings.append(
            Finding(rule, table, severity, count, own + with_lines, named)
        )


def _place(place: dict[str, Any], enveloped: bool, line: int | None) -> dict[str, Any]:
    """MA_LK where there is one. Keys of other tables may be a person's number: there, only the line."""
    if enveloped:
        return {"ma_lk": str(place["key"]).rpartition("|")[2], "row": place["row"]}
    return {"line": line} if line is not None else {"row": place["row"]}


def _lines(night: Night) -> dict[tuple[str, str, int], int]:
    """(table, file, row) → line in the file, for rows with a finding outside envelopes."""
    tables = [
        table
        for (name,) in night.warehouse.rows(
            "SELECT DISTINCT table_id FROM checks.findings SEMI JOIN checks.chosen_files USING (_file) ORDER BY 1"
        )
        if not (table := night.project.tables[name]).is_enveloped
    ]
    parts = [
        f"SELECT '{table.id}', s._file, s._row, s._line FROM standard.{sql_name(table.id)} s SEMI JOIN"
        f" (SELECT _file, unnest(arg_min(_row, _row, {PLACES})) AS _row FROM checks.findings"
        f" SEMI JOIN checks.chosen_files USING (_file) WHERE table_id = '{table.id}' GROUP BY _file, rule) f ON f._file = s._file AND f._row = s._row"
        for table in tables
    ]
    if not parts:
        return {}
    rows = night.warehouse.rows(" UNION ALL ".join(parts))
    return {(table, file, row): line for table, file, row, line in rows if line is not None}


def _add_rejects(night: Night, contents: dict[str, Content]) -> None:
    for file, table, code, rows, places in night.warehouse.rows(
        "SELECT _file, table_id, code, sum(rows), arg_min({'unit': _unit, 'line': _line},"
        f" coalesce(_line, _unit), {PLACES}) FROM standard.rejects SEMI JOIN checks.chosen_files USING (_file)"
        " GROUP BY ALL ORDER BY _file, table_id, code"
    ):
        named: Iterable[dict[str, Any]] = (
            {key: value for key, value in place.items() if value is not None}
            for place in places or []
        )
        contents[file].rejects.append(Reject(code, table, int(rows), [p for p in named if p]))
    for file, code, units in night.warehouse.rows(
        "SELECT _file, code, count(*) FROM (SELECT _file, unnest(string_split(problems, ';')) AS code"
        " FROM standard.units SEMI JOIN checks.chosen_files USING (_file) WHERE problems IS NOT NULL)"
        " GROUP BY ALL ORDER BY ALL"
    ):
        contents[file].problems[code] = units


def _add_fates(night: Night, contents: dict[str, Content]) -> None:
    """Why records are superseded or duplicates: a newer version, the other channel, nothing new."""
    source = fates_of(night)
    if source is None:
        return
    for file, code, units, rows in night.warehouse.rows(
        "SELECT _file, reason, count(DISTINCT _unit), count(*) FILTER (_unit IS NULL)"
        f" FROM {source} SEMI JOIN checks.chosen_files USING (_file) WHERE reason IS NOT NULL"
        " GROUP BY ALL ORDER BY ALL"
    ):
        contents[file].not_current.append(NotCurrent(code, units, rows))


def fates_of(night: Night) -> str | None:
    """The fates of rows as SQL can read them; None where no row has one."""
    path = night.layout.state / "results" / "row_fates.parquet"
    return f"read_parquet('{sql_text(path)}')" if path.exists() else None
