"""The one place for the picture of a run: every ratio with its rounds, its median, and its floor as a line; SVG, standing by itself."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from bench.dicom.floors import Verdict

WIDTH, LEFT, RIGHT, TOP, ROW = 1000, 400, 130, 92, 24
INK, FAINT, MET, MISSED = "#1c1c1c", "#7a7a7a", "#2f9e68", "#d0514a"
DECADES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)


def picture(verdicts: Sequence[Verdict], title: str, below: str) -> str:
    """An SVG of one line a ratio that is not void, on a logarithmic axis; `below` stands under it."""
    shown = [v for v in verdicts if v.median is not None and v.word != "void"]
    least, most = _range(shown)
    height = TOP + ROW * len(shown) + 34 + 15 * (1 + len(textwrap.wrap(below, 165)))

    def x(value: float) -> float:
        at = (math.log(min(max(value, least), most)) - math.log(least)) / (math.log(most) - math.log(least))
        return LEFT + at * (WIDTH - LEFT - RIGHT)

    bottom = TOP + ROW * len(shown)
    right = WIDTH - 290
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        f' font-family="system-ui, sans-serif" font-size="13" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="28" font-size="18" font-weight="600">{escape(title)}</text>',
        f'<text x="16" y="48" fill="{FAINT}">Objects a second, as a ratio. Dots are rounds, bars their median.</text>',
        f'<path d="M{right} 18 v16" stroke="{INK}" stroke-width="2"/><text x="{right + 8}" y="31">floor</text>',
        f'<path d="M{right + 58} 18 v16" stroke="{INK}" stroke-width="2" stroke-dasharray="3 3"/>',
        f'<text x="{right + 66}" y="31">goal</text>',
        f'<rect x="{right + 110}" y="20" width="12" height="12" fill="{MET}"/><text x="{right + 126}" y="31">met</text>',
        f'<rect x="{right + 170}" y="20" width="12" height="12" fill="{MISSED}"/><text x="{right + 186}" y="31">not met</text>',
    ]
    for value in (d for d in DECADES if least <= d <= most):
        stroke = f'stroke="{INK}"' if value == 1 else 'stroke="#dddddd"'
        parts.append(f'<path d="M{x(value):.1f} {TOP - 8} V{bottom}" {stroke}/>')
        parts.append(f'<text x="{x(value):.1f}" y="{TOP - 14}" text-anchor="middle" fill="{FAINT}">{value:g}</text>')
    before = ""
    for number, verdict in enumerate(shown):
        parts += _row(verdict, TOP + ROW * number, x, verdict.cell != before)
        before = verdict.cell
    for n, line in enumerate(textwrap.wrap(below, 165)):
        parts.append(f'<text x="16" y="{bottom + 34 + 15 * n}" fill="{FAINT}" font-size="11">{escape(line)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _range(shown: Sequence[Verdict]) -> tuple[float, float]:
    """The axis: everything that is drawn, and 1."""
    drawn = [1.0, 2.0]
    for v in shown:
        drawn += [r for r in (*v.ratios, v.floor.least, v.floor.goal) if r]
    return 0.85 * min(drawn), 1.15 * max(drawn)


def _row(v: Verdict, y: int, x: Callable[[float], float], first: bool) -> list[str]:
    """One ratio: a bar from 1 to the median, its rounds as dots, floor and goal as lines across the row."""
    assert v.median is not None
    colour = FAINT if v.floor.least is None else MET if v.median >= v.floor.least else MISSED
    begin, end = sorted((x(1.0), x(v.median)))
    middle = y + ROW / 2
    name = escape(v.what.replace("gurney ÷ ", "÷ ") if v.floor.of == "gurney" else v.what)
    out = [f'<path d="M16 {y} H{WIDTH - 16}" stroke="#eeeeee"/>'] if first else []
    if first:
        out.append(f'<text x="16" y="{middle + 4:.0f}">{escape(v.cell)}</text>')
    out.append(f'<text x="{LEFT - 12}" y="{middle + 4:.0f}" text-anchor="end" fill="#555555">{name}</text>')
    out.append(f'<rect x="{begin:.1f}" y="{y + 7}" width="{max(end - begin, 1.5):.1f}" height="{ROW - 14}" fill="{colour}"/>')
    out += [f'<circle cx="{x(r):.1f}" cy="{middle}" r="2.2" fill="#555555" fill-opacity="0.55"/>' for r in v.ratios]
    for value, look in ((v.floor.least, f'stroke="{INK}"'), (v.floor.goal, f'stroke="{INK}" stroke-dasharray="3 3"')):
        if value is not None:
            out.append(f'<path d="M{x(value):.1f} {y + 2} V{y + ROW - 2}" stroke-width="2" {look}/>')
    out.append(f'<text x="{WIDTH - RIGHT + 10}" y="{middle + 4:.0f}" font-weight="600" fill="{colour}">{v.median:.2f}</text>')
    return out
