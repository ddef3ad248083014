"""Line charts as SVG text: no script, no style from elsewhere, nothing that is loaded."""

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Final, NamedTuple

WIDTH: Final = 720
HEIGHT: Final = 300
_LEFT: Final = 80
_RIGHT: Final = 36
_TOP: Final = 16
_BOTTOM: Final = 46
_NAMES_ACROSS: Final = 3
"""Names of curves in one row; they stand above the chart, so that no curve runs through them."""
_ROW: Final = 18
_TINY: Final = 1e-9
"""What is not above counts as 0."""
COLOURS: Final = ("#1f5fa8", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#0f766e")


class Line(NamedTuple):
    """One curve."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


class Axis(NamedTuple):
    """What an axis shows."""

    label: str
    text: Callable[[float], str]
    ticks: Sequence[float] = ()
    """Empty: chosen from the values."""
    log: bool = False


def chart(title: str, x: Axis, y: Axis, lines: Sequence[Line]) -> str:
    """Return an SVG element; points without a place on a logarithmic axis are left out."""
    drawn = [line._replace(points=_placeable(line.points, x, y)) for line in lines]
    drawn = [line for line in drawn if line.points]
    if not drawn:
        return f"<p>{escape(title)}: nothing to show</p>"
    x_ticks = x.ticks or ticks([at for line in drawn for at, _ in line.points], log=x.log)
    y_ticks = y.ticks or ticks([at for line in drawn for _, at in line.points], log=y.log)
    across = _Scale(x_ticks[0], x_ticks[-1], _LEFT, WIDTH - _RIGHT, log=x.log)
    top = _TOP + _ROW * -(-len(drawn) // _NAMES_ACROSS)
    up = _Scale(y_ticks[0], y_ticks[-1], HEIGHT - _BOTTOM, top, log=y.log)
    opening = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" '
        'xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="12">'
    )
    parts = [opening]
    parts += [_x_tick(across.at(value), x.text(value), top) for value in x_ticks]
    parts += [_y_tick(up.at(value), y.text(value)) for value in y_ticks]
    parts.append(
        f'<text x="{(_LEFT + WIDTH - _RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
        f"{escape(x.label)}</text>"
        f'<text transform="translate(14 {(top + HEIGHT - _BOTTOM) / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(y.label)}</text>'
    )
    for number, line in enumerate(drawn):
        parts.append(_curve(line, COLOURS[number % len(COLOURS)], across, up))
        parts.append(_key(line, COLOURS[number % len(COLOURS)], number))
    return "".join((*parts, "</svg>"))


def ticks(values: Sequence[float], *, log: bool) -> list[float]:
    """Return five or so round values that enclose some others; from 0 on a linear axis."""
    top = max(values)
    if log:
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(top))
        return [10.0**power for power in range(low, max(high, low + 1) + 1)]
    if top <= _TINY:
        return [0.0, 1.0]
    rough = top / 5
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    return [step * number for number in range(math.ceil(top / step - 1e-9) + 1)]


class _Scale(NamedTuple):
    """From values to places."""

    low: float
    high: float
    start: float
    end: float
    log: bool

    def at(self, value: float) -> float:
        """Return the place of a value."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.end - self.start), 1)


def _placeable(
    points: Sequence[tuple[float, float]], x: Axis, y: Axis
) -> list[tuple[float, float]]:
    return [
        (at, value)
        for at, value in points
        if (at > _TINY or not x.log) and (value > _TINY or not y.log)
    ]


def _x_tick(at: float, text: str, top: float) -> str:
    bottom = HEIGHT - _BOTTOM
    return (
        f'<line x1="{at}" x2="{at}" y1="{top}" y2="{bottom}" stroke="#ddd"/>'
        f'<text x="{at}" y="{bottom + 16}" text-anchor="middle">{escape(text)}</text>'
    )


def _y_tick(at: float, text: str) -> str:
    return (
        f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at}" y2="{at}" stroke="#ddd"/>'
        f'<text x="{_LEFT - 6}" y="{at + 4}" text-anchor="end">{escape(text)}</text>'
    )


def _curve(line: Line, colour: str, across: _Scale, up: _Scale) -> str:
    places = [(across.at(at), up.at(value)) for at, value in line.points]
    dash = ' stroke-dasharray="6 4"' if line.dashed else ""
    if len(places) == 1:
        (x, y), *_ = places
        return f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>'
    path = " ".join(f"{x},{y}" for x, y in places)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'


def _key(line: Line, colour: str, number: int) -> str:
    row, column = divmod(number, _NAMES_ACROSS)
    x = _LEFT + column * (WIDTH - _LEFT - _RIGHT) / _NAMES_ACROSS
    y = _ROW * (row + 1) - 4
    dash = ' stroke-dasharray="6 4"' if line.dashed else ""
    return (
        f'<line x1="{x}" x2="{x + 18}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" '
        f'stroke-width="3"{dash}/><text x="{x + 24}" y="{y}">{escape(line.name)}</text>'
    )
