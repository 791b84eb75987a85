"""Sylvac instruments over Bluetooth, metrology service: the lines of the serial instruments, strictly question and answer.

Data sent at the instrument's button comes on one characteristic, answers on another, questions go to a third. What the lines
mean is in `drivers.gauges.sylvac_lines`. Source: Sylvac Bluetooth developer documentation, SMS profile; Sylvac Power, p. 15.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field

from drivers.api import Codec, Decoded, Driver, DriverInfo, Kind, Malformed, Mode, Settings, Tier
from drivers.ble.conversation import BleCodec, Conversation, subscribe
from drivers.ble.uuids import ABSENT
from drivers.envelope import EnvelopeBuffer, Message, Stray
from drivers.gauges.sylvac_lines import ASKING, COMMANDS
from drivers.gauges.sylvac_serial import SylvacCodec, SylvacLineSettings
from drivers.settings import own_settings, read_settings

_BASE = "-caaf-6d0e-4c33-7dae30052840"
SERVICE = f"c1b25000{_BASE}"
BUTTON = f"c1b25010{_BASE}"
QUESTION = f"c1b25012{_BASE}"
ANSWER = f"c1b25013{_BASE}"

MAX_LINE = 128
"""Bytes of one message: names and settings stay under 40."""


class SylvacSmsSettings(SylvacLineSettings):
    """A Sylvac instrument with the metrology service."""

    mode: Literal["poll", "autoprint"] = Field(
        default="autoprint",
        description="autoprint: the instrument sends at its own button; poll: the box asks again and again.",
    )


class SylvacSmsCodec:
    """The serial conversation, each line in an envelope."""

    def __init__(self, settings: SylvacSmsSettings) -> None:
        self._line = SylvacCodec(settings, two_way=True)
        self._link = BleCodec(Conversation(readers={}, wanted=(BUTTON, QUESTION, ANSWER), start=subscribe(BUTTON, ANSWER)))
        self._envelopes = EnvelopeBuffer()
        self._done: list[Decoded] = []

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:
        """Take envelopes in any split, give what their lines mean."""
        found, self._done = self._done, []
        found += [_in_envelope(item, QUESTION) for item in self._line.receive(b"", now_ns)]
        for item in self._envelopes.feed(data):
            found += self._item(item, now_ns)
        return found

    def poll(self, now_ns: int) -> bytes | None:
        """Subscriptions first, then the questions of the conversation."""
        started = self._link.poll(now_ns) or b""
        question = self._line.poll(now_ns)
        return started + (Message(QUESTION, question).to_bytes() if question else b"") or None

    def due_ns(self, now_ns: int) -> int | None:
        """The sooner of both."""
        due = [at for at in (self._link.due_ns(now_ns), self._line.due_ns(now_ns)) if at is not None]
        return min(due, default=None)

    def overdue(self, now_ns: int) -> bool:
        """As the conversation."""
        return self._line.overdue(now_ns)

    def command(self, name: str, argument: str | None = None) -> bytes:
        """As the conversation. Raises SettingsFault."""
        return Message(QUESTION, self._line.command(name, argument)).to_bytes()

    def finish(self) -> list[Decoded]:
        """The input has ended: what is left in the buffer."""
        rest = [Malformed("not a whole message", stray.raw) for stray in self._envelopes.flush()]
        return [*(_in_envelope(item, QUESTION) for item in self._line.finish()), *rest]

    def _item(self, item: Message | Stray, now_ns: int) -> Sequence[Decoded]:
        if isinstance(item, Stray) or item.origin.startswith(ABSENT) or item.origin not in {BUTTON, ANSWER}:
            return self._link.receive(item.raw if isinstance(item, Stray) else item.to_bytes(), now_ns) + self._link.finish()
        raw = item.to_bytes()
        if not item.payload.strip(b"\r\n") or len(item.payload) > MAX_LINE or b"\r" in item.payload.rstrip(b"\r\n"):
            return [Malformed("not one line of a Sylvac instrument", raw)]
        line = item.payload.rstrip(b"\r\n") + b"\r"
        return [replace(found, raw=raw) for found in self._line.receive(line, now_ns)]


def _in_envelope(item: Decoded, origin: str) -> Decoded:
    return replace(item, raw=Message(origin, item.raw).to_bytes())


def _make_codec(settings: Settings) -> Codec:
    return SylvacSmsCodec(own_settings(SylvacSmsSettings, settings))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    codec = SylvacSmsCodec(read_settings(SylvacSmsSettings, values))
    return [*codec.receive(capture, 0), *codec.finish()]


DRIVER = Driver(
    info=DriverInfo(
        name="sylvac-sms",
        title="Sylvac instrument over Bluetooth, metrology profile",
        kinds=frozenset({Kind.LENGTH}),
        transports=("ble",),
        models=("Sylvac Bluetooth instruments with the metrology service (names SY...)",),
        sources=("Sylvac Bluetooth developer documentation, SMS profile", "Sylvac Power operating instructions, p. 15"),
        commands=("print", *COMMANDS, *ASKING),
        modes=(Mode.AUTOPRINT, Mode.POLL),
        tier=Tier.NONE,
        notes=(
            "One question at a time: the next goes out when the answer came or its time is over.",
            "While the instrument says another unit than is configured, every value is refused.",
            "One connection only: the maker's app on a phone keeps the box out.",
        ),
    ),
    settings=SylvacSmsSettings,
    make_codec=_make_codec,
    decode=_decode,
)
