"""Lines over two logarithmic axes as plain SVG that follows a light or dark page. No scripts, no fonts of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10

_WIDTH, _LEFT, _RIGHT, _TOP, _PLOT = 960, 84, 250, 76, 380
# Okabe and Ito's palette, told apart by the colour-blind, in a shade for each ground (https://jfly.uni-koeln.de/color/).
_LIGHT = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#b8a800", "#6b6b6b", "#222222")
_DARK = ("#4aa8e0", "#f0b429", "#2dc79b", "#e29cc4", "#ff8247", "#8cd0f5", "#e8dc4a", "#a9a9a9", "#eeeeee")
_LABEL_ROW = 18

Points = Sequence[tuple[float, float]]


def draw(title: str, across: str, up: str, lines: Mapping[str, Points]) -> str:
    """`lines` by name: points of two positive numbers, in the order of the first. At most nine lines.

    Raises `ValueError` when there is nothing to draw, or a number that has no logarithm.
    """
    points = [point for line in lines.values() for point in line]
    if not points or any(value <= 0 for point in points for value in point):
        raise ValueError("a plot needs points, all of them above 0")
    if len(lines) > len(_LIGHT):
        raise ValueError(f"{len(lines)} lines, and colours for {len(_LIGHT)}")
    low_x, high_x = _decades([x for x, _ in points])
    low_y, high_y = _decades([y for _, y in points])
    wide = _WIDTH - _LEFT - _RIGHT

    def at_x(value: float) -> float:
        return _LEFT + wide * (log10(value) - low_x) / (high_x - low_x)

    def at_y(value: float) -> float:
        return _TOP + _PLOT * (high_y - log10(value)) / (high_y - low_y)

    height = _TOP + _PLOT + 56
    size = f'viewBox="0 0 {_WIDTH} {height}" font-family="system-ui, sans-serif" font-size="13"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" {size}>',
        f"<style>{_style(len(lines))}</style>",
        f'<rect class="page" width="{_WIDTH}" height="{height}" rx="8"/>',
        f'<text x="{_LEFT}" y="32" class="title">{escape(title)}</text>',
        f'<text x="{_LEFT}" y="56" class="quiet">{escape(up)}</text>',
        f'<text x="{_LEFT + wide / 2}" y="{height - 12}" text-anchor="middle" class="quiet">{escape(across)}</text>',
    ]
    for power in range(low_y, high_y + 1):
        y = at_y(10**power)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + wide}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="quiet" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10**power:,g}</text>')
    for power in range(low_x, high_x + 1):
        x = at_x(10**power)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_TOP + _PLOT}"/>')
        parts.append(
            f'<text class="quiet" x="{x:.1f}" y="{_TOP + _PLOT + 18}" text-anchor="middle">{10**power:,}</text>'
        )
    labels = _apart({name: at_y(line[-1][1]) for name, line in lines.items()})
    for number, (name, line) in enumerate(lines.items()):
        way = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in line)
        parts.append(f'<polyline class="l l{number}" points="{way}"/>')
        parts += [f'<circle class="d{number}" cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3.5"/>' for x, y in line]
        x, y = at_x(line[-1][0]) + 10, labels[name]
        parts.append(f'<text class="d{number}" x="{x:.1f}" y="{y + 4:.1f}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """Whole powers of ten around all values, at least one apart."""
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    return low, max(high, low + 1)


def _apart(wanted: Mapping[str, float]) -> dict[str, float]:
    """Heights of labels near where their lines end, none on another."""
    found: dict[str, float] = {}
    last = float("-inf")
    for name, y in sorted(wanted.items(), key=lambda item: item[1]):
        last = found[name] = max(y, last + _LABEL_ROW)
    return found


def _style(count: int) -> str:
    def colours(palette: Sequence[str]) -> str:
        return "".join(f".l{n}{{stroke:{palette[n]}}}.d{n}{{fill:{palette[n]}}}" for n in range(count))

    return (
        ".page{fill:#fff}.title{font-size:18px;fill:#111}.quiet{fill:#555}.grid{stroke:#e4e4e4}"
        f".l{{fill:none;stroke-width:2}}{colours(_LIGHT)}"
        "@media(prefers-color-scheme:dark){.page{fill:#16181c}.title{fill:#f2f2f2}.quiet{fill:#b5b5b5}.grid{stroke:#33363c}"
        f"{colours(_DARK)}}}"
    )
