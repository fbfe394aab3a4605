"""Kinds that compare records of one table with each other."""

from __future__ import annotations

from tests.spec.rules.conftest import Judge

VISIT = "kcb_emr.visit"
DOSE = "immunization.dose"


def test_unique_flags_every_member_of_a_group(judge: Judge) -> None:
    judge(
        "kcb_emr.drug",
        """
        record | ma_lk | stt | verdict
        a      | A     | 1   | violated
        b      | A     | 1   | violated
        c      | A     | 1   | violated
        d      | A     | 2   | kept
        e      | B     | 1   | kept
        f      | A     |     | not asked
        """,
        kind="unique", fields=["_key", "stt"],
    )  # fmt: skip


def test_unique_by_person_and_day_compares_only_records_of_its_when(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | _person | ma_lk | ma_loai_kcb | ngay_vao     | verdict
        a      | P1      | A     | 01          | 202603010800 | violated
        b      | P1      | B     | 01          | 202603011500 | violated
        c      | P1      | C     | 03          | 202603010900 | not asked
        d      | P1      | D     | 01          | 202603020800 | kept
        e      | P2      | E     | 01          | 202603010800 | kept
        """,
        kind="unique", fields=["person_id"], day="ngay_vao", when="ma_loai_kcb = '01'",
    )  # fmt: skip


def test_same_within_flags_all_and_compares_no_blank(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_lk | ma_bn | gioi_tinh | verdict
        a      | A     | BN1   | 1         | violated
        b      | B     | BN1   | 2         | violated
        c      | C     | BN1   |           | not asked
        d      | D     | BN2   | 1         | kept
        e      | E     | BN2   |           | not asked
        f      | F     |       | 2         | not asked
        """,
        kind="same_within", by=["_facility", "patient_code"], field="sex",
    )  # fmt: skip


def test_same_within_a_person(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | _person | ma_lk | nhom_mau | verdict
        a      | P1      | A     | O+       | violated
        b      | P1      | B     | A+       | violated
        c      | P2      | C     | O+       | kept
        """,
        kind="same_within", by=["person_id"], field="nhom_mau",
    )  # fmt: skip


def test_at_most_within_counts_different_values(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | _person | ma_lk | dien_thoai | verdict
        a      | P1      | A     | 0903123456 | violated
        b      | P2      | B     | 0903123456 | violated
        c      | P3      | C     | 0903123456 | violated
        d      | P1      | D     | 0912345678 | kept
        e      | P1      | E     | 0912345678 | kept
        f      | P4      | F     |            | not asked
        """,
        kind="at_most_within", by=["phone"], of="person_id", limit="2",
    )  # fmt: skip


def test_no_overlap_flags_both_and_lets_one_begin_where_another_ends(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | _person | ma_lk | ngay_vao     | ngay_ra      | verdict
        -------+---------+-------+--------------+--------------+----------
        a      | P1      | A     | 202603010800 | 202603040800 | violated
        b      | P1      | B     | 202603030800 | 202603050800 | violated
        c      | P1      | C     | 202603050800 | 202603060800 | kept
        d      | P2      | D     | 202603010800 | 202603100800 | violated
        e      | P2      | E     | 202603020800 | 202603030800 | violated
        f      | P2      | F     | 202603080800 | 202603090800 | violated
        g      | P3      | G     | 202603010800 |              | not asked
        """,
        kind="no_overlap", by=["person_id"], start="ngay_vao", end="ngay_ra",
    )  # fmt: skip


def test_in_order_flags_the_dose_that_came_too_soon(judge: Judge) -> None:
    judge(
        DOSE,
        """
        record | _person | ma_mui_tiem | ma_vac_xin | mui_thu | ngay_tiem | verdict
        a      | P1      | 1           | IPV        | 1       | 20260101  | kept
        b      | P1      | 2           | IPV        | 2       | 20260110  | violated
        c      | P1      | 3           | IPV        | 3       | 20260301  | kept
        d      | P1      | 4           | BCG        | 2       | 20260102  | kept
        e      | P2      | 5           | IPV        | 2       | 20260102  | kept
        f      | P1      | 6           | IPV        |         | 20260102  | not asked
        """,
        kind="in_order", by=["person_id", "ma_vac_xin"], number="mui_thu", date="ngay_tiem", days="21",
    )  # fmt: skip


def test_in_order_is_not_misled_by_a_dose_entered_twice(judge: Judge) -> None:
    judge(
        DOSE,
        """
        record | _person | ma_mui_tiem | ma_vac_xin | mui_thu | ngay_tiem | verdict
        a      | P1      | 1           | IPV        | 1       | 20260101  | kept
        b      | P1      | 2           | IPV        | 2       | 20260110  | violated
        c      | P1      | 3           | IPV        | 2       | 20260110  | violated
        """,
        kind="in_order", by=["person_id", "ma_vac_xin"], number="mui_thu", date="ngay_tiem", days="21",
    )  # fmt: skip


def test_not_during_a_stay_elsewhere(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | _person | _facility | ma_lk | ma_loai_kcb | ngay_vao     | ngay_ra      | verdict
        a      | P1      | 79001     | A     | 03          | 202603010800 | 202603050800 | not asked
        b      | P1      | 79002     | B     | 01          | 202603030800 | 202603030900 | violated
        c      | P1      | 79001     | C     | 01          | 202603030800 | 202603030900 | kept
        d      | P1      | 79002     | D     | 01          | 202603050800 | 202603050900 | kept
        e      | P2      | 79002     | E     | 01          | 202603030800 | 202603030900 | kept
        """,
        kind="not_during", field="ngay_vao", by=["person_id"], table="XML1", start="ngay_vao",
        end="ngay_ra", where="ma_loai_kcb = '03'", when="ma_loai_kcb = '01'",
    )  # fmt: skip


def test_not_extreme_measures_from_the_middle_of_its_group(judge: Judge) -> None:
    judge(
        "bhyt_claims.claim",
        """
        record | ma_lk | ma_benh_chinh | t_tongchi_bv | verdict
        a      | 1     | J06.9         | 100000       | kept
        b      | 2     | J06.9         | 120000       | kept
        c      | 3     | J06.9         | 150000       | kept
        d      | 4     | J06.9         | 90000        | kept
        e      | 5     | J06.9         | 90000000     | violated
        f      | 6     | J06.9         | 100          | violated
        g      | 7     | J06.9         | 0            | not asked
        h      | 8     | J06.9         |              | not asked
        i      | 9     | I10           | 90000000     | not asked
        """,
        kind="not_extreme", field="t_tongchi_bv", by=["ma_benh_chinh"], least="6", limit="6",
    )  # fmt: skip
