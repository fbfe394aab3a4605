"""Charts as inline SVG. Each is decoration beside a table or a sentence that says the same.

Shapes carry meaning besides colour; colours are classes of `reports/style.css`, so that dark and printed
pages stay right. Coordinates are rounded to one digit: the same numbers give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from datasach.report import numbers
from datasach.report.counts import FATE_TITLES, FATES, Counts
from datasach.report.words import Tone

MARKS: dict[Tone, str] = {
    "good": '<circle cx="8" cy="8" r="5.5"/>',
    "watch": '<path d="M8 2 14.5 13.5h-13z"/>',
    "concern": '<path d="M8 1.5 14.5 8 8 14.5 1.5 8z"/>',
    "bad": '<path d="M2.5 2.5h11v11h-11z"/>',
    "none": '<circle cx="8" cy="8" r="5" class="hollow"/>',
}
"""Shape of every verdict in a 16 × 16 box: circle, triangle, lozenge, square, ring."""

LEAST_RANGE = 0.01


def svg(width: float, height: float, title: str, body: str, kind: str) -> Markup:
    return Markup(
        f'<svg class="chart {kind}" role="img" viewBox="0 0 {width:g} {height:g}"'
        f' width="{width:g}" height="{height:g}"><title>{escape(title)}</title>{body}</svg>'
    )


def mark(tone: Tone) -> Markup:
    """The verdict's shape, beside its word; says nothing of its own to a screen reader. Drawn by the style
    sheet: a page has hundreds."""
    return Markup(f'<i class="mark {tone}" aria-hidden="true"></i>')


def stack(counts: Counts, width: float = 640, height: float = 22) -> Markup:
    """One bar: what became of all rows read, in the order of `FATES`."""
    if not counts.read:
        return Markup("")
    pieces, at = [], 0.0
    for fate, number in zip(FATES, counts[1:], strict=True):
        if not number:
            continue
        # A fate that exists stays visible, however few rows it has.
        wide = max(2.0, number / counts.read * width)
        pieces.append(
            f'<rect class="fate-{fate}" x="{at:.1f}" y="0" width="{wide:.1f}" height="{height:g}"/>'
        )
        at += wide
    said = ", ".join(
        f"{FATE_TITLES[fate].vi.lower()} {numbers.vi(n)}"
        for fate, n in zip(FATES, counts[1:], strict=True)
        if n
    )
    title = f"{numbers.vi(counts.read)} dòng: {said}"
    return Markup(
        f'<svg class="chart stack" role="img" viewBox="0 0 {max(width, round(at, 1)):g} {height:g}"'
        f' preserveAspectRatio="none"><title>{escape(title)}</title>{"".join(pieces)}</svg>'
    )


def bar(share: float, tone: str = "accent", width: float = 90) -> Markup:
    """A share as a bar in a table cell; the number stands beside it."""
    filled = min(1.0, max(0.0, share)) * width
    return Markup(
        f'<svg class="chart bar" viewBox="0 0 {width:g} 8" width="{width:g}" height="8" aria-hidden="true">'
        f'<rect class="rail" width="{width:g}" height="8" rx="2"/>'
        f'<rect class="fill {tone}" width="{filled:.1f}" height="8" rx="2"/></svg>'
    )


def spark(
    values: Sequence[float | None], title: str, width: float = 84, height: float = 22
) -> Markup:
    """A line over the nights, oldest first; empty below two known values. Its height is the values' own
    range but at least one percentage point, so that a change of nothing does not look like one."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return Markup("")
    low, high = min(known), max(known)
    room = max(high - low, LEAST_RANGE)
    step = (width - 6) / max(1, len(values) - 1)
    points = [
        (
            3 + index * step,
            height - 4 - ((value - low) + (room - (high - low)) / 2) / room * (height - 8),
        )
        for index, value in enumerate(values)
        if value is not None
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    body = f'<polyline points="{line}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'
    return svg(width, height, title, body, "spark")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a chart over nights: a total, and the part of it that is coloured apart."""

    label: str
    value: float
    apart: float = 0.0


def columns(data: Sequence[Column], title: str, width: float = 640, height: float = 150) -> Markup:
    """Columns with their numbers printed, for at most about 31 nights."""
    if not data:
        return Markup("")
    top = max(one.value for one in data) or 1.0
    slot = width / len(data)
    wide = min(56.0, slot * 0.66)
    scale = (height - 38) / top
    body = [f'<line class="axis" x1="0" x2="{width:g}" y1="{height - 18:g}" y2="{height - 18:g}"/>']
    # Labels that would touch are left out: every second, third … night keeps one.
    every = max(1, round(44 / slot))
    for index, one in enumerate(data):
        x, tall = index * slot + (slot - wide) / 2, one.value * scale
        base = height - 18
        body.append(
            f'<rect class="col" x="{x:.1f}" y="{base - tall:.1f}" width="{wide:.1f}" height="{tall:.1f}"/>'
        )
        if one.apart:
            part = max(1.5, one.apart * scale)
            body.append(
                f'<rect class="col-apart" x="{x:.1f}" y="{base - part:.1f}" width="{wide:.1f}"'
                f' height="{part:.1f}"/>'
            )
        if (len(data) - 1 - index) % every == 0:
            middle = x + wide / 2
            body.append(_said(compact(one.value), compact_en(one.value), middle, base - tall - 5))
            body.append(
                f'<text class="tick" x="{middle:.1f}" y="{height - 4:g}">{escape(one.label)}</text>'
            )
    return svg(width, height, title, "".join(body), "columns")


def compact(value: float) -> str:
    """
    >>> compact(950), compact(12_300), compact(4_873_804)
    ('950', '12,3 nghìn', '4,9 triệu')
    """
    for size, word in ((1e9, "tỷ"), (1e6, "triệu"), (1e4, "nghìn")):
        if value >= size:
            shown = value / (1e3 if size == 1e4 else size)
            return f"{numbers.vi(shown, 1 if shown < 100 else 0)} {word}"
    return numbers.vi(value)


def _said(vi: str, en: str, x: float, y: float, kind: str = "") -> str:
    """A label in the language of the page; one of the two where both are shown."""
    if vi == en:
        return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{vi}</text>'
    return "".join(
        f'<text class="{language} {kind}" x="{x:.1f}" y="{y:.1f}">{text}</text>'
        for language, text in (("vi", vi), ("en", en))
    )


def compact_en(value: float) -> str:
    """
    >>> compact_en(950), compact_en(12_300), compact_en(4_873_804)
    ('950', '12.3 k', '4.9 m')
    """
    for size, word in ((1e9, "bn"), (1e6, "m"), (1e4, "k")):
        if value >= size:
            shown = value / (1e3 if size == 1e4 else size)
            return f"{numbers.en(shown, 1 if shown < 100 else 0)} {word}"
    return numbers.en(value)


def lines(
    nights: Sequence[str],
    own: Sequence[float | None],
    peers: Sequence[float | None],
    title: str,
    width: float = 300,
    height: float = 120,
) -> Markup:
    """Shares over the nights: a thing's own line, and the dashed one of those it is compared with (may be
    empty). The last values are printed; the height is their own range, at least two percentage points."""
    known = [v for v in (*own, *peers) if v is not None]
    if sum(v is not None for v in own) < 2:
        return Markup("")
    low, high = min(known), max(known)
    room = max(high - low, 2 * LEAST_RANGE)
    low = min(low, max(0.0, (low + high - room) / 2))
    left, right, top, bottom = 8.0, width - 58, 10.0, height - 22
    step = (right - left) / max(1, len(nights) - 1)

    def points(values: Sequence[float | None]) -> list[tuple[float, float]]:
        return [
            (left + i * step, bottom - (v - low) / room * (bottom - top))
            for i, v in enumerate(values)
            if v is not None
        ]

    body = [f'<line class="axis" x1="0" x2="{right:g}" y1="{bottom + 4:g}" y2="{bottom + 4:g}"/>']
    ends: list[float] = []
    for kind, values in (("peers", peers), ("own", own)):
        drawn = points(values)
        if not drawn:
            continue
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
        body.append(f'<polyline class="{kind}" points="{line}"/>')
        x, y = drawn[-1]
        last = next(v for v in reversed(values) if v is not None)
        if kind == "own":
            body.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>')
        # Two labels that would lie on each other are moved apart.
        at = y + 4
        if ends and abs(at - ends[0]) < 13:
            at = ends[0] + (13 if at >= ends[0] else -13)
        ends.append(at)
        tick = "right" if kind == "own" else "right tick"
        body.append(_said(numbers.percent(last), numbers.percent_en(last), right + 8, at, tick))
    for index, anchor in ((0, "right"), (len(nights) - 1, "left")):
        x = left + index * step
        body.append(
            f'<text class="tick {anchor}" x="{x:.1f}" y="{height - 4:g}">{escape(numbers.short_day(nights[index]))}</text>'
        )
    return svg(width, height, title, "".join(body), "lines")


LETTER = 5.6
"""Width of a letter of a chart's text, on average."""


