"""Money and times of visits, recomputed from the files alone with exact decimals."""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

import pytest

CENT = Decimal("0.01")
HUNDRED = Decimal(100)


@pytest.fixture(scope="module")
def visits(clean_units):
    return [unit for unit in clean_units if "XML1" in unit.tables]


def d(text: str) -> Decimal:
    return Decimal(text or "0")


def half_up(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def test_lines_follow_from_quantity_price_and_ratios(visits):
    lines = 0
    for unit in visits:
        for row in unit.tables.get("XML2", []):
            whole = d(row["SO_LUONG"]) * d(row["DON_GIA"])
            inside = whole * d(row["TYLE_TT_BH"]) / HUNDRED if row["PHAM_VI"] == "1" else Decimal(0)
            assert (d(row["THANH_TIEN_BV"]), d(row["THANH_TIEN_BH"])) == (whole, inside)
            shares(row)
            lines += 1
        for row in unit.tables.get("XML3", []):
            whole = d(row["SO_LUONG"]) * d(row["DON_GIA_BV"])
            paid = whole * d(row["TYLE_TT_DV"]) / HUNDRED
            assert d(row["THANH_TIEN_BV"]) in (whole, paid)
            assert d(row["THANH_TIEN_BH"]) == (paid if row["PHAM_VI"] == "1" else 0)
            shares(row)
            lines += 1
    assert lines > 3000


def shares(row: dict[str, str]) -> None:
    bv, bh, fund = d(row["THANH_TIEN_BV"]), d(row["THANH_TIEN_BH"]), d(row["T_BHTT"])
    assert fund == half_up(bh * d(row["MUC_HUONG"]) / HUNDRED)
    assert d(row["T_BNCCT"]) == bh - fund
    assert d(row["T_NGUONKHAC"]) == d(row["T_NGUONKHAC_NSNN"])
    assert d(row["T_BNTT"]) + d(row["T_NGUONKHAC"]) == bv - bh


def test_the_summary_is_the_sum_of_the_lines(visits):
    for unit in visits:
        head = unit.tables["XML1"][0]
        drugs, services = unit.tables.get("XML2", []), unit.tables.get("XML3", [])
        both = drugs + services
        supplies = [row for row in services if row["MA_VAT_TU"]]
        assert d(head["T_THUOC"]) == sum(d(r["THANH_TIEN_BV"]) for r in drugs)
        assert d(head["T_VTYT"]) == sum(d(r["THANH_TIEN_BV"]) for r in supplies)
        for total, part in (
            ("T_TONGCHI_BV", "THANH_TIEN_BV"), ("T_TONGCHI_BH", "THANH_TIEN_BH"),
            ("T_BNTT", "T_BNTT"), ("T_BNCCT", "T_BNCCT"), ("T_BHTT", "T_BHTT"),
            ("T_NGUONKHAC", "T_NGUONKHAC"), ("T_BHTT_GDV", "T_BHTT"),
        ):  # fmt: skip
            assert d(head[total]) == sum(d(r[part]) for r in both), total
        assert d(head["T_BHTT"]) == d(head["T_TONGCHI_BH"]) - d(head["T_BNCCT"])


def test_small_bills_of_the_insured_are_paid_in_full(visits):
    small = [
        u for u in visits
        if u.tables["XML1"][0]["MA_THE_BHYT"] and 0 < d(u.tables["XML1"][0]["T_TONGCHI_BH"]) < 351_000
    ]  # fmt: skip
    assert small and all(d(u.tables["XML1"][0]["T_BNCCT"]) == 0 for u in small)


def test_the_uninsured_pay_all_and_show_no_card(visits):
    heads = [u.tables["XML1"][0] for u in visits if u.tables["XML1"][0]["MA_DOITUONG_KCB"] == "9"]
    assert heads
    for head in heads:
        assert not (
            head["MA_THE_BHYT"] or head["GT_THE_TU"] or head["GT_THE_DEN"] or head["MA_DKBD"]
        )
        assert d(head["T_BNTT"]) == d(head["T_TONGCHI_BV"])


def test_times_of_a_visit_are_in_order(visits):
    for unit in visits:
        head = unit.tables["XML1"][0]
        came, left = head["NGAY_VAO"], head["NGAY_RA"]
        assert came <= (head["NGAY_VAO_NOI_TRU"] or came) <= left <= head["NGAY_TTOAN"]
        assert (head["MA_LOAI_KCB"] == "03") == bool(head["NGAY_VAO_NOI_TRU"])
        for row in unit.tables.get("XML2", []) + unit.tables.get("XML3", []):
            done = row.get("NGAY_TH_YL") or row["NGAY_YL"]
            assert came <= row["NGAY_YL"] <= done <= left
        for row in unit.tables.get("XML5", []):
            assert came <= row["THOI_DIEM_DBLS"] <= left


def test_results_belong_to_billed_services(visits):
    for unit in visits:
        billed = {
            row["MA_DICH_VU"] for row in unit.tables.get("XML3", []) if row["MA_NHOM"] in "123"
        }
        assert {row["MA_DICH_VU"] for row in unit.tables.get("XML4", [])} == billed - {""}


def test_referrals_reach_the_hospital_they_name(visits):
    papers = {
        row["GIAY_CHUYEN_TUYEN"]: (unit.facility, row.get("MA_CSKCB_DEN") or row["MA_NOI_DEN"])
        for unit in visits
        for row in unit.tables.get("XML13", [])
    }
    arrivals = [u for u in visits if u.tables["XML1"][0]["GIAY_CHUYEN_TUYEN"]]
    known = [u for u in arrivals if u.tables["XML1"][0]["GIAY_CHUYEN_TUYEN"] in papers]
    assert known
    for unit in known:
        head = unit.tables["XML1"][0]
        assert papers[head["GIAY_CHUYEN_TUYEN"]] == (head["MA_NOI_DI"], unit.facility)


def test_the_papers_a_visit_needs_are_there(visits):
    for unit in visits:
        head, tables = unit.tables["XML1"][0], unit.tables
        old = "NHOM_MAU" not in head  # vintage 130 knows neither XML13 nor XML14
        if head["MA_LOAI_KCB"] == "03":
            assert {"XML7", "XML8"} <= set(tables)
        if not old:
            assert ("XML13" in tables) == (head["MA_LOAI_RV"] in ("2", "5"))
            assert ("XML14" in tables) == bool(head["NGAY_TAI_KHAM"])
        if head["CAN_NANG_CON"]:
            assert len(tables["XML9"]) == len(head["CAN_NANG_CON"].split(";"))


def test_both_channels_tell_the_same_visit_alike_in_a_clean_country(visits):
    versions = defaultdict(list)
    for unit in visits:
        versions[unit.facility, unit.tables["XML1"][0]["MA_LK"]].append(unit.tables["XML1"][0])
    both = [v for v in versions.values() if len(v) == 2]
    assert len(both) > 400 and all(a == b for a, b in both)
