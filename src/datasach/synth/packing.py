"""From visits to files: which channel gets which HOSO, in envelopes, in the sender's packing.

A zip holds all envelopes of a channel; what a gzip or a zip member holds is a content of its own,
with its own hash and its own count of units and rows, as the engine sees it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .envelopes import CHANNEL_TABLES, Writer
from .facilities import Facility
from .plan import day_text
from .reference import Reference
from .truth import Written
from .visits import Visit

Sign = Callable[[bytes, str], bytes]
CHANNELS = ("BHXH", "DPDL")
MAIN_TABLE = {"BHXH": "bhyt_claims.claim", "DPDL": "kcb_emr.visit"}
PAPERS = {
    "XML6": "prevention.hiv", "XML9": "births_deaths.birth", "XML13": "referral_reexam.referral",
    "XML14": "referral_reexam.appointment", "XML15": "prevention.tuberculosis",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Envelope:
    """One finished file of envelopes with what is in it; a zip has one `Written` per member."""

    name: str
    data: bytes
    written: list[Written]


class Packer:
    """Writes files of envelopes for any facility; keeps one writer per habit."""

    def __init__(self, reference: Reference, per_envelope: int, sign: Sign) -> None:
        self.reference, self.per_envelope, self.sign = reference, per_envelope, sign
        self.writers: dict[str, Writer] = {}

    def writer(self, facility: Facility) -> Writer:
        habit = facility.habit
        if habit.name not in self.writers:
            self.writers[habit.name] = Writer(self.reference, habit)
        return self.writers[habit.name]

    def envelope(self, facility: Facility, night: int, hosos: Sequence[str]) -> bytes:
        """One signed envelope."""
        data = self.writer(facility).envelope(facility.code, day_text(night), hosos)
        return self.sign(data, facility.code)

    def both(
        self, facility: Facility, visits: Sequence[Visit], night: int, mark: str = ""
    ) -> dict[str, list[Envelope]]:
        """Files of both channels. What the channels share is written once."""
        writer = self.writer(facility)
        packs: dict[str, list[tuple[str, Visit]]] = {channel: [] for channel in CHANNELS}
        for visit in visits:
            shared: dict[str, str] = {}
            for channel in CHANNELS:
                if visit.only in ("", channel):
                    packs[channel].append((writer.hoso(visit, channel, shared), visit))
        return {
            channel: list(self._packed(facility, channel, packs[channel], night, mark))
            for channel in CHANNELS
        }

    def _packed(
        self, facility: Facility, channel: str, hosos: list[tuple[str, Visit]], night: int,
        mark: str,
    ) -> Iterator[Envelope]:  # fmt: skip
        habit, writer = facility.habit, self.writer(facility)
        size = 1 if habit.alone else self.per_envelope
        stem = f"{channel}_{facility.code}_{day_text(night)}{mark}"
        archive: list[tuple[str, bytes]] = []
        members = []
        for n, at in enumerate(range(0, len(hosos), size), 1):
            part = hosos[at : at + size]
            data = self.envelope(facility, night, [hoso for hoso, _ in part])
            name = f"{stem}_{n:03d}.xml"
            written = _described(channel, [visit for _, visit in part], writer)
            if habit.packing == "xml":
                yield Envelope(name, data, [written])
                continue
            written.sha256 = hashlib.sha256(data).hexdigest()
            if habit.packing == "gz":
                yield Envelope(f"{name}.gz", gzip.compress(data, 1, mtime=0), [written])
            else:
                written.member = name
                archive.append((name, data))
                members.append(written)
        if archive:
            yield Envelope(f"{stem}.zip", zipped(archive), members)


def _described(channel: str, visits: list[Visit], writer: Writer) -> Written:
    """Truth of the HOSO of one envelope."""
    written, main = Written(), MAIN_TABLE[channel]
    tables = [("XML1", main), *PAPERS.items()]
    rows: dict[str, int] = {}
    for visit in visits:
        written.units += 1
        other = channel == "DPDL" and visit.other_link
        key = f"{visit.facility.code}|{visit.other_link if other else visit.link}"
        for xml, table in tables:
            if xml not in CHANNEL_TABLES[channel] or xml not in writer.templates:
                continue
            for n in range(len(visit.rows.get(xml, ()))):
                rows[table] = rows.get(table, 0) + 1
                child = visit.children[n].pid if xml == "XML9" else ""
                written.records.append(
                    (table, written.units, rows[table], key, visit.person.pid, child, visit.version)
                )
        for scope, _, field, kind, true in visit.wrong:
            if scope in ("*", channel):
                written.errors.append((main, key, field, kind, true))
    return written


def zipped(members: list[tuple[str, bytes]]) -> bytes:
    """A zip whose bytes do not depend on the clock."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(
                zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED
            )
    return out.getvalue()
