"""USB barcode readers in HID point-of-sale mode: codes in reports, with the AIM identifier beside the text, free of layouts.

Sources: USB HID Point of Sale Usage Tables 1.02, sections 3 and 4 (bar code scanner); Access-IS and Honeywell HID POS guides
(report 2: length, three bytes of identifier, 56 of data, flags); Microscan HID guide (report 1: length, 62 of data).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from drivers.api import Codec, Decoded, Driver, DriverInfo, Kind, Malformed, Mode, Settings, Tier
from drivers.envelope import EnvelopeBuffer, Message, Stray
from drivers.scanners.aim import is_identifier
from drivers.scanners.codes import MAX_TEXT, CodeReader, CodeSettings
from drivers.scanners.one_way import OneWay
from drivers.scanners.text_encoding import TextEncoding
from drivers.settings import own_settings, read_settings

ORIGIN = "report"
SIZE = 64
"""Bytes of a report, its id included; full speed USB carries no more in one."""

WITH_IDENTIFIER = 2
PLAIN = 1
"""Ids of the reports that carry codes. All others are the device's own affairs."""

DATA_WITH_IDENTIFIER = 56
DATA_PLAIN = 62

MORE_FOLLOWS = 0x01
"""Bit of the last byte of report 2."""

NO_IDENTIFIER = frozenset({b"\x00\x00\x00", b"   "})
"""What stands in the identifier's place where the reader is set to send none."""


class HidPosSettings(CodeSettings):
    """How the reader is programmed."""

    encoding: TextEncoding = "utf-8"
    timeout_ms: int = Field(default=100, ge=10, le=2000, description="How long the next report of a long code may take.")


@dataclass(frozen=True, slots=True)
class Report:
    """One report. `more` is None where the reader does not say: a full report may be the last one or not."""

    symbology_id: str | None
    data: bytes
    more: bool | None

    @classmethod
    def from_bytes(cls, payload: bytes) -> "Report | str":
        """The report, or why it is none."""
        if len(payload) != SIZE:
            return f"a report of {len(payload)} bytes, expected {SIZE}"
        length = payload[1]
        if payload[0] == PLAIN and length <= DATA_PLAIN:
            return cls(None, payload[2 : 2 + length], None if length == DATA_PLAIN else False)
        if payload[0] == WITH_IDENTIFIER and length <= DATA_WITH_IDENTIFIER:
            identifier = payload[2:5]
            more = bool(payload[-1] & MORE_FOLLOWS)
            if identifier in NO_IDENTIFIER:
                return cls(None, payload[5 : 5 + length], more)
            text = identifier.decode("latin-1")
            return cls(text, payload[5 : 5 + length], more) if is_identifier(text) else "no AIM identifier in its place"
        return f"report {payload[0]} with length {length} carries no code"


class HidPosCodec(OneWay):
    """One reader. A code is one report, or several of which all but the last say that more follows."""

    def __init__(self, settings: HidPosSettings) -> None:
        self._encoding = settings.encoding
        self._timeout_ns = settings.timeout_ms * 1_000_000
        self._codes = CodeReader(settings)
        self._envelopes = EnvelopeBuffer()
        self._reports: list[Report] = []
        self._raw = b""
        self._heard_ns = 0

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:
        """Take envelopes, give the codes in them; empty `data` tells that the rest of a code did not come."""
        found = self._end() if self._reports and now_ns - self._heard_ns >= self._timeout_ns else []
        for item in self._envelopes.feed(data):
            self._heard_ns = now_ns
            match item:
                case Stray(raw=raw):
                    found += [*self._end(), Malformed("bytes outside an envelope", raw)]
                case Message():
                    found += self._message(item)
        return found

    def due_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - the contract's signature
        """When the rest of a code is late."""
        return self._heard_ns + self._timeout_ns if self._reports else None

    def finish(self) -> list[Decoded]:
        """What is left: a code whose last report did not say so, or reports without their last."""
        strays: list[Decoded] = [Malformed("bytes outside an envelope", rest.raw) for rest in self._envelopes.flush()]
        return [*self._end(), *strays]

    def _message(self, message: Message) -> list[Decoded]:
        report = Report.from_bytes(message.payload) if message.origin == ORIGIN else "no report"
        raw = message.to_bytes()
        if isinstance(report, str):
            return [*self._end(), Malformed(report, raw)]
        found = self._end() if self._reports and self._reports[0].symbology_id != report.symbology_id else []
        self._reports.append(report)
        self._raw += raw
        if report.more is False or sum(len(one.data) for one in self._reports) > MAX_TEXT:
            found += self._end()
        return found

    def _end(self) -> list[Decoded]:
        """The code in hand, whole or not; nothing is in hand afterwards."""
        reports, raw = self._reports, self._raw
        self._reports, self._raw = [], b""
        if not reports:
            return []
        if reports[-1].more:
            return [Malformed("the last report of the code did not come", raw)]
        data = b"".join(one.data for one in reports)
        if len(data) > MAX_TEXT:
            return [Malformed(f"a code of more than {MAX_TEXT} bytes", raw)]
        try:
            text = data.decode(self._encoding)
        except UnicodeDecodeError:
            return [Malformed(f"the text is not {self._encoding}", raw)]
        return [self._codes.read(text, raw, symbology_id=reports[0].symbology_id)]


def _make_codec(settings: Settings) -> Codec:
    return HidPosCodec(own_settings(HidPosSettings, settings))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    codec = HidPosCodec(read_settings(HidPosSettings, values))
    return [*codec.receive(capture, 0), *codec.finish()]


DRIVER = Driver(
    info=DriverInfo(
        name="hid-pos-scanner",
        title="Barcode reader in USB HID point-of-sale mode",
        kinds=frozenset({Kind.CODE}),
        transports=("hidraw",),
        models=(
            "Readers in USB HID POS mode (usage page 0x8C) with report 2: Access-IS, Honeywell, Zebra, Datalogic",
            "Microscan and Omron readers with report 1",
        ),
        sources=(
            "USB HID Point of Sale Usage Tables 1.02, sections 3 and 4",
            "Access-IS and Honeywell HID POS guides, input report 2",
            "Microscan HID guide, input report 1",
        ),
        modes=(Mode.AUTOPRINT,),
        tier=Tier.BRONZE,
        notes=(
            "The mode must be programmed with a menu code of the reader's manual; keyboard mode is how most are shipped.",
            "Keyboard layouts play no part, and the separator of GS1 codes arrives as it is.",
        ),
    ),
    settings=HidPosSettings,
    make_codec=_make_codec,
    decode=_decode,
)
