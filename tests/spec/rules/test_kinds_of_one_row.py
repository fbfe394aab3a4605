"""Kinds that look at one row."""

from __future__ import annotations

from tests.spec.rules.conftest import Judge

VISIT = "kcb_emr.visit"
FACILITY = "facilities.facility"


def test_required_wants_a_value(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | so_cccd      | verdict
        a      | 079185012345 | kept
        b      |              | violated
        """,
        kind="required", field="so_cccd",
    )  # fmt: skip


def test_all_required_wants_every_one(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_noi_di | giay_chuyen_tuyen | verdict
        a      | 79002     | 1/79002           | kept
        b      | 79002     |                   | violated
        c      |           |                   | violated
        """,
        kind="all_required", fields=["ma_noi_di", "giay_chuyen_tuyen"],
    )  # fmt: skip


def test_one_of_required_is_content_with_one(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_ly_do_vnt | ly_do_vnt | verdict
        a      | 01           |           | kept
        b      |              | Sốt cao   | kept
        c      |              |           | violated
        """,
        kind="one_of_required", fields=["ma_ly_do_vnt", "ly_do_vnt"],
    )  # fmt: skip


def test_absent_wants_a_blank_and_when_says_where(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_doituong_kcb | ma_the_bhyt     | verdict
        a      | 9               |                 | kept
        b      | 9               | DN4790123456789 | violated
        c      | 1.1             | DN4790123456789 | not asked
        d      |                 | DN4790123456789 | not asked
        """,
        kind="absent", field="ma_the_bhyt", when="ma_doituong_kcb = '9'",
    )  # fmt: skip


def test_pattern_matches_the_whole_value(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_quoctich | verdict
        a      | 000         | kept
        b      | 0000        | violated
        c      | VN          | violated
        d      |             | not asked
        """,
        kind="pattern", field="ma_quoctich", matches="[0-9]{3}",
    )  # fmt: skip


def test_in_set_of_texts(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_loai_rv | verdict
        a      | 2          | kept
        b      | 7          | violated
        c      |            | not asked
        """,
        kind="in_set", field="ma_loai_rv", values=["2", "5"],
    )  # fmt: skip


def test_in_set_of_numbers_compares_numbers(judge: Judge) -> None:
    judge(
        "kcb_emr.service",
        """
        record | tyle_tt_dv | verdict
        a      | 30         | kept
        b      | 30.0       | kept
        c      | 45         | violated
        d      |            | not asked
        """,
        kind="in_set", field="tyle_tt_dv", values=["0", "30", "100"],
    )  # fmt: skip


def test_in_list_takes_the_contracts_list(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_dantoc | verdict
        a      | 55        | kept
        b      | 99        | violated
        c      |           | not asked
        """,
        kind="in_list", field="ma_dantoc",
    )  # fmt: skip


def test_each_in_list_looks_at_every_part(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_khoa | verdict
        a      | K1;K3   | kept
        b      | K1; K9  | violated
        c      |         | not asked
        """,
        kind="each_in_list", field="ma_khoa", list="MA_KHUVUC",
    )  # fmt: skip


def test_between_counts_both_ends(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | so_ngay_dtri | verdict
        a      | 0            | kept
        b      | 365          | kept
        c      | 366          | violated
        d      | -1           | violated
        e      |              | not asked
        """,
        kind="between", field="so_ngay_dtri", low="0", high="365",
    )  # fmt: skip


def test_between_dates(judge: Judge) -> None:
    judge(
        FACILITY,
        """
        record | ma_cskcb | ngay_hieu_luc | verdict
        a      | 79001    | 20190201      | kept
        b      | 79002    | 18990101      | violated
        """,
        kind="between", field="ngay_hieu_luc", low="1900-01-01",
    )  # fmt: skip


def test_a_missing_date_is_not_a_violation_of_not_after(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ngay_vao     | ngay_ra      | verdict
        -------+--------------+--------------+----------
        a      | 202603010800 | 202603010800 | kept
        b      | 202603010800 | 202602280800 | violated
        c      | 202603010800 |              | not asked
        """,
        kind="not_after", field="ngay_vao", other="ngay_ra",
    )  # fmt: skip


def test_not_after_compares_a_day_with_a_time_by_day(judge: Judge) -> None:
    judge(
        "kcb_emr.discharge",
        """
        record | ngay_ra      | ngay_ct  | verdict
        a      | 202603021000 | 20260302 | kept
        b      | 202603021000 | 20260301 | violated
        """,
        kind="not_after", field="ngay_ra", other="ngay_ct",
    )  # fmt: skip


