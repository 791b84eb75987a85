"""Adam Equipment: labelled weight lines (CPWplus, AZExtra, PGL and their kin) and the 16-character format.

Sources: Adam CPWplus manual p. 14, Highland manual p. 29, PGL manual p. 26-28, CBC manual p. 17. No format has a sign for rest.
"""

import re
from typing import Literal

from pydantic import Field

from drivers.api import Decoded, DriverInfo, Flag, Kind, Mode, Reading, Refused, Settings, Status, Tier
from drivers.scales.lab.family import BENCH_LINE, AskedSettings, line_driver
from drivers.scales.lab.lines import NUMBER, Unusable, framer, number, reader, reading, unit
from drivers.talk import Command, Talk, TalkCodec, is_tare_taken
from sync_protocol.wiretext import clean

LABELS: dict[str, tuple[Flag, ...]] = {
    "g": (Flag.GROSS,),
    "gs": (Flag.GROSS,),
    "gross": (Flag.GROSS,),
    "gross wt": (Flag.GROSS,),
    "n": (Flag.NET,),
    "nt": (Flag.NET,),
    "net": (Flag.NET,),
    "net wt": (Flag.NET,),
    "t": (Flag.TARE,),
    "tare": (Flag.TARE,),
    "total": (Flag.TOTAL,),
    "pcs": (),
}
"""What stands in front of a value, in lower case (CPWplus p. 14; CBC p. 17; PGL p. 27)."""

_LABELLED = re.compile(
    rf"(?:(?P<label>[A-Za-z]+(?: [Ww]t)?)[.:]?)? *+(?P<sign>[+-]?) *+(?P<digits>{NUMBER}) *+(?P<unit>[A-Za-z%]{{1,3}}) *",
    re.ASCII,
)
"""A point is a label's end behind a label only: in front of digits it says that those before it are missing."""

_OTHER = re.compile(r"(?:Unit [Ww]t|ID|ID no|Serial no|No|Wt|Date|DATE|Time|TIME)\b.*")
"""Lines of a block that are no weight on the pan: unit weight, number of a weighing, date and time."""

_FAULTS = {
    "!EU": "the balance does not know the command",
    "!EK": "the balance does not know the key",
    "!EF": "the command's format is wrong",
}
"""PGL p. 28."""


def _labelled(text: str, raw: bytes, *, stable: bool, bare: bool = True) -> Decoded:
    """`bare`: whether a number without a label in front is a weight."""
    body = text.strip()
    if body in _FAULTS:
        return Refused(body, _FAULTS[body], raw)
    fields = _LABELLED.fullmatch(body)
    label = "" if fields is None or fields["label"] is None else fields["label"].lower()
    if _OTHER.fullmatch(body):
        return Status(clean(body), raw)
    if fields is None or (label and label not in LABELS) or not (label or bare):
        raise Unusable("not an Adam weight line (its start may be missing)")
    flags = [*LABELS.get(label, ()), *([Flag.STABLE] if stable else [])]
    return reading(raw, number(fields["sign"], fields["digits"]), unit(fields["unit"]), *flags)


def _parse_live(text: str, raw: bytes, _asked: str | None) -> Decoded:
    return _labelled(text, raw, stable=False)


def _parse_cpw(text: str, raw: bytes, _asked: str | None) -> Decoded:
    # Each of its lines says what it is: one that does not has lost its beginning.
    return _labelled(text, raw, stable=False, bare=False)


def _parse_settled(text: str, raw: bytes, _asked: str | None) -> Decoded:
    return _labelled(text, raw, stable=True)


# -- CPWplus, GFK, GBK ---------------------------------------------------------------------------------------------------


class AdamCpwSettings(AskedSettings):
    """How a CPWplus is asked."""

    weight_command: Literal["N", "G"] = Field(default="N", description="Ask for the net (N) or the gross (G) weight.")


def _cpw_talk(settings: AdamCpwSettings) -> Talk:
    return Talk(
        framer=framer,
        read=reader(_parse_cpw),
        ask=f"{settings.weight_command}\r\n".encode("ascii"),
        interval_ns=settings.interval_ns,
        commands=_CPW_COMMANDS,
        answers_question=lambda item: isinstance(item, Reading | Refused),
    )


_CPW_COMMANDS = {
    "zero_tare": Command(b"Z\r\n", answered=False),
    "tare_value": Command(b"T\r\n", confirms=lambda item: isinstance(item, Reading) and is_tare_taken(item)),
}

CPW = line_driver(
    DriverInfo(
        name="adam-cpw",
        title="Adam CPWplus",
        kinds=frozenset({Kind.MASS, Kind.COUNT}),
        transports=("serial", "tcp"),
        models=("Adam CPWplus, GFK, GBK and GC indicators", "Adam CBC and CCT counting scales (print-out)"),
        sources=("Adam CPWplus user manual p. 14", "Adam CBC user manual p. 17"),
        serial_defaults=BENCH_LINE,
        commands=tuple(_CPW_COMMANDS),
        tier=Tier.BRONZE,
        modes=(Mode.POLL, Mode.AUTOPRINT),
        notes=(
            "The scale does not say whether it is at rest: give the device a settling rule.",
            "One key zeroes and tares; what it did is not confirmed.",
        ),
    ),
    AdamCpwSettings,
    _cpw_talk,
)


# -- AZExtra -------------------------------------------------------------------------------------------------------------


