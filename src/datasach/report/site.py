"""The report of a night: receipts for senders, then a static site, then the pointer to it.

receipts/<night>/<sender>/…    see receipts.py
reports/<night>/…              the pages of reports/pages.yaml; whole before it can be seen. A night that is
                               reported again gets <night>.r2, .r3 …: what is pointed to is never moved
reports/latest                 symbolic link to the newest whole site
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from datasach import __version__
from datasach.report import download_rows, pages, workbooks
from datasach.report.book import Book, open_book
from datasach.report.department import write_answers
from datasach.report.issue import issue_receipts
from datasach.report.night import Night, Progress, gate_of
from datasach.report.render import Renderer
from datasach.report.words import load_words
from datasach.store.layout import fsync_folder, move_pointer


def write_report(night: Night, progress: Progress) -> dict[str, Any]:
    """Write receipts and site of the night.

    Reads   the ledger, checks.*, recon.*, standard.files/rejects/units, golden.person, night.carried
    Returns {"site": path of index.html, "pages": n, "receipts": n, "issued": receipts new or changed}
    Fails   readers keep the previous site: `latest` moves last
    """
    words = load_words(night.project.root)
    renderer = Renderer(night.project.root, words, __version__, night.project.fingerprint)
    gate = gate_of(night)
    progress("receipts")
    tonight = night.until.isoformat()
    receipts, issued = issue_receipts(night, words, renderer, gate, progress)
    progress("site")
    book = open_book(night, words, gate)
    folder = _fresh_folder(night.layout.root / "reports", tonight)
    count = _write_site(book, renderer, folder)
    before = _pointed(folder.parent)
    move_pointer(folder.parent / "latest", folder.name)
    _sweep(folder.parent, tonight, {folder.name, before})
    return {
        "site": str(folder / "index.html"),
        "pages": count,
        "receipts": receipts,
        "issued": issued,
    }


def _write_site(book: Book, renderer: Renderer, home: Path) -> int:
    side = home.with_name(f".{home.name}.part")
    shutil.rmtree(side, ignore_errors=True)
    count = 0
    renderer.tell(facility_books=workbooks.offered_to_facilities(len(book.country.units)))
    for path, text in pages.render_all(book, renderer):
        target = side / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        count += 1
    download_rows.write_downloads(book, side / "data")
    workbooks.write_workbooks(side / "data", book.night.project, book.words, book.country.tonight)
    write_answers(book, side / "data")
    side.replace(home)
    fsync_folder(home.parent)
    return count


def _fresh_folder(reports: Path, night: str) -> Path:
    """The night, or `<night>.r2`, `.r3` … after the newest revision that is there."""
    there = [_revision(path.name, night) for path in reports.glob(f"{night}*")]
    newest = max(there, default=0)
    return reports / (f"{night}.r{newest + 1}" if newest else night)


def _revision(name: str, night: str) -> int:
    """1 for the night itself, n for its n-th report, 0 for anything else.

    >>> [_revision(n, "2026-03-02") for n in ("2026-03-02", "2026-03-02.r3", "2026-03-02.old")]
    [1, 3, 0]
    """
    if name == night:
        return 1
    number = name.removeprefix(f"{night}.r")
    return int(number) if number.isdigit() else 0


def _pointed(reports: Path) -> str:
    latest = reports / "latest"
    return latest.readlink().name if latest.is_symlink() else ""


def _sweep(reports: Path, night: str, kept: set[str]) -> None:
    """Remove older reports of the night; the one that was pointed to until now is still being read."""
    for path in reports.glob(f"{night}*"):
        if _revision(path.name, night) and path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
