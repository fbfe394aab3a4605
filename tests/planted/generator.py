"""plant(): an inbox of clean encounters with known mistakes, and the answer key.

    key = plant(inbox, seed=3, encounters=1500, defects=0.4)

At most one mistake per encounter, none in the rest. Six facilities of Cần Thơ, Lào Cai and Thanh Hóa send
their envelopes to both systems; registers, prescriptions, doses, deaths and cases come as extracts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random

from tests.planted import world, write
from tests.planted.clinic import Clinic, Encounter, Row
from tests.planted.defects import MENU, Hit, Scene
from tests.planted.write import Inbox

NIGHTS = (date(2026, 4, 16), date(2026, 8, 20), date(2026, 11, 12))
"""The last night of an inbox; the seed chooses."""
DAYS = 5
"""Visits end on this many days up to the last night."""


@dataclass(frozen=True)
class Planted:
    """One mistake: where it is and what an auditor would name."""

    id: str
    kind: str
    family: str
    channels: tuple[str, ...]
    """coordination, social_insurance, exchange or file."""
    file: str
    facility: str
    record: str
    """`facility|MA_LK`, or the key of an extract's record, or the file."""
    table: str
    fields: tuple[str, ...]
    level: str
    """record | line | file"""
    line: str = ""
    reasons: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


@dataclass
class Key:
    """The answers: every mistake, and the records that have none."""

    night: date
    planted: list[Planted] = field(default_factory=list)
    clean: set[str] = field(default_factory=set)
    """`facility|MA_LK` of encounters without a mistake in any table or channel."""
    clean_extracts: dict[str, set[str]] = field(default_factory=dict)
    """Table of an extract → keys of clean records."""
    encounters: int = 0


