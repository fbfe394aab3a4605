"""One visit: who came when, what he has, under which entitlement, and which channel hears of it.

`Builder.visits` yields every visit that ends at a facility on a night, with the rows of XML1 to
XML5 (`bill.fill`) and of the papers XML6 to XML15 (`papers.fill`) as lists of texts in the order of
`envelopes.FILLED`. A visit is a function of its plan, so it can be built again on any later night.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from . import attendance, bill, papers
from .clinic import BY_ICD, CAESAREAN, DELIVERY, HIV, NEWBORN, TUBERCULOSIS, Disease, disease
from .envelopes import ORDER
from .facilities import Country, Doctor, Facility
from .mess import FORMER, NOBODY, PLACEHOLDERS, Mess, Registered, register
from .people import Person
from .plan import OF_CONTENT, OF_DESK, Planned, Planner, day_text, paper

Wrong = tuple[str, str, str, str, str]  # channel or *, XML table, field, kind, true value


@dataclass(slots=True)
class Visit:
    planned: Planned
    facility: Facility
    person: Person
    desk: Registered
    disease: Disease
    doctor: Doctor
    kind: str  # out | emergency | chronic | ward | birth | newborn
    entitlement: str
    level: int  # benefit level in tenths of a per cent
    days: int
    began: int
    night: int
    start: int  # minute of the first day
    end: int  # minute of the last day
    result: str
    discharge: str
    also: str = ""
    sent_to: str = ""
    paper_out: str = ""
    attendance: str = ""
    lines: list[bill.Line] = field(default_factory=list)
    rows: dict[str, list[list[str]]] = field(default_factory=dict)
    wrong: list[Wrong] = field(default_factory=list)
    children: list[Person] = field(default_factory=list)
    appointment: int = 0  # ordinal of the day, 0 for none
    only: str = ""  # "", "BHXH" or "DPDL"
    other_icd: str = ""  # main diagnosis of the other channel, where it differs
    other_link: str = ""
    clock: int = 0  # minutes by which the other program admitted him earlier
    version: int = 1
    came: str = ""
    admitted: str = ""
    left: str = ""

    @property
    def link(self) -> str:
        return self.planned.link

    @property
    def patient_code(self) -> str:
        return f"BN{self.person.pid[1:]}"

    @property
    def department(self) -> str:
        if self.kind in ("birth", "newborn"):
            return "K27"
        if self.kind != "ward":
            return "K01"
        if self.disease.services[0] in SURGERY:
            return "K19"
        return "K18" if self.person.age(datetime.date.fromordinal(self.began)) < 16 else "K03"

    def later(self, minutes: int) -> str:
        """So many minutes after arrival, on the first day."""
        return day_text(self.began) + bill.HHMM[min(self.start + minutes, 1439)]

    def before_leaving(self, minutes: int) -> str:
        return day_text(self.night) + bill.HHMM[self.end - minutes]


SURGERY = ("mo", "motuimat", "ketxuong")


class Builder:
    """Turns planned visits into visits with rows; holds nothing of one night."""

    def __init__(self, country: Country, planner: Planner, mess: Mess) -> None:
        self.country, self.planner, self.mess = country, planner, mess
        self.composed = replace(mess, decomposed=0.0)
        self.names = {code: p.name for code, p in country.reference.provinces.items()}

    def visits(
        self, index: int, night: int, wanted: Callable[[Planned], bool] | None = None
    ) -> Iterator[Visit]:
        """All visits that end at the facility on the night, newborn after their mothers.

        With `wanted`, only the visits it is true of are built, and no newborn.
        """
        # Rare papers would be missing from a small country: the first two hospitals see to them.
        forced = list(FORCED.get(index, ()))
        for planned in self.planner.visits(index, night):
            want = None
            if forced and planned.kind == "walk" and not (planned.transfer or planned.appointment):
                want = self._forced(planned, forced, night)
            if wanted is not None:
                if wanted(planned):
                    yield self.visit(planned, index, night, want)
                continue
            visit = self.visit(planned, index, night, want)
            yield visit
            for number, child in enumerate(visit.children):
                if planned.draws[27 + number] < 0.4:
                    yield self._newborn(visit, child, number)

    def _forced(self, planned: Planned, forced: list[Disease], night: int) -> Disease | None:
        """The first of the forced diseases this person can have; it is taken off the list."""
        person = self.planner.person(planned.ref)
        age = person.age(datetime.date.fromordinal(night))
        for n, sick in enumerate(forced):
            working = sick.icd != "O20.0" or (
                person.insured and EMPLOYED[0] <= person.chance < EMPLOYED[1]
            )
            if sick.sex in ("", person.sex) and sick.youngest <= age <= sick.oldest and working:
                return forced.pop(n)
        return None

    def visit(self, planned: Planned, index: int, night: int, want: Disease | None = None) -> Visit:
        """The visit itself; `want` sets the disease."""
        country, draws = self.country, planned.draws
        facility = country.facilities[index]
        person = self.planner.person(planned.ref)
        on = datetime.date.fromordinal(planned.began)
        sick = want or self._disease(planned, person, on)
        kind = (
            "chronic"
            if sick is want and sick.chronic
            else attendance.kind_of(planned, facility, sick, draws[8])
        )
        # windows-1258 has no decomposed form of its own: there the mistake would not be seen.
        mess = self.composed if facility.habit.encoding == "windows-1258" else self.mess
        desk = register(
            person, on, draws[OF_DESK:OF_CONTENT], mess, country.facilities[person.area],
            self.names[person.ward.new_province], emergency=kind == "emergency",
        )  # fmt: skip
        if kind == "ward" and desk.card and draws[44] < TWO_CARDS:
            _two_cards(desk, planned.began)
        staff = country.staff(index)
        stays = kind in ("ward", "birth")
        start = int(draws[47] * 1300) if kind == "emergency" else 420 + int(draws[47] * 520)
        entitlement, level = attendance.entitlement(planned, facility, desk, kind, sick, night)
        result, discharge = attendance.outcome(planned, facility, kind, sick, draws[49])
        visit = Visit(
            planned, facility, person, desk, sick, staff[int(draws[46] * len(staff))], kind,
            entitlement, level, days=night - planned.began + 1 if stays else 0,
            began=planned.began, night=night, start=start,
            end=480 + int(draws[48] * 180) if stays else start + 75 + int(draws[48] * 60),
            result=result, discharge=discharge,
            also=sick.also if sick.also and draws[50] < 0.4 else "",
        )  # fmt: skip
        if planned.appointment and result != "5":
            visit.appointment = night + planned.appointment
        if planned.transfer and facility.parent is not None:
            visit.sent_to = country.facilities[facility.parent].code
            visit.paper_out = paper(facility, night, int(planned.link[-4:]))
        if kind == "birth":
            minute = start + 100 + int(draws[21] * 300)
            visit.children = [
                papers.newborn(person, planned.began, minute, n, draws)
                for n in range(2 if draws[22] < 0.015 else 1)
            ]
        visit.wrong = [("*", "XML1", *item) for item in desk.wrong]
        self._channels(visit, draws)
        self.fill(visit)
        return visit

    def fill(self, visit: Visit) -> None:
        """Times as text, rows of all tables, and what is planted in them."""
        draws = visit.planned.draws
        stays = visit.kind in ("ward", "birth")
        visit.came = visit.later(0)
        visit.admitted = visit.later(45) if stays or visit.kind == "newborn" else ""
        visit.left = visit.before_leaving(0)
        head = self.country.staff(visit.facility.index)[0]
        old = visit.facility.habit.vintage == "130"  # ten characters: the insurance number
        name = head.person.insurance_number if old else head.licence
        bill.fill(visit, draws, name)
        papers.fill(visit, draws, name)
        if visit.version == 1:
            self._plant(visit, draws)

    def _newborn(self, birth: Visit, child: Person, number: int) -> Visit:
        """The child's own episode, from birth to the mother's discharge."""
        planned = replace(
            birth.planned, kind="newborn", link=f"{birth.link}C{number + 1}",
            draws=birth.planned.draws[30:] + birth.planned.draws[:30], appointment=0,
        )  # fmt: skip
        on = datetime.date.fromordinal(birth.began)
        desk = papers.newborn_desk(child, birth.desk, on, planned.draws[5])
        visit = replace(
            birth, planned=planned, person=child, desk=desk, disease=NEWBORN, kind="newborn",
            entitlement="1.7", level=1000, start=child.minute, children=[], appointment=0, also="",
            rows={}, lines=[], wrong=[("*", "XML1", *item) for item in desk.wrong], only="",
            other_icd="", other_link="", result="2", discharge="1",
        )  # fmt: skip
        self.fill(visit)
        return visit

    def _disease(self, planned: Planned, person: Person, on: datetime.date) -> Disease:
        if planned.kind == "birth":
            return CAESAREAN if planned.draws[OF_CONTENT] < 0.33 else DELIVERY
        draw = planned.like[1] if planned.like[0] else planned.draws[OF_CONTENT]
        return disease(person.sex, person.age(on), planned.kind == "ward", draw)

    def _channels(self, visit: Visit, draws: list[float]) -> None:
        """Which channel gets the visit, and where the two disagree."""
        mess, draw = self.mess, draws[51]
        # The uninsured, five in a hundred, are never in the claims: they are part of this share.
        insured_share = max(0.0, mess.only_coordination - UNINSURED) / (1 - UNINSURED)
        if not visit.desk.card:
            visit.only = "DPDL"
        elif draw < mess.only_social_insurance:
            visit.only = "BHXH"
            visit.wrong.append(("BHXH", "XML1", "ma_lk", "only_social_insurance", ""))
        elif draw > 1 - insured_share:
            visit.only = "DPDL"
            visit.wrong.append(("DPDL", "XML1", "ma_lk", "only_coordination", ""))
        if visit.only:
            return
        if draws[52] < mess.main_icd_differs:
            visit.other_icd = "J06.9" if visit.disease.icd == "J00" else "J00"
            visit.wrong.append(
                ("DPDL", "XML1", "ma_benh_chinh", "main_icd_differs", visit.disease.icd)
            )
        if draws[53] < mess.link_code_differs:
            visit.other_link = f"{visit.link}.1"
            visit.wrong.append(("DPDL", "XML1", "ma_lk", "link_code_differs", visit.link))
            # The place of the draw below its rate is uniform again: no draw of its own is spent.
            place = draws[53] / mess.link_code_differs
            if place < mess.clock_differs:
                visit.clock = 1 + int(place / mess.clock_differs * 9)

    def _plant(self, visit: Visit, draws: list[float]) -> None:
        """At most one mistake in the summary itself; both channels get it."""
        mess, row, limit = self.mess, visit.rows["XML1"][0], 0.0
        # Draw 7 is one uniform cut into slices, so that two of these never meet in one visit.
        for kind, tag, value in (
            ("sum_wrong", "T_TONGCHI_BV", lambda old: str(int(float(old)) + 10_000)),
            (
                "discharged_before_admission",
                "NGAY_RA",
                lambda _: day_text(visit.began - 1) + "0900",
            ),
            ("icd_of_other_sex", "MA_BENH_CHINH", lambda _: OTHER_SEX[visit.person.sex]),
            ("icd_undotted", "MA_BENH_CHINH", lambda old: old.replace(".", "")),
            ("code_as_number", "MA_DOITUONG_KCB", _as_number),
            ("diagnosis_missing", "CHAN_DOAN_RV", lambda _: ""),
        ):
            limit += getattr(mess, kind)
            if draws[7] < limit:
                at = XML1_AT[tag]
                new = value(row[at])
                if new != row[at]:
                    visit.wrong.append(("*", "XML1", tag.lower(), kind, row[at]))
                    row[at] = new
                return

    def corrected(self, visit: Visit) -> Visit:
        """The visit as it is sent again on the next night: another content under the same key."""
        wrong = [item for item in visit.wrong if item[0] != "*"]
        unnamed = visit.desk.name in (*PLACEHOLDERS, *NOBODY.values())
        born = visit.desk.born
        if unnamed:
            born = f"{visit.person.born:%Y%m%d}0000"
        desk = replace(
            visit.desk, identifier=visit.person.citizen_id,
            name=visit.person.name if unnamed else visit.desk.name, born=born,
            wrong=[item for item in visit.desk.wrong
                   if item[0] != "so_cccd" and item[1] != "placeholder_name"],
        )  # fmt: skip
        again = replace(
            visit, desk=desk, rows={}, version=2,
            wrong=[*wrong, *(("*", "XML1", *item) for item in desk.wrong)],
            also="" if visit.also else "I10" if visit.disease.icd == "K29.7" else "K29.7",
        )  # fmt: skip
        self.fill(again)
        return again

    def withdrawn(self, visit: Visit) -> Visit:
        """The claim taken back: MA_DOITUONG_KCB 8, social insurance only."""
        again = replace(visit, rows={}, version=2, entitlement="8")
        self.fill(again)
        return again


FORCED = {0: (HIV, BY_ICD[TUBERCULOSIS]), 1: (BY_ICD["O20.0"],)}
EMPLOYED = (0.12, 0.66)  # chances of mess.WORKING that hold a DN or CH card: leave papers need one
UNINSURED = 0.05
OTHER_SEX = {"1": "N76.0", "2": "N40"}
XML1_AT = {tag: at for at, tag in enumerate(ORDER["XML1"])}


TWO_CARDS = 0.03


def _two_cards(desk: Registered, began: int) -> None:
    """The card was exchanged during the stay: positional lists of the old and the new one."""
    old = FORMER.get(desk.card[:3], "GD4") + desk.card[3:]
    desk.card, desk.home = f"{old};{desk.card}", f"{desk.home};{desk.home}"
    desk.card_from = f"{desk.card_from};{day_text(began + 1)}"
    desk.card_to = f"{day_text(began)};{desk.card_to}"


def _as_number(code: str) -> str:
    """What a spreadsheet makes of an entitlement code: 2 → 2.0, 1.3 → 1,3."""
    return code.replace(".", ",") if "." in code else f"{code}.0"
