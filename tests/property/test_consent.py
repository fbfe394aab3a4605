"""A hundred generated lives of consents, decided by the engine and by somebody slow who reads one at a time."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import duckdb
import pytest

from datasach.protect.consent import EVENT_COLUMNS, decide
from datasach.spec.access import PERSONS, Access, Purpose, load_access
from datasach.spec.project import Project

CASES = 100
NOW = datetime(2026, 3, 4, 12, 0)  # noqa: DTZ001 — consent events bear local time without a zone


@dataclass(frozen=True)
class Event:
    person: str
    word: str | None
    scope: str | None
    state: str | None
    channel: str | None
    at: datetime | None
    night: date
    published: bool
    born_on: date | None
    birth_year: int | None


@pytest.fixture(scope="module")
def access(project: Project) -> Access:
    return load_access(project)


def lives(seed: int) -> list[Event]:
    """Events of CASES people: mostly usual, each fault now and then, many at the same minute."""
    chance = random.Random(seed)
    events: list[Event] = []
    for number in range(CASES):
        year = chance.choice([1950, 1985, 1999, 2009, 2010, 2011, 2015, 2024])
        day = date(year, chance.randint(1, 12), chance.randint(1, 28))
        born, birth_year = chance.choice([(day, year), (day, year), (None, year), (None, None)])
        for _ in range(chance.choice([0, 1, 1, 2, 2, 3, 5])):
            at = NOW + timedelta(days=chance.randint(-9, 2), hours=chance.choice([-1, 0, 0, 1]))
            at = chance.choice([at, at, at, at, at, at, None])
            events.append(
                Event(
                    f"P-{number}",
                    chance.choice(["chia_se_so_suc_khoe"] * 6 + ["nghien_cuu", "kham_chua_benh", "viec khac", None]),
                    chance.choice(["tom_tat_kcb"] * 6 + ["toan_bo", "toan_bo", "khong biet", None]),
                    chance.choice(["dong_y"] * 5 + ["rut_lai", "rut_lai", "tam dung", None]),
                    chance.choice(["VNeID", "VNeID", "giay", None]),
                    at,
                    (at or NOW).date() + timedelta(days=chance.randint(0, 1)),
                    chance.random() < 0.85,
                    born,
                    birth_year,
                )
            )  # fmt: skip
    chance.shuffle(events)
    return events


def granted(
    project: Project, access: Access, purpose: Purpose, events: list[Event], at: datetime
) -> set[tuple[str, str]]:
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE consent_events ({EVENT_COLUMNS})")
        rows = [tuple(getattr(e, name) for name in Event.__dataclass_fields__) for e in events]
        for row in rows:
            con.execute(f"INSERT INTO consent_events VALUES ({', '.join('?' * 10)})", row)
        decide(con, project, access, purpose, at)
        return set(con.execute("FROM consent_granted").fetchall())


# -- the slow one, who knows only the words of the law of the house --------------------------------


def covers(project: Project, access: Access, scope: str | None) -> set[str] | None:
    """Tables of a scope; None if nobody declared it."""
    for one in access.scopes.values():
        if one.id == scope:
            return {*project.tables, PERSONS} if one.tables == ["*"] else set(one.tables)
    return None


def age_on(event: Event, day: date) -> int | None:
    if event.born_on is not None:
        before = (day.month, day.day) < (event.born_on.month, event.born_on.day)
        return day.year - event.born_on.year - before
    return None if event.birth_year is None else day.year - event.birth_year - 1


def gives(project: Project, access: Access, purpose: Purpose, event: Event) -> bool:
    if (
        event.state != "dong_y"
        or not event.published
        or event.at is None
        or event.word not in purpose.consent
    ):
        return False
    age = age_on(event, event.at.date())
    grown = age is not None and (age >= 16 or event.channel == "giay")
    return grown and covers(project, access, event.scope) is not None


def takes(access: Access, purpose: Purpose, event: Event) -> bool:
    known = {"chia_se_so_suc_khoe", "nghien_cuu", "kham_chua_benh"}
    return event.state != "dong_y" and (event.word in purpose.consent or event.word not in known)


def slowly(
    project: Project, access: Access, purpose: Purpose, events: list[Event], at: datetime
) -> set[tuple[str, str]]:
    found = set()
    for person in {event.person for event in events}:
        mine = [event for event in events if event.person == person]
        for scope in access.scopes:
            own = covers(project, access, scope) or set()
            last: tuple[datetime, bool] | None = None
            for event in mine:
                if event.at is not None and event.at > at:
                    continue
                if gives(project, access, purpose, event) and event.scope == scope:
                    assert event.at is not None
                    placed = (event.at, False)
                elif takes(access, purpose, event):
                    reached = covers(project, access, event.scope)
                    if reached is not None and not reached & own:
                        continue
                    night_over = datetime.combine(event.night, datetime.min.time()) + timedelta(
                        days=1
                    )
                    placed = (event.at or night_over, True)
                else:
                    continue
                last = placed if last is None else max(last, placed)
            if last is not None and not last[1]:
                found |= {(person, table) for table in own}
    return found


@pytest.mark.parametrize("purpose", ["share_health_book", "treatment", "research"])
def test_a_hundred_lives_are_decided_as_the_slow_one_decides(
    project: Project, access: Access, purpose: str
) -> None:
    one = access.purposes[purpose]
    events = lives(seed=len(purpose))
    for at in (NOW - timedelta(days=4), NOW, NOW + timedelta(days=5)):
        fast = granted(project, access, one, events, at)
        assert fast == slowly(project, access, one, events, at)
    people = {person for person, _ in fast}
    assert 0 < len(people) < CASES, "some are open and some are closed, or nothing is tested"


def said(state: str, minutes: int, **changes: object) -> Event:
    at = NOW + timedelta(minutes=minutes)
    usual = Event(
        "P-1",
        "chia_se_so_suc_khoe",
        "toan_bo",
        state,
        "VNeID",
        at,
        at.date(),
        True,
        date(1985, 3, 12),
        1985,
    )
    return Event(
        **{**{name: getattr(usual, name) for name in Event.__dataclass_fields__}, **changes}
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("events", "is_open"),
    [
        ([], False),
        ([said("dong_y", -9)], True),
        ([said("dong_y", 1)], False),
        ([said("dong_y", -9), said("rut_lai", -1)], False),
        ([said("dong_y", -9), said("rut_lai", 1)], True),
        ([said("dong_y", -9), said("rut_lai", -9)], False),
        ([said("rut_lai", -9), said("dong_y", -1)], True),
        ([said("dong_y", -9, published=False)], False),
        ([said("dong_y", -9), said("rut_lai", -1, published=False)], False),
        ([said("dong_y", -9), said("rut_lai", -1, scope="khong biet")], False),
        ([said("dong_y", -9), said("rut_lai", -1, word=None)], False),
        ([said("dong_y", -9), said("rut_lai", -1, word="nghien_cuu")], True),
        ([said("dong_y", -9), said("rut_lai", -1, at=None)], False),
        ([said("dong_y", -9, born_on=date(2011, 1, 1))], False),
        ([said("dong_y", -9, born_on=date(2011, 1, 1), channel="giay")], True),
        ([said("dong_y", -9, born_on=None, birth_year=None)], False),
    ],
    ids=[
        "nobody asked", "given", "not given yet", "withdrawn", "not withdrawn yet", "both at once", "given again",
        "grant held", "withdrawal held", "withdrawal of unknown scope", "withdrawal without purpose",
        "withdrawal of another purpose", "withdrawal without a time", "a child by the application",
        "a child on paper", "age not known",
    ],
)  # fmt: skip
def test_consent_by_example(
    project: Project, access: Access, events: list[Event], is_open: bool
) -> None:
    found = granted(project, access, access.purposes["share_health_book"], events, NOW)
    assert (("P-1", "kcb_emr.visit") in found) is is_open