def plant(inbox: Path, seed: int, encounters: int, defects: float) -> Key:
    """Write an inbox below `inbox` and return what is wrong with it. Same arguments, same bytes."""
    rng = Random(seed)
    night = NIGHTS[seed % len(NIGHTS)]
    clinic = Clinic(rng, night)
    made = invent(clinic, encounters, night)
    scene = Scene(rng, night, clinic, made, [])
    hits = spoil(made, scene, round(encounters * defects))
    everyone = made + scene.added
    place = Inbox(inbox)
    write.registers(
        place, min(sent_first(everyone), night - timedelta(days=DAYS)) - timedelta(days=1)
    )
    doses, dose_hits, clean_doses = vaccinate(clinic, night, max(12, encounters // 12))
    files = write.visits(place, everyone)
    extract_files = write.extracts(place, everyone, doses)

    key = Key(night, encounters=len(everyone))
    for number, (e, kind, hit) in enumerate(hits, 1):
        key.planted.append(answer(f"D{number:04d}", e, kind, hit, files, extract_files))
    for number, (kind, record, fields, others) in enumerate(dose_hits, 1):
        key.planted.append(
            Planted(f"V{number:04d}", kind, "immunisation", ("exchange",), extract_files[record], record.split("-")[1],
                    record, "immunization.dose", fields, "record", others=others)
        )  # fmt: skip
    key.planted += spoil_files(place, clinic, night, files)
    key.clean = {e.key for e in everyone if not e.touched}
    key.clean_extracts = {
        "eprescription.prescription": {
            str(e.prescription["ma_don_thuoc"])
            for e in everyone
            if e.prescription and not e.touched
        },
        "immunization.dose": clean_doses,
        "births_deaths.death": {
            f"{e.death['so_giay_bao_tu']}|{e.facility.code}"
            for e in everyone
            if e.death and not e.touched
        },
        "prevention.case": {e.case["ma_ca"] for e in everyone if e.case and not e.touched},
    }
    return key


def sent_first(encounters: list[Encounter]) -> date:
    return min(e.came.date() for e in encounters)


def invent(clinic: Clinic, count: int, night: date) -> list[Encounter]:
    """Encounters of many kinds; people come once, or again in ways that are no mistake."""
    rng = clinic.rng
    found: list[Encounter] = []
    hospitals = [f for f in world.SENDERS if f.inpatient]
    while len(found) < count:
        leaves = night - timedelta(days=rng.randint(0, DAYS - 1))
        place = rng.choice(world.SENDERS)
        hospital = rng.choice(hospitals)
        dice = rng.random()
        if dice < 0.44:
            found.append(clinic.outpatient(place, leaves))
        elif dice < 0.50:
            found.append(rarer(clinic, place, hospital, leaves))
        elif dice < 0.56:
            found.append(clinic.outpatient(hospital, leaves, kind=rng.choice(("05", "05", "08"))))
        elif dice < 0.74:
            found.append(clinic.inpatient(hospital, leaves))
        elif dice < 0.77:
            found.append(clinic.inpatient(hospital, leaves, kind=rng.choice(("04", "09"))))
        elif dice < 0.81:
            found += clinic.delivery(hospital, leaves)
        elif dice < 0.84:
            found.append(clinic.death(hospital, leaves))
        elif dice < 0.87:
            found.append(clinic.dengue(hospital, leaves))
        elif dice < 0.89:
            found.append(clinic.tuberculosis(hospital, leaves))
        elif dice < 0.91:
            found.append(antenatal(clinic, hospital, leaves))
        elif dice < 0.97:
            to = rng.choice([f for f in hospitals if f is not place])
            sent = clinic.transfer(place, leaves, to, rng.random() < 0.2)
            found.append(sent)
            if leaves <= night - timedelta(days=2) and sent.person.citizen_id:
                found.append(clinic.received(sent, to, leaves + timedelta(days=2)))
        else:
            found += again(clinic, place, leaves)
    return found


def rarer(clinic: Clinic, place: world.Facility, hospital: world.Facility, on: date) -> Encounter:
    """What a system must not stumble over: foreigners, two cards, former facility codes, several days, HIV."""
    rng = clinic.rng
    which = rng.randrange(6)
    if which == 0:
        return clinic.outpatient(hospital, on, clinic.people.foreigner(hospital, on))
    if which == 1:
        person = clinic.people.draw(facility=place, ages=(24, 59), on=on)
        if person.card[:2] in ("DN", "HC", "CH", "XK"):
            clinic.people.second_card(person, on)
        return clinic.outpatient(place, on, person)
    if which == 2:
        person = clinic.people.draw(facility=world.SENDERS[2], ages=(18, 80), on=on)
        person.registered_at = world.SENDERS[2].former
        return clinic.outpatient(world.SENDERS[2], on, person)
    if which == 3:
        return clinic.outpatient(hospital, on, kind="02")
    if which == 4:
        return clinic.hiv(hospital, on)
    return clinic.outpatient(hospital, on, kind="07", entitlement="10")


def antenatal(clinic: Clinic, place: world.Facility, on: date) -> Encounter:
    mother = clinic.people.draw(facility=place, ages=(20, 40), sex="2", on=on)
    e = clinic.outpatient(place, on, mother, entitlement="1.1", icd=("O21.0", "Nghén nhẹ", ()))
    e.tables.pop("XML11", None)
    if e.insured and clinic.rng.random() < 0.7:
        clinic.pregnancy_leave(e, clinic.doctor(place), clinic.rng.randint(5, 20))
    return e


def again(clinic: Clinic, place: world.Facility, on: date) -> list[Encounter]:
    """The same person twice: a visit, and two days earlier another at the same place."""
    first = clinic.outpatient(place, on - timedelta(days=2))
    if not first.person.citizen_id or first.left.date() != on - timedelta(days=2):
        return [first]
    first.tables.pop("XML11", None)
    return [
        first,
        clinic.outpatient(place, on, first.person, entitlement=first.summary["MA_DOITUONG_KCB"]),
    ]


def spoil(made: list[Encounter], scene: Scene, count: int) -> list[tuple[Encounter, str, Hit]]:
    """Plant `count` mistakes, each kind as often as the others where it can be made at all."""
    rng = scene.rng
    hits: list[tuple[Encounter, str, Hit]] = []
    shared = Counter(id(e.person) for e in made)
    # A mistake in one visit of a person would make his other visits suspect too: those stay clean.
    pool = [e for e in made if shared[id(e.person)] == 1]
    pool += [e for e in made if shared[id(e.person)] > 1 and e.summary["MA_DOITUONG_KCB"] == "1.3"]
    tired: Counter[str] = Counter()
    kinds = list(MENU)
    rng.shuffle(kinds)
    while len(hits) < count and len(tired) < len(kinds):
        for kind in kinds:
            if len(hits) >= count or tired[kind]:
                continue
            family, function = MENU[kind]
            for e in rng.sample(pool, len(pool)):
                if e.touched:
                    continue
                hit = function(e, scene)
                if hit is not None:
                    e.touched, e.defect = True, kind
                    spread(made + scene.added, {e.key, *hit.others})
                    hits.append((e, kind, hit))
                    break
            else:
                tired[kind] += 1
    return hits


def spread(encounters: list[Encounter], keys: set[str]) -> None:
    """Other visits of the people concerned, and of their mothers and newborns, may be suspected with reason."""
    people = {id(e.person) for e in encounters if e.key in keys}
    people |= {id(e.person.mother) for e in encounters if e.key in keys and e.person.mother}
    for e in encounters:
        if id(e.person) in people or id(e.person.mother) in people:
            e.touched = True


def answer(
    number: str,
    e: Encounter,
    kind: str,
    hit: Hit,
    files: dict[tuple[str, str], str],
    extracts: dict[str, str],
) -> Planted:
    family = MENU[kind][0]
    level = "line" if hit.line else "record"
    if hit.table.startswith("XML"):
        channels = tuple(c for c in e.channels if (e.key, c) in files)
        return Planted(number, kind, family, channels, files[(e.key, channels[0])], e.facility.code, e.key, hit.table,
                       hit.fields, level, hit.line, hit.reasons, hit.others, hit.tables)  # fmt: skip
    if hit.table.startswith("eprescription"):
        assert e.prescription is not None
        record = str(e.prescription["ma_don_thuoc"])
    elif hit.table == "births_deaths.death":
        assert e.death is not None
        record = f"{e.death['so_giay_bao_tu']}|{e.facility.code}"
    else:
        assert e.case is not None
        record = e.case["ma_ca"]
    return Planted(number, kind, family, ("exchange",), extracts[record], e.facility.code, record, hit.table, hit.fields,
                   level, hit.line, hit.reasons, hit.others, hit.tables)  # fmt: skip


SCHEDULE = (("BCG", "Lao (BCG)", (1,)), ("DPT_VGB_HIB", "5 trong 1", (62, 95, 128)), ("SOI", "Sởi", (275,)),
            ("BOPV", "Bại liệt uống", (62, 95, 128)))  # fmt: skip
DoseHit = tuple[str, str, tuple[str, ...], tuple[str, ...]]
"""Kind, record, fields, other records."""


def vaccinate(
    clinic: Clinic, night: date, children: int
) -> tuple[dict[tuple[date, str], list[Row]], list[DoseHit], set[str]]:
    """Doses of children, each child's whole series at one station, sent on the last night."""
    rng = clinic.rng
    doses: dict[tuple[date, str], list[Row]] = defaultdict(list)
    hits: list[DoseHit] = []
    clean: set[str] = set()
    makers = (early_dose, double_dose, unknown_vaccine, lot_missing, series_reversed, site_missing)
    for number in range(children):
        place = rng.choice(world.SENDERS)
        child = clinic.people.draw(facility=place, ages=(1, 4), insured=False, on=night)
        rows: list[Row] = []
        code, name, days = rng.choice(SCHEDULE)
        for n, after in enumerate(days, 1):
            given = child.born + timedelta(days=after)
            rows.append({
                "ma_mui_tiem": f"MT-{place.code}-{number:05d}{n}", "ho_ten": child.name, "ngay_sinh": f"{child.born:%d/%m/%Y}",
                "gioi_tinh": "Nam" if child.sex == "1" else "Nữ", "so_cccd": child.citizen_id, "ma_the_bhyt": "",
                "ho_ten_me": child.parent_name, "so_cccd_me": "", "dien_thoai": child.phone,
                "matinh_cu_tru": child.commune.province, "maxa_cu_tru": child.commune.code, "ma_vac_xin": code,
                "ten_vac_xin": name, "so_lo": f"L{rng.randint(1000, 9999)}", "mui_thu": str(n),
                "ngay_tiem": f"{given:%d/%m/%Y}", "vi_tri": "Đùi trái", "ma_cskcb": place.code, "phan_ung": "",
            })  # fmt: skip
        if number % 2 == 0:
            hit = makers[(number // 2) % len(makers)](rows, child.born.date())
            if hit is not None:
                hits.append(hit)
                doses[(night, place.code)] += rows
                continue
        clean |= {row["ma_mui_tiem"] for row in rows}
        doses[(night, place.code)] += rows
    return doses, hits, clean


def early_dose(rows: list[Row], born: date) -> DoseHit:
    rows[0]["ngay_tiem"] = f"{born - timedelta(days=40):%d/%m/%Y}"
    return "dose_before_birth", rows[0]["ma_mui_tiem"], ("ngay_tiem", "ngay_sinh"), ()


def double_dose(rows: list[Row], born: date) -> DoseHit:
    again = rows[0] | {"ma_mui_tiem": rows[0]["ma_mui_tiem"] + "L"}
    rows.append(again)
    return (
        "dose_twice",
        again["ma_mui_tiem"],
        ("ma_vac_xin", "ngay_tiem"),
        (rows[0]["ma_mui_tiem"],),
    )


def unknown_vaccine(rows: list[Row], born: date) -> DoseHit:
    rows[0]["ma_vac_xin"] = "VX-LA"
    return "vaccine_unknown", rows[0]["ma_mui_tiem"], ("ma_vac_xin",), ()


def lot_missing(rows: list[Row], born: date) -> DoseHit:
    rows[0]["so_lo"] = ""
    return "dose_without_lot", rows[0]["ma_mui_tiem"], ("so_lo",), ()


def site_missing(rows: list[Row], born: date) -> DoseHit:
    rows[0]["ngay_tiem"] = "31/02/2026"
    return "dose_date_impossible", rows[0]["ma_mui_tiem"], ("ngay_tiem",), ()


def series_reversed(rows: list[Row], born: date) -> DoseHit | None:
    if len(rows) < 2:
        return None
    rows[0]["ngay_tiem"], rows[1]["ngay_tiem"] = rows[1]["ngay_tiem"], rows[0]["ngay_tiem"]
    return (
        "doses_out_of_order",
        rows[1]["ma_mui_tiem"],
        ("ngay_tiem", "mui_thu"),
        (rows[0]["ma_mui_tiem"],),
    )


def spoil_files(
    place: Inbox, clinic: Clinic, night: date, files: dict[tuple[str, str], str]
) -> list[Planted]:
    """Mistakes of whole files and envelopes, with visits of their own."""
    here, there = world.SENDERS[0], world.SENDERS[4]
    found: list[Planted] = []

    def enter(
        kind: str, file: str, fields: tuple[str, ...], record: str = "", level: str = "file"
    ) -> None:
        found.append(Planted(f"F{len(found) + 1:04d}", kind, "files", ("file",), file, here.code, record or file, "envelope",
                             fields, level))  # fmt: skip

    def units(count: int) -> list[tuple[Encounter, write.Unit]]:
        some = [clinic.outpatient(here, night - timedelta(days=1)) for _ in range(count)]
        return [(e, write.unit_of(e, "coordination")) for e in some]

    sent = min(
        name
        for name in files.values()
        if f"/{here.code}/" in name and name.startswith((night - timedelta(days=1)).isoformat())
    )
    content = (place.root / sent).read_bytes()
    enter(
        "file_sent_again",
        place.put(night, here.code, "gui_lai_dieuphoi.xml", content),
        ("DUPLICATE",),
    )
    three = [u for _, u in units(3)]
    enter("count_of_records_wrong", place.put(night, here.code, "dieuphoi_sai_so.xml", write.envelope(here.code, night, three, said=5)),
          ("COUNT_MISMATCH",))  # fmt: skip
    one = [u for _, u in units(1)]
    enter("envelope_of_other_facility", place.put(night, here.code, "dieuphoi_khac.xml", write.envelope(there.code, night, one)),
          ("WRONG_FACILITY",))  # fmt: skip
    whole = write.envelope(here.code, night, [u for _, u in units(2)])
    enter(
        "file_cut_off",
        place.put(night, here.code, "dieuphoi_dut.xml", whole[: len(whole) * 2 // 3]),
        ("XML_SYNTAX",),
    )
    enter(
        "file_empty", place.put(night, here.code, "dieuphoi_rong.xml", b""), ("EMPTY", "XML_EMPTY")
    )
    enter("file_of_other_kind", place.put(night, here.code, "dieuphoi_excel.xml", b"PK\x03\x04" + b"\0" * 200),
          ("XML_SYNTAX", "XML_ENCODING", "ENV_ROOT", "ARC_CORRUPT"))  # fmt: skip
    ((e, unit),) = units(1)
    table, text = unit[0]
    foreign = [
        (table, text.replace(f"<MA_CSKCB>{here.code}<", f"<MA_CSKCB>{there.code}<")),
        *unit[1:],
    ]
    enter("visit_of_other_facility", place.put(night, here.code, "dieuphoi_la.xml", write.envelope(here.code, night, [foreign])),
          ("WRONG_FACILITY", "ENV-011"), e.key)  # fmt: skip
    ((e, unit),) = units(1)
    enter("summary_twice", place.put(night, here.code, "dieuphoi_hai_xml1.xml", write.envelope(here.code, night, [[unit[0], *unit]])),
          ("PART_TWICE",), e.key)  # fmt: skip
    ((e, unit),) = units(1)
    content = write.envelope(here.code, night, [[*unit, ("XML99", "<X/>")]])
    enter(
        "table_unknown",
        place.put(night, here.code, "dieuphoi_xml99.xml", content),
        ("PART_UNKNOWN",),
        e.key,
    )
    ((e, unit),) = units(1)
    content = write.envelope(here.code, night, [unit[1:]])
    enter("summary_missing", place.put(night, here.code, "dieuphoi_thieu_xml1.xml", content),
          ("UNIT_NO_SUMMARY", "ENV-007", "DRG-001", "SVC-001"), e.key)  # fmt: skip
    ((e, unit),) = units(1)
    content = write.envelope(here.code, night, [unit])
    start = content.rindex(b"<NOIDUNGFILE>") + 13
    broken = (
        content[:start]
        + b"@@@khong-phai-base64@@@"
        + content[content.index(b"</NOIDUNGFILE>", start) :]
    )
    enter(
        "part_not_base64",
        place.put(night, here.code, "dieuphoi_hong.xml", broken),
        ("PART_UNREADABLE", "PART_BASE64"),
        e.key,
    )
    return found
