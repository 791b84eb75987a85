"""One history: boxes and a cloud in virtual time, troubled by a seed, then healed. What must hold is in `check`."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from structlog.testing import capture_logs

from edge.uplink import pace
from sync_protocol import outbox
from sync_protocol.errors import SignatureFault
from tests.simulation.box import KEY_ID, SimBox, sign
from tests.simulation.cloud import SimCloud
from tests.simulation.disk import Disk
from tests.simulation.network import Network, Trouble
from tests.simulation.virtual import run_virtually

TROUBLED = 14
"""Things that befall a history, besides what the network does all the time."""

EVERY_S = 9.0
"""Between two of them, on average."""

AFTER_S = 60.0
"""How long the boxes go on reading when all is healed."""

NIGHT_S = 5 * 3600.0
"""Longer than the boxes keep what is acked."""

HEARD_EVERY_S, HEARD_LOOKS = 0.003, 3000
"""How closely a box is watched that is to hear of a restored cloud, and for how long."""

CALM_S = 3600.0
"""Virtual time in which everything must come to rest once all is healed: many of the longest pauses."""


@dataclass
class History:
    """What happened, for `check` to judge."""

    seed: int
    random: Random
    network: Network
    boxes: list[SimBox]
    seen: Counter[str] = field(default_factory=Counter)
    images: list[bytes] = field(default_factory=list)
    """Of disks of `box0`, so that an image is put back where it came from."""
    destroyed: set[str] = field(default_factory=set)
    copied: set[str] = field(default_factory=set)
    story: list[str] = field(default_factory=list)
    """What befell it, in order."""
    came_to_rest: bool = False

    @property
    def cloud(self) -> SimCloud:
        return self.network.cloud


def verify(signature: bytes, message: bytes) -> None:
    if signature != sign(message):
        raise SignatureFault("not signed by a box of this simulation")


def play(seed: int) -> History:
    """The history of a seed: the same every time."""
    random = Random(seed)
    cloud = SimCloud(random, verify, KEY_ID)
    network = Network(cloud, random)
    history = History(seed, random, network, [], seen=network.seen)
    with capture_logs() as logs, _small_world(random):
        try:
            run_virtually(lambda: _live(history))
        finally:
            history.seen.update(entry["event"] for entry in logs)
            history.seen.update(cloud.verdicts)
    return history


@contextmanager
def _small_world(random: Random) -> Iterator[None]:
    """Small limits, so that what is rare with large ones is common."""
    places: tuple[tuple[Any, str, int], ...] = (
        (pace, "FIRST", random.choice((1, 2, 5))),
        (pace, "MAX_ENTRIES", random.choice((2, 5, 20))),
        (outbox, "LONG_BACKLOG", random.choice((3, 10, 40))),
    )
    before = [getattr(module, name) for module, name, _ in places]
    for module, name, value in places:
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name, _), value in zip(places, before, strict=True):
            setattr(module, name, value)


async def _live(history: History) -> None:
    for number in range(history.random.choice((1, 1, 2))):
        _new_box(history, f"box{number}", None)
    for _ in range(TROUBLED):
        await asyncio.sleep(history.random.expovariate(1 / EVERY_S))
        await _befall(history)
    await _heal(history)
    for box in history.boxes:
        await box.stop()


def _new_box(history: History, name: str, image: bytes | None, *, resume: bool = False) -> None:
    box = SimBox(name, Disk(image), history.network, history.random, history.seen)
    history.boxes.append(box)
    box.start(resume=resume)


async def _befall(history: History) -> None:
    history.network.trouble = Trouble.drawn(history.random)
    name = history.random.choice([*KINDS])
    box = history.random.choice(history.boxes)
    history.story.append(f"{asyncio.get_running_loop().time():8.1f} s  {name}, {box.name}")
    await KINDS[name](history, box)


async def _restart(history: History, box: SimBox) -> None:
    history.seen["power_lost"] += 1
    await box.stop()
    await asyncio.sleep(history.random.choice((0.0, 1.0, 40.0)))
    box.start()


async def _take_image(history: History, box: SimBox) -> None:
    history.seen["image_taken"] += 1
    history.images.append(history.boxes[0].disk.image())


async def _put_image(history: History, box: SimBox) -> None:
    box = history.boxes[0]
    if not history.images:
        return
    history.seen["image_restored"] += 1
    await box.stop()
    before = box.readings()
    box.disk.overwrite(history.random.choice(history.images))
    history.destroyed |= before - box.readings()
    box.start()


async def _clone(history: History, box: SimBox) -> None:
    if history.copied:
        return
    history.seen["disk_cloned"] += 1
    history.copied |= {box.name, "copy"}
    _new_box(history, "copy", box.disk.image())


async def _snapshot(history: History, box: SimBox) -> None:
    if history.copied:
        return
    history.seen["machine_copied"] += 1
    history.copied |= {box.name, "twin"}
    _new_box(history, "twin", box.disk.image(), resume=True)


async def _partition(history: History, box: SimBox) -> None:
    history.network.cut ^= {box.name}


async def _crash_cloud(history: History, box: SimBox) -> None:
    history.seen["cloud_killed"] += 1
    history.cloud.doomed = history.random.choice((0, 1, 2))


async def _back_up(history: History, box: SimBox) -> None:
    history.seen["cloud_backed_up"] += 1
    history.cloud.back_up()


async def _restore(history: History, box: SimBox) -> None:
    if history.cloud.backup is not None:
        history.seen["restored"] += 1
        history.cloud.restore()
        await _stop_who_hears_of_it(history, box)


async def _stop_who_hears_of_it(history: History, box: SimBox) -> None:
    """The plug is pulled as soon as the box knows of the restoration, when it has hardly asked about any run."""
    gen = str(history.cloud.tables.gen)
    for _ in range(history.random.choice((0, HEARD_LOOKS))):
        await asyncio.sleep(HEARD_EVERY_S)
        if box.journal is not None and box.is_on() and box.journal.known("gen") == gen:
            history.seen["stopped_on_hearing"] += 1
            await box.restart()
            return


async def _disk_full(history: History, box: SimBox) -> None:
    history.seen["disk_full"] += 1
    box.disk.faults = ["database or disk is full"] * history.random.choice((1, 3, 10))


async def _disk_fails(history: History, box: SimBox) -> None:
    history.seen["disk_failed"] += 1
    box.disk.faults = ["disk I/O error"] * history.random.choice((1, 2, 3, 12))


async def _step_clock(history: History, box: SimBox) -> None:
    history.seen["clock_stepped"] += 1
    box.clock.wall_off_ns += history.random.choice((-1, 1)) * history.random.choice((10**9, 10**13, 10**18))


async def _busy(history: History, box: SimBox) -> None:
    history.seen["slow_down"] += 1
    history.cloud.busy = not history.cloud.busy


async def _bar(history: History, box: SimBox) -> None:
    history.seen["barred"] += 1
    history.cloud.barred = None if history.cloud.barred else history.random.choice(("suspended", "revoked"))


async def _night(history: History, box: SimBox) -> None:
    """Hours pass in which nothing is read; no backup is kept that is older than what the boxes keep."""
    history.seen["night"] += 1
    history.cloud.back_up()
    for each in history.boxes:
        each.clock.booted_s -= NIGHT_S
    history.images.clear()


KINDS: dict[str, Callable[[History, SimBox], Coroutine[Any, Any, None]]] = {
    "restart": _restart,
    "image": _take_image,
    "put image": _put_image,
    "clone": _clone,
    "snapshot": _snapshot,
    "partition": _partition,
    "crash": _crash_cloud,
    "back up": _back_up,
    "restore": _restore,
    "full": _disk_full,
    "fails": _disk_fails,
    "clock": _step_clock,
    "busy": _busy,
    "bar": _bar,
    "night": _night,
}


async def _heal(history: History) -> None:
    """Nothing fails any more; every box takes one more reading, as boxes do, and so hears of a restored cloud."""
    history.network.trouble = Trouble()
    history.network.cut.clear()
    history.cloud.busy, history.cloud.barred = False, None
    for box in history.boxes:
        box.disk.faults.clear()
    await asyncio.sleep(AFTER_S)
    for box in history.boxes:
        box.quiet = True
    loop = asyncio.get_running_loop()
    end = loop.time() + CALM_S
    while loop.time() < end and not history.came_to_rest:
        await asyncio.sleep(5.0)
        history.came_to_rest = not history.network.strays and all(map(_rests, history.boxes))


def _rests(box: SimBox) -> bool:
    if box.sender is None or box.journal is None or box.writer is None or not box.is_on():
        return False
    box.sender._look_at_journal()
    return outbox.next_send(box.sender._outbox) is None and not box.writer.pending()
