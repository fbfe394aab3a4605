"""What the site is drawn from: tiles, kinds of data, lines, and the example that stands in the project."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from datasach.report import charts
from datasach.report.example import made_of, make_example
from datasach.report.words import load_words

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "reports/example"


def test_every_province_has_a_tile_of_its_own() -> None:
    tiles = load_words(ROOT).tiles
    provinces = pl.read_csv(ROOT / "datasets/_reference/provinces.csv", infer_schema=False)
    assert sorted([*tiles.north, *tiles.south]) == sorted(set(provinces["new_code"]))
    for block in (tiles.north, tiles.south):
        assert len(set(block.values())) == len(block)
        assert all(1 <= column <= 5 and 1 <= row <= 9 for column, row in block.values())


def test_a_table_is_of_the_kind_that_names_it_before_that_of_its_database() -> None:
    data = load_words(ROOT).data
    assert data.of_table("referral_reexam.referral") == "referral"
    assert data.of_table("kcb_emr.drug") == "visit"
    assert data.of_table("prevention.hiv") == data.of_table("births_deaths.birth") == "other"


def test_no_sensitive_database_is_a_kind_of_its_own() -> None:
    words = load_words(ROOT)
    named = {name.split(".")[0] for kind in words.data.kinds for name in kind.of}
    assert named.isdisjoint(words.verdicts.sensitive)


def test_lines_keep_their_last_values_apart() -> None:
    nights = ["2026-03-02", "2026-03-03"]
    drawn = charts.lines(nights, [0.95, 0.96], [0.95, 0.96], "x")
    labels = [float(y) for y in re.findall(r'class="vi right[^"]*" x="[^"]+" y="([^"]+)"', drawn)]
    assert len(labels) == 2 and abs(labels[0] - labels[1]) >= 13


def test_a_line_of_one_night_is_not_drawn() -> None:
    assert charts.lines(["2026-03-02"], [0.9], [], "x") == ""


def test_a_histogram_shows_its_threshold_and_every_bin() -> None:
    drawn = charts.histogram([(-2.0, 9), (0.0, 1), (2.0, 400)], [(0.0, "xem xét")], "x")
    assert drawn.count('class="col"') == 3 and 'class="threshold"' in drawn and "xem xét" in drawn


def test_the_example_was_made_with_todays_templates() -> None:
    kept = (EXAMPLE / "made_of.txt").read_text("utf-8").strip()
    assert kept == made_of(ROOT), "the example is of other templates: run `make example`"


def test_the_example_is_small_and_its_links_lead_somewhere() -> None:
    pages = list(EXAMPLE.rglob("*.html"))
    assert {p.parent.name for p in pages} >= {"latest", "db", "tinh", "cskcb", "quy-tac", "79001"}
    assert sum(p.stat().st_size for p in EXAMPLE.rglob("*") if p.is_file()) < 1_500_000
    for page in pages:
        for link in re.findall(r' href="([^"#]+)', page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page}: {link}"


def test_an_example_is_made_from_any_site(tmp_path: Path) -> None:
    site = tmp_path / "out/reports/latest"
    for name in (
        "db/kcb_emr",
        "db/bhyt_claims",
        "db/ehr_book",
        "tinh/79",
        "cskcb/79001",
        "quy-tac/VIS-901",
    ):
        (site / f"{name}.html").parent.mkdir(parents=True, exist_ok=True)
        (site / f"{name}.html").write_text(
            '<a href="../index.html">up</a> <a href="../dem.html">x</a>'
        )
    (site / "index.html").write_text(
        '<tr data-of="rule:VIS-901"><a href="quy-tac/VIS-901.html">r</a>'
    )
    made = make_example(tmp_path / "out", tmp_path / "example", ROOT)
    assert len(made) == 7
    assert 'href="../index.html"' in made[1].read_text() and "dem.html" not in made[1].read_text()


@pytest.mark.parametrize("name", ["national", "department", "rule", "facility-phone"])
def test_the_readmes_pictures_are_small(name: str) -> None:
    assert 0 < (ROOT / f"docs/pictures/{name}.png").stat().st_size < 200_000
