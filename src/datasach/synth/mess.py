"""Typed mistakes of reception desks and senders, each remembered for the truth.

`Mess` holds one rate per kind; `register` turns a true person into what a desk wrote down and the
list of what is wrong with it: (field, kind, true value). Rates are shares of the records that can
have the mistake (a tone can be placed elsewhere only where there is an open oa, oe or uy).

Source: DOMAIN.md 6.4 and 6.5 (own proposal of that sheet, rates are settings); the last group of
rates is ours, so that rules about sums, dates and diagnoses have something to find.
"""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from .facilities import Facility
from .garble import mistype, new_tone_placement, tcvn3, vni, without_marks
from .people import Person

Day = datetime.date
MERGER = Day(2025, 7, 1)


@dataclass(frozen=True)
class Mess:
    """Rates of mistakes; `scaled(0)` is a clean country."""

    ascii_name: float = 0.12
    upper_case: float = 0.70
    decomposed: float = 0.01
    tone_placement: float = 0.20
    eth_for_d: float = 0.005
    legacy_font: float = 0.003
    utf8_as_cp1252: float = 0.003
    middle_name_cut: float = 0.02
    given_name_typo: float = 0.01
    id_missing: float = 0.08
    id_missing_in_emergency: float = 0.25
    id_missing_under_six: float = 0.60
    mothers_id: float = 0.02
    leading_zero_lost: float = 0.005
    cmnd: float = 0.03
    id_digit_typo: float = 0.005
    former_card: float = 0.03
    old_commune: float = 0.25
    shared_phone: float = 0.15
    sex_wrong: float = 0.003
    first_of_january: float = 0.03
    day_month_swapped: float = 0.005
    birth_digit_typo: float = 0.01
    only_social_insurance: float = 0.03
    only_coordination: float = 0.07
    main_icd_differs: float = 0.015
    resubmitted: float = 0.06
    # Ours, beyond the menu:
    withdrawn: float = 0.005
    name_note: float = 0.005
    placeholder_name: float = 0.002
    link_code_differs: float = 0.01
    clock_differs: float = 0.5  # of the visits whose link code differs
    nobody_in_emergency: float = 0.08  # no name, no number, no phone: unconscious, alone
    found_out: float = 0.6  # of those who came with no number at all, on the next night
    sum_wrong: float = 0.004
    discharged_before_admission: float = 0.002
    icd_of_other_sex: float = 0.002
    icd_undotted: float = 0.01
    code_as_number: float = 0.01
    diagnosis_missing: float = 0.003
    duplicate_book: float = 0.005

    def scaled(self, factor: float) -> Mess:
        rates = {f.name: min(1.0, getattr(self, f.name) * factor) for f in fields(self)}
        return replace(self, **rates)


Planted = tuple[str, str, str]  # field, kind, true value
PLACEHOLDERS = ("KHÔNG RÕ HỌ TÊN", "VÔ DANH NAM", "TEST")
NOBODY = {"1": "VÔ DANH NAM", "2": "VÔ DANH NỮ"}


@dataclass(slots=True)
class Registered:
    """A person as one desk wrote him down; every value is the text that goes into a file."""

    person: Person
    name: str
    born: str
    sex: str
    identifier: str
    card: str
    level: int
    home: str
    card_from: str
    card_to: str
    phone: str
    province: str
    district: str
    commune: str
    address: str
    wrong: list[Planted]


def card_of(person: Person, on: Day) -> tuple[str, int, Day, Day]:
    """Object code with benefit character, benefit level in per cent, first and last day."""
    chance, age = person.chance, person.age(on)
    if person.months(on) < 72:
        return "TE1", 100, person.born, _plus_years(person.born, 6) - datetime.timedelta(1)
    start, end = Day(on.year, 1, 1), Day(on.year, 12, 31)
    if chance < 0.05:
        code = "HN2"
    elif person.ethnic not in ("01", "04") and chance < 0.5:
        code = "DT2"
    elif age < 18:
        code = "HS4"
    elif age < 23 and chance < 0.4:
        code = "SV4"
    elif age >= 80 and chance < 0.7:
        code = "CT2"
    else:
        table = OLDER if age >= 57 else WORKING
        code = next(code for limit, code in table if chance < limit)
    level = {"1": 100, "2": 100, "3": 95, "4": 80, "5": 100}[code[2]]
    if code == "CN3" and on.year >= 2026:  # NQ 261/2025/QH15: the near-poor are covered in full
        level = 100
    return code, level, start, end


