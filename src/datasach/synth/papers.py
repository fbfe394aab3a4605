"""The papers of a visit: XML0 and XML6 to XML15, as rows in the order of `envelopes.FILLED`.

Birth certificates make invented newborn: a person of his own, linked to the mother, whose id exists
in the truth only (a hospital does not know it). HIV rows (XML6) and TB rows (XML15) are rare and go
to the coordination channel alone; leave papers (XML10, XML11) go to social insurance alone.
"""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import TYPE_CHECKING

from .clinic import HIV, TUBERCULOSIS
from .mess import Registered
from .people import Person, citizen_id, scrambled
from .plan import day_text

if TYPE_CHECKING:
    from .visits import Visit

Row = list[str]


def fill(visit: Visit, draws: list[float], head: str) -> None:
    """Add the papers the visit needs to `visit.rows`."""
    rows, kind = visit.rows, visit.kind
    stays = kind in ("ward", "birth", "newborn")
    if stays:
        rows["XML7"] = [_discharge(visit, head)]
    if stays or not visit.desk.card:
        rows["XML8"] = [_record_summary(visit, head)]
    if visit.children:
        rows["XML9"] = [
            _birth(visit, child, n, draws, head) for n, child in enumerate(visit.children)
        ]
    if visit.sent_to:
        rows["XML13"] = [_referral(visit, head)]
    if visit.appointment:
        rows["XML14"] = [_appointment(visit, head)]
    if visit.disease is HIV:
        rows["XML6"] = [_hiv(visit, draws)]
    if visit.disease.icd == TUBERCULOSIS and kind != "ward":
        rows["XML15"] = [_tuberculosis(visit)]
    on = datetime.date.fromordinal(visit.began)
    works = 18 <= visit.person.age(on) < 60 and visit.desk.card[:2] in ("DN", "CH")
    if works and visit.result != "5" and kind != "birth":
        if visit.disease.icd == "O20.0":
            rows["XML10"] = [_pregnancy_leave(visit, head)]
        elif kind in ("ward", "out", "emergency") and draws[9] < 0.2:
            rows["XML11"] = [_sick_leave(visit, draws, head)]


def check_in(visit: Visit) -> Row:
    """XML0: who arrived and what the first order was; sent when the first cost arises."""
    desk = visit.desk
    first = visit.rows["XML3"][0] if visit.rows["XML3"] else None
    return [
        visit.link, visit.patient_code, desk.name, desk.identifier, desk.born, desk.sex, desk.card,
        desk.home, desk.card_from, desk.card_to, visit.entitlement, visit.came, visit.admitted,
        visit.disease.text if visit.admitted else "", "01" if visit.admitted else "",
        visit.attendance, visit.facility.code, first[2] if first else "", first[7] if first else "",
        visit.later(10),
    ]  # fmt: skip


def newborn(mother: Person, born: int, minute: int, number: int, draws: list[float]) -> Person:
    """A child of the night. Numbers of newborn lie above those of the population."""
    day = datetime.date.fromordinal(born)
    sex = 1 if draws[20 + number] < 0.51 else 2
    serial = int(mother.pid[1:]) + 700_001 * (number + 1)
    province = mother.citizen_id[:3]
    given = (("Bảo An", "Gia Huy", "Minh Khôi"), ("An Nhiên", "Bảo Ngọc", "Khánh Vy"))[sex - 1]
    surname = mother.name.split(" ")[0]
    return replace(
        mother,
        pid=f"{mother.pid}N{day:%y%m%d}{number}",
        name=f"{surname} {given[int(draws[22 + number] * 3)]}",
        sex=str(sex),
        born=day,
        year_only=False,
        citizen_id=citizen_id(province, sex, day.year, serial),
        old_id="",
        insurance_number=f"{mother.insurance_number[:2]}{scrambled(serial, 'insurance'):08d}",
        phone=mother.phone,
        family_phone=mother.phone,
        insured=True,
        mother_pid=mother.pid,
        mother_name=mother.name,
        mother_id=mother.citizen_id,
        father_name="",
        minute=minute + 6 * number,
    )


