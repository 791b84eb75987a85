"""Files go up whatever the line, the core or the disk does: the box's own parts against uvicorn, with a relay between them."""

import asyncio
import errno
import hashlib
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from cloud.app import create_sync_app
from cloud.blobs import store as store_module
from cloud.blobs.models import Blob, BlobRef, Upload
from cloud.blobs.refs import blob_status, blobs_of_job
from cloud.blobs.store import DirectoryStore
from cloud.blobs.uploads import Blobs, Limits
from cloud.boxes.models import BoxStatus
from cloud.boxes.registry import set_status
from cloud.db.engine import Sessions, open_sessions
from cloud.deps import SyncDeps
from cloud.kernel.actor import Taken
from cloud.kernel.events import history
from cloud.receiving.projection import project_all
from cloud.takers import TAKERS
from edge.blobs.channel import TusChannel
from edge.blobs.store import BlobStore
from edge.blobs.uploader import Uploader
from edge.uplink.backoff import Backoff
from firmware_sim.relay import Relay
from sync_protocol.blobs import PIECE, PIECE_TYPE, STORED, metadata, named_by
from sync_protocol.entries import BlobEntry
from tests.integration.conftest import ADMIN, TestBox, TurnedClock
from tests.integration.serving import named_peer, served

WAIT_S = 40.0
TUS = {"tus-resumable": "1.0.0"}
START = TUS | {"content-type": PIECE_TYPE, "upload-offset": "0"}


def content(size: int, seed: int = 1) -> bytes:
    return hashlib.shake_256(b"%d" % seed).digest(size)


def name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Core:
    """A core that takes files, and clients that call as their box."""

    sessions: Sessions
    clock: TurnedClock
    folder: Path
    stack: AsyncExitStack
    limits: Limits = field(default_factory=Limits)
    certificates: dict[str, bytes] = field(default_factory=dict)
    url: str = ""

    @property
    def blobs(self) -> Blobs:
        return Blobs(self.sessions, DirectoryStore(self.folder), self.clock, secrets.token_bytes, self.limits)

    async def start(self) -> None:
        deps = SyncDeps(self.sessions, clock=self.clock, peer_certificate=named_peer(self.certificates))
        self.url = await self.stack.enter_async_context(served(create_sync_app(deps, blobs=self.blobs)))

    async def client(self, box: TestBox, url: str | None = None) -> httpx.AsyncClient:
        self.certificates[box.id] = box.certificate()
        client = httpx.AsyncClient(base_url=url or self.url, headers={"x-box": box.id}, trust_env=False, timeout=WAIT_S)
        return await self.stack.enter_async_context(client)

    def file(self, data: bytes) -> Path:
        return self.folder / "files" / name_of(data)[:2] / name_of(data)


@pytest.fixture
async def core(sessions: Sessions, clock: TurnedClock, tmp_path: Path) -> AsyncIterator[Core]:
    async with AsyncExitStack() as stack:
        made = Core(sessions, clock, tmp_path / "cloud-blobs", stack)
        await made.start()
        yield made


async def create(client: httpx.AsyncClient, data: bytes, **headers: str) -> httpx.Response:
    given = TUS | {"upload-length": str(len(data)), "upload-metadata": metadata(name_of(data))}
    return await client.post("/blobs/v1", headers=given | headers)


async def patch(client: httpx.AsyncClient, url: str, offset: int, data: bytes) -> httpx.Response:
    return await client.patch(url, content=data, headers=START | {"upload-offset": str(offset)})


@asynccontextmanager
async def uploading(store: BlobStore, client: httpx.AsyncClient, may_send: Any = None) -> AsyncIterator[Uploader]:
    """The box's loop, for as long as the block."""

    async def at_once() -> None:
        pass

    uploader = Uploader(
        store,
        TusChannel(client, deadline_s=5.0),
        may_send=may_send or at_once,
        backoff=Backoff(0.05, lambda: 0.5),
    )
    task = asyncio.create_task(uploader.run())
    try:
        yield uploader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(fact: Any) -> None:
    async with asyncio.timeout(WAIT_S):
        while not fact():  # noqa: ASYNC110 - files and counters cannot wake anyone
            await asyncio.sleep(0.005)


