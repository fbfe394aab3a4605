"""What senders write is text wherever it is shown: hostile names go through a whole night and come out harmless.

They stand in facility names, person names, free text and file names. Every workbook, CSV file and page the night
wrote is then opened; a few pages in a real browser.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import zipfile
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from datasach.report.downloads import harmless
from datasach.report.pack import write_pack
from datasach.report.workbook import Column, Sheet, write_workbook
from datasach.report.workbooks import write_one
from datasach.runners.local import run_night
from datasach.spec.project import Project
from tests.envelopes import envelope, simple_visit

NIGHT = "2026-03-02"
CORPUS = (
    "=cmd|'/C calc'!A0",
    "+1+1",
    "@SUM(1)",
    "-2+3",
    "\t=1+1",
    "\r=1+1",
    '=HYPERLINK("http://x.invalid","a")',
    "＝1+1",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "{{7*7}}",
    "{% for x in y %}",
    "</style><style>*{display:none}",
    "</title><h1>x",
    "\u202eevil\u202c",
    "nul\x00inside",
    "javascript:alert(1)",
    "A" * 32_800,
)
BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
NUMBER = re.compile(r"-?[0-9.]+(e-?[0-9]+)?$")


@pytest.fixture(scope="module")
def hostile(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse whose one night brought the corpus wherever a sender can write."""
    folder = tmp_path_factory.mktemp("hostile")
    inbox, out = folder / "inbox" / NIGHT, folder / "out"
    for sender in ("BYT", *codes()):
        (inbox / sender).mkdir(parents=True)
    (inbox / "BYT/DANHMUC_CSKCB_1.csv").write_bytes(_register().encode())
    for code, text in zip(codes(), CORPUS, strict=True):
        visits = [
            simple_visit(MA_LK=f"LK{n}", MA_CSKCB=code, HO_TEN=said, LY_DO_VV=said, DIA_CHI=said, MA_BENH_CHINH=said[:20])
            for n, said in enumerate(_sayable(text, *CORPUS[:9]))
        ]  # fmt: skip
        (inbox / code / "DPDL_1.xml").write_bytes(envelope(visits, facility=code).encode())
    (inbox / codes()[0] / "TIEMCHUNG_1.csv").write_bytes(_doses(codes()[0]).encode())
    (inbox / codes()[16] / "TIEMCHUNG_1.csv").write_bytes(_doses(codes()[16]).encode() + b"\x00")
    for text in CORPUS:
        name = text.replace("/", "").replace("\x00", "")[:120]
        (inbox / codes()[8] / f"{name}.xml").write_text("<not an envelope", "utf-8")
    run_night(project, inbox.parent, out, date.fromisoformat(NIGHT))
    write_pack(project, out, None, "79", None, None)
    write_pack(project, out, None, None, None, None)
    for code in codes():
        write_one(project, out, None, None, code, out / "packs" / f"{code}.xlsx")
    write_one(project, out, None, "79", None, out / "packs/79.xlsx")
    return out


def codes() -> list[str]:
    return [f"79{n:03}" for n in range(1, len(CORPUS) + 1)]


def _sayable(*texts: str) -> list[str]:
    """A file with a NUL in it is refused whole; one stands beside the others."""
    return [text.replace("\x00", "") for text in texts]


def _register() -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerow(
        [
            "ma_cskcb",
            "ten_cskcb",
            "so_giay_phep",
            "cap",
            "loai_hinh",
            "matinh",
            "maxa",
            "dia_chi",
            "trang_thai",
            "ngay_hieu_luc",
        ]
    )
    for code, name in zip(codes(), _sayable(*CORPUS), strict=True):
        writer.writerow(
            [code, name, name, "co_ban", "cong_lap", "79", "26734", name, "hoat_dong", "20250701"]
        )
    return text.getvalue()


