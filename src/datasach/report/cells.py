"""The table cells that every page has by the hundred: plain functions, as a macro costs ten times more.

Everything put into the markup here is a number or a word of ours; what a sender wrote is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from datasach.report import numbers
from datasach.report.charts import mark
from datasach.report.counts import FATES, Counts
from datasach.report.words import Tone, Verdicts
from datasach.spec.contract import Title
from datasach.spec.rule import PILLAR_TITLES

if TYPE_CHECKING:
    from datasach.report.quality import Score

_COUNTS = ("read", *FATES)
NOT_APPLICABLE = Title(vi="Không áp dụng", en="Not applicable")
SEVERITIES: dict[str, tuple[Tone, Title]] = {
    "stop": ("bad", Title(vi="Chặn", en="Stop")),
    "reject": ("bad", Title(vi="Từ chối", en="Reject")),
    "quarantine": ("concern", Title(vi="Giữ lại", en="Hold")),
    "flag": ("watch", Title(vi="Cảnh báo", en="Warn")),
}


def spans(vi: str | Markup, en: str | Markup) -> Markup:
    """Vietnamese, then English; the language switch and screen readers tell them apart by `lang`."""
    return Markup(
        f'<span class="vi" lang="vi">{escape(vi)}</span> <span class="en" lang="en">{escape(en)}</span>'
    )


def num(number: int | None, label: str = "", figure: str = "", english: str = "") -> Markup:
    """A number in a cell; `label` heads it where the table becomes cards (`english` in English), `figure`
    names it for software (reports/README.md, "Figures")."""
    zero = "" if number else " zero"
    shown = "–" if number is None else numbers.vi(number)
    head = f' data-l="{escape(label)}"' if label else ""
    head += f' data-e="{escape(english)}"' if english else ""
    name = f' data-figure="{figure}"' if figure and number is not None else ""
    return Markup(f'<td class="n{zero}"{head}{name}>{shown}</td>')


def figure(name: str, number: int) -> Markup:
    """A number in running text, named for software."""
    return Markup(f'<span data-figure="{name}">{numbers.vi(number)}</span>')


def slim_cell(counts: Counts | None, tone: Tone, link: str = "") -> Markup:
    """Rows of one night or one kind: shape of its outcome and rows read; `None`: nothing came."""
    if counts is None:
        return Markup(
            '<td class="cell slim none"><span class="hidden">không gửi · nothing sent</span>–</td>'
        )
    shown = numbers.vi(counts.read)
    inner = f'<a href="{escape(link)}">{shown}</a>' if link else shown
    return Markup(f'<td class="cell slim {tone}">{mark(tone)}{inner}</td>')


def records_cell(number: int | None) -> Markup:
    """Current records of a database; `None`: the number must not be told (report.disclosure)."""
    if number is None:
        return Markup(
            f'<td class="n" data-l="Bản ghi" data-e="Records">{spans("ẩn", "hidden")}</td>'
        )
    return num(number, "Bản ghi", "records", "Records")


def count_cells(counts: Counts) -> Markup:
    """Six cells in the order read, accepted, held, rejected, superseded, duplicate."""
    # No label: the style sheet knows what each figure is called where the table becomes cards.
    return Markup("".join(num(n, "", name) for n, name in zip(counts, _COUNTS, strict=True)))


def chip(tone: Tone, title: Title, tag: str = "chip") -> Markup:
    """Shape and word of a verdict, on its colour (`chip`) or in it (`verdict`)."""
    return Markup(f'<span class="{tag} {tone}">{mark(tone)} {spans(title.vi, title.en)}</span>')


def severity(name: str) -> Markup:
    return _SEVERITY_CHIPS[name]


_SEVERITY_CHIPS = {name: chip(tone, title) for name, (tone, title) in SEVERITIES.items()}


def score_cells(scores: Sequence[Score], verdicts: Verdicts) -> Markup:
    """A cell per pillar: share, verdict, numerator / denominator; no share where there is too little."""
    return Markup("".join(_score_cell(score, verdicts) for score in scores))


def _score_cell(score: Score, verdicts: Verdicts) -> str:
    title = PILLAR_TITLES[score.pillar]
    word = verdicts.words[score.tone] if score.share.denominator else NOT_APPLICABLE
    detail = ""
    if score.value is not None:
        shown = numbers.percent(score.value)
        top, bottom = numbers.vi(score.share.numerator), numbers.vi(score.share.denominator)
        detail = (
            f'<small><span data-figure="{score.pillar}-top">{top}</span> /'
            f' <span data-figure="{score.pillar}-bottom">{bottom}</span></small>'
        )
    else:
        shown = f"n &lt; {verdicts.min_records}" if score.share.denominator else "–"
    return (
        f'<td class="cell {score.tone}" data-l="{title.vi}" data-e="{title.en}">{mark(score.tone)}<b>{shown}</b>'
        f"<small>{spans(word.vi, word.en)}</small>{detail}</td>"
    )


def days(value: float) -> Markup:
    """A number of days as a sentence says it.

    >>> days(0.0)
    Markup('<span class="vi" lang="vi">cùng ngày</span> <span class="en" lang="en">same day</span>')
    """
    if value < 1:
        return spans("cùng ngày", "same day")
    return spans(f"{value:.0f} ngày", f"{value:.0f} days" if round(value) != 1 else "1 day")
