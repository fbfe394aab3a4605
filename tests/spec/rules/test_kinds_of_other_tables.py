"""Kinds that look at records of other tables."""

from __future__ import annotations

from tests.spec.rules.conftest import Judge

VISIT, DRUG, SERVICE, NOTE = "kcb_emr.visit", "kcb_emr.drug", "kcb_emr.service", "kcb_emr.note"
DEATH = "births_deaths.death"


def test_exists_in_a_register(judge: Judge) -> None:
    judge(
        DRUG,
        """
        record | so_dang_ky | verdict
        a      | VD-1-12    | kept
        b      | VD-9-12    | violated
        c      |            | not asked
        """,
        beside={
            "drugs.drug": """
            so_dang_ky | ten_thuoc
            VD-1-12    | Para
            VD-2-12    | Amo
            """
        },
        kind="exists_in", fields=["so_dang_ky"], table="drugs.drug",
    )  # fmt: skip


def test_while_a_register_is_empty_nobody_is_asked(judge: Judge) -> None:
    judge(
        DRUG,
        """
        record | so_dang_ky | verdict
        a      | VD-1-12    | not asked
        """,
        kind="exists_in", fields=["so_dang_ky"], table="drugs.drug",
    )  # fmt: skip


def test_exists_in_waits_for_the_other_side(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_lk | _night     | ngay_ra      | verdict
        a      | A     | 2026-03-10 | 202603081000 | violated
        b      | B     | 2026-03-10 | 202603091000 | not asked
        c      | C     | 2026-03-10 | 202603081000 | kept
        """,
        beside={
            "prevention.case": """
            ma_ca | ma_lk | ma_cskcb
            1     | C     | 79001
            """
        },
        kind="exists_in", fields=["_key"], table="prevention.case", other_fields=["_unit_key"],
        since="ngay_ra", days="2",
    )  # fmt: skip


def test_exists_in_for_a_person(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | _person | ma_lk | verdict
        a      | P1      | A     | kept
        b      | P2      | B     | violated
        """,
        beside={
            "referral_reexam.appointment": """
            _person | ma_lk | so_giayhen_kl
            P1      | Z     | 1
            """
        },
        kind="exists_in", fields=["person_id"], table="referral_reexam.appointment",
    )  # fmt: skip


def test_each_exists_in_looks_at_every_part(judge: Judge) -> None:
    judge(
        SERVICE,
        """
        record | nguoi_thuc_hien | verdict
        a      | 1;2             | kept
        b      | 1; 3            | violated
        c      |                 | not asked
        """,
        beside={
            "practitioners.practitioner": """
            so_gphn | ho_ten
            1       | An
            2       | Bình
            """
        },
        kind="each_exists_in", field="nguoi_thuc_hien", table="practitioners.practitioner",
        other_field="so_gphn",
    )  # fmt: skip


def test_valid_on_asks_existence_and_both_ends(judge: Judge) -> None:
    judge(
        DRUG,
        """
        record | ma_bac_si | ngay_yl      | verdict
        a      | 1         | 202603010900 | kept
        b      | 1         | 201903010900 | violated
        c      | 1         | 203003010900 | violated
        d      | 2         | 203003010900 | kept
        e      | 3         | 202603010900 | violated
        f      |           | 202603010900 | not asked
        g      | 1         |              | not asked
        """,
        beside={
            "practitioners.practitioner": """
            so_gphn | ngay_cap | ngay_het_han
            1       | 20240615 | 20290615
            2       | 20240615 |
            """
        },
        kind="valid_on", field="ma_bac_si", on="ngay_yl", table="practitioners.practitioner",
        other_field="so_gphn", begins="ngay_cap", ends="ngay_het_han",
    )  # fmt: skip


def test_known_facility_by_present_or_former_code(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_dkbd     | verdict
        a      | 79101       | kept
        b      | 74001       | kept
        c      | 79101;79999 | violated
        d      |             | not asked
        """,
        beside={
            "facilities.facility": """
            ma_cskcb | ma_cskcb_cu
            79101    | 74001
            """
        },
        kind="known_facility", field="ma_dkbd",
    )  # fmt: skip


def test_known_facility_on_a_day(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_noi_den | ngay_ra      | verdict
        a      | 79101      | 202603010900 | kept
        b      | 79101      | 202503010900 | violated
        c      | 74001      | 202503010900 | kept
        d      | 74001      | 202603010900 | violated
        e      | 79102      | 202603010900 | violated
        f      | 79103      | 202603010900 | kept
        g      |            | 202603010900 | not asked
        """,
        beside={
            "facilities.facility": """
            ma_cskcb | ma_cskcb_cu | ngay_hieu_luc | ngay_het_hieu_luc
            79101    | 74001       | 20250701      |
            79102    |             | 20190201      | 20251231
            79103    |             |               |
            """
        },
        kind="known_facility", field="ma_noi_den", on="ngay_ra",
    )  # fmt: skip


