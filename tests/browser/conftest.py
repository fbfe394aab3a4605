"""The demo's site in a real browser: Debian's Chromium, driven from the tests, with the network watched.

Every page that is opened is listened to: a console error, a failed load or a request to anything but a file fails
the test that opened it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WIDTHS = (1440, 768, 360)
PAPER = 700
"""CSS pixels between the margins of an A4 page."""
LANGUAGES = ("vi", "en", "two")


@dataclass
class Opened:
    """A page of the site as it was opened, and whatever it should not have done."""

    page: Any
    faults: list[str] = field(default_factory=list)

    def go(self, path: Path) -> Any:
        self.page.goto(path.as_uri())
        return self.page

    def close(self) -> None:
        """Give the browser its memory back; what was found stays to be checked."""
        self.page.context.close()

    def speak(self, language: str) -> None:
        self.page.evaluate(f"document.getElementById('lang-{language}').click()")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed; on Debian: apt-get install chromium")
    with api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:
    """opened(width, dark=False, printed=False, script=True) → a page that is listened to; checked at the end."""
    contexts, pages = [], []

    def make(
        width: int = 1440, dark: bool = False, printed: bool = False, script: bool = True
    ) -> Opened:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
        )
        found = Opened(context.new_page())
        page, faults = found.page, found.faults
        if printed:
            page.emulate_media(media="print")
        page.on(
            "console", lambda m: faults.append(m.text) if m.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda e: faults.append(str(e)))
        page.on("dialog", lambda d: (faults.append("a dialog opened"), d.dismiss()))
        page.on("requestfailed", lambda r: faults.append(f"could not load {r.url}"))
        page.on(
            "request",
            lambda r: None if r.url.startswith(("file:", "data:")) else faults.append(r.url),
        )
        contexts.append(context)
        pages.append(found)
        return found

    yield make
    for context in contexts:
        context.close()
    assert [fault for one in pages for fault in one.faults] == []


@pytest.fixture(scope="session")
def site(three_nights: Any) -> Path:
    return (three_nights.out / "reports/latest").resolve()
