"""Templates → pages. Jinja with autoescape and StrictUndefined; every page is whole in itself.

A page asks nothing of the network: its style sheet and its few lines of script stand in it, and its
content security policy allows these two by their hashes and nothing else. So a page can be opened from a
disk, sent by mail or printed, and a value that slipped into it could not load or run anything.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup

from datasach.report import cells, charts, downloads, numbers
from datasach.report.cells import spans
from datasach.report.counts import FATE_TITLES, FATES
from datasach.report.places import folder_of
from datasach.report.tasks import STATE_TITLES
from datasach.report.words import PILLARS, Tone, Words
from datasach.spec.contract import Title
from datasach.spec.rule import PILLAR_TITLES

CHANNELS = {
    "coordination": Title(vi="Hệ thống điều phối", en="Coordination system"),
    "social_insurance": Title(vi="Bảo hiểm xã hội", en="Social Insurance"),
    "exchange": Title(vi="Trao đổi dữ liệu", en="Data exchange"),
    "register": Title(vi="Danh mục, sổ đăng ký", en="Register"),
}


IDENTITY_PARTS = {
    "identifier": Title(vi="Số định danh cá nhân", en="Personal number"),
    "card": Title(vi="Thẻ BHYT", en="Insurance card"),
    "phone": Title(vi="Điện thoại", en="Telephone"),
}


def two(title: Title | dict[str, str]) -> Markup:
    """A `Title` (or the vi/en of a receipt) in both languages."""
    if isinstance(title, Title):
        return spans(title.vi, title.en)
    return spans(title["vi"], title["en"])


def say(vi: str, en: str, **values: Any) -> Markup:
    """A sentence in both languages, numbers written as each writes them.

    >>> say("Đã đọc {n} dòng.", "{n} rows read.", n=1234)
    Markup('<span class="vi" lang="vi">Đã đọc 1.234 dòng.</span> <span class="en" lang="en">1,234 rows read.</span>')
    """
    if not values:
        return spans(vi, en)
    theirs = {name: _spoken(value, numbers.vi, numbers.percent) for name, value in values.items()}
    ours = {name: _spoken(value, numbers.en, numbers.percent_en) for name, value in values.items()}
    return spans(vi.format(**theirs), en.format(**ours))


def _spoken(value: Any, number: Callable[[float], str], percent: Callable[[float], str]) -> str:
    if isinstance(value, numbers.Percent):
        return percent(value)
    return number(value) if isinstance(value, int | float) else str(value)


class _Compiled(BytecodeCache):
    """Templates compiled once a process: compiling all of them costs a second, and a backfill has many nights."""

    _code: ClassVar[dict[tuple[str, str], Any]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key, bucket.checksum] = bucket.code


class Renderer:
    """The pages' environment. `fingerprint` tells what templates, words and engine made a page."""

    def __init__(self, root: Path, words: Words, version: str, declarations: str) -> None:
        folder = root / "reports"
        self._words = words
        self._style = _dense((folder / "style.css").read_text("utf-8"))
        self._script = _dense((folder / "site.js").read_text("utf-8"))
        self._environment = Environment(
            loader=FileSystemLoader(folder / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            bytecode_cache=_Compiled(),
        )
        self.fingerprint = _fingerprint(folder, version)
        self._environment.filters.update(
            vi=numbers.vi, pct=numbers.percent, dec=numbers.one_digit, share=numbers.Percent, size=numbers.size, day=numbers.day,
            short_day=numbers.short_day, page_name=folder_of,
        )  # fmt: skip
        self._environment.globals.update(
            say=say, t=spans, two=two, mark=charts.mark, bar=charts.bar, stack=charts.stack,
            spark=charts.spark, strip=charts.strip, columns=charts.columns, lines=charts.lines,
            histogram=charts.histogram, days=cells.days, slim=cells.slim_cell, verdict=self._verdict,
            fates=FATES, fate_titles=FATE_TITLES, pillars=PILLARS, pillar_titles=PILLAR_TITLES,
            channels=CHANNELS, identity_parts=IDENTITY_PARTS, num=cells.num, count_cells=cells.count_cells, figure=cells.figure, severity=cells.severity,
            score_cells=cells.score_cells, records=cells.records_cell, chip=cells.chip,
            tones=words.verdicts.words, words=words,
            offered=downloads.offered, facility_books=True, few=self._few, task_states=STATE_TITLES, version=version, declarations=declarations,
            fingerprint=self.fingerprint, style=Markup(self._style), script=Markup(self._script),
            csp=self._policy(self._style), rule_path=rule_path,
        )  # fmt: skip

    def tell(self, **facts: Any) -> None:
        """Give every page of one site a fact of that night."""
        self._environment.globals.update(facts)

    def page(self, template: str, more_style: str = "", **context: Any) -> str:
        """`more_style` is put behind the style sheet, for this page alone."""
        if more_style:
            style = f"{self._style}\n{more_style}"
            context |= {"style": Markup(style), "csp": self._policy(style)}
        return self._environment.get_template(template).render(**context)

    def _verdict(self, tone: Tone) -> Markup:
        """Shape and word of a verdict."""
        return cells.chip(tone, self._words.verdicts.words[tone], "verdict")

    def _policy(self, style: str) -> str:
        return (
            f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(self._script)}';"
            " img-src data:; base-uri 'none'; form-action 'none'"
        )

    def _few(self, number: int, sensitive: bool = True) -> str:
        """A count of people, with small ones hidden."""
        least = self._words.verdicts.small_cell
        return f"< {least}" if sensitive and 0 < number < least else numbers.vi(number)


def rule_path(rule: str) -> str:
    """The page of a rule below the site's root.

    >>> rule_path("DIA-008a")
    'quy-tac/DIA-008a.html'
    """
    return f"quy-tac/{rule}.html"


def _dense(text: str) -> str:
    """A style sheet or script without its comments and indents: it stands in thousands of pages."""
    bare = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return "\n".join(line for raw in bare.splitlines() if (line := raw.strip()))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _fingerprint(folder: Path, version: str) -> str:
    digest = hashlib.sha256(version.encode())
    # The example is made by what is hashed here; it makes nothing.
    found = (p for p in folder.rglob("*") if p.is_file() and "example" not in p.parts)
    for path in sorted(found):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
