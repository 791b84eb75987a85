"""All cameras of the box: takes a picture when asked, one at a time each, and keeps it with what was found in it.

A camera that fails is told once when it is lost and once when it is back, however often it is asked in between.
"""

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog

from drivers.api import DeviceRefused, DriverError, LinkLost, NoAnswer, Reading, WireFault
from drivers.api import Settings as DriverSettings
from drivers.api import SettingsFault as DriverSettingsFault
from drivers.cameras.api import Camera, CameraKind, Still, Surroundings
from drivers.cameras.checks import Limits
from drivers.cameras.login import public
from drivers.cameras.offered import kind_of
from drivers.settings import read_settings, without_secrets
from edge.blobs.store import BlobFault
from edge.cameras.taken import Seen, Taken, about_of, examine
from edge.clock import Clock
from edge.devices.live import Captured
from edge.errors import JournalFault, PictureFailed, SettingsFault
from edge.settings import CameraSettings
from sync_protocol.entries import DeviceEntry, Encoded, Entry, NoteEntry, ReadingFields, encode_reading
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId
from sync_protocol.wiretext import clean

log = structlog.get_logger()

DRIVER: Final = "camera"
"""Driver of the readings and descriptions of cameras."""

MAX_WAITING: Final = 4
"""Who may wait for one camera: an operator, a weight, the cloud. Pictures asked for after that would be of another moment."""

NO_MORE: Final[Mapping[str, str]] = {}


class Appends(Protocol):
    """What is needed of the journal."""

    async def append(self, entry: Entry | Encoded) -> EntryId: ...


class Keeps(Protocol):
    """Keeps a picture, durable and journaled when it returns its SHA-256 (`edge.errands.Files.keep_photo`)."""

    async def __call__(self, picture: bytes, *, media: str, about: Mapping[str, str]) -> str: ...


@dataclass(frozen=True, slots=True)
class BookParts:
    """What the cameras work with. `publish` tells the box of a code that was read in a picture."""

    journal: Appends
    keep: Keeps
    clock: Clock
    publish: Callable[[Captured], None] = lambda _captured: None
    surroundings: Surroundings = field(default_factory=Surroundings)


@dataclass(slots=True)
class _Held:
    """One camera."""

    settings: CameraSettings
    kind: CameraKind
    own: DriverSettings
    limits: Limits
    camera: Camera
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    lost_ns: int | None = None


