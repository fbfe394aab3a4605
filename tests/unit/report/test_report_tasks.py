"""Tasks: who owes what since when, worked out from the nights' numbers alone."""

from __future__ import annotations

import io
import random
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from report_night import SECOND, HandmadeNight
from slow_tasks import Seen, slow_tasks

from datasach.report.site import write_report
from datasach.report.task_list import list_tasks, tasks_text, write_tasks
from datasach.report.tasks import Task, derive, due_day
from datasach.report.words import load_words
from datasach.report.workbook import Column, Sheet, write_workbook
from datasach.spec.project import Project

MONDAY = "2026-03-02"
NIGHTS = [f"2026-03-{day:02}" for day in range(2, 12)]


def fast_tasks(
    nights: list[str], seen: list[Seen], came: set[tuple[str, str]], project: Project
) -> list[Task]:
    schema = {"facility": pl.String, "rule": pl.String, "night": pl.String, "tables": pl.String}
    numbers = {"tested": pl.Int64, "failed": pl.Int64}
    told = pl.DataFrame(seen, schema=schema | numbers, orient="row")
    with_data = pl.DataFrame(
        sorted(came), schema={"facility": pl.String, "night": pl.String}, orient="row"
    )
    terms = load_words(project.root).tasks
    found = derive(nights, told, with_data, project, terms, with_closed=True)
    return sorted(found, key=Task.urgency)


@pytest.fixture
def lived(report_project: Project):
    """tasks of VIS-901 (quarantine) at 79002 after nights like "3 0 - 0": failing records, or - for no data."""

    def live(story: str, rule: str = "VIS-901") -> list[Task]:
        told = dict(zip(NIGHTS, story.split(), strict=False))
        seen = [
            Seen("79002", rule, night, "kcb_emr.visit", 100, int(count))
            for night, count in told.items()
            if count != "-"
        ]
        came = {("79002", night) for night, count in told.items() if count != "-"}
        return fast_tasks(list(told), seen, came, report_project)

    return live


def test_a_defect_opens_a_task_with_an_owner_and_a_day_on_which_it_is_due(lived) -> None:
    (task,) = lived("2 2")
    assert (task.facility, task.rule.id, task.opened, task.nights_open) == (
        "79002",
        "VIS-901",
        MONDAY,
        2,
    )
    assert task.due == date(2026, 3, 9)  # five working days: Tuesday to Friday, and Monday
    assert task.owners[0].vi and task.owners[0].en
    assert task.state == "open"


def test_one_task_however_many_nights_it_lasts(lived) -> None:
    (task,) = lived("2 5 1 1 2 3 3 3 3 4")
    assert (task.nights_open, task.last_seen, task.failed) == (10, "2026-03-11", 4)
    assert task.state == "overdue"


def test_the_data_close_it_after_three_clean_nights(lived) -> None:
    assert lived("2 0 0")[0].state == "open"
    (task,) = lived("2 0 0 0")
    assert (task.state, task.closed, task.last_seen) == ("closed", "2026-03-05", MONDAY)


def test_a_night_without_data_neither_closes_nor_begins_anew(lived) -> None:
    assert lived("2 0 - - 0 -")[0].state == "open"
    assert lived("2 0 - - 0 - 0")[0].closed == "2026-03-08"


def test_a_defect_that_comes_back_early_is_still_the_same_task(lived) -> None:
    (task,) = lived("2 0 0 1 0 0")
    assert (task.state, task.opened, task.earlier) == ("open", MONDAY, [])


def test_a_task_that_is_opened_again_keeps_its_history(lived) -> None:
    (task,) = lived("2 0 0 0 1")
    assert (task.state, task.opened) == ("open", "2026-03-06")
    assert task.earlier == [(MONDAY, "2026-03-05")]


def test_a_few_warnings_are_no_task(lived) -> None:
    assert lived("4", "BOK-902") == []
    assert len(lived("5", "BOK-902")) == 1


def test_a_rule_that_is_no_longer_declared_leaves_no_task(lived) -> None:
    assert lived("9", "GON-001") == []


