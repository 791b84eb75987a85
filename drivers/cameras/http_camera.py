"""Cameras that give a picture over HTTP: a snapshot address, or a stream of pictures of which the first whole one is taken."""

import asyncio

from pydantic import Field

from drivers.api import NoAnswer, Settings, WireFault
from drivers.cameras.api import Camera, CameraKind, Still, Surroundings
from drivers.cameras.fetching import Fetcher
from drivers.cameras.login import HttpSettings, public
from drivers.cameras.multipart import PartReader, boundary_of
from drivers.cameras.pictures import still_of
from drivers.settings import own_settings


class SnapshotSettings(HttpSettings):
    """A camera that gives a picture for every request."""


class MjpegSettings(HttpSettings):
    """A camera that sends one picture after the other."""

    skip: int = Field(
        default=0, ge=0, le=50, description="Pictures to let pass, for cameras that begin with one from their memory."
    )


class SnapshotCamera:
    """One GET, one picture."""

    def __init__(self, settings: SnapshotSettings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._surroundings = surroundings

    async def take(self) -> Still:
        address = self._settings.address
        try:
            async with asyncio.timeout(self._settings.timeout_s), Fetcher.of(self._settings, self._surroundings) as fetch:
                return await snapshot(fetch, address)
        except TimeoutError:
            raise NoAnswer(f"{public(address)}: no picture in {self._settings.timeout_s:g} s") from None


async def snapshot(fetch: Fetcher, address: str) -> Still:
    """The picture at an address. Raises as `Camera.take`."""
    async with fetch.get(address) as answer:
        picture = await answer.whole()
    return await asyncio.to_thread(still_of, picture, public(address))


class MjpegCamera:
    """The first whole picture of a stream; the connection is closed behind it."""

    def __init__(self, settings: MjpegSettings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._surroundings = surroundings

    async def take(self) -> Still:
        address = self._settings.address
        try:
            async with asyncio.timeout(self._settings.timeout_s), Fetcher.of(self._settings, self._surroundings) as fetch:
                picture = await self._part(fetch, address)
        except TimeoutError:
            raise NoAnswer(f"{public(address)}: no picture in {self._settings.timeout_s:g} s") from None
        return await asyncio.to_thread(still_of, picture, public(address))

    async def _part(self, fetch: Fetcher, address: str) -> bytes:
        passed = 0
        async with fetch.get(address) as answer:
            reader = PartReader(boundary_of(answer.content_type))
            async for piece in answer.body:
                found = reader.feed(piece)
                while found is not None:
                    if passed == self._settings.skip:
                        return found
                    passed += 1
                    found = reader.feed(b"")
        raise WireFault(f"{public(address)}: the stream ended before a whole picture")


def _make_snapshot(settings: Settings, surroundings: Surroundings) -> Camera:
    return SnapshotCamera(own_settings(SnapshotSettings, settings), surroundings)


def _make_mjpeg(settings: Settings, surroundings: Surroundings) -> Camera:
    return MjpegCamera(own_settings(MjpegSettings, settings), surroundings)


SNAPSHOT = CameraKind(
    name="http",
    title="Camera with a snapshot address",
    settings=SnapshotSettings,
    make=_make_snapshot,
    models=(
        "Hikvision and its relabelled cameras: /ISAPI/Streaming/channels/1/picture",
        "Dahua and its relabelled cameras: /cgi-bin/snapshot.cgi",
        "Axis: /axis-cgi/jpg/image.cgi",
        "Any camera or program that answers a GET with a JPEG or PNG",
    ),
    sources=("RFC 9110, RFC 7616 (Digest), RFC 7617 (Basic)", "Hikvision ISAPI, Streaming/channels", "Axis VAPIX, image API"),
    notes=("Sign in as a user that may only look; Digest is the default because Basic sends the password as it is.",),
)

MJPEG = CameraKind(
    name="mjpeg",
    title="Camera with an MJPEG stream",
    settings=MjpegSettings,
    make=_make_mjpeg,
    models=("Any camera or program that answers a GET with multipart/x-mixed-replace",),
    sources=("RFC 2046, 5.1", "Netscape, An exploration of dynamic documents"),
    notes=("The connection is opened for one picture and closed behind it: nothing is recorded.",),
)
