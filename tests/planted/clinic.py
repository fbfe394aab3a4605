"""Encounters as a hospital system writes them: every table of one visit, and money that adds up.

Written from the standard's words (DOMAIN 1.5–1.9), not from anybody's code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from tests.planted import world
from tests.planted.world import Drug, Facility, People, Person, Practitioner, Service, at

Row = dict[str, str]
CENT = Decimal("0.01")


def money(value: Decimal) -> str:
    return f"{value.quantize(CENT, ROUND_HALF_UP):f}"


def moment(value: datetime) -> str:
    return f"{value:%Y%m%d%H%M}"


def day(value: date | datetime) -> str:
    return f"{value:%Y%m%d}"


@dataclass
class Encounter:
    """One visit with all its tables, and the extracts of other systems that tell of it."""

    facility: Facility
    ma_lk: str
    person: Person
    insured: bool
    kind: str
    came: datetime
    left: datetime
    tables: dict[str, list[Row]] = field(default_factory=dict)
    checkin: Row | None = None
    prescription: dict[str, object] | None = None
    case: Row | None = None
    death: Row | None = None
    channels: tuple[str, ...] = ("coordination", "social_insurance")
    only: dict[str, dict[str, list[Row]]] = field(default_factory=dict)
    """Channel → tables that differ there."""
    defect: str = ""
    touched: bool = False
    """Not clean: carries a defect, or is another side of one."""

    @property
    def key(self) -> str:
        return f"{self.facility.code}|{self.ma_lk}"

    @property
    def summary(self) -> Row:
        return self.tables["XML1"][0]

    def rows(self, tag: str) -> list[Row]:
        """Every row of the encounter, in any system, that carries this field."""
        found = [row for rows in self.tables.values() for row in rows if tag in row]
        found += [r for r in (self.checkin, self.case, self.death) if r is not None and tag in r]
        return found

    def everywhere(self, tag: str, value: str) -> None:
        """The patient's or the visit's value as one system writes it into all its papers."""
        for row in self.rows(tag):
            row[tag] = value
        if self.prescription is not None and tag.lower() in self.prescription:
            self.prescription[tag.lower()] = value
        for extract in (self.case, self.death):
            if extract is not None and tag.lower() in extract:
                extract[tag.lower()] = value


@dataclass
class Item:
    """A drug, service or supply given, before anybody pays."""

    row: Row
    quantity: Decimal
    price: Decimal
    table: str
    scope: str = "1"
    ratio: int = 100
    service_ratio: int = 100
    ceiling: Decimal | None = None
    other: Decimal = Decimal(0)

    @property
    def facility_amount(self) -> Decimal:
        return (self.quantity * self.price * self.service_ratio / 100).quantize(CENT, ROUND_HALF_UP)

    @property
    def insured_amount(self) -> Decimal:
        if self.scope != "1":
            return Decimal(0)
        amount = self.quantity * self.price * self.service_ratio / 100 * self.ratio / 100
        amount = amount.quantize(CENT, ROUND_HALF_UP)
        return amount if self.ceiling is None else min(amount, self.ceiling)


class Clinic:
    """Makes encounters for one inbox."""

    def __init__(self, rng: Random, night: date) -> None:
        self.rng, self.night = rng, night
        self.people = People(rng, night)
        self.staff: dict[str, list[Practitioner]] = {}
        for one in world.practitioners():
            self.staff.setdefault(one.facility, []).append(one)
        self.number = 0
        self.taken: set[tuple[str, str]] = set()

    # -- the parts of a visit ---------------------------------------------------------------------

    def doctor(self, facility: Facility) -> Practitioner:
        return self.rng.choice(self.staff[facility.code][:5])

    def technician(self, facility: Facility) -> Practitioner:
        return self.rng.choice(self.staff[facility.code][5:])

    def free_minute(self, who: Practitioner, when: datetime, last: datetime) -> datetime:
        """Nobody does two things in one minute."""
        while (who.licence, moment(when)) in self.taken and when < last:
            when += timedelta(minutes=1)
        self.taken.add((who.licence, moment(when)))
        return when

    def begin(self, facility: Facility, person: Person, kind: str, came: datetime, left: datetime) -> Encounter:
        self.number += 1
        insured = bool(person.card)
        ma_lk = f"{facility.code}.{came:%y%m}.{self.number:06d}"
        if facility.code == "38280":
            ma_lk = f"HR{1_000_000 + self.number * 37}"
        return Encounter(facility, ma_lk, person, insured, kind, came, left)

    def who(self, e: Encounter) -> Row:
        p = e.person
        name = p.name if e.facility.code == "38731" else p.name.upper()
        cards = [(p.card, p.registered_at, p.card_from, p.card_to)] if e.insured else []
        if e.insured and p.former_card:
            cards.insert(0, p.former_card)
        joined = [";".join(part) for part in zip(*cards, strict=True)] if cards else ["", "", "", ""]
        return {
            "MA_LK": e.ma_lk, "MA_BN": f"{e.facility.code[2:]}-{p.number:07d}", "HO_TEN": name, "SO_CCCD": p.citizen_id,
            "NGAY_SINH": p.birth_text(), "GIOI_TINH": p.sex, "NHOM_MAU": p.blood, "MA_QUOCTICH": p.nationality,
            "MA_DANTOC": p.ethnic, "MA_NGHE_NGHIEP": p.occupation, "DIA_CHI": p.address,
            "MATINH_CU_TRU": p.commune.province, "MAHUYEN_CU_TRU": "", "MAXA_CU_TRU": p.commune.code,
            "DIEN_THOAI": p.phone, "MA_THE_BHYT": joined[0], "MA_DKBD": joined[1], "GT_THE_TU": joined[2],
            "GT_THE_DEN": joined[3],
        }  # fmt: skip

    def drug_item(
        self, e: Encounter, drug: Drug, quantity: str, when: datetime, doctor: Practitioner, department: str,
        given: datetime | None = None,
    ) -> Item:  # fmt: skip
        row = {
            "MA_LK": e.ma_lk, "MA_THUOC": drug.code, "MA_NHOM": drug.group, "TEN_THUOC": drug.name,
            "DON_VI_TINH": drug.unit, "HAM_LUONG": drug.strength, "DUONG_DUNG": drug.route, "DANG_BAO_CHE": drug.form,
            "LIEU_DUNG": f"{quantity} {drug.unit.lower()} chia theo ngày", "CACH_DUNG": "Theo chỉ định của bác sĩ",
            "SO_DANG_KY": drug.registration, "TT_THAU": f"{e.night_year};G1;N2;{114 + len(drug.name)}",
            "TYLE_TT_BH": str(drug.ratio), "DON_GIA": f"{Decimal(drug.price):.3f}", "SO_LUONG": f"{Decimal(quantity):.3f}",
            "MA_KHOA": department, "MA_BAC_SI": doctor.licence, "NGAY_YL": moment(when),
            "NGAY_TH_YL": moment(given or when), "MA_PTTT": "1", "NGUON_CTRA": "1",
        } if False else {}
        return Item(row, Decimal(quantity), Decimal(drug.price), "XML2", ratio=drug.ratio)
