"""A look back as a picture: messages by day or week, one band a flow. Plain SVG that follows a light or dark page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from math import ceil, log10

from connector.simulate.report import by_period
from connector.simulate.tally import Tally

_WIDTH, _LEFT, _RIGHT, _TOP, _PLOT = 960, 64, 24, 76, 280
_WEEKLY_FROM = 93
"""Days from which on a bar is a week: more bars than that are too thin to see."""
_LEGEND_ROW = 22
# Okabe and Ito's palette, told apart by the colour-blind, in a shade for each ground (https://jfly.uni-koeln.de/color/).
_LIGHT = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#b8a800", "#6b6b6b")
_DARK = ("#4aa8e0", "#f0b429", "#2dc79b", "#e29cc4", "#ff8247", "#8cd0f5", "#e8dc4a", "#a9a9a9")


def draw(tally: Tally, title: str) -> str:
    """The picture as SVG text. Flows beyond the eighth largest are drawn together as "others"."""
    span = {day.toordinal() for day, _ in tally.days}
    days = 1 if not span or max(span) - min(span) < _WEEKLY_FROM else 7
    starts, flows = by_period(tally, days)
    bands = _bands(flows)
    highest = max((sum(column) for column in zip(*bands.values(), strict=True)), default=0)
    step, top = _scale(highest)
    height = _TOP + _PLOT + 44 + _LEGEND_ROW * ceil(len(bands) / 3) + 12
    unit = "day" if days == 1 else "week"
    head = f'viewBox="0 0 {_WIDTH} {height}" font-family="system-ui, sans-serif" font-size="13"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" {head}>',
        f"<style>{_style(len(bands))}</style>",
        f'<rect class="page" width="{_WIDTH}" height="{height}" rx="8"/>',
        f'<text x="{_LEFT}" y="32" class="title">{escape(title)}</text>',
        f'<text x="{_LEFT}" y="54" class="quiet">messages a {unit}</text>',
        *_grid(step, top),
        *_bars(bands, starts, top, unit),
        *_months(starts),
        *_legend(bands),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _bands(flows: Mapping[str, list[int]]) -> dict[str, list[int]]:
    """The largest first, so that it stands at the bottom."""
    ranked = sorted(flows.items(), key=lambda item: (-sum(item[1]), item[0]))
    most = len(_LIGHT)
    if len(ranked) <= most:
        return dict(ranked)
    rest = [values for _, values in ranked[most - 1 :]]
    others = [sum(column) for column in zip(*rest, strict=True)]
    return {**dict(ranked[: most - 1]), f"{len(rest)} others": others}


def _scale(highest: int) -> tuple[int, int]:
    """The distance of two grid lines (1, 2 or 5 and noughts, about five of them) and the value at the top."""
    if highest <= 5:
        return 1, max(highest, 1)
    power = 10 ** int(log10(highest / 4))
    step = next(power * factor for factor in (1, 2, 5, 10) if highest / (power * factor) <= 5)
    return step, ceil(highest / step) * step


def _style(count: int) -> str:
    def colours(palette: Sequence[str]) -> str:
        return "".join(f".f{number}{{fill:{palette[number]}}}" for number in range(count))

    light = ".page{fill:#fff}.title{fill:#1b1b1b;font-size:17px;font-weight:600}.quiet{fill:#5a5a5a}"
    light += f".word{{fill:#1b1b1b}}.line{{stroke:#dcdcdc}}{colours(_LIGHT)}"
    dark = ".page{fill:#16181b}.title,.word{fill:#f0f0f0}.quiet{fill:#b0b0b0}.line{stroke:#3a3d42}"
    return f"{light}@media (prefers-color-scheme: dark){{{dark}{colours(_DARK)}}}"


def _grid(step: int, top: int) -> list[str]:
    found = []
    for value in range(0, top + 1, step):
        y = _height(value, top)
        found.append(f'<line class="line" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        found.append(f'<text class="quiet" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,}</text>')
    return found


def _height(value: float, top: int) -> float:
    return _TOP + _PLOT * (1 - value / top)


def _bars(bands: Mapping[str, list[int]], starts: Sequence[date], top: int, unit: str) -> list[str]:
    if not starts:
        return [f'<text class="quiet" x="{_LEFT}" y="{_TOP + _PLOT / 2}">nothing would have been sent</text>']
    width = (_WIDTH - _LEFT - _RIGHT) / len(starts)
    found = []
    for slot, start in enumerate(starts):
        below = 0
        for number, (flow, values) in enumerate(bands.items()):
            value = values[slot]
            if value:
                y, height = _height(below + value, top), _PLOT * value / top
                x = _LEFT + slot * width
                gap = min(2.0, width * 0.2)
                found.append(
                    f'<rect class="f{number}" x="{x:.1f}" y="{y:.1f}" width="{width - gap:.1f}" height="{height:.1f}">'
                    f"<title>{escape(flow)}, {unit} of {start:%Y-%m-%d}: {value:,}</title></rect>"
                )
                below += value
    return found


def _months(starts: Sequence[date]) -> list[str]:
    """A label where a month begins, or on the first and last bar of a short time."""
    if not starts:
        return []
    width, y = (_WIDTH - _LEFT - _RIGHT) / len(starts), _TOP + _PLOT + 20
    marks = [slot for slot in range(1, len(starts)) if starts[slot].month != starts[slot - 1].month]
    if len(marks) < 2:
        marks = sorted({0, len(starts) - 1})
    form = "%b %Y" if len(marks) < 10 else "%b"
    if len(starts) < 62:
        form = "%-d %b"
    return [
        f'<text class="quiet" x="{_LEFT + slot * width + width / 2:.1f}" y="{y}" text-anchor="middle">'
        f"{starts[slot].strftime(form)}</text>"
        for slot in marks
    ]


def _legend(bands: Mapping[str, list[int]]) -> list[str]:
    column, y = (_WIDTH - _LEFT - _RIGHT) / 3, _TOP + _PLOT + 44
    found = []
    for number, (flow, values) in enumerate(bands.items()):
        x, row = _LEFT + number % 3 * column, y + number // 3 * _LEGEND_ROW
        found.append(f'<rect class="f{number}" x="{x:.1f}" y="{row - 10}" width="12" height="12" rx="2"/>')
        found.append(f'<text class="word" x="{x + 18:.1f}" y="{row}">{escape(flow)} · {sum(values):,}</text>')
    return found
