"""One device's link: open, speak, notice silence, and come back by itself; said once when lost and once when back."""

import asyncio
import base64
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from drivers.api import (
    Acknowledged,
    Codec,
    Driver,
    Identity,
    LinkLost,
    Malformed,
    MayOverflow,
    Mode,
    NoAnswer,
    Reading,
    Refused,
    Status,
    Transport,
)
from drivers.settings import read_settings
from edge.clock import Clock
from edge.devices.live import LinkState
from edge.devices.question import ASK_S, SETTLE_S, Answer, Question
from sync_protocol.wiretext import clean

log = structlog.get_logger()

FIRST_RETRY_S = 0.1
RETRY_CAP_S = 1.0
"""Opening a port that is not there costs microseconds; an operator who plugs a cable back in waits at most this long."""

STEADY_NS = 5_000_000_000
"""A link that was open for this long is tried again after the first pause; a loose contact waits longer, up to the cap."""

READS_IN_A_ROW = 8
"""Reads of a flooding port before the other devices get their turn: 32 kB, a few milliseconds of decoding."""

SOONEST_S = 0.001
"""A codec that is always due must not keep the event loop to itself."""

NOTE_EVERY_NS = 10_000_000_000
"""One note per kind of trouble in this time: neither a noisy line nor a loose contact must fill the journal."""

NOTE_RAW_BYTES = 256
"""Of bytes that are no frame, this much is kept in a note: more than the longest line of any device known."""


IDENTIFY = "identify"
"""The command of a driver whose device can say who it is without changing a measurement."""


@dataclass(frozen=True, slots=True)
class Owner:
    """What a link tells the hub it belongs to."""

    reading: Callable[[Reading], Awaitable[None]]
    state: Callable[[LinkState], None]
    outdated: Callable[[], None]
    """What the device measured last holds no longer: it restarted, or has just refused to say."""
    identified: Callable[[str], Awaitable[None]]
    """The device said its serial number."""
    note: Callable[[str, Mapping[str, Any]], Awaitable[None]]


