"""The menu of mistakes. Each takes an encounter, spoils exactly one thing and says where an auditor would point.

A function returns None, and changes nothing, where its mistake cannot be made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

from tests.planted import world
from tests.planted.clinic import Clinic, Encounter, Row, day, moment, money


@dataclass(frozen=True)
class Hit:
    """Where a planted mistake is."""

    table: str
    fields: tuple[str, ...]
    line: str = ""
    """STT, where one line of several is wrong."""
    reasons: tuple[str, ...] = ()
    """Changes that, recorded with one of these reasons, mend it."""
    others: tuple[str, ...] = ()
    """Further records on which an auditor might as well put it."""
    tables: tuple[str, ...] = ()
    """Further tables where the same value stands."""


@dataclass
class Scene:
    """What a mistake may look at and add to."""

    rng: Random
    night: date
    clinic: Clinic
    encounters: list[Encounter]
    added: list[Encounter]


Plant = Callable[[Encounter, Scene], Hit | None]
MENU: dict[str, tuple[str, Plant]] = {}
"""Kind → (family, function)."""


def defect(kind: str, family: str) -> Callable[[Plant], Plant]:
    def enter(function: Plant) -> Plant:
        assert kind not in MENU, kind
        MENU[kind] = (family, function)
        return function

    return enter


def when_of(text: str) -> datetime:
    return datetime.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}")


def read(text: str) -> Decimal:
    return Decimal(text)


def adult(e: Encounter) -> bool:
    return e.person.age(e.came.date()) >= 20


def has_id(e: Encounter) -> bool:
    return len(e.summary["SO_CCCD"]) == 12 and e.person.mother is None


# -- who -------------------------------------------------------------------------------------------

WHO = ("XML0", "XML13", "XML14")


@defect("sex_against_id", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    sexed = e.summary["MA_BENH_CHINH"][0] in "OCDNP" or any(
        c[0] in "OCDN" for c in e.summary["MA_BENH_KT"].split(";") if c
    )
    if not has_id(e) or sexed or "XML9" in e.tables:
        return None
    e.everywhere("GIOI_TINH", "2" if e.person.sex == "1" else "1")
    return Hit("XML1", ("gioi_tinh", "so_cccd"), tables=WHO)


@defect("birth_year_against_id", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not has_id(e) or not 24 <= e.person.age(e.came.date()) <= 55 or "XML9" in e.tables:
        return None
    year = e.person.born.year + scene.rng.choice((-2, 1, 3, -1))
    text = e.summary["NGAY_SINH"]
    e.everywhere(
        "NGAY_SINH", f"{year}{text[4:6]}{'28' if text[4:8] == '0229' else text[6:8]}{text[8:]}"
    )
    return Hit("XML1", ("ngay_sinh", "so_cccd"), tables=WHO)


@defect("id_first_zero_lost", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not has_id(e):
        return None
    e.everywhere("SO_CCCD", e.summary["SO_CCCD"].lstrip("0"))
    return Hit("XML1", ("so_cccd",), tables=WHO, reasons=("leading_zero",))


@defect("id_eleven_digits", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not has_id(e):
        return None
    number = e.summary["SO_CCCD"]
    e.everywhere("SO_CCCD", number[:8] + number[9:])
    return Hit("XML1", ("so_cccd",), tables=WHO)


@defect("id_thirteen_digits", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not has_id(e):
        return None
    e.everywhere("SO_CCCD", e.summary["SO_CCCD"] + "7")
    return Hit("XML1", ("so_cccd",), tables=WHO)


@defect("id_dummy", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not has_id(e):
        return None
    e.everywhere(
        "SO_CCCD",
        scene.rng.choice(
            ("000000000000", "123456789012", "111111111111", "999999999999", "012345678910")
        ),
    )
    return Hit("XML1", ("so_cccd",), tables=WHO)


@defect("id_with_letter", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not has_id(e):
        return None
    number = e.summary["SO_CCCD"]
    e.everywhere("SO_CCCD", "O" + number[1:5] + "l" + number[6:])
    return Hit("XML1", ("so_cccd",), tables=WHO, reasons=("identifier_form",))


@defect("id_missing", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not has_id(e) or not adult(e) or e.summary["MA_DOITUONG_KCB"] == "2":
        return None
    e.everywhere("SO_CCCD", "")
    return Hit("XML1", ("so_cccd",), tables=WHO)


@defect("id_of_no_province", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not has_id(e):
        return None
    e.everywhere(
        "SO_CCCD", scene.rng.choice(("097", "099", "003", "055", "013")) + e.summary["SO_CCCD"][3:]
    )
    return Hit("XML1", ("so_cccd",), tables=WHO)


@defect("id_of_mother", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    age = e.person.age(e.came.date())
    if not has_id(e) or not 1 <= age <= 13:
        return None
    year = e.person.born.year - scene.rng.randint(20, 38)
    e.everywhere(
        "SO_CCCD", f"{e.summary['SO_CCCD'][:3]}1{year % 100:02d}{scene.rng.randint(100200, 899877)}"
    )
    return Hit("XML1", ("so_cccd", "ngay_sinh"), tables=WHO)


@defect("name_with_digit", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    words = e.summary["HO_TEN"].split()
    e.everywhere("HO_TEN", " ".join([*words[:-1], words[-1][:1] + "0" + words[-1][1:]]))
    return Hit("XML1", ("ho_ten",), tables=WHO)


@defect("name_placeholder", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.person.mother is not None:
        return None
    e.everywhere(
        "HO_TEN",
        scene.rng.choice(
            ("KHÔNG RÕ", "BN NAM", "VÔ DANH", "TEST", "NGUYỄN VĂN TEST", "CHƯA RÕ TÊN")
        ),
    )
    return Hit("XML1", ("ho_ten",), tables=WHO)


@defect("name_missing", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.everywhere("HO_TEN", "")
    return Hit("XML1", ("ho_ten",), tables=WHO)


@defect("born_after_visit", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.insured and e.summary["SO_CCCD"]:
        return None
    e.everywhere("NGAY_SINH", f"{e.left + timedelta(days=scene.rng.randint(2, 300)):%Y%m%d}0000")
    return Hit("XML1", ("ngay_sinh", "ngay_vao"), tables=WHO)


@defect("aged_130", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.everywhere(
        "NGAY_SINH", f"{e.came.year - scene.rng.randint(124, 180)}" + e.summary["NGAY_SINH"][4:]
    )
    return Hit("XML1", ("ngay_sinh",), tables=WHO)


@defect("birth_date_impossible", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    tail = scene.rng.choice(("02310000", "13050000", "06310000", "00150000", "12322400"))
    e.everywhere("NGAY_SINH", f"{e.person.born.year}{tail}")
    return Hit("XML1", ("ngay_sinh",), tables=WHO, reasons=("unreadable",))


@defect("birth_date_no_date", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.everywhere("NGAY_SINH", scene.rng.choice(("khoảng 1960", "KHONG RO", "1/60", "0")))
    return Hit("XML1", ("ngay_sinh",), tables=WHO, reasons=("unreadable",))


@defect("sex_not_in_list", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.everywhere("GIOI_TINH", scene.rng.choice(("5", "0", "9")))
    return Hit("XML1", ("gioi_tinh",), tables=WHO, reasons=("unreadable",))


@defect("newborn_without_time", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.person.mother is None:
        return None
    e.everywhere("NGAY_SINH", e.summary["NGAY_SINH"][:8] + "0000")
    return Hit("XML1", ("ngay_sinh",), tables=WHO)


@defect("phone_impossible", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.everywhere("DIEN_THOAI", scene.rng.choice(("12345", "0111222333", "99", "09123")))
    return Hit("XML1", ("dien_thoai",), reasons=("unreadable",))


@defect("ethnic_group_unknown", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.everywhere("MA_DANTOC", scene.rng.choice(("99", "77", "00")))
    return Hit("XML1", ("ma_dantoc",), tables=("XML13",))


@defect("foreign_group_vietnamese", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.person.nationality != "000":
        return None
    e.everywhere("MA_DANTOC", "55")
    return Hit("XML1", ("ma_dantoc", "ma_quoctich"), tables=("XML13",))


@defect("patient_code_missing", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML7" in e.tables:
        return None
    e.everywhere("MA_BN", "")
    return Hit("XML1", ("ma_bn",), tables=("XML0", "XML15"))


@defect("blood_group_unknown", "identity")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.summary["NHOM_MAU"] = scene.rng.choice(("C", "AO", "X+"))
    return Hit("XML1", ("nhom_mau",))


# -- where -----------------------------------------------------------------------------------------


@defect("province_unknown", "places")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.everywhere("MATINH_CU_TRU", scene.rng.choice(("99", "00", "03", "21")))
    return Hit("XML1", ("matinh_cu_tru",))


@defect("commune_unknown", "places")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.everywhere("MAXA_CU_TRU", scene.rng.choice(("99999", "00000", "98765")))
    return Hit("XML1", ("maxa_cu_tru",))


@defect("commune_of_other_province", "places")
def _(e: Encounter, scene: Scene) -> Hit | None:
    other = scene.rng.choice([p for p in world.places().communes if p != e.person.commune.province])
    e.everywhere("MAXA_CU_TRU", scene.rng.choice(world.places().communes[other]).code)
    return Hit("XML1", ("maxa_cu_tru", "matinh_cu_tru"))


@defect("commune_of_before_merger", "places")
def _(e: Encounter, scene: Scene) -> Hit | None:
    former = world.places().former.get(e.person.commune.province)
    if not former:
        return None
    e.everywhere("MAXA_CU_TRU", scene.rng.choice(former)[0])
    return Hit("XML1", ("maxa_cu_tru",), reasons=("merger", "merger_ambiguous"))


@defect("province_of_before_merger", "places")
def _(e: Encounter, scene: Scene) -> Hit | None:
    gone = {"92": ("93", "94"), "15": ("10",)}.get(e.person.commune.province)
    if not gone:
        return None
    e.everywhere("MATINH_CU_TRU", scene.rng.choice(gone))
    return Hit("XML1", ("matinh_cu_tru",), reasons=("merger", "merger_ambiguous"))


@defect("address_missing", "places")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.everywhere("DIA_CHI", "")
    return Hit("XML1", ("dia_chi",), tables=("XML13", "XML14"))


# -- the card --------------------------------------------------------------------------------------


def one_card(e: Encounter) -> bool:
    return e.insured and ";" not in e.summary["MA_THE_BHYT"]


def set_card(e: Encounter, card: str) -> None:
    e.everywhere("MA_THE_BHYT", card)


@defect("card_malformed", "card")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not one_card(e) or "XML11" in e.tables:
        return None
    card = e.summary["MA_THE_BHYT"]
    set_card(
        e,
        scene.rng.choice(
            (
                card[:-1],
                card[:2] + "7" + card[3:],
                card[:7] + "X" + card[8:],
                card[:1] + card[2:] + "00",
            )
        ),
    )
    return Hit("XML1", ("ma_the_bhyt",), tables=WHO)


@defect("card_expired", "card")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not one_card(e) or not e.summary["GT_THE_DEN"]:
        return None
    e.everywhere("GT_THE_TU", f"{e.came.year - 1}0101")
    e.everywhere("GT_THE_DEN", day(e.came - timedelta(days=scene.rng.randint(1, 60))))
    return Hit("XML1", ("gt_the_den", "gt_the_tu", "ngay_vao"), tables=WHO)


@defect("card_not_yet_valid", "card")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not one_card(e) or not e.summary["GT_THE_DEN"] or e.summary["MA_DOITUONG_KCB"] == "2":
        return None
    e.everywhere("GT_THE_TU", day(e.left + timedelta(days=scene.rng.randint(3, 9))))
    e.everywhere("GT_THE_DEN", f"{e.left.year + 1}1231")
    return Hit("XML1", ("gt_the_tu", "ngay_vao", "gt_the_den"), tables=WHO)


@defect("card_lists_of_unequal_length", "card")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not one_card(e) or not e.summary["GT_THE_DEN"]:
        return None
    tag = scene.rng.choice(("MA_DKBD", "GT_THE_TU", "MA_THE_BHYT"))
    s = e.summary
    extra = "GD4" + s["MA_THE_BHYT"][3:] if tag == "MA_THE_BHYT" else s[tag]
    s[tag] = f"{s[tag]};{extra}"
    return Hit("XML1", ("ma_the_bhyt", "ma_dkbd", "gt_the_tu", "gt_the_den"))


@defect("child_card_on_adult", "card")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not one_card(e) or not adult(e) or "XML11" in e.tables:
        return None
    set_card(e, "TE1" + e.summary["MA_THE_BHYT"][3:])
    return Hit("XML1", ("ma_the_bhyt", "ngay_sinh"), tables=WHO)


@defect("card_benefit_unusual", "card")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not one_card(e) or e.summary["MA_THE_BHYT"][:3] not in ("DN4", "GD4", "HS4", "HT3"):
        return None
    card = e.summary["MA_THE_BHYT"]
    set_card(e, card[:2] + {"4": "1", "3": "5"}[card[2]] + card[3:])
    return Hit("XML1", ("ma_the_bhyt", "muc_huong"), tables=WHO)


@defect("card_object_unknown", "card")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not one_card(e):
        return None
    set_card(e, scene.rng.choice(("ZZ", "AB", "QQ")) + e.summary["MA_THE_BHYT"][2:])
    return Hit("XML1", ("ma_the_bhyt",), tables=WHO)


@defect("card_dates_reversed", "card")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not one_card(e) or not e.summary["GT_THE_DEN"]:
        return None
    first, last = e.summary["GT_THE_TU"], e.summary["GT_THE_DEN"]
    e.everywhere("GT_THE_TU", last)
    e.everywhere("GT_THE_DEN", first)
    return Hit("XML1", ("gt_the_tu", "gt_the_den"), tables=WHO)


@defect("card_on_uninsured", "card")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.insured:
        return None
    number = scene.rng.randint(10**9, 10**10 - 1)
    e.summary.update(MA_THE_BHYT=f"GD492{number}", MA_DKBD=e.facility.code, GT_THE_TU=f"{e.came.year}0101",
                     GT_THE_DEN=f"{e.came.year}1231")  # fmt: skip
    return Hit("XML1", ("ma_the_bhyt", "ma_doituong_kcb"))


@defect("card_facility_unknown", "card")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not one_card(e) or e.summary["MA_DKBD"].endswith("000"):
        return None
    e.everywhere("MA_DKBD", scene.rng.choice(("92999", "00123", "7")))
    return Hit("XML1", ("ma_dkbd",))


@defect("card_of_somebody_else", "card")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not one_card(e) or "XML11" in e.tables or not has_id(e):
        return None
    other = next((o for o in scene.encounters if o.insured and not o.touched and o.person is not e.person and has_id(o)
                  and one_card(o) and o.summary["MA_THE_BHYT"][:3] == e.summary["MA_THE_BHYT"][:3]), None)  # fmt: skip
    if other is None:
        return None
    other.touched = True
    set_card(e, other.summary["MA_THE_BHYT"])
    return Hit("XML1", ("ma_the_bhyt", "so_cccd"), others=(other.key,))


# -- the visit -------------------------------------------------------------------------------------


def leave_at(e: Encounter, text: str) -> None:
    e.everywhere("NGAY_RA", text)


@defect("left_before_coming", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    leave_at(e, moment(e.came - timedelta(hours=scene.rng.randint(3, 70))))
    return Hit("XML1", ("ngay_ra", "ngay_vao"), tables=("XML7", "XML8"))


@defect("left_in_future", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    leave_at(e, moment(e.left + timedelta(days=scene.rng.randint(20, 400))))
    return Hit("XML1", ("ngay_ra",), tables=("XML7", "XML8"))


@defect("came_on_impossible_day", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.everywhere(
        "NGAY_VAO",
        f"{e.came.year}{scene.rng.choice(('02300815', '13010900', '04311000', '05112561'))}",
    )
    return Hit("XML1", ("ngay_vao",), reasons=("unreadable",))


@defect("left_missing", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    leave_at(e, "")
    return Hit("XML1", ("ngay_ra",))


@defect("kind_of_visit_not_in_list", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.everywhere("MA_LOAI_KCB", scene.rng.choice(("17", "00", "99", "NT")))
    return Hit("XML1", ("ma_loai_kcb",), tables=("XML0", "XML8"))


@defect("entitlement_not_in_list", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.everywhere("MA_DOITUONG_KCB", scene.rng.choice(("4.9", "1.99", "6", "A")))
    return Hit("XML1", ("ma_doituong_kcb",), tables=WHO)


@defect("transfer_without_destination", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML13" not in e.tables:
        return None
    e.summary["MA_NOI_DEN"] = ""
    return Hit("XML1", ("ma_noi_den", "ma_loai_rv"))


@defect("transfer_to_nowhere", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML13" not in e.tables:
        return None
    e.everywhere("MA_NOI_DEN", "92X77")
    e.everywhere("MA_CSKCB_DEN", "92X77")
    return Hit("XML1", ("ma_noi_den",), tables=("XML13",))


@defect("result_not_in_list", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.death:
        return None
    e.everywhere("KET_QUA_DTRI", scene.rng.choice(("9", "0")))
    return Hit("XML1", ("ket_qua_dtri",), tables=("XML8",))


@defect("leaving_not_in_list", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML13" in e.tables:
        return None
    e.everywhere("MA_LOAI_RV", scene.rng.choice(("6", "0", "7")))
    return Hit("XML1", ("ma_loai_rv",))


@defect("treatment_days_wrong", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.kind not in ("01", "03", "04", "07", "09", "02"):
        return None
    e.summary["SO_NGAY_DTRI"] = str(int(e.summary["SO_NGAY_DTRI"]) + scene.rng.choice((2, 3, 9)))
    return Hit("XML1", ("so_ngay_dtri",))


@defect("treatment_days_absurd", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.summary["SO_NGAY_DTRI"] = scene.rng.choice(("-1", "999"))
    return Hit("XML1", ("so_ngay_dtri",))


@defect("stays_overlap", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.kind != "03" or e.person.mother or not has_id(e) or e.death or "XML9" in e.tables:
        return None
    if (
        (e.left.date() - e.came.date()).days < 2
        or e.left.date() >= scene.night
        or "XML13" in e.tables
    ):
        return None
    if any(o.person is e.person and o is not e for o in scene.encounters):
        return None
    place = scene.rng.choice([f for f in world.SENDERS if f.inpatient and f is not e.facility])
    second = scene.clinic.inpatient(place, e.left.date() + timedelta(days=1), e.person, days=2)
    second.touched = True
    scene.added.append(second)
    return Hit("XML1", ("ngay_vao", "ngay_ra"), others=(second.key,))


@defect("outpatient_during_stay", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if (
        e.kind != "03"
        or e.person.mother
        or not has_id(e)
        or e.death
        or (e.left.date() - e.came.date()).days < 3
    ):
        return None
    if any(o.person is e.person and o is not e for o in scene.encounters):
        return None
    place = scene.rng.choice([f for f in world.SENDERS if f is not e.facility])
    second = scene.clinic.outpatient(place, e.came.date() + timedelta(days=1), e.person)
    if not e.came + timedelta(hours=3) < second.came < e.left - timedelta(hours=12):
        return None
    second.touched = True
    scene.added.append(second)
    return Hit("XML1", ("ngay_vao", "ngay_ra"), others=(second.key,))


@defect("visit_after_death", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.death is None or e.left.date() >= scene.night or not has_id(e):
        return None
    place = scene.rng.choice(world.SENDERS)
    second = scene.clinic.outpatient(
        place,
        e.left.date() + timedelta(days=1),
        e.person,
        entitlement="9" if not e.insured else "3.3",
    )
    second.touched = True
    scene.added.append(second)
    return Hit("XML1", ("ngay_vao", "ket_qua_dtri", "thoi_diem_tu_vong"), others=(second.key,))


@defect("same_visit_under_two_numbers", "duplicates")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if (
        e.kind != "01"
        or not has_id(e)
        or "XML13" in e.tables
        or "XML11" in e.tables
        or "XML14" in e.tables
    ):
        return None
    twin = Encounter(e.facility, f"{e.ma_lk}B", e.person, e.insured, e.kind, e.came, e.left)
    twin.tables = {t: [dict(row) for row in rows] for t, rows in e.tables.items()}
    for row in twin.rows("MA_LK"):
        row["MA_LK"] = twin.ma_lk
    if e.checkin:
        twin.checkin = e.checkin | {"MA_LK": twin.ma_lk}
    twin.touched = True
    scene.added.append(twin)
    return Hit("XML1", ("ma_lk", "ngay_vao"), others=(twin.key,))


def without(table: str, fields: tuple[str, ...], ask: Callable[[Encounter], bool]) -> Plant:
    def plant(e: Encounter, scene: Scene) -> Hit | None:
        if table not in e.tables or not ask(e):
            return None
        del e.tables[table]
        return Hit("XML1", fields)

    return plant


defect("course_notes_missing", "presence")(
    without(
        "XML5", ("XML5", "ma_loai_kcb", "_key"), lambda e: e.kind in ("03", "04", "02", "05", "09")
    )
)
defect("record_summary_missing", "presence")(
    without("XML8", ("XML8", "ma_loai_kcb", "_key"), lambda e: e.kind == "03")
)
defect("referral_paper_missing", "presence")(
    without("XML13", ("XML13", "ma_loai_rv", "_key"), lambda e: True)
)


@defect("results_missing", "presence")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML4" not in e.tables:
        return None
    del e.tables["XML4"]
    return Hit("XML1", ("XML4",), tables=("XML3",))


defect("discharge_paper_missing", "presence")(
    without("XML7", ("XML7", "ma_loai_kcb", "_key"), lambda e: e.kind == "03")
)
defect("appointment_paper_missing", "presence")(
    without("XML14", ("XML14", "ngay_tai_kham", "_key"), lambda e: True)
)
defect("birth_certificate_missing", "presence")(
    without("XML9", ("XML9", "ma_benh_chinh", "_key"), lambda e: True)
)


@defect("tuberculosis_paper_missing", "presence")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML15" not in e.tables:
        return None
    del e.tables["XML15"]
    return Hit("XML1", ("XML15", "ma_benh_chinh", "_key"))


@defect("check_in_missing", "presence")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.checkin is None:
        return None
    e.checkin = None
    return Hit("XML1", ("XML0", "ma_lk", "_key"))


@defect("services_missing", "presence")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML3" not in e.tables:
        return None
    e.tables.pop("XML3")
    e.tables.pop("XML4", None)
    return Hit("XML1", ("t_tongchi_bv", "t_vtyt", "XML3"))


@defect("drugs_missing", "presence")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML2" not in e.tables or "XML3" not in e.tables:
        return None
    e.tables.pop("XML2")
    return Hit("XML1", ("t_thuoc", "XML2"))


@defect("admission_time_missing", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.kind not in ("03", "04", "09"):
        return None
    e.everywhere("NGAY_VAO_NOI_TRU", "")
    return Hit("XML1", ("ngay_vao_noi_tru",))


@defect("admission_after_leaving", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.kind not in ("03", "04"):
        return None
    e.everywhere("NGAY_VAO_NOI_TRU", moment(e.left + timedelta(hours=6)))
    return Hit("XML1", ("ngay_vao_noi_tru", "ngay_ra"))


@defect("referred_without_paper", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.summary["MA_DOITUONG_KCB"] != "1.3":
        return None
    tag = scene.rng.choice(("GIAY_CHUYEN_TUYEN", "MA_NOI_DI"))
    e.summary[tag] = ""
    return Hit("XML1", ("giay_chuyen_tuyen", "ma_noi_di"))


@defect("died_and_transferred", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML13" not in e.tables:
        return None
    e.everywhere("KET_QUA_DTRI", "5")
    return Hit("XML1", ("ket_qua_dtri", "ma_loai_rv"))


@defect("died_with_appointment", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML14" not in e.tables:
        return None
    e.everywhere("KET_QUA_DTRI", "5")
    return Hit("XML1", ("ket_qua_dtri", "ngay_tai_kham"))


@defect("death_without_certificate", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.death is None or e.left.date() >= scene.night - timedelta(days=1):
        return None
    e.death = None
    return Hit("XML1", ("ket_qua_dtri", "_key"))


@defect("short_stay_as_inpatient", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.kind != "09":
        return None
    e.everywhere("MA_LOAI_KCB", "03")
    e.summary["SO_NGAY_DTRI"] = "1"
    return Hit("XML1", ("ma_loai_kcb", "ngay_vao", "ngay_ra"))


@defect("treatment_method_missing", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.summary[scene.rng.choice(("PP_DIEU_TRI", "CHAN_DOAN_RV"))] = ""
    return Hit("XML1", ("pp_dieu_tri", "chan_doan_rv"))


@defect("weight_impossible", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "CAN_NANG" not in e.summary or (e.came.date() - e.person.born.date()).days > 360:
        return None
    e.summary["CAN_NANG"] = scene.rng.choice(("3250", "", "410.00"))
    return Hit("XML1", ("can_nang",))


@defect("settled_in_month_13", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.summary["THANG_QT"] = scene.rng.choice(("13", "00"))
    return Hit("XML1", ("thang_qt",))


@defect("paid_before_leaving", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.summary["NGAY_TTOAN"] = moment(e.left - timedelta(days=scene.rng.randint(3, 20)))
    return Hit("XML1", ("ngay_ttoan", "ngay_ra"))


@defect("department_unknown", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.summary["MA_KHOA"] = scene.rng.choice(("NOI1", "K77", "03"))
    return Hit("XML1", ("ma_khoa",))


@defect("injury_without_cause", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not e.summary["MA_TAI_NAN"]:
        return None
    e.summary["MA_TAI_NAN"] = scene.rng.choice(("", "9"))
    return Hit("XML1", ("ma_tai_nan",))


@defect("reexamination_in_the_past", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML14" not in e.tables:
        return None
    past = day(e.left - timedelta(days=scene.rng.randint(1, 40)))
    e.summary["NGAY_TAI_KHAM"] = past
    e.tables["XML14"][0]["NGAY_HEN_KL"] = past
    return Hit("XML1", ("ngay_tai_kham", "ngay_hen_kl", "ngay_ra"), tables=("XML14",))


@defect("newborn_entitlement_on_adult", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not e.insured or not adult(e):
        return None
    e.everywhere("MA_DOITUONG_KCB", "1.7")
    return Hit("XML1", ("ma_doituong_kcb", "ngay_sinh"))


@defect("inpatient_entitlement_outpatient", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not e.insured or e.kind != "01":
        return None
    e.everywhere("MA_DOITUONG_KCB", scene.rng.choice(("1.15", "3.2")))
    return Hit("XML1", ("ma_doituong_kcb", "ma_loai_kcb"))


@defect("visit_number_with_blank", "visit")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.prescription or e.death or e.case:
        return None
    e.ma_lk = e.ma_lk[:5] + " " + e.ma_lk[5:]
    e.everywhere("MA_LK", e.ma_lk)
    return Hit("XML1", ("ma_lk",))


# -- diagnosis -------------------------------------------------------------------------------------


def diagnose(e: Encounter, code: str) -> None:
    e.everywhere("MA_BENH_CHINH", code)


@defect("disease_code_invalid", "diagnosis")
def _(e: Encounter, scene: Scene) -> Hit | None:
    diagnose(e, scene.rng.choice(("A99.99", "1J18", "XX1", "J1", "Đau bụng", "K35-9X")))
    return Hit("XML1", ("ma_benh_chinh",), tables=("XML13", "XML14"))


@defect("disease_code_unknown", "diagnosis")
def _(e: Encounter, scene: Scene) -> Hit | None:
    diagnose(e, scene.rng.choice(("J99.9", "E19.9", "A13.4", "K99.1", "M98.2")))
    return Hit("XML1", ("ma_benh_chinh",), tables=("XML13", "XML14"))


@defect("disease_code_missing", "diagnosis")
def _(e: Encounter, scene: Scene) -> Hit | None:
    diagnose(e, "")
    return Hit("XML1", ("ma_benh_chinh",), tables=("XML13", "XML14"))


@defect("two_main_diseases", "diagnosis")
def _(e: Encounter, scene: Scene) -> Hit | None:
    diagnose(e, "I10;J20.9")
    return Hit("XML1", ("ma_benh_chinh",), tables=("XML13", "XML14"))


@defect("not_a_main_disease", "diagnosis")
def _(e: Encounter, scene: Scene) -> Hit | None:
    codes = [c for c, row in world.icd_flags().items() if row["not_as_main"] and c[0] in "VWXYB"]
    diagnose(e, scene.rng.choice(codes))
    return Hit("XML1", ("ma_benh_chinh",))


@defect("pregnant_man", "diagnosis")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.person.sex != "1" or not adult(e):
        return None
    diagnose(e, scene.rng.choice(("O80.0", "O21.0", "O14.1")))
    return Hit("XML1", ("ma_benh_chinh", "gioi_tinh"))


@defect("woman_with_prostate", "diagnosis")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.person.sex != "2" or not adult(e):
        return None
    if scene.rng.random() < 0.5:
        e.everywhere("MA_BENH_KT", "N40")
        return Hit("XML1", ("ma_benh_kt", "gioi_tinh"))
    diagnose(e, scene.rng.choice(("C61", "N40", "N47")))
    return Hit("XML1", ("ma_benh_chinh", "gioi_tinh"))


@defect("man_with_uterus", "diagnosis")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.person.sex != "1" or not adult(e):
        return None
    diagnose(e, scene.rng.choice(("C53.9", "D25.9", "N83.2", "N92.0")))
    return Hit("XML1", ("ma_benh_chinh", "gioi_tinh"))


@defect("perinatal_in_adult", "diagnosis")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not adult(e):
        return None
    diagnose(e, scene.rng.choice(("P59.9", "P22.0", "P07.1")))
    return Hit("XML1", ("ma_benh_chinh", "ngay_sinh"))


@defect("pregnant_at_70", "diagnosis")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.person.sex != "2" or e.person.age(e.came.date()) < 62:
        return None
    diagnose(e, "O21.0")
    return Hit("XML1", ("ma_benh_chinh", "ngay_sinh"))


@defect("accompanying_twice", "diagnosis")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.summary["MA_BENH_CHINH"] in ("E11.9", "I10"):
        return None
    e.everywhere(
        "MA_BENH_KT",
        scene.rng.choice(
            ("E11.9;I10;E11.9", f"I10;{e.summary['MA_BENH_CHINH']}", e.summary["MA_BENH_CHINH"])
        ),
    )
    return Hit("XML1", ("ma_benh_kt", "ma_benh_chinh"))


@defect("accompanying_invalid", "diagnosis")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.everywhere("MA_BENH_KT", scene.rng.choice(("I10;ABC", "E11,9", "Z999.9")))
    return Hit("XML1", ("ma_benh_kt",))


@defect("accompanying_too_many", "diagnosis")
def _(e: Encounter, scene: Scene) -> Hit | None:
    codes = scene.rng.sample(world.plain_icd()["K"] + world.plain_icd()["M"], 13)
    e.everywhere("MA_BENH_KT", ";".join(c for c in codes if c != e.summary["MA_BENH_CHINH"]))
    return Hit("XML1", ("ma_benh_kt",)) if e.summary["MA_BENH_KT"].count(";") == 12 else None


@defect("death_only_code_alive", "diagnosis")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.person.sex != "2" or not 20 <= e.person.age(e.came.date()) <= 45:
        return None
    diagnose(e, scene.rng.choice(("O95", "O96.0", "O97.0")))
    return Hit("XML1", ("ma_benh_chinh", "ket_qua_dtri"))


# -- money -----------------------------------------------------------------------------------------


def sum_off(tag: str) -> Plant:
    def plant(e: Encounter, scene: Scene) -> Hit | None:
        old = read(e.summary[tag])
        e.summary[tag] = money(
            old
            + scene.rng.choice((Decimal(1000), Decimal(12345), Decimal("27.5"), Decimal(500000)))
        )
        return Hit("XML1", (tag.lower(),))

    return plant


for _tag in (
    "T_THUOC",
    "T_VTYT",
    "T_TONGCHI_BV",
    "T_TONGCHI_BH",
    "T_BNTT",
    "T_BNCCT",
    "T_BHTT",
    "T_NGUONKHAC",
    "T_BHTT_GDV",
):
    defect(f"sum_{_tag.lower()}", "money")(sum_off(_tag))


@defect("negative_total", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    tag = scene.rng.choice(("T_TONGCHI_BV", "T_BHTT", "T_THUOC"))
    value = read(e.summary[tag])
    if value == 0:
        return None
    e.summary[tag] = money(-value)
    return Hit("XML1", (tag.lower(),))


@defect("comma_decimals", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    tag = scene.rng.choice(("T_TONGCHI_BV", "T_BNTT", "T_BNCCT", "T_THUOC"))
    e.summary[tag] = e.summary[tag].replace(".", ",")
    return Hit("XML1", (tag.lower(),), reasons=("unreadable",))


@defect("thousands_separators", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    value = read(e.summary["T_TONGCHI_BV"])
    if value < 1000:
        return None
    e.summary["T_TONGCHI_BV"] = scene.rng.choice(
        (f"{value:,.0f}", f"{value:,.0f}".replace(",", "."))
    )
    return Hit("XML1", ("t_tongchi_bv",), reasons=("unreadable",))


def some_line(
    e: Encounter, scene: Scene, table: str, ask: Callable[[Row], bool] = lambda r: True
) -> Row | None:
    rows = [r for r in e.tables.get(table, []) if ask(r)]
    return scene.rng.choice(rows) if rows else None


def line_hit(table: str, row: Row, *fields: str, **more: tuple[str, ...]) -> Hit:
    return Hit(table, fields, line=row["STT"], **more)


def inside(row: Row) -> bool:
    return row["PHAM_VI"] == "1" and read(row["THANH_TIEN_BH"]) > 0


@defect("drug_product_wrong", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML2")
    if row is None:
        return None
    row["THANH_TIEN_BV"] = money(read(row["THANH_TIEN_BV"]) * Decimal("1.1") + 1)
    return line_hit("XML2", row, "thanh_tien_bv", "so_luong", "don_gia")


@defect("drug_insured_amount_wrong", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML2", inside)
    if row is None:
        return None
    row["THANH_TIEN_BH"] = money(read(row["THANH_TIEN_BH"]) - Decimal("123.45"))
    return line_hit("XML2", row, "thanh_tien_bh")


@defect("outside_scope_yet_insured", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML2", inside)
    if row is None:
        return None
    row["PHAM_VI"] = "2"
    return line_hit("XML2", row, "thanh_tien_bh", "pham_vi")


@defect("service_product_wrong", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML3")
    if row is None:
        return None
    row["THANH_TIEN_BV"] = money(read(row["THANH_TIEN_BV"]) + 5000)
    return line_hit("XML3", row, "thanh_tien_bv", "so_luong", "don_gia_bv")


@defect("service_insured_amount_wrong", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML3", inside)
    if row is None:
        return None
    row["THANH_TIEN_BH"] = money(read(row["THANH_TIEN_BH"]) - 777)
    return line_hit("XML3", row, "thanh_tien_bh")


@defect("fund_share_wrong", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    table = scene.rng.choice(("XML2", "XML3"))
    row = some_line(e, scene, table, lambda r: inside(r) and read(r["THANH_TIEN_BH"]) > 1000)
    if row is None:
        return None
    row["T_BHTT"] = money(read(row["T_BHTT"]) - 900)
    return line_hit(table, row, "t_bhtt", "muc_huong")


@defect("copayment_wrong", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    table = scene.rng.choice(("XML2", "XML3"))
    row = some_line(e, scene, table, inside)
    if row is None:
        return None
    row["T_BNCCT"] = money(read(row["T_BNCCT"]) + 450)
    return line_hit(table, row, "t_bncct")


@defect("own_payment_wrong", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    table = scene.rng.choice(("XML2", "XML3"))
    row = some_line(e, scene, table)
    if row is None:
        return None
    row["T_BNTT"] = money(read(row["T_BNTT"]) + 2000)
    return line_hit(table, row, "t_bntt")


@defect("other_sources_wrong", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    table = scene.rng.choice(("XML2", "XML3"))
    row = some_line(e, scene, table)
    if row is None:
        return None
    row["T_NGUONKHAC_VTTN"] = money(read(row["T_NGUONKHAC_VTTN"]) + 1500)
    return line_hit(table, row, "t_nguonkhac", "t_nguonkhac_vttn")


@defect("benefit_level_over_100", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML3", inside)
    if row is None:
        return None
    row["MUC_HUONG"] = scene.rng.choice(("120", "-80", "101"))
    return line_hit("XML3", row, "muc_huong")


@defect("benefit_level_not_of_card", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if (
        not one_card(e)
        or e.summary["MA_THE_BHYT"][2] != "4"
        or e.summary["MA_DOITUONG_KCB"] not in ("1.1", "1.2")
    ):
        return None
    rows = [
        (t, r)
        for t in ("XML2", "XML3")
        for r in e.tables.get(t, [])
        if inside(r) and r["MUC_HUONG"] == "80"
    ]
    if not rows:
        return None
    for _table, row in rows:
        bh = read(row["THANH_TIEN_BH"])
        row["MUC_HUONG"] = "95"
        row["T_BHTT"] = money(bh * 95 / 100)
        row["T_BNCCT"] = money(bh - read(row["T_BHTT"]))
    lines = [r for t in ("XML2", "XML3") for r in e.tables.get(t, [])]
    for tag, of in (("T_BHTT", "T_BHTT"), ("T_BNCCT", "T_BNCCT"), ("T_BHTT_GDV", "T_BHTT")):
        e.summary[tag] = money(sum((read(r[of]) for r in lines), Decimal(0)))
    return line_hit(rows[0][0], rows[0][1], "muc_huong")


@defect("payment_ratio_impossible", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML2", inside)
    if row is None:
        return None
    row["TYLE_TT_BH"] = scene.rng.choice(("150", "45"))
    return line_hit("XML2", row, "tyle_tt_bh")


# -- drugs and services ----------------------------------------------------------------------------


@defect("quantity_missing", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    table = scene.rng.choice(("XML2", "XML3"))
    row = some_line(e, scene, table)
    if row is None:
        return None
    row["SO_LUONG"] = ""
    return line_hit(table, row, "so_luong")


@defect("quantity_not_positive", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    table = scene.rng.choice(("XML2", "XML3"))
    row = some_line(e, scene, table)
    if row is None:
        return None
    row["SO_LUONG"] = scene.rng.choice(("0", "-" + row["SO_LUONG"]))
    return line_hit(table, row, "so_luong")


@defect("quantity_no_number", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML2")
    if row is None:
        return None
    row["SO_LUONG"] = scene.rng.choice(("10 viên", "1,5", "mười"))
    return line_hit("XML2", row, "so_luong", reasons=("unreadable",))


@defect("ordered_before_coming", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    table = scene.rng.choice(("XML2", "XML3"))
    row = some_line(e, scene, table)
    if row is None:
        return None
    row["NGAY_YL"] = moment(e.came - timedelta(days=scene.rng.randint(1, 9)))
    return line_hit(table, row, "ngay_yl")


@defect("ordered_after_leaving", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    table = scene.rng.choice(("XML2", "XML3"))
    row = some_line(e, scene, table)
    if row is None:
        return None
    row["NGAY_YL"] = row["NGAY_TH_YL"] = moment(e.left + timedelta(hours=scene.rng.randint(5, 60)))
    if row.get("NGAY_KQ"):
        row["NGAY_KQ"] = row["NGAY_YL"]
    return line_hit(table, row, "ngay_yl")


@defect("done_before_ordered", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    table = scene.rng.choice(("XML2", "XML3"))
    row = some_line(e, scene, table)
    if row is None:
        return None
    row["NGAY_TH_YL"] = moment(
        when_of(row["NGAY_YL"]) - timedelta(minutes=scene.rng.randint(5, 50))
    )
    return line_hit(table, row, "ngay_th_yl", "ngay_yl")


@defect("result_before_done", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML3", lambda r: r["NGAY_KQ"] != "" if "NGAY_KQ" in r else False)
    if row is None:
        return None
    row["NGAY_KQ"] = moment(when_of(row["NGAY_TH_YL"]) - timedelta(minutes=2))
    return line_hit("XML3", row, "ngay_kq", "ngay_th_yl")


@defect("practitioner_unknown", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    table = scene.rng.choice(("XML2", "XML3"))
    row = some_line(e, scene, table)
    if row is None:
        return None
    row["MA_BAC_SI"] = scene.rng.choice(("999999/CT-CCHN", "BS Nam", "000001/XX-GPHN"))
    return line_hit(table, row, "ma_bac_si")


@defect("practitioner_missing", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    table = scene.rng.choice(("XML2", "XML3"))
    row = some_line(e, scene, table)
    if row is None:
        return None
    row["MA_BAC_SI"] = ""
    return line_hit(table, row, "ma_bac_si")


@defect("practitioner_of_other_facility", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    table = scene.rng.choice(("XML2", "XML3"))
    row = some_line(e, scene, table)
    if row is None:
        return None
    other = scene.rng.choice([f for f in world.SENDERS if f is not e.facility])
    row["MA_BAC_SI"] = scene.rng.choice(scene.clinic.staff[other.code]).licence
    return line_hit(table, row, "ma_bac_si")


@defect("performer_unknown", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML3", lambda r: bool(r.get("NGUOI_THUC_HIEN")))
    if row is None:
        return None
    row["NGUOI_THUC_HIEN"] = "888777/CT-CCHN"
    return line_hit("XML3", row, "nguoi_thuc_hien")


@defect("line_of_other_visit", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    table = scene.rng.choice(("XML2", "XML3", "XML5"))
    row = some_line(e, scene, table)
    if row is None or len(e.tables[table]) < 2:
        return None
    row["MA_LK"] = f"{e.facility.code}-KHAC-{row['STT']}"
    return line_hit(table, row, "ma_lk")


@defect("line_number_twice", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    table = scene.rng.choice(("XML2", "XML3"))
    rows = e.tables.get(table, [])
    if len(rows) < 2:
        return None
    rows[-1]["STT"] = rows[0]["STT"]
    return line_hit(table, rows[-1], "stt")


@defect("line_repeated", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    rows = e.tables.get("XML2", [])
    if not rows:
        return None
    again = dict(rows[0]) | {"STT": str(len(rows) + 1)}
    rows.append(again)
    amounts = {"T_THUOC": "THANH_TIEN_BV", "T_TONGCHI_BV": "THANH_TIEN_BV", "T_TONGCHI_BH": "THANH_TIEN_BH",
               "T_BNTT": "T_BNTT", "T_BNCCT": "T_BNCCT", "T_BHTT": "T_BHTT", "T_NGUONKHAC": "T_NGUONKHAC",
               "T_BHTT_GDV": "T_BHTT"}  # fmt: skip
    for total, part in amounts.items():
        e.summary[total] = money(read(e.summary[total]) + read(again[part]))
    return Hit("XML2", ("ma_thuoc", "ngay_yl", "so_luong"))


@defect("registration_malformed", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML2")
    if row is None:
        return None
    row["SO_DANG_KY"] = scene.rng.choice(("VD24850", "8931100", "KHONG CO", "VD-2485O-16"))
    return line_hit("XML2", row, "so_dang_ky")


@defect("registration_missing", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML2")
    if row is None:
        return None
    row["SO_DANG_KY"] = ""
    return line_hit("XML2", row, "so_dang_ky")


@defect("registration_unknown", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML2")
    if row is None:
        return None
    row["SO_DANG_KY"] = scene.rng.choice(("VD-99999-25", "893110999925"))
    return line_hit("XML2", row, "so_dang_ky")


@defect("drug_code_unknown", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML2")
    if row is None:
        return None
    row["MA_THUOC"] = scene.rng.choice(("99.999", "THUOC01"))
    return line_hit("XML2", row, "ma_thuoc")


@defect("route_wrong", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML2", lambda r: r["DUONG_DUNG"] == "1.01")
    if row is None:
        return None
    row["DUONG_DUNG"] = scene.rng.choice(("2.10", "uống"))
    return line_hit("XML2", row, "duong_dung")


@defect("drug_group_wrong", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML2")
    if row is None:
        return None
    row["MA_NHOM"] = scene.rng.choice(("13", "25", "1"))
    return line_hit("XML2", row, "ma_nhom")


@defect("service_code_malformed", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML3", lambda r: r["MA_NHOM"] in ("13", "18"))
    if row is None:
        return None
    row["MA_DICH_VU"] = scene.rng.choice(("KHAM01", "2.1896", "02-1896-0311"))
    return line_hit("XML3", row, "ma_dich_vu")


@defect("service_and_supply_blank", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML3", lambda r: r["MA_NHOM"] in ("13", "18"))
    if row is None:
        return None
    row["MA_DICH_VU"] = ""
    return line_hit("XML3", row, "ma_dich_vu", "ma_vat_tu")


@defect("supply_code_missing", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML3", lambda r: "MA_VAT_TU" in r)
    if row is None:
        return None
    row["MA_VAT_TU"] = ""
    return line_hit("XML3", row, "ma_vat_tu")


@defect("bed_code_malformed", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML3", lambda r: r["MA_NHOM"] == "15")
    if row is None:
        return None
    row["MA_GIUONG"] = scene.rng.choice(("", "G12", "H1", "Giường 5"))
    return line_hit("XML3", row, "ma_giuong")


@defect("bed_days_too_many", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML3", lambda r: r["MA_NHOM"] == "15")
    if row is None or row["PHAM_VI"] != "1":
        return None
    more = Decimal(int(e.summary["SO_NGAY_DTRI"]) + 4)
    old = {t: read(row[t]) for t in ("THANH_TIEN_BV", "THANH_TIEN_BH", "T_BHTT", "T_BNCCT")}
    bv = more * read(row["DON_GIA_BV"])
    fund = (bv * read(row["MUC_HUONG"]) / 100).quantize(Decimal("0.01"))
    row |= {"SO_LUONG": f"{more:.3f}", "THANH_TIEN_BV": money(bv), "THANH_TIEN_BH": money(bv), "T_BHTT": money(fund),
            "T_BNCCT": money(bv - fund)}  # fmt: skip
    for total, part in (("T_TONGCHI_BV", "THANH_TIEN_BV"), ("T_TONGCHI_BH", "THANH_TIEN_BH"), ("T_BHTT", "T_BHTT"),
                        ("T_BNCCT", "T_BNCCT"), ("T_BHTT_GDV", "T_BHTT")):  # fmt: skip
        e.summary[total] = money(read(e.summary[total]) + read(row[part]) - old[part])
    return Hit("XML1", ("so_ngay_dtri", "so_luong"), tables=("XML3",))


@defect("anaesthesia_missing", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML3", lambda r: r["MA_NHOM"] == "8")
    if row is None:
        return None
    row["PP_VO_CAM"] = scene.rng.choice(("", "7"))
    return line_hit("XML3", row, "pp_vo_cam")


@defect("device_missing", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML3", lambda r: bool(r.get("MA_MAY")))
    if row is None:
        return None
    row["MA_MAY"] = scene.rng.choice(("", "XN-KHONG", "XN.9.KHONGCO"))
    return line_hit("XML3", row, "ma_may")


@defect("payment_method_not_in_list", "lines")
def _(e: Encounter, scene: Scene) -> Hit | None:
    table = scene.rng.choice(("XML2", "XML3"))
    row = some_line(e, scene, table)
    if row is None:
        return None
    row[scene.rng.choice(("MA_PTTT", "PHAM_VI"))] = "7"
    return line_hit(table, row, "ma_pttt", "pham_vi")


# -- results and notes -----------------------------------------------------------------------------


@defect("result_without_value", "results")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML4")
    if row is None:
        return None
    row |= {"GIA_TRI": "", "MO_TA": "", "KET_LUAN": ""}
    return line_hit("XML4", row, "gia_tri", "mo_ta", "ket_luan")


@defect("result_of_no_service", "results")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML4")
    if row is None:
        return None
    row["MA_DICH_VU"] = "23.9999.1494"
    return line_hit("XML4", row, "ma_dich_vu")


@defect("result_before_order", "results")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML4")
    if row is None:
        return None
    row["NGAY_KQ"] = moment(e.came - timedelta(days=scene.rng.randint(1, 5)))
    return line_hit("XML4", row, "ngay_kq")


@defect("result_without_date", "results")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML4")
    if row is None:
        return None
    row["NGAY_KQ"] = ""
    return line_hit("XML4", row, "ngay_kq")


@defect("result_reader_unknown", "results")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML4")
    if row is None:
        return None
    row["MA_BS_DOC_KQ"] = "777111/CT-CCHN"
    return line_hit("XML4", row, "ma_bs_doc_kq")


@defect("result_impossible", "results")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML4", lambda r: r.get("MA_CHI_SO") in ("GLU", "A1C", "CRE"))
    if row is None:
        return None
    row["GIA_TRI"] = {"GLU": "950", "A1C": "88", "CRE": "90000"}[row["MA_CHI_SO"]]
    return line_hit("XML4", row, "gia_tri")


@defect("note_outside_stay", "results")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML5", lambda r: r["STT"] == "1")
    if row is None or len(e.tables["XML5"]) > 1:
        row = some_line(e, scene, "XML5", lambda r: r["STT"] != "1")
    if row is None:
        return None
    row["THOI_DIEM_DBLS"] = moment(
        scene.rng.choice((e.came - timedelta(days=2), e.left + timedelta(hours=30)))
    )
    return line_hit("XML5", row, "thoi_diem_dbls")


@defect("note_empty", "results")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML5")
    if row is None:
        return None
    row["DIEN_BIEN_LS"] = ""
    return line_hit("XML5", row, "dien_bien_ls")


@defect("days_without_note", "results")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.kind != "03" or len(e.tables.get("XML5", [])) < 5:
        return None
    e.tables["XML5"] = e.tables["XML5"][:1]
    return Hit("XML1", ("so_ngay_dtri", "thoi_diem_dbls", "dien_bien_ls"), tables=("XML5",))


# -- papers ----------------------------------------------------------------------------------------


def paper(table: str, tag: str, value: Callable[[Encounter, Scene], str], *fields: str) -> Plant:
    def plant(e: Encounter, scene: Scene) -> Hit | None:
        if table not in e.tables or e.tables[table][0].get(tag, "") == "":
            return None
        e.tables[table][0][tag] = value(e, scene)
        return Hit(table, fields or (tag.lower(),))

    return plant


def blank(e: Encounter, scene: Scene) -> str:
    return ""


defect("referral_number_missing", "papers")(paper("XML13", "GIAY_CHUYEN_TUYEN", blank))
defect("referral_to_itself", "papers")(
    paper("XML13", "MA_CSKCB_DEN", lambda e, s: e.facility.code, "ma_cskcb_den", "ma_cskcb")
)
defect("referral_reason_not_in_list", "papers")(paper("XML13", "MA_LYDO_CT", lambda e, s: "8"))
defect("referral_destination_differs", "papers")(
    paper("XML13", "MA_CSKCB_DEN", lambda e, s: next(
        f.code for f in reversed(world.FACILITIES) if f.code not in (e.summary["MA_NOI_DEN"], e.facility.code)))
)  # fmt: skip
defect("appointment_before_leaving", "papers")(
    paper(
        "XML14",
        "NGAY_HEN_KL",
        lambda e, s: day(e.left - timedelta(days=3)),
        "ngay_hen_kl",
        "ngay_ra",
    )
)
defect("appointment_date_missing", "papers")(paper("XML14", "NGAY_HEN_KL", blank))
defect("appointment_number_missing", "papers")(paper("XML14", "SO_GIAYHEN_KL", blank))
defect("appointment_in_three_years", "papers")(
    paper("XML14", "NGAY_HEN_KL", lambda e, s: day(e.left + timedelta(days=1100)))
)
defect("discharge_date_differs", "papers")(
    paper(
        "XML7", "NGAY_RA", lambda e, s: moment(e.left + timedelta(hours=30)), "ngay_ra", "ngay_ct"
    )
)
defect("discharge_patient_differs", "papers")(
    paper("XML7", "MA_YTE", lambda e, s: "KHAC-0001", "ma_yte")
)
defect("discharge_paper_dated_otherwise", "papers")(
    paper("XML7", "NGAY_CT", lambda e, s: day(e.left + timedelta(days=5)), "ngay_ct")
)
defect("summary_result_differs", "papers")(
    paper("XML8", "KET_QUA_DTRI", lambda e, s: "4" if e.summary["KET_QUA_DTRI"] != "4" else "1")
)
defect("summary_dates_differ", "papers")(
    paper("XML8", "NGAY_RA", lambda e, s: moment(e.left - timedelta(days=1)))
)
defect("summary_empty", "papers")(paper("XML8", "QT_BENHLY", blank))
defect("leave_days_mismatch", "papers")(
    paper("XML11", "SO_NGAY_NGHI", lambda e, s: str(int(e.tables["XML11"][0]["SO_NGAY_NGHI"]) + 3), "so_ngay_nghi", "tu_ngay",
          "den_ngay")
)  # fmt: skip
defect("leave_before_visit", "papers")(
    paper(
        "XML11", "TU_NGAY", lambda e, s: day(e.came - timedelta(days=30)), "tu_ngay", "so_ngay_nghi"
    )
)
defect("leave_number_of_other", "papers")(paper("XML11", "MA_BHXH", lambda e, s: "1234567890"))
defect("birth_weight_in_kg", "papers")(
    paper(
        "XML9",
        "CAN_NANG_CON",
        lambda e, s: f"{int(e.tables['XML9'][0]['CAN_NANG_CON']) / 1000:.1f}",
    )
)
defect("mother_aged_8", "papers")(
    paper(
        "XML9",
        "NGAYSINH_NND",
        lambda e, s: f"{e.came.year - 8}0514",
        "ngaysinh_nnd",
        "ngay_sinh_con",
    )
)
defect("birth_sex_not_in_list", "papers")(paper("XML9", "GIOI_TINH_CON", lambda e, s: "7"))
defect("birth_mother_id_missing", "papers")(paper("XML9", "SO_CCCD_NND", blank))
defect("birth_children_count_wrong", "papers")(paper("XML9", "SO_CON", lambda e, s: "3"))
defect("birth_caesarean_differs", "papers")(
    paper("XML9", "SINHCON_PHAUTHUAT", lambda e, s: "1" if e.tables["XML9"][0]["SINHCON_PHAUTHUAT"] == "0" else "0",
          "sinhcon_phauthuat", "ghi_chu")
)  # fmt: skip
defect("birth_time_missing", "papers")(paper("XML9", "NGAY_SINH_CON", blank))


@defect("leave_of_45_days", "papers")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML11" not in e.tables:
        return None
    row = e.tables["XML11"][0]
    row |= {"SO_NGAY_NGHI": "45", "DEN_NGAY": day(e.left + timedelta(days=44))}
    return Hit("XML11", ("so_ngay_nghi",))


@defect("leave_serial_twice", "papers")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML11" not in e.tables:
        return None
    other = next((o for o in scene.encounters if o is not e and not o.touched and o.facility is e.facility and "XML11" in o.tables),
                 None)  # fmt: skip
    if other is None:
        return None
    other.touched = True
    e.tables["XML11"][0] |= {t: other.tables["XML11"][0][t] for t in ("SO_CT", "SO_SERI")}
    return Hit("XML11", ("so_ct", "so_seri"), others=(other.key,))


@defect("birth_number_twice", "papers")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML9" not in e.tables:
        return None
    other = next((o for o in scene.encounters if o is not e and not o.touched and o.facility is e.facility and "XML9" in o.tables),
                 None)  # fmt: skip
    if other is None:
        return None
    other.touched = True
    e.tables["XML9"][0]["SO"] = other.tables["XML9"][0]["SO"]
    return Hit("XML9", ("so",), others=(other.key,))


@defect("pregnancy_leave_for_man", "papers")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.person.sex != "1" or e.kind != "01" or not e.insured or not adult(e):
        return None
    scene.clinic.pregnancy_leave(e, scene.clinic.doctor(e.facility), 10)
    return Hit("XML10", ("ma_lk", "gioi_tinh", "chan_doan_rv"))


@defect("pregnancy_leave_days_mismatch", "papers")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML10" not in e.tables:
        return None
    row = e.tables["XML10"][0]
    row["SO_NGAY"] = str(int(row["SO_NGAY"]) + 7)
    return Hit("XML10", ("so_ngay", "tu_ngay", "den_ngay"))


@defect("child_without_parent", "papers")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML7" not in e.tables or e.person.age(e.came.date()) >= 6:
        return None
    e.tables["XML7"][0] |= {"HO_TEN_ME": "", "HO_TEN_CHA": ""}
    return Hit("XML7", ("ho_ten_me", "ho_ten_cha"))


# -- other systems ---------------------------------------------------------------------------------


def script(
    tag: str,
    value: Callable[[Encounter, Scene], str],
    ask: Callable[[Encounter], bool],
    *fields: str,
) -> Plant:
    def plant(e: Encounter, scene: Scene) -> Hit | None:
        if e.prescription is None or not ask(e):
            return None
        e.prescription[tag] = value(e, scene)
        return Hit("eprescription.prescription", fields or (tag,))

    return plant


always: Callable[[Encounter], bool] = lambda e: True  # noqa: E731
defect("prescription_code_malformed", "prescription")(
    script(
        "ma_don_thuoc",
        lambda e, s: str(e.prescription["ma_don_thuoc"])[:-3] + s.rng.choice(("-X", "C", "!-C")),
        always,
    )  # type: ignore[index]
)
defect("prescription_for_120_days", "prescription")(script("so_ngay", lambda e, s: "120", always))
defect("prescription_without_id", "prescription")(
    script("so_cccd", blank, lambda e: adult(e) and has_id(e))
)
defect("prescription_without_disease", "prescription")(script("ma_benh_chinh", blank, always))
defect("prescriber_unknown", "prescription")(
    script("ma_lien_thong", lambda e, s: "khongco01", always)
)
defect("prescription_without_weight", "prescription")(
    script(
        "can_nang",
        blank,
        lambda e: (e.came.date() - e.person.born.date()).days < 70 * 30,
        "can_nang",
        "nguoi_giam_ho",
    )
)
defect("prescription_without_address", "prescription")(script("dia_chi", blank, always))
defect("prescription_of_other_facility_code", "prescription")(
    script(
        "ma_don_thuoc",
        lambda e, s: "zz9zz" + str(e.prescription["ma_don_thuoc"])[5:],
        always,
        "ma_don_thuoc",
        "ma_cskcb",
    )  # type: ignore[index]
)
defect("prescription_sent_days_later", "prescription")(
    script(
        "ngay_gui",
        lambda e, s: f"{e.left - timedelta(days=4):%Y-%m-%dT%H:%M:%S}",
        always,
        "ngay_gui",
        "ngay_ke",
    )
)


@defect("dispensed_more_than_prescribed", "prescription")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.prescription is None:
        return None
    line = scene.rng.choice(e.prescription["thuoc"])  # type: ignore[arg-type]
    line["so_luong_ban"] = str(Decimal(line["so_luong"]) + 20)
    return Hit("eprescription.line", ("so_luong_ban", "so_luong"), line=line["stt"])


@defect("prescribed_drug_without_quantity", "prescription")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.prescription is None:
        return None
    line = scene.rng.choice(e.prescription["thuoc"])  # type: ignore[arg-type]
    line["so_luong"] = line["so_luong_ban"] = ""
    return Hit("eprescription.line", ("so_luong",), line=line["stt"])


def case(tag: str, value: Callable[[Encounter], str], *fields: str) -> Plant:
    def plant(e: Encounter, scene: Scene) -> Hit | None:
        if e.case is None:
            return None
        e.case[tag] = value(e)
        return Hit("prevention.case", fields or (tag,))

    return plant


defect("case_reported_before_onset", "extracts")(
    case(
        "ngay_bao_cao",
        lambda e: f"{e.came - timedelta(days=6):%d/%m/%Y %H:%M}",
        "ngay_bao_cao",
        "ngay_khoi_phat",
    )
)
defect("case_onset_after_admission", "extracts")(
    case(
        "ngay_khoi_phat",
        lambda e: f"{e.came + timedelta(days=1):%d/%m/%Y}",
        "ngay_khoi_phat",
        "ngay_nhap_vien",
    )
)
defect("case_disease_invalid", "extracts")(case("ma_benh_chinh", lambda e: "SXH"))
defect("case_group_not_in_list", "extracts")(case("nhom", lambda e: "K"))


@defect("case_report_missing", "extracts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.case is None or e.left.date() > scene.night - timedelta(days=3):
        return None
    e.case = None
    return Hit("XML1", ("ma_benh_chinh", "_key"))


def dead(tag: str, value: Callable[[Encounter], str], *fields: str) -> Plant:
    def plant(e: Encounter, scene: Scene) -> Hit | None:
        if e.death is None:
            return None
        e.death[tag] = value(e)
        return Hit("births_deaths.death", fields or (tag,))

    return plant


defect("death_cause_r99", "extracts")(dead("nguyen_nhan_goc", lambda e: "R99"))
defect("death_cause_missing", "extracts")(dead("nguyen_nhan_goc", lambda e: ""))
defect("death_time_missing", "extracts")(dead("thoi_diem_tu_vong", lambda e: ""))
defect("death_cause_invalid", "extracts")(dead("nguyen_nhan_goc", lambda e: "TBMN"))
defect("death_in_future", "extracts")(
    dead("thoi_diem_tu_vong", lambda e: f"{e.left + timedelta(days=90):%d/%m/%Y 08:00}")
)


# -- two channels ----------------------------------------------------------------------------------


def differs(change: Callable[[Row, Scene], tuple[str, ...]]) -> Plant:
    def plant(e: Encounter, scene: Scene) -> Hit | None:
        if not e.insured:
            return None
        other = dict(e.summary)
        fields = change(other, scene)
        if not fields:
            return None
        e.only["social_insurance"] = {"XML1": [other]}
        return Hit("XML1", fields)

    return plant


@defect("channels_differ_disease", "channels")
@differs
def _(row: Row, scene: Scene) -> tuple[str, ...]:
    if row["MA_BENH_CHINH"] == "J20.9" or "J20.9" in row["MA_BENH_KT"]:
        return ()
    row["MA_BENH_CHINH"] = "J20.9"
    return ("ma_benh_chinh",)


@defect("channels_differ_name", "channels")
@differs
def _(row: Row, scene: Scene) -> tuple[str, ...]:
    words = row["HO_TEN"].split()
    row["HO_TEN"] = " ".join([*words[:-1], "NGỌC ĐĂNG"])
    return ("ho_ten",)


@defect("channels_differ_money", "channels")
@differs
def _(row: Row, scene: Scene) -> tuple[str, ...]:
    for tag in ("T_TONGCHI_BV", "T_BNTT"):
        row[tag] = money(read(row[tag]) + 15000)
    return ("t_tongchi_bv", "t_bntt")


@defect("channels_differ_leaving", "channels")
@differs
def _(row: Row, scene: Scene) -> tuple[str, ...]:
    row["NGAY_RA"] = moment(when_of(row["NGAY_RA"]) + timedelta(minutes=47))
    return ("ngay_ra",)


@defect("only_in_insurance", "channels")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not e.insured or e.left.date() > scene.night - timedelta(days=2):
        return None
    e.channels = ("social_insurance",)
    return Hit("XML1", ("ma_lk", "_key"))


@defect("only_in_coordination", "channels")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not e.insured or e.left.date() > scene.night - timedelta(days=2):
        return None
    e.channels = ("coordination",)
    return Hit("XML1", ("ma_lk", "_key"))


# -- text ------------------------------------------------------------------------------------------


@defect("name_read_in_wrong_encoding", "texts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    name = e.person.name
    garbled = name.encode("utf-8").decode("cp1252", "ignore")
    if garbled == name:
        return None
    e.everywhere("HO_TEN", garbled)
    return Hit(
        "XML1", ("ho_ten",), reasons=("double_utf8", "control", "question_marks"), tables=WHO
    )


@defect("name_with_question_marks", "texts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    name = e.person.name.encode("cp1252", "replace").decode("cp1252")
    if "?" not in name:
        return None
    e.everywhere("HO_TEN", name)
    return Hit("XML1", ("ho_ten",), reasons=("question_marks",), tables=WHO)


@defect("name_decomposed", "texts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    import unicodedata

    name = unicodedata.normalize("NFD", e.summary["HO_TEN"])
    if name == e.summary["HO_TEN"]:
        return None
    e.everywhere("HO_TEN", name)
    return Hit("XML1", ("ho_ten",), reasons=("nfc",), tables=WHO)


@defect("name_with_icelandic_d", "texts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    name = e.summary["HO_TEN"]
    if "Đ" not in name:
        return None
    e.everywhere("HO_TEN", name.replace("Đ", "Ð"))
    return Hit("XML1", ("ho_ten",), reasons=("d_lookalike",), tables=WHO)


@defect("control_characters_in_text", "texts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    tag = scene.rng.choice(("CHAN_DOAN_RV", "LY_DO_VV", "PP_DIEU_TRI"))
    text = e.summary[tag]
    e.summary[tag] = text[:4] + scene.rng.choice(("\x82", "\ufffd", "\x90")) + text[4:]
    return Hit("XML1", (tag.lower(),), reasons=("control", "question_marks", "double_utf8"))


@defect("text_read_in_wrong_encoding", "texts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.summary["LY_DO_VV"] = "Đau bụng vùng thượng vị".encode().decode("cp1252", "ignore")
    return Hit("XML1", ("ly_do_vv",), reasons=("double_utf8", "control", "garbled"))


@defect("code_from_spreadsheet", "texts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.summary["MA_DOITUONG_KCB"] not in ("2", "9", "1.1"):
        return None
    e.everywhere(
        "MA_DOITUONG_KCB", {"2": "2.0", "9": "9.0", "1.1": "1,1"}[e.summary["MA_DOITUONG_KCB"]]
    )
    return Hit("XML1", ("ma_doituong_kcb",), reasons=("spreadsheet",))


@defect("text_too_long", "texts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    e.summary["DIA_CHI"] = ("Ấp Thới Bình " * 110).strip()
    return Hit("XML1", ("dia_chi",))


# -- formats: what can be read is put right and told -------------------------------------------------


def written(tag: str, change: Callable[[str], str], reasons: tuple[str, ...], ask: Callable[[Encounter], bool] = lambda e: True,
            tables: tuple[str, ...] = WHO) -> Plant:  # fmt: skip
    """The right value in a form the standard does not know."""

    def plant(e: Encounter, scene: Scene) -> Hit | None:
        old = e.summary[tag]
        if not old or not ask(e) or change(old) == old:
            return None
        e.everywhere(tag, change(old))
        return Hit("XML1", (tag.lower(),), reasons=reasons, tables=tables)

    return plant


FORM = ("date_form", "form", "datetime_form", "iso", "day_first")
defect("time_written_as_iso", "formats")(
    written("NGAY_VAO", lambda t: f"{t[:4]}-{t[4:6]}-{t[6:8]} {t[8:10]}:{t[10:]}", FORM, tables=())
)
defect("time_written_day_first", "formats")(
    written(
        "NGAY_RA",
        lambda t: f"{t[6:8]}/{t[4:6]}/{t[:4]} {t[8:10]}:{t[10:]}",
        (*FORM, "unreadable"),
        tables=(),
    )
)
defect("time_without_hour", "formats")(
    written("NGAY_VAO", lambda t: t[:8], (*FORM, "time_missing", "unreadable"), tables=())
)
defect("sex_in_words", "formats")(
    written("GIOI_TINH", lambda t: {"1": "Nam", "2": "Nữ"}[t], ("sex_word",))
)
defect("card_with_blanks", "formats")(
    written(
        "MA_THE_BHYT",
        lambda t: f"{t[:2].lower()} {t[2]} {t[3:5]} {t[5:]}",
        ("card_form",),
        one_card,
    )
)
defect("disease_code_without_dot", "formats")(
    written(
        "MA_BENH_CHINH",
        lambda t: t.replace(".", "").lower(),
        ("icd_form",),
        lambda e: "." in e.summary["MA_BENH_CHINH"],
    )
)
defect("phone_with_country_code", "formats")(
    written("DIEN_THOAI", lambda t: "+84 " + t[1:4] + "." + t[4:], ("phone_form",))
)
defect("id_in_scientific_notation", "formats")(
    written("SO_CCCD", lambda t: f"{int(t):.5E}", ("unreadable", "identifier_form"), has_id)
)
defect("id_with_spreadsheet_mark", "formats")(
    written("SO_CCCD", lambda t: "'" + t, ("identifier_form", "excel_prefix"), has_id)
)
defect("kind_of_visit_zero_lost", "formats")(
    written("MA_LOAI_KCB", lambda t: t.lstrip("0"), ("spreadsheet",), tables=("XML8",))
)
defect("ethnic_group_zero_lost", "formats")(
    written("MA_DANTOC", lambda t: t.lstrip("0"), ("spreadsheet",), tables=("XML13",))
)
defect("commune_zero_lost", "formats")(
    written("MAXA_CU_TRU", lambda t: t.lstrip("0"), ("spreadsheet", "zero_padded", "place_form"))
)
defect("total_no_number", "formats")(
    written("T_BNTT", lambda t: "không", ("unreadable",), tables=())
)
defect("days_no_number", "formats")(
    written("SO_NGAY_DTRI", lambda t: "hai", ("unreadable",), tables=())
)
defect("card_date_impossible", "formats")(
    written(
        "GT_THE_DEN",
        lambda t: t[:4] + "1131",
        ("unreadable",),
        lambda e: one_card(e) and bool(e.summary["GT_THE_DEN"]),
    )
)


# -- always expected -------------------------------------------------------------------------------

EXPECTED: dict[str, list[str]] = {}
for _row in world.rows_of("xml_fields.csv"):
    if _row["presence"] == "R" and _row["tag"] not in ("MA_LK", "STT", "MA_CSKCB"):
        EXPECTED.setdefault(_row["table"], []).append(_row["tag"])


def left_blank(table: str) -> Plant:
    def plant(e: Encounter, scene: Scene) -> Hit | None:
        row = some_line(e, scene, table)
        if row is None:
            return None
        tag = scene.rng.choice([t for t in EXPECTED[table] if row.get(t)])
        row[tag] = ""
        return Hit(
            table,
            (tag.lower(),),
            line=row["STT"] if table in ("XML2", "XML3", "XML4", "XML5") else "",
        )

    return plant


for _table in (
    "XML1",
    "XML2",
    "XML3",
    "XML4",
    "XML5",
    "XML7",
    "XML8",
    "XML9",
    "XML11",
    "XML13",
    "XML14",
):
    for _again in "abc" if _table in ("XML1", "XML2", "XML3", "XML9", "XML13") else "a":
        defect(f"expected_blank_{_table.lower()}{_again}", "blanks")(left_blank(_table))


def not_in_list(table: str, tag: str, value: str) -> Plant:
    def plant(e: Encounter, scene: Scene) -> Hit | None:
        row = some_line(e, scene, table, lambda r: bool(r.get(tag)))
        if row is None:
            return None
        row[tag] = value
        return Hit(table, (tag.lower(),), line=row["STT"] if table in ("XML2", "XML3") else "")

    return plant


for _table, _tag, _value in (
    ("XML1", "MA_KHUVUC", "K9"), ("XML1", "MA_QUOCTICH", "VNM"), ("XML1", "MA_NGHE_NGHIEP", "NONG"), ("XML2", "NGUON_CTRA", "9"),
    ("XML2", "MA_PTTT", "5"), ("XML2", "PHAM_VI", "0"), ("XML3", "MA_NHOM", "99"), ("XML3", "MA_PTTT", "0"),
    ("XML3", "PHAM_VI", "4"), ("XML7", "MA_DINH_CHI_THAI", "3"), ("XML8", "MA_LOAI_KCB", "30"), ("XML9", "SINHCON_PHAUTHUAT", "5"),
    ("XML9", "MA_DANTOC_NND", "88"), ("XML13", "GIOI_TINH", "8"), ("XML13", "MA_LOAI_RV", "9"), ("XML14", "MA_DOITUONG_KCB", "77"),
    ("XML11", "MA_DINH_CHI_THAI", "x"),
):  # fmt: skip
    defect(f"list_{_table.lower()}_{_tag.lower()}", "lists")(not_in_list(_table, _tag, _value))


# -- two records that cannot both be right -----------------------------------------------------------


def partner(e: Encounter, scene: Scene, ask: Callable[[Encounter], bool]) -> Encounter | None:
    found = [
        o
        for o in scene.encounters
        if o is not e and not o.touched and o.person is not e.person and ask(o)
    ]
    return scene.rng.choice(found) if found else None


@defect("id_of_two_people", "conflicts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not has_id(e) or not adult(e):
        return None
    other = partner(
        e,
        scene,
        lambda o: (
            has_id(o)
            and o.person.sex == e.person.sex
            and abs(o.person.born.year - e.person.born.year) > 4
        ),
    )
    if other is None:
        return None
    other.touched = True
    e.everywhere("SO_CCCD", other.summary["SO_CCCD"])
    return Hit("XML1", ("so_cccd",), others=(other.key,))


@defect("patient_code_of_two_people", "conflicts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not has_id(e):
        return None
    other = partner(e, scene, lambda o: o.facility is e.facility and has_id(o))
    if other is None:
        return None
    other.touched = True
    e.everywhere("MA_BN", other.summary["MA_BN"])
    if "XML7" in e.tables:
        e.tables["XML7"][0]["MA_YTE"] = other.summary["MA_BN"]
    return Hit("XML1", ("ma_bn",), others=(other.key,))


@defect("check_in_of_other_name", "conflicts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.checkin is None:
        return None
    e.checkin["HO_TEN"] = "TRẦN QUỐC HƯNG THỊNH"
    return Hit("XML0", ("ho_ten",))


@defect("check_in_of_other_card", "conflicts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.checkin is None or not one_card(e):
        return None
    e.checkin["MA_THE_BHYT"] = e.checkin["MA_THE_BHYT"][:-4] + "0019"
    return Hit("XML0", ("ma_the_bhyt",))


@defect("check_in_cost_before_arrival", "conflicts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.checkin is None:
        return None
    e.checkin["NGAY_YL"] = moment(e.came - timedelta(hours=2))
    return Hit("XML0", ("ngay_yl", "ngay_vao"))


@defect("referral_number_twice", "conflicts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML13" not in e.tables:
        return None
    other = partner(e, scene, lambda o: o.facility is e.facility and "XML13" in o.tables)
    if other is None:
        return None
    other.touched = True
    e.tables["XML13"][0]["GIAY_CHUYEN_TUYEN"] = other.tables["XML13"][0]["GIAY_CHUYEN_TUYEN"]
    return Hit("XML13", ("giay_chuyen_tuyen",), others=(other.key,))


@defect("leaves_overlap", "conflicts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML11" not in e.tables or e.left.date() >= scene.night or not has_id(e):
        return None
    place = scene.rng.choice([f for f in world.SENDERS if f is not e.facility])
    second = scene.clinic.outpatient(
        place, e.left.date() + timedelta(days=1), e.person, entitlement="3.3"
    )
    if "XML11" not in second.tables:
        scene.clinic.sick_leave(second, scene.clinic.doctor(place), 4)
    row = e.tables["XML11"][0]
    row |= {"SO_NGAY_NGHI": "5", "DEN_NGAY": day(e.left + timedelta(days=4))}
    second.touched = True
    scene.added.append(second)
    return Hit("XML11", ("tu_ngay", "den_ngay"), others=(second.key,))


@defect("receiver_treats_somebody_else", "conflicts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.summary["MA_DOITUONG_KCB"] != "1.3" or not has_id(e):
        return None
    other = next((o for o in scene.encounters if o.person is e.person and o is not e), None)
    if other is None or other.touched:
        return None
    stranger = scene.clinic.people.draw(
        facility=e.facility, ages=(30, 60), sex="2" if e.person.sex == "1" else "1", insured=False
    )
    for tag, value in (("HO_TEN", stranger.name.upper()), ("SO_CCCD", stranger.citizen_id), ("GIOI_TINH", stranger.sex),
                       ("NGAY_SINH", stranger.birth_text()), ("MA_BENH_CHINH", "J18.9"), ("MA_BENH_KT", "")):  # fmt: skip
        e.everywhere(tag, value)
    return Hit("XML1", ("giay_chuyen_tuyen", "ngay_sinh", "gioi_tinh"))


@defect("appointment_entitlement_without_paper", "conflicts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if (
        e.kind != "01"
        or not e.insured
        or e.summary["MA_DOITUONG_KCB"] not in ("1.1", "3.3", "1.12")
    ):
        return None
    e.everywhere("MA_DOITUONG_KCB", "1.5")
    return Hit("XML1", ("ma_doituong_kcb", "referral_reexam.appointment"))


@defect("sent_weeks_late", "lateness")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.kind != "01":
        return None
    late = scene.clinic.outpatient(e.facility, scene.night - timedelta(days=26))
    late.delay = 24
    late.checkin = late.prescription = None
    if late.insured:
        late.summary["MA_DOITUONG_KCB"] = "2"
    scene.added.append(late)
    e.touched = late.touched = True
    return Hit("XML1", ("ngay_ra",), others=(late.key,))


# -- money that agrees with itself and is wrong all the same -----------------------------------------


def resum(e: Encounter) -> None:
    lines = [r for t in ("XML2", "XML3") for r in e.tables.get(t, [])]
    for total, part in (("T_TONGCHI_BV", "THANH_TIEN_BV"), ("T_TONGCHI_BH", "THANH_TIEN_BH"), ("T_BNTT", "T_BNTT"),
                        ("T_BNCCT", "T_BNCCT"), ("T_BHTT", "T_BHTT"), ("T_NGUONKHAC", "T_NGUONKHAC"), ("T_BHTT_GDV", "T_BHTT")):  # fmt: skip
        e.summary[total] = money(sum((read(r[part]) for r in lines), Decimal(0)))
    e.summary["T_THUOC"] = money(
        sum((read(r["THANH_TIEN_BV"]) for r in e.tables.get("XML2", [])), Decimal(0))
    )


@defect("copayment_below_the_threshold", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if (
        not one_card(e)
        or e.summary["MA_DOITUONG_KCB"] not in ("1.1", "1.2")
        or e.summary["MA_THE_BHYT"][2] != "4"
    ):
        return None
    if not 0 < read(e.summary["T_TONGCHI_BH"]) < 340_000:
        return None
    for row in (r for t in ("XML2", "XML3") for r in e.tables.get(t, []) if inside(r)):
        bh = read(row["THANH_TIEN_BH"])
        fund = (bh * 80 / 100).quantize(Decimal("0.01"))
        row |= {"MUC_HUONG": "80", "T_BHTT": money(fund), "T_BNCCT": money(bh - fund)}
    resum(e)
    return Hit("XML1", ("t_bncct", "t_tongchi_bh", "muc_huong"))


@defect("price_zero", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML2", inside)
    if row is None:
        return None
    row |= {
        t: "0.00"
        for t in ("DON_GIA", "THANH_TIEN_BV", "THANH_TIEN_BH", "T_BHTT", "T_BNCCT", "T_BNTT")
    }
    resum(e)
    return line_hit("XML2", row, "don_gia")


@defect("fund_pays_more_than_insured", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if not e.insured or read(e.summary["T_TONGCHI_BH"]) == 0:
        return None
    e.summary["T_BHTT"] = money(read(e.summary["T_TONGCHI_BV"]) + 1000)
    return Hit("XML1", ("t_bhtt",))


@defect("supply_above_its_ceiling", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(e, scene, "XML3", lambda r: bool(r.get("T_TRANTT")) and inside(r))
    if row is None:
        return None
    bh = read(row["THANH_TIEN_BV"])
    fund = (bh * read(row["MUC_HUONG"]) / 100).quantize(Decimal("0.01"))
    row |= {
        "THANH_TIEN_BH": money(bh),
        "T_BHTT": money(fund),
        "T_BNCCT": money(bh - fund),
        "T_BNTT": "0.00",
    }
    resum(e)
    return line_hit("XML3", row, "thanh_tien_bh", "t_trantt")


@defect("service_ratio_unusual", "money")
def _(e: Encounter, scene: Scene) -> Hit | None:
    row = some_line(
        e, scene, "XML3", lambda r: r["MA_NHOM"] == "13" and inside(r) and r["TYLE_TT_DV"] == "100"
    )
    if row is None:
        return None
    bv = (read(row["DON_GIA_BV"]) * Decimal("0.45")).quantize(Decimal("0.01"))
    fund = (bv * read(row["MUC_HUONG"]) / 100).quantize(Decimal("0.01"))
    row |= {"TYLE_TT_DV": "45", "THANH_TIEN_BV": money(bv), "THANH_TIEN_BH": money(bv), "T_BHTT": money(fund),
            "T_BNCCT": money(bv - fund), "T_BNTT": "0.00"}  # fmt: skip
    resum(e)
    return line_hit("XML3", row, "tyle_tt_dv")


# -- more of papers, dates and extracts --------------------------------------------------------------


def field_of(
    tag: str, value: Callable[[Encounter], str], ask: Callable[[Encounter], bool] = lambda e: True
) -> Plant:
    def plant(e: Encounter, scene: Scene) -> Hit | None:
        if not ask(e):
            return None
        e.summary[tag] = value(e)
        return Hit("XML1", (tag.lower(),))

    return plant


defect("exemption_of_other_year", "visit")(
    field_of("NGAY_MIEN_CCT", lambda e: f"{e.left.year - 2}0301", lambda e: e.insured)
)
defect("five_years_far_ahead", "visit")(
    field_of("NAM_NAM_LIEN_TUC", lambda e: f"{e.left.year + 14}0101", lambda e: e.insured)
)
defect("procedure_code_malformed", "visit")(field_of("MA_PTTT_QT", lambda e: "PT-01"))
defect("birth_weights_in_kg", "visit")(
    field_of("CAN_NANG_CON", lambda e: "3.2", lambda e: "XML9" in e.tables)
)
defect("paid_in_the_future", "visit")(
    field_of("NGAY_TTOAN", lambda e: moment(e.left + timedelta(days=60)))
)
defect("paper_of_pregnancy_ended_incomplete", "papers")(paper("XML7", "MA_DINH_CHI_THAI", lambda e, s: "1", "ma_dinh_chi_thai",
                                                              "nguyennhan_dinhchi", "tuoi_thai"))  # fmt: skip
defect("appointment_not_in_summary", "papers")(
    paper(
        "XML14",
        "NGAY_HEN_KL",
        lambda e, s: day(e.left + timedelta(days=41)),
        "ngay_hen_kl",
        "ngay_tai_kham",
    )
)
defect("referral_loose", "papers")(paper("XML13", "MA_LOAI_RV", lambda e, s: "1"))
defect("tuberculosis_dates_reversed", "papers")(
    paper("XML15", "NGAYBD_DTRI_LAO", lambda e, s: e.tables["XML15"][0].update(NGAYKT_DTRI_LAO="20200101") or day(e.came),  # type: ignore[func-returns-value]
          "ngaybd_dtri_lao", "ngaykt_dtri_lao")
)  # fmt: skip
defect("hiv_treated_before_known", "papers")(
    paper("XML6", "BDDT_ARV", lambda e, s: "20100101", "bddt_arv", "ngaykd_hiv")
)
defect("hiv_result_not_in_list", "papers")(paper("XML6", "KQ_XNTL_VR", lambda e, s: "8"))


@defect("transfer_paper_without_transfer", "papers")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if "XML13" not in e.tables:
        return None
    e.summary.update(MA_LOAI_RV="1", MA_NOI_DEN="")
    e.tables["XML13"][0]["MA_LOAI_RV"] = "2"
    return Hit("XML13", ("ma_loai_rv",))


@defect("dispensed_weeks_later", "prescription")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.prescription is None:
        return None
    line = scene.rng.choice(e.prescription["thuoc"])  # type: ignore[arg-type]
    line["ngay_ban"] = f"{e.left - timedelta(days=12):%Y-%m-%d}"
    return Hit("eprescription.line", ("ngay_ban",), line=line["stt"])


@defect("prescribed_quantity_zero", "prescription")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.prescription is None:
        return None
    line = scene.rng.choice(e.prescription["thuoc"])  # type: ignore[arg-type]
    line["so_luong"] = line["so_luong_ban"] = "0"
    return Hit("eprescription.line", ("so_luong",), line=line["stt"])


@defect("prescribed_drug_unknown", "prescription")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.prescription is None:
        return None
    line = scene.rng.choice(e.prescription["thuoc"])  # type: ignore[arg-type]
    line["so_dang_ky"] = "VD-00000-00"
    return Hit("eprescription.line", ("so_dang_ky",), line=line["stt"])


defect("prescription_in_future", "prescription")(
    script(
        "ngay_ke",
        lambda e, s: f"{e.left + timedelta(days=40):%Y-%m-%dT08:00:00}",
        always,
        "ngay_ke",
        "ngay_gui",
    )
)
defect("prescription_sex_not_in_list", "prescription")(
    script("gioi_tinh", lambda e, s: "6", always)
)
defect("prescription_state_not_in_list", "prescription")(
    script("trang_thai", lambda e, s: "xyz", always)
)
defect("death_sex_not_in_list", "extracts")(dead("gioi_tinh", lambda e: "4"))
defect("death_of_the_unborn", "extracts")(
    dead(
        "ngay_sinh",
        lambda e: f"{e.left + timedelta(days=9):%d/%m/%Y}",
        "ngay_sinh",
        "thoi_diem_tu_vong",
    )
)
defect("death_number_missing", "extracts")(dead("ho_ten", lambda e: ""))
defect("case_onset_missing", "extracts")(case("ngay_khoi_phat", lambda e: ""))
defect("case_commune_unknown", "extracts")(case("maxa_cu_tru", lambda e: "99999"))


@defect("two_deaths_in_tables", "extracts")
def _(e: Encounter, scene: Scene) -> Hit | None:
    if e.death is not None or e.kind != "01" or not has_id(e):
        return None
    p = e.person
    e.death = {
        "so_giay_bao_tu": f"BTX{scene.rng.randint(1, 10**6)}", "ma_cskcb": e.facility.code, "ma_lk": e.ma_lk, "ho_ten": p.name,
        "ngay_sinh": e.summary["NGAY_SINH"], "gioi_tinh": p.sex, "so_cccd": p.citizen_id, "ma_the_bhyt": p.card,
        "matinh_cu_tru": p.commune.province, "maxa_cu_tru": p.commune.code,
        "thoi_diem_tu_vong": f"{e.left:%d/%m/%Y %H:%M}", "nguyen_nhan_truc_tiep": "I21.9", "nguyen_nhan_goc": "I21.9",
        "noi_tu_vong": "Tại cơ sở", "ngay_ct": f"{e.left:%d/%m/%Y}",
    }  # fmt: skip
    return Hit("births_deaths.death", ("ma_lk", "ket_qua_dtri"))
