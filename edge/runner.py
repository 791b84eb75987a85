"""The box put together: what runs, in which order it starts, and what ends it."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from drivers.cameras.api import Surroundings as CameraSurroundings
from edge.anchoring import Anchoring
from edge.cameras.book import BookParts, CameraBook
from edge.cameras.weights import WeightPictures
from edge.clock import BoxClock
from edge.clock_watch import ClockWatch
from edge.commands.executor import Executor
from edge.devices.hotplug import HotPlug
from edge.devices.hub import DeviceHub
from edge.disk.levels import Level
from edge.errands import Files, Place, orders
from edge.health.care import About, Care, before_the_journal
from edge.jobs.desk import DeskSeams, JobDesk
from edge.jobs.news import Sound
from edge.jobs.routing import Routing
from edge.journal.service import Journal
from edge.journal.store import FILE
from edge.kiosk.app import create_kiosk
from edge.kiosk.beacon import Beacon
from edge.kiosk.deps import LOOPBACK, KioskDeps, KioskSettings
from edge.kiosk.shots import Shots
from edge.kiosk.status import SyncStatus
from edge.kiosk.store import KioskStore
from edge.mirror.pull import Mirror
from edge.mirror.store import MirrorStore
from edge.settings import BoxSettings
from edge.supervisor import keep_running
from edge.uplink.events import Hearers
from edge.uplink.frames import Credentials
from edge.uplink.uplink import Surroundings, Uplink
from edge.web_server import listen, serve

log = structlog.get_logger()

JOURNAL = FILE
MIRROR = "mirror.db"
KIOSK = "kiosk.db"


@dataclass(frozen=True, slots=True)
class Belongings:
    """What a box is given from outside: who it is, its clocks, its randomness. Without `tls` it works alone."""

    who: Credentials | None
    tls: ssl.SSLContext | None
    clock: BoxClock
    entropy: Callable[[int], bytes]
    firmware: str
    certificate_until: date | None = None
    config: Path | None = None
    """The file that the settings came from: a new one from the cloud is laid beside it."""


async def run_box(settings: BoxSettings, given: Belongings, *, announce: Callable[[str], None]) -> None:
    """Run until cancelled; `announce` gets the kiosk's address once it is served.

    Raises SettingsFault or JournalFault when it cannot start, JournalBroken (in a group) when a commit failed: the process must
    then be started again, so that it opens the journal anew.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with AsyncExitStack() as stack:
        path = settings.data_dir / JOURNAL
        before_the_journal(settings)
        hubs: list[DeviceHub | CameraBook] = []
        opening = Journal.open(
            path,
            clock=given.clock,
            firmware=given.firmware,
            entropy=given.entropy,
            preamble=lambda: [entry for hub in hubs for entry in hub.descriptions()],
        )
        journal = await stack.enter_async_context(opening)
        uplink: Uplink | None = None
        if settings.cloud is not None and given.tls is not None and given.who is not None:
            uplink = Uplink(settings.cloud, given.who, Surroundings(given.clock, given.entropy, given.tls))
            stack.push_async_callback(uplink.aclose)
        files = Files(settings)
        desks: list[JobDesk] = []
        about = About(
            box=given.who.box if given.who else None,
            firmware=given.firmware,
            certificate_until=given.certificate_until,
            open_jobs=lambda: [held.job.id for desk in desks for held in desk.open_jobs],
            sender=lambda: uplink.sender if uplink is not None else None,
            level_changed=lambda level: _tell_level(desks, level),
            blobs_waiting=files.waiting,
            frees=(files.free,),
        )
        care = Care(settings, path, journal, given.clock, about)
        hub = DeviceHub(settings.devices, journal=care.door, clock=given.clock, captures=care.door.captures)
        await hub.introduce()
        cameras = await _cameras(settings, given, care, files, hub)
        stack.push_async_callback(cameras.aclose)
        # The run that is being written has the descriptions; those behind it begin with them.
        hubs += [hub, cameras]
        mirror = await Mirror.load(await stack.enter_async_context(MirrorStore.open(settings.data_dir / MIRROR)))
        store = await KioskStore.open(settings.data_dir / KIOSK)
        stack.push_async_callback(store.close)
        seams = DeskSeams(
            care.door,
            hub,
            lambda: mirror.view,
            given.clock,
            given.entropy,
            store,
            numbers=store,
            box=given.who.box if given.who else None,
        )
        desk = JobDesk(seams, station=settings.station, scale=settings.kiosk.scale, zone=ZoneInfo(settings.zone))
        await desk.start()
        desks.append(desk)
        box = _Box(settings, given, journal, hub, mirror, uplink, desk, care, files, cameras)
        await box.run(store, announce)


async def _cameras(settings: BoxSettings, given: Belongings, care: Care, files: Files, hub: DeviceHub) -> CameraBook:
    keep = partial(files.keep_photo, care.door.append, given.clock)
    surroundings = CameraSurroundings(given.clock.wall_ns, given.entropy)
    cameras = CameraBook(settings.cameras, BookParts(care.door, keep, given.clock, hub.publish, surroundings))
    await cameras.introduce()
    return cameras


