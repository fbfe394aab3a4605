"""Registers and authorities' files: whole on the first night, small updates afterwards.

BYT sends facilities, practitioners and drugs; C06 sends health books (26 million in a real country,
so they are streamed block by block), consent events and population checks; the provincial health
departments (SYT) send lists of beneficiaries; each facility sends its devices.
"""

from __future__ import annotations

import datetime
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from . import books
from .clinic import drugs
from .extracts import as_csv, as_workbook, identity, words
from .facilities import Country, Facility, Habit
from .mess import Mess, Planted, register
from .people import EXTRACT, Person, stream
from .plan import day_text
from .truth import NightTruth, Written
from .visits import Visit

Row = tuple[str, ...]
DEVICES = {
    "HH": ("Máy xét nghiệm huyết học", "B"), "SH": ("Máy xét nghiệm sinh hóa", "B"),
    "NT": ("Máy xét nghiệm nước tiểu", "B"), "MD": ("Máy xét nghiệm miễn dịch", "C"),
    "XQ": ("Máy chụp X-quang", "C"), "SA": ("Máy siêu âm", "B"),
    "CT": ("Máy chụp cắt lớp vi tính", "C"), "DT": ("Máy điện tim", "B"),
}  # fmt: skip
FACILITY = words(
    "ma_cskcb ma_cskcb_cu ma_lien_thong gln ten_cskcb so_giay_phep hang cap loai_hinh matinh "
    "maxa dia_chi trang_thai ngay_hieu_luc ngay_het_hieu_luc"
)
PRACTITIONER = words(
    "so_gphn ho_ten ngay_sinh gioi_tinh so_cccd dien_thoai chuc_danh pham_vi ma_cskcb "
    "thoi_gian_lam_viec ngay_cap ngay_het_han ma_lien_thong trang_thai"
)
DRUG = words(
    "so_dang_ky so_dang_ky_cu ma_hoat_chat ten_thuoc hoat_chat ham_luong dang_bao_che "
    "duong_dung don_vi_tinh nha_san_xuat nuoc_san_xuat phan_loai gia_ke_khai ngay_hieu_luc "
    "ngay_het_han trang_thai"
)
DEVICE = words(
    "ma_may ma_cskcb ten_thiet_bi model serial so_luu_hanh loai ngay_kiem_dinh "
    "ngay_het_kiem_dinh trang_thai"
)
BENEFICIARY = words(
    "ma_ho_so ho_ten ngay_sinh gioi_tinh so_cccd ma_the_bhyt dien_thoai matinh_cu_tru "
    "maxa_cu_tru nhom_doi_tuong dang_khuyet_tat muc_do_khuyet_tat so_quyet_dinh tu_ngay "
    "den_ngay"
)
CHECK = words("ma_yeu_cau so_cccd ho_ten ngay_sinh gioi_tinh ket_qua thoi_diem")
PLAIN = Habit("register", separator=";", table_encoding="utf-8-sig")


def gln(number: int) -> str:
    """A GLN of Viet Nam's range with its GS1 check digit.

    >>> gln(1)
    '8939990000016'
    """
    body = f"893999{number:06d}"
    total = sum(int(c) * (3 if at % 2 else 1) for at, c in enumerate(body))
    return f"{body}{-total % 10}"


def facility_row(facility: Facility) -> Row:
    ward, level = facility.area.wards[0], facility.level
    return (
        facility.code, facility.predecessor, facility.connection, gln(facility.index + 1),
        facility.name, f"{facility.index + 1:05d}/{facility.unit}-GPHĐ", level.rank, level.tier,
        "tu_nhan" if level.private else "cong_lap", facility.province, ward.new_code,
        f"Số 1, {ward.new_name}", "hoat_dong",
        "20250701" if facility.predecessor else "20190201", "",
    )  # fmt: skip


