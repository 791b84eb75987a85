"""The camera's side of ONVIF: date and time for everybody; media address, profiles and snapshot address for who signs in.

Sources: ONVIF Core Specification 5.9.2, 8.3.5; ONVIF Media Service Specification 5.2, 5.10.1; UsernameToken Profile 1.1, 3.1.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from firmware_sim.camera import SNAPSHOT, CameraOptions

DEVICE_SERVICE = "/onvif/device_service"
MEDIA_SERVICE = "/onvif/media_service"

PROFILES = ("Profile_1", "Profile_2")

LATE_S = 5.0
"""How far a token's time may be from the camera's clock."""

MAX_NONCES = 1000
"""Nonces remembered against a token that is sent twice."""

_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_DEVICE = "http://www.onvif.org/ver10/device/wsdl"
_MEDIA = "http://www.onvif.org/ver10/media/wsdl"
_SCHEMA = "http://www.onvif.org/ver10/schema"
_ERROR = "http://www.onvif.org/ver10/error"
_WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
_WSU = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}"


class OnvifService:
    """Answers calls. `inside` is the address that the camera believes to have, as cameras behind a router do."""

    def __init__(self, options: CameraOptions, inside: str) -> None:
        self._options = options
        self._inside = inside
        self._nonces: list[bytes] = []

    def answer(self, body: bytes, wall_ns: int) -> tuple[int, bytes]:
        """HTTP status and envelope of the answer to a call."""
        now = datetime.fromtimestamp(wall_ns / 1e9 + self._options.clock_ahead_s, UTC)
        try:
            root = ET.fromstring(body)  # noqa: S314 - whoever asks a simulator is a test
        except ET.ParseError:
            return self._fault("ter:WellFormed")
        asked = next(iter(root.find(f"{{{_SOAP}}}Body") or []), None)
        if asked is None:
            return self._fault("ter:UnknownAction")
        call = asked.tag.rpartition("}")[2]
        if call == "GetSystemDateAndTime":
            return 200, _envelope(_time(now))
        if not self._may(root, now):
            return self._fault("ter:NotAuthorized")
        token = asked.findtext(f"{{{_MEDIA}}}ProfileToken")
        match call:
            case "GetCapabilities":
                return 200, _envelope(self._capabilities())
            case "GetProfiles":
                return 200, _envelope(_profiles())
            case "GetSnapshotUri" if token in PROFILES:
                return 200, _envelope(self._snapshot_uri())
            case "GetSnapshotUri":
                return self._fault("ter:NoProfile")
        return self._fault("ter:ActionNotSupported")

    def _may(self, root: ET.Element, now: datetime) -> bool:
        if not self._options.user:
            return True
        token = root.find(f"{{{_SOAP}}}Header/{_WSSE}Security/{_WSSE}UsernameToken")
        if token is None:
            return False
        said, created = token.findtext(f"{_WSSE}Password") or "", token.findtext(f"{_WSU}Created") or ""
        try:
            nonce = base64.b64decode(token.findtext(f"{_WSSE}Nonce") or "", validate=True)
            at = datetime.fromisoformat(created)
        except (binascii.Error, ValueError):
            return False
        if nonce in self._nonces or at.tzinfo is None or abs((at - now).total_seconds()) > LATE_S:
            return False
        self._nonces = [*self._nonces[-MAX_NONCES:], nonce]
        raw = nonce + created.encode() + self._options.password.encode()
        wanted = base64.b64encode(hashlib.sha1(raw, usedforsecurity=False).digest()).decode()
        return token.findtext(f"{_WSSE}Username") == self._options.user and hmac.compare_digest(said, wanted)

    def _capabilities(self) -> str:
        address = f"<tt:Media><tt:XAddr>{self._inside}{MEDIA_SERVICE}</tt:XAddr></tt:Media>"
        return f"<tds:GetCapabilitiesResponse><tds:Capabilities>{address}</tds:Capabilities></tds:GetCapabilitiesResponse>"

    def _snapshot_uri(self) -> str:
        uri = f"<tt:Uri>{self._inside}{SNAPSHOT}</tt:Uri><tt:Timeout>PT0S</tt:Timeout>"
        return f"<trt:GetSnapshotUriResponse><trt:MediaUri>{uri}</trt:MediaUri></trt:GetSnapshotUriResponse>"

    def _fault(self, code: str) -> tuple[int, bytes]:
        value = f"<s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>{code}</s:Value></s:Subcode></s:Code>"
        return 400, _envelope(f'<s:Fault>{value}<s:Reason><s:Text xml:lang="en">refused</s:Text></s:Reason></s:Fault>')


def _time(now: datetime) -> str:
    clock = f"<tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second>"
    day = f"<tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day>"
    utc = f"<tt:UTCDateTime><tt:Time>{clock}</tt:Time><tt:Date>{day}</tt:Date></tt:UTCDateTime>"
    inner = f"<tds:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType>{utc}</tds:SystemDateAndTime>"
    return f"<tds:GetSystemDateAndTimeResponse>{inner}</tds:GetSystemDateAndTimeResponse>"


def _profiles() -> str:
    listed = "".join(f'<trt:Profiles token="{name}" fixed="true"><tt:Name>{name}</tt:Name></trt:Profiles>' for name in PROFILES)
    return f"<trt:GetProfilesResponse>{listed}</trt:GetProfilesResponse>"


def _envelope(body: str) -> bytes:
    names = f'xmlns:s="{_SOAP}" xmlns:tds="{_DEVICE}" xmlns:trt="{_MEDIA}" xmlns:tt="{_SCHEMA}" xmlns:ter="{_ERROR}"'
    return f'<?xml version="1.0" encoding="utf-8"?><s:Envelope {names}><s:Body>{body}</s:Body></s:Envelope>'.encode()
