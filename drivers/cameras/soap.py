"""The four ONVIF calls that lead to a snapshot address: what is sent, and what is read in the answers. No I/O.

Sources: ONVIF Core Specification 5.9.2 (WS-UsernameToken) and 8.3.5 (GetSystemDateAndTime); ONVIF Media Service Specification
5.2 (profiles) and 5.10.1 (GetSnapshotUri); OASIS WS-Security UsernameToken Profile 1.1, 3.1.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from drivers.api import DeviceRefused, WireFault
from drivers.cameras.xmltext import text_of

CONTENT_TYPE = "application/soap+xml; charset=utf-8"

SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
DEVICE = "{http://www.onvif.org/ver10/device/wsdl}"
MEDIA = "{http://www.onvif.org/ver10/media/wsdl}"
SCHEMA = "{http://www.onvif.org/ver10/schema}"

_SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_DIGEST = f"{_SECURITY}-username-token-profile-1.0#PasswordDigest"
_BASE64 = f"{_SECURITY}-soap-message-security-1.0#Base64Binary"

GET_TIME = '<GetSystemDateAndTime xmlns="http://www.onvif.org/ver10/device/wsdl"/>'
GET_MEDIA = '<GetCapabilities xmlns="http://www.onvif.org/ver10/device/wsdl"><Category>Media</Category></GetCapabilities>'
GET_PROFILES = '<GetProfiles xmlns="http://www.onvif.org/ver10/media/wsdl"/>'


def get_snapshot_uri(profile: str) -> str:
    """Body of the call for a profile's snapshot address."""
    token = f"<ProfileToken>{escape(profile)}</ProfileToken>"
    return f'<GetSnapshotUri xmlns="http://www.onvif.org/ver10/media/wsdl">{token}</GetSnapshotUri>'


@dataclass(frozen=True, slots=True)
class Token:
    """Who asks, in a form that is good for seconds: the camera compares `created` with its own clock."""

    user: str
    password: str
    nonce: bytes
    created: datetime

    def xml(self) -> str:
        """The security header. The digest is SHA-1 over nonce, time and password (UsernameToken 3.1)."""
        created = self.created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        # SHA-1 is what the specification says.
        digest = hashlib.sha1(self.nonce + created.encode() + self.password.encode(), usedforsecurity=False).digest()
        return (
            f'<Security s:mustUnderstand="1" xmlns="{_SECURITY}-wssecurity-secext-1.0.xsd"><UsernameToken>'
            f"<Username>{escape(self.user)}</Username>"
            f"<Password Type={quoteattr(_DIGEST)}>{base64.b64encode(digest).decode()}</Password>"
            f"<Nonce EncodingType={quoteattr(_BASE64)}>{base64.b64encode(self.nonce).decode()}</Nonce>"
            f'<Created xmlns="{_SECURITY}-wssecurity-utility-1.0.xsd">{created}</Created>'
            "</UsernameToken></Security>"
        )


def envelope(body: str, token: Token | None = None) -> bytes:
    """One call."""
    header = f"<s:Header>{token.xml()}</s:Header>" if token is not None else ""
    text = f'<s:Envelope xmlns:s="{SOAP[1:-1]}">{header}<s:Body>{body}</s:Body></s:Envelope>'
    return f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()


def body_of(root: ET.Element) -> ET.Element:
    """What the answer holds. Raises DeviceRefused with the fault's own code, or WireFault."""
    body = root.find(f"{SOAP}Body")
    if root.tag != f"{SOAP}Envelope" or body is None:
        raise WireFault("an answer that is no SOAP 1.2 envelope")
    fault = body.find(f"{SOAP}Fault")
    if fault is not None:
        subcode = f"{SOAP}Code/{SOAP}Subcode/"
        code = text_of(fault, f"{subcode}{SOAP}Subcode/{SOAP}Value") or text_of(fault, f"{subcode}{SOAP}Value")
        code = (code or text_of(fault, f"{SOAP}Code/{SOAP}Value") or "fault").rpartition(":")[2][:60]
        raise DeviceRefused(f"the camera refused: {code}", code=code)
    return body


def camera_time(body: ET.Element) -> datetime | None:
    """What the camera's clock says, in UTC; None when it does not say."""
    at = body.find(f"{DEVICE}GetSystemDateAndTimeResponse/{DEVICE}SystemDateAndTime/{SCHEMA}UTCDateTime")
    if at is None:
        return None
    names = ("Date/Year", "Date/Month", "Date/Day", "Time/Hour", "Time/Minute", "Time/Second")
    texts = [text_of(at, "/".join(f"{SCHEMA}{part}" for part in name.split("/"))) or "" for name in names]
    if not all(text.isascii() and text.isdigit() and len(text) <= 4 for text in texts):
        return None
    year, month, day, hour, minute, second = map(int, texts)
    try:
        # Clocks of cameras say second 60 now and then.
        return datetime(year, month, day, hour, minute, tzinfo=UTC) + timedelta(seconds=min(second, 60))
    except (ValueError, OverflowError):
        return None


def media_address(body: ET.Element) -> str | None:
    """Where the media service is; None for a camera that does not say."""
    path = f"{DEVICE}GetCapabilitiesResponse/{DEVICE}Capabilities/{SCHEMA}Media/{SCHEMA}XAddr"
    return text_of(body, path)


def profiles(body: ET.Element) -> list[str]:
    """Tokens of the camera's profiles, in its own order."""
    found = body.findall(f"{MEDIA}GetProfilesResponse/{MEDIA}Profiles")
    return [token for profile in found if (token := profile.get("token"))]


def snapshot_uri(body: ET.Element) -> str:
    """The snapshot address. Raises WireFault when the answer has none."""
    found = text_of(body, f"{MEDIA}GetSnapshotUriResponse/{MEDIA}MediaUri/{SCHEMA}Uri")
    if found is None:
        raise WireFault("the camera names no snapshot address")
    return found
