"""Envelopes of the BHYT appraisal standard, written by filling templates, in many vendors' habits.

    GIAMDINHHS > THONGTINDONVI, THONGTINHOSO > DANHSACHHOSO > HOSO > FILEHOSO > NOIDUNGFILE

`FILLED` names the fields a row fills, in the order of the standard; all others stay blank. One
template per table and habit is compiled from xml_fields.csv; a row is a list of texts that are safe
in XML (nothing in the invented data needs escaping: a test parses every file).

Vintages (DOMAIN.md 1.7): 130 knows neither the fields marked `-` nor XML13 to XML15; 4750 names
three fields of XML13 otherwise and writes NGAY_HEN_KL with twelve digits; misspellings are those
met in systems that store such files.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from .facilities import Habit
from .reference import Reference, XmlTable

if TYPE_CHECKING:
    from .visits import Visit

FILLED = {
    "XML0": (
        "MA_LK MA_BN HO_TEN SO_CCCD NGAY_SINH GIOI_TINH MA_THE_BHYT MA_DKBD GT_THE_TU "
        "GT_THE_DEN MA_DOITUONG_KCB NGAY_VAO NGAY_VAO_NOI_TRU LY_DO_VNT MA_LY_DO_VNT "
        "MA_LOAI_KCB MA_CSKCB MA_DICH_VU TEN_DICH_VU NGAY_YL"
    ),
    "XML1": (
        "MA_LK MA_BN HO_TEN SO_CCCD NGAY_SINH GIOI_TINH NHOM_MAU MA_DANTOC MA_NGHE_NGHIEP "
        "DIA_CHI MATINH_CU_TRU MAHUYEN_CU_TRU MAXA_CU_TRU DIEN_THOAI MA_THE_BHYT MA_DKBD "
        "GT_THE_TU GT_THE_DEN LY_DO_VV LY_DO_VNT MA_LY_DO_VNT CHAN_DOAN_VAO CHAN_DOAN_RV "
        "MA_BENH_CHINH MA_BENH_KT MA_DOITUONG_KCB MA_NOI_DI MA_NOI_DEN MA_TAI_NAN NGAY_VAO "
        "NGAY_VAO_NOI_TRU NGAY_RA GIAY_CHUYEN_TUYEN SO_NGAY_DTRI PP_DIEU_TRI KET_QUA_DTRI "
        "MA_LOAI_RV GHI_CHU NGAY_TTOAN T_THUOC T_VTYT T_TONGCHI_BV T_TONGCHI_BH T_BNTT T_BNCCT "
        "T_BHTT T_NGUONKHAC T_BHTT_GDV NAM_QT THANG_QT MA_LOAI_KCB MA_KHOA MA_CSKCB CAN_NANG "
        "CAN_NANG_CON NAM_NAM_LIEN_TUC NGAY_TAI_KHAM MA_HSBA MA_TTDV"
    ),
    "XML2": (
        "MA_LK STT MA_THUOC MA_NHOM TEN_THUOC DON_VI_TINH HAM_LUONG DUONG_DUNG DANG_BAO_CHE "
        "LIEU_DUNG CACH_DUNG SO_DANG_KY TT_THAU PHAM_VI TYLE_TT_BH SO_LUONG DON_GIA "
        "THANH_TIEN_BV THANH_TIEN_BH T_NGUONKHAC_NSNN T_NGUONKHAC MUC_HUONG T_BNTT T_BNCCT "
        "T_BHTT MA_KHOA MA_BAC_SI NGAY_YL NGAY_TH_YL"
    ),
    "XML3": (
        "MA_LK STT MA_DICH_VU MA_VAT_TU MA_NHOM GOI_VTYT TEN_VAT_TU TEN_DICH_VU DON_VI_TINH "
        "PHAM_VI SO_LUONG DON_GIA_BV DON_GIA_BH TT_THAU TYLE_TT_DV THANH_TIEN_BV THANH_TIEN_BH "
        "MUC_HUONG T_NGUONKHAC_NSNN T_NGUONKHAC T_BNTT T_BNCCT T_BHTT MA_KHOA MA_GIUONG "
        "MA_BAC_SI NGUOI_THUC_HIEN MA_BENH NGAY_YL NGAY_TH_YL NGAY_KQ PP_VO_CAM MA_MAY"
    ),
    "XML4": (
        "MA_LK STT MA_DICH_VU MA_CHI_SO TEN_CHI_SO GIA_TRI DON_VI_DO MO_TA KET_LUAN NGAY_KQ "
        "MA_BS_DOC_KQ"
    ),
    "XML5": (
        "MA_LK STT DIEN_BIEN_LS GIAI_DOAN_BENH HOI_CHAN PHAU_THUAT THOI_DIEM_DBLS NGUOI_THUC_HIEN"
    ),
    "XML6": (
        "MA_LK MA_THE_BHYT SO_CCCD NGAY_SINH GIOI_TINH DIA_CHI MATINH_CU_TRU MAHUYEN_CU_TRU "
        "MAXA_CU_TRU NGAYKD_HIV NOI_LAY_MAU_XN NOI_XN_KD NOI_BDDT_ARV BDDT_ARV "
        "MA_PHAC_DO_DIEU_TRI_BD MA_BAC_PHAC_DO_BD MA_LYDO_DTRI MA_LYDO_XNTL_VR NGAY_XN_TLVR "
        "KQ_XNTL_VR NGAY_KQ_XN_TLVR MA_LOAI_BN GIAI_DOAN_LAM_SANG MA_PHAC_DO_DIEU_TRI "
        "MA_BAC_PHAC_DO SO_NGAY_CAP_THUOC_ARV MA_CSKCB"
    ),
    "XML7": (
        "MA_LK SO_LUU_TRU MA_YTE MA_KHOA_RV NGAY_VAO NGAY_RA CHAN_DOAN_RV PP_DIEUTRI GHI_CHU "
        "MA_TTDV MA_BS TEN_BS NGAY_CT HO_TEN_CHA HO_TEN_ME"
    ),
    "XML8": (
        "MA_LK MA_LOAI_KCB HO_TEN_CHA HO_TEN_ME NGAY_VAO NGAY_RA CHAN_DOAN_VAO CHAN_DOAN_RV "
        "QT_BENHLY TOMTAT_KQ PP_DIEUTRI NGAY_SINHCON KET_QUA_DTRI MA_TTDV NGAY_CT"
    ),
    "XML9": (
        "MA_LK MA_BHXH_NND MA_THE_NND HO_TEN_NND NGAYSINH_NND MA_DANTOC_NND SO_CCCD_NND "
        "NGAYCAP_CCCD_NND NOICAP_CCCD_NND NOI_CU_TRU_NND MATINH_CU_TRU MAHUYEN_CU_TRU "
        "MAXA_CU_TRU HO_TEN_CHA MA_THE_TAM HO_TEN_CON GIOI_TINH_CON SO_CON LAN_SINH SO_CON_SONG "
        "CAN_NANG_CON NGAY_SINH_CON NOI_SINH_CON TINH_TRANG_CON SINHCON_PHAUTHUAT GHI_CHU "
        "NGUOI_DO_DE NGUOI_GHI_PHIEU NGAY_CT SO QUYEN_SO MA_TTDV"
    ),
    "XML10": (
        "MA_LK SO_SERI SO_CT SO_NGAY DON_VI CHAN_DOAN_RV TU_NGAY DEN_NGAY MA_TTDV TEN_BS MA_BS "
        "NGAY_CT"
    ),
    "XML11": (
        "MA_LK SO_CT SO_SERI SO_KCB DON_VI MA_BHXH MA_THE_BHYT CHAN_DOAN_RV PP_DIEUTRI "
        "SO_NGAY_NGHI TU_NGAY DEN_NGAY MA_TTDV MA_BS NGAY_CT MAU_SO"
    ),
    "XML12": (
        "NGUOI_CHU_TRI CHUC_VU NGAY_HOP HO_TEN NGAY_SINH SO_CCCD DIA_CHI MATINH_CU_TRU "
        "MAHUYEN_CU_TRU MAXA_CU_TRU MA_BHXH MA_THE_BHYT NGHE_NGHIEP DIEN_THOAI MA_DOI_TUONG "
        "KHAM_GIAM_DINH SO_BIEN_BAN KET_QUA_KHAM TYLE_TTCT_MOI TONG_TYLE_TTCT DANG_KHUYETTAT "
        "MUC_DO_KHUYETTAT DE_NGHI DUOC_XACDINH"
    ),
    "XML13": (
        "MA_LK SO_HOSO SO_CHUYENTUYEN GIAY_CHUYEN_TUYEN MA_CSKCB MA_CSKCB_DI MA_CSKCB_DEN "
        "HO_TEN NGAY_SINH GIOI_TINH MA_DANTOC MA_NGHE_NGHIEP DIA_CHI MA_THE_BHYT GT_THE_DEN "
        "NGAY_VAO NGAY_RA DAU_HIEU_LS CHAN_DOAN_RV QT_BENHLY TOMTAT_KQ PP_DIEUTRI MA_BENH_CHINH "
        "MA_BENH_KT TINH_TRANG_CT MA_LOAI_RV MA_LYDO_CT HUONG_DIEU_TRI PHUONGTIEN_VC "
        "HOTEN_NGUOI_HT CHUCDANH_NGUOI_HT MA_BAC_SI MA_TTDV"
    ),
    "XML14": (
        "MA_LK SO_GIAYHEN_KL MA_CSKCB HO_TEN NGAY_SINH GIOI_TINH DIA_CHI MA_THE_BHYT GT_THE_DEN "
        "NGAY_VAO NGAY_VAO_NOI_TRU NGAY_RA NGAY_HEN_KL CHAN_DOAN_RV MA_BENH_CHINH MA_BENH_KT "
        "MA_DOITUONG_KCB MA_BAC_SI MA_TTDV NGAY_CT"
    ),
    "XML15": (
        "MA_LK MA_BN HO_TEN SO_CCCD PHANLOAI_LAO_VITRI PHANLOAI_LAO_TS PHANLOAI_LAO_HIV "
        "PHANLOAI_LAO_VK PHANLOAI_LAO_KT LOAI_DTRI_LAO NGAYBD_DTRI_LAO PHACDO_DTRI_LAO MA_CSKCB"
    ),
}
ORDER = {table: tuple(names.split()) for table, names in FILLED.items()}
CONSTANTS = {
    "XML0": {"STT": "1"},
    "XML1": {"STT": "1", "MA_QUOCTICH": "000"},
    "XML2": {"MA_PTTT": "1", "NGUON_CTRA": "1"},
    "XML3": {"MA_PTTT": "1", "TYLE_TT_BH": "100"},
    "XML7": {"MA_DINH_CHI_THAI": "0"},
    "XML9": {"MA_QUOCTICH": "000", "SINHCON_DUOI32TUAN": "0"},
    "XML11": {"MA_DINH_CHI_THAI": "0"},
    "XML13": {"MA_QUOCTICH": "000"},
    "XML15": {"STT": "1"},
}
ADDED_BY_4750 = ("XML13", "XML14", "XML15")
NAMES_OF_4750 = {
    ("XML13", "MA_CSKCB_DI"): "MA_NOI_DI",
    ("XML13", "MA_CSKCB_DEN"): "MA_NOI_DEN",
    ("XML13", "TINH_TRANG_CT"): "PP_DIEU_TRI",
}
MISSPELT = {
    ("XML1", "MAHUYEN_CU_TRU"): "MA_HUYEN_CU_TRU",
    ("XML5", "GIAI_DOAN_BENH"): "GAIAI_DOAN_BENH",
    ("XML9", "MA_DANTOC_NND"): "MA_DANTOC_NMD",
    ("XML6", "BDDT_ARV"): "BDDTARV",
}
BOTH = ("XML1", "XML2", "XML3", "XML4", "XML5", "XML7", "XML8", "XML9", "XML13", "XML14")
CHANNEL_TABLES = {"BHXH": (*BOTH, "XML10", "XML11"), "DPDL": (*BOTH, "XML6", "XML15")}
ICD_AT = ORDER["XML1"].index("MA_BENH_CHINH")
CAME_AT = ORDER["XML1"].index("NGAY_VAO")


class Template:
    """One table in one habit: `opening + row % values … + closing`."""

    def __init__(self, name: str, table: XmlTable, habit: Habit) -> None:
        constants, order = CONSTANTS.get(name, {}), ORDER[name]
        gap, line = ("\n    ", "\n") if habit.pretty else ("", "")
        filled = iter(order)
        awaited = next(filled, None)
        parts = []
        for item in table.fields:
            known = item.in_130 or (
                habit.vintage == "3176"
                or (habit.vintage == "4750" and (name in ADDED_BY_4750 or item.tag == "NHOM_MAU"))
            )
            tag = item.tag
            if habit.vintage == "4750":
                tag = NAMES_OF_4750.get((name, tag), tag)
            if habit.misspelt:
                tag = MISSPELT.get((name, tag), tag)
            value = constants.get(item.tag, "")
            if item.tag == awaited:
                value, awaited = "%s", next(filled, None)
            if not known:  # the value is consumed and nothing is printed
                parts.append("%.0s" if value == "%s" else "")
            elif value or not habit.pretty:
                parts.append(f"{gap}<{tag}>{value}</{tag}>")
            else:
                parts.append(f"{gap}<{tag}/>")
        if awaited is not None:
            raise ValueError(f"{name}: {awaited} is not a field, or not in this order")
        body = "".join(parts) + line
        self.opening, self.row, self.closing = f"<{table.root}>{line}", body, f"</{table.root}>"
        if table.rows_under:
            self.opening += f"<{table.rows_under}>{line}"
            self.row = f"<{table.record}>{body}</{table.record}>{line}"
            self.closing = f"</{table.rows_under}>{line}" + self.closing

    def document(self, rows: Sequence[Sequence[str]]) -> str:
        row = self.row
        return self.opening + "".join([row % tuple(values) for values in rows]) + self.closing


class Writer:
    """Writes HOSO and envelopes in the habit of one facility."""

    def __init__(self, reference: Reference, habit: Habit) -> None:
        self.habit = habit
        self.templates = {
            name: Template(name, table, habit)
            for name, table in reference.tables.items()
            if habit.vintage != "130" or name not in ADDED_BY_4750
        }

    def file_of(self, table: str, rows: Sequence[Sequence[str]]) -> str:
        """One FILEHOSO; empty if the vintage does not know the table."""
        template = self.templates.get(table)
        if template is None or not rows:
            return ""
        document = template.document(rows)
        inner = self.habit.inner
        if inner == "element":
            content = document
        elif inner == "text":
            content = f'<![CDATA[<?xml version="1.0" encoding="utf-8"?>{document}]]>'
        else:
            content = _packed(document, inner, self.habit.encoding)
        return (
            f"<FILEHOSO><LOAIHOSO>{table}</LOAIHOSO><NOIDUNGFILE>{content}</NOIDUNGFILE></FILEHOSO>"
        )

    def hoso(self, visit: Visit, channel: str, shared: dict[str, str]) -> str:
        """The HOSO of a visit for one channel. `shared` keeps what both channels have in common."""
        pieces = []
        changed = channel == "DPDL" and (visit.other_icd or visit.other_link)
        for table in CHANNEL_TABLES[channel]:
            rows = visit.rows.get(table)
            if not rows:
                continue
            if changed and (visit.other_link or table == "XML1"):
                pieces.append(self.file_of(table, _other(visit, table, rows)))
                continue
            text = shared.get(table)
            if text is None:
                shared[table] = text = self.file_of(table, rows)
            pieces.append(text)
        return "<HOSO>" + "".join(pieces) + "</HOSO>"

    def envelope(self, facility: str, day: str, hosos: Sequence[str], count: int = -1) -> bytes:
        """A finished envelope, unsigned. `count` other than -1 lies about the number of HOSO."""
        total = len(hosos) if count < 0 else count
        gap = "\n" if self.habit.pretty else ""
        text = (
            f'<?xml version="1.0" encoding="{DECLARED[self.habit.encoding]}"?>{gap}'
            f"<GIAMDINHHS><THONGTINDONVI><MACSKCB>{facility}</MACSKCB></THONGTINDONVI>{gap}"
            f"<THONGTINHOSO><NGAYLAP>{day}</NGAYLAP><SOLUONGHOSO>{total}</SOLUONGHOSO>"
            f"<DANHSACHHOSO>{gap}{gap.join(hosos)}{gap}</DANHSACHHOSO></THONGTINHOSO>{gap}"
            "<CHUKYDONVI/></GIAMDINHHS>"
        )
        return encoded(text, self.habit.encoding)


DECLARED = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16": "UTF-16",
            "windows-1258": "windows-1258"}  # fmt: skip


def _other(visit: Visit, table: str, rows: list[list[str]]) -> list[list[str]]:
    """The rows as the coordination channel has them, where the two channels disagree."""
    changed = [[visit.other_link or row[0], *row[1:]] for row in rows]
    if table == "XML1" and visit.other_icd:
        changed[0][ICD_AT] = visit.other_icd
    if table == "XML1" and visit.clock:
        text = changed[0][CAME_AT]
        came = datetime.datetime.fromisoformat(f"{text[:8]}T{text[8:12]}")
        changed[0][CAME_AT] = f"{came - datetime.timedelta(minutes=visit.clock):%Y%m%d%H%M}"
    return changed


def _packed(document: str, inner: str, encoding: str) -> str:
    if encoding == "windows-1258":
        header = '<?xml version="1.0" encoding="windows-1258"?>'
        data = encoded(header + document, encoding)
    else:
        data = f'<?xml version="1.0" encoding="utf-8"?>{document}'.encode()
    if inner == "wrapped":
        return "\n" + base64.encodebytes(data).decode("ascii")
    text = binascii.b2a_base64(data, newline=False).decode("ascii")
    return f"<![CDATA[{text}]]>" if inner == "cdata" else text


def encoded(text: str, encoding: str, errors: str = "xmlcharrefreplace") -> bytes:
    """Bytes in one of the four encodings; windows-1258 gets base letters and combining tones."""
    if encoding != "windows-1258":
        return text.encode(encoding)
    if not text.isascii():
        text = text.translate(_windows_1258())
    return text.encode("cp1258", errors)


@lru_cache(maxsize=1)
def _windows_1258() -> dict[int, str]:
    """windows-1258 has ă â ê ô ơ ư and five combining tones, but few letters with both."""
    tones = "\u0300\u0301\u0303\u0309\u0323"
    found = {}
    for code in [*range(0xC0, 0x250), *range(0x1EA0, 0x1EFA)]:
        letter = chr(code)
        parts = unicodedata.normalize("NFD", letter)
        tone = next((mark for mark in parts if mark in tones), "")
        try:
            letter.encode("cp1258")
        except UnicodeEncodeError:
            if tone:
                found[code] = unicodedata.normalize("NFC", parts.replace(tone, "")) + tone
    return found
