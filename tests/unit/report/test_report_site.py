"""The site: pages that agree with each other, ask nothing of the network, and can be read by everyone."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_night import CANARIES, FIRST, SECOND, HandmadeNight, text_of

from datasach.errors import SpecError
from datasach.report.night import gate_of
from datasach.report.site import write_report
from datasach.validate.gate import passed

VOID = {"meta", "input", "br", "img", "link", "hr", "circle", "rect", "path", "line", "polyline"}


class Reader(HTMLParser):
    """Checks nesting, and collects links, tables and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.problems: list[str] = []
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in given:
            if given["id"] in self.ids:
                self.problems.append(f"id {given['id']} twice")
            self.ids.add(str(given["id"]))
        if tag == "a":
            self.links.append(str(given.get("href")))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            if tag == "th" and "scope" not in given:
                self.problems.append("th without scope")
        if tag == "svg" and "aria-hidden" not in given and given.get("role") != "img":
            self.problems.append("svg without role")
        for name in given:
            if name == "style" or name.startswith("on"):
                self.problems.append(f"{tag} has {name}=")

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def read(page: Path) -> Reader:
    reader = Reader()
    reader.feed(page.read_text("utf-8"))
    return reader


@pytest.fixture
def site(night: HandmadeNight) -> Path:
    return Path(write_report(night, lambda _: None)["site"]).parent


def everything(night: HandmadeNight) -> list[Path]:
    root = night.layout.root
    return sorted([*(root / "reports" / SECOND).rglob("*"), *(root / "receipts").rglob("*")])


def numbers(row: list[str]) -> list[int]:
    """The whole numbers of a row's cells, dots of thousands taken out."""
    cells = [cell.strip().replace(".", "") for cell in row]
    return [int(cell) for cell in cells if cell.isdigit()]


def row_named(reader: Reader, name: str) -> list[int]:
    return next(numbers(row) for row in reader.rows if row and row[0].strip().startswith(name))


def test_every_page_of_the_plan_is_there(site: Path, night: HandmadeNight) -> None:
    assert len(list((site / "tinh").glob("*.html"))) == 35
    assert len(list((site / "db").glob("*.html"))) == 14
    assert {p.stem for p in (site / "cskcb").glob("*.html")} >= {"01001", "79002", "BYT"}
    assert not (site / "cskcb/74003.html").exists()
    assert {p.name for p in site.glob("*.html")} == {
        "index.html", "quy-tac.html", "danh-muc-quy-tac.html", "hai-kenh.html", "kip-thoi.html", "lien-ket.html",
        "dem.html", "tien-do.html", "phuong-phap.html"
    }  # fmt: skip
    assert {p.stem for p in (site / "quy-tac").glob("*.html")} == {
        r.id for r in night.project.rules
    }
    assert (night.layout.root / "reports/latest").readlink() == Path(SECOND)


def test_facilities_add_up_to_provinces_and_provinces_to_the_nation(site: Path) -> None:
    nation = read(site / "index.html")
    # read, accepted, held, rejected, superseded, duplicate stand last in each of these rows
    whole = row_named(nation, "Toàn quốc")[-6:]
    provinces = [0] * 6
    for page in sorted((site / "tinh").glob("*.html")):
        reader = read(page)
        sums = [
            numbers(row)[-6:] for row in reader.rows if row and row[0].strip().startswith("Cộng")
        ]
        if not sums:
            continue
        at = next(
            i for i, row in enumerate(reader.rows) if row and row[0].strip().startswith("Cộng")
        )
        heads = next(i for i in range(at, -1, -1) if "Cơ sở" in reader.rows[i][0])
        facilities = [numbers(row)[-6:] for row in reader.rows[heads + 1 : at]]
        assert [sum(column) for column in zip(*facilities, strict=True)] == sums[0], page.name
        provinces = [a + b for a, b in zip(provinces, sums[0], strict=True)]
    assert provinces == whole
    assert whole == [144, 79, 8, 1, 5, 51]
    assert whole[0] == sum(whole[1:])


def test_a_facility_page_sums_its_nights(site: Path) -> None:
    assert row_named(read(site / "cskcb/01001.html"), "Cộng") == [3, 100, 49, 0, 1, 0, 50]


