"""Envelopes written by hand for tests, one vendor's habit at a time. No person in them exists."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

VISIT = {
    "MA_LK": "LK001", "STT": "1", "MA_BN": "BN001", "HO_TEN": "NGUYỄN VĂN HÒA", "SO_CCCD": "079085012345",
    "NGAY_SINH": "198503120000", "GIOI_TINH": "1", "NHOM_MAU": "", "MA_QUOCTICH": "000", "MA_DANTOC": "01",
    "MA_NGHE_NGHIEP": "00000", "DIA_CHI": "12 Đường Số 1", "MATINH_CU_TRU": "79", "MAHUYEN_CU_TRU": "",
    "MAXA_CU_TRU": "26734", "DIEN_THOAI": "0912345678", "MA_THE_BHYT": "DN4797912345678", "MA_DKBD": "79001",
    "GT_THE_TU": "20260101", "GT_THE_DEN": "20261231", "LY_DO_VV": "Đau đầu", "CHAN_DOAN_VAO": "Đau đầu",
    "CHAN_DOAN_RV": "Đau đầu", "MA_BENH_CHINH": "R51", "MA_DOITUONG_KCB": "1.1", "NGAY_VAO": "202603020800",
    "NGAY_RA": "202603020900", "SO_NGAY_DTRI": "0", "PP_DIEU_TRI": "Thuốc uống", "KET_QUA_DTRI": "1",
    "MA_LOAI_RV": "1", "NGAY_TTOAN": "202603020900", "T_THUOC": "0", "T_VTYT": "0", "T_TONGCHI_BV": "100000",
    "T_TONGCHI_BH": "100000", "T_BNTT": "0", "T_BNCCT": "20000", "T_BHTT": "80000", "T_NGUONKHAC": "0",
    "T_BHTT_GDV": "80000", "NAM_QT": "2026", "THANG_QT": "03", "MA_LOAI_KCB": "01", "MA_KHOA": "K01",
    "MA_CSKCB": "79001", "MA_TTDV": "0001", "DU_PHONG": "",
}  # fmt: skip
SERVICE = {
    "MA_LK": "LK001", "STT": "1", "MA_DICH_VU": "02.1895", "MA_NHOM": "13", "TEN_DICH_VU": "Khám nội",
    "DON_VI_TINH": "Lần", "PHAM_VI": "1", "SO_LUONG": "1", "DON_GIA_BV": "100000", "DON_GIA_BH": "100000",
    "TYLE_TT_DV": "100", "TYLE_TT_BH": "100", "THANH_TIEN_BV": "100000", "THANH_TIEN_BH": "100000",
    "MUC_HUONG": "80", "T_BHTT": "80000", "T_BNCCT": "20000", "T_BNTT": "0", "MA_KHOA": "K01",
    "MA_BAC_SI": "000001/HCM-CCHN", "NGAY_YL": "202603020805", "MA_PTTT": "1",
}  # fmt: skip


def cells(values: dict[str, str], gap: str = "") -> str:
    return "".join(f"{gap}<{tag}>{escape(value)}</{tag}>" for tag, value in values.items())


def visit_xml(gap: str = "", **changes: str) -> str:
    return f"<TONG_HOP>{cells({**VISIT, **changes}, gap)}</TONG_HOP>"


def services_xml(*rows: dict[str, str]) -> str:
    inner = "".join(
        f"<CHI_TIET_DVKT>{cells({**SERVICE, **row})}</CHI_TIET_DVKT>" for row in rows or ({},)
    )
    return f"<CHITIEU_CHITIET_DVKT_VTYT><DSACH_CHI_TIET_DVKT>{inner}</DSACH_CHI_TIET_DVKT></CHITIEU_CHITIET_DVKT_VTYT>"


def b64(document: str, encoding: str = "utf-8") -> str:
    return base64.b64encode(document.encode(encoding)).decode()


Pack = Callable[[str], str]


def part(table: str, document: str, pack: Pack = b64) -> str:
    return f"<FILEHOSO><LOAIHOSO>{table}</LOAIHOSO><NOIDUNGFILE>{pack(document)}</NOIDUNGFILE></FILEHOSO>"


def envelope(
    units: Sequence[Sequence[tuple[str, str]]], *, facility: str = "79001", made_on: str = "20260302",
    said: int | None = None, pack: Pack = b64,
) -> str:  # fmt: skip
    """An envelope of units, each a list of (table, inner document)."""
    hoso = "".join(
        "<HOSO>" + "".join(part(t, d, pack) for t, d in unit) + "</HOSO>" for unit in units
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f"<GIAMDINHHS><THONGTINDONVI><MACSKCB>{facility}</MACSKCB></THONGTINDONVI><THONGTINHOSO>"
        f"<NGAYLAP>{made_on}</NGAYLAP><SOLUONGHOSO>{len(units) if said is None else said}</SOLUONGHOSO>"
        f"<DANHSACHHOSO>{hoso}</DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>"
    )


def simple_visit(**changes: str) -> list[tuple[str, str]]:
    return [
        ("XML1", visit_xml(**changes)),
        ("XML3", services_xml({"MA_LK": changes.get("MA_LK", "LK001")})),
    ]
