"""Dini Argeo terminals and weight transmitters: question and answer, continuous or by key, alone or with an RS-485 address.

Sources: DGT4X technical manual, p. 54 (commands, OK and ERR); 3590 series technical manual, p. 69 (commands, extended string);
DFW serial protocol 21.03 (commands, addresses).
"""

import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StringConstraints

from drivers.api import (
    Acknowledged,
    Decoded,
    DriverInfo,
    Flag,
    Identity,
    Kind,
    Mode,
    Probe,
    Reading,
    Refused,
    Settings,
    SettingsFault,
    Tier,
)
from drivers.framing import FrameBuffer
from drivers.scales.streams.building import LINE_9600_8N1, driver
from drivers.scales.streams.fields import LINE_FEEDS, WORDS, UnitWord, Unusable, exact, one, unit
from drivers.scales.streams.st_gs import HEADS, MAX_LINE, Weight, out_of_range, signed, tokenize
from drivers.talk import STREAM_SILENCE_NS, Command, Talk, decode_frames
from sync_protocol.errors import TextFault
from sync_protocol.quantity import Quantity, plain
from sync_protocol.wiretext import clean

FAULTS = {
    "ERR01": "the command is right and has letters behind it that do not belong there",
    "ERR02": "the command's data are wrong",
    "ERR03": "not allowed now: busy, in motion, or not used in this mode",
    "ERR04": "the device does not know the command",
}

TARE_WIDTH = 6
"""Characters that TMAN takes (3590 manual, p. 69)."""

FIELD = 8
"""Characters of the weight in the standard string, sign, blanks and point included (DGT4X manual, p. 54)."""

PARTS = 4
"""Head, net or gross, weight, unit."""

_ADDRESS = re.compile(r"(?P<address>[0-9]{2})(?P<rest>[A-Z0-9].*)", re.ASCII | re.DOTALL)
_EXTENDED = re.compile(
    r"(?:(?P<head>ST|US|OL|UL|TL),[0-9]|[0-9],(?P<late>ST|US|OL|UL|TL))"
    r",(?P<net>[^,]*),(?P<preset>PT| {2}|)(?P<tare>[^,]*),(?P<pieces>[^,]*)(?:,[^,]*)?,(?P<unit> ?[A-Za-z]+)",
    re.ASCII,
)


class DiniArgeoSettings(Settings):
    """How a Dini Argeo device is asked."""

    mode: Literal["poll", "stream", "autoprint"] = Field(
        default="poll",
        description="poll: the box asks READ; stream: the device sends by itself all the time; autoprint: once a load or key.",
    )
    interval_ms: int = Field(default=200, ge=50, le=60_000, description="Milliseconds between two questions in mode poll.")
    address: StrictBool | Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$")] = Field(
        default=False,
        description="The two digits of the device's RS-485 address; true takes any address in front, and asks nothing.",
    )
    unit: UnitWord = Field(
        default="kg", description="The unit of the display; a preset tare is given in it until the device has shown another."
    )


class _Terminal:
    """One device: its lines, and the unit it showed last, in which a preset tare must be given."""

    def __init__(self, settings: DiniArgeoSettings) -> None:
        self._wanted = settings.address
        self._prefix = settings.address if isinstance(settings.address, str) else ""
        self._shown = WORDS[settings.unit]

    def read(self, raw: bytes, asked: str | None) -> list[Decoded]:  # noqa: ARG002 - each line says what it is
        decoded = one(self._line, raw)
        if isinstance(decoded, Reading) and decoded.unit is not None:
            self._shown = decoded.unit
        return [decoded]

    def send(self, text: str) -> bytes:
        return f"{self._prefix}{text}\r\n".encode("ascii")

    def preset_tare(self, argument: str | None) -> bytes:
        """TMAN carries digits only: they mean the unit that the display shows. Raises SettingsFault."""
        if argument is None:
            raise SettingsFault("preset_tare takes a quantity such as '12.5 kg'", setting="argument")
        try:
            tare = Quantity.parse(argument)
        except TextFault as exc:
            raise SettingsFault(str(exc), setting="argument") from exc
        if tare.unit != self._shown:
            raise SettingsFault(f"the display shows {self._shown}, not {tare.unit}", setting="argument")
        digits = plain(tare.value)
        if tare.value < 0 or len(digits) > TARE_WIDTH:
            raise SettingsFault(f"not a tare of at most {TARE_WIDTH} characters: {digits}", setting="argument")
        return self.send(f"TMAN{digits}")

    def _line(self, raw: bytes) -> Decoded:
        text = raw.rstrip(b"\r\n").decode("latin-1")
        address, text = self._own(text)
        details = {"address": address} if address else {}
        if text == "OK":
            return Acknowledged("command", raw)
        if (reason := FAULTS.get(text)) is not None:
            return Refused(text, reason, raw)
        if text.startswith("VER,"):
            return Identity(clean(text.removeprefix("VER,"), 80), raw, what="software")
        extended = _EXTENDED.fullmatch(text)
        return (_standard(text) if extended is None else _extended(extended)).reading(raw, **details)

    def _own(self, text: str) -> tuple[str, str]:
        """The address in front and the rest. Raises Unusable where the settings say something else."""
        match = _ADDRESS.fullmatch(text)
        if self._wanted is False:
            if match is not None:
                raise Unusable(f"an address in front ({match['address']}): the setting address is missing")
            return "", text
        if match is None:
            raise Unusable("no address in front: the setting address says that there is one")
        if self._prefix and match["address"] != self._prefix:
            raise Unusable(f"from address {match['address']}, not {self._prefix}")
        return match["address"], match["rest"]


