"""Files at records: kept by hash, versions, what they are by their bytes, who sees them. Both databases."""

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cloud.around import kept
from cloud.around.documents import documents, has_document
from cloud.around.files import NewFile, archive, attach, describe, find_file
from cloud.around.kept import Kept, keep
from cloud.around.models import Attachment
from cloud.around.search import Reach, search
from cloud.blobs.store import DirectoryStore, StoreBroken
from cloud.blobs.uploads import Blobs
from cloud.db.engine import Sessions
from cloud.errors import Forbidden, NotFound, Refused
from cloud.kernel.events import history
from tests.integration.around_people import DEAL, NOW, ONE_DATABASE, OTHER, Rules, by

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3 a contract"
OUTSIDE = replace(DEAL, internal=False)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "blobs")


def source(data: bytes, piece: int = 7) -> kept.Source:
    async def read() -> AsyncIterator[bytes]:
        for start in range(0, len(data), piece):
            yield data[start : start + piece]

    return read


async def add(sessions: Sessions, store: DirectoryStore, data: bytes = PDF, record=DEAL, **more) -> Attachment:
    name = more.pop("name", "חוזה.pdf")
    found = await keep(store, source(data), name)
    async with sessions.write() as session:
        return await attach(session, record, NewFile(name, found, **more), by("noa"), Rules().readers)


async def bytes_of(store: DirectoryStore, sha256: str) -> bytes:
    return b"".join([piece async for piece in store.read(sha256)])


async def test_file_is_kept_under_its_hash(store: DirectoryStore) -> None:
    found = await keep(store, source(PDF), "a.pdf")
    assert found == Kept(hashlib.sha256(PDF).hexdigest(), len(PDF), "application/pdf")
    assert await bytes_of(store, found.sha256) == PDF
    assert await keep(store, source(PDF), "b.pdf") == found
    assert await store.parts() == []


async def test_many_pieces_are_one_file(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "PIECE", 10)
    data = bytes(range(256))
    found = await keep(store, source(data, 23), "x")
    assert await bytes_of(store, found.sha256) == data


async def test_file_over_the_cap_is_refused_and_leaves_nothing(store: DirectoryStore) -> None:
    with pytest.raises(Refused, match="file_too_large"):
        await keep(store, source(bytes(101)), "x", max_bytes=100)
    assert (await keep(store, source(bytes(100)), "x", max_bytes=100)).size == 100
    with pytest.raises(Refused, match="file_empty"):
        await keep(store, source(b""), "x")
    assert await store.parts() == []


async def test_part_that_was_swept_away_is_written_again(store: DirectoryStore, tmp_path: Path) -> None:
    swept = iter([True, False])

    async def read() -> AsyncIterator[bytes]:
        yield PDF
        if next(swept):
            for part in (tmp_path / "blobs" / "parts").iterdir():
                part.unlink()

    found = await keep(store, read, "x")
    assert await bytes_of(store, found.sha256) == PDF


async def test_part_that_is_swept_away_each_time_is_an_error(store: DirectoryStore, tmp_path: Path) -> None:
    async def read() -> AsyncIterator[bytes]:
        yield PDF
        for part in (tmp_path / "blobs" / "parts").iterdir():
            part.unlink()

    with pytest.raises(StoreBroken):
        await keep(store, read, "x")


@ONE_DATABASE
async def test_sweep_of_uploads_leaves_kept_files(sessions: Sessions, store: DirectoryStore) -> None:
    row = await add(sessions, store)
    await Blobs(sessions, store, lambda: NOW + timedelta(days=30), bytes).sweep()
    assert await bytes_of(store, row.sha256) == PDF


@ONE_DATABASE
async def test_file_is_internal_unless_somebody_says_otherwise(sessions: Sessions, store: DirectoryStore) -> None:
    row = await add(sessions, store)
    assert (row.visibility, row.mime, row.number, row.file_kind, row.name) == (
        "internal", "application/pdf", 1, "other", "חוזה.pdf",
    )  # fmt: skip
    assert row.uploaded_by == "noa"
    with pytest.raises(Forbidden):
        await add(sessions, store, record=OUTSIDE)
    async with sessions.read() as session:
        assert await documents(session, "deal", 7, internal=False) == []
        with pytest.raises(NotFound):
            await find_file(session, OUTSIDE, row.id)
        with pytest.raises(NotFound):
            await find_file(session, OTHER, row.id)