def send_first(country: Country, truth: NightTruth, night: int, mess: Mess) -> None:
    """Everything registers know, on the first night."""
    day = day_text(night)
    written = Written()
    rows = [facility_row(f) for f in country.facilities]
    for at, facility in enumerate(country.facilities, 1):
        written.records.append(("facilities.facility", None, at, facility.code, "", "", 1))
    truth.save("BYT", f"DANHMUC_CSKCB_{day}.csv", as_csv(FACILITY, rows, PLAIN), written)
    written = Written()
    book = as_workbook(PRACTITIONER, _practitioners(country, written), numbers=False, heading=0)
    truth.save("BYT", f"NGUOIHANHNGHE_{day}.xlsx", book, written)
    rows = [_drug_row(product) for group in drugs().values() for product in group]
    comma = Habit("drugs", table_encoding="windows-1258")
    truth.save("BYT", f"DANHMUC_THUOC_{day}.csv", as_csv(DRUG, rows, comma))
    for facility in country.facilities:
        truth.save(
            facility.code, f"THIETBI_{facility.code}_{day}.parquet", _devices(facility, night)
        )
    books.send(country, truth, night, mess)
    _send_beneficiaries(country, truth, night, mess)


def send_updates(country: Country, truth: NightTruth, night: int, first: int) -> None:
    """A few changed rows: one facility, two practitioners, one product, some books."""
    day = day_text(night)
    rng = stream(country.seed, EXTRACT, night, 1_000_000)
    facility = country.facilities[int(rng.random() * len(country.facilities))]
    row = facility_row(facility)
    changed = (*row[:11], f"Số {2 + night % 40}, {facility.area.wards[0].new_name}", *row[12:])
    truth.save("BYT", f"DANHMUC_CSKCB_{day}.csv", as_csv(FACILITY, [changed], PLAIN))
    staff = country.staff(facility.index)[:2]
    rows = [_practitioner(facility, doctor.licence, doctor) for doctor in staff]
    if rows:
        data = as_workbook(PRACTITIONER, rows, numbers=False, heading=0)
        truth.save("BYT", f"NGUOIHANHNGHE_{day}.xlsx", data)
    block = country.block(facility.index, int(rng.random() * facility.area.blocks))
    living = np.flatnonzero(block.present & (block.born < first))
    chosen = sorted(rng.permutation(living)[:25].tolist())
    rows, written = [], Written()
    for at in chosen:
        if block.chance[at] < books.HAVE_A_BOOK:
            person = block.person(at)
            rows.append(books.book(person, country, first, night))
            written.row("ehr_book.book", len(rows), rows[-1][0], person, [])
            truth.person(person)
    truth.save("C06", f"SSKDT_{day}.parquet", _parquet(books.BOOK, rows), written)


def _practitioners(country: Country, written: Written) -> Iterator[Row]:
    n = 0
    for facility in country.facilities:
        for doctor in country.staff(facility.index):
            n += 1
            written.row("practitioners.practitioner", n, doctor.licence, doctor.person, [])
            yield _practitioner(facility, doctor.licence, doctor)


def _practitioner(facility: Facility, licence: str, doctor: Any) -> Row:
    person: Person = doctor.person
    issued = person.born.year + 26
    return (
        licence, person.name, f"{person.born:%Y%m%d}", person.sex, person.citizen_id, person.phone,
        doctor.title, "Khám bệnh, chữa bệnh", facility.code, "07:00-17:00, thứ 2 - thứ 6",
        f"{max(issued, 2012)}0615", "20290615" if licence.endswith("GPHN") else "",
        doctor.connection, "hoat_dong",
    )  # fmt: skip


def _drug_row(drug: Any) -> Row:
    item = drug.ingredient
    return (
        drug.registration, drug.former_registration, item.code, drug.name, item.name, item.strength,
        item.form, item.route, item.unit, drug.maker, drug.country,
        "ke_don" if item.prescribed else "khong_ke_don", f"{round(drug.price * 1.15)}", "20230101",
        "20281231", "hoat_dong",
    )  # fmt: skip


