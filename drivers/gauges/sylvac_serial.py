"""Sylvac instruments on a serial line or USB: the display is asked for, or comes at the instrument's button.

A line carries digits only. The instrument is asked for its unit as well, and while it says another one than is configured no
value is taken from it. Sources as in `sylvac_lines`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from drivers.api import Codec, Decoded, Driver, DriverInfo, Identity, Kind, Mode, Reading, Refused, Settings, Status, Tier
from drivers.framing import FrameBuffer
from drivers.gauges.sylvac_lines import ASK, ASK_UNIT, ASKING, COMMANDS, LineRules, read_line
from drivers.gauges.values import GaugeSettings, is_value
from drivers.settings import own_settings, read_settings
from drivers.talk import Command, Talk, TalkCodec, decode_frames

MAX_FRAME = 80
"""Bytes. Values have 10, names and settings under 40."""

UNIT_EVERY = 10
"""Questions for the value between two for the unit: a change at the keys shows within seconds."""

UNIT_INTERVAL_NS = 5_000_000_000
"""Between two questions for the unit where values are not asked for."""


class SylvacLineSettings(GaugeSettings):
    """How the lines of a Sylvac instrument are asked for, whatever carries them."""

    mode: Literal["poll", "autoprint"]
    interval_ms: int = Field(default=250, ge=50, le=60_000, description="Milliseconds between two questions, in the mode poll.")
    ask_unit: bool = Field(
        default=True,
        description="Whether the instrument is asked for its unit too, where it is asked at all; older ones do not know that.",
    )


class SylvacSettings(SylvacLineSettings):
    """How a Sylvac instrument is asked."""

    mode: Literal["poll", "autoprint"] = Field(
        default="poll", description="poll: the box asks again and again; autoprint: the instrument sends at its own button."
    )


@dataclass(slots=True)
class UnitGuard:
    """Holds values back from the answer that names another unit until one that names the configured one."""

    other: str | None = None

    def pass_on(self, decoded: Decoded) -> Decoded:
        if isinstance(decoded, Refused) and decoded.code == "unit":
            self.other = decoded.reason
        elif isinstance(decoded, Status) and decoded.text.startswith("unit "):
            self.other = None
        elif isinstance(decoded, Reading) and self.other is not None:
            return Refused("unit", self.other, decoded.raw)
        return decoded


class SylvacCodec:
    """A conversation in which every tenth question is for the unit."""

    def __init__(self, settings: SylvacLineSettings, *, two_way: bool = False) -> None:
        """`two_way` for links on which an instrument that sends at its button is asked for its unit all the same."""
        self._guard = UnitGuard()
        self._talk = TalkCodec(_talk(settings, two_way=two_way))
        self._unit_every = UNIT_EVERY if settings.ask_unit and settings.mode == "poll" else 0
        self._asked = 0

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:
        """Take bytes, give what the lines mean."""
        return [self._guard.pass_on(item) for item in self._talk.receive(data, now_ns)]

    def poll(self, now_ns: int) -> bytes | None:
        """The question for the value, or in its place the one for the unit."""
        request = self._talk.poll(now_ns)
        if request != ASK or not self._unit_every:
            return request
        self._asked += 1
        return ASK_UNIT if self._asked % self._unit_every == 1 else request

    def due_ns(self, now_ns: int) -> int | None:
        """As the conversation."""
        return self._talk.due_ns(now_ns)

    def overdue(self, now_ns: int) -> bool:
        """As the conversation."""
        return self._talk.overdue(now_ns)

    def command(self, name: str, argument: str | None = None) -> bytes:
        """As the conversation. Raises SettingsFault."""
        return self._talk.command(name, argument)

    def finish(self) -> list[Decoded]:
        """The input has ended."""
        return self._talk.finish()


def _talk(settings: SylvacLineSettings, *, two_way: bool = False) -> Talk:
    rules = LineRules(settings.unit, settings.decimals)
    polled = settings.mode == "poll"

    def read(raw: bytes, asked: str | None) -> Sequence[Decoded]:
        return [read_line(raw, raw.strip(b"\r\n").decode("latin-1"), asked, rules)]

    return Talk(
        framer=lambda: FrameBuffer((b"\r", b"\x8d"), MAX_FRAME),
        read=read,
        ask=ASK if polled else ASK_UNIT if two_way and settings.ask_unit else None,
        interval_ns=settings.interval_ms * 1_000_000 if polled else UNIT_INTERVAL_NS,
        commands={
            "print": Command(ASK, confirms=lambda item: is_value(item) or isinstance(item, Refused)),
            **{name: Command(send, answered=False) for name, send in COMMANDS.items()},
            **{name: Command(send, confirms=_is_text) for name, send in ASKING.items()},
        },
    )


def _is_text(item: Decoded) -> bool:
    return isinstance(item, Identity | Status | Refused)


def _make_codec(settings: Settings) -> Codec:
    return SylvacCodec(own_settings(SylvacSettings, settings))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    guard = UnitGuard()
    return [guard.pass_on(item) for item in decode_frames(_talk(read_settings(SylvacSettings, values)), capture)]


DRIVER = Driver(
    info=DriverInfo(
        name="sylvac-serial",
        title="Sylvac instrument on a serial line or USB",
        kinds=frozenset({Kind.LENGTH}),
        transports=("serial", "tcp"),
        models=(
            "Sylvac S_Dial, S_Cal, S_Mike with RS-232 or USB cable",
            "Sylvac Z_CAL height gauges",
            "Sylvac D50, D80, D100, D200, D300 display units",
        ),
        sources=("Sylvac Power operating instructions, p. 15", "Sylvac Z_CAL user's manual, p. 10"),
        serial_defaults={"baudrate": 4800, "bytesize": 7, "parity": "E", "stopbits": 2},
        commands=("print", *COMMANDS, *ASKING),
        modes=(Mode.POLL, Mode.AUTOPRINT),
        tier=Tier.NONE,
        notes=(
            "Newer USB cables and displays use 9600 baud, 8 data bits, no parity.",
            "While the instrument says another unit than is configured, every value is refused.",
            "The tolerance mark is kept with the value; nothing says whether the tip is at rest.",
        ),
    ),
    settings=SylvacSettings,
    make_codec=_make_codec,
    decode=_decode,
)
