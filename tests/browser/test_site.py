"""Every kind of page, in a browser: nothing asked of the network, nothing too wide, both languages, found by keyboard
and by a screen reader's rules. The short form samples widths and languages; `make test-long` opens every kind of page
in all of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.browser.conftest import LANGUAGES, PAPER, WIDTHS, Opened

AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
TOO_WIDE = """() => {
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  return wide > 0 ? wide : 0;
}"""
READS = """() => {
  const seen = e => e.getClientRects().length > 0;
  const count = what => [...document.querySelectorAll(what)].filter(seen).length;
  return {vi: count('main .vi'), en: count('main .en'), lang: document.documentElement.lang};
}"""


def kinds(site: Path) -> dict[str, Path]:
    """One page of every kind, the fullest of those there are many of."""
    found = {path.stem: path for path in site.glob("*.html")}
    for folder in ("db", "tinh", "cskcb", "quy-tac"):
        found[folder] = max((site / folder).glob("*.html"), key=lambda p: p.stat().st_size)
    found["empty-province"] = min((site / "tinh").glob("*.html"), key=lambda p: p.stat().st_size)
    receipts = (site.parents[1] / "receipts").rglob("index.html")
    found["receipt"] = max(receipts, key=lambda p: p.stat().st_size)
    return found


def check(one: Opened, page: Path, languages: Iterable[str]) -> None:
    """The page as it is shown: no wider than its screen, and only in the language asked for."""
    shown = one.go(page)
    for language in languages:
        one.speak(language)
        where = f"{page.name} at {shown.viewport_size['width']} px, {language}"
        assert shown.evaluate(TOO_WIDE) == 0, where
        reads = shown.evaluate(READS)
        assert (reads["vi"] > 0) == (language != "en"), where
        assert (reads["en"] > 0) == (language != "vi"), where
        assert reads["lang"] == ("en" if language == "en" else "vi"), where


def test_every_kind_of_page_fits_its_screen_in_its_language(opened: Any, site: Path) -> None:
    """Two of nine screens for each page, another two for the next, and each on paper."""
    pages = sorted(kinds(site).items())
    screens = {width: opened(width) for width in WIDTHS}
    paper = opened(PAPER, printed=True)
    picks = list(itertools.product(WIDTHS, LANGUAGES[:2]))
    for number, (_, page) in enumerate(pages):
        for step in (0, 3):
            width, language = picks[(number + step) % len(picks)]
            check(screens[width], page, [language])
        check(paper, page, [LANGUAGES[number % 3]])


@pytest.mark.long
def test_every_kind_of_page_at_every_width_language_and_medium(opened: Any, site: Path) -> None:
    for one in (*(opened(width) for width in WIDTHS), opened(PAPER, printed=True)):
        for page in kinds(site).values():
            check(one, page, LANGUAGES)


def axe_source() -> str:
    axe = pytest.importorskip("axe_playwright_python", reason="axe is not installed")
    return (Path(axe.__file__).parent / "axe.min.js").read_text("utf-8")


def serious(shown: Any) -> list[str]:
    found = shown.evaluate(
        "async rules => (await axe.run(document, {runOnly: rules})).violations.map(v =>"
        " [v.impact, v.id, v.nodes.slice(0, 3).map(n => n.html.slice(0, 120))])",
        AXE_RULES,
    )
    return [
        f"{what}: {nodes}" for impact, what, nodes in found if impact in ("serious", "critical")
    ]


def test_axe_finds_nothing_serious(opened: Any, site: Path) -> None:
    """Rows of a table repeat: thirty of each stand for all here, the long form looks at every one."""
    source = axe_source()
    for number, (name, page) in enumerate(sorted(kinds(site).items())):
        one = opened(WIDTHS[number % 3], dark=number % 2 == 1)
        shown = one.go(page)
        one.speak(LANGUAGES[number % 3])
        shown.evaluate(
            "document.querySelectorAll('tbody tr:nth-child(n+31), dl :nth-child(n+61)').forEach(e => e.remove())"
        )
        shown.evaluate(source)
        assert serious(shown) == [], name
        one.close()


@pytest.mark.long
def test_axe_finds_nothing_serious_in_any_theme_width_and_language(opened: Any, site: Path) -> None:
    source = axe_source()
    for width, dark in itertools.product((1440, 360), (False, True)):
        one = opened(width, dark=dark)
        for name, page in kinds(site).items():
            shown = one.go(page)
            shown.evaluate(source)
            for language in LANGUAGES:
                one.speak(language)
                assert serious(shown) == [], (
                    f"{name} {width} {language} {'dark' if dark else 'light'}"
                )


def test_the_language_is_remembered_from_page_to_page(opened: Any, site: Path) -> None:
    one = opened()
    shown = one.go(site / "index.html")
    vietnamese = shown.inner_text("h1")
    shown.click("label[for=lang-en]")
    english = shown.inner_text("h1")
    assert vietnamese.startswith("Đêm") and english.startswith("Night of")
    shown.click("nav a[href='quy-tac.html']")
    # A click does not wait until the page it leads to has run its script.
    shown.wait_for_url("**/quy-tac.html")
    assert "rules are broken" in shown.inner_text("h1")
    shown.click("label[for=lang-vi]")
    shown.go_back()
    assert (
        shown.inner_text("h1") == vietnamese
        or shown.reload()
        and shown.inner_text("h1") == vietnamese
    )


def test_the_language_switch_works_with_the_keyboard_and_without_script(
    opened: Any, site: Path
) -> None:
    shown = opened(script=False).go(site / "index.html")
    shown.focus("#lang-vi")
    shown.keyboard.press("ArrowRight")
    assert shown.inner_text("h1").startswith("Night of")


def test_a_table_is_sorted_by_its_heading_and_says_so(opened: Any, site: Path) -> None:
    shown = opened().go(site / "index.html")
    table = "table:has(tr[data-of='database:kcb_emr'])"
    numbers = f"""() => [...document.querySelectorAll("{table} tbody td[data-figure=records]")]
        .map(c => +c.textContent.replaceAll('.', ''))"""
    before = shown.evaluate(numbers)
    shown.click(f"{table} thead th:nth-child(3) button")
    assert shown.evaluate(numbers) == sorted(before, reverse=True)
    assert shown.get_attribute(f"{table} thead th:nth-child(3)", "aria-sort") == "descending"
    shown.press(f"{table} thead th:nth-child(3) button", "Enter")
    assert shown.evaluate(numbers) == sorted(before)
    assert (
        shown.evaluate(
            f"""document.querySelectorAll("{table} tfoot tr, {table} tbody tr").length"""
        )
        == 14
    )


def test_a_table_is_searched_without_marks(opened: Any, site: Path) -> None:
    shown = opened().go(site / "index.html")
    shown.fill("input[type=search]", "ho chi minh")
    rows = shown.locator("tr[data-of^='province:']:visible")
    assert rows.count() == 1 and "Hồ Chí Minh" in rows.first.inner_text()
    assert re.fullmatch(r"1 / 35", shown.inner_text(".finder output"))
    shown.fill("input[type=search]", "")
    assert shown.locator("tr[data-of^='province:']:visible").count() == 35


def test_the_catalogue_filters_without_script(opened: Any, site: Path) -> None:
    shown = opened(script=False).go(site / "danh-muc-quy-tac.html")
    everything = shown.locator("table.rules tbody tr:visible").count()
    shown.click("label[for=sev-quarantine]")
    held = shown.locator("table.rules tbody tr:visible").count()
    assert 0 < held < everything
    assert held == shown.locator("table.rules tbody tr.sev-quarantine").count()


def test_every_table_can_be_read_without_script(opened: Any, site: Path) -> None:
    """What a page says does not depend on the script: the same words, but for what only the script can do."""
    texts = []
    for script in (True, False):
        shown = opened(script=script).go(site / "quy-tac.html")
        for one in shown.locator(".finder").all() if script else []:
            one.evaluate("e => e.remove()")
        texts.append(shown.inner_text("main").split())
    assert texts[0] == texts[1]


def test_every_link_and_download_of_a_page_is_there(opened: Any, site: Path) -> None:
    for page in kinds(site).values():
        one = opened()
        shown = one.go(page)
        for link in shown.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)"):
            parts = urlsplit(link)
            assert parts.scheme == "file", f"{page.name}: {link}"
            target = Path(unquote(parts.path))
            assert target.exists(), f"{page.name}: {link}"
            assert target.stat().st_size > 0 or target.is_dir()
        one.close()


def test_four_clicks_lead_from_the_nation_to_the_record(opened: Any, site: Path) -> None:
    """A leader sees a defect, and follows it to the very records on their sender's receipt."""
    shown = opened().go(site / "index.html")
    clicks = 0

    def click(what: str, wanted: Callable[[str], bool]) -> None:
        nonlocal clicks
        shown.locator(what).first.click()
        clicks += 1
        assert wanted(shown.url), shown.url

    rule = shown.locator("#ton-kem ~ .scroll tr[data-of^='rule:']").first.get_attribute("data-of")[
        5:
    ]
    click(
        "#ton-kem ~ .scroll tr[data-of^='rule:'] th a",
        lambda url: url.endswith(f"quy-tac/{rule}.html"),
    )
    click("a.receipt", lambda url: "/receipts/" in url and url.endswith(f"index.html#{rule}"))
    assert clicks <= 4
    place = shown.locator(f"[id='{rule}'] .records")
    assert place.is_visible()
    record = place.locator("code").first.inner_text()
    assert re.fullmatch(r"[A-Za-z0-9._-]+", record)


def test_the_same_record_is_reached_through_the_department(opened: Any, site: Path) -> None:
    """The other way down: nation, Department, facility, receipt."""
    shown = opened().go(site / "index.html")
    shown.locator("tr[data-of='province:79'] th a").click()
    shown.locator("tr[data-of='facility:79001'] th a").first.click()
    shown.locator("a.receipt").first.click()
    assert "/receipts/" in shown.url and "79001" in shown.inner_text("header")


def test_no_page_of_the_site_is_too_big(site: Path) -> None:
    sizes = {p.relative_to(site).as_posix(): p.stat().st_size for p in site.rglob("*.html")}
    assert {name: size for name, size in sizes.items() if size >= 1_000_000} == {}