def _doses(code: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerow(
        [
            "ma_mui_tiem",
            "ho_ten",
            "ngay_sinh",
            "gioi_tinh",
            "ma_vac_xin",
            "ten_vac_xin",
            "ngay_tiem",
            "ma_cskcb",
            "phan_ung",
        ]
    )
    for n, said in enumerate(_sayable(*CORPUS)):
        writer.writerow([f"M{n}", said, "20200101", "1", said, said, "20260302", code, said])
    return text.getvalue()


def test_no_workbook_has_a_formula_or_a_link(hostile: Path) -> None:
    books = sorted(hostile.rglob("*.xlsx"))
    assert len(books) > 2 * len(CORPUS)
    for path in books:
        with zipfile.ZipFile(path) as book:
            for name in book.namelist():
                text = book.read(name).decode()
                assert not re.search(r"<f[ >/]", text), (path, name)
                assert not re.search(
                    r"<(\w+:)?hyperlink|relationships/hyperlink|externalLink", text
                ), (path, name)
                assert "\x00" not in text and "\u202e" not in text, (path, name)


def test_the_names_stand_in_the_workbook_as_they_were_written(hostile: Path) -> None:
    frame = pl.read_excel(
        hostile / "packs/79.xlsx", sheet_name="Cơ sở", read_options={"header_row": 0}
    )
    names = set(frame["Tên cơ sở"].to_list())
    assert {"=cmd|'/C calc'!A0", "@SUM(1)", "<script>alert(1)</script>", "{{7*7}}"} <= names
    assert frame["Mã cơ sở"].to_list()[1:2] == ["79001"]


def test_no_cell_of_a_csv_file_begins_like_a_formula(hostile: Path) -> None:
    files = sorted((hostile / "reports").rglob("*.csv"))
    assert files
    for path in files:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            for row in csv.reader(handle):
                for cell in row:
                    assert not cell.startswith(BEGINS_A_FORMULA) or NUMBER.match(cell), (
                        path.name,
                        cell[:30],
                    )
                    assert "\x00" not in cell and "\u202e" not in cell, path.name


def test_parquet_stays_exact(hostile: Path) -> None:
    """What software reads is what was published, character for character."""
    told = pl.read_parquet(hostile / "reports/latest/data/facilities.parquet").select(
        "facility", "name"
    )
    published = pl.read_parquet(hostile / "published/latest/facilities/facility.parquet")
    exact = dict(published.select("ma_cskcb", "ten_cskcb").iter_rows())
    shown = {code: name for code, name in told.iter_rows() if code in exact}
    assert shown == exact
    assert exact["79001"] == "=cmd|'/C calc'!A0" and exact["79009"] == "<script>alert(1)</script>"


class Elements(HTMLParser):
    """What a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attributes if name.startswith("on")]
        self.handlers += [
            str(v) for n, v in attributes if n in ("href", "src") and "script:" in str(v)
        ]


def elements(text: str) -> Elements:
    found = Elements()
    found.feed(text)
    return found


def harmless_page(text: str, scripts: int) -> None:
    found = elements(text)
    assert found.handlers == []
    assert not {"img", "iframe", "object", "embed"} & set(found.tags)
    assert found.tags.count("script") == scripts and found.tags.count("style") == 1


def test_no_page_has_an_element_a_sender_wrote(hostile: Path) -> None:
    pages = [p for p in sorted(hostile.rglob("*.html")) if "latest" not in p.parts]
    clean = elements((hostile / "reports/latest/phuong-phap.html").read_text("utf-8"))
    assert len(pages) > 2 * len(CORPUS)
    for page in pages:
        text = page.read_text("utf-8")
        harmless_page(text, clean.tags.count("script"))
        assert "49" not in re.findall(r"<h1>[^<]*", text), page
    shown = (hostile / "reports/latest/cskcb/79012.html").read_text("utf-8")
    assert "{{7*7}}" in shown


@pytest.mark.parametrize("page", ["tinh/79", "cskcb/79009", "receipt", "pack"])
def test_a_browser_runs_nothing_of_it(hostile: Path, tmp_path: Path, page: str) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("no chromium here")
    path = {
        "receipt": hostile / f"receipts/{NIGHT}/79009/index.html",
        "pack": hostile / f"packs/{NIGHT}/hop-79.html",
    }.get(page, hostile / f"reports/latest/{page}.html")
    text = path.read_text("utf-8")
    assert "&lt;script&gt;" in text
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         f"--user-data-dir={tmp_path}", "--dump-dom", path.resolve().as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert len(done.stdout) > 1_000
    harmless_page(done.stdout, elements(text).tags.count("script"))


@pytest.mark.parametrize("text", CORPUS)
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(text: str) -> None:
    (cell,) = harmless(pl.DataFrame({"a": [text]}))["a"]
    seen = re.sub("[\x00\u202e\u202c]", "", text)
    assert cell == (f"'{seen}" if seen.startswith(BEGINS_A_FORMULA) else seen)


def test_numbers_below_nothing_stay_numbers() -> None:
    frame = harmless(pl.DataFrame({"change": [-3], "text": ["-3"]}))
    assert frame.row(0) == (-3, "'-3")


def test_a_cell_longer_than_a_cell_is_cut_and_marks_nobody_sees_are_left_out(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.xlsx"
    write_workbook(path, [Sheet("a", [Column("x")], [[text] for text in (*CORPUS, "\ud800")])])
    frame = pl.read_excel(path)
    assert len(frame["x"][18]) == 32_767
    assert frame["x"][15:17].to_list() == ["evil", "nulinside"]