def put(store: BlobStore, data: bytes) -> str:
    return store.put([data], media="image/jpeg", name="pallet.jpg", about={}).sha256


@pytest.fixture
def shelf(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "box-blobs")


async def test_file_goes_up_whole_and_the_box_hears_that_it_is_there(core: Core, box, shelf: BlobStore) -> None:
    files = [content(size, size) for size in (0, 1, PIECE, 2 * PIECE + 77)]
    for data in files:
        put(shelf, data)
    async with uploading(shelf, await core.client(box)):
        await until(lambda: len(shelf.prunable()) == len(files))
    for data in files:
        assert core.file(data).read_bytes() == data
    assert list((core.folder / "parts").iterdir()) == []
    async with core.sessions.read() as session:
        assert await blob_status(session, name_of(files[0]), box=box.id) == "stored"
        assert [event.action for event in await history(session, "blob", name_of(files[3]))] == ["store"]
        assert len((await session.scalars(select(Blob))).all()) == len(files)


async def test_line_that_is_cut_everywhere_costs_time_and_no_bytes(core: Core, box, shelf: BlobStore) -> None:
    data = content(3 * PIECE + 1000)
    put(shelf, data)
    async with Relay.to(int(core.url.rpartition(":")[2])) as relay:
        client = await core.client(box, f"http://127.0.0.1:{relay.port}")
        # At the beginning, inside and at the end of pieces, once each: the connection dies when so many bytes have passed.
        cuts = [10, 3_000, PIECE // 2, PIECE - 1, PIECE, PIECE + 600, 2 * PIECE, 3 * PIECE + 1500]
        async with uploading(shelf, client):
            for cut in cuts:
                await until(lambda cut=cut: relay.up.passed >= cut or shelf.prunable())
                relay.cut()
            await until(shelf.prunable)
    assert core.file(data).read_bytes() == data


async def test_answers_that_are_lost_do_no_harm(core: Core, box, shelf: BlobStore) -> None:
    data = content(PIECE + 10)
    put(shelf, data)
    async with Relay.to(int(core.url.rpartition(":")[2])) as relay:
        client = await core.client(box, f"http://127.0.0.1:{relay.port}")
        turns = iter([True, False, True, False, True])
        relay.down.loses = lambda: next(turns, False)
        async with uploading(shelf, client) as uploader:
            uploader._channel._deadline_s = 0.3  # type: ignore[attr-defined]
            await until(shelf.prunable)
    assert core.file(data).read_bytes() == data


async def test_new_process_goes_on_where_the_old_one_was(core: Core, box, shelf: BlobStore, tmp_path: Path) -> None:
    data = content(4 * PIECE)
    put(shelf, data)
    client = await core.client(box)
    gate = asyncio.Semaphore(2)
    async with uploading(shelf, client, gate.acquire):
        await until(
            lambda: gate.locked() and any(path.stat().st_size == 2 * PIECE for path in (core.folder / "parts").iterdir())
        )
    sent: list[int] = []
    client.event_hooks["request"] = [lambda request: _note(sent, request)]
    again = BlobStore(tmp_path / "box-blobs")
    async with uploading(again, client):
        await until(again.prunable)
    # What the process that ended was just sending may or may not have been noted; what was answered is not sent again.
    assert sent[0] in {PIECE, 2 * PIECE}
    assert core.file(data).read_bytes() == data


async def _note(sent: list[int], request: httpx.Request) -> None:
    if request.method == "PATCH":
        sent.append(int(request.headers["upload-offset"]))


async def test_no_piece_goes_while_records_wait(core: Core, box, shelf: BlobStore) -> None:
    put(shelf, content(3 * PIECE))
    sent: list[int] = []
    client = await core.client(box)
    client.event_hooks["request"] = [lambda request: _note(sent, request)]
    idle = asyncio.Event()
    asked = asyncio.Event()

    async def may_send() -> None:
        asked.set()
        await idle.wait()

    async with uploading(shelf, client, may_send):
        await asyncio.wait_for(asked.wait(), WAIT_S)
        assert sent == []
        idle.set()
        await until(shelf.prunable)


async def test_file_that_changed_on_the_disk_is_never_sent_under_its_name(core: Core, box, shelf: BlobStore) -> None:
    data = content(1000)
    name = put(shelf, data)
    shelf.path(name).write_bytes(b"?" + data[1:])
    good = put(shelf, content(10))
    client = await core.client(box)
    named: list[str] = []

    async def note(request: httpx.Request) -> None:
        if request.method == "POST":
            named.append(named_by(request.headers["upload-metadata"]))

    client.event_hooks["request"] = [note]
    async with uploading(shelf, client):
        await until(shelf.prunable)
    assert shelf.get(name).fault == "changed"
    assert named == [good]
    assert shelf.get(good).uploaded
    assert not core.file(data).exists()


async def test_other_bytes_under_a_name_are_thrown_away(core: Core, box) -> None:
    client, data = await core.client(box), content(5000)
    url = (await create(client, data)).headers["location"]
    answer = await patch(client, url, 0, b"?" + data[1:])
    assert (answer.status_code, answer.json()["code"]) == (460, "wrong_hash")
    assert not core.file(data).exists()
    assert list((core.folder / "parts").iterdir()) == []
    assert (await client.head(url)).status_code == 404
    url = (await create(client, data)).headers["location"]
    answer = await patch(client, url, 0, data)
    assert (answer.status_code, answer.headers[STORED]) == (204, name_of(data))


async def test_another_box_neither_sees_nor_touches_an_upload(core: Core, box, make_box) -> None:
    other = make_box(2)
    await other.register(core.sessions)
    data = content(5000)
    mine, theirs = await core.client(box), await core.client(other)
    url = (await create(mine, data)).headers["location"]
    await patch(mine, url, 0, data[:100])
    assert (await theirs.head(url)).status_code == 404
    assert (await patch(theirs, url, 100, data[100:])).status_code == 404
    assert (await mine.head(url)).headers["upload-offset"] == "100"
    # Having the name is not having the file: what one box sent is not there for the other.
    await patch(mine, url, 100, data[100:])
    own = await create(theirs, data)
    assert (own.headers["upload-offset"], STORED in own.headers) == ("0", False)
    async with core.sessions.read() as session:
        assert await blob_status(session, name_of(data), box=other.id) == "pending"
    assert (await patch(theirs, own.headers["location"], 0, data)).headers[STORED] == name_of(data)
    assert core.file(data).read_bytes() == data


async def test_two_writers_of_one_upload_take_turns(core: Core, box) -> None:
    client, data = await core.client(box), content(200_000)
    url = (await create(client, data)).headers["location"]
    answers = await asyncio.gather(*(patch(client, url, 0, data[:100_000]) for _ in range(6)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 204
    assert set(codes[1:]) <= {409, 423}
    assert (await patch(client, url, 0, data[:100_000])).status_code == 409
    async with core.blobs.store.writing(url.rpartition("/")[2]):
        answer = await patch(client, url, 100_000, data[100_000:])
        assert (answer.status_code, answer.json()["code"]) == (423, "upload_locked")
    assert (await patch(client, url, 100_000, data[100_000:])).headers[STORED] == name_of(data)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"tus-resumable": "0.2.2"}, 412, "other_version"),
        ({"upload-length": ""}, 400, "unreadable_header"),
        ({"upload-length": "-1"}, 400, "unreadable_header"),
        ({"upload-length": "9" * 30}, 400, "unreadable_header"),
        ({"upload-metadata": ""}, 400, "unreadable_header"),
        ({"upload-length": str(64 * 1024 * 1024 + 1)}, 413, "file_too_large"),
    ],
)
async def test_beginning_that_does_not_fit_is_refused(core: Core, box, headers: dict[str, str], status: int, code: str) -> None:
    answer = await create(await core.client(box), b"x", **headers)
    assert (answer.status_code, answer.json()["code"], answer.headers["tus-resumable"]) == (status, code, "1.0.0")


