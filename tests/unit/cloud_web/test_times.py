"""How a time that is known more or less well stands on a page, in both languages."""

import datetime as dt
import html
import re

import pytest

from cloud.web.assets import Assets
from cloud.web.i18n import Locale
from cloud.web.rendering import AROUND_MS, Renderer
from cloud.web.settings import StaffSettings
from cloud.web.views import Proof, Time

AT = dt.datetime(2026, 11, 22, 12, 3, 22, 480_000, dt.UTC)
LATER = AT + dt.timedelta(minutes=20)


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer.build(Assets("0" * 16, {}), StaffSettings(zone="Asia/Jerusalem"))


def point(err_ms: int) -> Time:
    error = dt.timedelta(milliseconds=err_ms)
    return Time(AT, err_ms, AT - error, AT + error, "anchor", sure=True)


def span(first: dt.datetime | None, last: dt.datetime | None, err_ms: int | None = None) -> Time:
    return Time(None if err_ms is None else AT, err_ms, first, last, "order", sure=True)


def shown(renderer: Renderer, locale: Locale, time: Time) -> str:
    text = re.sub("<[^>]*>", "", renderer._happened(locale, time))
    return html.unescape(text).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("time", "english", "hebrew"),
    [
        (point(40), "22 Nov 2026 14:03:22.480 ± 40 ms", "22.11.2026 14:03:22.480 ± 40 ms"),
        (point(999), "22 Nov 2026 14:03:22.480 ± 999 ms", "22.11.2026 14:03:22.480 ± 999 ms"),
        (point(1000), "22 Nov 2026 14:03:22 ± 3 s", "22.11.2026 14:03:22 ± 3 s"),
        (
            span(AT, LATER, AROUND_MS + 1),
            "Between 22 Nov 2026 14:03:22 and 22 Nov 2026 14:23:23",
            "בין 22.11.2026 14:03:22 ועד 22.11.2026 14:23:23",
        ),
        (span(None, LATER), "At the latest 22 Nov 2026 14:23:23", "לכל המאוחר 22.11.2026 14:23:23"),
        (span(AT, None), "Not before 22 Nov 2026 14:03:22", "לא לפני 22.11.2026 14:03:22"),
        (span(None, None), "Not known", "לא ידוע"),
    ],
)
def test_a_time_is_shown_as_far_as_it_is_known(renderer: Renderer, time: Time, english: str, hebrew: str) -> None:
    assert shown(renderer, "en", time) == english
    assert shown(renderer, "he", time) == hebrew


@pytest.mark.parametrize("err_ms", [0, 1, 999, 1000, 1001, 1999, 2000, 59_999, AROUND_MS])
def test_what_is_shown_holds_all_that_is_possible(renderer: Renderer, err_ms: int) -> None:
    """Digits that are cut off are counted to the error."""
    found = re.fullmatch(r".* ([\d:.]+) ± (\d+) (ms|s)", shown(renderer, "en", point(err_ms)))
    assert found is not None
    hours, minutes, seconds = found[1].split(":")
    said = dt.timedelta(hours=int(hours) - 2, minutes=int(minutes), seconds=float(seconds))
    error = dt.timedelta(**{"milliseconds" if found[3] == "ms" else "seconds": int(found[2])})
    true = AT - dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    possible = dt.timedelta(milliseconds=err_ms)
    assert said - error <= true - possible
    assert true + possible <= said + error


@pytest.mark.parametrize(
    ("time", "limit_ms", "within"),
    [
        (point(2000), 2000, True),
        (point(2001), 2000, False),
        (span(None, LATER), 10**9, False),
        (Time(AT, 5, AT, AT, "anchor", sure=False), 2000, False),
    ],
)
def test_a_time_is_certain_enough_within_the_limit(time: Time, limit_ms: int, *, within: bool) -> None:
    assert time.within(limit_ms) is within


@pytest.mark.parametrize(
    ("err_ms", "words"),
    [
        (None, "Measured against ours"),
        (20, "Measured against ours ± 20 ms"),
        (90_000, "Measured against ours ± 90 seconds"),
        (1_795_334_400_000, "Measured against ours ± 57 years"),
    ],
)
def test_how_far_off_the_boxs_clock_was_is_told_in_its_unit(renderer: Renderer, err_ms: int | None, words: str) -> None:
    proof = Proof("lot", "device", "L", None, ok=True, clock="cloud", clock_error_ms=err_ms)
    assert re.sub("<[^>]*>", "", renderer._clock_words("en", proof)) == words
