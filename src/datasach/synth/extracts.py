"""Exchange extracts of one facility and night, and the file formats of exchange extracts.

Rows are tuples of texts in the order of `COLUMNS`; a sender's habit decides separator, encoding,
date order and spelling of the headings (the contract's field name, or a heading of
`datasets/_sources`). A workbook of some senders holds codes as numbers, so that leading zeros are
lost on the way.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .clinic import VACCINES
from .envelopes import encoded
from .facilities import Facility, Habit, base36
from .mess import Mess, Registered, register
from .people import EXTRACT, Person, stream, weight_kg
from .plan import Planner, day_text
from .truth import Written
from .visits import Visit

Row = tuple[str, ...]
COLUMNS = {
    "eprescription.prescription": (
        "ma_don_thuoc ma_cskcb ma_lk ma_lien_thong ho_ten ngay_sinh gioi_tinh so_cccd "
        "ma_the_bhyt dien_thoai dia_chi can_nang nguoi_giam_ho ma_benh_chinh chan_doan ngay_ke "
        "ngay_gui so_ngay trang_thai ma_don_thay_the"
    ),
    "eprescription.line": (
        "stt so_dang_ky ma_thuoc ten_thuoc ham_luong don_vi_tinh so_luong lieu_dung cach_dung "
        "so_luong_ban ngay_ban"
    ),
    "prevention.case": (
        "ma_ca ma_benh_chinh ten_benh nhom ho_ten ngay_sinh gioi_tinh so_cccd dien_thoai "
        "matinh_cu_tru maxa_cu_tru ma_cskcb ma_lk ngay_khoi_phat ngay_nhap_vien ngay_bao_cao "
        "ket_qua_xn tinh_trang"
    ),
    "immunization.dose": (
        "ma_mui_tiem ho_ten ngay_sinh gioi_tinh so_cccd ma_the_bhyt ho_ten_me so_cccd_me "
        "dien_thoai matinh_cu_tru maxa_cu_tru ma_vac_xin ten_vac_xin so_lo mui_thu ngay_tiem "
        "vi_tri ma_cskcb phan_ung"
    ),
    "births_deaths.death": (
        "so_giay_bao_tu ma_cskcb ma_lk ho_ten ngay_sinh gioi_tinh so_cccd ma_the_bhyt "
        "matinh_cu_tru maxa_cu_tru thoi_diem_tu_vong nguyen_nhan_truc_tiep nguyen_nhan_goc "
        "noi_tu_vong ngay_ct"
    ),
    "mch_population.pregnancy": (
        "ma_thai_ky ho_ten ngay_sinh gioi_tinh so_cccd ma_the_bhyt dien_thoai matinh_cu_tru "
        "maxa_cu_tru ma_cskcb ngay_kinh_cuoi ngay_du_sinh so_lan_kham ngay_sinh_con ket_cuc "
        "ma_lk"
    ),
    "mch_population.child_growth": (
        "ma_theo_doi ho_ten ngay_sinh gioi_tinh so_cccd ho_ten_me so_cccd_me dien_thoai "
        "matinh_cu_tru maxa_cu_tru ma_cskcb ngay_do can_nang chieu_cao"
    ),
}


def words(text: str) -> tuple[str, ...]:
    """Column names written as one line."""
    return tuple(text.split())


NAMES = {table: words(names) for table, names in COLUMNS.items()}
# A second spelling, as workbooks and exports of some vendors have it (datasets/_sources/*.yaml).
HEADINGS = {
    "ma_cskcb": "Mã cơ sở KCB", "ma_lk": "Mã LK", "ho_ten": "Họ tên", "ngay_sinh": "Ngày sinh",
    "gioi_tinh": "Giới tính", "so_cccd": "Số CCCD", "ma_the_bhyt": "Số thẻ BHYT",
    "dien_thoai": "SĐT", "matinh_cu_tru": "Mã tỉnh", "maxa_cu_tru": "Mã xã",
    "ho_ten_me": "Họ tên mẹ", "so_cccd_me": "Số CCCD mẹ", "dia_chi": "Địa chỉ",
    "ma_don_thuoc": "prescriptionCode", "ma_benh_chinh": "Mã bệnh", "chan_doan": "Chẩn đoán",
    "ngay_ke": "Ngày kê đơn", "so_ngay": "Số ngày", "ma_ca": "Mã ca bệnh", "ten_benh": "Tên bệnh",
    "nhom": "Nhóm bệnh", "ngay_khoi_phat": "Ngày khởi phát", "ngay_nhap_vien": "Ngày nhập viện",
    "ngay_bao_cao": "Ngày báo cáo", "ket_qua_xn": "KQXN", "ma_mui_tiem": "Mã mũi tiêm",
    "ma_vac_xin": "Mã vắc xin", "ten_vac_xin": "Tên vắc xin", "so_lo": "Số lô", "mui_thu": "Mũi số",
    "ngay_tiem": "Ngày tiêm", "phan_ung": "Phản ứng sau tiêm", "so_giay_bao_tu": "Số giấy báo tử",
    "thoi_diem_tu_vong": "Ngày giờ tử vong", "noi_tu_vong": "Nơi tử vong", "ngay_ct": "Ngày cấp",
    "ma_thai_ky": "Mã thai kỳ", "ngay_kinh_cuoi": "Kinh cuối", "ngay_du_sinh": "Dự sinh",
    "so_lan_kham": "Số lần khám thai", "ngay_sinh_con": "Ngày đẻ", "ket_cuc": "Kết cục",
    "ma_theo_doi": "Mã lần đo", "ngay_do": "Ngày cân đo", "can_nang": "Cân nặng (kg)",
    "chieu_cao": "Chiều cao (cm)", "ma_ho_so": "Mã hồ sơ", "nhom_doi_tuong": "Nhóm đối tượng",
    "muc_do_khuyet_tat": "Mức độ", "so_quyet_dinh": "Số QĐ", "tu_ngay": "Từ ngày",
    "den_ngay": "Đến ngày",
}  # fmt: skip
DATES = frozenset(
    words(
        "ngay_khoi_phat ngay_nhap_vien ngay_tiem ngay_ct ngay_kinh_cuoi ngay_du_sinh ngay_sinh_con "
        "ngay_do ngay_ban tu_ngay den_ngay"
    )
)
TIMES = frozenset(("ngay_bao_cao", "thoi_diem_tu_vong", "ngay_ke", "ngay_gui"))
IDENTITY = ("ho_ten", "ngay_sinh", "gioi_tinh", "so_cccd", "ma_the_bhyt", "dien_thoai",
            "matinh_cu_tru", "maxa_cu_tru")  # fmt: skip


def spelt(field: str, text: str, slashed: bool) -> str:
    """A date, time or birth date (all digits) as the sender writes it."""
    if not text or not slashed:
        return text[:8] if field == "ngay_sinh" else text
    if field in DATES or (field == "ngay_sinh" and text[4:6] != "00"):
        return f"{text[6:8]}/{text[4:6]}/{text[:4]}"
    if field in TIMES:
        return f"{text[6:8]}/{text[4:6]}/{text[:4]} {text[8:10]}:{text[10:12]}"
    return text[:4] if field == "ngay_sinh" else text


def as_csv(names: Sequence[str], rows: Iterable[Row], habit: Habit) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=habit.separator, lineterminator="\r\n")
    writer.writerow([HEADINGS.get(name, name) if habit.heading else name for name in names])
    for row in rows:
        writer.writerow(
            [spelt(name, text, habit.slashed_dates) for name, text in zip(names, row, strict=True)]
        )
    return encoded(out.getvalue(), habit.table_encoding, "replace")


def as_json(records: list[dict[str, Any]], lines: bool) -> bytes:
    if lines:
        return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records).encode()
    text = ",\n".join(json.dumps(r, ensure_ascii=False) for r in records)
    return f"[\n{text}\n]\n".encode()


def as_workbook(
    names: Sequence[str], rows: Iterable[Row], *, numbers: bool, heading: int = 1
) -> bytes:
    """A workbook of one sheet. `numbers` writes digits as numbers: 091… becomes 91…"""
    import xlsxwriter  # here, not above: most nights write no workbook

    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.set_properties({"created": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)})
    sheet = book.add_worksheet("Danh sách")
    sheet.write_row(0, 0, [HEADINGS.get(n, n) if heading else n for n in names])
    for at, row in enumerate(rows, 1):
        for column, text in enumerate(row):
            if numbers and text.isascii() and text.isdigit() and names[column] != "ngay_sinh":
                sheet.write_number(at, column, int(text))
            else:
                sheet.write_string(at, column, text)
    book.close()
    return out.getvalue()


def identity(desk: Registered, names: Sequence[str] = IDENTITY) -> dict[str, str]:
    """The identity fields of an exchange row, as registered."""
    person = desk.person
    found = {
        "ho_ten": desk.name, "ngay_sinh": desk.born, "gioi_tinh": desk.sex,
        "so_cccd": desk.identifier, "ma_the_bhyt": desk.card, "dien_thoai": desk.phone,
        "matinh_cu_tru": desk.province, "maxa_cu_tru": desk.commune, "dia_chi": desk.address,
        "ho_ten_me": person.mother_name.upper(), "so_cccd_me": person.mother_id,
    }  # fmt: skip
    return {name: found[name] for name in names if name in found}


class Collector:
    """Rows of a facility's exchange tables of one night, with the truth about each row."""

    def __init__(self, facility: Facility) -> None:
        self.facility = facility
        self.rows: dict[str, list[Row]] = {}
        self.written: dict[str, Written] = {}
        self.prescriptions: list[dict[str, Any]] = []

    def add(
        self, table: str, key: str, person: Person, wrong: list[tuple[str, str, str]],
        values: dict[str, str],
    ) -> None:  # fmt: skip
        names = NAMES[table]
        rows = self.rows.setdefault(table, [])
        rows.append(tuple(values.get(name, "") for name in names))
        known = [item for item in wrong if item[0] in names]
        written = self.written.setdefault(table, Written())
        written.row(table, len(rows), key, person, known)

    def visit(self, visit: Visit) -> None:
        """What the exchange hears of a visit: prescription, case, death, closed pregnancy."""
        desk, person, facility = visit.desk, visit.person, visit.facility
        wrong = desk.wrong
        who = identity(desk)
        if visit.lines and visit.kind in ("out", "chronic", "emergency"):
            self._prescription(visit)
        if visit.disease.notifiable:
            group, name = visit.disease.notifiable.split(":")
            key = f"CB{facility.code}{visit.link}"
            self.add("prevention.case", key, person, wrong, {
                **who, "ma_ca": key, "ma_benh_chinh": visit.disease.icd, "ten_benh": name,
                "nhom": group, "ma_cskcb": facility.code, "ma_lk": visit.link,
                "ngay_khoi_phat": day_text(visit.began - 2 - int(visit.planned.draws[28] * 3)),
                "ngay_nhap_vien": day_text(visit.began), "ngay_bao_cao": visit.left,
                "ket_qua_xn": "duong_tinh" if visit.planned.draws[29] < 0.6 else "chua_co",
                "tinh_trang": "dang_dieu_tri" if visit.kind != "ward" else "ra_vien",
            })  # fmt: skip
        if visit.result == "5":
            key = f"BT{facility.code}{visit.link}"
            self.add("births_deaths.death", f"{key}|{facility.code}", person, wrong, {
                **who, "so_giay_bao_tu": key, "ma_cskcb": facility.code, "ma_lk": visit.link,
                "thoi_diem_tu_vong": visit.left, "nguyen_nhan_truc_tiep": "A41.9",
                "nguyen_nhan_goc": visit.disease.icd, "noi_tu_vong": "Cơ sở y tế",
                "ngay_ct": day_text(visit.night),
            })  # fmt: skip
        if visit.kind == "birth":
            key = f"TK{person.pid[1:]}{day_text(visit.began)[:4]}"
            self.add("mch_population.pregnancy", key, person, wrong, {
                **who, "ma_thai_ky": key, "ma_cskcb": facility.code,
                "ngay_kinh_cuoi": day_text(visit.began - 275),
                "ngay_du_sinh": day_text(visit.began + 5),
                "so_lan_kham": str(3 + int(visit.planned.draws[28] * 6)),
                "ngay_sinh_con": day_text(visit.began), "ket_cuc": "sinh_song", "ma_lk": visit.link,
            })  # fmt: skip
            for child in visit.children:
                self._dose(child, visit, facility)

    def _dose(self, child: Person, visit: Visit, facility: Facility) -> None:
        """Hepatitis B in the first day of life: the child has no number yet, only a mother."""
        key = f"MT{facility.code}{child.pid[1:]}"
        born = f"{child.born:%Y%m%d}{child.minute // 60:02d}{child.minute % 60:02d}"
        wrong = [("so_cccd", "newborn_without_id", child.citizen_id)]
        self.add("immunization.dose", key, child, wrong, {
            **identity(visit.desk, ("dien_thoai", "matinh_cu_tru", "maxa_cu_tru")),
            "ma_mui_tiem": key, "ho_ten": f"Con bà {visit.person.name}", "ngay_sinh": born,
            "gioi_tinh": child.sex, "ho_ten_me": visit.person.name,
            "so_cccd_me": visit.desk.identifier or visit.person.citizen_id, "ma_vac_xin": "VGB_SS",
            "ten_vac_xin": "Viêm gan B sơ sinh", "so_lo": "HB26A", "mui_thu": "1",
            "ngay_tiem": f"{child.born:%Y%m%d}", "vi_tri": "Đùi phải", "ma_cskcb": facility.code,
        })  # fmt: skip

    def _prescription(self, visit: Visit) -> None:
        desk, person, facility = visit.desk, visit.person, visit.facility
        on = datetime.date.fromordinal(visit.began)
        serial = zlib.crc32(f"{visit.night}{visit.link}".encode())
        kind = "C" if visit.planned.draws[27] < 0.97 else "H"
        code = f"{facility.connection}{base36(serial * 1_000_003 % 36**7, 7)}-{kind}"
        small = person.months(on) < 72
        sold = visit.planned.draws[26] < 0.7
        head = {
            "ma_don_thuoc": code, "ma_cskcb": facility.code, "ma_lk": visit.link,
            "ma_lien_thong": visit.doctor.connection,
            **identity(desk, (*IDENTITY[:6], "dia_chi")),
            "can_nang": f"{weight_kg(person, on):.1f}" if small else "",
            "nguoi_giam_ho": person.mother_name if small else "",
            "ma_benh_chinh": visit.disease.icd, "chan_doan": visit.disease.text,
            "ngay_ke": visit.before_leaving(12), "ngay_gui": visit.before_leaving(4),
            "so_ngay": str(max(line.days for line in visit.lines)),
            "trang_thai": "da_ban" if sold else "da_ke", "ma_don_thay_the": "",
        }  # fmt: skip
        head["ngay_sinh"] = head["ngay_sinh"][:8]
        record: dict[str, Any] = {self._key(k): v for k, v in head.items()}
        record["thuoc"] = [
            {
                "stt": n, "so_dang_ky": line.drug.registration,
                "ma_thuoc": line.drug.ingredient.code, "ten_thuoc": line.drug.name,
                "ham_luong": line.drug.ingredient.strength,
                "don_vi_tinh": line.drug.ingredient.unit, "so_luong": line.quantity,
                "lieu_dung": line.dose, "cach_dung": "Uống sau ăn",
                "so_luong_ban": line.quantity if sold else None,
                "ngay_ban": day_text(visit.night) if sold else None,
            }
            for n, line in enumerate(visit.lines, 1)
        ]  # fmt: skip
        self.prescriptions.append(record)
        written = self.written.setdefault("eprescription.prescription", Written())
        written.row("eprescription.prescription", len(self.prescriptions), code, person, desk.wrong)

    def _key(self, name: str) -> str:
        return HEADINGS.get(name, name) if self.facility.habit.heading else name