def test_all_keys_at_once_live_as_each_would_alone(report_project: Project) -> None:
    """Random stories of several facilities and rules: the arrays against the slow way, tasks in full."""
    rng = random.Random(5)
    rules = ["VIS-901", "BOK-901", "BOK-902", "GON-001"]
    tables = ["kcb_emr.visit", "ehr_book.book", "ehr_book.book kcb_emr.visit", ""]
    terms = load_words(report_project.root).tasks
    reopened = closed = 0
    for _ in range(200):
        nights = NIGHTS[: rng.randint(1, 10)]
        came = {(f, n) for f in ("01001", "79002", "79003") for n in nights if rng.random() < 0.7}
        seen = [
            Seen(facility, rule, night, rng.choice(tables), rng.choice([10, 600, 2000]), rng.choice([0, 0, 0, 1, 5, 9]))
            for facility in ("01001", "79002", "79003")
            for rule in rules
            for night in nights
            if rng.random() < 0.6
        ]  # fmt: skip
        expected = slow_tasks(nights, seen, came, report_project, terms)
        rng.shuffle(seen)
        assert fast_tasks(nights, seen, came, report_project) == expected
        reopened += sum(bool(task.earlier) for task in expected)
        closed += sum(task.closed is not None for task in expected)
    assert reopened > 50 and closed > 100


def test_due_days_skip_weekends() -> None:
    assert due_day("2026-03-06", 1) == date(2026, 3, 9)
    assert due_day("2026-03-07", 1) == date(2026, 3, 9)


def test_the_night_keeps_its_metrics_and_a_second_run_puts_them_in_place_of_the_first(
    night: HandmadeNight,
) -> None:
    path = night.layout.state / f"history/metrics/{SECOND}.parquet"
    write_report(night, lambda _: None)
    first = pl.read_parquet(path)
    assert first.columns == ["night", "table_id", "rule", "facility", "tested", "failed"]
    assert first.height == 4
    write_report(night, lambda _: None)
    assert pl.read_parquet(path).equals(first)


def test_tasks_stand_on_the_pages_of_facility_and_province(night: HandmadeNight) -> None:
    site = Path(write_report(night, lambda _: None)["site"]).parent
    facility = (site / "cskcb/79002.html").read_text("utf-8")
    province = (site / "tinh/79.html").read_text("utf-8")
    assert 'id="viec"' in facility and "Việc đang mở: 2, quá hạn 0" in facility
    assert "../cskcb/79002.html#viec" in province


@pytest.fixture
def reported(night: HandmadeNight) -> HandmadeNight:
    write_report(night, lambda _: None)
    results = night.layout.state / "results/checks.facilities.parquet"
    night.warehouse.write_parquet("SELECT * FROM checks.facilities", results)
    return night


def test_the_command_tells_what_a_province_owes(reported: HandmadeNight) -> None:
    found = list_tasks(reported.project, reported.layout.root, province="79")
    text = tasks_text(found)
    assert {t.rule.id for t in found.tasks} == {"VIS-901", "BOK-901"}
    assert text.index("VIS-901") < text.index("BOK-901")
    assert list_tasks(reported.project, reported.layout.root, province="01").tasks == []


def test_the_workbook_keeps_codes_as_text_and_never_computes(
    reported: HandmadeNight, tmp_path: Path
) -> None:
    path = tmp_path / "viec.xlsx"
    write_tasks(list_tasks(reported.project, reported.layout.root), path)
    frame = pl.read_excel(path)
    assert frame.columns[:3] == ["Trạng thái", "Mã cơ sở", "Tên cơ sở"]
    assert frame["Mã cơ sở"].to_list() == ["79002", "79002"]
    assert frame["Hạn sửa"].to_list()[0] == date(2026, 3, 10)


def test_counts_of_a_sensitive_database_are_printed_nowhere(
    reported: HandmadeNight, tmp_path: Path
) -> None:
    found = list_tasks(reported.project, reported.layout.root)
    task = found.tasks[0]
    secret = replace(found, sensitive=frozenset({task.tables[0].split(".")[0]}))
    assert found.counts(task) == (task.failed, task.tested)
    assert secret.counts(task) == (None, None)
    write_tasks(secret, tmp_path / "viec.xlsx")
    frame = pl.read_excel(tmp_path / "viec.xlsx").filter(pl.col("Quy tắc") == task.rule.id)
    assert frame["Bản ghi sai"].to_list() == [None] and frame["Đã kiểm"].to_list() == [None]
    assert "ẩn" in tasks_text(secret)


def test_a_value_that_looks_like_a_formula_stays_a_value(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    rows = [("=1+1", 5), ("http://x.vn", None), ("01001", None)]
    write_workbook(path, [Sheet("a", (Column("Mã"), Column("Số")), rows)])
    sheet = zipfile.ZipFile(io.BytesIO(path.read_bytes())).read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet and "hyperlink" not in sheet
    assert sheet.count('t="inlineStr"') == 5 and "autoFilter" in sheet and 'state="frozen"' in sheet
    once = path.read_bytes()
    write_workbook(path, [Sheet("a", (Column("Mã"), Column("Số")), rows)])
    assert path.read_bytes() == once
