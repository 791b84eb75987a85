"""Frames that are not what they say, over the real listener with real certificates: refused, logged, and nothing stored."""

import json
import secrets
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

import tallybox
from cloud.boxes.registry import register_box
from cloud.db.engine import open_sessions
from cloud.kernel.actor import Actor, Taken
from firmware_sim.demo_processes import DemoSite, Ports
from provisioning.box_identity import Identity
from provisioning.ca import init_authority, load_authority
from provisioning.enroll import enroll
from sync_protocol import chain
from sync_protocol.entries import Clk, NoteEntry, RunEntry, encode
from sync_protocol.frame import seal
from sync_protocol.ids import RunId, new_box_id, run_id
from sync_protocol.routes import BATCHES, FRAME_TYPE
from tests.integration.running import LIBRARIES, Stored

NOW = datetime.now(UTC)
STAMP: dict[str, Any] = {"boot_id": "b", "mono_ns": 1, "wall_ns": 1, "clk": Clk(s="none")}


@dataclass(frozen=True, slots=True)
class Cloud:
    """The running cloud, the boxes that it knows, and some that it does not."""

    url: str
    stored: Stored
    ours: Identity
    other: Identity
    unregistered: Identity
    renewed: Identity
    stranger: Identity

    def events_since(self, known: int) -> list[tuple[str, str, str]]:
        return self.stored.events()[known:]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cloud(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cloud]:
    """One cloud for the module: two boxes registered, one not, one under an old key, one of another authority."""
    directory: Path = tmp_path_factory.mktemp("cloud")
    data = await tallybox.prepare_demo(directory)
    ours, authority = Identity.load(data.identity), load_authority(directory / "ca")
    foreign = init_authority(directory / "foreign", name="Somebody else", now=NOW)

    def box(name: str, by: Any = authority, box_id: str | None = None) -> Identity:
        return enroll(directory / name, by, box_id=box_id or new_box_id(1, secrets.token_bytes(10)), tenant="demo", now=NOW)

    # The same name with another key of its own, as after a theft of the authority's machine.
    other, renewed, unregistered = box("other"), box("renewed", box_id=ours.box_id), box("unregistered")
    sessions = open_sessions(data.database_url)
    try:
        async with sessions.write() as session:
            taken = Taken(Actor.system("test"), NOW)
            await register_box(session, box=other.box_id, name="Other", spki=other.spki, station="receiving-2", taken=taken)
    finally:
        await sessions.engine.dispose()
    stranger = box("stranger", by=foreign, box_id=ours.box_id)
    site = DemoSite(data, LIBRARIES, Ports())
    try:
        await site.start_cloud()
        stored = Stored(directory / "none", directory / "cloud.db")
        yield Cloud(site.cloud.facts["sync"], stored, ours, other, unregistered, renewed, stranger)
    finally:
        await site.stop()


@contextmanager
def calling(cloud: Cloud, who: Identity, *, trusts: Identity | None = None) -> Iterator[httpx.Client]:
    """A client with the certificate of `who`."""
    context = who.client_ssl_context() if trusts is None else trusting(who, trusts)
    with httpx.Client(base_url=cloud.url, verify=context, timeout=30, trust_env=False) as client:
        yield client


def trusting(who: Identity, trusts: Identity) -> ssl.SSLContext:
    """As `who`, but believing the authority of somebody else: otherwise the client would be the one to refuse."""
    context = ssl.create_default_context(cafile=trusts.directory / "ca.crt")
    context.load_cert_chain(who.certificate_path, who.directory / "box.key")
    return context


def post(client: httpx.Client, frame: bytes) -> tuple[int, dict[str, Any]]:
    response = client.post(BATCHES, content=frame, headers={"content-type": FRAME_TYPE})
    return response.status_code, response.json()


def entries(count: int = 3, name: str = "noted") -> list[bytes]:
    return [encode(RunEntry(**STAMP, fw="test")), *(encode(NoteEntry(**STAMP, name=f"{name}-{n}")) for n in range(1, count))]


def new_run() -> RunId:
    return run_id(secrets.token_hex(16))


def frame_of(
    signer: Identity,
    content: list[bytes],
    run: RunId,
    *,
    says: Identity | None = None,
    first: int = 0,
    prev: bytes | None = None,
) -> bytes:
    return seal(
        box=(says or signer).box_id,
        run=run,
        first=first,
        prev=prev or chain.seed(run),
        entries=content,
        gen=0,
        key_id=signer.key_id,
        sign=signer.sign,
    )


def changed(frame: bytes, at: int) -> bytes:
    return frame[:at] + bytes([frame[at] ^ 0x01]) + frame[at + 1 :]


@pytest.mark.parametrize("where", ["signature", "key id", "box in the header", "entry", "last byte"])
def test_frame_with_one_changed_byte_is_refused(cloud: Cloud, where: str) -> None:
    run = new_run()
    frame = frame_of(cloud.ours, entries(), run)
    signature = int.from_bytes(frame[:2], "big")
    at = {
        "signature": 2 + signature - 1,
        "key id": 2 + signature,
        "box in the header": frame.index(cloud.ours.box_id.encode()) + 20,
        "entry": frame.index(b"noted-1"),
        "last byte": len(frame) - 1,
    }[where]
    before, known = cloud.stored.cloud(), len(cloud.stored.events())
    with calling(cloud, cloud.ours) as client:
        status, answer = post(client, changed(frame, at))
    event = "unknown_key" if where == "key id" else "bad_signature"
    assert (status, answer["err"], answer["detail"]) == (200, "sig", event)
    assert cloud.events_since(known) == [(cloud.ours.box_id, event, cloud.ours.box_id)]
    assert cloud.stored.cloud() == before
    assert run not in dict(cloud.stored.positions())


