"""All devices of the box: live values for screens, captured readings into the journal, events for whoever listens."""

import asyncio
import base64
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import structlog

from drivers import registry
from drivers.api import Driver, Flag, Kind, Mode, Reading, Transport
from drivers.api import SettingsFault as DriverSettingsFault
from drivers.settings import read_settings, without_secrets
from drivers.transports import Shared, make_transport
from edge.clock import Clock
from edge.devices.capture import Policy, policy_of
from edge.devices.link import DeviceLink, Owner
from edge.devices.live import FRESH_NS, PRINTED_NS, Captured, HubEvent, LinkState, LiveChanged, LiveValue
from edge.devices.question import Answer, is_tare
from edge.devices.settling import SentOnce, Settling
from edge.errors import JournalFault, ListenerBehind, SettingsFault, TakeRefused
from edge.settings import CaptureSettings, DeviceSettings
from sync_protocol.entries import DeviceEntry, Encoded, Entry, NoteEntry, ReadingFields, encode_reading
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId
from sync_protocol.quantity import plain

log = structlog.get_logger()

LISTENER_BACKLOG = 256
"""Captured readings that a listener may lag behind: minutes of scanning by hand. One that is further behind hangs."""


class Appends(Protocol):
    """What the hub needs of the journal."""

    async def append(self, entry: Entry | Encoded) -> EntryId: ...


class _Listener:
    """One reader of events: the newest live value of each device, every captured reading."""

    def __init__(self) -> None:
        self._live: dict[str, LiveChanged] = {}
        self._captured: deque[Captured] = deque()
        self._ready = asyncio.Event()
        self._behind = False

    def put(self, event: HubEvent) -> None:
        match event:
            case LiveChanged():
                self._live[event.live.device] = event
            case Captured() if len(self._captured) >= LISTENER_BACKLOG or self._behind:
                self._behind = True
            case Captured():
                self._captured.append(event)
        self._ready.set()

    async def events(self) -> AsyncIterator[HubEvent]:
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._captured:
                yield self._captured.popleft()
            if self._behind:
                raise ListenerBehind(f"a listener was more than {LISTENER_BACKLOG} captured readings behind")
            live, self._live = self._live, {}
            for event in live.values():
                yield event


