"""Puts encounters and registers into an inbox as senders would: envelopes, CSV, XLSX, JSON, Parquet."""

from __future__ import annotations

import base64
import csv
import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from xml.sax.saxutils import escape

import polars as pl
import xlsxwriter

from tests.planted import world
from tests.planted.clinic import Encounter, Row

ORDER = (
    "XML1",
    "XML2",
    "XML3",
    "XML4",
    "XML5",
    "XML6",
    "XML7",
    "XML8",
    "XML9",
    "XML10",
    "XML11",
    "XML13",
    "XML14",
    "XML15",
)


@lru_cache(maxsize=1)
def standard() -> dict[str, tuple[list[str], list[str]]]:
    """Table → (its tags in order, the elements around a row)."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for row in world.rows_of("xml_fields.csv"):
        wraps = [row[c] for c in ("root_element", "list_element", "record_element") if row[c]]
        found.setdefault(row["table"], ([], wraps))[0].append(row["tag"])
    return found


def document(table: str, rows: list[Row]) -> str:
    tags, wraps = standard()[table]
    unknown = {tag for row in rows for tag in row} - set(tags)
    if unknown:
        raise AssertionError(f"{table} has no {sorted(unknown)}")
    cells = ["".join(f"<{tag}>{escape(row.get(tag, ''))}</{tag}>" for tag in tags) for row in rows]
    if len(wraps) == 1:
        inner = cells[0]
    else:
        inner = "".join(f"<{wraps[2]}>{cell}</{wraps[2]}>" for cell in cells)
        inner = f"<{wraps[1]}>{inner}</{wraps[1]}>"
    return f"<{wraps[0]}>{inner}</{wraps[0]}>"


Unit = list[tuple[str, str]]
"""(table, document) of one HOSO."""


def unit_of(encounter: Encounter, channel: str) -> Unit:
    tables = encounter.tables | encounter.only.get(channel, {})
    return [(t, document(t, tables[t])) for t in ORDER if tables.get(t)]


def envelope(
    facility: str,
    made_on: date,
    units: list[Unit],
    *,
    said: int | None = None,
    wrapped: bool = False,
) -> bytes:
    parts = []
    for unit in units:
        files = []
        for table, text in unit:
            packed = base64.b64encode(text.encode()).decode()
            if wrapped:
                packed = (
                    "\n" + "\n".join(packed[i : i + 76] for i in range(0, len(packed), 76)) + "\n"
                )
            files.append(
                f"<FILEHOSO><LOAIHOSO>{table}</LOAIHOSO><NOIDUNGFILE>{packed}</NOIDUNGFILE></FILEHOSO>"
            )
        parts.append(f"<HOSO>{''.join(files)}</HOSO>")
    text = (
        f"<GIAMDINHHS><THONGTINDONVI><MACSKCB>{facility}</MACSKCB></THONGTINDONVI><THONGTINHOSO>"
        f"<NGAYLAP>{made_on:%Y%m%d}</NGAYLAP><SOLUONGHOSO>{len(units) if said is None else said}</SOLUONGHOSO>"
        f"<DANHSACHHOSO>{''.join(parts)}</DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI>c2lnbmVk</CHUKYDONVI></GIAMDINHHS>"
    )
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return (b"\xef\xbb\xbf" if wrapped else b"") + (head + text).encode()


@dataclass
class Inbox:
    """Files of an inbox, and which encounter went into which."""

    root: Path

    def put(self, night: date, sender: str, name: str, content: bytes) -> str:
        path = self.root / night.isoformat() / sender / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path.relative_to(self.root).as_posix()


def csv_bytes(
    rows: list[dict[str, str]], headings: dict[str, str] | None = None, separator: str = ","
) -> bytes:
    out = io.StringIO()
    names = list(rows[0])
    writer = csv.writer(out, delimiter=separator)
    writer.writerow([(headings or {}).get(n, n) for n in names])
    writer.writerows([[row.get(n, "") for n in names] for row in rows])
    return ("\ufeff" if headings else "").encode() + out.getvalue().encode()


def xlsx_bytes(rows: list[dict[str, str]], headings: dict[str, str]) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_numbers": False})
    sheet = book.add_worksheet("Danh sách")
    for column, name in enumerate(rows[0]):
        sheet.write_string(0, column, headings.get(name, name))
        for line, row in enumerate(rows, 1):
            sheet.write_string(line, column, row[name])
    book.close()
    return out.getvalue()


def registers(inbox: Inbox, night: date) -> None:
    """What references resolve against, the day before anything else arrives."""
    communes = world.places().communes
    facilities = [
        {
            "ma_cskcb": f.code, "ma_cskcb_cu": f.former, "ma_lien_thong": f.connection, "gln": gln(n),
            "ten_cskcb": f.name, "so_giay_phep": f"{1200 + n}/GPHĐ-SYT",
            "hang": {"chuyen_sau": "1", "co_ban": "2", "ban_dau": "CXH"}[f.level], "cap": f.level,
            "loai_hinh": "tu_nhan" if f.code == "38731" else "cong_lap", "matinh": f.province,
            "maxa": communes[f.province][n % 20].code, "dia_chi": f"Đường số {n + 1}", "trang_thai": "hoat_dong",
            "ngay_hieu_luc": "2026-01-01", "ngay_het_hieu_luc": "",
        }
        for n, f in enumerate(world.FACILITIES)
    ]  # fmt: skip
    inbox.put(night, "BYT", "danhmuc_coso_2026.csv", csv_bytes(facilities))
    staff = [
        {
            "so_gphn": p.licence, "ho_ten": p.name, "ngay_sinh": f"{p.born:%d/%m/%Y}",
            "gioi_tinh": "Nam" if p.sex == "1" else "Nữ",
            "so_cccd": f"0{world.places().birth_codes[p.facility[:2]][0][1:]}{'0' if p.sex == '1' else '1'}{p.born:%y}{204113 + n}",
            "chuc_danh": p.title, "pham_vi": "Đa khoa", "ma_cskcb": p.facility, "thoi_gian_lam_viec": "Toàn thời gian",
            "ngay_cap": "15/06/2018", "ngay_het_han": "", "ma_lien_thong": p.connection, "trang_thai": "hoat_dong",
        }
        for n, p in enumerate(world.practitioners())
    ]  # fmt: skip
    headings = {"so_gphn": "Số GPHN", "ho_ten": "Họ và tên", "ngay_sinh": "Ngày sinh", "gioi_tinh": "Giới tính",
                "so_cccd": "Số CCCD", "ma_cskcb": "Mã CSKCB", "ngay_cap": "Ngày cấp"}  # fmt: skip
    inbox.put(night, "BYT", "nguoi_hanh_nghe_2026.xlsx", xlsx_bytes(staff, headings))
    drugs = [
        {
            "so_dang_ky": d.registration, "so_dang_ky_cu": "", "ma_hoat_chat": d.code, "ten_thuoc": d.name,
            "hoat_chat": d.ingredient, "ham_luong": d.strength, "dang_bao_che": d.form, "duong_dung": d.route,
            "don_vi_tinh": d.unit, "nha_san_xuat": "Công ty CP Dược Tây Đô", "nuoc_san_xuat": "Việt Nam",
            "phan_loai": "ke_don", "gia_ke_khai": str(float(d.price) * 1.3), "ngay_hieu_luc": "2024-01-01",
            "ngay_het_han": "2029-12-31", "trang_thai": "hoat_dong",
        }
        for d in world.DRUGS
    ]  # fmt: skip
    inbox.put(
        night, "BYT", "dm_thuoc_luu_hanh.csv", csv_bytes(drugs, {"so_dang_ky": "Số đăng ký"}, ";")
    )
    out = io.BytesIO()
    pl.DataFrame(world.devices()).write_parquet(out)
    inbox.put(night, "BYT", "thietbi_2026.parquet", out.getvalue())


def gln(number: int) -> str:
    """A GS1 location number with its check digit."""
    body = f"893{number + 40_112:09d}"
    total = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(body))
    return f"{body}{-total % 10}"


DEATH_WORDS = {"so_giay_bao_tu": "Số giấy báo tử", "ho_ten": "Họ và tên", "ma_cskcb": "Mã CSKCB"}


def extracts(
    inbox: Inbox, encounters: Iterable[Encounter], doses: dict[tuple[date, str], list[Row]]
) -> dict[str, str]:
    """Prescriptions, deaths, cases and doses by facility and night. Record key → file."""
    files: dict[str, str] = {}
    scripts: dict[tuple[date, str], list[dict[str, object]]] = defaultdict(list)
    deaths: dict[tuple[date, str], list[Row]] = defaultdict(list)
    cases: dict[tuple[date, str], list[Row]] = defaultdict(list)
    for e in encounters:
        place = (e.left.date(), e.facility.code)
        if e.prescription is not None:
            scripts[place].append(e.prescription)
        if e.death is not None:
            deaths[place].append(e.death)
        if e.case is not None:
            # Reported by the next day at the latest, so it lies in that night's folder.
            cases[(e.came.date() + timedelta(days=1), e.facility.code)].append(e.case)
    for (night, code), rows in scripts.items():
        name = inbox.put(
            night,
            code,
            f"donthuoc_{code}_{night:%d%m}.json",
            json.dumps(rows, ensure_ascii=False).encode(),
        )
        files |= {str(row["ma_don_thuoc"]): name for row in rows}
    for (night, code), rows in deaths.items():
        name = inbox.put(
            night, code, f"giay_bao_tu_{night:%Y%m%d}.csv", csv_bytes(rows, DEATH_WORDS, ";")
        )
        files |= {f"{row['so_giay_bao_tu']}|{code}": name for row in rows}
    for (night, code), rows in cases.items():
        name = inbox.put(night, code, f"ca_benh_{night:%Y%m%d}.csv", csv_bytes(rows))
        files |= {row["ma_ca"]: name for row in rows}
    for (night, code), rows in doses.items():
        name = inbox.put(
            night,
            code,
            f"tiem_chung_{code}.csv",
            csv_bytes(rows, {"ma_mui_tiem": "Mã mũi tiêm"}, ";"),
        )
        files |= {row["ma_mui_tiem"]: name for row in rows}
    return files


def visits(inbox: Inbox, encounters: list[Encounter]) -> dict[tuple[str, str], str]:
    """Envelopes of both channels. (key of the encounter, channel) → file."""
    files: dict[tuple[str, str], str] = {}
    by_place: dict[tuple[date, str], list[Encounter]] = defaultdict(list)
    arrivals: dict[tuple[date, str], list[Encounter]] = defaultdict(list)
    for e in encounters:
        by_place[(sent_on(e), e.facility.code)].append(e)
        if e.checkin is not None:
            began = e.checkin["NGAY_YL"]
            on = date(int(began[:4]), int(began[4:6]), int(began[6:8]))
            arrivals[(on, e.facility.code)].append(e)
    for (night, code), here in sorted(by_place.items()):
        coordination = [e for e in here if "coordination" in e.channels]
        insurance = [e for e in here if "social_insurance" in e.channels and e.insured]
        wrapped = code == "15011"
        for start in range(0, len(coordination), 40):
            some = coordination[start : start + 40]
            content = envelope(
                code, night, [unit_of(e, "coordination") for e in some], wrapped=wrapped
            )
            word = "dieuphoi" if code != "38731" else "hoso"
            name = inbox.put(
                night, code, f"{word}_{code}_{night:%y%m%d}_{start // 40 + 1}.xml", content
            )
            files |= {(e.key, "coordination"): name for e in some}
        if insurance:
            content = envelope(
                code, night, [unit_of(e, "social_insurance") for e in insurance], wrapped=wrapped
            )
            name = f"giamdinh_{code}_{night:%y%m%d}"
            if code == "38280":
                out = io.BytesIO()
                with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
                    archive.writestr(f"{name}.xml", content)
                path = inbox.put(night, "BHXH", f"{name}.zip", out.getvalue())
            else:
                path = inbox.put(night, "BHXH", f"{name}.xml", content)
            files |= {(e.key, "social_insurance"): path for e in insurance}
    for (night, code), here in sorted(arrivals.items()):
        units = [[("XML0", document("XML0", [e.checkin]))] for e in here if e.checkin]
        inbox.put(
            night, "BHXH", f"checkin_{code}_qd3176_{night:%y%m%d}.xml", envelope(code, night, units)
        )
    return files


def sent_on(e: Encounter) -> date:
    """Envelopes leave on the day the visit ended, unless they are late."""
    return e.left.date() + timedelta(days=e.delay)
