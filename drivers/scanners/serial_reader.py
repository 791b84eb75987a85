"""Barcode readers on a serial line or USB-CDC: framing, text encoding, AIM identifier, and what the code means.

Sources: Honeywell, Zebra and Datalogic product reference guides, chapters on serial interface, prefix and suffix.
"""

import codecs
from collections.abc import Mapping, Sequence

from pydantic import Field, field_validator

from drivers.api import Codec, Decoded, Driver, DriverInfo, Kind, Malformed, Mode, Settings, Tier
from drivers.framing import PARITIES, Frame, FrameBuffer, parity_of, with_parity
from drivers.scanners.codes import TypedSettings, typed_codes
from drivers.scanners.one_way import OneWay
from drivers.scanners.text_encoding import TextEncoding
from drivers.settings import own_settings, read_settings

MAX_FRAME = 8192
"""Bytes. The fullest symbol, QR version 40, holds 7,089 digits; prefix, identifier and suffix come on top."""

DIGITS_WITH_PARITY = frozenset(range(0xB0, 0xBA))
"""A digit with bit 7 set. No letter of the encodings above, so a frame full of them was sent with 7 data bits."""


class ScannerSettings(TypedSettings):
    """How the reader is programmed. `suffix` empty: a code ends with silence of `idle_ms`."""

    prefix: str = Field(default="", max_length=8, description="What the reader sends in front of each code.")
    suffix: str = Field(default="\r", max_length=4, description="What ends each code; empty: silence does.")
    idle_ms: int = Field(default=100, ge=10, le=2000, description="Silence that ends a code without a suffix.")
    encoding: TextEncoding = "utf-8"

    @field_validator("prefix", "suffix")
    @classmethod
    def _latin(cls, text: str) -> str:
        if any(ord(char) > 0xFF for char in text):
            raise ValueError("one byte a character: control characters or ISO-8859-1")
        return text

    @field_validator("separators")
    @classmethod
    def _single_characters(cls, given: str | tuple[str, ...]) -> tuple[str, ...]:
        if any(len(char) != 1 for char in given):
            raise ValueError("single characters expected")
        return tuple(given)


class SerialReaderCodec(OneWay):
    """One reader. It is never asked anything, so it owes nothing."""

    def __init__(self, settings: ScannerSettings) -> None:
        self._settings = settings
        self._prefix = settings.prefix.encode("latin-1")
        self._suffix = settings.suffix.encode("latin-1")
        self._ends_with_parity = {with_parity(self._suffix, parity) for parity in PARITIES} - {self._suffix}
        self._frames = FrameBuffer((self._suffix,) if self._suffix else (), MAX_FRAME, also=self._with_parity)
        self._idle_ns = settings.idle_ms * 1_000_000
        self._heard_ns = 0
        self._codes = typed_codes(settings)

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:
        """Take bytes, give the codes in them; empty `data` lets a code without a suffix end."""
        found: list[Decoded] = []
        if not self._suffix and len(self._frames) and now_ns - self._heard_ns >= self._idle_ns:
            found += self.finish()
        if data:
            self._heard_ns = now_ns
            for frame in self._frames.feed(data):
                found += self._decode(frame)
        return found

    def due_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - the contract's signature
        """The end of the silence that ends a code, where codes end so."""
        return None if self._suffix or not len(self._frames) else self._heard_ns + self._idle_ns

    def finish(self) -> list[Decoded]:
        """What is left: a code where silence ends codes, else a code without its suffix."""
        rest = self._frames.flush()
        if rest is None:
            return []
        if not self._suffix and len(rest.raw) < MAX_FRAME:
            return self._decode(Frame(rest.raw, ended=True))
        return self._decode(rest)

    def _with_parity(self, buffered: bytes) -> int | None:
        """Length of a code in front whose suffix carries a parity bit too; else the fault would show at the cap only."""
        found = [size for end in self._ends_with_parity if (size := self._faulty(buffered, end)) is not None]
        return min(found, default=None)

    def _faulty(self, buffered: bytes, end: bytes) -> int | None:
        at = buffered.find(end)
        while at >= 0:
            if _parity(buffered[: at + len(end)], self._settings.encoding, whole=False) is not None:
                return at + len(end)
            at = buffered.find(end, at + 1)
        return None

    def _decode(self, frame: Frame) -> list[Decoded]:
        raw = frame.raw
        if (parity := _parity(raw, self._settings.encoding)) is not None:
            return [Malformed(f"line setting: bytes carry {parity} parity in bit 7; the reader sends 7 data bits", raw)]
        if not frame.ended:
            reason = f"no suffix within {MAX_FRAME} bytes" if len(raw) >= MAX_FRAME else "code without its suffix"
            return [Malformed(reason, raw)]
        body = raw.removesuffix(self._suffix)
        if self._suffix == b"\r":
            body = body.lstrip(b"\n")  # the rest of a CR LF, whose CR already ended the code before
        if not self._prefix:
            return [self._code(body, raw)]
        before, found, body = body.partition(self._prefix)
        if not found:
            return [Malformed("code without its prefix", raw)]
        noise: list[Decoded] = [Malformed("bytes in front of the prefix", before)] if before else []
        return [*noise, self._code(body, raw[len(before) :])]

    def _code(self, body: bytes, raw: bytes) -> Decoded:
        if not body:
            return Malformed("empty code", raw)
        try:
            text = body.decode(self._settings.encoding)
        except UnicodeDecodeError:
            return Malformed(f"line setting: the text is not {self._settings.encoding}", raw)
        return self._codes.read(text, raw)


def _parity(raw: bytes, encoding: str, *, whole: bool = True) -> str | None:
    """`even` or `odd` when the frame can only be 7-bit data with a parity bit. Not `whole`: its last character may go on."""
    parity = parity_of(raw)
    if parity is None or not DIGITS_WITH_PARITY & set(raw):
        return None
    if encoding == "utf-8":
        try:
            codecs.getincrementaldecoder("utf-8")().decode(raw, final=whole)
        except UnicodeDecodeError:
            return parity
        return None
    return parity


def _make_codec(settings: Settings) -> Codec:
    return SerialReaderCodec(own_settings(ScannerSettings, settings))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    codec = SerialReaderCodec(read_settings(ScannerSettings, values))
    return [*codec.receive(capture, 0), *codec.finish()]


DRIVER = Driver(
    info=DriverInfo(
        name="serial-scanner",
        title="Barcode reader on a serial line",
        kinds=frozenset({Kind.CODE}),
        transports=("serial", "tcp"),
        models=("Readers in serial or USB-CDC (virtual COM) mode: Honeywell, Zebra, Datalogic, Newland, Opticon and others",),
        sources=(
            "ISO/IEC 15424:2008, table 1 (AIM symbology identifiers)",
            "GS1 General Specifications, ch. 3, 5.11, 7.8, 7.9, 7.12",
            "Honeywell, Zebra and Datalogic product reference guides, serial interface and suffix chapters",
        ),
        serial_defaults={"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1},
        commands=(),
        modes=(Mode.AUTOPRINT,),
        tier=Tier.BRONZE,
    ),
    settings=ScannerSettings,
    make_codec=_make_codec,
    decode=_decode,
)
