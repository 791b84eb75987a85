"""The operations against real links: a device that obeys, refuses, is silent, or is not there."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.api import NoAnswer
from drivers.cameras.checks import Finding
from edge.cameras.taken import Taken
from edge.commands.deeds import Parts, deeds
from edge.commands.outcomes import CommandEnded, Result
from edge.devices.hub import DeviceHub
from edge.devices.live import LinkState
from edge.errors import JournalFull, PictureFailed
from edge.settings import DeviceSettings, read
from edge.supervisor import keep_running
from sync_protocol.entries import Encoded, Entry
from sync_protocol.ids import EntryId, RunId
from sync_protocol.ops import OPS, arguments
from tests.unit.edge_commands.conftest import SECOND, TurnClock, until
from tests.unit.edge_commands.test_configure import NEW, OLD

RUN = RunId("ab" * 16)


class Scale:
    """An MT-SICS scale on a TCP port: weighs 1 kg, and says to Z and T what the test wants."""

    def __init__(self) -> None:
        self.says: dict[str, str | None] = {"Z": "Z A", "T": "T S      1.000 kg", "I4": 'I4 A "123"'}
        self.asked: list[str] = []
        self.opened = 0
        self.thinks_s = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        try:
            while line := (await reader.readline()).decode().strip():
                self.asked.append(line)
                answer = self.says.get(line, "S S      1.000 kg" if line == "SI" else None)
                if answer == "hang up":
                    return
                await asyncio.sleep(self.thinks_s if line == "SI" else 0)
                if answer is not None:
                    writer.write(f"{answer}\r\n".encode())
        except OSError:
            pass  # the box aborts what it no longer wants
        finally:
            writer.transport.abort()


class Nowhere:
    """A journal of which nobody reads."""

    async def append(self, _entry: Entry | Encoded) -> EntryId:
        return EntryId(RUN, 0)


@pytest.fixture
async def scale() -> AsyncIterator[Scale]:
    made = Scale()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    yield made
    server.close()


class Calls:
    def __init__(self, hub: DeviceHub, config: Path, clock: TurnClock) -> None:
        self.clock = clock
        self.made: list[object] = []
        self.parts = Parts(
            devices=hub,
            settings=read(config),
            config=config,
            pull_mirror=lambda: self.made.append("pull"),
            fresh_run=self.fresh_run,
            show_yourself=self.made.append,
        )

    def up(self) -> bool:
        return self.parts.devices.live("scale-1").link is LinkState.UP  # type: ignore[attr-defined]

    async def fresh_run(self) -> RunId:
        return RUN

    async def do(self, op: str, **args: Any) -> Result:
        try:
            return await deeds(self.parts)[op](arguments(op, args))
        except CommandEnded as exc:
            return exc.result()


@pytest.fixture
async def box(scale: Any, tmp_path: Path) -> AsyncIterator[Calls]:
    config = tmp_path / "config.toml"
    config.write_text(OLD)
    transport = {"kind": "tcp", "host": "127.0.0.1", "port": scale.port}
    settings = [
        DeviceSettings(id="scale-1", driver="mt-sics", transport=transport),
        DeviceSettings(id="reader-1", driver="serial-scanner", transport=transport | {"port": 1}),
    ]
    clock = TurnClock()
    hub = DeviceHub(settings, journal=Nowhere(), clock=clock)
    task = asyncio.create_task(keep_running("scale-1", hub.links["scale-1"].run))
    await until(lambda: hub.live("scale-1").link is LinkState.UP)
    yield Calls(hub, config, clock)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_every_operation_has_a_deed(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(OLD)
    clock = TurnClock()
    hub = DeviceHub([], journal=Nowhere(), clock=clock)
    assert deeds(Calls(hub, tmp_path / "config.toml", clock).parts).keys() == OPS.keys()


async def test_zero_and_tare_say_what_the_scale_said(box: Calls) -> None:
    assert await box.do("zero", device="scale-1") == Result("done")
    assert await box.do("tare", device="scale-1") == Result("done", data={"value": "1.000", "unit": "kg"})


async def test_refusal_of_the_scale_is_a_refusal_with_its_word(box: Calls, scale: Scale) -> None:
    scale.says |= {"Z": "Z +", "T": "T I"}
    zero, tare = await box.do("zero", device="scale-1"), await box.do("tare", device="scale-1")
    assert (zero.outcome, zero.detail, tare.outcome, tare.detail) == ("refused", "Z +", "refused", "T I")


async def test_refused_weight_before_the_command_is_not_its_answer(box: Calls, scale: Scale) -> None:
    scale.says["SI"], scale.thinks_s = "S I", 0.09
    scale.asked.clear()
    box.clock.ns += SECOND
    # The scale is thinking about a weight when the command is given.
    await until(lambda: scale.asked)
    assert await box.do("zero", device="scale-1") == Result("done")


async def test_scale_that_is_lost_or_silent_is_a_failure(box: Calls, scale: Scale, monkeypatch: Any) -> None:
    scale.says["Z"] = "hang up"
    assert (await box.do("zero", device="scale-1")).detail == "lost"
    link = box.parts.devices.links["scale-1"]  # type: ignore[attr-defined]
    await until(lambda: link._open)
    scale.says["Z"] = None
    with pytest.raises(NoAnswer):
        await link.ask("zero", ask_s=0.05)


@pytest.mark.parametrize(
    ("op", "device", "outcome", "detail"),
    [
        ("zero", "scale-9", "refused", "no_device"),
        ("zero", "reader-1", "refused", "no_such_command"),
        ("restart_device", "scale-9", "refused", "no_device"),
        ("restart_device", "reader-1", "failed", "lost"),
        ("take_picture", "scale-9", "refused", "no_device"),
        ("take_picture", "scale-1", "refused", "no_camera"),
    ],
)
async def test_device_that_cannot_is_told_apart(box: Calls, op: str, device: str, outcome: str, detail: str) -> None:
    result = await box.do(op, device=device)
    assert (result.outcome, result.detail) == (outcome, detail)


class Eye:
    """A camera that gives what the test wants."""

    def __init__(self, outcome: Taken | Exception) -> None:
        self.outcome = outcome

    def cameras(self) -> tuple[str, ...]:
        return ("dock",)

    async def take(self, camera: str) -> Taken:
        assert camera == "dock"
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


TAKEN = Taken("dock", "ab" * 32, "image/jpeg", 50_000, 1280, 960, (Finding("blurred", "12.0", "60"),), ())


async def test_picture_is_told_by_its_hash_size_and_findings(box: Calls) -> None:
    box.parts = replace(box.parts, cameras=Eye(TAKEN))
    told = {"sha256": "ab" * 32, "media": "image/jpeg", "size": 50_000, "width": 1280, "height": 960, "findings": ["blurred"]}
    assert await box.do("take_picture", device="dock") == Result("done", data=told)
    for device, detail in (("scale-1", "no_camera"), ("scale-9", "no_device")):
        result = await box.do("take_picture", device=device)
        assert (result.outcome, result.detail) == ("refused", detail)


@pytest.mark.parametrize(
    ("fault", "outcome", "detail"),
    [
        (PictureFailed("lost", "unplugged"), "failed", "lost"),
        (PictureFailed("no_answer"), "failed", "no_answer"),
        (PictureFailed("no_picture"), "failed", "no_picture"),
        (PictureFailed("refused", "sign-in refused", word="401"), "refused", "401"),
        (JournalFull("full"), "failed", "journal"),
    ],
)
async def test_picture_that_is_not_taken_says_why(box: Calls, fault: Exception, outcome: str, detail: str) -> None:
    box.parts = replace(box.parts, cameras=Eye(fault))
    result = await box.do("take_picture", device="dock")
    assert (result.outcome, result.detail) == (outcome, detail)


async def test_restarted_device_is_opened_anew(box: Calls, scale: Scale) -> None:
    assert scale.opened == 1
    assert await box.do("restart_device", device="scale-1") == Result("done")
    await until(lambda: scale.opened == 2 and box.up())
    assert await box.do("zero", device="scale-1") == Result("done")


async def test_configuration_says_when_it_holds_and_refuses_with_the_validators_words(box: Calls) -> None:
    assert await box.do("configure", toml=NEW) == Result("done", "at_next_start")
    refused = await box.do("configure", toml=NEW.replace("station =", "sation ="))
    assert (refused.outcome, refused.detail) == ("refused", "bad_configuration")
    assert "station" in refused.data["reason"]


async def test_the_rest_is_handed_on(box: Calls) -> None:
    assert await box.do("pull_mirror") == Result("done")
    assert await box.do("identify", seconds=5) == Result("done")
    assert await box.do("fresh_run") == Result("done", data={"run": RUN})
    assert box.made == ["pull", 5]