async def test_newest_version_is_shown_and_older_ones_are_reached(sessions: Sessions, store: DirectoryStore) -> None:
    first = await add(sessions, store, kind="contract", visibility="portal")
    second = await add(sessions, store, PDF + b"2", version_of=first.id)
    third = await add(sessions, store, PDF + b"3", version_of=second.id)
    assert [(row.number, row.file_kind, row.visibility) for row in (first, second, third)] == [
        (number, "contract", "portal") for number in (1, 2, 3)
    ]
    async with sessions.read() as session:
        (document,) = await documents(session, "deal", 7, internal=True)
        assert document.newest.id == third.id
        assert [row.id for row in document.older] == [second.id, first.id]
    with pytest.raises(NotFound):
        await add(sessions, store, record=OTHER, version_of=first.id)


@ONE_DATABASE
async def test_archived_version_makes_the_one_before_the_newest(sessions: Sessions, store: DirectoryStore) -> None:
    first = await add(sessions, store)
    second = await add(sessions, store, PDF + b"2", version_of=first.id)
    async with sessions.write() as session:
        await archive(session, DEAL, second.id, by("noa"))
        await archive(session, DEAL, second.id, by("noa"))
    third = await add(sessions, store, PDF + b"3", version_of=first.id)
    assert third.number == 3
    async with sessions.write() as session:
        await archive(session, DEAL, third.id, by("noa"))
        (document,) = await documents(session, "deal", 7, internal=True)
        assert (document.newest.id, document.older) == (first.id, ())
        assert (await find_file(session, DEAL, second.id)).archived_by == "noa"
    assert await bytes_of(store, second.sha256) == PDF + b"2"


async def test_no_statement_deletes_a_file_or_changes_its_content(sessions: Sessions, store: DirectoryStore) -> None:
    await add(sessions, store)
    for change in ("DELETE FROM attachment", "UPDATE attachment SET sha256 = sha256", "UPDATE attachment SET name = 'x'"):
        with pytest.raises(DBAPIError, match="never changed"):
            async with sessions.write() as session:
                await session.execute(text(change))


async def test_question_for_a_document_looks_at_its_newest_version(sessions: Sessions, store: DirectoryStore) -> None:
    async def has(kind: str = "contract", **more: bool) -> bool:
        async with sessions.read() as session:
            return await has_document(session, "deal", 7, kind, **more)

    assert not await has()
    first = await add(sessions, store, kind="contract", signed=True)
    assert (await has(), await has(signed=True), await has(signed=False), await has("photo")) == (True, True, False, False)
    assert not await has(internal=False)
    second = await add(sessions, store, PDF + b"2", version_of=first.id)
    assert (await has(), await has(signed=True)) == (True, False)
    async with sessions.write() as session:
        await describe(session, DEAL, second.id, by("noa"), signed=True, visibility="portal")
    assert (await has(signed=True), await has(signed=True, internal=False)) == (True, True)
    async with sessions.write() as session:
        for row in (first, second):
            await archive(session, DEAL, row.id, by("noa"))
    assert not await has()


async def test_names_are_found_by_who_may_see_the_file(sessions: Sessions, store: DirectoryStore) -> None:
    async def found(question: str, *, internal: bool) -> bool:
        async with sessions.read() as session:
            return bool((await search(session, question, reach={"deal": Reach(internal=internal)})).rows)

    row = await add(sessions, store, name="הסכם-מסגרת.pdf")
    assert (await found("מסגרת", internal=True), await found("מסגרת", internal=False)) == (True, False)
    async with sessions.write() as session:
        await describe(session, DEAL, row.id, by("noa"), visibility="portal")
    assert await found("מסגרת", internal=False)
    async with sessions.write() as session:
        await archive(session, DEAL, row.id, by("noa"))
    assert not await found("מסגרת", internal=True)


@ONE_DATABASE
async def test_every_step_is_an_event_of_the_record(sessions: Sessions, store: DirectoryStore) -> None:
    row = await add(sessions, store)
    async with sessions.write() as session:
        await describe(session, DEAL, row.id, by("tal"), kind="contract", signed=True)
        await describe(session, DEAL, row.id, by("tal"), kind="contract")  # nothing new
        await archive(session, DEAL, row.id, by("tal"))
    async with sessions.read() as session:
        events = await history(session, "deal", DEAL.ref)
    assert [event.action for event in events] == ["file_added", "file_changed", "file_archived"]
    assert events[0].changes["sha256"] == [None, row.sha256]
    assert events[1].changes == {"file": [row.id, row.id], "file_kind": ["other", "contract"], "signed": [False, True]}


def test_office_files_are_known_by_their_parts() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive_file:
        archive_file.writestr("[Content_Types].xml", "<Types/>")
        archive_file.writestr("xl/workbook.xml", "<workbook/>")
    from cloud.around.sniff import sniff  # noqa: PLC0415 - beside its only use

    assert sniff(data.getvalue(), "prices.xlsx").endswith("spreadsheetml.sheet")
    assert sniff(data.getvalue(), "prices.zip") == "application/zip"
    assert sniff(b"PK\x03\x04 plain", "prices.xlsx") == "application/zip"