def _devices(facility: Facility, night: int) -> bytes:
    kinds = ("HH", "SH", "NT", "XQ") if facility.level.name == "commune" else tuple(DEVICES)
    rows = []
    for kind in kinds:
        name, risk = DEVICES[kind]
        for n in (1, 2):
            checked = night - 40 - (facility.index * 7 + n * 11) % 300
            rows.append(
                (f"{kind}.{n}.{facility.code}{kind}", facility.code, name, f"HC-{kind}{n}00",
                 f"{kind}{facility.index:05d}{n}", f"22000{n}/GPNK-{kind}", risk,
                 day_text(checked), day_text(checked + 365), "hoat_dong")
            )  # fmt: skip
    return _parquet(DEVICE, rows)


def _parquet(names: Sequence[str], rows: Sequence[Row]) -> bytes:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    out = io.BytesIO()
    arrays = [pa.array(column, pa.string()) for column in columns]
    pq.write_table(pa.Table.from_arrays(arrays, names=list(names)), out)
    return out.getvalue()


def _send_beneficiaries(country: Country, truth: NightTruth, night: int, mess: Mess) -> None:
    """One list per province; every second department's workbook holds codes as numbers."""
    lists: dict[str, list[Row]] = {}
    written: dict[str, Written] = {}
    number_writers = sorted(country.provinces)[1::2]
    for facility in country.facilities:
        for number in range(facility.area.blocks):
            block = country.block(facility.index, number)
            helped = block.present & (block.born < night) & (block.chance < 0.015)
            for at in np.flatnonzero(helped).tolist():
                person = block.person(at)
                province = person.ward.new_province
                rows = lists.setdefault(province, [])
                values, wrong = beneficiary(person, night, mess, country)
                if province in number_writers:
                    wrong = [*wrong, *lost_zeros(values)]
                rows.append(tuple(values.get(name, "") for name in BENEFICIARY))
                written.setdefault(province, Written()).row(
                    "social_protection.beneficiary", len(rows), rows[-1][0], person, wrong
                )
    for province, rows in sorted(lists.items()):
        data = as_workbook(BENEFICIARY, rows, numbers=province in number_writers)
        name = f"BTXH_{province}_{day_text(night)}.xlsx"
        truth.save("SYT", name, data, written[province])


def lost_zeros(values: dict[str, str]) -> list[Planted]:
    """What a workbook that holds codes as numbers will lose."""
    fields = ("so_cccd", "dien_thoai", "matinh_cu_tru", "maxa_cu_tru")
    return [
        (name, "leading_zero_lost", values[name]) for name in fields if values[name].startswith("0")
    ]


def send_new_beneficiaries(
    country: Country, truth: NightTruth, night: int, facility: Facility, mess: Mess
) -> None:
    """Two new cases of a district's social workers, in the facility's own kind of workbook."""
    rng = stream(country.seed, EXTRACT, night, facility.index, 1)
    if facility.level.name != "district" or rng.random() > 0.4:
        return
    block = country.block(facility.index, int(rng.random() * facility.area.blocks))
    grown = np.flatnonzero(block.present & (block.born < night - 9000) & (block.chance > 0.9))
    rows, written = [], Written()
    habit = facility.habit
    for at in rng.permutation(grown)[:2].tolist():
        person = block.person(at)
        values, wrong = beneficiary(person, night, mess, country)
        if habit.numbers:
            wrong = [*wrong, *lost_zeros(values)]
        rows.append(tuple(values.get(name, "") for name in BENEFICIARY))
        written.row("social_protection.beneficiary", len(rows), rows[-1][0], person, wrong)
        truth.person(person)
    if rows:
        data = as_workbook(BENEFICIARY, rows, numbers=habit.numbers, heading=habit.heading)
        name = f"BTXH_{facility.code}_{day_text(night)}.xlsx"
        truth.save(facility.code, name, data, written)


