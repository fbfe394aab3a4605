"""Exchange files: headings a source knows, formats as named, unique keys, links that hold."""

from __future__ import annotations

import csv
import datetime
import io
import json
import zipfile

import polars as pl
import pytest
from synth_country import PROJECT

from datasach.extract.recognise import match_headings
from datasach.spec.project import load_project
from datasach.synth.extracts import NAMES, as_csv, as_workbook, spelt
from datasach.synth.facilities import HABITS, Habit
from datasach.synth.registers import gln


@pytest.fixture(scope="module")
def project():
    return load_project(PROJECT)


def mapping_of(project, table):
    return next(s.tables[table] for s in project.sources.values() if table in s.tables)


@pytest.mark.parametrize("table", NAMES)
@pytest.mark.parametrize("habit", [HABITS[0], HABITS[1]], ids=["names", "headings"])
def test_every_heading_is_known_to_the_source(project, table, habit):
    text = as_csv(NAMES[table], [], habit).decode()
    headings = next(csv.reader(io.StringIO(text), delimiter=habit.separator))
    found = match_headings(headings, mapping_of(project, table), list(NAMES[table]))
    assert set(found) == set(NAMES[table])


def test_the_columns_are_those_of_the_contract(project):
    for table, names in NAMES.items():
        fields = project.tables[table].field_names
        known = [name for name in fields if name in names]
        assert known == list(names)


@pytest.mark.parametrize(
    ("field", "text", "slashed", "plain"),
    [
        ("ngay_tiem", "20260302", "02/03/2026", "20260302"),
        ("ngay_sinh", "198507040000", "04/07/1985", "19850704"),
        ("ngay_sinh", "198500000000", "1985", "19850000"),
        ("ngay_bao_cao", "202603021530", "02/03/2026 15:30", "202603021530"),
        ("ho_ten", "20260302", "20260302", "20260302"),
        ("ngay_tiem", "", "", ""),
    ],
)
def test_dates_are_spelt_by_the_sender(field, text, slashed, plain):
    assert spelt(field, text, True) == slashed
    assert spelt(field, text, False) == plain


def test_a_workbook_of_numbers_loses_leading_zeros():
    names, row = ("so_cccd", "ho_ten"), ("091092000071", "Thử")
    texts, numbers = (
        pl.read_excel(
            io.BytesIO(as_workbook(names, [row], numbers=n, heading=0)), engine="calamine"
        )
        for n in (False, True)
    )
    assert str(texts["so_cccd"][0]) == "091092000071"
    assert str(numbers["so_cccd"][0]) == "91092000071"


def test_a_workbook_has_no_clock_in_it():
    one, two = (as_workbook(("a",), [("1",)], numbers=False) for _ in range(2))
    assert one == two
    with zipfile.ZipFile(io.BytesIO(one)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_prescriptions_belong_to_visits_and_their_codes_are_unique(clean):
    codes, visits = (
        [],
        set(clean.table("records").filter(pl.col("table") == "kcb_emr.visit")["record"]),
    )
    visits |= set(clean.table("records").filter(pl.col("table") == "bhyt_claims.claim")["record"])
    late = set(clean.table("files").filter(pl.col("kind") == "late")["event_night"])
    for path in clean.inbox.rglob("DONTHUOC_*"):
        text = path.read_text(encoding="utf-8")
        records = json.loads(text) if path.suffix == ".json" else map(json.loads, text.splitlines())
        for record in records:
            code = record.get("ma_don_thuoc") or record["prescriptionCode"]
            codes.append(code)
            facility = record.get("ma_cskcb") or record["Mã cơ sở KCB"]
            link = record.get("ma_lk") or record["Mã LK"]
            night = datetime.date.fromisoformat(path.parts[-3])
            assert f"{facility}|{link}" in visits or night in late
            assert record["thuoc"] and code[12] == "-" and len(code) == 14
    assert len(codes) > 300 and len(set(codes)) == len(codes)


def test_keys_of_exchange_rows_are_unique(clean):
    exchange = clean.table("records").filter(
        pl.col("table").is_in(list(NAMES)) & (pl.col("table") != "mch_population.pregnancy")
    )
    assert exchange.select("table", "record").is_duplicated().sum() == 0


def test_all_spellings_occur_in_a_demo(demo):
    heads = {path.read_bytes()[:3] for path in demo.inbox.rglob("TIEMCHUNG_*.csv")}
    assert any(head.startswith(b"\xef\xbb\xbf") for head in heads) or len(heads) > 1
    first_lines = {path.read_bytes().split(b"\r\n")[0] for path in demo.inbox.rglob("*.csv")}
    assert any(b";" in line for line in first_lines) and any(b"," in line for line in first_lines)


def test_global_location_numbers_have_their_check_digit():
    for number in (1, 7, 12_000):
        code = gln(number)
        assert len(code) == 13
        assert sum(int(c) * (3 if at % 2 else 1) for at, c in enumerate(code)) % 10 == 0


def test_the_habit_of_slashed_dates_reaches_the_file():
    habit = Habit("x", slashed_dates=True)
    row = ("m", *[""] * (len(NAMES["immunization.dose"]) - 1))
    at = NAMES["immunization.dose"].index("ngay_tiem")
    data = as_csv(NAMES["immunization.dose"], [(*row[:at], "20260302", *row[at + 1 :])], habit)
    assert b"02/03/2026" in data