def _standard(text: str) -> Weight:
    """The standard string, whose weight is in a field of fixed width. Raises Unusable."""
    weight = tokenize(text)
    parts = text.split(",")
    if weight.value is not None and (len(parts) != PARTS or len(parts[2]) != FIELD):
        raise Unusable(f"a weight has {FIELD} characters: one is missing, or there is one too many")
    return weight


def _extended(match: re.Match[str]) -> Weight:
    """The extended string: net weight, tare and pieces at once."""
    head = HEADS[match["head"] or match["late"]]
    if head not in {Flag.STABLE, Flag.MOTION}:
        return out_of_range(head, Flag.NET, "")
    details = {"tare": plain(signed(match["tare"])), "preset_tare": "true" if match["preset"] == "PT" else "false"}
    pieces = match["pieces"].strip(" ")
    if _pieces(pieces):
        details["pieces"] = pieces
    return Weight(frozenset({head, Flag.NET}), signed(match["net"]), unit(match["unit"]), details)


def _pieces(text: str) -> Decimal:
    return exact(text) if text else Decimal(0)


def _says_who(decoded: Decoded) -> bool:
    return isinstance(decoded, Identity | Refused)


def talk(settings: DiniArgeoSettings) -> Talk:
    """The conversation, as the settings shape it."""
    terminal = _Terminal(settings)
    asks = settings.mode == "poll" and settings.address is not True
    return Talk(
        framer=lambda: FrameBuffer(LINE_FEEDS, MAX_LINE),
        read=terminal.read,
        ask=terminal.send("READ") if asks else None,
        interval_ns=settings.interval_ms * 1_000_000,
        silence_ns=STREAM_SILENCE_NS if settings.mode == "stream" else None,
        commands={
            "zero": Command(terminal.send("ZERO")),
            "tare": Command(terminal.send("TARE")),
            "clear_tare": Command(terminal.send("CLEAR")),
            "preset_tare": Command(terminal.preset_tare),
            "identify": Command(terminal.send("VER"), confirms=_says_who),
        },
    )


def _recognises(heard: bytes) -> bool:
    """A weight whose unit stands behind a comma of its own, which the other ST,GS terminals do not send."""
    found = decode_frames(talk(DiniArgeoSettings(address=heard[:1].isdigit())), heard)
    return any(isinstance(item, Reading) and re.search(rb"[0-9], ?[A-Za-z]{1,2}\r\n$", item.raw) for item in found)


DINI_ARGEO = driver(
    DriverInfo(
        name="dini-argeo",
        title="Dini Argeo terminals and transmitters",
        kinds=frozenset({Kind.MASS, Kind.COUNT}),
        transports=("serial", "tcp"),
        models=("Dini Argeo DFW, 3590, CPWE, DGT1P, DGT4, DGT4X and relatives",),
        sources=(
            "Dini Argeo DGT4X technical manual, p. 54",
            "Dini Argeo 3590 series technical manual, p. 69",
            "Dini Argeo DFW serial protocol 21.03, ch. 1 to 4",
        ),
        serial_defaults=LINE_9600_8N1,
        commands=("zero", "tare", "clear_tare", "preset_tare", "identify"),
        tier=Tier.BRONZE,
        modes=(Mode.POLL, Mode.STREAM, Mode.AUTOPRINT),
        probe=Probe(b"READ\r\n", _recognises, order=70),
        notes=(
            "OK says that the device took a command, not that it did it: the weights that follow show it.",
            "A preset tare is given in the unit that the display shows.",
        ),
    ),
    DiniArgeoSettings,
    talk,
)
