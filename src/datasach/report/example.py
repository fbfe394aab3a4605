"""A few pages of a site as an example that stands in the project: `make example`.

python -m datasach.report.example WAREHOUSE FOLDER

The pages lie as in a warehouse (`reports/latest/…`, `receipts/…`), so links between them work; links to pages that are
not part of the example are taken out. `made_of.txt` holds the hash of the templates, style sheet and script they were
made with: a test compares it with those of today.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from pathlib import Path

DATABASES = ("kcb_emr", "bhyt_claims", "ehr_book")
PROVINCE, FACILITY = "79", "79001"
RULES = 2
"""Pages of the most costly rules of the national page."""


def made_of(root: Path) -> str:
    """SHA-256 over the templates, the style sheet and the script of a project."""
    folder = root / "reports"
    paths = [*sorted((folder / "templates").glob("*.j2")), folder / "style.css", folder / "site.js"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def make_example(out: Path, folder: Path, root: Path) -> list[Path]:
    """Copy the chosen pages of the newest site in `out` to `folder`, in place of what is there."""
    site = (out / "reports/latest").resolve()
    national = (site / "index.html").read_text("utf-8")
    rules = re.findall(r'<tr data-of="rule:([^"]+)">', national)[:RULES]
    sent = sorted(path.parent.parent.name for path in out.glob(f"receipts/*/{FACILITY}/index.html"))
    names = [
        "index.html",
        *(f"db/{name}.html" for name in DATABASES),
        f"tinh/{PROVINCE}.html",
        f"cskcb/{FACILITY}.html",
        *(f"quy-tac/{rule}.html" for rule in rules),
    ]
    chosen = {folder / "reports/latest" / name: site / name for name in names}
    for night in sent[-1:]:
        receipt = f"receipts/{night}/{FACILITY}/index.html"
        chosen[folder / receipt] = out / receipt
    shutil.rmtree(folder / "reports", ignore_errors=True)
    shutil.rmtree(folder / "receipts", ignore_errors=True)
    kept = {path.resolve() for path in chosen}
    for target, source in chosen.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_without_dead_links(source.read_text("utf-8"), target, kept), "utf-8")
    (folder / "made_of.txt").write_text(made_of(root) + "\n", "utf-8")
    return list(chosen)


def _without_dead_links(text: str, page: Path, kept: set[Path]) -> str:
    def link(found: re.Match[str]) -> str:
        path = found[1].partition("#")[0]
        return found[0] if not path or (page.parent / path).resolve() in kept else ""

    return re.sub(r' href="([^"]*)"', link, text)


if __name__ == "__main__":
    for made in make_example(Path(sys.argv[1]), Path(sys.argv[2]), Path.cwd()):
        print(made)
