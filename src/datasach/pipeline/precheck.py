"""`datasach precheck`: the receipt a file would get, worked out on the sender's own machine.

The files go through the night's own steps, in a folder that is gone afterwards: nothing is kept, nothing
is published, and what a person's record says leaves no trace. The gate and the site are not asked.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from datasach import __version__, settings
from datasach.errors import DatasachError
from datasach.pipeline.plan import plan, settle_states
from datasach.pipeline.step import Night
from datasach.publish.results import keep_results
from datasach.report.deliveries import gather, list_offers
from datasach.report.receipt_text import receipts_text
from datasach.report.receipts import Receipts
from datasach.report.words import load_words
from datasach.runners.local import run_shards
from datasach.spec.project import Project
from datasach.store.layout import Layout
from datasach.store.ledger import Ledger
from datasach.store.warehouse import Warehouse

STEPS = ("arrive", "extract", "standardise", "reconcile", "link", "validate", "stage")
"""What a receipt needs of the plan: everything up to the books."""
FACILITY = re.compile(rb"<MACSKCB>\s*([0-9A-Za-z]{5})\s*</MACSKCB>", re.IGNORECASE)
HEAD_BYTES = 65_536


class NobodysFiles(DatasachError):
    """Neither the command nor the files say which facility they are from."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Precheck:
    """What came of it: the receipts as a night would write them, in the order of the files' names."""

    facility: str
    receipts: list[dict[str, Any]]

    @property
    def exit_code(self) -> int:
        """20 when something would be held or rejected."""
        return 20 if any(_is_refused(one) for one in self.receipts) else 0


def told(found: Precheck, as_json: bool) -> str:
    """The receipts as people read them, or as JSON."""
    if as_json:
        return json.dumps(found.receipts, ensure_ascii=False, indent=1, sort_keys=True)
    head = (
        f"Kiểm tra trước khi gửi, cơ sở {found.facility}: chưa gửi gì, không lưu gì.\n"
        f"Check before sending, facility {found.facility}: nothing was sent, nothing is kept.\n"
        "Nếu gửi đêm nay, biên nhận sẽ là · If sent tonight, the receipt would be:"
    )
    return f"{head}\n\n{receipts_text(found.receipts)}"


def _is_refused(receipt: dict[str, Any]) -> bool:
    counts, outcome = receipt["counts"], receipt["outcome"]["id"]
    return bool(counts["quarantined"] or counts["rejected"]) or outcome in ("rejected", "held")


def precheck(
    project: Project,
    files: Sequence[Path],
    facility: str | None = None,
    registers: Path | None = None,
    night: date | None = None,
) -> Precheck:
    """Receipts for `files` as if `facility` had sent them in `night` (tonight, if not said).

    `registers` is a warehouse whose register files are read along, so that rules that look things up in
    them (facilities, staff, cards) are asked; without it they ask nobody, as always when none arrived.
    Raises NobodysFiles if no facility is given and no envelope among the files names one.
    """
    sender = facility or _named_facility(files)
    until = night or settings.today()
    with tempfile.TemporaryDirectory(prefix="datasach-precheck-") as folder:
        inbox = Path(folder) / "inbox"
        names = _lay_out(files, inbox / until.isoformat() / sender)
        if registers is not None:
            _add_registers(registers, inbox, until)
        payloads = _receipts(project, Path(folder), inbox, until)
    tonight = (until.isoformat(), sender)
    own = [one for one in payloads if (one["night"], one["sender"]) == tonight]
    return Precheck(sender, sorted(own, key=lambda one: names.index(one["file"]["name"])))


def _named_facility(files: Sequence[Path]) -> str:
    """The facility that the first envelope names; else the folder of an inbox that a file lies in."""
    for path in files:
        with path.open("rb") as handle:
            found = FACILITY.search(handle.read(HEAD_BYTES))
        if found:
            return found[1].decode("ascii")
    folders = {path.resolve().parent.name for path in files}
    if len(folders) == 1 and re.fullmatch(r"[0-9]{5}", name := folders.pop()):
        return name
    raise NobodysFiles(
        "these files do not say whose they are: give the facility with --facility CODE"
    )


def _lay_out(files: Sequence[Path], home: Path) -> list[str]:
    """Copy the files to where a sender's files lie; two of one name get a folder each."""
    names: list[str] = []
    for number, path in enumerate(files, 1):
        name = path.name if path.name not in names else f"{number}/{path.name}"
        target = home / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        names.append(name)
    return names


def _add_registers(registers: Path, inbox: Path, until: date) -> None:
    """Put the register files of a warehouse where they lay when they came, up to the night."""
    if not (registers / "state/ledger.sqlite").is_file():
        raise DatasachError(f"{registers} is no warehouse: it has no state/ledger.sqlite")
    layout = Layout(registers.resolve())
    with closing(Ledger(layout.ledger, "precheck")) as ledger:
        offers = ledger.rows(
            "SELECT DISTINCT o.night, o.path, o.sha256 FROM offers o JOIN files f USING (offer)"
            " WHERE f.channel = 'register' AND f.state <> 'REJECTED' AND o.night <= ? ORDER BY o.offer",
            (until.isoformat(),),
        )
    for night, path, sha256 in offers:
        target = inbox / night / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(layout.landed(sha256), target)


def _receipts(project: Project, folder: Path, inbox: Path, until: date) -> list[dict[str, Any]]:
    with _opened(project, Layout(folder / "out"), inbox, until) as night:
        for step in plan():
            if step.name in STEPS:
                step.run(night, run_shards(night, step), lambda _: None)
        settle_states(night, ())
        keep_results(night.warehouse, night.project)
        list_offers(night)
        receipts = Receipts(night, load_words(project.root), gather(night), ())
        return [one for group in receipts.payloads().values() for one in group]


@contextmanager
def _opened(project: Project, layout: Layout, inbox: Path, until: date) -> Iterator[Night]:
    run, resources = "precheck", settings.resources()
    with (
        closing(Ledger(layout.ledger, run)) as ledger,
        closing(Warehouse(layout, resources)) as warehouse,
    ):
        ledger.begin_run(until.isoformat(), project.fingerprint, __version__)
        yield Night(project, layout, ledger, resources, inbox, until, run, warehouse)
