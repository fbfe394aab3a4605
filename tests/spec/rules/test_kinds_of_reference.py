"""Kinds that look a value up in a reference list."""

from __future__ import annotations

from tests.spec.rules.conftest import Judge

VISIT = "kcb_emr.visit"


def test_icd_shaped_forgives_the_missing_dot_and_the_dagger(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_benh_kt     | verdict
        a      | I10;E119;a17.0+| kept
        b      | I10; tiểu đường| violated
        c      | I1             | violated
        d      |                | not asked
        """,
        kind="icd_shaped", field="ma_benh_kt",
    )  # fmt: skip


def test_icd_not_flagged_looks_at_every_code(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_benh_kt | verdict
        a      | I10;A09.0  | kept
        b      | I10;A09    | violated
        c      |            | not asked
        """,
        kind="icd_not_flagged", field="ma_benh_kt", flag="more_specific_exists",
    )  # fmt: skip


def test_icd_listed_asks_whether_a_code_exists(judge: Judge) -> None:
    """A longer code is asked by its first four characters; what is no code is another rule's business."""
    judge(
        VISIT,
        """
        record | ma_benh_kt | verdict
        a      | I10;E11.9  | kept
        b      | I10;K99.9  | violated
        c      | S72.00     | kept
        d      | VIEM PHOI  | kept
        e      |            | not asked
        """,
        kind="icd_listed", field="ma_benh_kt",
    )  # fmt: skip


def test_in_reference_of_a_part_of_the_value(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_the_bhyt     | verdict
        a      | DN4790123456789 | kept
        b      | DN1790123456789 | violated
        c      | ZZ4790123456789 | violated
        d      | CN2790123456789 | kept
        e      |                 | not asked
        """,
        kind="in_reference", field="insurance_card", list="bhyt_object_codes",
        columns=["code", "usual_benefit_char"], start="1", length="3", also=["CN2"],
    )  # fmt: skip


def test_in_reference_does_not_ask_a_value_that_is_too_short(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_cskcb | verdict
        a      | 79001    | kept
        b      | 03001    | violated
        c      | 7        | not asked
        """,
        kind="in_reference", field="ma_cskcb", list="provinces", columns=["old_gso_code"], length="2",
    )  # fmt: skip


def test_commune_in_province_after_conversion(judge: Judge) -> None:
    # 00007 was Cống Vị, split in 2025 between two communes of Hà Nội; 00004 is a commune of today.
    judge(
        VISIT,
        """
        record | matinh_cu_tru | maxa_cu_tru | ngay_ra      | verdict
        a      | 01            | 00004       | 202603010900 | kept
        b      | 79            | 00004       | 202603010900 | violated
        c      | 01            | 00007       | 202503010900 | kept
        d      | 01            |             | 202603010900 | not asked
        e      |               | 00004       | 202603010900 | not asked
        """,
        kind="commune_in_province",
    )  # fmt: skip


def test_address_in_province_reads_only_a_province_at_the_end(judge: Judge) -> None:
    judge(
        "kcb_emr.visit",
        """
        record | ma_lk | matinh_cu_tru | maxa_cu_tru | ngay_ra      | dia_chi                          | verdict
        a      | 1     | 01            | 00004       | 202603011000 | Số 1, phường Ba Đình, Hà Nội     | kept
        b      | 2     | 01            | 00004       | 202603011000 | Số 1, phường Ba Đình, TP. HÀ NỘI | kept
        c      | 3     | 01            | 00004       | 202603011000 | Số 1, xã X, tỉnh Lào Cai         | violated
        d      | 4     | 01            | 00004       | 202603011000 | Số 1, xã X, Yên Bái              | violated
        e      | 5     | 15            |             | 202603011000 | Số 1, xã X, Yên Bái              | kept
        f      | 6     | 01            | 00004       | 202603011000 | Thôn 3, xã Lào Cai mới           | not asked
        g      | 7     |               |             | 202603011000 | Số 1, Lào Cai                    | not asked
        h      | 8     | 01            | 00004       | 202603011000 |                                  | not asked
        """,
        kind="address_in_province", field="dia_chi",
    )  # fmt: skip
