"""Lines of drugs, services and results of a visit, and the money, which adds up to the hundredth.

Money follows DOMAIN.md 1.9 in whole hundredths of a đồng, so that every sum is exact:

    line      BV = quantity × price; BH = BV × ratio; fund = BH × level; co-payment = BH − fund;
              patient = BV − BH, of which other sources may take all
    summary   sums of the lines; supplies are the lines with MA_VAT_TU

A service line of vintage 130 does not multiply BV by TYLE_TT_DV, later ones do. Below 15 % of the
base salary (2,340,000 đồng, from 01/07/2026 2,530,000) the fund pays all. A row is a list of texts
in the order of `envelopes.FILLED`; what is the same in every row stands in the template.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, NamedTuple

from .clinic import INGREDIENT, SERVICES, SUPPLIES, Drug, Service, drugs
from .people import weight_kg
from .plan import day_text

if TYPE_CHECKING:
    from .visits import Visit

HHMM = [f"{minute // 60:02d}{minute % 60:02d}" for minute in range(1440)]
BASE_SALARY_RISE = datetime.date(2026, 7, 1).toordinal()
TENDER = "0125/QĐ-SYT;G1;N4"
COMMUNE_CAN = frozenset(("kham", "khamnhi", "khamsan", "ctm", "glucose", "nuoctieu"))
COURSE = (
    "Bệnh nhân tỉnh, tiếp xúc tốt", "Còn mệt, ăn uống được", "Giảm đau, ngủ được",
    "Hết sốt, phổi giảm ran", "Bụng mềm, không chướng", "Vết mổ khô, không rỉ dịch",
    "Ổn định, dự kiến ra viện",
)  # fmt: skip
REASONS = ("Sốt, mệt mỏi", "Đau, khó chịu", "Ho, khó thở", "Khám theo hẹn", "Đau bụng", "Chóng mặt",
           "Tái khám định kỳ", "Đau nhức xương khớp")  # fmt: skip


class Line(NamedTuple):
    """One prescribed drug; `quantity` in units of the product."""

    drug: Drug
    quantity: int
    days: int
    dose: str
    ordered: str
    given: str


class Item(NamedTuple):
    """One billed service, or a supply (then `service` is None and `supply` its position)."""

    service: Service | None
    supply: int
    quantity: int
    share: int
    ordered: str
    done: str
    result: str


class Draws:
    """The content draws of one visit, one after the other, round and round."""

    __slots__ = ("at", "values")

    def __init__(self, values: list[float], start: int) -> None:
        self.values, self.at = values, start

    def next(self) -> float:
        at = self.at
        self.at = at + 1 if at < len(self.values) - 1 else 54
        return self.values[at]


def cents(amount: int, places: bool = False) -> str:
    """Hundredths of a đồng as text; `places` always writes two decimals."""
    whole, rest = divmod(amount, 100)
    return f"{whole}.{rest:02d}" if rest or places else str(whole)


def fill(visit: Visit, draws: list[float], head: str) -> None:
    """Set the rows XML1 to XML5 and `visit.lines`. `head` is the identity of the unit's head."""
    take = Draws(draws, 54)
    visit.lines = _prescribe(visit, take)
    items = _services(visit, take)
    old = visit.facility.habit.vintage == "130"
    insured = bool(visit.desk.card)
    amounts2 = [(n.quantity * n.drug.price * 100, n.drug.ingredient.ratio) for n in visit.lines]
    amounts3 = []
    for item in items:
        price = item.service.price if item.service else SUPPLIES[item.supply][3]
        whole = item.quantity * price * 100
        amounts3.append((whole if old else whole * item.share // 100, whole * item.share // 100))
    inside = sum(bv * ratio // 100 for bv, ratio in amounts2) + sum(bh for _, bh in amounts3)
    base = 2_530_000 if visit.night >= BASE_SALARY_RISE else 2_340_000
    level = visit.level if insured else 0
    if insured and inside < base * 15 and visit.entitlement != "1.18":
        level = 1000
    visit.level = level
    percent = f"{level // 10}" if level % 10 == 0 else f"{level // 10}.{level % 10}"
    aided = insured and draws[45] < 0.03
    total = Total()
    scope = "1" if insured else "2"
    places = visit.facility.habit.cents
    rows2, rows3 = [], []
    for n, (line, (bv, ratio)) in enumerate(zip(visit.lines, amounts2, strict=True), 1):
        money = total.add(bv, bv * ratio // 100 if insured else 0, level, aided, places)
        total.drugs += bv
        rows2.append(_drug_row(visit, n, line, ratio, scope, percent, money))
    for n, (item, (bv, bh)) in enumerate(zip(items, amounts3, strict=True), 1):
        money = total.add(bv, bh if insured else 0, level, aided, places)
        if item.service is None:
            total.supplies += bv
        rows3.append(_service_row(visit, n, item, scope, percent, money))
    visit.rows["XML2"] = rows2
    visit.rows["XML3"] = rows3
    visit.rows["XML1"] = [_summary(visit, total, head, draws[45:54])]
    visit.rows["XML4"] = _results(visit, items, take)
    visit.rows["XML5"] = _notes(visit, take)


class Money(NamedTuple):
    bv: str
    bh: str
    other: str
    patient: str
    shared: str
    fund: str


class Total:
    """Sums of the lines, hundredths of a đồng."""

    def __init__(self) -> None:
        self.drugs = self.supplies = self.bv = self.bh = 0
        self.other = self.patient = self.shared = self.fund = 0

    def add(self, bv: int, bh: int, level: int, aided: bool, places: bool) -> Money:
        fund = (bh * level + 500) // 1000
        patient = bv - bh
        other = patient if aided else 0
        self.bv += bv
        self.bh += bh
        self.other += other
        self.patient += patient - other
        self.shared += bh - fund
        self.fund += fund
        return Money(
            cents(bv, places), cents(bh, places), cents(other), cents(patient - other, places),
            cents(bh - fund, places), cents(fund, places),
        )  # fmt: skip


def _prescribe(visit: Visit, take: Draws) -> list[Line]:
    facility = visit.facility
    if not facility.level.pharmacy:
        return []
    stays = visit.kind in ("ward", "birth", "newborn")
    lines = []
    product = drugs()
    for key in visit.disease.drugs:
        item = INGREDIENT[key]
        injected = item.route.startswith("2.")
        if injected and not stays:
            continue
        if stays:
            days = min(visit.days, 2 if injected and item.unit == "Chai" else 7)
        else:
            days = 28 if visit.kind == "chronic" else 5 + int(take.next() * 3)
        quantity = item.per_day * max(1, days)
        if item.unit in ("Lọ", "Ống") and not stays:
            quantity = max(1, days // 28 + 1)
        # A facility buys one product of an ingredient per tender, so its patients get the same one.
        drug = product[key][(facility.index + len(key)) % 4]
        each = max(1, item.per_day // 2)
        dose = f"Ngày {min(item.per_day, 2)} lần, mỗi lần {each} {item.unit.lower()}"
        if stays:
            ordered, given = visit.admitted or visit.came, visit.later(90)
        else:
            ordered = given = visit.before_leaving(12)
        lines.append(Line(drug, quantity, max(1, days), dose, ordered, given))
    return lines


def _services(visit: Visit, take: Draws) -> list[Item]:
    level = visit.facility.level.name
    stays = visit.kind in ("ward", "birth", "newborn")
    keys = list(visit.disease.services)
    if stays:
        keys = [key for key in keys if not key.startswith("kham")]
    elif not keys or not keys[0].startswith("kham"):
        keys.insert(0, "kham")
    items = []
    ordered = visit.later(10 if not stays else 50)
    for key in keys:
        service = SERVICES[key]
        if (service.group == 8 and not stays) or (level == "commune" and key not in COMMUNE_CAN):
            continue
        done = visit.later(55 if stays else 20)
        waits = service.group in (1, 2, 3)
        items.append(
            Item(service, -1, 1, 100, visit.later(5) if service.group == 13 else ordered, done,
                 visit.later(70 if stays else 45) if waits else done)
        )  # fmt: skip
    if not stays and level in ("central", "provincial") and take.next() < 0.06:
        # The second consultation of a day is paid at 30 per cent.
        at = visit.later(30)
        items.append(Item(SERVICES["khammat"], -1, 1, 30, at, at, at))
    if stays and visit.days:
        surgical = any(item.service and item.service.group == 8 for item in items)
        bed = SERVICES["giuongngoai" if surgical else "giuong"]
        at = visit.admitted or visit.came
        items.append(Item(bed, -1, visit.days, 100, at, at, visit.left))
        items.append(Item(None, 0, 2 * visit.days, 100, at, at, at))
        if surgical:
            items.append(Item(None, 2, 2, 100, ordered, ordered, ordered))
            items.append(Item(None, 4, 6, 100, ordered, ordered, ordered))
    return items


def _drug_row(
    visit: Visit, n: int, line: Line, ratio: int, scope: str, percent: str, money: Money
) -> list[str]:
    drug, item = line.drug, line.drug.ingredient
    return [
        visit.link, str(n), item.code, "6" if ratio < 100 else "4", drug.name, item.unit,
        item.strength, item.route, item.form, line.dose,
        "Uống sau ăn" if item.route == "1.01" else "Theo y lệnh", drug.registration, TENDER, scope,
        str(ratio), str(line.quantity), str(drug.price), money.bv, money.bh, money.other,
        money.other, percent, money.patient, money.shared, money.fund, visit.department,
        visit.doctor.licence, line.ordered, line.given,
    ]  # fmt: skip


def _service_row(
    visit: Visit, n: int, item: Item, scope: str, percent: str, money: Money
) -> list[str]:
    service = item.service
    if service:
        bed = service.group == 15
        price = str(service.price)
        head = [visit.link, str(n), service.code, "", str(service.group), "", "", service.name,
                service.unit, scope, str(item.quantity), price, price, "",
                str(item.share)]  # fmt: skip
        device = (
            f"{service.device}.{1 + n % 2}.{visit.facility.code}{service.device}"
            if service.device
            else ""
        )
        if service.group in (2, 3) and not device:
            device = f"XQ.1.{visit.facility.code}XQ"
        tail = [f"H{1 + n * 7 % 60:03d}" if bed else "", visit.doctor.licence,
                visit.doctor.licence if not bed else "", visit.disease.icd, item.ordered,
                item.done, item.result, "1" if service.group == 8 else "", device]  # fmt: skip
    else:
        code, name, unit, cost, package = SUPPLIES[item.supply]
        head = [visit.link, str(n), "", code, "10", package, name, "", unit, scope,
                str(item.quantity), str(cost), str(cost), TENDER, str(item.share)]  # fmt: skip
        tail = [
            "",
            visit.doctor.licence,
            "",
            visit.disease.icd,
            item.ordered,
            item.done,
            "",
            "",
            "",
        ]
    return [
        *head, money.bv, money.bh, percent, money.other, money.other, money.patient, money.shared,
        money.fund, visit.department, *tail,
    ]  # fmt: skip


def _results(visit: Visit, items: list[Item], take: Draws) -> list[list[str]]:
    rows: list[list[str]] = []
    for item in items:
        service = item.service
        if service is None:
            continue
        for index in service.indices:
            value = index.low + (index.high - index.low) * take.next()
            text = f"{value:.{index.decimals}f}"
            rows.append([visit.link, str(len(rows) + 1), service.code, index.code, index.name, text,
                         index.unit, "", "", item.result, visit.doctor.licence])  # fmt: skip
        if service.finding:
            rows.append([visit.link, str(len(rows) + 1), service.code, "", "", "", "",
                         service.finding, f"Theo dõi {visit.disease.text}", item.result,
                         visit.doctor.licence])  # fmt: skip
    return rows


def _notes(visit: Visit, take: Draws) -> list[list[str]]:
    if visit.kind == "chronic":
        days = 1
    elif visit.kind in ("ward", "birth"):
        days = visit.days
    else:
        return []
    rows = []
    for n in range(days):
        draw = take.next()
        text = (
            f"{COURSE[int(draw * 6)] if n < days - 1 or days == 1 else COURSE[6]}; "
            f"mạch {66 + int(draw * 40)} lần/phút, nhiệt độ {36.5 + draw * 1.4:.1f}, "
            f"HA {105 + int(draw * 45)}/{65 + int(draw * 25)} mmHg"
        )
        first, last = n == 0, n == days - 1
        at = (
            visit.later(60)
            if first and visit.kind != "chronic"
            else visit.before_leaving(20)
            if last
            else day_text(visit.began + n) + HHMM[450 + int(draw * 90)]
        )
        rows.append([visit.link, str(n + 1), text, "", "", "", at, visit.doctor.licence])
    return rows


def _summary(visit: Visit, total: Total, head: str, draws: list[float]) -> list[str]:
    desk, person, facility = visit.desk, visit.person, visit.facility
    on = datetime.date.fromordinal(visit.began)
    places = facility.habit.cents
    stays = visit.kind in ("ward", "birth")
    age = person.age(on)
    children = ";".join(str(3400 - 37 * (child.minute % 20)) for child in visit.children)
    kind = (
        "03" if stays or visit.kind == "newborn"
        else ("08" if len(visit.rows["XML3"]) > 1 else "05") if visit.kind == "chronic"
        else "01"
    )  # fmt: skip
    visit.attendance = kind
    treated = {"03": visit.days, "05": 28 if visit.lines else 1, "08": 1}.get(kind, 0)
    job = "00000" if age < 18 or age >= 60 else ("51120", "72140", "61110", "23410")[age % 4]
    surgical = visit.disease.services[:1] in (("mo",), ("motuimat",), ("ketxuong",), ("molaythai",))
    return [
        visit.link, visit.patient_code, desk.name, desk.identifier, desk.born, desk.sex,
        person.blood if draws[0] < 0.4 else "", person.ethnic, job, desk.address, desk.province,
        desk.district, desk.commune, desk.phone, desk.card, desk.home, desk.card_from,
        desk.card_to, REASONS[int(draws[6] * 8)], visit.disease.text if stays else "",
        "01" if stays else "", visit.disease.text, visit.disease.text, visit.disease.icd,
        visit.also, visit.entitlement, visit.planned.sent_by, visit.sent_to,
        visit.disease.accident, visit.came, visit.admitted, visit.left, visit.planned.paper,
        str(treated),
        "Phẫu thuật, thuốc, theo dõi hậu phẫu" if surgical
        else "Điều trị nội khoa, dùng thuốc theo đơn" if visit.lines
        else "Tư vấn, theo dõi tại nhà",
        visit.result, visit.discharge, "", visit.left, cents(total.drugs, places),
        cents(total.supplies, places), cents(total.bv, places), cents(total.bh, places),
        cents(total.patient, places), cents(total.shared, places), cents(total.fund, places),
        cents(total.other, places), cents(total.fund, places), visit.left[:4],
        str(int(visit.left[4:6])), kind, visit.department, facility.code,
        f"{weight_kg(person, on):.2f}" if age < 1 else "", children,
        "" if not desk.card or age < 6 else "20200101",
        day_text(visit.appointment) if visit.appointment else "", visit.link, head,
    ]  # fmt: skip