class DeviceHub:
    """The `Hub` of a box. `links` are run by the supervisor, one task each. Raises SettingsFault that names the device."""

    def __init__(
        self,
        settings: list[DeviceSettings],
        *,
        journal: Appends,
        clock: Clock,
        captures: Callable[[str], bool] = lambda _policy: True,
    ) -> None:
        """`captures` says whether a device with that capture policy may fill the journal by itself now."""
        self._journal = journal
        self._captures = captures
        self._clock = clock
        self._settings = {device.id: device for device in settings}
        self._shared = Shared()
        self._drivers = {device.id: _driver(device) for device in settings}
        capture = {device.id: self._capture_settings(device) for device in settings}
        self._policies: dict[str, Policy] = {device: policy_of(wanted) for device, wanted in capture.items()}
        self._policy_names = {device: wanted.policy for device, wanted in capture.items()}
        self._once = {name for name, driver in self._drivers.items() if set(driver.info.modes) == {Mode.AUTOPRINT}}
        self._settling = {device.id: SentOnce() if device.id in self._once else Settling(device.settle) for device in settings}
        self._timed: dict[str, object] = {}
        self._identities: dict[str, str] = {}
        self._live = {device.id: LiveValue(device.id, LinkState.CONNECTING, None, None) for device in settings}
        self._listeners: set[_Listener] = set()
        self._keeping: set[asyncio.Task[Captured]] = set()
        self.links = {device.id: self._link(device) for device in settings}

    def _link(self, device: DeviceSettings) -> DeviceLink:
        return DeviceLink(
            device.id,
            self._drivers[device.id],
            device.settings,
            transport=partial(_transport, device, self._shared),
            clock=self._clock,
            owner=Owner(
                reading=partial(self._reading, device.id),
                state=partial(self._state, device.id),
                outdated=partial(self._outdated, device.id),
                identified=partial(self._identified, device.id),
                note=partial(self._note, device.id),
            ),
        )

    def _capture_settings(self, device: DeviceSettings) -> CaptureSettings:
        if device.capture is not None:
            return device.capture
        # A scan is an act of the operator's and happens once; a live value is asked for when it is wanted.
        scans_only = self._drivers[device.id].info.kinds == {Kind.CODE}
        return CaptureSettings(policy="every" if scans_only else "on_demand")

    def appeared(self, node: str) -> None:  # noqa: ARG002 - which node a device will have is looked up when it is opened
        """A device node came into being: devices that are away are looked for at once."""
        for link in self.links.values():
            link.try_again()

    async def introduce(self) -> None:
        """Write how each device is configured, so that the readings of this run can be decoded again from their raw bytes."""
        for entry in self.descriptions():
            await self._journal.append(entry)

    def descriptions(self) -> list[DeviceEntry]:
        """What every run of the journal begins with. Reads only; may be called in any thread."""
        return [self._description(device) for device in self._settings.values()]

    def _description(self, device: DeviceSettings) -> DeviceEntry:
        # With every default filled in: a later program's defaults may differ.
        used = without_secrets(read_settings(self._drivers[device.id].settings, device.settings))
        identity = self._identities.get(device.id)
        return DeviceEntry(**self._clock.stamp(), device=device.id, driver=device.driver, settings=used, identity=identity)

    async def _identified(self, device: str, identity: str) -> None:
        if self._identities.get(device) == identity:
            return
        self._identities[device] = identity
        try:
            await self._journal.append(self._description(self._settings[device]))
        except JournalFault:
            log.exception("note_failed", device=device, name="device")

    def devices(self) -> tuple[str, ...]:
        return tuple(self._settings)

    def live(self, device: str) -> LiveValue:
        return self._live[device]

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[HubEvent]]:
        listener = _Listener()
        self._listeners.add(listener)
        try:
            yield listener.events()
        finally:
            self._listeners.discard(listener)

    async def take(self, device: str) -> Captured:
        live = self._live[device]
        why_not = refusal(live, self._clock.now_ns())
        if why_not or live.reading is None:
            raise TakeRefused(why_not or "no_data")
        if device in self._once:
            # What was sent once is weighed once: whoever takes it again has another item before them. It stays taken when the
            # journal fails, which tells nobody whether it was kept.
            self._outdated(device)
        return await self._capture(device, live.reading)

    async def command(self, device: str, name: str, argument: str | None = None) -> Answer:
        """Have a device do one of its driver's commands; what it said to it.

        Raises LinkLost, NoAnswer, DeviceRefused, or the drivers' SettingsFault for a device or command that there is not.
        """
        link = self._known(device)
        if name not in self._drivers[device].info.commands:
            raise DriverSettingsFault(f"{device} has no command {name}", setting="command")
        return await link.ask(name, argument)

    def restart(self, device: str) -> None:
        """Close a device's link and open it again. Raises LinkLost when it is closed, SettingsFault for no device of ours."""
        self._known(device).reopen()

    def _known(self, device: str) -> DeviceLink:
        link = self.links.get(device)
        if link is None:
            raise DriverSettingsFault(f"there is no device {device[:40]}", setting="device")
        return link

    def publish(self, captured: Captured) -> None:
        """Tell whoever listens of a reading that another part of the box has kept: a code in a camera's picture."""
        self._tell(captured)

    async def _capture(self, device: str, reading: Reading) -> Captured:
        # A caller that goes away (an unplugged link, a closed page) must not take the news of a durable reading with it.
        try:
            entry = entry_of(self._settings[device], reading, self._clock)
        except TextFault as exc:
            raise JournalFault(f"a reading of {device} does not fit an entry: {exc}") from exc
        task = asyncio.create_task(self._keep(device, reading, entry))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)
        return await asyncio.shield(task)

    async def _keep(self, device: str, reading: Reading, entry: Encoded) -> Captured:
        captured = Captured(device, await self._journal.append(entry), reading)
        self._tell(captured)
        return captured

    async def _reading(self, device: str, reading: Reading) -> None:
        if is_tare(reading):
            return
        now_ns = self._clock.now_ns()
        reading = self._settling[device].judge(reading, now_ns)
        self._live[device] = LiveValue(device, LinkState.UP, reading, now_ns, self._keeps_ns(device))
        self._tell(LiveChanged(self._live[device]))
        # The policy is not asked while its readings are not taken: it would believe the last one to be kept.
        wanted = self._captures(self._policy_names[device]) and self._policies[device].wants(reading, now_ns)
        if wanted and not self._said_before(device, reading):
            try:
                await self._capture(device, reading)
            except JournalFault:
                # Nothing was confirmed to anyone; the box's red screen is the journal's own affair.
                log.exception("capture_failed", device=device)

    def _said_before(self, device: str, reading: Reading) -> bool:
        """Whether this weighing was captured already: scales that advertise say one again and again, with its time."""
        if reading.instrument_time is None:
            return False
        said = reading.instrument_time, reading.value, reading.unit
        if self._timed.get(device) == said:
            return True
        self._timed[device] = said
        return False

    def _keeps_ns(self, device: str) -> int:
        return PRINTED_NS if device in self._once else FRESH_NS

    def _state(self, device: str, state: LinkState) -> None:
        last = self._live[device]
        # What was measured before a silence is not what lies on the scale after it.
        at_ns = last.at_ns if state is LinkState.UP else None
        self._live[device] = LiveValue(device, state, last.reading, at_ns, last.keeps_ns)
        self._tell(LiveChanged(self._live[device]))

    def _outdated(self, device: str) -> None:
        self._live[device] = replace(self._live[device], at_ns=None)
        self._tell(LiveChanged(self._live[device]))

    async def _note(self, device: str, name: str, data: Mapping[str, Any]) -> None:
        try:
            await self._journal.append(NoteEntry(**self._clock.stamp(), name=name, device=device, data=dict(data)))
        except JournalFault:
            log.exception("note_failed", device=device, name=name)

    def _tell(self, event: HubEvent) -> None:
        for listener in self._listeners:
            listener.put(event)