class AdamAzextraSettings(AskedSettings):
    """How an AZExtra is asked."""

    interval_ms: int = Field(
        default=5000,
        ge=2000,
        le=60_000,
        description="Pause between two questions, in milliseconds; the scale beeps when asked for the same weight again.",
    )


class QuietCodec(TalkCodec):
    """A device that has nothing to say to most questions: its silence is no fault."""

    def overdue(self, now_ns: int) -> bool:  # noqa: ARG002 - the contract's signature
        """Never."""
        return False


def _azextra_talk(settings: AdamAzextraSettings) -> Talk:
    return Talk(
        framer=framer,
        read=reader(_parse_settled),
        ask=b"P\r\n",
        interval_ns=settings.interval_ns,
        commands=_AZEXTRA_COMMANDS,
    )


_AZEXTRA_COMMANDS = {"zero": Command(b"Z\r\n", answered=False), "tare": Command(b"T\r\n", answered=False)}

AZEXTRA = line_driver(
    DriverInfo(
        name="adam-azextra",
        title="Adam AZExtra",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=("Adam AZExtra retail scale",),
        sources=("Adam AZExtra user manual, RS-232 chapter",),
        serial_defaults={"baudrate": 4800, "bytesize": 8, "parity": "N", "stopbits": 1},
        commands=tuple(_AZEXTRA_COMMANDS),
        tier=Tier.BRONZE,
        modes=(Mode.POLL,),
        notes=(
            "The scale answers only a new weight that is not zero and at rest, so its silence is no fault.",
            "It beeps each time that it is asked for the same weight again: leave the pause long.",
        ),
    ),
    AdamAzextraSettings,
    _azextra_talk,
    QuietCodec,
)


# -- the 16-character format ---------------------------------------------------------------------------------------------


WIDTH = 16
"""Characters before CR LF: sign, value right-aligned, unit in the last three, one-letter units in their middle."""

_SIXTEEN = re.compile(rf"(?P<sign>[+\- ]) *(?P<digits>{NUMBER}) *(?P<unit>[A-Za-z%]{{1,3}}) *", re.ASCII)


def _parse_sixteen(text: str, raw: bytes, _asked: str | None) -> Decoded:
    fields = _SIXTEEN.fullmatch(text)
    if fields is None or len(text) != WIDTH:
        raise Unusable(f"not a line of {WIDTH} characters with a sign, a value and a unit (its start may be missing)")
    return reading(raw, number(fields["sign"], fields["digits"]), unit(fields["unit"]))


class Adam16Settings(Settings):
    """Nothing to set: asking would add each weight to the balance's memory, so its print key or its menu makes it speak."""


def _sixteen_talk(_settings: Adam16Settings) -> Talk:
    return Talk(
        framer=framer,
        read=reader(_parse_sixteen),
        commands={
            "print": Command(b"P\r\n", confirms=lambda item: isinstance(item, Reading)),
            "zero": Command(b"Z\r\n", answered=False),
            "tare": Command(b"T\r\n", answered=False),
        },
    )


SIXTEEN = line_driver(
    DriverInfo(
        name="adam-16",
        title="Adam 16-character format",
        kinds=frozenset({Kind.MASS, Kind.COUNT, Kind.PERCENT}),
        transports=("serial", "tcp"),
        models=("Adam Highland (format 2), Core, Dune and other portable balances with one-line output",),
        sources=("Adam Highland user manual p. 29",),
        serial_defaults=BENCH_LINE,
        commands=("print", "zero", "tare"),
        tier=Tier.BRONZE,
        modes=(Mode.AUTOPRINT,),
        notes=(
            "Choose output format 2 in the menu.",
            "The balance does not say whether it is at rest: let it print on stability, or give the device a settling rule.",
            "The print command also adds the weight to a memory set to manual: the box never polls with it.",
        ),
    ),
    Adam16Settings,
    _sixteen_talk,
)


# -- PGL and PGW ---------------------------------------------------------------------------------------------------------


class AdamPglSettings(AskedSettings):
    """How a PGL is asked."""

    mode: Literal["poll", "autoprint"] = Field(
        default="poll", description="poll presses the print key over the line, autoprint waits for what the balance sends."
    )


def _pgl_talk(settings: AdamPglSettings) -> Talk:
    return Talk(
        framer=framer,
        read=reader(_parse_live),
        ask=b"!KP\r" if settings.mode == "poll" else None,
        interval_ns=settings.interval_ns,
        commands={"zero_tare": Command(b"!KT\r", answered=False)},
        answers_question=lambda item: isinstance(item, Reading | Refused),
    )


PGL = line_driver(
    DriverInfo(
        name="adam-pgl",
        title="Adam PGL and PGW",
        kinds=frozenset({Kind.MASS, Kind.COUNT, Kind.PERCENT}),
        transports=("serial", "tcp"),
        models=("Adam PGL, PGW and PW precision balances",),
        sources=("Adam PGL user manual p. 28", "Adam PGW user manual p. 26"),
        serial_defaults={"baudrate": 4800, "bytesize": 8, "parity": "N", "stopbits": 1},
        commands=("zero_tare",),
        tier=Tier.BRONZE,
        modes=(Mode.POLL, Mode.AUTOPRINT),
        notes=(
            "Choose single-line output on demand; of a form, each labelled weight is read and the other lines are noted.",
            "The balance does not say whether it is at rest: give the device a settling rule.",
        ),
    ),
    AdamPglSettings,
    _pgl_talk,
)
