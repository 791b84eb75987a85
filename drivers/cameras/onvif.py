"""ONVIF cameras: ask the camera where its snapshot is, then fetch it. What it answers is believed for its path only."""

import asyncio
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit
from xml.etree import ElementTree as ET

import httpx
from pydantic import Field

from drivers.api import DeviceRefused, NoAnswer, Settings, SettingsFault, WireFault
from drivers.cameras import soap
from drivers.cameras.api import Camera, CameraKind, Still, Surroundings
from drivers.cameras.fetching import Fetcher
from drivers.cameras.http_camera import snapshot
from drivers.cameras.login import HttpSettings, password, public
from drivers.cameras.xmltext import MAX_XML, read_xml
from drivers.settings import own_settings

NONCE_BYTES = 16


class OnvifSettings(HttpSettings):
    """`address` is the camera's device service, mostly http://camera/onvif/device_service."""

    profile: str | None = Field(
        default=None, max_length=64, description="Token of the profile to take pictures of; the camera's first when empty."
    )


class OnvifCamera:
    """Four short calls and a picture. The snapshot address is asked for anew each time: some cameras give one for a while."""

    def __init__(self, settings: OnvifSettings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._surroundings = surroundings

    async def take(self) -> Still:
        settings = self._settings
        try:
            async with asyncio.timeout(settings.timeout_s), Fetcher.of(settings, self._surroundings) as fetch:
                return await snapshot(fetch, await self._snapshot_address(fetch))
        except TimeoutError:
            raise NoAnswer(f"{public(settings.address)}: no picture in {settings.timeout_s:g} s") from None

    async def _snapshot_address(self, fetch: Fetcher) -> str:
        address = self._settings.address
        secret = password(self._settings, self._surroundings.environ)
        said = soap.camera_time(await self._call(fetch, address, soap.GET_TIME))
        ahead = timedelta() if said is None else said - self._now()

        async def ask(where: str, body: str) -> ET.Element:
            return await self._call(fetch, where, body, self._token(secret, ahead))

        media = soap.media_address(await ask(address, soap.GET_MEDIA))
        media = address if media is None else on_same_host(media, address)
        wanted = self._settings.profile
        found = soap.profiles(await ask(media, soap.GET_PROFILES))
        if not found:
            raise DeviceRefused(f"{public(address)}: the camera has no profile", code="no_profile")
        if wanted is not None and wanted not in found:
            raise SettingsFault(f"profile: the camera has none called {wanted}", setting="profile")
        uri = soap.snapshot_uri(await ask(media, soap.get_snapshot_uri(wanted or found[0])))
        return on_same_host(uri, address)

    async def _call(self, fetch: Fetcher, address: str, body: str, token: soap.Token | None = None) -> ET.Element:
        status, answer = await fetch.post(address, soap.envelope(body, token), content_type=soap.CONTENT_TYPE, cap=MAX_XML)
        try:
            return soap.body_of(read_xml(answer))
        except WireFault as exc:
            if status == httpx.codes.OK:
                raise
            raise DeviceRefused(f"{public(address)}: refused, HTTP {status}", code=str(status)) from exc

    def _token(self, secret: str, ahead: timedelta) -> soap.Token | None:
        """The camera takes a token of within seconds of its own clock, which is rarely right: its time is used, not ours."""
        if not self._settings.user:
            return None
        nonce = self._surroundings.entropy(NONCE_BYTES)
        return soap.Token(self._settings.user, secret, nonce, self._now() + ahead)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._surroundings.wall_ns() / 1e9, UTC)


def on_same_host(found: str, asked: str) -> str:
    """An address that a camera gave, at the host where it was asked.

    Behind a router cameras name an address of their own network; and a sign-in must not go wherever an answer says.
    Raises WireFault for what is no address.
    """
    try:
        there, here = urlsplit(found), urlsplit(asked)
    except ValueError:
        raise WireFault("the camera names an address that is none") from None
    if there.scheme not in {"http", "https"} or here.scheme == "https":
        return urlunsplit((here.scheme, here.netloc, there.path, there.query, ""))
    if there.hostname == here.hostname:
        return urlunsplit((there.scheme, there.netloc.rpartition("@")[2], there.path, there.query, ""))
    return urlunsplit((here.scheme, here.netloc, there.path, there.query, ""))


def _make(settings: Settings, surroundings: Surroundings) -> Camera:
    return OnvifCamera(own_settings(OnvifSettings, settings), surroundings)


ONVIF = CameraKind(
    name="onvif",
    title="ONVIF camera",
    settings=OnvifSettings,
    make=_make,
    models=("Cameras with ONVIF profile S or T and a snapshot address",),
    sources=(
        "ONVIF Core Specification, 5.9.2, 8.3.5",
        "ONVIF Media Service Specification, 5.2, 5.10.1",
        "OASIS Web Services Security, UsernameToken Profile 1.1, 3.1",
    ),
    notes=(
        "Many cameras keep an ONVIF user of their own: the page's user is refused until one is made there.",
        "The camera's clock may be wrong; the box uses its time to sign in.",
    ),
)