def _tell_level(desks: list[JobDesk], level: Level) -> None:
    for desk in desks:
        if level is Level.FULL:
            desk.tell(Sound.REJECTED, "refused.full")
        desk.news.changed()


@dataclass(slots=True)
class _Box:
    settings: BoxSettings
    given: Belongings
    journal: Journal
    hub: DeviceHub
    mirror: Mirror
    uplink: Uplink | None
    desk: JobDesk
    care: Care
    files: Files
    cameras: CameraBook

    async def run(self, store: KioskStore, announce: Callable[[str], None]) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_journal())
            self.care.start(tasks)
            for name, link in self.hub.links.items():
                tasks.create_task(keep_running(name, link.run))
            tasks.create_task(keep_running("hotplug", HotPlug(self.hub.appeared).run))
            anchoring = Anchoring(self.journal.append)
            watch = ClockWatch(self.journal.append, self.given.clock, anchoring)
            tasks.create_task(keep_running("clock", watch.run))
            tasks.create_task(keep_running("scans", lambda: self.desk.listen_to_scans(Routing(self.desk))))
            tasks.create_task(keep_running("salvage", partial(self.files.take_salvage, self.journal, self.given.clock)))
            self._watch_weights(tasks)
            asked = self._orders(tasks)
            if self.uplink is not None:
                self.files.start(tasks, self.journal, self.uplink)
                hearers = Hearers(changed=self.uplink.mirror_pauses.wake, orders=asked)
                self.uplink.start(tasks, self.journal, anchoring, hearers)
                tasks.create_task(keep_running("mirror", partial(self._keep_mirror, self.uplink)))
            await self._kiosk(store, announce)

    def _orders(self, tasks: asyncio.TaskGroup) -> Executor:
        beacon = Beacon(self.desk.news, self.given.clock, self.given.who.box if self.given.who else self.settings.station)
        tasks.create_task(keep_running("beacon", beacon.run))
        place = Place(self.settings, self.given.config, self.given.clock, beacon.show)
        executor = orders(place, self.journal, self.hub, self.uplink, self.cameras)
        tasks.create_task(keep_running("commands", executor.run))
        return executor

    def _shots(self) -> Shots | None:
        camera = next((one for one in self.settings.cameras if one.id == self.settings.kiosk.camera), None)
        if camera is None:
            return None
        return Shots(self.cameras, camera.id, self.files.store.root, scans=camera.codes == "readings")

    def _watch_weights(self, tasks: asyncio.TaskGroup) -> None:
        wanted = self.settings.kiosk
        if wanted.camera_at_weight and wanted.scale is not None and wanted.camera is not None:
            journal, clock = self.care.door, self.given.clock
            watch = WeightPictures(self.hub, self.cameras, journal, clock, scale=wanted.scale, camera=wanted.camera)
            tasks.create_task(keep_running("weight_pictures", watch.run))

    async def _watch_journal(self) -> None:
        raise await self.journal.broken

    async def _keep_mirror(self, uplink: Uplink) -> None:
        async def changed() -> None:
            self.desk.news.changed()

        await self.mirror.keep(
            uplink.https,
            self.settings.station,
            every_s=uplink.mirror_every_s,
            backoff=uplink.backoff(),
            changed=changed,
            sleep=uplink.mirror_pauses.sleep,
        )

    def _status(self) -> SyncStatus:
        who, sender = self.given.who, self.uplink.sender if self.uplink else None
        box = who.box if who else None
        if sender is None:
            return SyncStatus(link_up=False, since_ns=None, waiting=self.journal.tip, oldest_waiting_s=None, box_id=box)
        facts = sender.facts
        oldest_ns = facts.oldest_waiting_ns
        oldest_s = None if oldest_ns is None else (self.given.clock.now_ns() - oldest_ns) // 1_000_000_000
        since_ns = facts.changed_ns or None
        return SyncStatus(
            link_up=facts.up,
            since_ns=since_ns,
            waiting=sender.waiting(),
            oldest_waiting_s=oldest_s,
            box_id=box,
            alarm=facts.alarm,
            hold=facts.hold,
        )

    async def _kiosk(self, store: KioskStore, announce: Callable[[str], None]) -> None:
        wanted = self.settings.kiosk
        kiosk = create_kiosk(
            KioskDeps(
                desk=self.desk,
                hub=self.hub,
                masters=lambda: self.mirror.view,
                sync_status=self._status,
                clock=self.given.clock,
                store=store,
                settings=KioskSettings(
                    station=self.settings.station,
                    px_per_mm=wanted.px_per_mm,
                    locale=wanted.locale,
                    scale=wanted.scale,
                    scanner=wanted.scanner,
                    hosts=LOOPBACK | set(wanted.hosts),
                ),
                browser_libs=self.settings.browser_libs,
                entropy=self.given.entropy,
                health=self.care.health,
                photos=partial(self.files.keep_photo, self.care.door.append, self.given.clock),
                shots=self._shots(),
                level=self.care.level,
            )
        )
        sock = listen(wanted.host, wanted.port)
        host, port = sock.getsockname()[:2]
        log.info("kiosk_served", host=host, port=port)
        announce(f"http://{host}:{port}")
        await serve(kiosk, sock, stopping=kiosk.state.board.close)