def histogram(
    bins: Sequence[tuple[float, float]],
    thresholds: Sequence[tuple[float, str]],
    title: str,
    width: float = 640,
    height: float = 170,
) -> Markup:
    """Counts by the lower edge of equal bins (sorted), with thresholds as labelled lines. Heights are square
    roots: the few pairs at a threshold matter more than the many far from it."""
    if not bins:
        return Markup("")
    edges = [edge for edge, _ in bins]
    size = min((b - a for a, b in zip(edges, edges[1:], strict=False)), default=1.0)
    low, high = edges[0], edges[-1] + size
    scale = width / (high - low)
    peak = max(count for _, count in bins) ** 0.5 or 1.0
    base = height - 18
    body = [f'<line class="axis" x1="0" x2="{width:g}" y1="{base:g}" y2="{base:g}"/>']
    for edge, count in bins:
        tall = count**0.5 / peak * (base - 22)
        body.append(
            f'<rect class="col" x="{(edge - low) * scale:.1f}" y="{base - tall:.1f}"'
            f' width="{max(1.0, size * scale - 1):.1f}" height="{tall:.1f}"/>'
        )
    shown = [(at, label) for at, label in sorted(thresholds) if low <= at <= high]
    for at, label in shown:
        x = (at - low) * scale
        # Thresholds stand near each other: the highest is named to its right, those below it to their left.
        aside = (len(label) * LETTER / 2 + 4) * (1 if at == shown[-1][0] else -1)
        body.append(
            f'<line class="threshold" x1="{x:.1f}" x2="{x:.1f}" y1="14" y2="{base:g}"/>'
            f'<text x="{x + aside:.1f}" y="10">{escape(label)}</text>'
        )
    for edge in (edges[0], edges[len(edges) // 2], edges[-1]):
        body.append(
            f'<text class="tick" x="{(edge - low + size / 2) * scale:.1f}" y="{height - 4:g}">{edge:g}</text>'
        )
    return svg(width, height, title, "".join(body), "columns")


def strip(nights: Sequence[tuple[str, Tone | None]], title: str) -> Markup:
    """One mark per night, oldest first: the night's worst outcome, a dot where nothing came."""
    pieces = []
    for index, (_, tone) in enumerate(nights):
        inner = MARKS[tone] if tone else '<circle cx="8" cy="8" r="1.6" class="gap"/>'
        pieces.append(
            f'<g class="{tone or "gap"}" transform="translate({index * 18} 1)">{inner}</g>'
        )
    return svg(max(18, len(nights) * 18), 18, title, "".join(pieces), "strip")
