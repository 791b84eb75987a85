"""Charts say the numbers they were given, in the right places, and survive empty and strange ones."""

import datetime as dt
import re
from decimal import Decimal
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.web.charts import Day, Point, Share, _ticks, columns, dots, share, steps

DAY = dt.date(2026, 11, 1)
AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=6)


def _tree(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own text


def _heights(text: str) -> list[float]:
    return [float(one.attrib["height"]) for one in _tree(text).iter("rect")]


def test_a_column_twice_as_high_stands_for_twice_as_much() -> None:
    one, two = _heights(columns([Day(DAY, (Decimal(3),)), Day(DAY + dt.timedelta(1), (Decimal(6),))], "x", str))
    assert two == pytest.approx(2 * one, abs=0.02)


def test_parts_of_a_column_stand_on_each_other() -> None:
    tree = _tree(columns([Day(DAY, (Decimal(2), Decimal(3)))], "x", str))
    below, above = tree.iter("rect")
    assert float(above.attrib["y"]) + float(above.attrib["height"]) == pytest.approx(float(below.attrib["y"]), abs=0.02)


def test_days_without_anything_keep_their_place() -> None:
    text = columns(
        [Day(DAY, (Decimal(1),)), Day(DAY + dt.timedelta(1), (Decimal(0),)), Day(DAY + dt.timedelta(2), (Decimal(1),))],
        "x",
        str,
    )
    first, last = (float(one.attrib["x"]) for one in _tree(text).iter("rect"))
    assert last - first == pytest.approx(2 * (720 - 56 - 12) / 3, abs=0.1)


def test_names_cannot_become_markup() -> None:
    text = dots([Point(DAY, Decimal(1), "ok", '<script>&"')], DAY, DAY, '"><script>', str)
    assert "<script>" not in text
    assert _tree(text).attrib["aria-label"] == '"><script>'


def test_stock_stays_until_the_next_move() -> None:
    text = steps([(DAY, Decimal(5)), (DAY + dt.timedelta(2), Decimal(1))], DAY + dt.timedelta(4), "x", str)
    line = next(one for one in _tree(text).iter("path") if one.attrib["class"] == "line")
    places = [tuple(map(float, one.split(","))) for one in re.findall(r"[ML]([0-9.,]+)", line.attrib["d"])]
    assert [place[1] for place in places[:2]] == [places[0][1]] * 2
    assert places[2][1] > places[1][1], "less stands lower"
    assert places[-1][0] == 720 - 12


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS), max_size=40))
def test_any_amounts_make_a_picture_inside_its_frame(rows: list[tuple[Decimal, Decimal]]) -> None:
    text = columns([Day(DAY + dt.timedelta(n), row) for n, row in enumerate(rows)], "x", str)
    for one in _tree(text).iter("rect"):
        assert 0 <= float(one.attrib["y"]) <= 220
        assert 0 <= float(one.attrib["height"]) <= 220


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=6), st.decimals(min_value=0, max_value=10**9, places=6))
def test_ticks_are_few_and_hold_what_is_shown(low: Decimal, more: Decimal) -> None:
    ticks = _ticks(low, low + more)
    assert ticks[0] <= low
    assert low + more <= ticks[-1]
    assert 2 <= len(ticks) <= 8
    assert len({b - a for a, b in pairwise(ticks)}) == 1


def test_shares_of_nothing_are_no_length() -> None:
    assert [one.attrib["width"] for one in _tree(share(Share((Decimal(0),), Decimal(0)))).iter("rect")] == ["0.00"]
