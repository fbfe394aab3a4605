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
    delay: int = 0
    """Days after the visit its envelopes leave."""
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
        self.theatre: dict[str, list[tuple[datetime, datetime]]] = {}

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

    def free_theatre(self, who: Practitioner, when: datetime, length: timedelta) -> bool:
        """Nobody operates on two people at one time."""
        booked = self.theatre.setdefault(who.licence, [])
        if any(when < end and begin < when + length for begin, end in booked):
            return False
        booked.append((when, when + length))
        return True

    def begin(
        self, facility: Facility, person: Person, kind: str, came: datetime, left: datetime
    ) -> Encounter:
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
        joined = (
            [";".join(part) for part in zip(*cards, strict=True)] if cards else ["", "", "", ""]
        )
        return {
            "MA_LK": e.ma_lk, "MA_BN": f"{e.facility.code[2:]}-{p.number:07d}", "HO_TEN": name, "SO_CCCD": p.citizen_id,
            "NGAY_SINH": p.birth_text(), "GIOI_TINH": p.sex, "NHOM_MAU": p.blood, "MA_QUOCTICH": p.nationality,
            "MA_DANTOC": p.ethnic, "MA_NGHE_NGHIEP": p.occupation, "DIA_CHI": p.address,
            "MATINH_CU_TRU": ("0" if e.facility.code == "38731" else "") + p.commune.province, "MAHUYEN_CU_TRU": "", "MAXA_CU_TRU": p.commune.code,
            "DIEN_THOAI": p.phone, "MA_THE_BHYT": joined[0], "MA_DKBD": joined[1], "GT_THE_TU": joined[2],
            "GT_THE_DEN": joined[3],
        }  # fmt: skip

    def drug(
        self,
        e: Encounter,
        drug: Drug,
        quantity: str,
        when: datetime,
        doctor: Practitioner,
        department: str,
    ) -> Item:
        row = {
            "MA_LK": e.ma_lk, "MA_THUOC": drug.code, "MA_NHOM": drug.group, "TEN_THUOC": drug.name,
            "DON_VI_TINH": drug.unit, "HAM_LUONG": drug.strength, "DUONG_DUNG": drug.route,
            "DANG_BAO_CHE": drug.form, "LIEU_DUNG": f"{quantity} {drug.unit} chia đều các ngày",
            "CACH_DUNG": "Theo chỉ định của bác sĩ", "SO_DANG_KY": drug.registration,
            "TT_THAU": f"{self.night.year};G1;N2;{100 + len(drug.name)}", "MA_KHOA": department,
            "MA_BAC_SI": doctor.licence, "NGAY_YL": moment(when), "NGAY_TH_YL": moment(when), "MA_PTTT": "1",
            "NGUON_CTRA": "1",
        }  # fmt: skip
        return Item(row, Decimal(quantity), Decimal(drug.price), "XML2", ratio=drug.ratio)

    def service(
        self, e: Encounter, service: Service, when: datetime, doctor: Practitioner, department: str, *,
        minutes: int = 10, quantity: str = "1", performer: Practitioner | None = None, last: datetime | None = None,
    ) -> Item:  # fmt: skip
        last = last or e.left
        performer = performer or self.technician(e.facility)
        begun = min(when + timedelta(minutes=minutes), last)
        if service.group in ("8", "18"):
            begun = self.free_minute(performer, begun, last)
        done = min(begun + timedelta(minutes=self.rng.randint(8, 45)), last)
        row = {
            "MA_LK": e.ma_lk, "MA_DICH_VU": service.code, "MA_NHOM": service.group, "TEN_DICH_VU": service.name,
            "DON_VI_TINH": service.unit, "MA_KHOA": department, "MA_BAC_SI": doctor.licence,
            "NGUOI_THUC_HIEN": performer.licence, "NGAY_YL": moment(when), "NGAY_TH_YL": moment(begun),
            "NGAY_KQ": moment(done) if service.group in ("1", "2", "3", "8", "18") else "", "MA_PTTT": "1",
            "MA_BENH": "",
        }  # fmt: skip
        if service.group in ("1", "2", "3"):
            row["MA_MAY"] = world.device_code(e.facility, service.group)
        if service.group == "8":
            row |= {"PP_VO_CAM": self.rng.choice("12"), "MA_PTTT_QT": "47.01"}
        return Item(row, Decimal(quantity), Decimal(service.price), "XML3")

    def supply(
        self, e: Encounter, when: datetime, doctor: Practitioner, department: str, which: int
    ) -> Item:
        code, name, unit, price, ceiling = world.SUPPLIES[which]
        row = {
            "MA_LK": e.ma_lk, "MA_VAT_TU": code, "MA_NHOM": "10", "TEN_VAT_TU": name, "DON_VI_TINH": unit,
            "MA_KHOA": department, "MA_BAC_SI": doctor.licence, "NGAY_YL": moment(when), "NGAY_TH_YL": moment(when),
            "MA_PTTT": "1", "TT_THAU": f"{self.night.year}.12.QĐ", "GOI_VTYT": "",
        }  # fmt: skip
        item = Item(
            row, Decimal(1 if which == 1 else self.rng.randint(1, 3)), Decimal(price), "XML3"
        )
        if ceiling:
            item.ceiling = Decimal(ceiling)
            row["T_TRANTT"] = money(Decimal(ceiling))
        return item

    # -- who pays ---------------------------------------------------------------------------------

    def bill(self, e: Encounter, items: list[Item], level: int | None = None) -> None:
        """Lines with amounts, and the summary's sums of them."""
        base = Decimal(2_340_000 if e.left < at(date(2026, 7, 1)) else 2_530_000)
        if not e.insured:
            for item in items:
                item.scope = "2"
        inside = sum((i.insured_amount for i in items), Decimal(0))
        if level is None:
            level = world.LEVEL[e.person.card[2]] if e.insured else 0
        if e.insured and inside < base * 15 / 100:
            level = 100
        if e.insured and e.person.card.startswith("CN"):
            level = 100
        numbers = {"XML2": 0, "XML3": 0}
        sums: dict[str, Decimal] = dict.fromkeys(
            ("T_THUOC", "T_VTYT", "BV", "BH", "BNTT", "BNCCT", "BHTT", "KHAC", "GDV"), Decimal(0)
        )
        for item in items:
            numbers[item.table] += 1
            row, bv, bh = item.row, item.facility_amount, item.insured_amount
            line_level = level if item.scope == "1" else 0
            fund = (bh * line_level / 100).quantize(CENT, ROUND_HALF_UP)
            shared, own = bh - fund, bv - bh
            other = min(item.other, own)
            own -= other
            row |= {
                "STT": str(numbers[item.table]), "PHAM_VI": item.scope, "SO_LUONG": f"{item.quantity:.3f}",
                "TYLE_TT_BH": str(item.ratio if item.scope == "1" else 0), "THANH_TIEN_BV": money(bv),
                "THANH_TIEN_BH": money(bh), "MUC_HUONG": str(line_level), "T_NGUONKHAC_NSNN": "0.00",
                "T_NGUONKHAC_VTNN": "0.00", "T_NGUONKHAC_VTTN": money(other), "T_NGUONKHAC_CL": "0.00",
                "T_NGUONKHAC": money(other), "T_BNTT": money(own), "T_BNCCT": money(shared), "T_BHTT": money(fund),
            }  # fmt: skip
            if item.table == "XML2":
                row["DON_GIA"] = f"{item.price:.3f}"
                sums["T_THUOC"] += bv
            else:
                row["DON_GIA_BV"] = f"{item.price:.3f}"
                row["DON_GIA_BH"] = f"{item.price if item.scope == '1' else Decimal(0):.3f}"
                row["TYLE_TT_DV"] = str(item.service_ratio)
                if "MA_VAT_TU" in row:
                    sums["T_VTYT"] += bv
            for name, value in (("BV", bv), ("BH", bh), ("BNTT", own), ("BNCCT", shared), ("BHTT", fund),
                                ("KHAC", other)):  # fmt: skip
                sums[name] += value
            sums["GDV"] += fund
            e.tables.setdefault(item.table, []).append(row)
        e.summary.update(
            T_THUOC=money(sums["T_THUOC"]), T_VTYT=money(sums["T_VTYT"]), T_TONGCHI_BV=money(sums["BV"]),
            T_TONGCHI_BH=money(sums["BH"]), T_BNTT=money(sums["BNTT"]), T_BNCCT=money(sums["BNCCT"]),
            T_BHTT=money(sums["BHTT"]), T_NGUONKHAC=money(sums["KHAC"]), T_BHTT_GDV=money(sums["GDV"]),
        )  # fmt: skip

    def results(self, e: Encounter) -> None:
        """XML4 for every laboratory and imaging line."""
        catalogue = {s.code: s for s in (*world.LAB, *world.IMAGING)}
        found: list[Row] = []
        for line in e.tables.get("XML3", []):
            service = catalogue.get(line.get("MA_DICH_VU", ""))
            if service is None:
                continue
            base = {
                "MA_LK": e.ma_lk, "MA_DICH_VU": service.code, "NGAY_KQ": line["NGAY_KQ"],
                "MA_BS_DOC_KQ": line["NGUOI_THUC_HIEN"],
            }  # fmt: skip
            for code, name, unit, low, high in service.indices:
                value = f"{self.rng.uniform(low, high):.1f}"
                found.append(
                    base
                    | {"MA_CHI_SO": code, "TEN_CHI_SO": name, "GIA_TRI": value, "DON_VI_DO": unit}
                )
            if service.finding:
                found.append(base | {"MA_CHI_SO": "", "TEN_CHI_SO": service.name, "MO_TA": service.finding,
                                     "KET_LUAN": "Theo dõi lâm sàng"})  # fmt: skip
        for number, row in enumerate(found, 1):
            row["STT"] = str(number)
        if found:
            e.tables["XML4"] = found

    def notes(self, e: Encounter, department: str) -> None:
        """XML5: a note at admission and one each further day, inside the stay."""
        doctor = self.doctor(e.facility)
        moments = [e.came + timedelta(minutes=15)]
        on = e.came.date() + timedelta(days=1)
        while on <= e.left.date():
            moments.append(min(at(on, 8, self.rng.randint(0, 40)), e.left))
            on += timedelta(days=1)
        words = ("Bệnh tỉnh, tiếp xúc tốt, sinh hiệu ổn", "Bớt đau, ăn uống được, không sốt", "Vết thương khô",
                 "Người bệnh ổn định, tiếp tục điều trị", "Mạch 84, huyết áp 120/75, thở êm")  # fmt: skip
        e.tables["XML5"] = [
            {"MA_LK": e.ma_lk, "STT": str(n), "DIEN_BIEN_LS": f"Lần {n}: {self.rng.choice(words)}, T {36.4 + n / 10:.1f}",
             "GIAI_DOAN_BENH": "", "THOI_DIEM_DBLS": moment(min(m, e.left)), "NGUOI_THUC_HIEN": doctor.licence}
            for n, m in enumerate(moments, 1)
        ]  # fmt: skip

    def head_of(self, e: Encounter) -> str:
        return e.facility.head

    def summary(
        self, e: Encounter, *, icd: str, words: str, department: str, entitlement: str, others: tuple[str, ...] = (),
        result: str = "2", leaving: str = "1", days: int = 0, reason: str = "Đau, mệt", admitted: datetime | None = None,
    ) -> Row:  # fmt: skip
        rng = self.rng
        row = self.who(e) | {
            "STT": "1", "NGAY_MIEN_CCT": "", "LY_DO_VV": reason, "CHAN_DOAN_VAO": words, "CHAN_DOAN_RV": f"{words} ({icd})",
            "MA_BENH_CHINH": icd, "MA_BENH_KT": ";".join(others), "MA_DOITUONG_KCB": entitlement, "MA_NOI_DI": "",
            "MA_NOI_DEN": "", "MA_TAI_NAN": str(rng.choice((1, 2, 5, 8))) if icd[0] in "ST" else "",
            "NGAY_VAO": moment(e.came), "NGAY_VAO_NOI_TRU": moment(admitted) if admitted else "",
            "LY_DO_VNT": "Cần theo dõi và điều trị nội trú" if admitted else "", "NGAY_RA": moment(e.left),
            "GIAY_CHUYEN_TUYEN": "", "SO_NGAY_DTRI": str(days), "PP_DIEU_TRI": "Nội khoa, dùng thuốc theo đơn",
            "KET_QUA_DTRI": result, "MA_LOAI_RV": leaving, "GHI_CHU": "",
            "NGAY_TTOAN": moment(e.left + timedelta(minutes=rng.choice((0, 5, 12)))) if e.left.hour < 23 else moment(e.left),
            "NAM_QT": f"{e.left:%Y}", "THANG_QT": f"{e.left:%m}", "MA_LOAI_KCB": e.kind, "MA_KHOA": department,
            "MA_CSKCB": e.facility.code, "MA_KHUVUC": e.person.area, "NAM_NAM_LIEN_TUC": "", "NGAY_TAI_KHAM": "",
            "MA_HSBA": f"BA{self.number:06d}", "MA_TTDV": e.facility.head,
        }  # fmt: skip
        if e.insured and rng.random() < 0.3:
            row["NAM_NAM_LIEN_TUC"] = f"{self.night.year - rng.randint(0, 4)}0101"
        if (e.came.date() - e.person.born.date()).days < 366:
            row["CAN_NANG"] = f"{rng.uniform(2.6, 9.4):.2f}"
        e.tables["XML1"] = [row]
        return row

    def record_summary(self, e: Encounter) -> None:
        """XML8, for the electronic health book."""
        s = e.summary
        child = e.person.age(e.came.date()) < 7
        e.tables["XML8"] = [{
            "MA_LK": e.ma_lk, "MA_LOAI_KCB": e.kind, "HO_TEN_CHA": "", "HO_TEN_ME": e.person.parent_name if child else "",
            "NGUOI_GIAM_HO": e.person.parent_name if child else "", "DON_VI": "", "NGAY_VAO": s["NGAY_VAO"],
            "NGAY_RA": s["NGAY_RA"], "CHAN_DOAN_VAO": s["CHAN_DOAN_VAO"], "CHAN_DOAN_RV": s["CHAN_DOAN_RV"],
            "QT_BENHLY": "Bệnh khởi phát vài ngày trước, được thăm khám và theo dõi tại cơ sở",
            "TOMTAT_KQ": "Các kết quả cận lâm sàng phù hợp với chẩn đoán ra viện",
            "PP_DIEUTRI": "Điều trị nội khoa theo phác đồ của bệnh viện", "KET_QUA_DTRI": s["KET_QUA_DTRI"],
            "GHI_CHU": "", "MA_TTDV": e.facility.head, "NGAY_CT": s["NGAY_RA"][:8],
        }]  # fmt: skip

    def discharge_paper(self, e: Encounter, doctor: Practitioner, rest: int = 0) -> None:
        s = e.summary
        child = e.person.age(e.came.date()) < 7
        row = {
            "MA_LK": e.ma_lk, "SO_LUU_TRU": f"LT{self.number:06d}/{e.left:%y}", "MA_YTE": s["MA_BN"],
            "MA_KHOA_RV": s["MA_KHOA"].split(";")[-1], "NGAY_VAO": s["NGAY_VAO"], "NGAY_RA": s["NGAY_RA"],
            "MA_DINH_CHI_THAI": "0", "CHAN_DOAN_RV": s["CHAN_DOAN_RV"], "PP_DIEUTRI": s["PP_DIEU_TRI"],
            "GHI_CHU": "Tái khám khi có dấu hiệu bất thường", "MA_TTDV": e.facility.head, "MA_BS": doctor.licence,
            "TEN_BS": doctor.name, "NGAY_CT": s["NGAY_RA"][:8], "HO_TEN_ME": e.person.parent_name if child else "",
            "HO_TEN_CHA": "",
        }  # fmt: skip
        if rest:
            first = e.left.date() + timedelta(days=1)
            row |= {"SO_NGAY_NGHI": str(rest), "NGOAITRU_TUNGAY": day(first),
                    "NGOAITRU_DENNGAY": day(first + timedelta(days=rest - 1))}  # fmt: skip
        e.tables["XML7"] = [row]

    def appointment(self, e: Encounter, doctor: Practitioner, after: int) -> None:
        s = e.summary
        when = day(e.left.date() + timedelta(days=after))
        s["NGAY_TAI_KHAM"] = when
        e.tables["XML14"] = [{
            "MA_LK": e.ma_lk, "SO_GIAYHEN_KL": f"HK-{self.number:06d}", "MA_CSKCB": e.facility.code,
            "HO_TEN": s["HO_TEN"], "NGAY_SINH": s["NGAY_SINH"], "GIOI_TINH": s["GIOI_TINH"], "DIA_CHI": s["DIA_CHI"],
            "MA_THE_BHYT": s["MA_THE_BHYT"], "GT_THE_DEN": s["GT_THE_DEN"], "NGAY_VAO": s["NGAY_VAO"],
            "NGAY_VAO_NOI_TRU": s["NGAY_VAO_NOI_TRU"], "NGAY_RA": s["NGAY_RA"], "NGAY_HEN_KL": when,
            "CHAN_DOAN_RV": s["CHAN_DOAN_RV"], "MA_BENH_CHINH": s["MA_BENH_CHINH"], "MA_BENH_KT": s["MA_BENH_KT"],
            "MA_DOITUONG_KCB": s["MA_DOITUONG_KCB"], "MA_BAC_SI": doctor.licence, "MA_TTDV": e.facility.head,
            "NGAY_CT": s["NGAY_RA"][:8],
        }]  # fmt: skip

    def referral(self, e: Encounter, doctor: Practitioner, to: Facility, wish: bool) -> str:
        s = e.summary
        number = f"{self.number}/GCT-{e.facility.code}"
        s |= {"MA_LOAI_RV": "5" if wish else "2", "MA_NOI_DEN": to.code, "NGAY_TAI_KHAM": ""}
        e.tables["XML13"] = [{
            "MA_LK": e.ma_lk, "SO_HOSO": s["MA_HSBA"], "SO_CHUYENTUYEN": str(self.number), "GIAY_CHUYEN_TUYEN": number,
            "MA_CSKCB": e.facility.code, "MA_CSKCB_DI": "", "MA_CSKCB_DEN": to.code, "HO_TEN": s["HO_TEN"],
            "NGAY_SINH": s["NGAY_SINH"], "GIOI_TINH": s["GIOI_TINH"], "MA_QUOCTICH": s["MA_QUOCTICH"],
            "MA_DANTOC": s["MA_DANTOC"], "MA_NGHE_NGHIEP": s["MA_NGHE_NGHIEP"], "DIA_CHI": s["DIA_CHI"],
            "MA_THE_BHYT": s["MA_THE_BHYT"], "GT_THE_DEN": s["GT_THE_DEN"], "NGAY_VAO": s["NGAY_VAO"],
            "NGAY_VAO_NOI_TRU": s["NGAY_VAO_NOI_TRU"], "NGAY_RA": s["NGAY_RA"], "DAU_HIEU_LS": "Đau nhiều, cần can thiệp",
            "CHAN_DOAN_RV": s["CHAN_DOAN_RV"], "QT_BENHLY": "Diễn tiến nặng dần", "TOMTAT_KQ": "Đã làm xét nghiệm cơ bản",
            "PP_DIEU_TRI": "", "MA_BENH_CHINH": s["MA_BENH_CHINH"], "MA_BENH_KT": s["MA_BENH_KT"],
            "TINH_TRANG_CT": "Tỉnh, sinh hiệu ổn", "MA_LOAI_RV": s["MA_LOAI_RV"], "MA_LYDO_CT": "3" if wish else "1",
            "HUONG_DIEU_TRI": "Chuyển cơ sở có chuyên khoa", "PHUONGTIEN_VC": "Xe cứu thương", "MA_BAC_SI": doctor.licence,
            "MA_TTDV": e.facility.head,
        }]  # fmt: skip
        e.tables["XML13"][0].pop("PP_DIEU_TRI")
        return number

    def sick_leave(self, e: Encounter, doctor: Practitioner, days: int) -> None:
        s, first = e.summary, e.left.date()
        e.tables["XML11"] = [{
            "MA_LK": e.ma_lk, "SO_CT": f"NO{self.number:07d}", "SO_SERI": f"{e.facility.code}{self.number:06d}",
            "SO_KCB": s["MA_HSBA"], "DON_VI": "Công ty TNHH May Sông Hậu", "MA_BHXH": e.person.insurance_number,
            "MA_THE_BHYT": s["MA_THE_BHYT"], "CHAN_DOAN_RV": s["CHAN_DOAN_RV"], "PP_DIEUTRI": s["PP_DIEU_TRI"],
            "MA_DINH_CHI_THAI": "0", "SO_NGAY_NGHI": str(days), "TU_NGAY": day(first),
            "DEN_NGAY": day(first + timedelta(days=days - 1)), "MA_TTDV": e.facility.head, "MA_BS": doctor.licence,
            "NGAY_CT": day(first), "MAU_SO": "CT07",
        }]  # fmt: skip

    def pregnancy_leave(self, e: Encounter, doctor: Practitioner, days: int) -> None:
        first = e.left.date()
        e.tables["XML10"] = [{
            "MA_LK": e.ma_lk, "SO_SERI": f"DT{self.number:06d}", "SO_CT": f"{self.number}/DT", "SO_NGAY": str(days),
            "DON_VI": "Công ty CP Thủy sản Cái Răng", "CHAN_DOAN_RV": "Thai 18 tuần, nghỉ dưỡng thai",
            "TU_NGAY": day(first), "DEN_NGAY": day(first + timedelta(days=days - 1)), "MA_TTDV": e.facility.head,
            "TEN_BS": doctor.name, "MA_BS": doctor.licence, "NGAY_CT": day(first),
        }]  # fmt: skip

    def check_in(self, e: Encounter) -> None:
        """XML0, sent alone when the first cost arises; insured patients who are no emergency."""
        s = e.summary
        if not e.insured or s["MA_DOITUONG_KCB"] == "2":
            return
        lines = [*e.tables.get("XML3", []), *e.tables.get("XML2", [])]
        first = min(lines, key=lambda line: line["NGAY_YL"])
        keep = ("MA_LK", "MA_BN", "HO_TEN", "SO_CCCD", "NGAY_SINH", "GIOI_TINH", "MA_DOITUONG_KCB", "NGAY_VAO",
                "NGAY_VAO_NOI_TRU", "LY_DO_VNT", "MA_LOAI_KCB")  # fmt: skip
        card = {
            tag: s[tag].split(";")[0]
            for tag in ("MA_THE_BHYT", "MA_DKBD", "GT_THE_TU", "GT_THE_DEN")
        }
        e.checkin = {tag: s[tag] for tag in keep} | card | {
            "STT": "1", "MA_CSKCB": e.facility.code, "MA_DICH_VU": first.get("MA_DICH_VU", ""),
            "TEN_DICH_VU": first.get("TEN_DICH_VU", ""), "MA_THUOC": first.get("MA_THUOC", ""),
            "TEN_THUOC": first.get("TEN_THUOC", ""), "MA_VAT_TU": first.get("MA_VAT_TU", ""),
            "TEN_VAT_TU": first.get("TEN_VAT_TU", ""), "NGAY_YL": first["NGAY_YL"],
        }  # fmt: skip

    def prescribe(self, e: Encounter, doctor: Practitioner, days: int) -> None:
        s = e.summary
        lines = [r for r in e.tables.get("XML2", []) if r["MA_BAC_SI"] == doctor.licence]
        if not lines:
            return
        tail = "".join(self.rng.choice("0123456789abcdefghjkmnpqrstuvwxyz") for _ in range(7))
        child = (e.came.date() - e.person.born.date()).days < 72 * 31
        code = f"{e.facility.connection}{tail}-C"
        e.prescription = {
            "ma_don_thuoc": code, "ma_cskcb": e.facility.code, "ma_lk": e.ma_lk, "ma_lien_thong": doctor.connection,
            "ho_ten": s["HO_TEN"], "ngay_sinh": s["NGAY_SINH"], "gioi_tinh": s["GIOI_TINH"], "so_cccd": s["SO_CCCD"],
            "ma_the_bhyt": s["MA_THE_BHYT"], "dien_thoai": s["DIEN_THOAI"], "dia_chi": s["DIA_CHI"],
            "can_nang": s.get("CAN_NANG") or (f"{self.rng.uniform(7, 19):.1f}" if child else ""),
            "nguoi_giam_ho": e.person.parent_name if child else "", "ma_benh_chinh": s["MA_BENH_CHINH"],
            "chan_doan": s["CHAN_DOAN_RV"], "ngay_ke": f"{e.left:%Y-%m-%dT%H:%M:00}",
            "ngay_gui": f"{e.left:%Y-%m-%dT%H:%M:40}", "so_ngay": str(days), "trang_thai": "da_ban",
            "ma_don_thay_the": "",
            "thuoc": [
                {"stt": str(n), "so_dang_ky": r["SO_DANG_KY"], "ma_thuoc": r["MA_THUOC"], "ten_thuoc": r["TEN_THUOC"],
                 "ham_luong": r["HAM_LUONG"], "don_vi_tinh": r["DON_VI_TINH"], "so_luong": r["SO_LUONG"],
                 "lieu_dung": "Ngày 2 lần", "cach_dung": "Uống sau ăn", "so_luong_ban": r["SO_LUONG"],
                 "ngay_ban": f"{e.left:%Y-%m-%d}"}
                for n, r in enumerate(lines, 1)
            ],
        }  # fmt: skip

    # -- whole encounters -------------------------------------------------------------------------

    def diagnosis(self, chapters: str | None = None) -> tuple[str, str, tuple[str, ...]]:
        """Main code, its words, accompanying codes."""
        plain = world.plain_icd()
        letter = self.rng.choice(chapters or "ABCDEFGHIIJJJKKKLMMNRST")
        main = self.rng.choice(plain[letter])
        others = {
            self.rng.choice(plain[self.rng.choice("EIKM")])
            for _ in range(self.rng.choice((0, 0, 1, 2, 3)))
        }
        others.discard(main)
        return main, world.CHAPTER_WORDS[letter], tuple(sorted(others))

    def outpatient(
        self, facility: Facility, on: date, person: Person | None = None, *, kind: str = "01", entitlement: str = "",
        icd: tuple[str, str, tuple[str, ...]] | None = None,
    ) -> Encounter:  # fmt: skip
        rng = self.rng
        night = rng.random() < 0.05 and facility.inpatient and kind == "01"
        came = (
            at(on - timedelta(days=1), 23, rng.randint(5, 40))
            if night
            else at(on, rng.randint(6, 15), rng.randint(0, 59))
        )
        stay = (
            timedelta(minutes=rng.randint(55, 200))
            if not night
            else timedelta(minutes=rng.randint(70, 160))
        )
        insured = rng.random() < 0.92
        person = person or self.people.draw(facility=facility, insured=insured, ages=(0, 90), on=on)
        if kind == "02":
            stay += timedelta(days=3)
            came -= timedelta(days=3)
        e = self.begin(facility, person, kind, came, came + stay)
        doctor, department = self.doctor(facility), rng.choice(("K01", "K01.2", "K02"))
        entitlement = entitlement if e.insured else "9"
        main, words, others = icd or self.diagnosis()
        if not entitlement:
            entitlement = (
                "9"
                if not e.insured
                else "2"
                if night
                else "1.2"
                if facility.level == "ban_dau"
                else "1.1"
            )
            if e.insured and facility.level != "ban_dau" and not night and rng.random() < 0.15:
                entitlement = rng.choice(("3.3", "1.12", "1.4"))
        days = rng.choice((5, 7, 10, 14))
        if kind in ("05", "08"):
            days = rng.choice((28, 30))
        treated = {"05": days, "08": 1, "02": (e.left.date() - e.came.date()).days + 1}.get(kind, 0)
        self.summary(e, icd=main, words=words, department=department, entitlement=entitlement, others=others,
                     days=treated)  # fmt: skip
        if entitlement == "2" and rng.random() < 0.4:
            person.citizen_id = ""
            e.summary["SO_CCCD"] = ""
        items: list[Item] = []
        ordered = came + timedelta(minutes=rng.randint(8, 20))
        if kind != "07":
            items.append(
                self.service(
                    e, world.CONSULT[facility.level], ordered, doctor, department, performer=doctor
                )
            )
        if kind in ("01", "08") and facility.level != "ban_dau" or rng.random() < 0.2:
            for test in rng.sample(world.LAB, rng.choice((0, 1, 1, 2, 3))):
                items.append(
                    self.service(e, test, ordered + timedelta(minutes=5), doctor, department)
                )
            if rng.random() < 0.4:
                items.append(
                    self.service(
                        e,
                        rng.choice(world.IMAGING),
                        ordered + timedelta(minutes=6),
                        doctor,
                        department,
                    )
                )
        if rng.random() < 0.12 and facility.level == "co_ban":
            second = self.service(
                e,
                world.SECOND_CONSULT,
                ordered + timedelta(minutes=25),
                doctor,
                department,
                performer=doctor,
            )
            second.service_ratio = 30
            items.append(second)
        if rng.random() < 0.15:
            one = self.service(
                e, rng.choice(world.PROCEDURES), ordered + timedelta(minutes=12), doctor, department
            )
            one.service_ratio = rng.choice((100, 100, 50, 80))
            items.append(one)
        if kind == "02":
            # One exercise a day.
            for after in (1, 2, 3):
                exercise = self.service(
                    e, world.PROCEDURES[2], ordered + timedelta(days=after), doctor, department
                )
                items.append(exercise)
        told = max(e.left - timedelta(minutes=12), ordered + timedelta(minutes=1))
        for drug in rng.sample(
            world.DRUGS[:5] + world.DRUGS[9:12], rng.choice((0, 1, 2, 3, 4)) if kind == "01" else 3
        ):
            items.append(
                self.drug(e, drug, str(days * rng.choice((1, 2, 3))), told, doctor, department)
            )
        if rng.random() < 0.05:
            items.append(self.drug(e, world.DRUGS[13], "1", told, doctor, department))
            items[-1].scope = "2"
        if not items:
            items.append(self.drug(e, world.DRUGS[1], "10", told, doctor, department))
        if rng.random() < 0.05 and items[-1].scope == "2":
            items[-1].other = Decimal("3000")
        self.bill(e, items)
        self.results(e)
        if kind in ("02", "05", "08"):
            self.notes(e, department)
        if rng.random() < 0.6 or not e.insured:
            self.record_summary(e)
        if rng.random() < 0.12 or kind == "05":
            self.appointment(e, doctor, days)
        if (
            e.insured
            and person.card[:2] in ("DN", "GD", "HC")
            and rng.random() < 0.15
            and 18 < person.age(on) < 60
        ):
            self.sick_leave(e, doctor, rng.randint(1, 5))
        self.check_in(e)
        if rng.random() < 0.6 and kind != "07" and (person.citizen_id or person.age(on) < 14):
            self.prescribe(e, doctor, days)
        return e

    def inpatient(
        self, facility: Facility, leaves: date, person: Person | None = None, *, kind: str = "03", days: int | None = None,
        icd: tuple[str, str, tuple[str, ...]] | None = None, entitlement: str = "", result: str = "",
        extra: tuple[Item, ...] = (), ages: tuple[int, int] = (0, 90),
    ) -> Encounter:  # fmt: skip
        rng = self.rng
        nights = days if days is not None else rng.randint(2, 9)
        if kind in ("04", "09"):
            nights = 0
        late = rng.random() < 0.15 and kind == "03"
        came = at(
            leaves - timedelta(days=nights), 22 if late else rng.randint(6, 10), rng.randint(0, 59)
        )
        left = at(leaves, rng.randint(13, 16), rng.randint(0, 59))
        if kind == "09":
            left = came + timedelta(minutes=rng.randint(150, 220))
        person = person or self.people.draw(
            facility=facility, insured=rng.random() < 0.95, ages=ages, on=leaves
        )
        e = self.begin(facility, person, kind, came, left)
        doctor = self.doctor(facility)
        department = rng.choice(("K03", "K19", "K27", "K11;K03"))
        main, words, others = icd or self.diagnosis()
        if not entitlement:
            entitlement = "9" if not e.insured else rng.choice(("1.1", "1.1", "2", "3.3"))
            if (
                e.insured
                and facility.level == "co_ban"
                and entitlement == "3.3"
                and rng.random() < 0.5
            ):
                entitlement = "1.15"
        admitted = came + timedelta(minutes=rng.randint(20, 55))
        length = (left.date() - came.date()).days + 1 if kind in ("03", "04", "06") else 0
        self.summary(e, icd=main, words=words, department=department, entitlement=entitlement, others=others,
                     result=result or rng.choice("1223"), days=length, admitted=admitted)  # fmt: skip
        line_department = department.split(";")[0]
        items = [self.service(e, world.CONSULT.get(facility.level, world.CONSULT["co_ban"]), came + timedelta(minutes=6),
                              doctor, line_department, performer=doctor)]  # fmt: skip
        for test in rng.sample(world.LAB, 3):
            items.append(
                self.service(e, test, admitted + timedelta(minutes=10), doctor, line_department)
            )
        for image in rng.sample(world.IMAGING, rng.choice((0, 1, 2))):
            items.append(
                self.service(e, image, admitted + timedelta(minutes=14), doctor, line_department)
            )
        if kind == "03":
            bed = self.service(e, world.BED, admitted + timedelta(minutes=2), doctor, line_department,
                               quantity=str(length - rng.choice((0, 1)) or 1))  # fmt: skip
            bed.row["MA_GIUONG"] = f"{rng.choice('HTCK')}{rng.randint(1, 120):03d}"
            items.append(bed)
        if kind == "04":
            items.append(
                self.service(
                    e, world.BED_DAY, admitted + timedelta(minutes=2), doctor, line_department
                )
            )
            items[-1].row["MA_GIUONG"] = "H015"
        when = min(admitted + timedelta(hours=3), left)
        if (
            kind == "03"
            and rng.random() < 0.25
            and not icd
            and self.free_theatre(doctor, when, timedelta(minutes=75))
        ):
            items.append(
                self.service(
                    e, rng.choice(world.SURGERY), when, doctor, line_department, performer=doctor
                )
            )
            items.append(self.supply(e, when, doctor, line_department, 2))
            if rng.random() < 0.3:
                items.append(self.supply(e, when, doctor, line_department, 1))
        if rng.random() < 0.6:
            items.append(
                self.supply(e, admitted + timedelta(minutes=15), doctor, line_department, 0)
            )
        for drug in rng.sample(world.DRUGS[5:9], 2) + rng.sample(world.DRUGS[:5], 2):
            on = came.date()
            for _ in range(min(3, nights + 1)):
                when = max(at(on, 9, rng.randint(0, 59)), admitted + timedelta(minutes=16))
                if when <= left:
                    amount = rng.choice(("1", "2", "3")) if drug.price != "7325000" else "1"
                    items.append(self.drug(e, drug, amount, when, doctor, line_department))
                on += timedelta(days=1)
        if rng.random() < 0.06:
            aid = self.drug(
                e,
                world.DRUGS[13],
                "2",
                min(admitted + timedelta(hours=1), left),
                doctor,
                line_department,
            )
            aid.scope, aid.other = "2", Decimal("11300")
            items.append(aid)
        self.bill(e, [*items, *extra])
        self.results(e)
        self.notes(e, line_department)
        self.record_summary(e)
        if kind in ("03", "04", "09"):
            self.discharge_paper(e, doctor, rng.choice((0, 0, 3, 7)) if result not in ("5",) else 0)
        if result != "5" and rng.random() < 0.3:
            self.appointment(e, doctor, rng.choice((7, 14, 30)))
        self.check_in(e)
        return e

    def delivery(self, facility: Facility, leaves: date) -> tuple[Encounter, ...]:
        """A mother's stay with the birth certificate, and the newborn's own stay."""
        rng = self.rng
        mother = self.people.draw(facility=facility, ages=(19, 39), sex="2", on=leaves)
        mother.year_only = False
        cut = rng.choice("001")
        e = self.inpatient(
            facility, leaves, mother, days=3, entitlement="1.1", result="1",
            icd=("O82.0" if cut == "1" else "O80.0", "Mổ lấy thai" if cut == "1" else "Đẻ thường một thai", ("Z37.0",)),
        )  # fmt: skip
        born = e.came + timedelta(hours=rng.randint(3, 9), minutes=rng.randint(0, 59))
        grams = rng.randint(2500, 3900)
        e.summary["CAN_NANG_CON"] = str(grams)
        child = self.people.draw(facility=facility, ages=(0, 0), insured=False, on=leaves)
        self.child_of(child, mother, born, facility)
        s = e.summary
        e.tables["XML9"] = [self.birth_row(e, child, born, grams, cut, 1)]
        children = [child]
        if rng.random() < 0.15:
            twin = self.people.draw(facility=facility, ages=(0, 0), insured=False, on=leaves)
            later = born + timedelta(minutes=6)
            self.child_of(twin, mother, later, facility)
            e.tables["XML9"].append(self.birth_row(e, twin, later, grams - 250, cut, 2))
            for row in e.tables["XML9"]:
                row["SO_CON"] = "2"
            s["CAN_NANG_CON"] = f"{grams};{grams - 250}"
            children.append(twin)
        return e, *(self.newborn(facility, one, e.left) for one in children)

    def child_of(self, child: Person, mother: Person, born: datetime, facility: Facility) -> None:
        child.born, child.timed, child.mother = born, True, mother
        child.year_only, child.citizen_id, child.blood = False, "", ""
        child.commune, child.address, child.phone = mother.commune, mother.address, mother.phone
        child.parent_name, child.ethnic, child.occupation = mother.name, mother.ethnic, "00000"
        child.card = f"TE1{facility.province}{child.insurance_number}"
        child.registered_at = f"{facility.province}000"
        child.card_from, child.card_to = day(born), day(born + timedelta(days=6 * 365 + 1))

    def birth_row(
        self, e: Encounter, child: Person, born: datetime, grams: int, cut: str, order: int
    ) -> Row:
        rng, s, mother, facility = self.rng, e.summary, e.person, e.facility
        return {
            "MA_LK": e.ma_lk, "MA_BHXH_NND": mother.insurance_number, "MA_THE_NND": mother.card,
            "HO_TEN_NND": s["HO_TEN"], "NGAYSINH_NND": day(mother.born), "MA_DANTOC_NND": mother.ethnic,
            "SO_CCCD_NND": mother.citizen_id, "NGAYCAP_CCCD_NND": "20220615", "NOICAP_CCCD_NND": "Cục CSQLHC về TTXH",
            "NOI_CU_TRU_NND": mother.address, "MA_QUOCTICH": "000", "MATINH_CU_TRU": mother.commune.province,
            "MAHUYEN_CU_TRU": "", "MAXA_CU_TRU": mother.commune.code, "HO_TEN_CHA": world.full_name(rng, "1", "01"),
            "MA_THE_TAM": child.card, "HO_TEN_CON": child.name, "GIOI_TINH_CON": child.sex, "SO_CON": "1",
            "LAN_SINH": str(rng.randint(1, 3)), "SO_CON_SONG": str(rng.randint(1, 3)), "CAN_NANG_CON": str(grams),
            "NGAY_SINH_CON": moment(born), "NOI_SINH_CON": facility.name, "TINH_TRANG_CON": "Khóc ngay, hồng hào",
            "SINHCON_PHAUTHUAT": cut, "SINHCON_DUOI32TUAN": "0", "GHI_CHU": "Sinh con phải phẫu thuật" if cut == "1" else "",
            "NGUOI_DO_DE": "Hộ sinh Lê Thị Thoa", "NGUOI_GHI_PHIEU": "Trần Thị Liễu", "NGAY_CT": day(e.left),
            "SO": f"{self.number:05d}{'' if order == 1 else 'b'}", "QUYEN_SO": f"01/{e.left:%Y}", "MA_TTDV": facility.head,
        }  # fmt: skip

    def newborn(self, facility: Facility, child: Person, leaves: datetime) -> Encounter:
        e = self.begin(facility, child, "03", child.born + timedelta(minutes=5), leaves)
        doctor = self.doctor(facility)
        admitted = e.came + timedelta(minutes=10)
        days = (e.left.date() - e.came.date()).days + 1
        self.summary(e, icd="P59.9", words="Vàng da sơ sinh", department="K11", entitlement="1.7", result="1", days=days,
                     reason="Vàng da", admitted=admitted)  # fmt: skip
        if self.rng.random() < 0.4:
            e.summary["HO_TEN"] = child.mother.name.upper() if child.mother else e.summary["HO_TEN"]
        items = [self.service(e, world.LAB[2], admitted + timedelta(minutes=30), doctor, "K11"),
                 self.drug(e, world.DRUGS[7], "1", admitted + timedelta(hours=2), doctor, "K11")]  # fmt: skip
        self.bill(e, items)
        self.results(e)
        self.notes(e, "K11")
        self.record_summary(e)
        self.discharge_paper(e, doctor)
        self.check_in(e)
        return e

    def death(self, facility: Facility, leaves: date) -> Encounter:
        e = self.inpatient(facility, leaves, days=self.rng.randint(1, 5), result="5", ages=(55, 90),
                           icd=("I63.9", "Nhồi máu não", ("I10",)))  # fmt: skip
        s, p = e.summary, e.person
        s["NGAY_TAI_KHAM"] = ""
        e.tables.pop("XML14", None)
        e.death = {
            "so_giay_bao_tu": f"BT{self.number:05d}", "ma_cskcb": facility.code, "ma_lk": e.ma_lk, "ho_ten": p.name,
            "ngay_sinh": s["NGAY_SINH"], "gioi_tinh": p.sex, "so_cccd": p.citizen_id, "ma_the_bhyt": p.card,
            "matinh_cu_tru": p.commune.province, "maxa_cu_tru": p.commune.code,
            "thoi_diem_tu_vong": f"{e.left - timedelta(minutes=5):%d/%m/%Y %H:%M}", "nguyen_nhan_truc_tiep": "G93.6",
            "nguyen_nhan_goc": "I63.9", "noi_tu_vong": "Tại cơ sở khám chữa bệnh", "ngay_ct": f"{e.left:%d/%m/%Y}",
        }  # fmt: skip
        return e

    def dengue(self, facility: Facility, leaves: date) -> Encounter:
        e = self.inpatient(facility, leaves, icd=("A97.1", "Sốt xuất huyết Dengue có dấu hiệu cảnh báo", ()),
                           days=self.rng.randint(2, 5))  # fmt: skip
        p, s = e.person, e.summary
        e.case = {
            "ma_ca": f"CB-{facility.code}-{self.number:05d}", "ma_benh_chinh": "A97.1", "ten_benh": "Sốt xuất huyết Dengue",
            "nhom": "B", "ho_ten": p.name, "ngay_sinh": s["NGAY_SINH"], "gioi_tinh": p.sex, "so_cccd": p.citizen_id,
            "dien_thoai": p.phone, "matinh_cu_tru": p.commune.province, "maxa_cu_tru": p.commune.code,
            "ma_cskcb": facility.code, "ma_lk": e.ma_lk, "ngay_khoi_phat": f"{e.came - timedelta(days=2):%d/%m/%Y}",
            "ngay_nhap_vien": f"{e.came:%d/%m/%Y}", "ngay_bao_cao": f"{e.came + timedelta(hours=20):%d/%m/%Y %H:%M}",
            "ket_qua_xn": "NS1 dương tính", "tinh_trang": "Đang điều trị",
        }  # fmt: skip
        return e

    def tuberculosis(self, facility: Facility, leaves: date) -> Encounter:
        e = self.inpatient(
            facility, leaves, icd=("A15.0", "Lao phổi có bằng chứng vi khuẩn", ()), ages=(25, 70)
        )
        s = e.summary
        e.tables["XML15"] = [{
            "MA_LK": e.ma_lk, "STT": "1", "MA_BN": s["MA_BN"], "HO_TEN": s["HO_TEN"], "SO_CCCD": s["SO_CCCD"],
            "PHANLOAI_LAO_VITRI": "1", "PHANLOAI_LAO_TS": "1", "PHANLOAI_LAO_HIV": "2", "PHANLOAI_LAO_VK": "1",
            "PHANLOAI_LAO_KT": "4", "LOAI_DTRI_LAO": "1", "NGAYBD_DTRI_LAO": day(e.came), "PHACDO_DTRI_LAO": "1",
            "NGAYKT_DTRI_LAO": "", "KET_QUA_DTRI_LAO": "", "MA_CSKCB": facility.code,
        }]  # fmt: skip
        return e

    def hiv(self, facility: Facility, on: date) -> Encounter:
        person = self.people.draw(facility=facility, ages=(22, 55), on=on)
        e = self.outpatient(facility, on, person, kind="05", icd=("B20.7", "Bệnh HIV", ()))
        s = e.summary
        known = on - timedelta(days=self.rng.randint(300, 2500))
        e.tables["XML6"] = [{
            "MA_LK": e.ma_lk, "MA_THE_BHYT": s["MA_THE_BHYT"], "SO_CCCD": s["SO_CCCD"], "NGAY_SINH": s["NGAY_SINH"],
            "GIOI_TINH": s["GIOI_TINH"], "DIA_CHI": s["DIA_CHI"], "MATINH_CU_TRU": s["MATINH_CU_TRU"],
            "MAXA_CU_TRU": s["MAXA_CU_TRU"], "NGAYKD_HIV": day(known), "NOI_BDDT_ARV": facility.code,
            "BDDT_ARV": day(known + timedelta(days=20)), "MA_PHAC_DO_DIEU_TRI_BD": "1f", "MA_BAC_PHAC_DO_BD": "1",
            "NGAY_XN_TLVR": day(on - timedelta(days=30)), "KQ_XNTL_VR": "1", "NGAY_KQ_XN_TLVR": day(on - timedelta(days=22)),
            "MA_PHAC_DO_DIEU_TRI": "1f", "MA_BAC_PHAC_DO": "1", "SO_NGAY_CAP_THUOC_ARV": "30", "MA_CSKCB": facility.code,
        }]  # fmt: skip
        return e

    def transfer(self, facility: Facility, on: date, to: Facility, wish: bool) -> Encounter:
        """A patient sent on to another facility, from a bed or from the consulting room."""
        if facility.inpatient and self.rng.random() < 0.5:
            e = self.inpatient(facility, on, days=self.rng.randint(1, 3), result="3", ages=(8, 88))
        else:
            e = self.outpatient(facility, on)
            e.prescription = None
        e.tables.pop("XML14", None)
        e.tables.pop("XML11", None)
        self.referral(e, self.doctor(facility), to, wish)
        return e

    def received(self, sent: Encounter, to: Facility, on: date) -> Encounter:
        """The same patient at the facility the paper names."""
        e = self.inpatient(to, on, sent.person, days=1, entitlement="1.3" if sent.insured else "9", ages=(8, 88),
                           icd=(sent.summary["MA_BENH_CHINH"], sent.summary["CHAN_DOAN_VAO"], ()))  # fmt: skip
        paper = sent.tables["XML13"][0]["GIAY_CHUYEN_TUYEN"]
        e.summary.update(MA_NOI_DI=sent.facility.code, GIAY_CHUYEN_TUYEN=paper)
        return e
