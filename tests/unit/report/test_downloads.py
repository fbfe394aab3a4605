"""Tables, workbooks and the meeting pack of a hand-made night: whole, typed, and as silent as the pages."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from report_night import CANARIES, FIRST, SECOND, HandmadeNight, make_night, text_of

from datasach.errors import DatasachError
from datasach.report import workbooks
from datasach.report.download_rows import told_kinds
from datasach.report.downloads import COLUMNS, TABLES, frame_of, offered, read_table
from datasach.report.pack import gather as gather_pack
from datasach.report.pack import write_pack
from datasach.report.site import write_report
from datasach.report.words import load_words
from datasach.spec.project import Project
from datasach.store.layout import Layout


@pytest.fixture(scope="module")
def written(report_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse whose night was reported once."""
    made = make_night(report_project, tmp_path_factory.mktemp("reported") / "out")
    write_report(made, lambda _: None)
    made.warehouse.close()
    made.ledger.close()
    return made.layout.root


@pytest.fixture
def reported(written: Path, report_project: Project, tmp_path: Path) -> Any:
    """A copy of it that a test may change."""
    shutil.copytree(written, tmp_path / "copy", symlinks=True)
    return SimpleNamespace(project=report_project, layout=Layout(tmp_path / "copy"))


@pytest.fixture
def data(reported: Any) -> Path:
    return Path(reported.layout.root / "reports" / SECOND / "data")


