"""Numbers, colours, charts and small cells: the pieces pages are made of."""

from __future__ import annotations

import doctest
import importlib
import itertools
import pkgutil
import re
from pathlib import Path

import pytest

import datasach.report
from datasach.report import charts
from datasach.report.counts import Counts
from datasach.report.disclosure import hidden_cells, merge_small
from datasach.report.words import TONES

STYLE = (Path(__file__).parents[3] / "reports/style.css").read_text("utf-8")
MODULES = [f"datasach.report.{m.name}" for m in pkgutil.iter_modules(datasach.report.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def colours(theme: str) -> dict[str, str]:
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.S)[:2]
    block = light if theme == "light" else light + dark
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(theme: str) -> None:
    found = colours(theme)
    pairs = [("ink", b) for b in ("paper", "sheet", "band")] + [
        ("soft", b) for b in ("paper", "sheet", "band")
    ]
    pairs += [("accent", b) for b in ("paper", "sheet", "band")] + [("sheet", "accent")]
    for tone in TONES:
        pairs += [(tone, f"{tone}-bg"), (tone, "paper"), (tone, "sheet"), (tone, "band")]
    weak = [
        (a, b, round(contrast(found[a], found[b]), 2))
        for a, b in pairs
        if contrast(found[a], found[b]) < 4.5
    ]
    assert weak == []


def test_every_verdict_has_a_shape_of_its_own() -> None:
    assert len(set(charts.MARKS.values())) == len(TONES)


def test_a_stack_shows_even_one_row_among_a_million() -> None:
    drawn = str(charts.stack(Counts(read=1_000_000, accepted=999_999, rejected=1)))
    assert 'class="fate-rejected"' in drawn and 'role="img"' in drawn
    assert "từ chối 1" in drawn


def test_a_line_needs_two_known_nights() -> None:
    assert charts.spark([0.5], "x") == ""
    assert charts.spark([None, 0.5, None], "x") == ""
    assert "<polyline" in charts.spark([0.5, None, 0.7], "x")


def test_a_title_cannot_break_out_of_a_chart() -> None:
    assert "<script>" not in charts.spark([1, 2], "<script>alert(1)</script>")


MEMBERS = {"A": ["a1", "a2", "a3"], "B": ["b1"], "C": []}


def with_sums(cells: dict[str, int]) -> dict[tuple[str, str], int]:
    counts = dict(cells)
    for place, facilities in MEMBERS.items():
        if any(f in cells for f in facilities):
            counts[place] = sum(cells.get(f, 0) for f in facilities)
    counts[""] = sum(counts.get(place, 0) for place in MEMBERS)
    return {("hiv", whose): number for whose, number in counts.items()}


def can_be_worked_out(
    records: dict[tuple[str, str], int], hidden: set[tuple[str, str]]
) -> list[str]:
    """Hidden cells an attacker finds by subtraction: repeat until no sum has exactly one unknown."""
    known = {whole: 0 for whole in MEMBERS if ("hiv", whole) not in records}
    known |= {w: n for (_, w), n in records.items() if ("hiv", w) not in hidden}
    sums = [
        (place, [f for f in facilities if ("hiv", f) in records])
        for place, facilities in MEMBERS.items()
    ]
    sums.append(("", [p for p in MEMBERS if ("hiv", p) in records]))
    before = set(known)
    while True:
        for whole, parts in sums:
            cells = [whole, *parts]
            unknown = [c for c in cells if c not in known]
            if len(unknown) == 1:
                value = (
                    sum(known[p] for p in parts)
                    if unknown == [whole]
                    else known[whole] - sum(known[p] for p in parts if p in known)
                )
                known[unknown[0]] = value
                break
        else:
            return sorted(set(known) - before)


def test_small_counts_are_hidden_and_cannot_be_worked_out() -> None:
    for values in itertools.product((0, 1, 3, 7, 40), repeat=4):
        cells = {c: v for c, v in zip(("a1", "a2", "a3", "b1"), values, strict=True) if v}
        records = with_sums(cells)
        hidden = hidden_cells(records, {}, MEMBERS, ["hiv"], small=5)
        small = {(d, w) for (d, w), n in records.items() if 0 < n < 5 and w in cells}
        assert small <= hidden, cells
        revealed = [w for w in can_be_worked_out(records, hidden) if 0 < records[("hiv", w)] < 5]
        assert revealed == [], cells


def test_nothing_is_hidden_where_nothing_is_small() -> None:
    assert hidden_cells(with_sums({"a1": 10, "b1": 6}), {}, MEMBERS, ["hiv"], small=5) == set()


def test_a_small_table_is_hidden_with_another_or_with_the_whole() -> None:
    records = with_sums({"a1": 30, "b1": 53})
    tables = {"hiv.case": 3, "hiv.test": 20, "hiv.visit": 60}
    hidden = hidden_cells(records, tables, MEMBERS, ["hiv"], small=5)
    assert hidden == {("hiv", "hiv.case"), ("hiv", "hiv.test")}
    # Where no other table is left, the nation's number tells it; and a place's number would tell that.
    alone = hidden_cells(with_sums({"a1": 3}), {"hiv.case": 3}, MEMBERS, ["hiv"], small=5)
    assert {("hiv", "hiv.case"), ("hiv", ""), ("hiv", "A"), ("hiv", "a1")} <= alone


def test_classes_are_joined_until_none_is_small() -> None:
    for counts in itertools.product((0, 1, 4, 9), repeat=4):
        merged = merge_small(["1", "2", "3", "4"], counts, small=5)
        assert sum(n for _, n in merged) == sum(counts)
        assert len(merged) == 1 or not any(0 < n < 5 for _, n in merged)
