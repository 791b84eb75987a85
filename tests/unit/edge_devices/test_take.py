"""Taking a reading: only what is heard now, at rest and in range; everything else is refused with its reason."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from drivers.api import Flag, Kind, Reading
from edge.devices.hub import DeviceHub, entry_of, refusal
from edge.devices.live import FRESH_NS, LinkState, LiveValue
from edge.errors import JournalFault, TakeRefused
from sync_protocol.entries import parse

NOW = 50_000_000_000
AT_REST = "S S      1.000 kg\r\n"


def reading(value: Decimal | str | None = Decimal("1.000"), *flags: Flag, **more: Any) -> Reading:
    return Reading(Kind.MASS, value, "kg", frozenset(flags or {Flag.STABLE}), b"S S 1.000 kg\r\n", **more)


@pytest.mark.parametrize(
    ("link", "found", "at_ns", "code"),
    [
        (LinkState.UP, reading(), NOW, None),
        (LinkState.UP, reading(), NOW - FRESH_NS, None),
        (LinkState.UP, reading(), NOW - FRESH_NS - 1, "no_data"),
        (LinkState.UP, reading(), None, "no_data"),
        (LinkState.UP, None, None, "no_data"),
        (LinkState.CONNECTING, None, None, "lost"),
        (LinkState.CONNECTING, reading(), NOW, "lost"),
        (LinkState.LOST, reading(), NOW, "lost"),
        (LinkState.NO_ANSWER, reading(), NOW, "no_data"),
        (LinkState.UP, reading(Decimal(1), Flag.MOTION), NOW, "motion"),
        (LinkState.UP, reading(Decimal(1), Flag.NET), NOW, "motion"),
        (LinkState.UP, reading(None, Flag.OVERLOAD), NOW, "overload"),
        (LinkState.UP, reading(None, Flag.UNDERLOAD), NOW, "underload"),
        (LinkState.UP, reading(Decimal(1), Flag.STABLE, Flag.OVERLOAD), NOW, "overload"),
        (LinkState.UP, reading(Decimal(1), Flag.STABLE, Flag.OUT_OF_CALIBRATION), NOW, "out_of_calibration"),
        (LinkState.UP, reading(None, Flag.STABLE), NOW, "no_data"),
        (LinkState.UP, reading("1.000"), NOW, "no_data"),
    ],
)
def test_refusal_names_the_first_thing_in_the_way(
    link: LinkState, found: Reading | None, at_ns: int | None, code: str | None
) -> None:
    assert refusal(LiveValue("scale", link, found, at_ns), NOW) == code


@pytest.fixture
def hub(peer: Any, memory: Any, clock: Any, device: Any) -> DeviceHub:
    return DeviceHub([device(peer.port)], journal=memory, clock=clock)


async def why_not(hub: DeviceHub) -> str:
    with pytest.raises(TakeRefused) as refused:
        await hub.take("scale")
    return refused.value.code


def rests(hub: DeviceHub) -> bool:
    live = hub.live("scale")
    return live.reading is not None and live.at_ns is not None and live.reading.stable is True


async def test_from_connecting_to_taken(hub: DeviceHub, peer: Any, memory: Any, running: Any, until: Any) -> None:
    assert await why_not(hub) == "lost"
    async with running(hub):
        await until(lambda: hub.live("scale").link is LinkState.UP)
        assert await why_not(hub) == "no_data"
        peer.say("S D      0.812 kg\r\n")
        await until(lambda: hub.live("scale").reading)
        assert await why_not(hub) == "motion"
        peer.say(AT_REST)
        await until(lambda: rests(hub))
        taken = await hub.take("scale")
    assert taken.reading.value == Decimal("1.000")
    (kept,) = memory.entries
    assert (kept.value, kept.unit, kept.flags, taken.entry.seq) == ("1.000", "kg", ["net", "stable"], 0)


@pytest.mark.parametrize(("line", "code"), [("S +\r\n", "overload"), ("S -\r\n", "underload")])
async def test_out_of_range_has_no_value_and_is_not_the_one_before(
    hub: DeviceHub, peer: Any, running: Any, until: Any, line: str, code: str
) -> None:
    async with running(hub):
        await until(lambda: peer.opened)
        peer.say(AT_REST + line)
        await until(lambda: hub.live("scale").reading and hub.live("scale").reading.value is None)
        assert await why_not(hub) == code
        peer.say(AT_REST)
        await until(lambda: rests(hub))
        await hub.take("scale")


async def test_an_old_value_is_no_value(hub: DeviceHub, peer: Any, clock: Any, running: Any, until: Any) -> None:
    async with running(hub):
        await until(lambda: peer.opened)
        peer.say(AT_REST)
        await until(lambda: rests(hub))
        clock.turn(1.4)
        await hub.take("scale")
        clock.turn(0.7)
        assert await why_not(hub) == "no_data"


async def test_silence_is_no_answer_until_the_next_new_value(
    hub: DeviceHub, peer: Any, clock: Any, running: Any, until: Any
) -> None:
    async with running(hub):
        await until(lambda: b"SIR" in peer.heard)
        peer.say(AT_REST)
        await until(lambda: rests(hub) and b"I4\r\n" in peer.heard)
        peer.say('I4 A "B214507731"\r\n')
        await until(lambda: peer.heard.count(b"SIR") == 2)
        clock.turn(1.6)
        await until(lambda: hub.live("scale").link is LinkState.NO_ANSWER)
        assert await why_not(hub) == "no_data"
        # It speaks again, but not of the weight: what it said before the silence stays out of reach.
        peer.say("EI\r\n")
        await until(lambda: hub.live("scale").link is LinkState.UP)
        assert await why_not(hub) == "no_data"
        peer.say(AT_REST)
        await until(lambda: rests(hub))
        await hub.take("scale")


@pytest.mark.parametrize(
    ("line", "what"),
    [('I4 A "B214507731"\r\n', "a restart"), ("S I\r\n", "not executable now"), ("ES\r\n", "unknown command")],
)
async def test_a_value_does_not_outlive(
    hub: DeviceHub, peer: Any, memory: Any, running: Any, until: Any, line: str, what: str
) -> None:
    async with running(hub):
        await until(lambda: peer.opened)
        peer.say(AT_REST)
        await until(lambda: rests(hub) and b"I4\r\n" in peer.heard)
        peer.say('I4 A "B214507731"\r\n')
        await until(lambda: memory.notes("device_identified"))
        peer.say(line)
        await until(lambda: hub.live("scale").at_ns is None)
        assert await why_not(hub) == "no_data", what
        assert hub.live("scale").link is LinkState.UP
        described = [entry.identity for entry in memory.entries if entry.t == "device"]
        assert described == ["B214507731"], "the same name again is no news"


async def test_a_value_does_not_outlive_an_unplugged_cable(hub: DeviceHub, peer: Any, running: Any, until: Any) -> None:
    async with running(hub):
        await until(lambda: peer.opened)
        peer.say(AT_REST)
        await until(lambda: rests(hub))
        peer.hang_up()
        await until(lambda: peer.opened == 2 and hub.live("scale").link is LinkState.UP)
        # No time has passed on the clock: another scale may hang on the cable now.
        assert await why_not(hub) == "no_data"
        peer.say(AT_REST)
        await until(lambda: rests(hub))
        await hub.take("scale")


async def test_an_unknown_device_is_a_key_error(hub: DeviceHub) -> None:
    with pytest.raises(KeyError):
        hub.live("other")
    with pytest.raises(KeyError):
        await hub.take("other")


async def test_a_reading_that_fits_no_entry_is_a_journal_fault(
    peer: Any, clock: Any, device: Any, running: Any, until: Any, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_protocol.entries.MAX_ENTRY_BYTES", 60)
    scale = device(peer.port, capture={"policy": "every"})
    hub = DeviceHub([scale], journal=memory, clock=clock)
    async with running(hub):
        await until(lambda: peer.opened)
        peer.say(AT_REST + AT_REST)
        await until(lambda: rests(hub))
        with pytest.raises(JournalFault, match="scale"):
            await hub.take("scale")
        assert (peer.opened, hub.live("scale").link) == (1, LinkState.UP)


async def test_a_taker_that_goes_away_does_not_take_the_news_with_it(
    peer: Any, clock: Any, device: Any, running: Any, until: Any, open_journal: Any
) -> None:
    async with open_journal(clock) as journal:
        hub = DeviceHub([device(peer.port)], journal=journal, clock=clock)
        async with running(hub), hub.events() as events:
            await until(lambda: peer.opened)
            peer.say(AT_REST)
            await until(lambda: rests(hub))
            taker = asyncio.create_task(hub.take("scale"))
            await asyncio.sleep(0)
            taker.cancel()
            async with asyncio.timeout(20):
                heard = [await anext(events), await anext(events)]
    assert {type(event).__name__ for event in heard} == {"Captured", "LiveChanged"}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (reading(Decimal("1.50E+3")), {"value": "1500", "op": None}),
        (reading(Decimal("-0.000")), {"value": "-0.000"}),
        (reading(None, Flag.OVERLOAD), {"value": None, "flags": ["overload"]}),
        (reading(Decimal(5), operator="<"), {"op": "<"}),
        (reading("]C1", Flag.NO_READ), {"value": "]C1", "flags": ["no_read"]}),
        (reading(details={"tare": "0.2"}, instrument_time="12:00"), {"details": {"tare": "0.2"}, "instrument_time": "12:00"}),
    ],
)
def test_entry_keeps_digits_and_says_what_the_device_said(
    found: Reading, expected: dict[str, Any], device: Any, clock: Any
) -> None:
    entry = parse(entry_of(device(1), found, clock).data)
    assert {name: getattr(entry, name) for name in expected} == expected
    assert (entry.device, entry.driver, entry.mono_ns) == ("scale", "mt-sics", clock.now_ns())


async def test_what_was_sent_once_is_taken_once(
    peer: Any, memory: Any, clock: Any, device: Any, running: Any, until: Any
) -> None:
    hub = DeviceHub([device(peer.port, driver="mt-lab-print")], journal=memory, clock=clock)
    async with running(hub):
        await until(lambda: peer.opened)
        peer.say("\r\n")  # a first line may have begun before anyone listened, and counts for nothing
        for count in (1, 2):
            peer.say("     N       0.3746 g   \r\n")
            await until(lambda: rests(hub))
            both = await asyncio.gather(hub.take("scale"), hub.take("scale"), return_exceptions=True)
            assert [type(one).__name__ for one in both] == ["Captured", "TakeRefused"]
            assert await why_not(hub) == "no_data"
            assert len([entry for entry in memory.entries if entry.t == "reading"]) == count


async def test_what_is_kept_of_a_device_holds_no_secret(memory: Any, clock: Any, device: Any) -> None:
    settings = {"logon_polynomial": "1ABCD", "logon_checksum": "EF57"}
    hub = DeviceHub([device(1, driver="dialog06", settings=settings)], journal=memory, clock=clock)
    await hub.introduce()
    (entry,) = memory.entries
    assert entry.settings["dialog"] == "06"
    assert not {"1ABCD", "EF57"} & {str(value) for value in entry.settings.values()}