def test_no_page_asks_the_network_for_anything(site: Path, night: HandmadeNight) -> None:
    for page in everything(night):
        if page.suffix == ".html":
            text = page.read_text("utf-8")
            assert not re.search(
                r"(?:src|href|url\(|@import|action)\s*=?\s*[\"'(]?\s*(?:https?:)?//", text
            ), page
            assert 'http-equiv="Content-Security-Policy"' in text


def test_the_policy_allows_exactly_the_pages_own_style_and_script(site: Path) -> None:
    text = (site / "index.html").read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    allowed = policy[1].replace("&#39;", "'")
    for tag in ("style", "script"):
        inside = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        assert len(inside) == 1
        digest = base64.b64encode(hashlib.sha256(inside[0].encode()).digest()).decode()
        assert f"'sha256-{digest}'" in allowed
    assert "default-src 'none'" in allowed and "unsafe" not in allowed


def test_pages_are_well_formed_and_their_tables_and_charts_are_labelled(
    site: Path, night: HandmadeNight
) -> None:
    for page in everything(night):
        if page.suffix != ".html":
            continue
        reader = read(page)
        assert reader.problems == [] and reader.open == [], page
        text = page.read_text("utf-8")
        assert text.count("<table") == text.count("<caption"), page
        assert '<html lang="vi">' in text and "<title>" in text
        assert len(text.encode()) < 1_000_000


def test_every_link_leads_somewhere(site: Path, night: HandmadeNight) -> None:
    readers = {p: read(p) for p in everything(night) if p.suffix == ".html"}
    latest = {p.resolve(): r for p, r in readers.items()}
    for page, reader in readers.items():
        for link in reader.links:
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page.resolve()
            if "reports/latest/cskcb" in link and not target.exists():
                continue  # a sender whose name was refused has no page
            assert target.exists(), f"{page.name}: {link}"
            if anchor and target in latest:
                assert anchor in latest[target].ids, f"{page.name}: {link}"


def test_vietnamese_is_never_without_english_beside_it(site: Path, night: HandmadeNight) -> None:
    for page in everything(night):
        if page.suffix == ".html":
            text = page.read_text("utf-8")
            pairs = len(
                re.findall(r'class="vi" lang="vi">[^<]*</span> <span class="en" lang="en">', text)
            )
            assert pairs >= 10, page


def test_nothing_of_a_person_reaches_the_site(site: Path, night: HandmadeNight) -> None:
    for path in everything(night):
        if path.is_file():
            text = text_of(path)
            for canary in CANARIES:
                assert canary not in text, path


def test_record_codes_stand_in_receipts_only(site: Path) -> None:
    for path in site.rglob("*"):
        if path.is_file():
            assert not re.search(r"LK\d{3}", text_of(path)), path


def test_file_names_stand_in_receipts_only(site: Path) -> None:
    for path in site.rglob("*"):
        if path.is_file():
            assert "good.xml" not in text_of(path), path


def test_the_same_night_gives_the_same_bytes(site: Path, night: HandmadeNight) -> None:
    before = {p: p.read_bytes() for p in everything(night) if p.is_file()}
    write_report(night, lambda _: None)
    assert {p: p.read_bytes() for p in everything(night) if p.is_file()} == before


def test_a_silent_facility_is_named_on_its_provinces_page(site: Path) -> None:
    page = (site / "tinh/79.html").read_text("utf-8")
    silent = page[page.index('id="chua-gui"') : page.index('id="co-so"')]
    assert "Trạm Y tế im lặng" in silent
    assert "Bình Dương (mã 74)" in page


def test_a_withheld_database_is_the_first_sentence(night: HandmadeNight) -> None:
    night.carried["verdicts"].withheld = {"kcb_emr": "x"}
    night.carried["verdicts"].results[0]["success"] = False
    site = Path(write_report(night, lambda _: None)["site"]).parent
    night.carried["verdicts"].results[0]["success"] = True
    heading = re.search(r"<h1>(.*?)</h1>", (site / "index.html").read_text("utf-8"), re.S)
    assert heading is not None and "1 trong 14 cơ sở dữ liệu bị giữ tại cổng" in heading[1]
    assert "Bị giữ tại cổng" in (site / "db/kcb_emr.html").read_text("utf-8")


