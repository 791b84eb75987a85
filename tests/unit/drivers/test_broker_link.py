"""Devices behind a real Mosquitto: topics, messages that it kept, one connection for several devices, and its loss."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish

from drivers.api import LinkLost, SettingsFault, Transport
from drivers.envelope import Message
from drivers.mqtt.topics import topic_of
from drivers.transports import Shared, make_transport
from provisioning.ca import init_authority
from provisioning.enroll import enroll_server
from provisioning.keys import certificate_pem
from tests.brokers import Broker
from tests.open_brokers import broker_folder, open_broker

DEADLINE_S = 20.0


@pytest.fixture
def broker() -> Iterator[Broker]:
    with open_broker() as running:
        yield running


def link(broker: Broker, *topics: str, shared: Shared | None = None, **more: Any) -> Transport:
    return make_transport("mqtt", {"host": "127.0.0.1", "port": broker.port, "topics": topics} | more, shared)


@asynccontextmanager
async def opened(transport: Transport) -> AsyncIterator[Transport]:
    await transport.open()
    try:
        yield transport
    finally:
        await transport.close()


async def say(broker: Broker, topic: str, payload: bytes, **more: Any) -> None:
    async with opened(link(broker, "nothing/of/ours", **more)) as publisher:
        await publisher.write(Message(topic, payload).to_bytes())
        # The broker answers in order: once this came back, everything before has been delivered.
        await publisher.close()


async def heard(transport: Transport) -> Message:
    async with asyncio.timeout(DEADLINE_S):
        return Message.from_bytes(await transport.read())


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not fact():  # noqa: ASYNC110 - nothing wakes whoever waits for a connection's end
            await asyncio.sleep(0.01)


async def test_messages_come_with_their_topic_and_only_those_that_are_asked_for(broker: Broker) -> None:
    async with opened(link(broker, "scales/+/weight", "lab/#")) as transport:
        await say(broker, "other/7/weight", b"no")
        await say(broker, "scales/7/weight", b'{"value": 1.50}')
        await say(broker, "lab/a/b/c", b"\x00\xff")
        assert await heard(transport) == Message("scales/7/weight", b'{"value": 1.50}')
        assert await heard(transport) == Message("lab/a/b/c", b"\x00\xff")


async def test_what_the_broker_kept_is_marked(broker: Broker) -> None:
    await asyncio.to_thread(publish.single, "a/b", b"old", qos=1, retain=True, hostname="127.0.0.1", port=broker.port)
    async with opened(link(broker, "a/#")) as transport:
        old = await heard(transport)
        assert (topic_of(old.origin), old.payload) == (("a/b", True), b"old")
        await say(broker, "a/b", b"new")
        new = await heard(transport)
        assert (topic_of(new.origin), new.payload) == (("a/b", False), b"new")


async def test_devices_share_a_connection_and_hear_each_message_once(broker: Broker) -> None:
    shared = Shared()
    links = [link(broker, *topics, shared=shared) for topics in (("a/#",), ("a/b", "a/+"), ("a/b",), ("c",))]
    for one in links:
        await one.open()
    try:
        assert len(shared._held) == 1
        await say(broker, "a/b", b"1")
        await say(broker, "a/x", b"2")
        await say(broker, "c", b"3")
        assert [(await heard(links[0])).payload, (await heard(links[0])).payload] == [b"1", b"2"]
        assert [(await heard(links[1])).payload, (await heard(links[1])).payload] == [b"1", b"2"]
        assert (await heard(links[2])).payload == b"1"
        assert (await heard(links[3])).payload == b"3"
        await links[0].close()
        await say(broker, "a/b", b"4")
        await say(broker, "c", b"5")
        assert (await heard(links[3])).payload == b"5"
        assert [(await heard(one)).payload for one in links[1:3]] == [b"4", b"4"]
        with pytest.raises(LinkLost):
            await links[0].read()
    finally:
        for one in links:
            await one.close()
    assert not shared._held


async def test_a_broker_that_dies_is_a_lost_link_for_all_and_comes_back(broker: Broker) -> None:
    shared = Shared()
    links = [link(broker, "a", shared=shared), link(broker, "b", shared=shared)]
    for one in links:
        await one.open()
    reading = [asyncio.create_task(one.read()) for one in links]
    broker.kill()
    for task in reading:
        with pytest.raises(LinkLost):
            async with asyncio.timeout(DEADLINE_S):
                await task
    for one in links:
        await one.close()
    with pytest.raises(LinkLost, match=r"127\.0\.0\.1"):
        await links[0].open()
    broker.start()
    deadline = time.monotonic() + DEADLINE_S
    while True:
        with suppress(LinkLost):
            await links[0].open()
            break
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    async with opened(links[1]):
        await say(broker, "b", b"again")
        assert (await heard(links[1])).payload == b"again"
    await links[0].close()
    assert not shared._held


async def test_who_comes_back_first_does_not_wait_for_the_others_to_give_up(broker: Broker) -> None:
    shared = Shared()
    first, second = link(broker, "a", shared=shared), link(broker, "b", shared=shared)
    await first.open()
    await second.open()
    broker.kill()
    with pytest.raises(LinkLost):
        async with asyncio.timeout(DEADLINE_S):
            await first.read()
    await first.close()
    broker.start()
    async with opened(first):
        await say(broker, "a", b"fresh")
        assert (await heard(first)).payload == b"fresh"
        await second.close()
    assert not shared._held


async def test_closing_wakes_who_reads_although_others_go_on(broker: Broker) -> None:
    shared = Shared()
    async with opened(link(broker, "a", shared=shared)), opened(link(broker, "b", shared=shared)) as one:
        task = asyncio.create_task(one.read())
        await asyncio.sleep(0)
        await one.close()
        with pytest.raises(LinkLost):
            async with asyncio.timeout(DEADLINE_S):
                await task


async def test_a_flood_that_nobody_reads_ends_the_link_instead_of_filling_the_memory(broker: Broker) -> None:
    async with opened(link(broker, "a")) as transport, opened(link(broker, "b")) as publisher:
        for _ in range(300):
            await publisher.write(Message("a", b"x" * 100).to_bytes())
        await until(transport._connection._is_over)
        for _ in range(256):
            await transport.read()
        with pytest.raises(LinkLost, match="more messages"):
            await transport.read()


async def test_a_password_is_needed_and_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed")
    with broker_folder() as folder:
        made = [tool, "-b", "-c", folder / "users", "box", "s3cret-word"]
        await asyncio.to_thread(subprocess.run, made, check=True, capture_output=True, timeout=20)
        with open_broker("allow_anonymous false", f"password_file {folder / 'users'}", folder=folder) as broker:
            await _let_in_and_kept_out(broker, monkeypatch, tmp_path)


async def _let_in_and_kept_out(broker: Broker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret-word\n")
    monkeypatch.setenv("TALLYBOX_SECRET_BROKER_WORD", "s3cret-word")
    for more in ({"password_file": str(tmp_path / "password")}, {"password_env": "BROKER_WORD"}):
        async with opened(link(broker, "a", user="box", **more)) as transport:
            await say(broker, "a", b"1", user="box", **more)
            assert (await heard(transport)).payload == b"1"
    (tmp_path / "password").write_text("wrong-word")
    for more in ({}, {"user": "box", "password_file": str(tmp_path / "password")}):
        with pytest.raises(LinkLost, match=r"(?i)not authori[sz]ed") as caught:
            await link(broker, "a", **more).open()
        assert "word" not in str(caught.value)
    for more in ({"password_file": str(tmp_path / "none")}, {"password_env": "NO_SUCH_NAME"}):
        with pytest.raises(LinkLost, match="no password for the broker"):
            await link(broker, "a", user="box", **more).open()


async def test_a_broker_has_to_prove_its_name_where_that_is_asked(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    authority = init_authority(tmp_path / "authority", name="Test root", now=now)
    foreign = init_authority(tmp_path / "foreign", name="Other root", now=now)
    (tmp_path / "ca.pem").write_bytes(certificate_pem(authority.certificate))
    (tmp_path / "other.pem").write_bytes(certificate_pem(foreign.certificate))
    with broker_folder() as folder:
        enroll_server(folder, authority, names=["127.0.0.1"], now=now)
        lines = [f"certfile {folder / 'server.crt'}", f"keyfile {folder / 'server.key'}", "allow_anonymous true"]
        with open_broker(*lines, folder=folder) as broker:
            secured = {"tls": True, "ca": str(tmp_path / "ca.pem")}
            async with opened(link(broker, "a", **secured)) as transport:
                await say(broker, "a", b"1" * 60_000, **secured)
                assert (await heard(transport)).payload == b"1" * 60_000
            for wrong in ({"tls": True, "ca": str(tmp_path / "other.pem")}, {"tls": True}, {"connect_timeout_s": 2}):
                with pytest.raises(LinkLost):
                    await link(broker, "a", **wrong).open()
            with pytest.raises(LinkLost, match="none"):
                await link(broker, "a", tls=True, ca=str(tmp_path / "none.pem")).open()


async def test_what_is_no_broker_is_a_lost_link() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read(1000)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        transport = make_transport("mqtt", {"host": "127.0.0.1", "port": port, "topics": ["a"], "connect_timeout_s": 2})
        with pytest.raises(LinkLost):
            await transport.open()
        await transport.close()


async def test_packet_that_claims_to_be_huge_is_not_waited_for() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"\x30\xff\xff\xff\x7f" + bytes(100))  # 256 MB (MQTT 5.0, 1.5.5)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        transport = make_transport("mqtt", {"host": "127.0.0.1", "port": port, "topics": ["a"], "connect_timeout_s": 2})
        with pytest.raises(LinkLost, match="cannot be read"):
            await transport.open()


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"topics": []}, "topics"),
        ({"topics": ["a/#/b"]}, "topics"),
        ({"topics": ["a+"]}, "topics"),
        ({"password_file": "x"}, None),
        ({"user": "u", "password_file": "x", "password_env": "y"}, None),
        ({"ca": "x"}, None),
        ({"password": "x"}, "password"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], setting: str | None) -> None:
    with pytest.raises(SettingsFault) as caught:
        make_transport("mqtt", {"host": "h", "topics": ["a"]} | settings)
    assert setting is None or str(caught.value.setting).startswith(setting)


@pytest.mark.parametrize("kind", ["a key", "a pipe", "much"])
async def test_file_that_holds_no_password_is_not_sent_to_a_broker(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "file"
    match kind:
        case "a key":
            file.write_text("-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----\n")
        case "a pipe":
            os.mkfifo(file)
        case _:
            file.write_text("x" * 5000)
    login = {"user": "box", "password_file": str(file)}
    with pytest.raises(LinkLost, match="no password for the broker") as caught:
        await make_transport("mqtt", {"host": "127.0.0.1", "port": 1, "topics": ["a"]} | login).open()
    assert "MC4CAQ" not in str(caught.value)
