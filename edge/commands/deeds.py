"""The operations of this box: what each one does, with the parts that it is given."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from drivers.api import Acknowledged, DeviceRefused, Identity, LinkLost, NoAnswer, Reading
from drivers.api import SettingsFault as DriverSettingsFault
from edge.cameras.taken import Taken
from edge.commands.configure import lay_down
from edge.commands.executor import Deed
from edge.commands.outcomes import CommandFailed, CommandRefused, Result
from edge.errors import JournalFault, PictureFailed, SettingsFault
from edge.settings import BoxSettings
from sync_protocol.ids import RunId
from sync_protocol.ops import Arguments, Identify, NewConfiguration, NoArguments, OnDevice
from sync_protocol.quantity import plain


class Devices(Protocol):
    """What is asked of the hub."""

    def devices(self) -> tuple[str, ...]: ...

    async def command(self, device: str, name: str) -> Acknowledged | Reading | Identity: ...

    def restart(self, device: str) -> None: ...


class Cameras(Protocol):
    """What is asked of the cameras."""

    def cameras(self) -> tuple[str, ...]: ...

    async def take(self, camera: str) -> Taken: ...


A = TypeVar("A", NoArguments, OnDevice, NewConfiguration, Identify)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the operations work on. `config` is the file that the box was started with, None where it was started otherwise."""

    devices: Devices
    settings: BoxSettings
    config: Path | None
    pull_mirror: Callable[[], None]
    """Have the mirror ask the cloud now; the pull itself goes on by itself."""
    fresh_run: Callable[[], Awaitable[RunId]]
    show_yourself: Callable[[int], None]
    """Be seen and heard at the kiosk for so many seconds."""
    cameras: Cameras | None = None
    """None where the box has none."""


def deeds(parts: Parts) -> Mapping[str, Deed]:
    """The operations by name (`sync_protocol.ops.OPS`)."""
    own = _Deeds(parts)
    return {
        "zero": own.zero,
        "tare": own.tare,
        "restart_device": own.restart_device,
        "take_picture": own.take_picture,
        "configure": own.configure,
        "pull_mirror": own.pull_mirror,
        "identify": own.identify,
        "fresh_run": own.fresh_run,
    }


@dataclass(frozen=True, slots=True)
class _Deeds:
    parts: Parts

    async def zero(self, args: Arguments) -> Result:
        return await self._ask(_of(OnDevice, args).device, "zero")

    async def tare(self, args: Arguments) -> Result:
        return await self._ask(_of(OnDevice, args).device, "tare")

    async def restart_device(self, args: Arguments) -> Result:
        device = _of(OnDevice, args).device
        try:
            self.parts.devices.restart(device)
        except DriverSettingsFault as exc:
            raise CommandRefused("no_device", str(exc)) from exc
        except LinkLost as exc:
            raise CommandFailed("lost", str(exc)) from exc
        return Result("done")

    async def take_picture(self, args: Arguments) -> Result:
        device, cameras = _of(OnDevice, args).device, self.parts.cameras
        if cameras is None or device not in cameras.cameras():
            raise CommandRefused("no_camera" if device in self.parts.devices.devices() else "no_device")
        try:
            taken = await cameras.take(device)
        except PictureFailed as exc:
            if exc.word is not None:
                raise CommandRefused(exc.word, exc.reason) from exc
            raise CommandFailed(exc.code, exc.reason) from exc
        except JournalFault as exc:
            raise CommandFailed("journal", str(exc)) from exc
        findings = [finding.code for finding in taken.findings]
        size = {"size": taken.size, "width": taken.width, "height": taken.height}
        return Result("done", data={"sha256": taken.sha256, "media": taken.media, **size, "findings": findings})

    async def configure(self, args: Arguments) -> Result:
        """Writes a few kilobytes in the event loop, as rarely as somebody changes a configuration."""
        if self.parts.config is None:
            raise CommandRefused("no_configuration_file")
        try:
            lay_down(self.parts.config, _of(NewConfiguration, args).toml, self.parts.settings)
        except SettingsFault as exc:
            raise CommandRefused("bad_configuration", str(exc)) from exc
        except OSError as exc:
            raise CommandFailed("not_written", str(exc)) from exc
        return Result("done", "at_next_start")

    async def pull_mirror(self, _args: Arguments) -> Result:
        self.parts.pull_mirror()
        return Result("done")

    async def identify(self, args: Arguments) -> Result:
        self.parts.show_yourself(_of(Identify, args).seconds)
        return Result("done")

    async def fresh_run(self, _args: Arguments) -> Result:
        try:
            return Result("done", data={"run": await self.parts.fresh_run()})
        except JournalFault as exc:
            raise CommandFailed("journal", str(exc)) from exc

    async def _ask(self, device: str, command: str) -> Result:
        try:
            said = await self.parts.devices.command(device, command)
        except DriverSettingsFault as exc:
            raise CommandRefused("no_device" if exc.setting == "device" else "no_such_command", str(exc)) from exc
        except DeviceRefused as exc:
            raise CommandRefused(exc.code, str(exc)) from exc
        except LinkLost as exc:
            raise CommandFailed("lost", str(exc)) from exc
        except NoAnswer as exc:
            raise CommandFailed("no_answer", str(exc)) from exc
        if isinstance(said, Identity):
            return Result("done", data={"text": said.text})
        if isinstance(said, Acknowledged) or said.value is None:
            return Result("done")
        value = said.value if isinstance(said.value, str) else plain(said.value)
        return Result("done", data={"value": value, "unit": said.unit})


def _of(model: type[A], args: Arguments) -> A:
    if not isinstance(args, model):
        raise CommandRefused("bad_arguments")
    return args
