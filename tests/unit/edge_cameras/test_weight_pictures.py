"""A picture for every booked weight, beside the work; a note where there is none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from drivers.api import Flag, Kind, Reading
from edge.cameras.weights import WeightPictures
from edge.devices.hub import DeviceHub
from edge.devices.live import Captured
from sync_protocol.entries import BlobEntry, NoteEntry
from sync_protocol.ids import EntryId
from tests.unit.edge_cameras.conftest import RUN, Cameras
from tests.unit.edge_commands.conftest import until

WEIGHT = Reading(Kind.MASS, Decimal("12.340"), "kg", frozenset({Flag.STABLE}), b"")
CODE = Reading(Kind.CODE, "7290000000015", None, frozenset(), b"")


@asynccontextmanager
async def watched(cameras: Cameras, **settings: object) -> AsyncIterator[DeviceHub]:
    hub = DeviceHub([], journal=cameras.pages, clock=cameras.clock)
    book = cameras.another(**settings)
    watch = WeightPictures(hub, book, cameras.pages, cameras.clock, scale="scale-1", camera="dock")
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    yield hub
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await book.aclose()


async def told(cameras: Cameras, kind: type, number: int) -> None:
    await until(lambda: len(cameras.pages.of(kind)) >= number)


async def test_booked_weight_gets_a_picture_that_names_it(cameras: Cameras) -> None:
    entry = EntryId(RUN, 7)
    async with watched(cameras) as hub:
        hub.publish(Captured("scale-2", EntryId(RUN, 5), WEIGHT))
        hub.publish(Captured("scale-1", EntryId(RUN, 6), CODE))
        hub.publish(Captured("scale-1", entry, WEIGHT))
        await told(cameras, BlobEntry, 1)
    [blob] = cameras.pages.of(BlobEntry)
    assert (blob.about["reading"], blob.about["scale"], blob.about["device"]) == (str(entry), "scale-1", "dock")


@pytest.mark.parametrize(("trouble", "code"), [("cut", "lost"), ("silent", "no_answer"), ("garbage", "no_picture")])
async def test_weight_without_a_picture_has_a_note(cameras: Cameras, trouble: str, code: str) -> None:
    await cameras.device.press(trouble)
    async with watched(cameras, timeout_s=0.3) as hub:
        hub.publish(Captured("scale-1", EntryId(RUN, 7), WEIGHT))
        await told(cameras, NoteEntry, 2)
    lost, missed = cameras.pages.of(NoteEntry)
    assert (lost.name, missed.name) == ("camera_lost", "picture_missed")
    assert missed.data == {"reading": str(EntryId(RUN, 7)), "code": code}


async def test_weight_that_comes_while_a_picture_is_taken_gets_none_of_a_later_moment(cameras: Cameras) -> None:
    await cameras.device.press("silent")
    async with watched(cameras, timeout_s=0.5) as hub:
        hub.publish(Captured("scale-1", EntryId(RUN, 7), WEIGHT))
        hub.publish(Captured("scale-1", EntryId(RUN, 8), WEIGHT))
        await told(cameras, NoteEntry, 3)
        missed = [note.data for note in cameras.pages.of(NoteEntry) if note.name == "picture_missed"]
        assert [(one["reading"], one["code"]) for one in missed] == [
            (str(EntryId(RUN, 8)), "busy"),
            (str(EntryId(RUN, 7)), "no_answer"),
        ]
        await cameras.device.press("well")
        hub.publish(Captured("scale-1", EntryId(RUN, 9), WEIGHT))
        await told(cameras, BlobEntry, 1)


async def test_full_journal_does_not_end_the_watch(cameras: Cameras) -> None:
    async with watched(cameras) as hub:
        cameras.pages.full = True
        hub.publish(Captured("scale-1", EntryId(RUN, 7), WEIGHT))
        await until(lambda: cameras.device.device.state(0)["taken"] == 1)
        await asyncio.sleep(0.2)
        cameras.pages.full = False
        hub.publish(Captured("scale-1", EntryId(RUN, 8), WEIGHT))
        await told(cameras, BlobEntry, 1)
