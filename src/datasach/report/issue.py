"""Writing receipts: what is new or says something new, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from datasach.report.deliveries import gather, list_offers
from datasach.report.night import Gate, Night, Progress
from datasach.report.places import folder_of
from datasach.report.receipt_book import ReceiptBooks
from datasach.report.receipt_page import receipt_context
from datasach.report.receipts import Payload, Receipts
from datasach.report.render import Renderer
from datasach.report.standing import changed, keep_outcomes, take_stock
from datasach.report.words import Words

WORKBOOK = "bien-nhan.xlsx"
PORTION = 5_000
"""Files whose receipts are in memory together, at about 7 kB each."""
Evening = tuple[str, str, list[int], bool]
"""See `standing.changed`."""


def issue_receipts(
    night: Night, words: Words, renderer: Renderer, gate: Gate, progress: Progress
) -> tuple[int, int]:
    """Issue what is new or says something new; leaves checks.deliveries and checks.sent for the pages.

    A night that `datasach retain` has taken away stays away.
    Returns (receipts there are, of which issued or issued again)
    Fails   the next run finds the same receipts new again
    """
    list_offers(night)
    take_stock(night, gate.withheld, made_by(night, renderer))
    names = dict(
        night.warehouse.rows("SELECT facility, name FROM checks.facilities WHERE name IS NOT NULL")
    )
    root = night.layout.root / "receipts"
    outcomes: dict[int, str] = {}
    issued = done = 0
    evenings = changed(night)
    for some in _portions(evenings):
        deliveries = gather(night, [offer for _, _, offers, _ in some for offer in offers])
        receipts = Receipts(night, words, deliveries, gate.withheld)
        groups = receipts.payloads()
        outcomes |= receipts.outcomes
        gone = {(n, s) for n, s, _, was_issued in some if was_issued and not (root / n).exists()}
        issued += write_receipts(
            root,
            {key: payloads for key, payloads in groups.items() if key not in gone},
            names,
            night.until.isoformat(),
            renderer,
            ReceiptBooks(night, deliveries),
        )
        done += len(some)
        if done < len(evenings):
            progress(f"receipts {done}/{len(evenings)}")
    keep_outcomes(night, outcomes)
    return night.warehouse.value("SELECT count(*) FROM checks.offers"), issued


def made_by(night: Night, renderer: Renderer) -> str:
    """Of declarations, words, templates and engine: where it is another, every receipt is asked again."""
    return hashlib.sha256(
        f"{night.project.fingerprint} {renderer.fingerprint}".encode()
    ).hexdigest()


def _portions(evenings: list[Evening]) -> Iterator[list[Evening]]:
    """Evenings together that bring about `PORTION` files: the memory of one portion is the memory of all."""
    some: list[Evening] = []
    files = 0
    for one in evenings:
        some.append(one)
        files += len(one[2])
        if files >= PORTION:
            yield some
            some, files = [], 0
    if some:
        yield some


def write_receipts(
    root: Path,
    groups: dict[tuple[str, str], list[Payload]],
    names: dict[str, str],
    as_of: str,
    renderer: Renderer,
    books: ReceiptBooks,
) -> int:
    """Write the receipts of some evenings, (night, sender), below `root`; `names` tells senders' names.

    Adds `version` and `as_of` to every payload. Returns how many were issued or issued again.
    Repeat  a second call with the same content writes nothing.
    """
    issued = 0
    for (night, sender), payloads in groups.items():
        folder = root / night / folder_of(sender)
        folder.mkdir(parents=True, exist_ok=True)
        news = [payload for payload in payloads if _says_something_new(folder, payload, as_of)]
        changed = len(news)
        page, workbook = folder / "index.html", folder / WORKBOOK
        if changed or not workbook.exists():
            books.write(workbook, night, sender, payloads)
        if changed or not _made_with(page, renderer.fingerprint):
            offered = WORKBOOK if workbook.exists() else None
            context = receipt_context(night, sender, names.get(sender), payloads, offered)
            write_text(page, renderer.page("receipt.html.j2", **context))
        # The receipts last: a run that dies before them finds them new again, and their page and workbook too.
        for payload in news:
            text = json.dumps(payload, ensure_ascii=False, indent=1, sort_keys=True)
            write_text(_path(folder, payload), text + "\n")
        issued += changed
    return issued


def _path(folder: Path, payload: Payload) -> Path:
    return folder / f"{payload['receipt']}.json"


def _says_something_new(folder: Path, payload: Payload, as_of: str) -> bool:
    """Is the receipt new, or another than the one that was issued? Gives it its version and its night."""
    path = _path(folder, payload)
    before: Payload = json.loads(path.read_bytes()) if path.exists() else {}
    version, since = int(before.pop("version", 0)), str(before.pop("as_of", as_of))
    changed = before != payload
    payload["version"] = version + changed
    payload["as_of"] = as_of if changed else since
    return changed


def _made_with(page: Path, fingerprint: str) -> bool:
    """Was this page made by the templates and words of today?"""
    if not page.exists():
        return False
    with page.open("rb") as handle:
        return fingerprint.encode() in handle.read(400)


def write_text(path: Path, text: str) -> None:
    """Whole or not at all: a reader never sees half a page."""
    side = path.with_name(f".{path.name}.part")
    side.write_text(text, "utf-8")
    side.replace(path)