async def test_piece_that_does_not_fit_is_refused_and_changes_nothing(core: Core, box) -> None:
    client, data = await core.client(box), content(3000)
    url = (await create(client, data)).headers["location"]
    refused = [
        ((await client.patch(url, content=b"x", headers=START | {"content-type": "text/plain"})), 415),
        ((await client.patch(url, content=b"x", headers=START | {"tus-resumable": "2"})), 412),
        ((await client.patch(url, content=b"x", headers=START | {"upload-offset": "x"})), 400),
        (await patch(client, url, 1, b"x"), 409),
        (await patch(client, url, 0, data + b"x"), 413),
        (await patch(client, url, 0, bytes(1024 * 1024 + 1)), 413),
        (await patch(client, "/blobs/v1/nothing", 0, b"x"), 404),
        (await client.head("/blobs/v1/nothing"), 404),
    ]
    assert [answer.status_code for answer, _ in refused] == [status for _, status in refused]
    assert (await client.head(url)).headers["upload-offset"] == "0"
    offered = await client.options("/blobs/v1")
    assert (offered.headers["tus-version"], offered.headers["tus-extension"]) == ("1.0.0", "creation")


async def test_same_hash_with_another_size_is_refused(core: Core, box) -> None:
    client, data = await core.client(box), content(100)
    await create(client, data)
    answer = await create(client, data, **{"upload-length": "99"})
    assert (answer.status_code, answer.json()["code"]) == (422, "size_differs")


