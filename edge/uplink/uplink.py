"""The box's side of the cloud put together: its ways, who sends on them, and who listens."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from edge.anchoring import Anchoring
from edge.clock import Clock
from edge.journal.service import Journal
from edge.settings import CloudSettings
from edge.supervisor import keep_running
from edge.uplink.backoff import Backoff
from edge.uplink.binding import Binding
from edge.uplink.cloud import Cloud
from edge.uplink.events import Hearers, Listener, Pauses
from edge.uplink.frames import Credentials
from edge.uplink.mqtt import MqttCloud
from edge.uplink.mqtt_link import Address
from edge.uplink.sender import Sender
from edge.uplink.ways import Ways


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an uplink is given: the box's clock, its randomness and its certificate."""

    clock: Clock
    entropy: Callable[[int], bytes]
    tls: ssl.SSLContext


class Uplink:
    """`https` is also the way of master data and files; `ways` that of frames and of what the cloud says by itself."""

    def __init__(self, settings: CloudSettings, who: Credentials, around: Surroundings) -> None:
        self._settings = settings
        self._who = who
        self._around = around
        self.https = Cloud.at(settings.url, around.tls)
        ways: list[Binding] = [self.https]
        if settings.mqtt is not None:
            where = Address(settings.mqtt.host, settings.mqtt.port)
            ways.append(MqttCloud(where, around.tls, who.box, around.entropy))
        self.ways = Ways(sorted(ways, key=lambda way: way.name != settings.prefer), around.clock)
        self.mirror_pauses = Pauses()
        self.sender: Sender | None = None
        self.listener: Listener | None = None

    def mirror_every_s(self) -> float:
        """How often the mirror is pulled now."""
        heard = self.listener is not None and self.listener.up
        return self._settings.mirror_heard_every_s if heard else self._settings.mirror_every_s

    def backoff(self) -> Backoff:
        """Pauses for one task after failures."""
        return Backoff(self._settings.retry_cap_s, lambda: int.from_bytes(self._around.entropy(4), "big") / 2**32)

    def start(self, tasks: asyncio.TaskGroup, journal: Journal, anchoring: Anchoring, hearers: Hearers) -> None:
        """Begin to send and to listen."""
        clock = self._around.clock
        self.sender = Sender(journal, self.ways, self._who, clock=clock, backoff=self.backoff(), anchoring=anchoring)
        self.listener = Listener(self.ways, hearers, clock=clock, backoff=self.backoff())
        tasks.create_task(keep_running("uplink", self.sender.run))
        tasks.create_task(keep_running("events", self.listener.run))
        tasks.create_task(keep_running("ways", self.ways.keep_probing))

    async def aclose(self) -> None:
        """End every connection."""
        await self.ways.aclose()
