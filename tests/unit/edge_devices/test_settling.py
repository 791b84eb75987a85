"""Rest of scales that cannot say so."""

from decimal import Decimal
from typing import Any

import pytest

from drivers.api import Flag, Kind, Reading
from edge.devices.hub import DeviceHub
from edge.devices.settling import DETAIL, SentOnce, Settling
from edge.settings import DeviceSettings, SettleSettings

MS = 1_000_000
RULE = SettleSettings(readings=3, ms=500)


def weight(value: str | None, *flags: Flag, unit: str = "kg") -> Reading:
    return Reading(Kind.MASS, None if value is None else Decimal(value), unit, frozenset(flags), b"x")


def test_equal_readings_over_the_time_are_rest_and_the_record_says_how() -> None:
    settling = Settling(RULE)
    judged = [settling.judge(weight("1.250"), at * 250 * MS) for at in range(4)]
    assert [one.stable for one in judged] == [False, False, True, True]
    assert judged[2].details[DETAIL] == "equal readings: 3 in 500 ms"
    assert judged[0].details[DETAIL] == "not yet"


def test_many_equal_readings_in_no_time_are_no_rest() -> None:
    settling = Settling(RULE)
    assert not any(settling.judge(weight("1"), at * MS).stable for at in range(100))


@pytest.mark.parametrize("other", [weight("1.251"), weight("1.250", unit="lb"), weight("1.250", Flag.NET), weight(None)])
def test_anything_else_between_begins_anew(other: Reading) -> None:
    settling = Settling(RULE)
    for at in range(3):
        settling.judge(weight("1.250"), at * 250 * MS)
    settling.judge(other, 750 * MS)
    assert settling.judge(weight("1.250"), 1000 * MS).stable is False


@pytest.mark.parametrize("flag", [Flag.STABLE, Flag.MOTION])
def test_the_devices_own_word_counts_more(flag: Flag) -> None:
    settling = Settling(RULE)
    own = weight("1.250", flag)
    assert [settling.judge(own, at * 1000 * MS) for at in range(5)] == [own] * 5


def test_codes_and_temperatures_are_not_judged() -> None:
    settling = Settling(RULE)
    code = Reading(Kind.CODE, "729", None, frozenset(), b"729")
    assert [settling.judge(code, at * 1000 * MS) for at in range(5)] == [code] * 5


def test_a_device_that_sends_once_sent_what_was_at_rest() -> None:
    (judged, moving, code) = (
        SentOnce().judge(one, 0)
        for one in (weight("72.5"), weight("1", Flag.MOTION), Reading(Kind.CODE, "729", None, frozenset(), b"729"))
    )
    assert (judged.stable, judged.details[DETAIL]) == (True, "finished weighing")
    assert moving.stable is False
    assert code.details == {}


async def test_what_was_sent_once_may_be_taken_for_longer(memory: Any, clock: Any) -> None:
    link = {"kind": "serial", "port": "/dev/null"}
    devices = [DeviceSettings(id=name, driver=name, transport=link) for name in ("mt-lab-print", "mt-sics")]
    hub = DeviceHub(devices, journal=memory, clock=clock)
    for name in ("mt-lab-print", "mt-sics"):
        await hub._reading(name, weight("1.5"))
    later = clock.now_ns() + 10_000 * MS
    assert [hub.live(name).fresh(later) for name in ("mt-lab-print", "mt-sics")] == [True, False]
    assert not hub.live("mt-lab-print").fresh(later + 11_000 * MS)