def beneficiary(
    person: Person, night: int, mess: Mess, country: Country
) -> tuple[dict[str, str], list[Planted]]:
    on = datetime.date.fromordinal(night)
    rng = stream(country.seed, EXTRACT, 0, int(person.pid[1:]) + 2_000_000)
    home = country.facilities[person.area]
    province = country.reference.provinces[home.province].name
    desk = register(person, on, rng.random(35).tolist(), mess, home, province)
    who = identity(desk)
    who["ngay_sinh"] = who["ngay_sinh"][:8]
    disabled = rng.random() < 0.5
    values = {
        **who, "ma_ho_so": f"BT{person.ward.new_province}{person.pid[1:]}",
        "nhom_doi_tuong": "nguoi_khuyet_tat" if disabled else "ho_ngheo",
        "dang_khuyet_tat": str(1 + int(rng.random() * 6)) if disabled else "",
        "muc_do_khuyet_tat": str(1 + int(rng.random() * 4)) if disabled else "",
        "so_quyet_dinh": f"{int(rng.random() * 9000) + 1}/QĐ-UBND", "tu_ngay": "20240101",
        "den_ngay": "",
    }  # fmt: skip
    return values, desk.wrong


class AuthorityStreams:
    """Consent events and population checks of a night, written while the facilities go by."""

    def __init__(self, country: Country, truth: NightTruth, night: int) -> None:
        self.country, self.truth, self.night = country, truth, night
        self.consents: list[bytes] = []
        self.checks: list[Row] = []
        self.of_consents, self.of_checks = Written(), Written()

    def visit(self, visit: Visit) -> None:
        if visit.kind == "newborn":
            return
        draws, person = visit.planned.draws, visit.person
        when = visit.before_leaving(2)
        canary = visit.planned.kind == "canary"
        key = f"{visit.facility.code}{visit.link}"
        if draws[43] < 0.08 or canary:
            withdrawn = draws[42] < 0.1
            event = {
                "ma_su_kien": f"DY{key}", "so_cccd": person.citizen_id,
                "muc_dich": "chia_se_so_suc_khoe", "pham_vi": "tom_tat_kcb", "thoi_diem": when,
                "kenh": "VNeID" if draws[41] < 0.9 else "giay", "phien_ban": "1.0",
                "trang_thai": "rut_lai" if withdrawn else "dong_y", "can_cu": "dong_y",
            }  # fmt: skip
            self.consents.append(json.dumps(event, ensure_ascii=False).encode() + b"\n")
            self.of_consents.row("ehr_book.consent", len(self.consents), f"DY{key}", person, [])
        if (draws[44] < 0.12 or canary) and visit.desk.identifier:
            kinds = {kind for _, kind, _ in visit.desk.wrong} & WRONG_FOR_C06
            fields = {f for f, kind, _ in visit.desk.wrong if kind in kinds}
            result = "khong_khop" if "so_cccd" in fields else "khop_mot_phan" if fields else "khop"
            desk = visit.desk
            self.checks.append((f"XT{key}", desk.identifier, desk.name, desk.born[:8], desk.sex,
                                result, when))  # fmt: skip
            self.of_checks.row(
                "ehr_book.population_check", len(self.checks), f"XT{key}", person, desk.wrong
            )

    def close(self) -> None:
        day = day_text(self.night)
        if self.consents:
            self.truth.save("C06", f"DONGY_{day}.ndjson", b"".join(self.consents), self.of_consents)
        if self.checks:
            data = as_csv(CHECK, self.checks, PLAIN)
            self.truth.save("C06", f"KIEMTRA_DANCU_{day}.csv", data, self.of_checks)


WRONG_FOR_C06 = frozenset(
    ("mothers_id", "id_digit_typo", "cmnd", "leading_zero_lost", "given_name_typo", "sex_wrong",
     "middle_name_cut", "day_month_swapped", "birth_digit_typo", "first_of_january")
)  # fmt: skip