def sessions(collector: Collector, planner: Planner, mess: Mess, night: int) -> None:
    """Vaccination, weighing and antenatal care of the day: no visit, only an extract."""
    facility = collector.facility
    if facility.level.name not in ("commune", "district"):
        return
    country = planner.country
    rng = stream(country.seed, EXTRACT, night, facility.index)
    block = country.block(facility.index, int(rng.random() * facility.area.blocks))
    age = (night - block.born) / 365.2425
    on = datetime.date.fromordinal(night)
    home = country.facilities[facility.index]
    province = country.reference.provinces[facility.province].name
    small = np.flatnonzero(block.present & (age > 0.1) & (age < 6))
    women = np.flatnonzero(block.present & (age > 19) & (age < 39) & (block.sex == 2))
    count = 6 if facility.level.name == "district" else 4
    for n, at in enumerate(rng.permutation(small)[:count].tolist()):
        person = block.person(at)
        desk = register(person, on, rng.random(35).tolist(), mess, home, province)
        months = person.months(on)
        draws = rng.random(3).tolist()
        fitting = [v for v in VACCINES if v[2] <= months and v[2] > 0] or [VACCINES[0]]
        code, name, _ = fitting[int(draws[0] * len(fitting))]
        key = f"MT{facility.code}{day_text(night)}{n:03d}"
        mother = ("ho_ten_me", "so_cccd_me")
        collector.add("immunization.dose", key, person, desk.wrong, {
            **identity(desk, IDENTITY + mother), "ma_mui_tiem": key, "ma_vac_xin": code,
            "ten_vac_xin": name, "so_lo": f"L{code[:3]}26B", "mui_thu": str(1 + int(draws[1] * 2)),
            "ngay_tiem": day_text(night), "vi_tri": "Đùi trái", "ma_cskcb": facility.code,
            "phan_ung": "Sốt nhẹ" if draws[2] < 0.05 else "Không",
        })  # fmt: skip
        if n % 2 == 0:
            key = f"TD{facility.code}{day_text(night)}{n:03d}"
            height = 50 + 2.2 * min(months, 12) + 0.75 * max(0, months - 12)
            collector.add("mch_population.child_growth", key, person, desk.wrong, {
                **identity(desk, IDENTITY + mother), "ma_theo_doi": key, "ma_cskcb": facility.code,
                "ngay_do": day_text(night), "can_nang": f"{weight_kg(person, on):.1f}",
                "chieu_cao": f"{height * (0.96 + 0.08 * draws[2]):.1f}",
            })  # fmt: skip
    for at in rng.permutation(women)[: count // 2].tolist():
        person = block.person(at)
        desk = register(person, on, rng.random(35).tolist(), mess, home, province)
        weeks = 8 + int(rng.random() * 30)
        key = f"TK{person.pid[1:]}{on.year}"
        collector.add("mch_population.pregnancy", key, person, desk.wrong, {
            **identity(desk), "ma_thai_ky": key, "ma_cskcb": facility.code,
            "ngay_kinh_cuoi": day_text(night - weeks * 7),
            "ngay_du_sinh": day_text(night - weeks * 7 + 280), "so_lan_kham": str(1 + weeks // 8),
            "ket_cuc": "dang_mang_thai",
        })  # fmt: skip


FILE_NAMES = {
    "prevention.case": "CABENH", "immunization.dose": "TIEMCHUNG", "births_deaths.death": "BAOTU",
    "mch_population.pregnancy": "THAIKY", "mch_population.child_growth": "TREEM",
}  # fmt: skip


def files(collector: Collector, night: int) -> Iterable[tuple[str, bytes, Written]]:
    """(name, bytes, truth) of every exchange file of the facility tonight."""
    facility = collector.facility
    stamp = f"{facility.code}_{day_text(night)}"
    for table, stem in FILE_NAMES.items():
        rows = collector.rows.get(table)
        if rows:
            data = as_csv(NAMES[table], rows, facility.habit)
            yield f"{stem}_{stamp}.csv", data, collector.written[table]
    if collector.prescriptions:
        lines = facility.habit.lines
        data = as_json(collector.prescriptions, lines)
        name = f"DONTHUOC_{stamp}.{'ndjson' if lines else 'json'}"
        yield name, data, collector.written["eprescription.prescription"]