def test_has_lines_and_a_condition_on_them(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_lk | t_vtyt | verdict
        a      | A     | 700    | kept
        b      | B     | 700    | violated
        c      | C     | 700    | violated
        d      | D     | 0      | not asked
        """,
        beside={
            SERVICE: """
            ma_lk | stt | ma_vat_tu
            A     | 1   | N03
            B     | 1   |
            """
        },
        kind="has_lines", table="XML3", where="ma_vat_tu IS NOT NULL", when="t_vtyt > 0",
    )  # fmt: skip


def test_has_parent_knows_the_same_key_of_another_facility(judge: Judge) -> None:
    judge(
        DRUG,
        """
        record | _facility | ma_lk | stt | verdict
        a      | 79001     | A     | 1   | kept
        b      | 79002     | A     | 1   | violated
        c      | 79001     | B     | 1   | violated
        """,
        beside={
            VISIT: """
            _facility | ma_lk
            79001     | A
            """
        },
        kind="has_parent", table="XML1",
    )  # fmt: skip


def test_lines_between_bounds_of_the_row(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_lk | so_ngay_dtri | verdict
        a      | A     | 3            | kept
        b      | B     | 2            | violated
        c      | C     | 2            | kept
        d      | D     |              | not asked
        """,
        beside={
            SERVICE: """
            ma_lk | stt | ma_nhom | so_luong
            A     | 1   | 15      | 2
            A     | 2   | 15      | 1
            B     | 1   | 15      | 3
            B     | 2   | 1       | 9
            D     | 1   | 15      | 3
            """
        },
        kind="lines_between", table="XML3", where="ma_nhom = '15'", of="so_luong", high="so_ngay_dtri",
    )  # fmt: skip


def test_lines_between_counts_days(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_lk | so_ngay_dtri | verdict
        a      | A     | 2            | kept
        b      | B     | 2            | violated
        """,
        beside={
            NOTE: """
            ma_lk | stt | thoi_diem_dbls
            A     | 1   | 202603010900
            A     | 2   | 202603020900
            B     | 1   | 202603010900
            B     | 2   | 202603011500
            """
        },
        kind="lines_between", table="XML5", days_of="thoi_diem_dbls", low="so_ngay_dtri",
    )  # fmt: skip


def test_equals_sum_over_two_tables_within_a_dong(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | ma_lk | t_tongchi_bv | t_bhtt | verdict
        a      | A     | 300.5        | 80     | kept
        b      | B     | 302          | 0      | violated
        c      | C     | 0            |        | kept
        d      | D     | 5            |        | violated
        e      | E     |              |        | not asked
        f      | F     |              | 9      | violated
        """,
        beside={
            DRUG: """
            ma_lk | stt | thanh_tien_bv | t_bhtt
            A     | 1   | 100           | 50
            B     | 1   | 100           | 0
            """,
            SERVICE: """
            ma_lk | stt | thanh_tien_bv | t_bhtt
            A     | 1   | 200           | 30
            B     | 1   | 200           | 0
            """,
        },
        kind="equals_sum", fields=["t_tongchi_bv", "t_bhtt"], lines=["XML2", "XML3"],
        of=["thanh_tien_bv", "t_bhtt"],
    )  # fmt: skip


def test_agrees_with_the_units_row(judge: Judge) -> None:
    judge(
        "kcb_emr.discharge",
        """
        record | ma_lk | so_luu_tru | ngay_vao     | ma_yte | verdict
        a      | A     | 1          | 202603010800 | BN1    | kept
        b      | A     | 2          | 202603010900 | BN1    | violated
        c      | A     | 3          |              | BN1    | kept
        d      | A     | 4          |              | BN2    | violated
        e      | B     | 5          | 202603010800 | BN1    | not asked
        """,
        beside={
            VISIT: """
            ma_lk | ngay_vao     | ma_bn
            A     | 202603010800 | BN1
            """
        },
        kind="agrees_with", fields=["ngay_vao", "ma_yte"], table="XML1", other_fields=["ngay_vao", "ma_bn"],
    )  # fmt: skip


def test_with_other_holds_over_both_rows(judge: Judge) -> None:
    judge(
        DRUG,
        """
        record | ma_lk | ngay_yl      | verdict
        a      | A     | 202603010900 | kept
        b      | A     | 202603010700 | violated
        c      | A     |              | not asked
        d      | B     | 202603010900 | not asked
        """,
        beside={
            VISIT: """
            ma_lk | ngay_vao
            A     | 202603010800
            """
        },
        kind="with_other", table="XML1", holds="ngay_yl >= other.ngay_vao", fields=["ngay_yl"],
    )  # fmt: skip


def test_with_other_takes_the_earliest_of_several_and_finds_a_person(judge: Judge) -> None:
    judge(
        VISIT,
        """
        record | _person | ma_lk | ngay_vao     | verdict
        a      | P1      | A     | 202603010800 | violated
        b      | P1      | B     | 202602010800 | kept
        c      | P2      | C     | 202603010800 | not asked
        """,
        beside={
            DEATH: """
            _person | so_giay_bao_tu | ma_cskcb | thoi_diem_tu_vong
            P1      | 1              | 79001    | 202602151000
            P1      | 2              | 79002    | 202603151000
            """
        },
        kind="with_other", table=DEATH, on=["person_id"], holds="ngay_vao <= other.thoi_diem_tu_vong",
        taking="min", fields=["ngay_vao"],
    )  # fmt: skip


def test_an_exchange_table_finds_its_episode(judge: Judge) -> None:
    judge(
        DEATH,
        """
        record | so_giay_bao_tu | ma_cskcb | ma_lk | verdict
        a      | 1              | 79001    | A     | kept
        b      | 2              | 79001    | B     | violated
        c      | 3              | 79001    |       | not asked
        """,
        beside={
            VISIT: """
            ma_lk | ket_qua_dtri
            A     | 5
            B     | 1
            """
        },
        kind="with_other", table=VISIT, holds="other.ket_qua_dtri IN ('5', '8')", fields=["ma_lk"],
    )  # fmt: skip
