"""Which spellings of dates, times and birth dates are read, and how exactly."""

import datetime as dt

import polars as pl
import pytest

from datasach.vn.dates import (
    Birth,
    date_reason,
    parse_birth,
    parse_date,
    parse_datetime,
)


@pytest.mark.parametrize(
    "text",
    ["20260131", "2026-01-31", "2026/1/31", "31/1/2026", "31.01.2026", " 31-01-2026 ", "202601310815",
     "20260131081500", "2026-01-31T08:15", "202601310000"],
)  # fmt: skip
def test_one_day_in_many_spellings(text):
    assert parse_date(text) == dt.date(2026, 1, 31)


@pytest.mark.parametrize(
    "text",
    ["", "20260230", "30/02/2026", "1/31/2026", "31/01/26", "00000101", "２０２６０１３１", "2026131",
     "2026-01-31T08:15Z", "20261301", "31/01", "tháng 1", "198300000000"],
)  # fmt: skip
def test_what_is_no_date_gives_nothing(text):
    assert parse_date(text) is None


def test_day_and_month_follow_the_declared_order():
    assert parse_date("02/03/2026", "dmy") == dt.date(2026, 3, 2)
    assert parse_date("02/03/2026", "mdy") == dt.date(2026, 2, 3)


@pytest.mark.parametrize(
    ("text", "second"),
    [("202601310815", 0), ("20260131081530", 30), ("2026-01-31T08:15", 0),
     ("2026-01-31 08:15:30.250", 30), ("31/01/2026 08:15", 0), ("2026-01-31T08:15:30+07:00", 30)],
)  # fmt: skip
def test_one_moment_in_many_spellings(text, second):
    moment = dt.datetime.combine(dt.date(2026, 1, 31), dt.time(8, 15, second))
    assert parse_datetime(text) == moment


@pytest.mark.parametrize("text", ["20260131", "202601312460", "202601312400", "20260131081560"])
def test_a_time_is_never_invented(text):
    assert parse_datetime(text) is None


@pytest.mark.parametrize(
    ("text", "birth"),
    [
        ("198307010000", Birth(dt.date(1983, 7, 1), 1983, "day")),
        ("202601310815", Birth(dt.date(2026, 1, 31), 2026, "minute")),
        ("19830701", Birth(dt.date(1983, 7, 1), 1983, "day")),
        ("1/7/1983", Birth(dt.date(1983, 7, 1), 1983, "day")),
        ("198307000000", Birth(None, 1983, "month")),
        ("07/1983", Birth(None, 1983, "month")),
        ("198300000000", Birth(None, 1983, "year")),
        ("1983", Birth(None, 1983, "year")),
        ("198302310000", Birth(None, 1983, "year")),
        ("1/7/83", Birth(None, None, None)),
        ("83", Birth(None, None, None)),
        ("", Birth(None, None, None)),
    ],
)
def test_a_birth_date_tells_how_much_is_known(text, birth):
    assert parse_birth(text) == birth


def test_a_dropped_time_and_an_unreadable_date_have_reasons():
    sent = pl.DataFrame({"on": ["20260131", "202601310815", "hôm qua", " ", None]})
    reasons = sent.select(date_reason("on")).to_series().to_list()
    assert reasons == [None, "time_dropped", "unreadable", None, None]
