"""Files of the boxes on the staff pages: only for people who are signed in, only what an entry names, never as a page."""

import hashlib
import secrets
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from cloud.blobs.refs import note_blob
from cloud.blobs.store import DirectoryStore
from cloud.blobs.uploads import Blobs
from cloud.boxes.models import Box
from cloud.boxes.received import Received
from cloud.receiving.models import Receipt
from cloud.web import StaffDeps
from sync_protocol.entries import BlobEntry, Clk
from tests.unit.cloud_web.conftest import SignIn
from tests.unit.cloud_web.office import HOSTILE, Refs

FILES = {
    "image/jpeg": b"\xff\xd8 a picture",
    "image/svg+xml": b"<svg onload='alert(1)'/>",
    "text/html": b"<script>alert(1)</script>",
}


def name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def deps(deps: StaffDeps, tmp_path: Path) -> StaffDeps:
    return replace(deps, blobs=DirectoryStore(tmp_path / "blobs"))


@pytest.fixture
async def box(deps: StaffDeps, refs: Refs) -> str:
    """The box of the clean receipt, which names every file, and one more that it has not sent."""
    async with deps.sessions.write() as session:
        receipt = (await session.scalars(select(Receipt).where(Receipt.ref == refs.clean))).one()
        for seq, (media, data) in enumerate([*FILES.items(), ("image/png", b"pending")]):
            entry = BlobEntry(
                boot_id="b", mono_ns=1, wall_ns=1, clk=Clk(s="none"),
                sha256=name_of(data), size=len(data), media=media, name=f"{HOSTILE}{seq}", about={"job": receipt.uid},
            )  # fmt: skip
            await note_blob(session, Received(receipt.box_id, "f" * 32, seq, entry, deps.clock()))
    return receipt.box_id


async def send(deps: StaffDeps, box: str, data: bytes) -> None:
    assert deps.blobs is not None
    blobs = Blobs(deps.sessions, deps.blobs, deps.clock, secrets.token_bytes)
    upload = await blobs.begin(box, name_of(data), len(data))
    assert (await blobs.take(box, upload.id, 0, data)).stored


async def test_page_says_pending_until_the_file_is_here(sign_in: SignIn, deps: StaffDeps, box: str, refs: Refs) -> None:
    person = await sign_in("tal")
    data = FILES["image/jpeg"]
    before = (await person.get(f"/receipts/{refs.clean}")).text
    assert before.count("still on the box") == 4
    assert (await person.get(f"/blobs/{name_of(data)}")).status_code == 404
    await send(deps, box, data)
    after = (await person.get(f"/receipts/{refs.clean}")).text
    assert after.count("still on the box") == 3
    assert f'href="/blobs/{name_of(data)}"' in after
    assert "<script>alert" not in after
    answer = await person.get(f"/blobs/{name_of(data)}")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, data, "image/jpeg")
    assert answer.headers["content-disposition"].startswith("inline; filename*=UTF-8''%3Cscript")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("media", ["image/svg+xml", "text/html"])
async def test_what_a_browser_would_run_is_a_download(sign_in: SignIn, deps: StaffDeps, box: str, media: str) -> None:
    person = await sign_in("noa")
    await send(deps, box, FILES[media])
    answer = await person.get(f"/blobs/{name_of(FILES[media])}")
    assert (answer.content, answer.headers["content-type"]) == (FILES[media], "application/octet-stream")
    assert answer.headers["content-disposition"].startswith("attachment;")


async def test_nobody_else_gets_a_file(anyone: httpx.AsyncClient, deps: StaffDeps, box: str) -> None:
    await send(deps, box, FILES["image/jpeg"])
    answer = await anyone.get(f"/blobs/{name_of(FILES['image/jpeg'])}")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


async def test_file_that_no_entry_of_its_box_names_is_not_there(sign_in: SignIn, deps: StaffDeps, box: str) -> None:
    person = await sign_in("noa")
    await send(deps, box, b"unnamed")
    async with deps.sessions.read() as session:
        other = (await session.scalars(select(Box.id).where(Box.id != box))).first()
    assert other is not None
    # The entry is one box's, the bytes another's: naming a hash gives nobody the right to what is under it.
    await send(deps, other, FILES["image/jpeg"])
    for name in (name_of(b"unnamed"), name_of(FILES["image/jpeg"]), "f" * 64, "..%2f..%2fetc%2fpasswd", "x"):
        assert (await person.get(f"/blobs/{name}")).status_code == 404