def test_a_rule_that_did_not_run_is_never_silent(night: HandmadeNight) -> None:
    from types import SimpleNamespace

    night.carried["not_run"] = [
        SimpleNamespace(rule="BOK-901", table="ehr_book.book", reason="BinderException")
    ]
    site = Path(write_report(night, lambda _: None)["site"]).parent
    assert "1 phép kiểm tra không chạy được" in (site / "index.html").read_text("utf-8")
    assert "BinderException" in (site / "dem.html").read_text("utf-8")
    assert "Không chạy được" in (site / "quy-tac.html").read_text("utf-8")


def test_a_night_without_any_file_still_has_its_report(empty_night: HandmadeNight) -> None:
    done = write_report(empty_night, lambda _: None)
    assert done["receipts"] == 0
    assert Path(done["site"]).is_file()


def test_a_page_nobody_can_make_is_a_mistake_with_a_hint(night: HandmadeNight) -> None:
    from dataclasses import replace

    page = night.project.pages[0].model_copy(update={"id": "natoinal"})
    night.project = replace(night.project, pages=(page,))
    with pytest.raises(SpecError, match='did you mean "national"'):
        write_report(night, lambda _: None)
    assert not (night.layout.root / "reports/latest").exists()


def test_a_gate_result_holds_here_exactly_when_the_gate_says_so(night: HandmadeNight) -> None:
    base = {
        "about": "a.b",
        "rule": "R",
        "expectation": "e",
        "column": None,
        "element_count": 1,
        "observed": None,
    }
    night.carried["verdicts"].results = [
        {**base, "success": success, "raised": raised, "unexpected_count": theirs, "ours": ours}
        for success in (True, False)
        for raised in (True, False)
        for theirs in (None, 0, 4)
        for ours in (None, 0, 4.0)
    ]
    results = night.carried["verdicts"].results
    assert [one.holds for one in gate_of(night).results] == [passed(one) for one in results]


def test_yesterdays_scores_become_a_line(night: HandmadeNight) -> None:
    write_report(night, lambda _: None)
    scores = night.layout.state / "history/scores"
    (scores / f"{SECOND}.parquet").rename(scores / f"{FIRST}.parquet")
    night.warehouse.execute(
        f"COPY (SELECT '{FIRST}' AS night, * EXCLUDE (night) FROM read_parquet('{scores}/{FIRST}.parquet'))"
        f" TO '{scores}/{FIRST}.parquet' (FORMAT parquet)"
    )
    site = Path(write_report(night, lambda _: None)["site"]).parent
    assert "<polyline" in (site / "db/kcb_emr.html").read_text("utf-8")
    assert sorted(p.name for p in scores.iterdir()) == [f"{FIRST}.parquet", f"{SECOND}.parquet"]


def test_a_night_that_is_reported_again_gets_a_folder_of_its_own(night: HandmadeNight) -> None:
    """Readers of `latest` see a whole site at every moment: nothing that is pointed to is ever moved."""
    reports = night.layout.root / "reports"
    pointed = []
    for _ in range(4):
        site = write_report(night, lambda _: None)["site"]
        assert Path(site).is_file() and (reports / "latest/index.html").is_file()
        pointed.append((reports / "latest").readlink().name)
    assert pointed == [SECOND, f"{SECOND}.r2", f"{SECOND}.r3", f"{SECOND}.r4"]
    # The one before stays for those who are still reading it; older ones of the night are swept.
    assert {p.name for p in reports.iterdir()} == {"latest", f"{SECOND}.r3", f"{SECOND}.r4"}


def test_a_site_that_cannot_be_finished_leaves_the_one_before(
    night: HandmadeNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(night, lambda _: None)
    monkeypatch.setattr("datasach.report.download_rows.write_downloads", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(night, lambda _: None)
    assert (night.layout.root / "reports/latest").readlink() == Path(SECOND)
    assert (night.layout.root / "reports/latest/index.html").is_file()