def test_not_in_future_allows_the_night_itself(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | _night     | ngay_ra      | verdict
        a      | 2026-03-10 | 202603102359 | kept
        b      | 2026-03-10 | 202603110000 | violated
        c      | 2026-03-10 |              | not asked
        """,
        kind="not_in_future", field="ngay_ra",
    )  # fmt: skip


def test_event_not_in_future_asks_the_contract_for_the_event(judge: Judge) -> None:
    judge(
        "immunization.dose",
        """
        record | ma_mui_tiem | _night     | ngay_tiem | verdict
        a      | 1           | 2026-03-10 | 20260310  | kept
        b      | 2           | 2026-03-10 | 20260311  | violated
        c      | 3           | 2026-03-10 |           | not asked
        """,
        kind="event_not_in_future",
    )  # fmt: skip


def test_within_hours_counts_from_the_end_of_a_day_without_time(judge: Judge) -> None:
    judge(
        "immunization.dose",
        """
        record | ma_mui_tiem | _night     | ngay_tiem | verdict
        a      | 1           | 2026-03-10 | 20260309  | kept
        b      | 2           | 2026-03-10 | 20260308  | violated
        c      | 3           | 2026-03-10 |           | not asked
        """,
        kind="within_hours", field="ngay_tiem", hours="24",
    )  # fmt: skip


def test_within_hours_counts_from_the_minute_of_a_time(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | _night     | ngay_ra      | verdict
        a      | 2026-03-10 | 202603100000 | kept
        b      | 2026-03-10 | 202603092359 | violated
        """,
        kind="within_hours", field="ngay_ra", hours="24",
    )  # fmt: skip


def test_within_working_days_leaves_out_the_weekend(judge: Judge) -> None:
    # 2026-03-06 is a Friday.
    judge(
        VISIT,
        """
        record | _night     | ngay_ra      | verdict
        a      | 2026-03-09 | 202603061000 | kept
        b      | 2026-03-09 | 202603051000 | violated
        c      | 2026-03-08 | 202603061000 | kept
        d      | 2026-03-08 | 202603051000 | kept
        e      | 2026-03-09 | 202603071000 | kept
        f      | 2026-03-10 | 202603071000 | violated
        g      | 2026-03-09 |              | not asked
        """,
        kind="within_working_days", field="ngay_ra", days="1",
    )  # fmt: skip


def test_lengths_are_counted_in_characters(judge: Judge) -> None:
    hundred, more = "ệ" * 100, "ệ" * 101
    judge(
        VISIT,
        f"""
        record | ma_bn     | verdict
        a      | {hundred} | kept
        b      | {more}    | violated
        c      |           | kept
        """,
        kind="lengths",
    )  # fmt: skip


def test_gs1_check_digit(judge: Judge) -> None:
    judge(
        FACILITY,
        """
        record | ma_cskcb | gln           | verdict
        a      | 79001    | 4006381333931 | kept
        b      | 79002    | 4006381333932 | violated
        c      | 79003    | 400638133393  | violated
        d      | 79004    | 40063813339x1 | violated
        e      | 79005    |               | not asked
        """,
        kind="gs1_check_digit", field="gln",
    )  # fmt: skip


def test_expression_is_not_asked_where_it_is_null(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | t_bhtt | t_tongchi_bh | verdict
        a      | 80     | 100          | kept
        b      | 120    | 100          | violated
        c      |        | 100          | not asked
        """,
        kind="expression", holds="t_bhtt <= t_tongchi_bh", fields=["t_bhtt"],
    )  # fmt: skip


def test_when_that_is_null_does_not_ask(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | gioi_tinh | ma_benh_chinh | verdict
        a      | 1         | J18.9         | kept
        b      | 1         | O80.0         | violated
        c      | 2         | O80.0         | not asked
        d      |           | O80.0         | not asked
        """,
        kind="expression", holds="NOT starts_with(ma_benh_chinh, 'O')", fields=["ma_benh_chinh"],
        when="gioi_tinh = '1'",
    )  # fmt: skip


def test_a_rule_of_one_vintage_asks_only_its_files(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | _vintage | nhom_mau | verdict
        a      | 130      |          | not asked
        b      | 3176     |          | violated
        c      | 3176     | O+       | kept
        """,
        kind="required", field="nhom_mau", vintages=["4750", "3176"],
    )  # fmt: skip


def test_a_rule_in_force_from_a_day_asks_only_events_since(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ngay_ra      | mahuyen_cu_tru | verdict
        a      | 202506301000 | 760            | not asked
        b      | 202507011000 | 760            | violated
        c      | 202507011000 |                | kept
        d      |              | 760            | not asked
        """,
        kind="absent", field="mahuyen_cu_tru", valid_from="2025-07-01",
    )  # fmt: skip
