"""Times of schedules, on ordinary days and on those when clocks are changed."""

from datetime import UTC, datetime

import pytest

from cloud.errors import Refused
from cloud.jobs.cron import next_after

JERUSALEM = "Asia/Jerusalem"


def times(cron: str, zone: str, after: str, count: int) -> list[str]:
    at = datetime.fromisoformat(after)
    found = []
    for _ in range(count):
        at = next_after(cron, zone, at)
        assert at.tzinfo is UTC
        found.append(at.isoformat())
    return found


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        # Winter time is UTC+2, summer time UTC+3; 2026 it begins on Friday 27 March at 02:00 and ends on 25 October at 02:00.
        ("30 8 * * *", "2026-01-05T06:29:59+00:00", ["2026-01-05T06:30:00+00:00", "2026-01-06T06:30:00+00:00"]),
        ("30 8 * * *", "2026-01-05T06:30:00+00:00", ["2026-01-06T06:30:00+00:00"]),
        ("0 8 * * SUN", "2026-03-20T00:00:00+00:00", ["2026-03-22T06:00:00+00:00", "2026-03-29T05:00:00+00:00"]),
        # 02:30 is not there on the night in spring: it is taken at the change.
        ("30 2 * * *", "2026-03-26T12:00:00+00:00", ["2026-03-27T00:00:00+00:00", "2026-03-27T23:30:00+00:00"]),
        # 01:30 comes twice on the night in autumn: it is taken once, the first time.
        ("30 1 * * *", "2026-10-24T12:00:00+00:00", ["2026-10-24T22:30:00+00:00", "2026-10-25T23:30:00+00:00"]),
        # Asked within the second of the two hours, the first is not given again.
        ("30 1 * * *", "2026-10-24T23:10:00+00:00", ["2026-10-25T23:30:00+00:00"]),
        # What comes every so often follows the time that passes, through both changes.
        ("*/30 * * * *", "2026-03-26T23:15:00+00:00", ["2026-03-26T23:30:00+00:00", "2026-03-27T00:00:00+00:00"]),
        (
            "0 * * * *",
            "2026-10-24T21:30:00+00:00",
            ["2026-10-24T22:00:00+00:00", "2026-10-24T23:00:00+00:00", "2026-10-25T00:00:00+00:00"],
        ),
    ],
)
def test_next_time_is_right_in_its_zone(cron: str, after: str, expected: list[str]) -> None:
    assert times(cron, JERUSALEM, after, len(expected)) == expected


@pytest.mark.parametrize(
    ("cron", "zone", "code"),
    [
        ("* * * *", JERUSALEM, "cron_form"),
        ("0 * * * * *", JERUSALEM, "cron_form"),
        ("61 * * * *", JERUSALEM, "cron_form"),
        ("every day", JERUSALEM, "cron_form"),
        ("0 0 30 2 *", JERUSALEM, "cron_form"),
        ("0 8 * * *", "Mars/Olympus", "zone_unknown"),
        ("0 8 * * *", "../../etc/passwd", "zone_unknown"),
    ],
)
def test_times_that_cannot_be_are_refused(cron: str, zone: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        next_after(cron, zone, datetime(2026, 1, 1, tzinfo=UTC))
    assert refused.value.code == code
