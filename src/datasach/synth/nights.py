"""The schedule: what each facility sends on each night, on time or late, whole or broken.

    generate(inbox, truth, reference=…, seed=…, nights=[…], persons=…, visits_per_night=…)

writes `inbox/<night>/<sender>/<file>` and, apart from it, the truth. Everything is a function of
(seed, night, facility): a night generated alone equals the same night generated among others, as
long as `first` (the night the registers arrive and history begins) is the same. One facility and
night is in memory at a time.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from . import damage, extracts, registers, truth
from .authority import Authority
from .facilities import Country, Facility
from .mess import Mess, register
from .packing import CHANNELS, Packer, Sign
from .papers import assessment, check_in
from .people import LATE, stream
from .plan import OF_DESK, Planned, Planner, day_text
from .reference import load
from .truth import NightTruth, Summary, Written
from .visits import Builder, Visit

Day = datetime.date
LATE_SHARE, REDELIVERED_SHARE = 0.03, 0.03
SMALL = 24  # facilities: below, every night is made to show what is rare


def generate(
    inbox: Path,
    truth_folder: Path,
    *,
    reference: Path,
    seed: int,
    nights: Sequence[Day],
    facilities: int = 12,
    persons: int,
    visits_per_night: int,
    provinces: Sequence[str] | None = None,
    errors: float = 1.0,
    envelope_hoso: int = 60,
    mess: Mess | None = None,
    damaged: float = 0.02,
    first: Day | None = None,
    sign: Sign | None = None,
    trust: Path | None = None,
) -> Summary:
    """Write the nights of an invented country.

    `errors` multiplies every rate of `mess`; `damaged` is the share of facilities with a damaged
    file a night (at least four files, none if 0); `first` is the night on which the registers
    arrive, by default the earliest of `nights`; `sign(envelope, facility code)` returns the signed
    envelope. `trust` is a folder to be written: then envelopes are signed under invented authorities, by
    which they can be judged, and `signatures.csv` of the truth says who signs how. Nights must not lie
    before `first`.
    """
    start = first or min(nights)
    if min(nights) < start:
        raise ValueError(f"{min(nights)} lies before the first night {start}")
    tables = load(reference)
    country = Country(
        reference=tables, seed=seed, facilities=facilities, persons=persons, provinces=provinces
    )
    if trust is not None:
        authority = Authority(seed, [f.code for f in country.facilities], start)
        authority.write(trust)
        sign = authority.sign
        truth.write_signatures(truth_folder, authority.fates)
    rates = (mess or Mess()).scaled(errors)
    planner = Planner(country, visits_per_night, start.toordinal())
    run = _Run(
        country, planner, Builder(country, planner, rates), rates,
        Packer(tables, envelope_hoso, sign or (lambda data, _: data)), damaged, start.toordinal(),
    )  # fmt: skip
    summary = Summary()
    truth_folder.mkdir(parents=True, exist_ok=True)
    readme = truth.README.format(inbox=inbox.name, seed=seed, canary=country.canary.name)
    (truth_folder / "README.md").write_text(readme, encoding="utf-8")
    for night in sorted(nights):
        with NightTruth(truth_folder, inbox, night, summary) as night_truth:
            run.night(night_truth, night.toordinal())
    return summary


class _Run:
    """What stays the same over the nights of one call."""

    def __init__(
        self, country: Country, planner: Planner, builder: Builder, mess: Mess, packer: Packer,
        damaged: float, first: int,
    ) -> None:  # fmt: skip
        self.country, self.planner, self.builder, self.mess = country, planner, builder, mess
        self.packer, self.damaged, self.first = packer, damaged, first

    def night(self, saved: NightTruth, night: int) -> None:
        if night == self.first:
            registers.send_first(self.country, saved, night, self.mess)
        else:
            registers.send_updates(self.country, saved, night, self.first)
        streams = registers.AuthorityStreams(self.country, saved, night)
        broken = self.victims(night)
        repaired = self.victims(night - 1) if night > self.first else {}
        for index in self._order():
            facility = self.country.facilities[index]
            self._facility(saved, facility, night, streams, broken.get(index, ""))
            self._history(saved, facility, night, repaired.get(index, ""))
        streams.close()

    def victims(self, night: int) -> dict[int, str]:
        return damage.victims(
            self.country, night, self.damaged, lambda i: any(self.delays(i, night).values())
        )

    def _order(self) -> list[int]:
        """A hospital right after those that refer to it, so that their plans are still at hand."""
        facilities = self.country.facilities
        return sorted(
            range(len(facilities)),
            key=lambda i: (facilities[i].province, -i // len(self.country.provinces), i),
        )

    def _facility(
        self, saved: NightTruth, facility: Facility, night: int,
        streams: registers.AuthorityStreams, broken: str,
    ) -> None:  # fmt: skip
        """Everything of tonight: envelopes of both channels, check-ins, exchange files."""
        visits = list(self.builder.visits(facility.index, night))
        collector = extracts.Collector(facility)
        for visit in visits:
            saved.person(visit.person)
            for child in visit.children:
                saved.person(child)
            collector.visit(visit)
            streams.visit(visit)
        saved.summary.visits += len(visits)
        extracts.sessions(collector, self.planner, self.mess, night)
        delays = self.delays(facility.index, night)
        envelopes = self.packer.both(facility, visits, night)
        for channel in CHANNELS:
            if not delays[channel]:
                damage.deliver(saved, facility, channel, envelopes[channel], broken)
        self._check_ins(saved, facility, visits, night)
        self._assessments(saved, facility, night)
        for name, data, written in extracts.files(collector, night):
            damage.deliver_table(saved, facility.code, name, data, written, broken)
        registers.send_new_beneficiaries(self.country, saved, night, facility, self.mess)
        damage.strays(saved, facility, night, broken, self.builder, self.packer)

    def _check_ins(
        self, saved: NightTruth, facility: Facility, visits: list[Visit], night: int
    ) -> None:
        """XML0 of those who arrived today: outpatients, and ward stays that begin."""
        arrived = [v for v in visits if v.kind in ("out", "chronic")]
        if facility.level.ward_share:
            planned = self.planner.admitted(facility.index, night)
            arrived += [self.builder.visit(p, facility.index, night) for p in planned]
        writer, written, hosos = self.packer.writer(facility), Written(), []
        for visit in arrived:
            # Emergencies have none; the uninsured are not the insurer's business.
            if visit.desk.card and visit.entitlement != "2":
                hosos.append(f"<HOSO>{writer.file_of('XML0', [check_in(visit)])}</HOSO>")
                written.units += 1
                key = f"{facility.code}|{visit.link}"
                written.records.append(
                    ("bhyt_claims.checkin", written.units, written.units, key, visit.person.pid, "",
                     1)
                )  # fmt: skip
                written.errors.extend(("bhyt_claims.checkin", key, *w) for w in visit.desk.wrong)
        if hosos:
            data = self.packer.envelope(facility, night, hosos)
            saved.save(
                facility.code, f"BHXH_{facility.code}_{day_text(night)}_CHECKIN.xml", data, written
            )

    def _assessments(self, saved: NightTruth, facility: Facility, night: int) -> None:
        """XML12 of a medical assessment council: rare, and not part of any visit."""
        rng = stream(self.country.seed, LATE, night, facility.index, 7)
        if facility.level.name not in ("provincial", "central") or (
            facility.index != 1 and rng.random() > 0.15
        ):
            return
        block = self.country.block(facility.index, int(rng.random() * facility.area.blocks))
        adults = [at for at in block.present.nonzero()[0].tolist() if block.born[at] < night - 9000]
        writer, written, hosos = self.packer.writer(facility), Written(), []
        on = Day.fromordinal(night)
        chair = self.country.staff(facility.index)[0].person.name
        for n in range(min(len(adults), 1 + int(rng.random() * 2))):
            person = block.person(adults[int(rng.random() * len(adults))])
            province = self.country.reference.provinces[facility.province].name
            desk = register(person, on, rng.random(35).tolist(), self.mess, facility, province)
            row = assessment(person, desk, night, n + 1, chair)
            hosos.append(f"<HOSO>{writer.file_of('XML12', [row])}</HOSO>")
            written.units += 1
            written.row("social_protection.assessment", n + 1, row[16], person, desk.wrong)
            written.records[-1] = (*written.records[-1][:1], n + 1, *written.records[-1][2:])
            saved.person(person)
        if hosos:
            data = self.packer.envelope(facility, night, hosos)
            name = f"DPDL_{facility.code}_{day_text(night)}_GDYK.xml"
            saved.save(facility.code, name, data, written)

    # What arrives tonight and happened earlier ---------------------------------------------------

    def delays(self, index: int, night: int) -> dict[str, int]:
        """By how many nights the channel's files of that night are late; 0 is on time."""
        draws = stream(self.country.seed, LATE, night, index).random(3)
        small = len(self.country.facilities) <= SMALL
        # In a small country one facility a night is late for certain, so that a demo shows it.
        certain = small and index == (night * 5 + 3) % len(self.country.facilities)
        late = draws[0] < LATE_SHARE or certain
        channel = "BHXH" if draws[1] < 0.5 else "DPDL"
        return {c: (1 + int(draws[2] * 2)) if late and c == channel else 0 for c in CHANNELS}

    def _history(self, saved: NightTruth, facility: Facility, night: int, repaired: str) -> None:
        """Late files, corrections and withdrawals, re-deliveries, good copies of broken files."""
        index = facility.index
        for back in (1, 2):
            then = night - back
            if then < self.first:
                break
            due = [c for c, nights in self.delays(index, then).items() if nights == back]
            if due:
                visits = list(self.builder.visits(index, then))
                for envelope in self.packer.both(facility, visits, then)[due[0]]:
                    saved.save(
                        facility.code, envelope.name, envelope.data, envelope.written, kind="late",
                        event_night=Day.fromordinal(then),
                    )  # fmt: skip
        if night == self.first:
            return
        self._corrections(saved, facility, night)
        again = stream(self.country.seed, LATE, night, index, 1).random(2)
        if repaired or again[0] < REDELIVERED_SHARE or index == self._certainly_again(night):
            self._sent_again(saved, facility, night, repaired, again[1])

    def _certainly_again(self, night: int) -> int:
        """In a small country one facility a night sends something twice, for a demo to show."""
        size = len(self.country.facilities)
        if size > SMALL:
            return -1
        unfit = self.victims(night - 1)
        order = ((night * 7 + 1 + n) % size for n in range(size))
        return next((i for i in order if i not in unfit), -1)

    def _corrections(self, saved: NightTruth, facility: Facility, night: int) -> None:
        yesterday = night - 1
        # A facility whose files are still on their way has nothing to correct yet.
        if any(self.delays(facility.index, yesterday).values()):
            return
        resubmitted, withdrawn = self.mess.resubmitted, 1 - self.mess.withdrawn

        def again_tonight(planned: Planned) -> bool:
            draw = planned.draws[3]
            if planned.kind == "canary":
                return False
            return draw < resubmitted or draw > withdrawn or may_be_found_out(planned)

        def may_be_found_out(planned: Planned) -> bool:
            if planned.draws[3] >= self.mess.found_out:
                return False
            return planned.draws[OF_DESK + 27] < self.mess.nobody_in_emergency or (
                planned.draws[OF_DESK + 14] < self.mess.id_missing_under_six
                and not self.planner.person(planned.ref).insured
            )

        again, taken_back = [], []
        for visit in self.builder.visits(facility.index, yesterday, again_tonight):
            nobody = not (visit.desk.identifier or visit.desk.card)
            draw = visit.planned.draws[3]
            if draw < resubmitted or (nobody and draw < self.mess.found_out):
                again.append(self.builder.corrected(visit))
            elif draw > withdrawn and visit.only != "DPDL" and visit.desk.card:
                taken_back.append(self.builder.withdrawn(visit))
        for visits, kind, mark in ((again, "correction", "_DC"), (taken_back, "withdrawal", "_TH")):
            envelopes = self.packer.both(facility, visits, night, mark)
            for channel in CHANNELS if kind == "correction" else ("BHXH",):
                for envelope in envelopes[channel]:
                    saved.save(
                        facility.code, envelope.name, envelope.data, envelope.written, kind=kind,
                        event_night=Day.fromordinal(yesterday),
                    )  # fmt: skip

    def _sent_again(
        self, saved: NightTruth, facility: Facility, night: int, broken: str, draw: float
    ) -> None:
        """Yesterday's envelopes once more: the good copy of a broken file, or the same bytes."""
        then = night - 1
        envelopes = self.packer.both(
            facility, list(self.builder.visits(facility.index, then)), then
        )
        delays = self.delays(facility.index, then)
        sent = {c: held[0] for c, held in envelopes.items() if held and not delays[c]}
        event = Day.fromordinal(then)
        if broken in damage.LOSE_ALL and "DPDL" in sent:
            good = sent["DPDL"]
            stem, dot, ending = good.name.partition(".")
            saved.save(
                facility.code, f"{stem}_GUILAI{dot}{ending}", good.data, good.written,
                kind="repaired", detail=good.name, event_night=event,
            )  # fmt: skip
        elif sent and not broken:
            same = sent[min(sent) if draw < 0.5 else max(sent)]
            saved.save(
                facility.code, same.name.replace(".", " (1).", 1), same.data,
                kind="redelivery", detail=same.name, event_night=event,
            )  # fmt: skip
