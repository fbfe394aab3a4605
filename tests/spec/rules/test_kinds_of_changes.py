"""Kinds that ask what had to be changed when the record was standardised."""

from __future__ import annotations

from tests.spec.rules.conftest import Judge

VISIT = "kcb_emr.visit"


def test_readable_tells_an_unreadable_value_from_a_blank(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | dien_thoai | verdict
        a      | 0903123456 | kept
        b      | 0123       | violated
        c      |            | not asked
        """,
        kind="readable", field="phone",
    )  # fmt: skip


def test_readable_takes_the_tables_own_field_for_a_part_of_the_identity(judge: Judge) -> None:
    judge(
        "births_deaths.birth",
        """
        record | so | ngaysinh_nnd | verdict
        a      | 1  | 19950312     | kept
        b      | 2  | hôm qua      | violated
        c      | 3  |              | not asked
        """,
        kind="readable", field="born",
    )  # fmt: skip


def test_all_readable_asks_every_row(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | t_thuoc | so_ngay_dtri | ngay_ra | verdict
        a      | 1234.5  | 2            |         | kept
        b      | 1.234,5 | 2            |         | violated
        c      |         | hai          |         | violated
        d      |         |              | hôm qua | kept
        """,
        kind="all_readable", types=["integer", "decimal"],
    )  # fmt: skip


def test_sent_clean_finds_one_reason_among_several(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ho_ten             | verdict
        a      | Nguyễn Thị Hòa     | kept
        b      | Nguyễn Thị Hoà     | violated
        c      | BN Nguyễn Thị Hoà  | violated
        d      | BN Nguyễn Thị Hòa  | kept
        e      |                    | not asked
        """,
        kind="sent_clean", reasons=["tone_placement"], fields=["full_name"],
    )  # fmt: skip


def test_sent_clean_without_fields_looks_at_the_whole_row(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ho_ten         | dia_chi      | verdict
        a      | Trần Văn Bình  | Số 1         | kept
        b      | Trần Văn Bình  | Số  1,  ấp 2 | violated
        """,
        kind="sent_clean", reasons=["blanks"],
    )  # fmt: skip