def test_every_table_is_there_in_both_forms_and_they_say_the_same(data: Path) -> None:
    for table in TABLES.values():
        folders = [data] if table.scope != "province" else []
        folders += (
            [data / "tinh" / place for place in ("01", "79")] if table.scope != "nation" else []
        )
        for folder in folders:
            exact = pl.read_parquet(folder / f"{table.id}.parquet")
            human = pl.read_csv(folder / f"{table.id}.csv", infer_schema=False)
            assert exact.columns == human.columns == list(table.columns)
            assert exact.height == human.height
            assert (folder / f"{table.id}.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_every_column_is_explained_in_both_languages(data: Path) -> None:
    told = pl.read_csv(data / "cot.csv", infer_schema=False)
    assert {(t.id, c) for t in TABLES.values() for c in t.columns} == set(
        told.select("table", "column").iter_rows()
    )
    assert told.null_count().sum_horizontal().item() == 0
    assert set(COLUMNS) == {c for t in TABLES.values() for c in t.columns}


def test_departments_parts_add_up_to_the_nations_table(data: Path) -> None:
    for table in ("facilities", "tasks", "channels"):
        parts = pl.concat(
            [pl.read_parquet(p) for p in sorted((data / "tinh").glob(f"*/{table}.parquet"))]
        )
        assert sorted(map(str, parts.rows())) == sorted(
            map(str, pl.read_parquet(data / f"{table}.parquet").rows())
        )


def test_small_counts_are_hidden_with_those_they_could_be_worked_out_from(data: Path) -> None:
    """3 HIV records at 01001, 31 and 17 in province 79: the three of 01 hide, and with them 79's sum."""
    nation = pl.read_parquet(data / "databases.parquet").filter(pl.col("database") == "prevention")
    rows = pl.concat(
        [pl.read_parquet(p) for p in sorted((data / "tinh").glob("*/databases.parquet"))]
    )
    told = {
        w: n
        for w, n, s in rows.filter(pl.col("database") == "prevention")
        .select("whose", "records", "suppressed")
        .iter_rows()
        if not s
    }
    hidden = {
        w
        for w, s in rows.filter(pl.col("database") == "prevention")
        .select("whose", "suppressed")
        .iter_rows()
        if s
    }
    assert nation["records"].to_list() == [51]
    assert {"01001", "01", "79"} <= hidden
    # What is told of facilities must leave two unknowns in every sum.
    assert 3 not in told.values() and 51 - sum(v for k, v in told.items() if len(k) == 5) != 3
    shares = pl.read_parquet(data / "scores.parquet").filter(pl.col("database") == "prevention")
    assert not {"01001", "01", "79"} & set(shares["whose"])


def test_kinds_never_tell_how_many_rows_of_a_sensitive_database_came(
    report_project: Project,
) -> None:
    verdicts = load_words(report_project.root).verdicts
    sent = [
        (FIRST, "kcb_emr", 100), (FIRST, "devices", 7), (FIRST, "prevention", 2),
        (SECOND, "kcb_emr", 100), (SECOND, "prevention", 9), (SECOND, "births_deaths", 1),
    ]  # fmt: skip
    rows = frame_of("kinds", (("01001", when, kind, n, n, 0, 0, 0, 0) for when, kind, n in sent))
    frame = told_kinds(rows, verdicts.sensitive, verdicts.small_cell)
    found = {(str(d), k): n for d, k, n in frame.select("night", "kind", "read").iter_rows()}
    assert found == {
        (FIRST, "kcb_emr"): 100, (FIRST, "khac"): 9,  # the smallest other kind hides the two
        (SECOND, "kcb_emr"): 100, (SECOND, "khac"): 10,
    }  # fmt: skip


def test_tasks_of_a_sensitive_database_have_no_numbers(report_project: Project) -> None:
    rule = report_project.rules[0]
    task = SimpleNamespace(tables=("prevention.hiv",))
    from datasach.report.tasks import Task

    assert Task.tells_of(task, ["prevention"])  # type: ignore[arg-type]
    assert not Task.tells_of(SimpleNamespace(tables=(rule.table,)), ["prevention"])  # type: ignore[arg-type]


def test_links_lead_to_the_part_of_the_page() -> None:
    assert offered("facilities", None) == "data/facilities"
    assert offered("facilities", "79") == "data/tinh/79/facilities"
    assert offered("gate", "79") == "data/gate"
    with pytest.raises(KeyError):
        offered("evenings", None)
    with pytest.raises(KeyError):
        offered("facilitie", None)


def test_an_older_site_still_answers(data: Path) -> None:
    """A column that site did not have is null; a table it did not have is empty."""
    path = data / "facilities.parquet"
    pl.read_parquet(path).drop("tasks").write_parquet(path)
    assert (
        read_table(data, "facilities")["tasks"].null_count()
        == read_table(data, "facilities").height
        > 0
    )
    (data / "silent.parquet").unlink()
    assert read_table(data, "silent").is_empty()


# -- workbooks -------------------------------------------------------------------------------------


def test_a_departments_workbook_says_what_it_is_and_keeps_its_head(data: Path) -> None:
    path = data / "tinh/79/so-lieu-79.xlsx"
    about = pl.read_excel(path, sheet_name="Giới thiệu")
    text = about.write_csv()
    for said in (
        "Thành phố Hồ Chí Minh",
        "03/03/2026",
        "Mẫu số",
        "Số bị ẩn",
        "denominator",
        "Trang “Cơ sở”",
    ):
        assert said in text
    with zipfile.ZipFile(path) as book:
        sheet = book.read("xl/worksheets/sheet2.xml").decode()
    assert (
        'state="frozen"' in sheet
        and 'topLeftCell="B3"' in sheet
        and '<autoFilter ref="A2:' in sheet
    )
    frame = pl.read_excel(path, sheet_name="Cơ sở", has_header=False)
    assert frame.row(0)[:2] == ("Mã cơ sở", "Tên cơ sở") and frame.row(1)[:2] == (
        "Facility code",
        "Facility",
    )
    assert set(frame[2:, 0]) == {"79002", "79004", "74003"}


def test_a_facilitys_workbook_has_its_rows_alone(data: Path) -> None:
    path = data / "cskcb/so-lieu-79002.xlsx"
    text = text_of(path)
    assert "79002" in text and "VIS-901" in text
    assert "01001" not in text and "74003" not in text
    assert not (data / "cskcb/so-lieu-74003.xlsx").exists()


def test_where_facilities_are_many_their_workbooks_are_made_when_asked_for(
    night: HandmadeNight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbooks, "FACILITY_BOOKS", 2)
    site = Path(write_report(night, lambda _: None)["site"]).parent
    assert not (site / "data/cskcb").exists()
    assert "so-lieu" not in (site / "cskcb/79002.html").read_text("utf-8")
    made = workbooks.write_one(
        night.project, night.layout.root, None, None, "79002", tmp_path / "a.xlsx"
    )
    assert pl.read_excel(made, sheet_name="Giới thiệu").height > 5
    with pytest.raises(DatasachError, match="no such facility"):
        workbooks.write_one(
            night.project, night.layout.root, None, None, "99999", tmp_path / "b.xlsx"
        )
    with pytest.raises(DatasachError, match="has not been reported"):
        workbooks.write_one(
            night.project, night.layout.root, FIRST, "79", None, tmp_path / "b.xlsx"
        )


def test_a_long_sheet_is_cut_and_says_so(
    data: Path, reported: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbooks, "NIGHTLY_ROWS", 1)
    workbooks.write_workbooks(data, reported.project, load_words(reported.project.root), SECOND)
    path = data / "tinh/79/so-lieu-79.xlsx"
    assert (
        "3 dòng, ở đây 1 dòng đầu; đủ trong facilities.csv"
        in pl.read_excel(path, sheet_name="Giới thiệu").write_csv()
    )
    assert pl.read_excel(path, sheet_name="Cơ sở", has_header=False).height == 3


# -- the meeting pack ------------------------------------------------------------------------------


def last_week(night: Any) -> None:
    """The first night's history as if it had been reported with one task less and one more."""
    for kind in ("metrics", "failures", "arrivals", "scores", "rules"):
        home = night.layout.state / "history" / kind
        frame = pl.read_parquet(home / f"{SECOND}.parquet").with_columns(night=pl.lit(FIRST))
        if kind == "failures":
            frame = frame.filter(pl.col("rule") != "VIS-901")
        frame.write_parquet(home / f"{FIRST}.parquet")


def test_a_pack_names_defects_debtors_and_what_moved_since(reported: Any, data: Path) -> None:
    last_week(reported)
    words = load_words(reported.project.root)
    pack = gather_pack(reported.project, words, reported.layout.root, None, "79", None)
    assert pack.since == FIRST and pack.bridge is not None
    assert (
        pack.bridge.before + pack.bridge.opened - pack.bridge.closed
        == pack.bridge.now
        == len(pack.tasks)
    )
    assert (pack.bridge.before, pack.bridge.opened) == (1, 1)
    assert [d.rule.id for d in pack.defects] == ["VIS-901", "BOK-901"]
    assert [(d.facility, d.tasks) for d in pack.debtors()] == [("79002", 2)]
    assert pack.silent["facility"].to_list() == ["74003", "79002"]
    page, book = write_pack(reported.project, reported.layout.root, SECOND, "79", None, None)
    text = page.read_text("utf-8")
    assert "Thành phố Hồ Chí Minh" in text and "VIS-901" in text and "01001" not in text
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)
    assert "Ai nợ gì từ bao giờ" in text_of(book)


