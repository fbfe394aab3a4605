"""What moved, and why: silence on few nights, few alarms on ordinary ones, and a reason for every score."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest
from report_night import SECOND, HandmadeNight

from datasach.report.counts import Share
from datasach.report.odds import count_tail, share_tail
from datasach.report.site import write_report
from datasach.report.trends import Driver, Facts, explain, what_changed
from datasach.spec.contract import Title

BEFORE = Facts("2026-03-02", "a" * 64, "0.1.0", "i1", 120)
NAME = Title(vi="Điểm đúng", en="Score “correct”")


@pytest.mark.parametrize(
    ("after", "cause", "vi", "en"),
    [
        (BEFORE._replace(night=SECOND, inputs="i2", files=150), "data", "đã đổi dữ liệu (+30 tệp)", "changed: data (+30 files)"),
        (BEFORE._replace(night=SECOND, fingerprint="b" * 64), "rules",
         "đã đổi quy tắc, khai báo (aaaaaaaa → bbbbbbbb)", "changed: rules and declarations (aaaaaaaa → bbbbbbbb)"),
        (BEFORE._replace(night=SECOND, version="0.2.0"), "code", "đã đổi phần mềm (0.1.0 → 0.2.0)", "changed: code (0.1.0 → 0.2.0)"),
    ],
    ids=["data", "rule", "code"],
)  # fmt: skip
def test_a_score_that_moves_is_explained_by_what_changed(
    after: Facts, cause: str, vi: str, en: str
) -> None:
    said = explain(NAME, Share(980, 1000), Share(950, 1000), (BEFORE, after), None)
    assert what_changed(BEFORE, after) == (cause,)
    assert vi in said.vi and en in said.en
    assert "98,0\xa0% → 95,0\xa0%" in said.vi and "98.0% → 95.0%" in said.en


def test_everything_that_changed_is_named_and_the_rule_that_weighs_most() -> None:
    after = Facts(SECOND, "b" * 64, "0.2.0", "i2", 121)
    driver = Driver("ID-012", "kcb_emr.visit", None, 412)
    said = explain(NAME, Share(98, 100), Share(90, 100), (BEFORE, after), driver)
    assert what_changed(BEFORE, after) == ("data", "rules", "code")
    assert "ID-012 trên kcb_emr.visit: chưa hỏi → 412 vi phạm" in said.vi
    assert "not asked → 412 failures" in said.en


def test_a_share_that_falls_out_of_its_own_history_is_rare_and_one_that_does_not_is_not() -> None:
    past = [(98, 100), (97, 100), (99, 100), (98, 100), (96, 100), (98, 100)]
    assert share_tail(past, 60, 100) < 0.001
    assert share_tail(past, 96, 100) > 0.05


def test_a_share_that_always_jumps_about_is_no_alarm() -> None:
    past = [(90, 100), (40, 100), (75, 100), (20, 100), (60, 100), (95, 100)]
    assert share_tail(past, 25, 100) > 0.01


def test_a_volume_that_collapses_is_rare_and_an_ordinary_night_is_not() -> None:
    past = [1000, 950, 1100, 980, 1020, 1050]
    assert count_tail(past, 100) < 0.001
    assert count_tail(past, 5_000) < 0.001
    assert count_tail(past, 930) > 0.01
    assert count_tail([100, 900, 150, 1200, 80, 700], 60) > 0.01


def test_ordinary_nights_raise_few_false_alarms() -> None:
    """Two thousand series whose rate itself varies: at p < 0.001 with fourteen nights, about ten may be wrong."""
    chance = random.Random(7)
    alarms = 0
    for _ in range(2_000):
        rates = [min(0.99, max(0.01, chance.betavariate(18, 2))) for _ in range(15)]
        counts = [(sum(chance.random() < rate for _ in range(60)), 60) for rate in rates]
        k, n = counts[-1]
        usual = sum(c for c, _ in counts[:-1]) / sum(o for _, o in counts[:-1])
        if abs(k - usual * n) >= 5 and share_tail(counts[:-1], k, n) < 0.001:
            alarms += 1
    assert alarms <= 10


# -- on a night ------------------------------------------------------------------------------------


def put(night: HandmadeNight, kind: str, when: str, frame: pl.DataFrame) -> None:
    path = night.layout.state / f"history/{kind}/{when}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.select(pl.lit(when).alias("night"), pl.all()).write_parquet(path)


def told(night: HandmadeNight) -> tuple[str, str]:
    """(national page, page of 79002) after a report."""
    site = Path(write_report(night, lambda _: None)["site"]).parent
    return (site / "index.html").read_text("utf-8"), (site / "cskcb/79002.html").read_text("utf-8")


def with_rows_tonight(night: HandmadeNight, filled: int, of: int) -> None:
    """`of` visits of 79002 come tonight, `filled` of them with a number."""
    columns = night.warehouse.rows("DESCRIBE standard.kcb_emr__visit")
    given = {
        "so_cccd": f"CASE WHEN i < {filled} THEN '0' END", "_night": f"DATE '{SECOND}'", "_facility": "'79002'",
    }  # fmt: skip
    listed = ", ".join(
        f'CAST({given.get(n, "NULL")} AS {kind}) AS "{n}"' for n, kind, *_ in columns
    )
    night.warehouse.execute(
        f"CREATE OR REPLACE VIEW standard.kcb_emr__visit AS SELECT {listed} FROM range({of}) t(i)"
    )


def nights_before(night: HandmadeNight, count: int) -> None:
    for day in range(count):
        when = f"2026-02-{20 + day}"
        put(
            night,
            "arrivals",
            when,
            pl.DataFrame(
                {"table_id": ["kcb_emr.visit"], "facility": ["79002"], "rows": [400 + day]}
            ),
        )
        put(night, "signals", when, pl.DataFrame({
            "signal": ["filled:kcb_emr.visit.so_cccd"], "facility": ["79002"], "numerator": [396], "denominator": [400 + day],
        }))  # fmt: skip
        put(night, "facts", when, pl.DataFrame({
            "fingerprint": [night.project.fingerprint], "version": ["0.0.1"], "inputs": ["x"], "files": [3],
        }))  # fmt: skip


def test_a_field_that_is_suddenly_blank_and_a_volume_that_drops_are_told(
    night: HandmadeNight,
) -> None:
    nights_before(night, 6)
    with_rows_tonight(night, filled=20, of=40)
    national, facility = told(night)
    for page in (national, facility):
        assert "Tỷ lệ có giá trị của kcb_emr.visit.so_cccd: thường 98," in page
        assert "Số dòng nhận giảm từ khoảng" in page
    assert 'id="khac-thuong"' in facility and 'id="thay-doi"' in national


def test_four_nights_of_history_say_nothing(night: HandmadeNight) -> None:
    nights_before(night, 4)
    with_rows_tonight(night, filled=20, of=40)
    _, facility = told(night)
    assert 'id="khac-thuong"' not in facility


def test_an_ordinary_night_says_nothing(night: HandmadeNight) -> None:
    nights_before(night, 6)
    with_rows_tonight(night, filled=392, of=398)
    _, facility = told(night)
    assert 'id="khac-thuong"' not in facility


def test_the_national_page_says_why_a_score_moved(night: HandmadeNight) -> None:
    nights_before(night, 1)
    put(night, "scores", "2026-02-20", pl.DataFrame({
        "database": ["kcb_emr"], "facility": ["01001"], "pillar": ["dung"], "numerator": [126.0], "denominator": [126.0],
    }))  # fmt: skip
    put(night, "metrics", "2026-02-20", pl.DataFrame({
        "table_id": ["kcb_emr.visit"], "rule": ["VIS-901"], "facility": ["01001"], "tested": [42], "failed": [0],
    }))  # fmt: skip
    national, _ = told(night)
    assert "100\xa0% → 94,3\xa0%; đã đổi dữ liệu" in national
    assert "Nhiều nhất do VIS-901 trên kcb_emr.visit: 0 → 2 vi phạm." in national
