"""Uploads against a cloud that is modelled: whatever is lost, cut, forgotten or restored, only these bytes ever count as up."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_protocol import blobs
from sync_protocol.blobs import (
    MAX_RESTARTS,
    PIECE,
    Ask,
    At,
    Create,
    Created,
    Event,
    Gone,
    Lost,
    NotTaken,
    Piece,
    Request,
    Upload,
    WrongHash,
    metadata,
    named_by,
    next_request,
    on_event,
    progressed,
)
from sync_protocol.errors import TextFault

NAME = hashlib.sha256(b"x").hexdigest()


def test_metadata_goes_there_and_back() -> None:
    assert named_by(metadata(NAME)) == NAME
    assert named_by(f"filename eA==,{metadata(NAME)}") == NAME


@pytest.mark.parametrize(
    "header", ["", "sha256", "sha256 !!", "sha256 eA==", "name eA==", metadata(NAME.upper()), "sha256 /w=="]
)
def test_metadata_without_a_hash_is_refused(header: str) -> None:
    with pytest.raises(TextFault):
        named_by(header)


UP = Upload(NAME, 3 * PIECE + 5)


@pytest.mark.parametrize(
    ("before", "event", "after", "then"),
    [
        (UP, Created("u", 0), replace(UP, url="u", offset=0), Piece("u", 0, PIECE)),
        (UP, Created("u", 0, "other"), replace(UP, url="u", offset=0), Piece("u", 0, PIECE)),
        (UP, Created("u", UP.size, NAME), replace(UP, url="u", offset=UP.size, stored=True), None),
        (UP, Lost(), UP, Create()),
        (UP, NotTaken("file_too_large"), replace(UP, fault="file_too_large"), None),
        (replace(UP, url="u"), At(3 * PIECE), replace(UP, url="u", offset=3 * PIECE), Piece("u", 3 * PIECE, 5)),
        (replace(UP, url="u"), At(UP.size), replace(UP, url="u", offset=UP.size), Piece("u", UP.size, 0)),
        (replace(UP, url="u"), At(7, NAME), replace(UP, url="u", offset=7), Piece("u", 7, PIECE)),
        (replace(UP, url="u", offset=0), Lost(), replace(UP, url="u"), Ask("u")),
        (replace(UP, url="u"), Gone(), UP, Create()),
        (replace(UP, url="u"), At(UP.size + 1), UP, Create()),
        (replace(UP, url="u", offset=9), WrongHash(), replace(UP, restarts=1), Create()),
        (replace(UP, restarts=MAX_RESTARTS - 1), WrongHash(), replace(UP, restarts=MAX_RESTARTS, fault="wrong_hash"), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_answer_moves_the_upload(before: Upload, event: Event, after: Upload, then: Request | None) -> None:
    assert on_event(before, event) == after
    assert next_request(after) == then


def test_progress_is_bytes_or_an_end() -> None:
    at = replace(UP, url="u", offset=5)
    assert progressed(at, replace(at, offset=6))
    assert progressed(at, replace(at, stored=True))
    assert progressed(at, replace(at, fault="x"))
    assert progressed(UP, at)
    assert not progressed(at, at)
    assert not progressed(at, replace(at, offset=4))
    assert not progressed(at, replace(at, offset=None))


@dataclass
class ModelCloud:
    """Keeps bytes by address; every kind of trouble is one of its answers."""

    files: set[str] = field(default_factory=set)
    parts: dict[str, bytearray] = field(default_factory=dict)
    names: dict[str, tuple[str, int]] = field(default_factory=dict)
    drawn: int = 0

    def answer(self, request: Request, upload: Upload, data: bytes) -> Event:
        if isinstance(request, Create):
            for url, (name, size) in self.names.items():
                if name == upload.sha256 and size == upload.size:
                    return Created(url, len(self.parts[url]), self._stored(url))
            self.drawn += 1
            url = f"u{self.drawn}"
            self.parts[url], self.names[url] = bytearray(), (upload.sha256, upload.size)
            return Created(url, 0)
        if request.url not in self.parts:
            return Gone()
        part = self.parts[request.url]
        if isinstance(request, Piece):
            if request.offset != len(part) or self._stored(request.url):
                return Lost()
            part += data
            return self._finished(request.url)
        return At(len(part), self._stored(request.url))

    def _finished(self, url: str) -> Event:
        name, size = self.names[url]
        if len(self.parts[url]) < size:
            return At(len(self.parts[url]))
        if hashlib.sha256(self.parts[url]).hexdigest() != name:
            self.forget(url)
            return WrongHash()
        self.files.add(name)
        return At(size, name)

    def _stored(self, url: str) -> str | None:
        name, size = self.names[url]
        return name if name in self.files and len(self.parts[url]) == size else None

    def forget(self, url: str) -> None:
        self.parts.pop(url, None)
        self.names.pop(url, None)

    def restore(self) -> None:
        """From a backup of before all this."""
        self.parts, self.names, self.files = {}, {}, set()


TROUBLE = st.sampled_from(["none"] * 4 + ["lost", "answer lost", "cut", "spoiled", "forgotten", "restored", "crash"])


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=40), piece=st.integers(1, 9), troubles=st.lists(TROUBLE, max_size=40), data=st.data())
def test_whatever_happens_what_counts_as_up_is_up(content: bytes, piece: int, troubles: list[str], data: Any) -> None:
    patched = pytest.MonkeyPatch()
    patched.setattr(blobs, "PIECE", piece)
    try:
        _play(content, troubles, data)
    finally:
        patched.undo()


def _play(content: bytes, troubles: list[str], data: Any) -> None:
    cloud = ModelCloud()
    name = hashlib.sha256(content).hexdigest()
    upload = Upload(name, len(content))
    for trouble in [*troubles, *["none"] * (4 * len(content) + 20)]:
        request = next_request(upload)
        if request is None:
            break
        sent = content[request.offset : request.offset + request.length] if isinstance(request, Piece) else b""
        if trouble == "cut" and sent:
            sent = sent[: data.draw(st.integers(0, len(sent)))]
        if trouble == "spoiled" and sent:
            sent = bytes([sent[0] ^ 1]) + sent[1:]
        if trouble == "forgotten" and not isinstance(request, Create):
            cloud.forget(request.url)
        if trouble == "restored":
            cloud.restore()
        event: Event = Lost() if trouble == "lost" else cloud.answer(request, upload, sent)
        upload = on_event(upload, Lost() if trouble in {"answer lost", "cut"} else event)
        if trouble == "crash":
            # The address alone is on the disk.
            upload = Upload(upload.sha256, upload.size, upload.url, fault=upload.fault, stored=upload.stored)
        assert not (upload.stored and name not in cloud.files)
    assert upload.stored or (upload.fault == "wrong_hash" and troubles.count("spoiled") >= MAX_RESTARTS)