OLDER = ((0.09, "BT2"), (0.13, "CK2"), (0.14, "CC1"), (0.17, "TC3"), (0.22, "CN3"), (0.58, "HT3"),
         (1.01, "GD4"))  # fmt: skip
WORKING = ((0.06, "BT2"), (0.11, "CN3"), (0.115, "QN5"), (0.12, "CA5"), (0.56, "DN4"),
           (0.66, "CH4"), (0.68, "TN4"), (1.01, "GD4"))  # fmt: skip
FORMER = {"DN4": "GD4", "GD4": "DN4", "HT3": "DN4", "SV4": "HS4", "HS4": "TE1", "CN3": "HN2"}


def register(
    person: Person,
    on: Day,
    draws: Sequence[float],
    mess: Mess,
    home: Facility,
    province_name: str,
    *,
    emergency: bool = False,
) -> Registered:
    """Write `person` down at a desk on the day `on`; `draws` are at least 30 uniforms."""
    wrong: list[Planted] = []
    age = person.age(on)
    name = _name(person, age, draws, mess, wrong)
    born = _born(person, on, draws, mess, wrong)
    sex = person.sex
    if draws[12] < mess.sex_wrong:
        wrong.append(("gioi_tinh", "sex_wrong", sex))
        sex = "2" if sex == "1" else "1"
    identifier = _identifier(person, age, draws, mess, wrong, emergency)
    card = card_from = card_to = dkbd = ""
    level = 0
    if person.insured:
        code, level, first, last = card_of(person, on)
        card = f"{code}{person.ward.old_province}{person.insurance_number}"
        if draws[18] < mess.former_card:
            wrong.append(("ma_the_bhyt", "former_card", card))
            card = FORMER.get(code, "GD4") + card[3:]
        card_from, card_to = f"{first:%Y%m%d}", f"{last:%Y%m%d}"
        dkbd = home.predecessor if home.predecessor and draws[19] < 0.06 else home.code
    phone = person.phone if age >= 16 else person.family_phone
    if age >= 16 and draws[20] < mess.shared_phone and person.family_phone != phone:
        wrong.append(("dien_thoai", "shared_phone", phone))
        phone = person.family_phone
    ward = person.ward
    province, district, commune = ward.new_province, "", ward.new_code
    address = f"{person.house}, {ward.new_name}, {province_name}"
    if on >= MERGER and draws[21] < mess.old_commune:
        wrong.append(("maxa_cu_tru", "old_commune", commune))
        province, commune = ward.old_province, ward.old_code
        district = ward.district_code if draws[22] < 0.8 else ""
        address = f"{person.house}, {ward.old_name}, {ward.district_name}"
    desk = Registered(
        person, name, born, sex, identifier, card, level, dkbd, card_from, card_to, phone,
        province, district, commune, address, wrong,
    )  # fmt: skip
    return _nobody(desk) if emergency and draws[27] < mess.nobody_in_emergency else desk


def _nobody(desk: Registered) -> Registered:
    """Who he is will be found out later: the desk guesses the year and writes what it sees."""
    person = desk.person
    wrong = [
        ("ho_ten", "placeholder_name", person.name),
        ("so_cccd", "id_missing", person.citizen_id),
    ]
    return replace(
        desk, name=NOBODY[person.sex], born=f"{person.born.year // 10 * 10}00000000", sex=person.sex,
        identifier="", card="", level=0, home="", card_from="", card_to="", phone="", wrong=wrong,
    )  # fmt: skip


