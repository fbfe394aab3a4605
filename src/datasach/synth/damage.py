"""Files that arrive broken or do not belong: what a ledger must refuse, or accept with a remark.

truncated_xml    the second half of an envelope is missing          good copy the next night
empty_file       no byte                                            good copy the next night
broken_zip       an archive cut short                               good copy the next night
broken_base64    one NOIDUNGFILE of one HOSO is not base64          the other tables are fine
wrong_count      SOLUONGHOSO is one too many                        all HOSO are readable
broken_csv       one line of an exchange extract has lost its end   the other lines are fine
wrong_facility   another facility's envelope in this folder         an extra file
unknown_format   something that is not data                         an extra file
"""

from __future__ import annotations

from collections.abc import Callable

from .facilities import Country, Facility
from .packing import Envelope, Packer, zipped
from .people import DAMAGE, stream
from .plan import day_text
from .truth import NightTruth, Written
from .visits import Builder

KINDS = (
    "truncated_xml", "wrong_facility", "broken_base64", "broken_csv",
    "empty_file", "unknown_format", "wrong_count", "broken_zip",
)  # fmt: skip
LOSE_ALL = ("truncated_xml", "empty_file", "broken_zip")
AT_LEAST = 4


def victims(
    country: Country, night: int, share: float, late: Callable[[int], bool]
) -> dict[int, str]:
    """Facility → its kind of damage of that night; the kinds take turns from night to night.

    `late` tells whether a facility's files are not sent that night at all: it is passed over.
    """
    if share <= 0:
        return {}
    facilities = country.facilities
    count = max(AT_LEAST, round(share * len(facilities)))
    order = stream(country.seed, DAMAGE, night).permutation(len(facilities)).tolist()
    found: dict[int, str] = {}
    for n in range(count):
        kind = KINDS[(night * AT_LEAST + n) % len(KINDS)]
        able = (i for i in order if i not in found and can(facilities[i], kind) and not late(i))
        victim = next(able, None)
        if victim is not None:
            found[victim] = kind
    return found


def can(facility: Facility, kind: str) -> bool:
    """A vendor whose inner documents are not encoded has no base64 to break, and so on."""
    habit = facility.habit
    if kind in ("truncated_xml", "broken_base64", "wrong_count"):
        plain = habit.packing == "xml" and habit.encoding == "utf-8"
        return plain and (kind != "broken_base64" or habit.inner == "base64")
    if kind == "broken_csv":
        return facility.level.name in ("commune", "district")
    return True


def deliver(
    saved: NightTruth, facility: Facility, channel: str, envelopes: list[Envelope],
    kind: str,
) -> None:  # fmt: skip
    """Save a channel's envelopes; damage hits the first file of the coordination channel."""
    spoils = channel == "DPDL" and kind in ENVELOPE_KINDS
    for n, envelope in enumerate(envelopes):
        if n or not spoils:
            saved.save(facility.code, envelope.name, envelope.data, envelope.written)
            continue
        data, name, written = envelope.data, envelope.name, envelope.written
        if kind == "truncated_xml":
            data, written = data[: len(data) * 3 // 5], []
        elif kind == "empty_file":
            data, written = b"", []
        elif kind == "broken_zip":
            whole = data if name.endswith(".zip") else zipped([(name, data)])
            stem = name.partition(".")[0]
            data, name, written = whole[: len(whole) * 2 // 3], f"{stem}.zip", []
        elif kind == "broken_base64":
            data = _break_base64(data)
            _remember(written, "noidungfile", kind)
        elif kind == "wrong_count":
            before, tag, after = data.partition(b"<SOLUONGHOSO>")
            number, end, rest = after.partition(b"</SOLUONGHOSO>")
            data = before + tag + str(int(number) + 1).encode() + end + rest
            _remember(written, "soluonghoso", kind)
        saved.save(facility.code, name, data, written, kind="damaged", detail=kind)


ENVELOPE_KINDS = (*LOSE_ALL, "broken_base64", "wrong_count")


def _break_base64(data: bytes) -> bytes:
    """Spoil the second table of the first HOSO (XML2 or XML3), so that XML1 stays readable."""
    marker = b"<NOIDUNGFILE>"
    first = data.find(marker)
    second = data.find(marker, first + 1)
    at = (second if second > 0 else first) + len(marker) + 40
    return data[:at] + b"@@?@@" + data[at + 5 :]


def _remember(written: list[Written], field: str, kind: str) -> None:
    table, _, _, key, *_ = written[0].records[0]
    written[0].errors.append((table, key, field, kind, ""))


def deliver_table(
    saved: NightTruth, sender: str, name: str, data: bytes, written: Written, kind: str
) -> None:
    """Save an exchange extract; a broken one loses the end of its last line."""
    if kind == "broken_csv" and name.startswith("TIEMCHUNG"):
        text = data.rstrip(b"\r\n")
        start = text.rfind(b"\n") + 1
        data = text[: start + (len(text) - start) // 2] + b"\r\n"
        table, _, _, key, *_ = written.records.pop()
        written.errors.append((table, key, "*", "broken_csv", ""))
        saved.save(sender, name, data, written, kind="damaged", detail="broken_csv")
        return
    saved.save(sender, name, data, written)


def strays(
    saved: NightTruth, facility: Facility, night: int, kind: str, builder: Builder, packer: Packer
) -> None:
    """Files that do not belong: another facility's envelope, and something that is not data."""
    if kind == "wrong_facility":
        others = builder.country.facilities
        other = others[(facility.index + 1) % len(others)]
        visits = [v for v in builder.visits(other.index, night) if v.only != "BHXH"][:1]
        for envelope in packer.both(other, visits, night, "_NHAM")["DPDL"]:
            saved.save(
                facility.code, envelope.name, envelope.data, kind="stray",
                detail="wrong_facility",
            )  # fmt: skip
    if kind == "unknown_format":
        text = "Báo cáo tuần (hư cấu), không phải dữ liệu.\n" * 8
        saved.save(
            facility.code, f"BAOCAO_{facility.code}_{day_text(night)}.docx", text.encode(),
            kind="stray", detail="unknown_format",
        )  # fmt: skip