async def test_box_that_is_shut_out_sends_no_files(core: Core, box) -> None:
    client = await core.client(box)
    url = (await create(client, b"x")).headers["location"]
    async with core.sessions.write() as session:
        await set_status(session, box=box.id, status=BoxStatus.REVOKED, taken=Taken(ADMIN, box.clock.now))
    for answer in (await create(client, b"y"), await client.head(url), await patch(client, url, 0, b"x")):
        assert answer.status_code == 403
    assert list((core.folder / "files").iterdir()) == []


async def test_unfinished_uploads_are_bounded_and_forgotten(core: Core, box) -> None:
    client = await core.client(box)
    urls = [(await create(client, content(10, seed))).headers["location"] for seed in range(8)]
    full = await create(client, content(10, 99))
    assert (full.status_code, full.headers["retry-after"]) == (429, "60")
    assert (await create(client, content(10, 3))).headers["location"] == urls[3]
    await patch(client, urls[0], 0, content(10, 0))
    await patch(client, urls[1], 0, content(10, 1)[:4])
    core.clock.go(days=8)
    assert await core.blobs.sweep() == 7
    assert (await client.head(urls[1])).status_code == 404
    assert (await client.head(urls[0])).headers[STORED] == name_of(content(10, 0))
    assert list((core.folder / "parts").iterdir()) == []
    assert (await create(client, content(10, 99))).status_code == 201


async def test_full_disk_of_the_core_is_told_and_ends_well(core: Core, box, shelf: BlobStore, monkeypatch) -> None:
    data = content(2 * PIECE)
    put(shelf, data)
    real, full = os.pwrite, [True]
    refused: list[int] = []

    def pwrite(fd: int, view: Any, offset: int) -> int:
        if full[0] and offset + len(view) > PIECE:
            refused.append(offset)
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, view, offset)

    monkeypatch.setattr(store_module.os, "pwrite", pwrite)
    client = await core.client(box)
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0.01)

    async with uploading(shelf, client) as uploader:
        uploader._sleep = sleep
        await until(lambda: len(refused) > 2)
        assert not shelf.prunable()
        full[0] = False
        await until(shelf.prunable)
    assert max(pauses) >= 60, "the core asked to wait"
    assert core.file(data).read_bytes() == data