class CameraBook:
    """Raises SettingsFault that names the camera whose settings do not fit."""

    def __init__(self, settings: Sequence[CameraSettings], parts: BookParts) -> None:
        self._parts = parts
        self._held = {camera.id: _hold(camera, parts.surroundings) for camera in settings}
        self._taking: set[asyncio.Task[Taken]] = set()

    def cameras(self) -> tuple[str, ...]:
        return tuple(self._held)

    def descriptions(self) -> list[DeviceEntry]:
        """How each camera is configured, without what signs in there."""
        return [_description(held, self._parts.clock) for held in self._held.values()]

    async def introduce(self) -> None:
        """Write the descriptions into the run that is being written. Raises JournalFault."""
        for entry in self.descriptions():
            await self._parts.journal.append(entry)

    async def take(self, camera: str, about: Mapping[str, str] = NO_MORE, *, scan: bool = False) -> Taken:
        """Take a picture, keep it, and say what is in it; `about` says what it belongs to (`job`, `reading`...).

        With `scan`, the codes in it count as scanned by whoever asked, where the camera's settings allow it.
        Raises PictureFailed or JournalFault. A caller that goes away does not take the picture with it.
        """
        held = self._held.get(camera)
        if held is None:
            raise PictureFailed("no_camera")
        if held.waiting >= MAX_WAITING:
            raise PictureFailed("busy")
        held.waiting += 1
        task = asyncio.create_task(self._in_turn(held, about, scan=scan))
        self._taking.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def aclose(self) -> None:
        """Give up what is being taken. A picture that is being kept is in the store, but nobody learns of it."""
        for task in [*self._taking]:
            task.cancel()
        await asyncio.gather(*self._taking, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Taken]) -> None:
        self._taking.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as seen: who asked may be gone

    async def _in_turn(self, held: _Held, about: Mapping[str, str], *, scan: bool) -> Taken:
        try:
            async with held.lock:
                taken = await self._take(held, about)
                if scan and held.settings.codes == "readings":
                    for code in taken.codes:
                        await self._give(held.settings.id, code)
                return taken
        finally:
            held.waiting -= 1

    async def _take(self, held: _Held, about: Mapping[str, str]) -> Taken:
        asked_ns = self._parts.clock.now_ns()
        try:
            still = await held.camera.take()
            seen = await asyncio.to_thread(examine, still, held.limits, codes=held.settings.codes != "none")
        except DriverError as exc:
            failed = _failed(exc)
            await self._lost(held, failed)
            raise failed from exc
        await self._back(held)
        known = about_of(held.settings.id, still, held.limits, seen) | {"asked_mono_ns": str(asked_ns)} | dict(about)
        try:
            await self._parts.keep(still.picture, media=still.media, about=known)
        except (OSError, BlobFault) as exc:
            log.warning("photo_not_kept", reason=str(exc))
            raise PictureFailed("not_kept", str(exc)) from exc
        return _taken(held.settings.id, still, seen)

    async def _give(self, camera: str, code: Reading) -> None:
        """A code as a reader gives it: kept first, then told."""
        fields = ReadingFields(
            device=camera,
            driver=DRIVER,
            kind=code.kind.value,
            value=str(code.value),
            unit=None,
            op=None,
            flags=[],
            instrument_time=None,
            details=dict(code.details),
            raw=base64.b64encode(code.raw).decode(),
        )
        try:
            entry = encode_reading(self._parts.clock.stamp(), fields)
        except TextFault as exc:
            # Thousands of characters in one symbol: the picture is kept, and it holds them.
            log.warning("code_too_long", camera=camera, reason=str(exc))
            return
        self._parts.publish(Captured(camera, await self._parts.journal.append(entry), code))

    async def _lost(self, held: _Held, failed: PictureFailed) -> None:
        if held.lost_ns is not None:
            return
        held.lost_ns = self._parts.clock.now_ns()
        log.warning("camera_lost", camera=held.settings.id, code=failed.code, reason=failed.reason)
        await self._note(held.settings.id, "camera_lost", {"code": failed.code, "reason": clean(failed.reason or "")})

    async def _back(self, held: _Held) -> None:
        if held.lost_ns is None:
            return
        after_s = round((self._parts.clock.now_ns() - held.lost_ns) / 1e9, 3)
        held.lost_ns = None
        log.info("camera_back", camera=held.settings.id, after_s=after_s)
        await self._note(held.settings.id, "camera_back", {"after_s": after_s})

    async def _note(self, camera: str, name: str, data: Mapping[str, Any]) -> None:
        try:
            await self._parts.journal.append(NoteEntry(**self._parts.clock.stamp(), name=name, device=camera, data=dict(data)))
        except JournalFault:
            log.exception("note_failed", device=camera, name=name)


def check_cameras(settings: Sequence[CameraSettings]) -> None:
    """Whether a book can be made of these. Raises SettingsFault that names the camera."""
    for camera in settings:
        _hold(camera, Surroundings())


def _hold(settings: CameraSettings, surroundings: Surroundings) -> _Held:
    try:
        kind = kind_of(settings.kind)
        own = read_settings(kind.settings, settings.settings)
        limits = read_settings(Limits, settings.limits)
        return _Held(settings, kind, own, limits, kind.make(own, surroundings))
    except DriverSettingsFault as exc:
        raise SettingsFault(f"cameras: {settings.id}: {exc}") from exc


def _description(held: _Held, clock: Clock) -> DeviceEntry:
    own = without_secrets(held.own)
    if isinstance(address := own.get("address"), str):
        own["address"] = public(address)
    used = {"kind": held.kind.name, "codes": held.settings.codes, "limits": held.limits.model_dump(mode="json"), **own}
    return DeviceEntry(**clock.stamp(), device=held.settings.id, driver=DRIVER, settings=used)


def _taken(camera: str, still: Still, seen: Seen) -> Taken:
    size = len(still.picture)
    return Taken(camera, still.sha256, still.media, size, still.width, still.height, seen.look.findings, seen.codes)


def _failed(exc: DriverError) -> PictureFailed:
    match exc:
        case LinkLost():
            return PictureFailed("lost", str(exc))
        case NoAnswer():
            return PictureFailed("no_answer", str(exc))
        case DeviceRefused():
            return PictureFailed("refused", str(exc), word=exc.code)
        case WireFault():
            return PictureFailed("no_picture", str(exc))
    return PictureFailed("settings", str(exc))
