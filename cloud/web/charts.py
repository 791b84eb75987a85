"""Charts as SVG text, drawn where the numbers are: they print, are read aloud, and need no program in the browser.

Time runs from left to right in both languages. Colours and line widths are classes of charts.css; whoever shows a chart puts
the same numbers in a table beside it.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from markupsafe import Markup, escape

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 28
"""Room around the plot: numbers stand at the left, days below."""

MAX_TICKS = 5
MAX_DAY_LABELS = 8

Words = Callable[[Decimal], str]
"""How an amount is written on an axis."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day's amounts, one for each series, none negative."""

    day: dt.date
    values: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One measured thing at a day; `tone` is a class: ok, warn or bad."""

    day: dt.date
    value: Decimal
    tone: str
    title: str


@dataclass(frozen=True, slots=True)
class Share:
    """One row of a ranking: its parts add up to its length; `whole` is the length of the longest row."""

    parts: tuple[Decimal, ...]
    whole: Decimal


@dataclass(frozen=True, slots=True)
class _Scale:
    """From an amount to its height on the plot."""

    low: Decimal
    high: Decimal

    def y(self, value: Decimal) -> float:
        span = Fraction(self.high) - Fraction(self.low) or Fraction(1)
        return round(float((Fraction(self.high) - Fraction(value)) / span) * (HEIGHT - TOP - BOTTOM) + TOP, 2)


def columns(days: Sequence[Day], title: str, words: Words) -> Markup:
    """Stacked columns, one for each day of `days`, which follow each other without gaps."""
    ticks = _ticks(Decimal(0), max((sum(one.values, Decimal(0)) for one in days), default=Decimal(0)))
    scale = _Scale(ticks[0], ticks[-1])
    room = (WIDTH - LEFT - RIGHT) / max(len(days), 1)
    parts = [_grid(ticks, scale, words)]
    for place, one in enumerate(days):
        x, below = LEFT + place * room + room * 0.14, Decimal(0)
        for series, value in enumerate(one.values):
            if not value:
                continue
            top, bottom = scale.y(below + value), scale.y(below)
            parts.append(
                Markup(
                    '<rect class="series-{}" x="{:.2f}" y="{}" width="{:.2f}" height="{:.2f}"><title>{}: {}</title></rect>'
                ).format(series, x, top, room * 0.72, bottom - top, one.day.isoformat(), words(value))
            )
            below += value
    parts.append(_days([(one.day, LEFT + (place + 0.5) * room) for place, one in enumerate(days)]))
    return _picture(title, parts)


def steps(points: Sequence[tuple[dt.date, Decimal]], until: dt.date, title: str, words: Words) -> Markup:
    """A line that stays where it is until the next point and at last goes on to `until`: amounts in stock."""
    values = [value for _, value in points]
    ticks = _ticks(min([Decimal(0), *values]), max([Decimal(0), *values]))
    scale = _Scale(ticks[0], ticks[-1])
    first = points[0][0] if points else until
    x_of = _along(first, until)
    path: list[str] = []
    area = ""
    for (day, value), (following, _) in pairwise([*points, (until, Decimal(0))]):
        y = scale.y(value)
        path.append(f"{'L' if path else 'M'}{x_of(day):.2f},{y}L{x_of(following):.2f},{y}")
    if path:
        ground = scale.y(max(ticks[0], Decimal(0)))
        area = f"{''.join(path)}L{x_of(until):.2f},{ground}L{x_of(first):.2f},{ground}Z"
    parts = [
        _grid(ticks, scale, words),
        Markup('<path class="area" d="{}"/><path class="line" d="{}"/>').format(area, "".join(path)) if path else Markup(),
        _days([(day, x_of(day)) for day in _spread(first, until)]),
    ]
    return _picture(title, parts)


def dots(points: Sequence[Point], since: dt.date, until: dt.date, title: str, words: Words) -> Markup:
    """One dot for each point around a line at zero: by how much something differs."""
    values = [one.value for one in points]
    ticks = _ticks(min([Decimal(0), *values]), max([Decimal(0), *values]))
    scale, x_of = _Scale(ticks[0], ticks[-1]), _along(since, until)
    parts = [
        _grid(ticks, scale, words),
        Markup('<line class="zero" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(LEFT, WIDTH - RIGHT, y=scale.y(Decimal(0))),
        *(
            Markup('<circle class="dot {}" cx="{:.2f}" cy="{}" r="4"><title>{}</title></circle>').format(
                one.tone, x_of(one.day), scale.y(one.value), one.title
            )
            for one in points
        ),
        _days([(day, x_of(day)) for day in _spread(since, until)]),
    ]
    return _picture(title, parts)


def share(row: Share) -> Markup:
    """A bar for the cell of a table: its length against the longest one's. The cell's own text says the number."""
    parts, begin = (
        [Markup('<svg class="share" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">')],
        Fraction(0),
    )
    for series, value in enumerate(row.parts):
        width = Fraction(value) * 100 / Fraction(row.whole) if row.whole else Fraction(0)
        parts.append(
            Markup('<rect class="series-{}" x="{:.2f}" y="0" width="{:.2f}" height="10"/>').format(
                series, float(begin), float(width)
            )
        )
        begin += width
    return Markup().join([*parts, Markup("</svg>")])


def _picture(title: str, parts: Sequence[Markup]) -> Markup:
    head = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}" direction="ltr">').format(
        WIDTH, HEIGHT, escape(title)
    )
    return Markup().join([head, *parts, Markup("</svg>")])


def _ticks(low: Decimal, high: Decimal) -> list[Decimal]:
    """Round numbers from at most `low` to at least `high`, at most MAX_TICKS steps of 1, 2 or 5 times a power of ten apart."""
    span = Fraction(high) - Fraction(low)
    if not span:
        return [low, low + 1]
    step = next(one for one in _round_steps(span / MAX_TICKS))
    first, last = (Fraction(low) // step) * step, -((-Fraction(high)) // step) * step
    count = int((last - first) / step)
    return [_decimal(first + step * n) for n in range(count + 1)]


def _round_steps(least: Fraction) -> Iterator[Fraction]:
    power = Fraction(1)
    while power * 10 <= least:
        power *= 10
    while power > least:
        power /= 10
    while True:
        yield from (one for factor in (1, 2, 5) if (one := power * factor) >= least)
        power *= 10


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def _grid(ticks: Sequence[Decimal], scale: _Scale, words: Words) -> Markup:
    return Markup().join(
        Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/>'
            '<text class="tick" x="{}" y="{:.2f}" text-anchor="end">{}</text>'
        ).format(LEFT, WIDTH - RIGHT, LEFT - 8, scale.y(one) + 4, words(one), y=scale.y(one))
        for one in ticks
    )


def _along(first: dt.date, last: dt.date) -> Callable[[dt.date], float]:
    span = max((last - first).days, 1)

    def x_of(day: dt.date) -> float:
        return LEFT + (day - first).days / span * (WIDTH - LEFT - RIGHT)

    return x_of


def _spread(first: dt.date, last: dt.date) -> list[dt.date]:
    span = (last - first).days
    every = max(-(-span // (MAX_DAY_LABELS - 1)), 1)
    return [first + dt.timedelta(days=n) for n in range(0, span + 1, every)]


def _days(places: Sequence[tuple[dt.date, float]]) -> Markup:
    every = max(-(-len(places) // MAX_DAY_LABELS), 1)
    return Markup().join(
        Markup('<text class="tick" x="{:.2f}" y="{}" text-anchor="middle">{}</text>').format(x, HEIGHT - 8, f"{day:%d.%m}")
        for day, x in places[::every]
    )