def test_frame_cut_short_is_refused(cloud: Cloud) -> None:
    before, known = cloud.stored.cloud(), len(cloud.stored.events())
    with calling(cloud, cloud.ours) as client:
        status, answer = post(client, frame_of(cloud.ours, entries(), new_run())[:40])
    assert (status, answer["err"]) == (200, "schema")
    assert [action for _, action, _ in cloud.events_since(known)] == ["broken_frame"]
    assert cloud.stored.cloud() == before


def test_frame_of_one_box_under_the_certificate_of_another_is_refused(cloud: Cloud) -> None:
    before, known = cloud.stored.cloud(), len(cloud.stored.events())
    with calling(cloud, cloud.other) as client:
        carried = post(client, frame_of(cloud.ours, entries(), new_run()))
        lying = post(client, frame_of(cloud.other, entries(), new_run(), says=cloud.ours))
    assert (carried[0], carried[1]["err"], carried[1]["detail"]) == (200, "sig", "unknown_key")
    assert (lying[0], lying[1]["err"], lying[1]["detail"]) == (200, "sig", "foreign_box")
    assert cloud.events_since(known) == [
        (cloud.other.box_id, action, cloud.other.box_id) for action in ("unknown_key", "foreign_box")
    ]
    assert cloud.stored.cloud() == before


def test_box_cannot_write_into_the_run_of_another(cloud: Cloud) -> None:
    run = new_run()
    with calling(cloud, cloud.ours) as client:
        assert post(client, frame_of(cloud.ours, entries(), run))[1]["acked"] == 3
    before, known = cloud.stored.cloud(), len(cloud.stored.events())
    prev = chain.links(chain.seed(run), 0, entries())[-1]
    with calling(cloud, cloud.other) as client:
        status, answer = post(client, frame_of(cloud.other, [entries()[1]], run, first=3, prev=prev))
    assert (status, answer["err"]) == (200, "fork")
    assert cloud.events_since(known) == [(cloud.other.box_id, "frame_foreign_run", run)]
    assert cloud.stored.cloud() == before
    assert cloud.stored.quarantined()[-1] == (cloud.other.box_id, "foreign_run")


@pytest.mark.parametrize("who", ["unregistered", "renewed"])
def test_box_that_is_not_known_by_name_and_key_is_not_let_in(cloud: Cloud, who: str) -> None:
    identity: Identity = getattr(cloud, who)
    code = {"unregistered": "unknown_box", "renewed": "wrong_key"}[who]
    before, known = cloud.stored.cloud(), len(cloud.stored.events())
    with calling(cloud, identity) as client:
        status, answer = post(client, frame_of(identity, entries(), new_run()))
        assert (status, answer["code"]) == (403, code)
        mirror = client.get("/down/v1/receiving-1")
        assert (mirror.status_code, mirror.json()["code"]) == (403, code)
    assert cloud.events_since(known) == [("unknown", code, identity.box_id)] * 2
    assert cloud.stored.cloud() == before


def test_certificate_of_another_authority_and_none_at_all_do_not_get_through_the_handshake(cloud: Cloud) -> None:
    before, known = cloud.stored.cloud(), len(cloud.stored.events())
    frame = frame_of(cloud.ours, entries(), new_run())
    with calling(cloud, cloud.stranger, trusts=cloud.ours) as client, pytest.raises(httpx.TransportError):
        post(client, frame)
    context = ssl.create_default_context(cafile=cloud.ours.directory / "ca.crt")
    with (
        httpx.Client(base_url=cloud.url, verify=context, timeout=30, trust_env=False) as client,
        pytest.raises(httpx.TransportError),
    ):
        post(client, frame)
    assert (cloud.stored.cloud(), cloud.events_since(known)) == (before, [])


def test_replayed_batch_is_acked_and_not_stored_again(cloud: Cloud) -> None:
    run = new_run()
    frame = frame_of(cloud.ours, entries(), run)
    with calling(cloud, cloud.ours) as client:
        first = post(client, frame)[1]
        before, known = cloud.stored.cloud(), len(cloud.stored.events())
        again = post(client, frame)[1]
    assert (again["acked"], again["hash"]) == (first["acked"], first["hash"]) == (3, again["hash"])
    assert cloud.events_since(known) == [(cloud.ours.box_id, "batch_again", run)]
    assert cloud.stored.cloud() == before


def test_batch_with_other_content_for_stored_entries_is_kept_aside(cloud: Cloud) -> None:
    run = new_run()
    with calling(cloud, cloud.ours) as client:
        post(client, frame_of(cloud.ours, entries(), run))
        before, known = cloud.stored.cloud(), len(cloud.stored.events())
        status, answer = post(client, frame_of(cloud.ours, entries(4, "otherwise"), run))
    assert (status, answer["err"]) == (200, "fork")
    assert cloud.events_since(known) == [(cloud.ours.box_id, "frame_fork", run)]
    assert cloud.stored.cloud() == before
    assert cloud.stored.quarantined()[-1] == (cloud.ours.box_id, "fork")


def test_batch_behind_a_gap_is_answered_with_what_is_needed(cloud: Cloud) -> None:
    run, whole = new_run(), entries(5)
    prev = chain.links(chain.seed(run), 0, whole[:3])[-1]
    before = cloud.stored.cloud()
    with calling(cloud, cloud.ours) as client:
        status, answer = post(client, frame_of(cloud.ours, whole[3:], run, first=3, prev=prev))
        assert (status, answer["need"]) == (200, 0)
        assert cloud.stored.cloud() == before
        assert post(client, frame_of(cloud.ours, whole, run))[1]["acked"] == 5
    assert [json.loads(content)["t"] for key, content in cloud.stored.cloud().items() if key[0] == run] == [
        "run",
        *["note"] * 4,
    ]