def newborn_desk(child: Person, mother: Registered, on: datetime.date, draw: float) -> Registered:
    """A newborn at the desk: the mother's name, no number of its own, a temporary card."""
    wrong = [("ho_ten", "mothers_name_on_newborn", child.name)]
    name = f"CON BÀ {mother.name.upper()}" if draw < 0.6 else mother.name
    identifier = ""
    if draw > 0.9 and mother.identifier:
        wrong.append(("so_cccd", "mothers_id", child.citizen_id))
        identifier = mother.identifier
    born = f"{child.born:%Y%m%d}{child.minute // 60:02d}{child.minute % 60:02d}"
    province = child.ward.old_province
    return replace(
        mother, person=child, name=name, born=born, sex=child.sex, identifier=identifier,
        card=f"TE1{province}{child.insurance_number}", level=100, home=f"{province}000",
        card_from=f"{child.born:%Y%m%d}", card_to=f"{child.born.year + 6}{child.born:%m}28",
        wrong=wrong,
    )  # fmt: skip


def _parents(visit: Visit) -> tuple[str, str]:
    on = datetime.date.fromordinal(visit.began)
    if visit.person.age(on) >= 7:
        return "", ""
    return visit.person.father_name.upper(), visit.person.mother_name.upper() or "NGƯỜI GIÁM HỘ"


def _discharge(visit: Visit, head: str) -> Row:
    father, mother = _parents(visit)
    return [
        visit.link, f"LT{visit.link}", visit.patient_code, visit.department, visit.came, visit.left,
        visit.disease.text, "Điều trị theo phác đồ, đáp ứng tốt",
        "Tái khám khi có dấu hiệu bất thường",
        head, visit.doctor.licence, visit.doctor.person.name, day_text(visit.night), father, mother,
    ]  # fmt: skip


def _record_summary(visit: Visit, head: str) -> Row:
    father, mother = _parents(visit)
    delivered = f"{visit.children[0].born:%Y%m%d}" if visit.children else ""
    return [
        visit.link, visit.attendance, father, mother, visit.came, visit.left, visit.disease.text,
        visit.disease.text,
        f"Bệnh khởi phát vài ngày trước vào viện, chẩn đoán {visit.disease.text}",
        f"Đã làm {len(visit.rows['XML3'])} dịch vụ, {len(visit.rows['XML4'])} kết quả cận lâm sàng",
        "Điều trị nội khoa theo phác đồ, theo dõi sát", delivered, visit.result, head,
        day_text(visit.night),
    ]  # fmt: skip


def _birth(visit: Visit, child: Person, n: int, draws: list[float], head: str) -> Row:
    desk, mother = visit.desk, visit.person
    caesarean = visit.disease.icd == "O82.0"
    grams = 3400 - 37 * (child.minute % 20)
    return [
        visit.link, mother.insurance_number if mother.insured else "", desk.card, desk.name,
        desk.born[:8], mother.ethnic, desk.identifier or mother.citizen_id, "20220615",
        "Cục Cảnh sát QLHC về TTXH", desk.address, desk.province, desk.district, desk.commune,
        child.father_name, f"TE1{mother.ward.old_province}{child.insurance_number}",
        child.name.upper(), child.sex, str(len(visit.children)), str(1 + int(draws[24] * 3)),
        str(1 + int(draws[24] * 3)), str(grams),
        f"{child.born:%Y%m%d}{child.minute // 60:02d}{child.minute % 60:02d}",
        visit.facility.name, "Khỏe mạnh", "1" if caesarean else "0",
        "Sinh con phải phẫu thuật" if caesarean else "", visit.doctor.person.name,
        visit.doctor.person.name, day_text(visit.night), f"{visit.link}/{n + 1}",
        f"{visit.left[:4]}/01", head,
    ]  # fmt: skip


