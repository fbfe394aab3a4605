"""The catalogue: all rules on one page and in one table, with what is not built and why."""

from __future__ import annotations

import csv
import inspect
import re
from pathlib import Path

import pytest
from report_night import SECOND, HandmadeNight

from datasach.pipeline.catalogue import publish_catalogue
from datasach.report.site import write_report
from datasach.report.words import load_words
from datasach.spec.project import Project
from datasach.validate.kinds import KINDS


@pytest.fixture(scope="module")
def written(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("catalogue")
    publish_catalogue(project, out)
    return out


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_rule_stands_on_the_page_and_in_the_table(project: Project, written: Path) -> None:
    ids = {rule.id for rule in project.rules}
    page = (written / "catalogue.html").read_text("utf-8")
    live = [line for line in lines(written / "catalogue.csv") if line["state"] == "live"]
    assert {line["id"] for line in live} == ids and len(live) == len(ids)
    assert ids <= set(re.findall(r'<tr id="([^"]+)"', page))


def test_every_rule_says_how_to_mend_it_and_on_what_it_rests(written: Path) -> None:
    for line in lines(written / "catalogue.csv"):
        wanted = ("vi", "en", "fix_vi", "fix_en", "kind_vi", "kind_en", "basis", "severity")
        if line["state"] == "live":
            assert all(line[name] for name in wanted), line["id"]
        else:
            assert line["reason_vi"] and line["reason_en"], line["id"]


def test_rules_that_are_not_built_are_counted_apart_from_those_done_elsewhere(
    written: Path,
) -> None:
    rows = lines(written / "catalogue.csv")
    assert all(
        bool(row["done_by"]) == (row["state"] == "elsewhere")
        for row in rows
        if row["state"] != "live"
    )
    missing = sum(row["state"] == "not_built" for row in rows)
    assert f"{missing} quy tắc chưa làm được" in (written / "catalogue.html").read_text("utf-8")


def test_every_kind_and_every_parameter_has_words(project: Project) -> None:
    words = load_words(project.root).kinds
    parameters = {n for kind in KINDS.values() for n in inspect.signature(kind).parameters} - {
        "ctx"
    }
    assert set(KINDS) <= set(words.kinds)
    assert parameters <= set(words.parameters)


def test_the_filter_needs_no_script_and_the_page_no_network(
    written: Path, project: Project
) -> None:
    page = (written / "catalogue.html").read_text("utf-8")
    for database in project.databases:
        assert f"body:has(#db-{database}:checked) .rules > tbody > tr:not(.db-{database})" in page
        assert f'id="db-{database}"' in page
    assert (
        page.count("<script>") == 1 and "localStorage" in page
    )  # the language switch, nothing else
    assert not re.search(r"(?:src|href)\s*=\s*[\"'](?:https?:)?//", page)


def test_the_sites_rules_page_leads_to_the_catalogue_and_its_table(night: HandmadeNight) -> None:
    write_report(night, lambda _: None)
    site = night.layout.root / "reports" / SECOND
    rules = (site / "quy-tac.html").read_text("utf-8")
    assert 'href="danh-muc-quy-tac.html"' in rules and 'href="data/catalogue.csv"' in rules
    assert {line["id"] for line in lines(site / "data/catalogue.csv")} >= {"VIS-901", "BOK-901"}
    assert 'id="VIS-901"' in (site / "danh-muc-quy-tac.html").read_text("utf-8")