class DeviceLink:
    """Runs one device until cancelled. `send` gives it a named command."""

    def __init__(
        self,
        name: str,
        driver: Driver,
        settings: Mapping[str, object],
        *,
        transport: Callable[[], Transport],
        clock: Clock,
        owner: Owner,
    ) -> None:
        self._name = name
        self._driver = driver
        self._streams = Mode.STREAM in driver.info.modes
        self._settings = read_settings(driver.settings, settings)
        self._transport = transport
        self._clock = clock
        self._owner = owner
        self._open: tuple[Transport, Codec] | None = None
        self._state = LinkState.CONNECTING
        self._lost_ns: int | None = None
        self._loss_told = False
        self._asked_who = True
        self._noted_ns: dict[str, int] = {}
        self._asking = asyncio.Lock()
        self._question: Question | None = None
        self._reopen = asyncio.Event()
        self._stirred = asyncio.Event()
        self._again = asyncio.Event()

    def reopen(self) -> None:
        """Close the link and open it again, as if the cable had been pulled. Raises LinkLost when it is not open."""
        if self._open is None:
            raise LinkLost(f"{self._name} is not connected")
        self._reopen.set()

    def try_again(self) -> None:
        """Something was plugged in: if the device is away, look for it now instead of at the next try."""
        self._again.set()

    async def ask(
        self, command: str, argument: str | None = None, *, settle_s: float = SETTLE_S, ask_s: float = ASK_S
    ) -> Answer:
        """Send a named command and wait for what the device says to it; one at a time. `argument` as `send` takes it.

        Raises LinkLost, NoAnswer, DeviceRefused, or the drivers' SettingsFault for a command that the driver does not have.
        """
        async with self._asking:
            if self._open is None:
                raise LinkLost(f"{self._name} is not connected")
            self._question = question = Question(command)
            self._stirred.set()
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(settle_s):
                        await question.settled.wait()
                question.sent = True
                await self.send(command, argument)
                async with asyncio.timeout(ask_s):
                    return await question.answer
            except TimeoutError as exc:
                raise NoAnswer(f"{self._name} said nothing to {command} in {ask_s:g} s") from exc
            finally:
                self._question = None
                question.answer.cancel()
                self._stirred.set()

    async def send(self, command: str, argument: str | None = None) -> None:
        """Send a named command; raises LinkLost when the device is away, SettingsFault for a command it does not have."""
        if self._open is None:
            raise LinkLost(f"{self._name} is not connected")
        transport, codec = self._open
        await transport.write(codec.command(command, argument))
        self._stirred.set()

    async def run(self) -> None:
        """Open, serve, wait, open again."""
        pause_s = FIRST_RETRY_S
        while True:
            transport = self._transport()
            opened_ns: int | None = None
            try:
                await transport.open()
                opened_ns = self._clock.now_ns()
                await self._serve(transport, self._driver.make_codec(self._settings))
            except* LinkLost as lost:
                await self._lost(lost.exceptions[0])
            finally:
                # Also for what nobody foresaw: a closed port must never look like one that is up.
                self._set(LinkState.LOST)
                self._open = None
                if self._question is not None:
                    self._question.lost(self._name)
                await transport.close()
            if opened_ns is not None and self._clock.now_ns() - opened_ns >= STEADY_NS:
                pause_s = FIRST_RETRY_S
            await self._pause(pause_s)
            pause_s = min(pause_s * 2, RETRY_CAP_S)

    async def _pause(self, pause_s: float) -> None:
        self._again.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._again.wait()

    async def _serve(self, transport: Transport, codec: Codec) -> None:
        self._open = transport, codec
        self._reopen.clear()
        await self._back()
        # Another instrument may be at the end of the cable since it was open last.
        self._asked_who = IDENTIFY not in self._driver.info.commands
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(transport, codec))
            tasks.create_task(self._poll(transport, codec))
            tasks.create_task(self._until_reopened())

    async def _until_reopened(self) -> None:
        await self._reopen.wait()
        raise LinkLost("closed to be opened again")

    async def _read(self, transport: Transport, codec: Codec) -> None:
        # What a stream's line kept while more was lost behind it may be minutes old: it is decoded, and not shown.
        line = transport if self._streams and isinstance(transport, MayOverflow) else None
        old = False
        for count in itertools.count(1):
            data = await transport.read()
            was_old, old = old, line is not None and line.overflowed
            if old and not was_old:
                log.warning("backlog_dropped", device=self._name)
            now_ns = self._clock.now_ns()
            due_ns = codec.due_ns(now_ns)
            for decoded in codec.receive(data, now_ns):
                if not (old and isinstance(decoded, Reading)):
                    await self._decoded(decoded)
            sooner_ns = codec.due_ns(now_ns)
            # The other task sleeps until what was due before; it is woken only for what is due sooner.
            if sooner_ns is not None and (due_ns is None or sooner_ns < due_ns):
                self._stirred.set()
            # A port that always has bytes ready would keep the loop to itself; one that waits for them gives way by itself.
            if count % READS_IN_A_ROW == 0:
                await asyncio.sleep(0)

    async def _poll(self, transport: Transport, codec: Codec) -> None:
        while True:
            now_ns = self._clock.now_ns()
            # A codec is asked for nothing new while the answer to what it asked last is awaited.
            held = self._question is not None and not self._question.sent
            request = None if held else codec.poll(now_ns)
            if request:
                await transport.write(request)
            if codec.overdue(now_ns):
                self._set(LinkState.NO_ANSWER)
            # An empty read is how a codec that ends a message by silence is told that time went by.
            for decoded in codec.receive(b"", now_ns):
                await self._decoded(decoded)
            await self._until_due(codec, held=held)

    async def _until_due(self, codec: Codec, *, held: bool) -> None:
        """Sleep until the codec has something to do: a timer where it says when, no wake-ups at all where it does not."""
        self._stirred.clear()
        now_ns = self._clock.now_ns()
        due_ns = None if held else codec.due_ns(now_ns)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if due_ns is None else max((due_ns - now_ns) / 1e9, SOONEST_S)):
                await self._stirred.wait()

    async def _decoded(self, decoded: Reading | Acknowledged | Identity | Refused | Malformed | Status) -> None:
        if not isinstance(decoded, Malformed):
            self._set(LinkState.UP)
        if self._question is not None:
            self._question.hear(decoded)
        match decoded:
            case Reading():
                await self._owner.reading(decoded)
                if not self._asked_who:
                    await self._ask_who()
            case Identity():
                await self._identity(decoded)
            case Refused():
                self._owner.outdated()
                await self._note("device_refused", {"code": clean(decoded.code), "reason": decoded.reason})
            case Malformed():
                raw = base64.b64encode(decoded.raw[:NOTE_RAW_BYTES]).decode()
                await self._note("wire_fault", {"reason": clean(decoded.reason), "raw": raw, "bytes": len(decoded.raw)})
            case Status():
                await self._note("device_status", {"text": clean(decoded.text)})
            case Acknowledged():
                pass

    async def _identity(self, identity: Identity) -> None:
        if identity.power_up:
            self._owner.outdated()
        data: dict[str, Any] = {"what": identity.what, "text": clean(identity.text), "power_up": identity.power_up}
        if identity.what == "serial":
            await self._owner.identified(data["text"])
        await self._note("device_identified", data)

    async def _ask_who(self) -> None:
        """Once per connection, as soon as the device has shown that it speaks."""
        if self._open is not None:
            self._asked_who = True
            await self.send(IDENTIFY)

    async def _note(self, name: str, data: Mapping[str, Any]) -> None:
        # A restart is news even when the device has just said who it is.
        if self._may_note(f"{name} {data.get('power_up', '')}"):
            await self._owner.note(name, data)

    def _may_note(self, about: str) -> bool:
        now_ns = self._clock.now_ns()
        if now_ns - self._noted_ns.get(about, now_ns - NOTE_EVERY_NS) < NOTE_EVERY_NS:
            return False
        self._noted_ns[about] = now_ns
        return True

    def _set(self, state: LinkState) -> None:
        if state is not self._state:
            self._state = state
            self._owner.state(state)

    async def _lost(self, exc: Exception) -> None:
        """Called for every failed attempt too: a loss that came too soon after the last one is told as soon as it may be."""
        self._set(LinkState.LOST)
        if self._lost_ns is None:
            self._lost_ns = self._clock.now_ns()
        if not self._loss_told and self._may_note("link_lost"):
            self._loss_told = True
            log.warning("link_lost", device=self._name, reason=str(exc))
            await self._owner.note("link_lost", {"reason": clean(str(exc))})

    async def _back(self) -> None:
        self._set(LinkState.UP)
        lost_ns, self._lost_ns = self._lost_ns, None
        told, self._loss_told = self._loss_told, False
        if told and lost_ns is not None:
            after_s = round((self._clock.now_ns() - lost_ns) / 1e9, 3)
            log.info("link_back", device=self._name, after_s=after_s)
            await self._owner.note("link_back", {"after_s": after_s})