def check_devices(devices: list[DeviceSettings]) -> None:
    """Whether a hub can be made of these. Raises SettingsFault that names the device."""
    for device in devices:
        _driver(device)


def _driver(device: DeviceSettings) -> Driver:
    """The device's driver, once everything that its link will need was seen to fit. Raises SettingsFault."""
    try:
        driver = registry.get(device.driver)
        read_settings(driver.settings, device.settings)
        _transport(device)
    except DriverSettingsFault as exc:
        raise SettingsFault(f"devices: {device.id}: {exc}") from exc
    if device.transport["kind"] not in driver.info.transports:
        raise SettingsFault(f"devices: {device.id}: transport: {device.driver} is not spoken over {device.transport['kind']}")
    return driver


def _transport(device: DeviceSettings, shared: Shared | None = None) -> Transport:
    own = {name: value for name, value in device.transport.items() if name != "kind"}
    return make_transport(str(device.transport.get("kind", "")), own, shared)


REFUSED = (Flag.OVERLOAD, Flag.UNDERLOAD, Flag.OUT_OF_CALIBRATION, Flag.NOT_ZEROED, Flag.TOTAL, Flag.REMOVED)
"""What a device says of a value that makes it none to book."""


def refusal(live: LiveValue, now_ns: int) -> str | None:
    """Why this live value cannot be taken, as a translation key; None when it can."""
    if live.link is LinkState.LOST or live.link is LinkState.CONNECTING:
        return "lost"
    if live.link is LinkState.NO_ANSWER or live.reading is None or not live.fresh(now_ns):
        return "no_data"
    for flag in REFUSED:
        if flag in live.reading.flags:
            return flag.value
    if live.reading.value is None or isinstance(live.reading.value, str):
        return "no_data"
    return None if live.reading.stable else "motion"


def entry_of(device: DeviceSettings, reading: Reading, clock: Clock) -> Encoded:
    """The reading as the journal keeps it. Raises TextFault when it does not fit an entry."""
    value = reading.value
    fields = ReadingFields(
        device=device.id,
        driver=device.driver,
        kind=reading.kind.value,
        value=value if value is None or isinstance(value, str) else plain(value),
        unit=reading.unit,
        op=reading.operator if reading.operator in {"<", ">"} else None,
        flags=sorted(flag.value for flag in reading.flags),
        instrument_time=reading.instrument_time,
        details=dict(reading.details),
        raw=base64.b64encode(reading.raw).decode(),
    )
    return encode_reading(clock.stamp(), fields)
