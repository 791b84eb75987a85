"""Sartorius xBPI: binary questions and answers; whose side of the range was left is asked for separately.

Owns what is sent and when; the frames are read in `xbpi_frames`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from pydantic import Field

from drivers.api import Codec, Decoded, Driver, DriverInfo, Flag, Kind, Malformed, Mode, Reading, Refused, Settings, Tier
from drivers.scales.lab.family import AskedSettings
from drivers.scales.lab.lines import identifies
from drivers.scales.lab.xbpi_frames import XbpiFramer, is_whole, read_frame, request
from drivers.settings import own_settings, read_settings
from drivers.talk import Command, Talk, TalkCodec

NET, GROSS, TARE_VALUE, STATUS_BLOCK = 0x1E, 0x20, 0x22, 0x30
SERIAL, MODEL = 0x01, 0x02
TARE, ZERO = 0x14, 0x18
"""Opcodes (sartoriuslib docs/protocol.md section 7)."""

ANSWER_TIMEOUT_NS = 2_000_000_000

PAUSE_NS = 500_000_000
"""A gap inside a frame for longer than this is its end: twice what the longest frame takes at 1200 baud."""

SIDES = frozenset({Flag.OVERLOAD, Flag.UNDERLOAD})


class SartoriusXbpiSettings(AskedSettings):
    """How a Sartorius balance in xBPI mode is asked."""

    host_number: int = Field(default=1, ge=0, le=255, description="Bus number of the box in its questions (1 by convention).")
    bus_number: int = Field(
        default=9,
        ge=0,
        le=255,
        description="Bus number of the balance; 9 is the factory's, which a balance alone always hears.",
    )


def _read(frame: bytes, asked: str | None) -> Sequence[Decoded]:
    # A pause ends what is buffered, whatever it is.
    return [read_frame(frame, asked) if is_whole(frame) else Malformed("frame without its end", frame)]


def _is_reading(decoded: Decoded) -> bool:
    return isinstance(decoded, Reading | Refused)


def _talk(settings: SartoriusXbpiSettings) -> Talk:
    ask = partial(request, source=settings.host_number, target=settings.bus_number)
    return Talk(
        framer=XbpiFramer,
        read=_read,
        idle_ns=PAUSE_NS,
        ask=ask(NET),
        interval_ns=settings.interval_ns,
        answer_timeout_ns=ANSWER_TIMEOUT_NS,
        commands={
            "zero": Command(ask(ZERO), ANSWER_TIMEOUT_NS),
            "tare": Command(ask(TARE), ANSWER_TIMEOUT_NS),
            "gross": Command(ask(GROSS), ANSWER_TIMEOUT_NS, confirms=_is_reading),
            "tare_value": Command(ask(TARE_VALUE), ANSWER_TIMEOUT_NS, confirms=_is_reading),
            "identify": Command(ask(SERIAL), ANSWER_TIMEOUT_NS, confirms=identifies),
            "model": Command(ask(MODEL), ANSWER_TIMEOUT_NS, confirms=identifies),
        },
        answers_question=_is_reading,
    )


class XbpiCodec:
    """A balance in xBPI mode. Off the scale, every second question is for the side on which it is."""

    def __init__(self, settings: SartoriusXbpiSettings) -> None:
        self._talk = TalkCodec(_talk(settings))
        self._which_side = request(STATUS_BLOCK, source=settings.host_number, target=settings.bus_number)
        self._side: Flag | None = None
        self._wants_side = False

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:
        """Take bytes, give the frames in them."""
        return [self._with_side(item) for item in self._talk.receive(data, now_ns)]

    def poll(self, now_ns: int) -> bytes | None:
        """The net weight at the interval, or what the balance says of its range."""
        asked = self._talk.poll(now_ns)
        if asked is None or not self._wants_side:
            return asked
        self._wants_side = False
        return self._which_side

    def due_ns(self, now_ns: int) -> int | None:
        """As the conversation."""
        return self._talk.due_ns(now_ns)

    def overdue(self, now_ns: int) -> bool:
        """Whether an answer is late."""
        return self._talk.overdue(now_ns)

    def command(self, name: str, argument: str | None = None) -> bytes:
        """Bytes of a command. Raises SettingsFault for another name."""
        return self._talk.command(name, argument)

    def finish(self) -> list[Decoded]:
        """What is left is a frame without its end."""
        return self._talk.finish()

    def _with_side(self, item: Decoded) -> Decoded:
        if not isinstance(item, Reading):
            return item
        if Flag.STATUS in item.flags:
            self._side = next(iter(item.flags & SIDES), None)
        elif Flag.UNAVAILABLE not in item.flags:
            self._side = None
        else:
            self._wants_side = True
            if self._side is not None:
                return replace(item, flags=item.flags | {self._side})
        return item


def _make_codec(settings: Settings) -> Codec:
    return XbpiCodec(own_settings(SartoriusXbpiSettings, settings))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    codec = XbpiCodec(read_settings(SartoriusXbpiSettings, values))
    return [*codec.receive(capture, 0), *codec.finish()]


DRIVER = Driver(
    info=DriverInfo(
        name="sartorius-xbpi",
        title="Sartorius xBPI",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=("Sartorius Cubis MSE, Secura, Quintix, BCE balances and WZA weigh cells in xBPI mode",),
        sources=("sartoriuslib 0.4.3, docs/protocol.md (found out on MSE1203S, WZA8202-N and BCE3202-1S)",),
        serial_defaults={"baudrate": 9600, "bytesize": 8, "parity": "O", "stopbits": 1},
        commands=("zero", "tare", "gross", "tare_value", "identify", "model"),
        tier=Tier.BRONZE,
        modes=(Mode.POLL,),
        notes=(
            "Balances leave the factory in SBI mode; xBPI is chosen in the menu (data record xBPI).",
            "Line rate as shipped: 19200 for Cubis MSE, 9600 for BCE, 1200 for WZA; always 8 data bits and odd parity.",
            "Values come as 32-bit floats; the digits of the display are restored, and a value with too many is refused.",
        ),
        unofficial=True,
    ),
    settings=SartoriusXbpiSettings,
    make_codec=_make_codec,
    decode=_decode,
)