def test_a_pack_of_the_nation_and_of_the_first_night_has_nothing_to_compare_with(
    reported: Any, data: Path
) -> None:
    page, book = write_pack(reported.project, reported.layout.root, None, None, None, None)
    text = page.read_text("utf-8")
    assert "Toàn quốc" in text and "Chưa có kỳ trước" in text
    for path in (page, book):
        assert not any(canary in text_of(path) for canary in CANARIES)
    with pytest.raises(DatasachError):
        write_pack(reported.project, reported.layout.root, None, "99", None, None)


def test_a_pack_hides_what_would_tell_of_a_sensitive_database(reported: Any, data: Path) -> None:
    """What the site's tables hide stays hidden: BOK-901 as if it were broken in a sensitive database alone."""
    path = data / "tinh/79/failing.parquet"
    mine = pl.col("rule") == "BOK-901"
    pl.read_parquet(path).with_columns(
        suppressed=mine,
        failed=pl.when(~mine).then(pl.col("failed")),
        held=pl.when(~mine).then(pl.col("held")),
    ).write_parquet(path)
    pack = gather_pack(
        reported.project, load_words(reported.project.root), reported.layout.root, None, "79", None
    )
    assert {d.rule.id: d.failed for d in pack.defects} == {"BOK-901": None, "VIS-901": 2}
