"""A real Mosquitto with the configuration that `tallybox provision broker` writes, on a free port of the loopback address.

`with mosquitto(authority, now) as broker:` skips by name where there is no Mosquitto. Boxes are whoever the same authority
enrolled; `broker.worker("ingest")` are the files of the core's own client.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from provisioning.broker import ClientFiles, Listening, write_broker
from provisioning.ca import Authority
from provisioning.tls import client_ssl_context
from sync_protocol import routes

START_S = 20.0


@dataclass
class Broker:
    """A broker of the test; `kill` is a power cut for it, `start` brings it back on the same port."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None
    host: str = "127.0.0.1"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def worker(self, name: str) -> ClientFiles:
        """Certificate, key and root of one of the core's workers."""
        return ClientFiles.within(self.folder / "workers" / name)

    def start(self) -> None:
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [_program(), "-c", self.folder / "mosquitto.conf"],
                stdout=log,
                stderr=log,
                user=_unprivileged(),
                cwd=self.folder,
            )
        deadline = time.monotonic() + START_S
        while True:
            assert self.process.poll() is None, self.log
            try:
                socket.create_connection((self.host, self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline, self.log
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """SIGKILL: nothing is said to anyone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)


class Worker:
    """Takes messages from the broker as the core's workers do, in a thread of its own. `answer` is asked with the box and its
    message, None being silence; `gone` are the wills that were heard."""

    def __init__(self, broker: Broker, answer: Callable[[str, bytes], bytes | None], name: str = "ingest") -> None:
        self.answer = answer
        self.taken: list[tuple[str, str, bytes]] = []
        """Topic, content type, content."""
        self.gone: list[str] = []
        files = broker.worker(name)
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
        self.client.reconnect_delay_set(1, 1)
        self.client.tls_set_context(client_ssl_context(ca=files.ca, certificate=files.certificate, key=files.key))
        self.client.on_connect = self._connected
        self.client.on_message = self._message
        self.client.on_socket_open = lambda _client, _data, sock: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client.connect(broker.host, broker.port, clean_start=True)
        self.client.loop_start()

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def say(self, topic: str, payload: bytes) -> None:
        self.client.publish(topic, payload, qos=1)

    def _connected(self, client: Any, *_more: Any) -> None:
        client.subscribe([(routes.SHARED_UP, SubscribeOptions(qos=1)), (routes.topic_will("+"), SubscribeOptions(qos=1))])

    def _message(self, client: Any, _data: Any, message: Any) -> None:
        if message.topic.endswith("/will"):
            self.gone.append(message.topic)
            return
        self.taken.append((message.topic, message.properties.ContentType, message.payload))
        answer = self.answer(message.topic.split("/")[1], message.payload)
        if answer is not None:
            properties = Properties(PacketTypes.PUBLISH)
            properties.CorrelationData = message.properties.CorrelationData
            client.publish(message.properties.ResponseTopic, answer, qos=1, properties=properties)


@contextmanager
def mosquitto(authority: Authority, now: datetime, *, workers: Sequence[str] = ("ingest",)) -> Iterator[Broker]:
    """A running broker that trusts `authority`; gone with its folder at the end."""
    if not Path(_program()).exists():
        pytest.skip("Mosquitto is not installed")
    folder = Path(tempfile.mkdtemp(prefix="tallybox-broker-"))
    port = _free_port()
    listening = Listening(host="127.0.0.1", port=port, user=_unprivileged())
    write_broker(folder, authority, names=["127.0.0.1", "localhost"], workers=workers, now=now, listening=listening)
    _give_away(folder)
    broker = Broker(folder, port)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _program() -> str:
    return shutil.which("mosquitto") or "/usr/sbin/mosquitto"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _unprivileged() -> str | None:
    """A broker that anyone may knock at does not run as root, in tests neither."""
    if os.geteuid() != 0:
        return None
    return next((one.pw_name for one in pwd.getpwall() if one.pw_name in {"nobody", "daemon"}), None)


def _give_away(folder: Path) -> None:
    user = _unprivileged()
    if user is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, pwd.getpwnam(user).pw_uid, -1)
