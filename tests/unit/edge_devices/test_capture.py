"""Capture policies: which readings are kept, by table and by property."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Flag, Kind, Reading
from edge.devices.capture import NOT_MEASURED, OnChange, OnStable, Periodic, policy_of
from edge.devices.hub import DeviceHub
from edge.settings import CaptureSettings, DeviceSettings

SECOND = 1_000_000_000


def weight(text: str | None, *, stable: bool | None = True, unit: str = "kg") -> Reading:
    flags = {True: {Flag.STABLE}, False: {Flag.MOTION}, None: set()}[stable]
    return Reading(Kind.MASS, None if text is None else Decimal(text), unit, frozenset(flags), b"")


def code(text: str | None) -> Reading:
    return Reading(Kind.CODE, text, None, frozenset(), b"")


MOVING = weight("0.7", stable=False)
OVER = weight(None, stable=None)

CASES: dict[str, tuple[dict[str, Any], list[tuple[Reading, bool]]]] = {
    "on demand keeps nothing": ({"policy": "on_demand"}, [(weight("1"), False), (code("A"), False)]),
    "every keeps the same again": ({"policy": "every"}, [(code("A"), True), (code("A"), True), (MOVING, True)]),
    "every keeps no value that is none": ({"policy": "every"}, [(code(None), False), (OVER, False)]),
    "stable keeps the first at rest": ({"policy": "on_stable"}, [(MOVING, False), (weight("1"), True), (weight("1"), False)]),
    "stable keeps the same load after motion": (
        {"policy": "on_stable"},
        [(weight("1"), True), (MOVING, False), (weight("1"), True)],
    ),
    "stable keeps another value without motion between": ({"policy": "on_stable"}, [(weight("1"), True), (weight("2"), True)]),
    "stable compares by value, not by digits": ({"policy": "on_stable"}, [(weight("1.0"), True), (weight("1.00"), False)]),
    "stable keeps the same number in another unit": (
        {"policy": "on_stable"},
        [(weight("1"), True), (weight("1", unit="g"), True)],
    ),
    "stable takes overload as motion": ({"policy": "on_stable"}, [(weight("1"), True), (OVER, False), (weight("1"), True)]),
    "stable is never guessed": ({"policy": "on_stable"}, [(weight("1", stable=None), False)]),
    "change keeps the first": ({"policy": "on_change", "deadband": "5"}, [(weight("0"), True), (weight("0"), False)]),
    "change needs more than the deadband": (
        {"policy": "on_change", "deadband": "0.5"},
        [(weight("1"), True), (weight("1.5"), False), (weight("1.51"), True), (weight("1.01"), False), (weight("1"), True)],
    ),
    "change counts from the last one kept, so that creeping shows": (
        {"policy": "on_change", "deadband": "1"},
        [(weight("0"), True), (weight("0.9"), False), (weight("1.1"), True), (weight("2"), False), (weight("2.2"), True)],
    ),
    "change keeps a code when it differs": (
        {"policy": "on_change", "deadband": "9"},
        [(code("A"), True), (code("A"), False), (code("B"), True)],
    ),
    "change keeps the same number in another unit": (
        {"policy": "on_change", "deadband": "9"},
        [(weight("1"), True), (weight("1", unit="g"), True), (weight("2", unit="g"), False)],
    ),
    "change passes over overload": (
        {"policy": "on_change", "deadband": "0"},
        [(weight("1"), True), (OVER, False), (weight("1"), False)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_policy_keeps_what_the_table_says(case: str) -> None:
    settings, readings = CASES[case]
    policy = policy_of(CaptureSettings(**settings))
    assert [policy.wants(reading, 0) for reading, _ in readings] == [wanted for _, wanted in readings]


def test_periodic_keeps_the_first_reading_of_each_period() -> None:
    policy = policy_of(CaptureSettings(policy="periodic", period_s=10))
    times = [0, 1, 9.999, 10, 10.1, 25, 34.9, 35]
    assert [at for at in times if policy.wants(weight("1"), round(at * SECOND))] == [0, 10, 25, 35]


def test_periodic_waits_for_a_value() -> None:
    policy = Periodic(10 * SECOND)
    assert [policy.wants(reading, 0) for reading in (OVER, weight("1"), weight("2"))] == [False, True, False]


decimals = st.decimals(-1000, 1000, places=3)


@given(st.lists(decimals, min_size=1), st.decimals(0, 10, places=2))
def test_whatever_is_left_out_lies_within_the_deadband_of_the_last_one_kept(values: list[Decimal], deadband: Decimal) -> None:
    policy, kept = OnChange(deadband), None
    for value in values:
        wanted = policy.wants(weight(str(value)), 0)
        assert wanted == (kept is None or abs(value - kept) > deadband)
        kept = value if wanted else kept


@given(st.lists(st.tuples(st.sampled_from(["1", "2"]), st.booleans())))
def test_each_rest_is_kept_once(seen: list[tuple[str, bool]]) -> None:
    policy = OnStable()
    kept = [policy.wants(weight(text, stable=stable), 0) for text, stable in seen]
    for number, (now, was) in enumerate(zip(seen, [None, *seen], strict=False)):
        assert kept[number] == (now[1] and now != was)


@given(st.lists(st.integers(0, 20), min_size=1), st.integers(1, 30))
def test_periods_never_overlap(gaps: list[int], period: int) -> None:
    policy, now_ns, kept = Periodic(period), 0, []
    for gap in gaps:
        now_ns += gap
        if policy.wants(weight("1"), now_ns):
            kept.append(now_ns)
    assert all(later - earlier >= period for earlier, later in pairwise(kept))
    assert kept[0] == gaps[0]


@pytest.mark.parametrize("policy", ["every", "on_stable", "on_change", "periodic"])
@pytest.mark.parametrize("flag", sorted(NOT_MEASURED))
def test_digits_that_measure_nothing_that_lies_there_are_kept_by_no_policy(policy: str, flag: Flag) -> None:
    judge = policy_of(CaptureSettings(policy=policy))
    said = replace(weight("1"), flags=frozenset({Flag.STABLE, flag}))
    assert not judge.wants(said, 0)
    # And what comes then is judged as if they had never been: the first at rest.
    assert judge.wants(weight("1"), 1)


def test_the_same_load_after_it_was_taken_off_is_a_second_weighing() -> None:
    judge = policy_of(CaptureSettings(policy="on_stable"))
    removed = replace(weight("1"), flags=frozenset({Flag.STABLE, Flag.REMOVED}))
    assert [judge.wants(reading, 0) for reading in (weight("1"), removed, removed, weight("1"))] == [True, False, False, True]


async def test_a_weighing_that_is_said_again_with_its_own_time_is_kept_once(memory: Any, clock: Any) -> None:
    every = CaptureSettings(policy="every")
    device = DeviceSettings(id="scale", driver="mt-sics", transport={"kind": "serial", "port": "/dev/null"}, capture=every)
    hub = DeviceHub([device], journal=memory, clock=clock)
    weighing = Reading(Kind.MASS, Decimal("72.5"), "kg", frozenset({Flag.STABLE}), b"x", instrument_time="2026-11-22T10:00:00")
    for said in (weighing, weighing, replace(weighing, value=Decimal("72.6")), replace(weighing, instrument_time=None)):
        await hub._reading("scale", said)
    assert [entry.value for entry in memory.entries] == ["72.5", "72.6", "72.5"]
