"""Envelopes: the same rows come back from every vendor's habit, and vintages differ."""

from __future__ import annotations

import dataclasses
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synth_country import REFERENCE, read

from datasach.synth.envelopes import (
    CONSTANTS,
    FILLED,
    ORDER,
    Template,
    Writer,
    encoded,
)
from datasach.synth.facilities import HABITS, Habit
from datasach.synth.reference import load

VIETNAMESE = "aàáảãạăằắẳẵặâầấẩẫậđeèéẻẽẹêềếểễệiìíỉĩịoòóỏõọôồốổỗộơờớởỡợuùúủũụưừứửữựyỳýỷỹỵ"
TABLES = load(REFERENCE).tables


def rows_of(table: str) -> list[list[str]]:
    """Two rows whose values tell where they belong, with every Vietnamese letter in them."""
    return [[f"{tag} {n} {VIETNAMESE}" for tag in ORDER[table]] for n in (1, 2)]


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
def test_what_is_written_is_read_back(habit: Habit, tmp_path):
    writer = Writer(load(REFERENCE), habit)
    several = [t for t in ("XML2", "XML3", "XML4", "XML5", "XML9") if t in writer.templates]
    hoso = "".join(writer.file_of(t, rows_of(t)) for t in several)
    hoso += writer.file_of("XML1", rows_of("XML1")[:1])
    path = tmp_path / "BHXH_x.xml"
    path.write_bytes(writer.envelope("79001", "20260302", [f"<HOSO>{hoso}</HOSO>"]))
    (unit,) = read(path, "x")
    assert unit.facility == "79001"
    for table in [*several, "XML1"]:
        found = unit.tables[table]
        assert len(found) == (1 if table == "XML1" else 2)
        known = (
            {f.tag for f in TABLES[table].fields if f.in_130} if habit.vintage == "130" else None
        )
        for row, values in zip(found, rows_of(table), strict=False):
            texts = [unicodedata.normalize("NFC", text) for text in row.values() if text]
            for tag, value in zip(ORDER[table], values, strict=True):
                if known is None and habit.vintage == "3176":
                    assert unicodedata.normalize("NFC", row[tag]) == value
                elif known is None or tag in known:
                    assert value in texts or tag in ("NHOM_MAU", "NGAY_TH_YL")


@pytest.mark.parametrize("table", FILLED)
def test_the_fields_of_a_row_stand_in_the_order_of_the_standard(table):
    Template(table, TABLES[table], Habit("plain"))
    tags = [field.tag for field in TABLES[table].fields]
    assert not set(CONSTANTS.get(table, {})) & set(ORDER[table])
    assert set(ORDER[table]) <= set(tags)


def test_a_field_out_of_order_is_refused(monkeypatch):
    monkeypatch.setitem(ORDER, "XML5", ("STT", "MA_LK"))
    with pytest.raises(ValueError, match="MA_LK"):
        Template("XML5", TABLES["XML5"], Habit("plain"))


def test_vintages_differ_as_documented():
    plain = {v: Writer(load(REFERENCE), Habit("x", vintage=v)) for v in ("130", "4750", "3176")}
    assert "XML13" not in plain["130"].templates and "XML14" in plain["4750"].templates
    assert "NHOM_MAU" not in plain["130"].templates["XML1"].row
    assert "NHOM_MAU" in plain["4750"].templates["XML1"].row
    assert "<MA_NOI_DEN>" in plain["4750"].templates["XML13"].row
    assert "<MA_CSKCB_DEN>" in plain["3176"].templates["XML13"].row
    assert "NGAY_TH_YL" not in plain["4750"].templates["XML2"].row


def test_misspelt_tags_are_those_met_in_the_field():
    habit = dataclasses.replace(Habit("x"), misspelt=True)
    assert "<GAIAI_DOAN_BENH>" in Template("XML5", TABLES["XML5"], habit).row


@given(st.text(alphabet=VIETNAMESE + VIETNAMESE.upper() + " -'()0123456789"))
def test_windows_1258_loses_no_vietnamese_letter(text):
    back = encoded(text, "windows-1258").decode("cp1258")
    assert unicodedata.normalize("NFC", back) == unicodedata.normalize("NFC", text)
