"""The register of electronic health books: one row per book, whole blocks of people at a time.

A real country has 26 million books, so this is the one place where people are written as columns
and not one by one; `columns` gives the same texts as `book` (a test compares them). The file is
streamed in row groups; its truth is read back from it, since a book's number holds the number of
its person.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .facilities import Country
from .mess import OLDER, WORKING, Mess, card_of
from .people import BLOOD, CHILD, MOBILE, MOTHER, PLACES, TWIN, Block, Person, scrambled
from .plan import day_text
from .reference import SEX_PREFIXES, Ints
from .truth import NightTruth

Row = tuple[str, ...]
Texts = npt.NDArray[np.object_]
BOOK = (
    "ma_so_sskdt", "so_cccd", "ho_ten", "ngay_sinh", "gioi_tinh", "ma_the_bhyt", "nhom_mau",
    "di_ung", "benh_man_tinh", "matinh_cu_tru", "maxa_cu_tru", "dien_thoai", "ma_cskcb", "ngay_tao",
    "ngay_cap_nhat",
)  # fmt: skip
SCHEMA = pa.schema([(name, pa.string()) for name in BOOK])
ROWS_PER_GROUP = 131_072
HAVE_A_BOOK = 0.88
CHRONIC = ("", "", "", "", "I10", "E11.9", "J45.9", "I10;E11.9")


def book(person: Person, country: Country, first: int, updated: int) -> Row:
    """One book as C06 keeps it: clean, except for two in a hundred old commune codes."""
    on = datetime.date.fromordinal(first)
    card = ""
    if person.insured:
        card = f"{card_of(person, on)[0]}{person.ward.old_province}{person.insurance_number}"
    old = person.chance * 1000 % 1 < 0.02
    ward = person.ward
    born = f"{person.born.year}0000" if person.year_only else f"{person.born:%Y%m%d}"
    age = person.age(on)
    return (
        f"SSK{person.pid[1:]}", person.citizen_id, person.name.upper(), born, person.sex, card,
        person.blood, "Penicilin" if person.chance * 100 % 1 < 0.03 else "",
        CHRONIC[int(person.chance * 10_000 % 8)] if age > 45 else "",
        ward.old_province if old else ward.new_province, ward.old_code if old else ward.new_code,
        person.phone if age >= 16 else person.family_phone, country.facilities[person.area].code,
        day_text(first - 30 - int(person.chance * 600)), day_text(updated),
    )  # fmt: skip


def columns(block: Block, at: Ints, country: Country, first: int, updated: int) -> pa.Table:
    """The books of the places `at` of a block; row n is `book(block.person(at[n]), …)`."""
    family, place = np.divmod(at, PLACES)
    draws, chance = block.of_person[at], block.chance[at]
    number = block.first + at
    sex = block.sex[at]
    born = (block.born[at] - 719163).astype("datetime64[D]")
    year, age, months = _ages(born, first)
    ward = {
        name: np.array([getattr(w, name) for w in block.area.wards], dtype=object)[
            block.ward[family]
        ]
        for name in ("old_province", "new_province", "old_code", "new_code")
    }
    codes = block.reference.old_codes
    child = (place >= CHILD) & (place <= TWIN)
    moved = draws[:, 11] < np.where(child, 0.05, 0.18)
    elsewhere = np.array(codes, dtype=object)[(draws[:, 8] * len(codes)).astype(np.int64)]
    province = np.where(moved, elsewhere, ward["old_province"])
    prefix = np.array([block.reference.cccd_code[code] for code in province.tolist()], dtype=object)
    century = (year // 100 - 19) * 2 + (sex == 2)
    citizen = _joined(
        prefix,
        century.astype(str),
        _digits(year % 100, 2),
        _digits(scrambled(number, "citizen"), 6),
    )
    insurance = _joined(ward["old_province"], _digits(scrambled(number, "insurance"), 8))
    card = _joined(_cards(block, family, age, months, chance), ward["old_province"], insurance)
    insured = draws[:, 10] < 0.95
    year_only = draws[:, 7] < np.where(year < 1960, 0.08, 0.02)
    days = pc.replace_substring(pa.array(np.datetime_as_string(born).tolist()), "-", "")
    old = chance * 1000 % 1 < 0.02
    mother = block.first + family * PLACES + MOTHER
    made = pa.array([day_text(int(d)) for d in first - 30 - (chance * 600).astype(np.int64)])
    count = len(at)
    blank = pa.scalar("")
    arrays = [
        _joined(np.array(["SSK"] * count, dtype=object), _digits(number, 9)),
        citizen,
        pc.utf8_upper(_names(block, at)),
        pc.if_else(
            pa.array(year_only), _joined(year.astype(str), np.array(["0000"] * count)), days
        ),
        pa.array(sex.astype(str)),
        pc.if_else(pa.array(insured), card, blank),
        pa.array(np.array(BLOOD, dtype=object)[(draws[:, 9] * len(BLOOD)).astype(np.int64)]),
        pa.array(np.where(chance * 100 % 1 < 0.03, "Penicilin", "").tolist()),
        pa.array(
            np.where(
                age > 45,
                np.array(CHRONIC, dtype=object)[(chance * 10_000 % 8).astype(np.int64)],
                "",
            )
        ),
        pa.array(np.where(old, ward["old_province"], ward["new_province"])),
        pa.array(np.where(old, ward["old_code"], ward["new_code"])),
        _phones(np.where(age >= 16, number, mother)),
        pa.array([country.facilities[block.area.index].code] * count),
        made,
        pa.array([day_text(updated)] * count),
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _ages(born: npt.NDArray[np.datetime64], first: int) -> tuple[Ints, Ints, Ints]:
    """Year of birth, age and months of age on the day `first`."""
    on = datetime.date.fromordinal(first)
    month_of = born.astype("datetime64[M]")
    months_since_1970 = month_of.astype(np.int64)
    day = (born - month_of).astype(np.int64) + 1
    months = on.year * 12 + on.month - 1 - (months_since_1970 + 1970 * 12) - (on.day < day)
    return months_since_1970 // 12 + 1970, months // 12, months


def _cards(
    block: Block, family: Ints, age: Ints, months: Ints, chance: npt.NDArray[np.float64]
) -> Texts:
    """`card_of(…)[0]` for a column."""
    minority = ~np.isin(block.ethnic[family].astype(str), ("01", "04"))
    older = np.array([code for _, code in OLDER], dtype=object)
    working = np.array([code for _, code in WORKING], dtype=object)
    of_older = older[np.searchsorted([limit for limit, _ in OLDER], chance, side="right")]
    of_working = working[np.searchsorted([limit for limit, _ in WORKING], chance, side="right")]
    cases = [months < 72, chance < 0.05, minority & (chance < 0.5), age < 18,
             (age < 23) & (chance < 0.4), (age >= 80) & (chance < 0.7), age >= 57]  # fmt: skip
    codes: list[object] = ["TE1", "HN2", "DT2", "HS4", "SV4", "CT2", of_older]
    found = of_working.copy()
    for case, code in zip(reversed(cases), reversed(codes), strict=True):
        found = np.where(case, code, found)  # type: ignore[call-overload]
    return found


def _names(block: Block, at: Ints) -> pa.Array:
    family, place = np.divmod(at, PLACES)
    sex, cohort = block.sex[at], block.cohort[family, place]
    middle, given = np.empty(len(at), dtype=object), np.empty(len(at), dtype=object)
    for s in (1, 2):
        for c in range(3):
            here = (sex == s) & (cohort == c)
            names = block.reference.middle[str(s)][c].values
            middle[here] = np.array(names, dtype=object)[block.middle[family, place][here]]
            names = block.reference.given[str(s)][c].values
            given[here] = np.array(names, dtype=object)[
                block.given[family, place][here] % len(names)
            ]
    middle[middle == ""] = None
    surname = block.surname[family, place]
    plain = pc.binary_join_element_wise(
        pa.array(surname), pa.array(middle), pa.array(given), " ", null_handling="skip"
    )
    special = np.isin(block.ethnic[family].astype(str), [*SEX_PREFIXES, "05"])
    if not special.any():
        return plain
    texts = plain.to_pylist()
    for n in np.flatnonzero(special).tolist():
        texts[n] = block.name(int(at[n]))
    return pa.array(texts)


def _digits(numbers: Ints, width: int) -> pa.Array:
    return pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width, "0")


def _joined(*parts: Texts | npt.NDArray[np.str_] | pa.Array) -> pa.Array:
    arrays = [p if isinstance(p, pa.Array) else pa.array(p.tolist(), pa.string()) for p in parts]
    return pc.binary_join_element_wise(*arrays, "")


def _phones(numbers: Ints) -> pa.Array:
    prefix, rest = np.divmod(scrambled(numbers, "phone"), 10_000_000)
    return _joined(np.array(MOBILE, dtype=object)[prefix], _digits(rest, 7))


def send(country: Country, truth: NightTruth, night: int, mess: Mess) -> None:
    """Write SSKDT_<night>.parquet and its truth; memory holds one row group."""
    name = f"SSKDT_{day_text(night)}.parquet"
    folder = truth.inbox / truth.night.isoformat() / "C06"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        group: list[pa.Table] = []
        rows = 0
        for table in _tables(country, night, mess):
            group.append(table)
            rows += table.num_rows
            if rows >= ROWS_PER_GROUP:
                writer.write_table(pa.concat_tables(group))
                group, rows = [], 0
        if group:
            writer.write_table(pa.concat_tables(group))
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    file = truth.note("C06", name, digest.hexdigest(), path.stat().st_size)
    row = 0
    with pq.ParquetFile(path) as written:
        for at in range(written.num_row_groups):
            keys = written.read_row_group(at, columns=["ma_so_sskdt"]).column(0).combine_chunks()
            truth.many("ehr_book.book", "C06", file, digest.hexdigest(), row, keys)
            row += len(keys)
    for key in _duplicates(path):
        truth.error("C06", file, "ehr_book.book", key, "ma_so_sskdt", "duplicate_book", key[:-1])


def _tables(country: Country, night: int, mess: Mess) -> Iterator[pa.Table]:
    canary = book(country.canary, country, night, night - 1)
    yield pa.Table.from_arrays([pa.array([text]) for text in canary], schema=SCHEMA)
    for facility in country.facilities:
        for number in range(facility.area.blocks):
            block = country.block(facility.index, number)
            held = block.present & (block.born < night) & (block.chance < HAVE_A_BOOK)
            at = np.flatnonzero(held)
            table = columns(block, at, country, night, night - 1)
            yield table
            twice = np.flatnonzero(block.chance[at] * 7919 % 1 < mess.duplicate_book)
            if len(twice):
                again = table.take(pa.array(twice))
                keys = pc.binary_join_element_wise(again.column(0), "B", "")
                yield again.set_column(0, "ma_so_sskdt", keys)


def _duplicates(path: str | object) -> Iterator[str]:
    with pq.ParquetFile(path) as written:
        for at in range(written.num_row_groups):
            keys = written.read_row_group(at, columns=["ma_so_sskdt"]).column(0)
            yield from keys.filter(pc.ends_with(keys, "B")).to_pylist()