def _name(
    person: Person, age: int, draws: Sequence[float], mess: Mess, wrong: list[Planted]
) -> str:
    name = person.name
    if draws[23] < mess.placeholder_name:
        wrong.append(("ho_ten", "placeholder_name", name))
        return PLACEHOLDERS[int(draws[24] * 3)]
    words = name.split(" ")
    if len(words) > 2 and draws[0] < mess.middle_name_cut:
        wrong.append(("ho_ten", "middle_name_cut", name))
        middle = words[1:-1]
        cut = [middle[0][0]] if draws[24] < 0.5 else middle[1:]
        words = [words[0], *cut, words[-1]]
    if draws[1] < mess.given_name_typo:
        wrong.append(("ho_ten", "given_name_typo", name))
        words[-1] = mistype(words[-1], draws[24])
    text = " ".join(words)
    if draws[2] < mess.ascii_name:
        text, kind = without_marks(text), "ascii_name"
    elif draws[3] < mess.decomposed:
        text, kind = unicodedata.normalize("NFD", text), "decomposed"
    elif draws[3] > 1 - mess.legacy_font:
        kind = "legacy_font"
        text = tcvn3(text) if draws[24] < 0.6 else vni(text)
    elif draws[4] < mess.utf8_as_cp1252:
        text, kind = text.encode("utf-8").decode("cp1252", "ignore"), "utf8_as_cp1252"
    elif draws[5] < mess.tone_placement and (moved := new_tone_placement(text)) != text:
        text, kind = moved, "tone_placement"
    # One name in eight has a Đ; the rate is meant per record, so it is spent on those that can.
    elif "Đ" in text and draws[6] < min(1.0, mess.eth_for_d * 8):
        text, kind = text.replace("Đ", "\u00d0"), "eth_for_d"
    else:
        kind = ""
    if kind and text != name:
        wrong.append(("ho_ten", kind, name))
    if kind not in ("legacy_font", "utf8_as_cp1252") and draws[7] < mess.upper_case:
        text = text.upper()
        wrong.append(("ho_ten", "upper_case", name))
    if draws[8] < mess.name_note:
        wrong.append(("ho_ten", "name_note", name))
        text = (
            f"{text} (CON BÀ {person.mother_name.upper()})" if person.mother_name else f"BN {text}"
        )
    return text


def _born(person: Person, on: Day, draws: Sequence[float], mess: Mess, wrong: list[Planted]) -> str:
    born = person.born
    true = f"{born:%Y%m%d}{person.minute // 60:02d}{person.minute % 60:02d}"
    if (on - born).days <= 28:
        return true
    true = true[:8] + "0000"
    if person.year_only:  # a habit of the papers, not a mistake of the desk
        return f"{born.year}00000000"
    if draws[9] < mess.first_of_january and (born.day, born.month) != (1, 1):
        wrong.append(("ngay_sinh", "first_of_january", true))
        return f"{born.year}01010000"
    if draws[10] < mess.day_month_swapped and born.day <= 12 and born.day != born.month:
        wrong.append(("ngay_sinh", "day_month_swapped", true))
        return f"{born.year}{born.day:02d}{born.month:02d}0000"
    if draws[11] < mess.birth_digit_typo:
        year = born.year - (1 if born.year % 2 else 10) if draws[25] < 0.6 else born.year
        day = born.day if year != born.year else (born.day % 28) + 1
        wrong.append(("ngay_sinh", "birth_digit_typo", true))
        return f"{year}{min(born.month, 12):02d}{min(day, 28):02d}0000"
    return true


def _identifier(
    person: Person,
    age: int,
    draws: Sequence[float],
    mess: Mess,
    wrong: list[Planted],
    emergency: bool,
) -> str:
    true = person.citizen_id
    missing = mess.id_missing_under_six if age < 6 else mess.id_missing
    if emergency:
        missing = max(missing, mess.id_missing_in_emergency)
    kind = ""
    text = true
    if age < 14 and person.mother_id and draws[13] < mess.mothers_id:
        kind, text = "mothers_id", person.mother_id
    elif draws[14] < missing:
        kind, text = "id_missing", ""
    elif draws[15] < mess.leading_zero_lost:
        kind, text = "leading_zero_lost", true.lstrip("0")
    elif age >= 20 and draws[16] < mess.cmnd:
        kind, text = "cmnd", person.old_id
    elif draws[17] < mess.id_digit_typo:
        at = 6 + int(draws[26] * 6)
        text = f"{true[:at]}{(int(true[at]) + 1 + int(draws[25] * 8)) % 10}{true[at + 1 :]}"
        kind = "id_digit_typo"
    if kind and text != true:
        wrong.append(("so_cccd", kind, true))
    return text


def _plus_years(day: Day, years: int) -> Day:
    return day.replace(year=day.year + years, day=min(day.day, 28) if day.month == 2 else day.day)