async def test_part_that_the_disk_lost_is_sent_anew(core: Core, box, shelf: BlobStore) -> None:
    data = content(2 * PIECE)
    client = await core.client(box)
    url = (await create(client, data)).headers["location"]
    await patch(client, url, 0, data[:PIECE])
    os.truncate(core.folder / "parts" / url.rpartition("/")[2], 100)
    put(shelf, data)
    async with uploading(shelf, client):
        await until(shelf.prunable)
    assert core.file(data).read_bytes() == data


async def test_file_that_was_kept_and_not_noted_is_noted_when_asked_again(core: Core, box) -> None:
    client, data = await core.client(box), content(100)
    url = (await create(client, data)).headers["location"]
    await patch(client, url, 0, data)
    async with core.sessions.write() as session:
        row = await session.get_one(Upload, url.rpartition("/")[2])
        row.stored = False
    assert STORED not in (await client.head(url)).headers
    assert (await patch(client, url, 100, b"")).headers[STORED] == name_of(data)
    assert list((core.folder / "parts").iterdir()) == []


async def test_record_says_pending_until_the_file_is_here(core: Core, box) -> None:
    client, data = await core.client(box), content(100)
    box.start()
    entry = BlobEntry(
        **box.stamp(), sha256=name_of(data), size=100, media="image/jpeg", name="pallet\x00.jpg", about={"job": "j-1"}
    )
    box.write(entry)
    box.write(entry.model_copy(update={"sha256": "../../etc/passwd"}))
    await box.deliver(core.sessions)
    await project_all(core.sessions, takers=TAKERS)
    async with core.sessions.read() as session:
        ((ref, status),) = await blobs_of_job(session, "j-1")
        assert (ref.sha256, ref.box_id, status) == (name_of(data), box.id, "pending")
        assert "\x00" not in ref.name
    url = (await create(client, data)).headers["location"]
    await patch(client, url, 0, data)
    async with core.sessions.read() as session:
        assert [status for _, status in await blobs_of_job(session, "j-1")] == ["stored"]
        assert len((await session.scalars(select(BlobRef))).all()) == 1


@contextmanager
def blob_cloud(*arguments: object) -> Iterator["tuple[str, subprocess.Popen[bytes]]"]:
    """A core in a process of its own: its address and the process, which is killed at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.blob_cloud", *map(str, arguments)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().decode().strip(), process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def test_core_that_is_killed_in_the_middle_of_pieces_holds_what_it_said(
    sqlite_url: str, tmp_path: Path, make_box, shelf: BlobStore
) -> None:
    box = make_box(1)
    sessions = open_sessions(sqlite_url)
    await box.register(sessions)
    await sessions.engine.dispose()
    data = content(6 * PIECE)
    put(shelf, data)
    folder = tmp_path / "cloud-blobs"
    for kill_at in (0.5, 2.3, 4.1, None):
        async with AsyncExitStack() as stack:
            url, process = stack.enter_context(blob_cloud(sqlite_url, folder, 0, f"{box.id}={box.certificate().hex()}"))
            client = httpx.AsyncClient(base_url=url, headers={"x-box": box.id}, trust_env=False)
            await stack.enter_async_context(client)
            await stack.enter_async_context(uploading(shelf, client))
            await until(shelf.prunable if kill_at is None else lambda at=kill_at: _written(folder) >= at * PIECE)
            process.kill()
    assert (folder / "files" / name_of(data)[:2] / name_of(data)).read_bytes() == data


def _written(folder: Path) -> int:
    parts = folder / "parts"
    return sum(path.stat().st_size for path in parts.iterdir()) if parts.exists() else 0


async def test_restored_core_gets_the_file_again(core: Core, box, shelf: BlobStore) -> None:
    data = content(1000)
    name = put(shelf, data)
    client = await core.client(box)
    async with uploading(shelf, client) as uploader:
        await until(shelf.prunable)
        async with core.sessions.write() as session:
            for row in await session.scalars(select(Upload)):
                await session.delete(row)
        core.file(data).unlink()
        shelf.ask_again()
        uploader.wake()
        await until(lambda: core.file(data).exists() and shelf.prunable())
    assert replace(shelf.get(name), url=None).uploaded