def _referral(visit: Visit, head: str) -> Row:
    desk = visit.desk
    return [
        visit.link, visit.link, visit.paper_out.split("/")[0], visit.paper_out, visit.facility.code,
        visit.facility.code, visit.sent_to, desk.name, desk.born, desk.sex, visit.person.ethnic,
        "00000", desk.address, desk.card, desk.card_to, visit.came, visit.left,
        "Tỉnh, sinh hiệu tạm ổn", visit.disease.text, "Khởi phát vài ngày, điều trị chưa đỡ",
        "Kết quả kèm theo", "Thuốc theo đơn kèm theo", visit.disease.icd, visit.also,
        "Tỉnh, sinh hiệu ổn định", visit.discharge, "1" if visit.discharge == "2" else "3",
        "Chuyển cơ sở có khả năng chuyên môn", "Xe cứu thương", "Điều dưỡng đi cùng", "Điều dưỡng",
        visit.doctor.licence, head,
    ]  # fmt: skip


def _appointment(visit: Visit, head: str) -> Row:
    desk = visit.desk
    when = day_text(visit.appointment)
    if visit.facility.habit.vintage == "4750":
        when += "0800"
    return [
        visit.link, f"{visit.link}/HKL", visit.facility.code, desk.name, desk.born, desk.sex,
        desk.address, desk.card, desk.card_to, visit.came, visit.admitted, visit.left, when,
        visit.disease.text, visit.disease.icd, visit.also, visit.entitlement, visit.doctor.licence,
        head, day_text(visit.night),
    ]  # fmt: skip


def _hiv(visit: Visit, draws: list[float]) -> Row:
    desk = visit.desk
    start = visit.night - 200 - int(draws[25] * 2500)
    test = day_text(visit.night - 20)
    return [
        visit.link, desk.card, desk.identifier, desk.born, desk.sex, desk.address, desk.province,
        desk.district, desk.commune, day_text(start - 14), visit.facility.code, visit.facility.code,
        visit.facility.code, day_text(start), "1e", "1", "1", "3", test, "2",
        day_text(visit.night - 15), "1", "1", "TLD", "1", "30", visit.facility.code,
    ]  # fmt: skip


def _tuberculosis(visit: Visit) -> Row:
    desk = visit.desk
    return [
        visit.link, visit.patient_code, desk.name, desk.identifier, "1", "1", "2", "2", "1", "1",
        day_text(visit.night - 3), "1", visit.facility.code,
    ]  # fmt: skip


def _pregnancy_leave(visit: Visit, head: str) -> Row:
    return [
        visit.link, f"DT{visit.link}", f"{visit.link}/DT", "14", "Công ty TNHH Hư Cấu",
        f"{visit.disease.text}, nghỉ dưỡng thai", day_text(visit.night), day_text(visit.night + 13),
        head, visit.doctor.person.name, visit.doctor.licence, day_text(visit.night),
    ]  # fmt: skip


def _sick_leave(visit: Visit, draws: list[float], head: str) -> Row:
    days = 2 + int(draws[26] * 6)
    first = visit.night + (1 if visit.kind == "ward" else 0)
    return [
        visit.link, f"{visit.link}/NO", f"NO{visit.link}", visit.link, "Công ty TNHH Hư Cấu",
        visit.desk.card[-10:], visit.desk.card, visit.disease.text,
        "Nghỉ ngơi, dùng thuốc theo đơn", str(days), day_text(first), day_text(first + days - 1),
        head, visit.doctor.licence,
        day_text(visit.night), "CT07",
    ]  # fmt: skip


def assessment(person: Person, desk: Registered, night: int, number: int, chair: str) -> Row:
    """XML12: one decision of a medical assessment council; not part of any visit."""
    ratio = 21 + number * 13 % 60
    return [
        chair, "1", day_text(night), desk.name, desk.born[:8], desk.identifier or person.citizen_id,
        desk.address, desk.province, desk.district, desk.commune, person.insurance_number,
        desk.card, "Lao động tự do", desk.phone, "KT", str(1 + number % 8),
        f"GĐ{day_text(night)}/{number}", f"Hạn chế vận động, tỷ lệ {ratio} phần trăm",
        str(ratio), str(ratio), str(1 + number % 6), str(1 + number % 4),
        "Hưởng chế độ theo quy định", "Đủ điều kiện",
    ]  # fmt: skip
