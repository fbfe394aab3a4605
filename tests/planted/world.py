"""Where encounters happen: places, facilities, practitioners, drugs, services, people. All invented."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from random import Random

REFERENCE = Path(__file__).parents[2] / "datasets/_reference"


def rows_of(name: str) -> list[dict[str, str]]:
    """A national list as text; the standard's lists are facts, not the product's opinion."""
    path = REFERENCE / name
    if name.endswith(".gz"):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def words(text: str) -> list[str]:
    return text.split()


SURNAMES_KINH = words(
    "Nguyễn Trần Lê Phạm Lê Nguyễn Nguyễn Trần Mai Tạ Lương Đoàn Cao Quách Vương Hà Tô Kiều Phùng Đàm Bùi"
    " Trịnh Đào Hoàng Võ Đỗ Ngô Dương Huỳnh"
)
SURNAMES_OTHER = {
    "05": words("Thạch Danh Sơn Kim Lâm"), "08": words("Giàng Sùng Vàng Lầu Mùa Cư"),
    "03": words("Lò Cầm Quàng Lường Hà"), "02": words("Nông Hoàng Lương Ma"),
    "06": words("Bùi Đinh Quách Hà Phạm"), "09": words("Bàn Triệu Chảo Tẩn Phàn"),
    "04": words("Lý Trần Lâm Quách Huỳnh"),
}  # fmt: skip
MIDDLE = {
    "1": words("Văn Hữu Đình Quốc Công Đăng Duy Bá Trọng Thế Khắc Xuân"),
    "2": words("Thị Thị Thị Ngọc Diệu Kim Bích Hồng Thúy Mỹ Cẩm Như"),
}
GIVEN = {
    "1": words(
        "Cường Thắng Luân Đạt Khoa Phước Nghĩa Sang Trí Tín Vinh Toàn Hậu Lộc Kiên Định Thịnh Quyền Đức Sơn"
    ),
    "2": words(
        "Loan Diễm Thoa Nhung Hạnh Xuyến Quyên Tuyết Liễu Mận Đào Nguyệt Huệ Cúc Duyên Thắm Út Sáu Phượng Lành"
    ),
}
STREETS = (
    "Trần Hưng Đạo",
    "Ba Mươi Tháng Tư",
    "Hoàng Liên",
    "Lê Lợi",
    "Nguyễn Trãi",
    "Lý Bôn",
    "Hòa Bình",
)
OBJECTS = {
    "adult": (("DN", "4"), ("GD", "4"), ("GD", "4"), ("DN", "4"), ("HC", "4"), ("CH", "4"), ("HN", "2"), ("DT", "2"),
              ("DK", "2"), ("CB", "2"), ("TC", "3"), ("TN", "4"), ("TK", "4"), ("TQ", "4"), ("QN", "5"), ("CA", "5"),
              ("CK", "2"), ("XK", "4")),
    "old": (("HT", "3"), ("HT", "3"), ("CT", "2"), ("BT", "2"), ("GD", "4"), ("CC", "1"), ("TS", "2"), ("KC", "2")),
    "pupil": (("HS", "4"), ("HS", "4"), ("DT", "2"), ("HN", "2")),
    "student": (("SV", "4"), ("DN", "4"), ("GD", "4")),
}  # fmt: skip
LEVEL = {"1": 100, "2": 100, "3": 95, "4": 80, "5": 100}


def at(day: date, hour: int = 0, minute: int = 0) -> datetime:
    """A local time of Viet Nam, as the records hold it: without a zone."""
    return datetime.combine(day, time(hour, minute))


@dataclass(frozen=True)
class Commune:
    code: str
    name: str
    province: str


@dataclass(frozen=True)
class Places:
    """The units of 2025, and codes of before that mean nothing now."""

    communes: dict[str, list[Commune]]
    former: dict[str, list[tuple[str, str]]]
    """New province → (former commune code, the commune it went whole into), codes no longer in use."""
    birth_codes: dict[str, list[str]]
    """New province → three-digit codes of the personal id."""


@lru_cache(maxsize=1)
def places() -> Places:
    communes: dict[str, dict[str, Commune]] = defaultdict(dict)
    wards = rows_of("wards.csv.gz")
    for row in wards:
        communes[row["new_province_code"]][row["new_ward_code"]] = Commune(
            row["new_ward_code"], row["new_ward"], row["new_province_code"]
        )
    living = {code for by_code in communes.values() for code in by_code}
    former: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in wards:
        if row["old_ward_code"] not in living and row["split_kind"] == "whole":
            former[row["new_province_code"]].append((row["old_ward_code"], row["new_ward_code"]))
    births: dict[str, list[str]] = defaultdict(list)
    for row in rows_of("provinces.csv"):
        births[row["new_code"]].append(row["cccd_code3"])
    return Places({p: list(c.values()) for p, c in communes.items()}, dict(former), dict(births))


@dataclass(frozen=True)
class Facility:
    code: str
    name: str
    level: str
    connection: str
    former: str = ""
    sends: bool = False
    inpatient: bool = False
    head: str = ""

    @property
    def province(self) -> str:
        return self.code[:2]


FACILITIES = (
    Facility("92116", "Bệnh viện Đa khoa Ninh Kiều", "co_ban", "92116", sends=True, inpatient=True, head="9207112233"),
    Facility("92005", "Bệnh viện Chuyên sâu Tây Đô", "chuyen_sau", "9200t", sends=True, inpatient=True, head="9208445566"),
    Facility("15011", "Bệnh viện Đa khoa Sa Pả", "co_ban", "15011", former="10021", sends=True, inpatient=True,
             head="1012233445"),
    Facility("15207", "Trạm Y tế Bản Phùng", "ban_dau", "1520a", former="10207", sends=True, head="1013344556"),
    Facility("38280", "Bệnh viện Đa khoa Hàm Rồng", "co_ban", "38280", sends=True, inpatient=True, head="3804455667"),
    Facility("38731", "Phòng khám Đa khoa Lam Kinh", "ban_dau", "3873x", sends=True, head="3805566778"),
    Facility("92207", "Trạm Y tế Thới Lai Đông", "ban_dau", "92207"),
    Facility("92118", "Bệnh viện Đa khoa Ô Môn Nam", "co_ban", "92118"),
    Facility("15013", "Bệnh viện Đa khoa Nghĩa Lộ Tây", "co_ban", "15013"),
    Facility("38025", "Bệnh viện Đa khoa Bỉm Sơn Bắc", "co_ban", "38025"),
    Facility("38303", "Trạm Y tế Quan Sơn Thượng", "ban_dau", "38303"),
    Facility("01A09", "Bệnh viện Chuyên sâu Thăng Long Bắc", "chuyen_sau", "01a09"),
)  # fmt: skip
SENDERS = tuple(f for f in FACILITIES if f.sends)
BY_CODE = {f.code: f for f in FACILITIES}


@dataclass(frozen=True)
class Practitioner:
    licence: str
    name: str
    facility: str
    connection: str
    born: date
    sex: str
    title: str


def practitioners() -> list[Practitioner]:
    rng = Random(20260131)
    found = []
    for number, facility in enumerate(FACILITIES):
        marks = {"92": "CT", "15": "LCA", "38": "TH", "01": "BYT"}[facility.province]
        for k in range(7 if facility.sends else 2):
            licence = f"{number * 40 + k + 211:06d}/{marks}-{'GPHN' if k % 3 == 0 else 'CCHN'}"
            sex = rng.choice("12")
            name = full_name(rng, sex, "01")
            found.append(
                Practitioner(
                    licence, name, facility.code, f"{facility.connection}bs{k + 1:03d}", date(1970 + k * 3, 1 + k, 11),
                    sex, "Bác sĩ" if k < 5 else "Kỹ thuật viên",
                )
            )  # fmt: skip
    return found


@dataclass(frozen=True)
class Drug:
    registration: str
    code: str
    name: str
    ingredient: str
    strength: str
    form: str
    route: str
    unit: str
    price: str
    ratio: int = 100
    group: str = "4"


DRUGS = (
    Drug("VD-24850-16", "40.154", "Amoxfar 500", "Amoxicilin", "500mg", "Viên nang", "1.01", "Viên", "1239"),
    Drug("893110045123", "40.48", "Paracelin 500", "Paracetamol", "500mg", "Viên nén", "1.01", "Viên", "315"),
    Drug("VN-19824-16", "40.481", "Amlobest 5", "Amlodipin", "5mg", "Viên nén", "1.01", "Viên", "488.5"),
    Drug("893110254623", "40.807", "Glumetin 850", "Metformin", "850mg", "Viên bao phim", "1.01", "Viên", "612"),
    Drug("VD-31229-18", "40.677", "Omelux 20", "Omeprazol", "20mg", "Viên nang", "1.01", "Viên", "1120.25"),
    Drug("400110982324", "40.170", "Ceftrixon 1g", "Ceftriaxon", "1g", "Bột pha tiêm", "2.10", "Lọ", "15750"),
    Drug("QLĐB-692-18", "40.384", "Trastuvina", "Trastuzumab", "150mg", "Bột pha truyền", "2.15", "Lọ", "7325000", 50, "6"),
    Drug("VD-27788-17", "40.1021", "Ringer Tây Đô", "Ringer lactat", "500ml", "Dung dịch truyền", "2.15", "Chai", "7140"),
    Drug("893100377823", "40.985", "Salbuneb", "Salbutamol", "5mg/2,5ml", "Dung dịch khí dung", "5.05", "Ống", "8400"),
    Drug("VN-22310-19", "40.502", "Losatan 50", "Losartan", "50mg", "Viên nén", "1.01", "Viên", "945"),
    Drug("VD-20125-13", "40.61", "Loratin 10", "Loratadin", "10mg", "Viên nén", "1.01", "Viên", "260"),
    Drug("893115114024", "40.212", "Metrolin 250", "Metronidazol", "250mg", "Viên nén", "1.01", "Viên", "189"),
    Drug("VD-33457-19", "40.1036", "Insumix 30", "Insulin trộn", "100IU/ml", "Bút tiêm", "2.05", "Bút", "121800"),
    Drug("GC-301-19", "40.30", "Dicloxa gel", "Diclofenac", "1%", "Gel bôi", "3.05", "Tuýp", "11300"),
)  # fmt: skip


@dataclass(frozen=True)
class Service:
    code: str
    name: str
    group: str
    price: str
    unit: str = "Lần"
    indices: tuple[tuple[str, str, str, float, float], ...] = ()
    """(index code, name, unit, low, high) of a laboratory test."""
    finding: str = ""
    """What an image shows."""


CONSULT = {
    "ban_dau": Service("02.1896.0313", "Khám nội", "13", "36500"),
    "co_ban": Service("02.1896.0311", "Khám nội khoa", "13", "39800"),
    "chuyen_sau": Service("02.1896.0310", "Khám chuyên khoa", "13", "50600"),
}
SECOND_CONSULT = Service("03.0217.0311", "Khám chuyên khoa thêm", "13", "39800")
LAB = (
    Service("23.0075.1494", "Định lượng Glucose", "1", "22400", indices=(("GLU", "Glucose", "mmol/L", 4.1, 13.5),)),
    Service("23.0051.1494", "Định lượng Creatinin", "1", "22400", indices=(("CRE", "Creatinin", "µmol/L", 48, 180),)),
    Service("22.0121.1369", "Tổng phân tích tế bào máu", "1", "49700",
            indices=(("WBC", "Bạch cầu", "G/L", 3.6, 17.0), ("HGB", "Huyết sắc tố", "g/L", 88, 165),
                     ("PLT", "Tiểu cầu", "G/L", 120, 420))),
    Service("23.0041.1506", "Định lượng Cholesterol", "1", "28000", indices=(("CHO", "Cholesterol", "mmol/L", 2.9, 8.8),)),
    Service("23.0083.1523", "Định lượng HbA1c", "1", "105300", indices=(("A1C", "HbA1c", "%", 4.8, 11.9),)),
)  # fmt: skip
IMAGING = (
    Service(
        "18.0119.0028",
        "Chụp X-quang ngực thẳng",
        "2",
        "73300",
        finding="Hai phổi sáng đều, bóng tim không to",
    ),
    Service(
        "18.0001.0001",
        "Siêu âm ổ bụng",
        "2",
        "58600",
        finding="Gan, mật, tụy, lách chưa thấy bất thường",
    ),
    Service(
        "18.0149.0040",
        "Chụp CLVT sọ não",
        "2",
        "550100",
        finding="Không thấy ổ tăng giảm tỷ trọng bất thường",
    ),
    Service(
        "02.0085.1778",
        "Điện tim thường",
        "3",
        "39900",
        finding="Nhịp xoang đều, tần số 82 chu kỳ phút",
    ),
)
PROCEDURES = (
    Service("03.3911.0505", "Trích áp xe phần mềm", "18", "218500"),
    Service("02.0032.0898", "Khí dung thuốc giãn phế quản", "18", "27500"),
    Service("15.0222.0898", "Rửa mũi xoang", "18", "64500"),
)
SURGERY = (
    Service("10.0506.0459", "Phẫu thuật cắt ruột thừa nội soi", "8", "2818700"),
    Service("12.0313.0603", "Phẫu thuật bóc u lành phần mềm", "8", "1456700"),
)
DELIVERY = {
    "0": Service("13.0033.0614", "Đỡ đẻ thường ngôi chỏm", "18", "736200"),
    "1": Service("13.0007.0671", "Phẫu thuật lấy thai lần đầu", "8", "2431100"),
}
BED = Service("03.1917.0001", "Ngày giường bệnh nội khoa", "15", "198000", "Ngày")
BED_DAY = Service("03.1917.0002", "Ngày giường ban ngày", "14", "59400", "Ngày")
SUPPLIES = (
    ("N04.01.010", "Kim luồn tĩnh mạch 22G", "Cái", "6930", ""),
    ("N06.04.020", "Nẹp khóa xương đòn", "Cái", "6250000", "5000000"),
    ("N05.02.030", "Chỉ tan số 3/0", "Sợi", "48300", ""),
)


PLAIN_CODES = words(
    "A09.9 A49.9 B01.9 B02.9 B18.1 B35.1 C16.9 C18.7 C22.0 C34.9 C73 D50.9 D64.9 D69.6 E03.9 E05.9 E10.9 E11.9 E11.6 E78.5"
    " E86 E87.6 F32.9 F41.9 F51.0 G40.9 G43.9 G47.0 G51.0 G56.0 H10.9 H25.9 H40.1 H52.1 H60.9 H66.9 H81.1 I10 I20.0 I20.9"
    " I25.9 I48.9 I63.9 I69.3 I83.9 J00 J01.9 J02.9 J03.9 J06.9 J18.9 J20.9 J30.4 J35.0 J44.1 J45.9 K02.1 K04.7 K21.0"
    " K25.9 K29.7 K35.8 K40.9 K52.9 K57.3 K59.0 K63.5 K74.6 K80.2 L02.9 L03.1 L20.9 L23.9 L30.9 L50.9 L70.0 M06.9 M10.9 M16.9"
    " M17.9 M47.8 M51.2 M54.5 M79.1 M81.9 N10 N18.9 N20.0 N20.1 N30.0 N39.0 R10.4 R50.9 R51 R42 S06.0 S13.4 S52.5 S61.0 S82.6"
    " S93.4 T14.1 T78.4"
)


@lru_cache(maxsize=1)
def plain_icd() -> dict[str, list[str]]:
    """Codes of many chapters by the first letter, fit for a main disease of either sex and any age."""
    found: dict[str, list[str]] = defaultdict(list)
    for code in PLAIN_CODES:
        if not any(
            value == "1"
            for name, value in icd_flags().get(code, {}).items()
            if name != "in_who_icd10_2019"
        ):
            found[code[0]].append(code)
    return dict(found)


@lru_cache(maxsize=1)
def icd_flags() -> dict[str, dict[str, str]]:
    return {row["icd10"]: row for row in rows_of("icd10.csv")}


CHAPTER_WORDS = {
    "A": "Nhiễm khuẩn", "B": "Nhiễm vi rút, nấm", "F": "Rối loạn tâm thần", "C": "U ác tính", "D": "Bệnh máu hoặc u lành", "E": "Bệnh nội tiết, chuyển hóa", "G": "Bệnh thần kinh",
    "H": "Bệnh mắt hoặc tai", "I": "Bệnh tim mạch", "J": "Bệnh hô hấp", "K": "Bệnh tiêu hóa", "L": "Bệnh da",
    "M": "Bệnh cơ xương khớp", "N": "Bệnh thận tiết niệu", "R": "Triệu chứng cần theo dõi", "S": "Chấn thương",
    "T": "Chấn thương, ngộ độc",
}  # fmt: skip


@dataclass
class Person:
    number: int
    name: str
    sex: str
    born: datetime
    timed: bool
    """The time of birth is known (newborns)."""
    year_only: bool
    ethnic: str
    nationality: str
    citizen_id: str
    commune: Commune
    address: str
    phone: str
    insurance_number: str
    card: str = ""
    registered_at: str = ""
    card_from: str = ""
    card_to: str = ""
    former_card: tuple[str, str, str, str] | None = None
    mother: Person | None = None
    parent_name: str = ""
    blood: str = ""
    area: str = ""
    occupation: str = "00000"
    busy: list[tuple[datetime, datetime]] = field(default_factory=list)

    def birth_text(self) -> str:
        if self.year_only:
            return f"{self.born:%Y}00000000"
        return f"{self.born:%Y%m%d%H%M}" if self.timed else f"{self.born:%Y%m%d}0000"

    def age(self, on: date) -> int:
        had = (on.month, on.day) >= (self.born.month, self.born.day)
        return on.year - self.born.year - (0 if had else 1)


def full_name(rng: Random, sex: str, ethnic: str) -> str:
    surname = rng.choice(SURNAMES_OTHER.get(ethnic, SURNAMES_KINH))
    words = [surname, rng.choice(MIDDLE[sex])]
    if rng.random() < 0.35:
        extra = rng.choice([w for w in MIDDLE[sex] if w not in ("Thị", "Văn")])
        if extra != words[-1]:
            words.append(extra)
    words.append(rng.choice(GIVEN[sex]))
    return " ".join(words)


class People:
    """Draws people whose papers agree with one another."""

    def __init__(self, rng: Random, night: date) -> None:
        self.rng, self.night = rng, night
        self.count = 0
        self.used_ids: set[str] = set()
        self.used_names: set[tuple[str, int]] = set()

    def draw(
        self, *, facility: Facility, ages: tuple[int, int] = (0, 92), sex: str | None = None, insured: bool = True,
        on: date | None = None,
    ) -> Person:  # fmt: skip
        rng = self.rng
        self.count += 1
        on = on or self.night
        sex = sex or rng.choice("12")
        age = rng.randint(*ages)
        born = at(date(on.year - age, 1, 1) - timedelta(days=rng.randint(0, 330)))
        home = facility.province if rng.random() < 0.9 else rng.choice(list(places().communes))
        commune = rng.choice(places().communes[home])
        ethnic = rng.choice(list(SURNAMES_OTHER)) if rng.random() < 0.2 else "01"
        if rng.random() < 0.1:
            ethnic = f"{rng.randint(1, 54):02d}"
        name = full_name(rng, sex, ethnic)
        while (name, born.year) in self.used_names:
            name = full_name(rng, sex, ethnic)
        self.used_names.add((name, born.year))
        person = Person(
            number=self.count, name=name, sex=sex, born=born, timed=False,
            year_only=born.year < 1962 and rng.random() < 0.08, ethnic=ethnic, nationality="000",
            citizen_id=self._citizen_id(commune, sex, born.year), commune=commune,
            address=f"Số {rng.randint(1, 320)}, đường {rng.choice(STREETS)}, {commune.name}",
            phone=f"0{rng.choice((32, 35, 38, 70, 77, 79, 83, 85, 91, 96, 98))}{self.count:07d}"[:10],
            insurance_number=f"{facility.province}{rng.randint(1, 29):02d}{self.count * 7919 % 1_000_000:06d}",
        )  # fmt: skip
        if rng.random() < 0.15:
            person.blood = rng.choice(("A", "B", "AB", "O", "O+", "A+", "B-"))
        if home != facility.province and rng.random() < 0.3:
            person.area = rng.choice(("K1", "K2", "K3"))
        if age > 70 and rng.random() < 0.06:
            person.citizen_id = f"{rng.randint(100_000_000, 399_999_999)}"
        if ethnic not in ("01", "05") and rng.random() < 0.15:
            person.name = rng.choice(
                (
                    "H'Loan Mlô",
                    "Y Blung Niê",
                    "Giàng A Páo",
                    "Sùng Thị Mỷ",
                    "Lò Thị Ong",
                    "Kpă Hơ Thoa",
                )
            )
            if sex == "1":
                person.name = rng.choice(
                    ("Y Blung Niê", "Giàng A Páo", "Thào A Sính", "A Lưới", "Lò Văn Ong")
                )
        if age >= 18:
            person.occupation = rng.choice(("61110", "75230", "52210", "00000", "83220", "23410"))
        person.parent_name = full_name(rng, "2", ethnic)
        if insured:
            self.give_card(person, facility, person.age(on))
        return person

    def _citizen_id(self, commune: Commune, sex: str, year: int) -> str:
        while True:
            code = self.rng.choice(places().birth_codes[commune.province])
            century = 2 * (year // 100 - 19) + (1 if sex == "2" else 0)
            serial = f"{self.rng.randint(1000, 998_999):06d}"
            number = f"{code}{century}{year % 100:02d}{serial}"
            if number not in self.used_ids and len(set(serial)) > 2:
                self.used_ids.add(number)
                return number

    def foreigner(self, facility: Facility, on: date) -> Person:
        """A visitor with a passport and no card."""
        person = self.draw(facility=facility, ages=(22, 60), insured=False, on=on)
        person.name = self.rng.choice(
            ("PARK JI SUNG", "Emily Rose Carter", "Tanaka Hiroshi", "Jean-Luc Moreau")
        )
        person.citizen_id = f"{self.rng.choice('MCEK')}{self.rng.randint(10_000_000, 99_999_999)}"
        person.nationality, person.ethnic = self.rng.choice(("410", "392", "250")), "55"
        return person

    def second_card(self, person: Person, on: date) -> None:
        """A card of a former group that ended before this one began: positional lists."""
        start = date(on.year, 3, 1)
        person.former_card = (
            "GD4" + person.card[3:], person.registered_at, f"{date(on.year, 1, 1):%Y%m%d}",
            f"{start - timedelta(days=1):%Y%m%d}",
        )  # fmt: skip
        person.card_from = f"{start:%Y%m%d}"

    def give_card(self, person: Person, facility: Facility, age: int) -> None:
        rng = self.rng
        if age < 6:
            group, benefit = "TE", "1"
        elif age < 18:
            group, benefit = rng.choice(OBJECTS["pupil"])
        elif age < 23:
            group, benefit = rng.choice(OBJECTS["student"])
        elif age < 60:
            group, benefit = rng.choice(OBJECTS["adult"])
        else:
            group, benefit = rng.choice(OBJECTS["old"])
        if group == "CT" and age < 80:
            group, benefit = "HT", "3"
        province = (
            "97" if group == "QN" else rng.choice(places().birth_codes[facility.province])[1:]
        )
        person.card = f"{group}{benefit}{province}{person.insurance_number}"
        person.registered_at = facility.code
        start = date(self.night.year, 1, 1)
        if group == "TE":
            last = max(
                date(person.born.year + 6, 9, 30), person.born.date() + timedelta(days=6 * 365)
            )
            person.card_from = f"{person.born:%Y%m%d}"
            person.card_to = f"{last:%Y%m%d}"
        else:
            person.card_from = f"{start:%Y%m%d}"
            person.card_to = f"{date(start.year, 12, 31):%Y%m%d}"
            if group in ("QN", "CA") and rng.random() < 0.5:
                person.card_to = ""


def device_code(facility: Facility, group: str) -> str:
    mark = {"1": "XN", "2": "HA", "3": "TD"}[group]
    return f"{mark}.{int(group)}.{facility.code}{group}7"


def devices() -> list[dict[str, str]]:
    names = {"1": "Máy xét nghiệm tự động", "2": "Máy chẩn đoán hình ảnh", "3": "Máy điện tim"}
    return [
        {
            "ma_may": device_code(f, group), "ma_cskcb": f.code, "ten_thiet_bi": name, "model": f"M-{group}00",
            "serial": f"{f.code}{group}7", "so_luu_hanh": f"2400{group}5/BYT-HTTB", "loai": "C",
            "ngay_kiem_dinh": "2026-01-15", "ngay_het_kiem_dinh": "2027-01-15", "trang_thai": "hoat_dong",
        }
        for f in SENDERS
        for group, name in names.items()
    ]  # fmt: skip
