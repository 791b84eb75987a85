"""Kern bench balances (single letters, columns) and Kern platform and counting scales (`ST,GS` lines).

Sources: KERN FKB operating instructions p. 37, PCB p. 35, KDE-T p. 36; KFN-TM p. 49, SFB p. 51; CFS/CCS p. 79. Captures:
OpenTrickler issue 15. Newer Kern models speak KCP, which is read by the driver mt-sics.
"""

import re
from typing import Literal

from pydantic import Field

from drivers.api import Decoded, DriverInfo, Flag, Kind, Mode, Reading, Refused, Tier
from drivers.scales.lab.family import BENCH_LINE, AskedSettings, line_driver
from drivers.scales.lab.lines import NUMBER, Unusable, framer, number, out_of_range, reader, reading, settles, unit
from drivers.talk import STABLE_TIMEOUT_NS, Command, Talk
from sync_protocol.wiretext import clean

WITH_UNIT = 16
WITHOUT_UNIT = 13
"""Characters before CR LF. FKB p. 37 leaves the unit's column out while the load moves, PCB p. 35 fills it with blanks."""

_FIELD = re.compile(rf" *(?P<sign>-?)(?P<digits>{NUMBER})", re.ASCII)
"""Columns 3 to 12."""

HEADERS = {"GS": Flag.GROSS, "GW": Flag.GROSS, "G": Flag.GROSS, "NT": Flag.NET, "N": Flag.NET, "TW": Flag.TARE}

_HEADED = re.compile(
    r"(?P<state>ST|US|OL),(?P<header>GS|GW|NT|TW|G|N) ?,? *+"
    rf"(?P<sign>[+-]?) *+(?:(?P<digits>{NUMBER}) *+,?(?P<unit>[A-Za-z%]{{1,3}}))? *+",
    re.ASCII,
)
_REFUSED = re.compile(r"ER ?\S{0,16}")


def _parse(text: str, raw: bytes, _asked: str | None) -> Decoded:
    body = text.strip()
    if body == "Error":
        return Refused("Error", "the balance shows an error in place of a weight", raw)
    if _REFUSED.fullmatch(body):
        return Refused(clean(body), "the scale does not know the command, or may not do it now", raw)
    if (fields := _HEADED.fullmatch(body)) is not None:
        return _headed(fields, raw)
    return _columns(text, raw)


def _columns(text: str, raw: bytes) -> Reading:
    field = _FIELD.fullmatch(text[2:12])
    if len(text) not in {WITH_UNIT, WITHOUT_UNIT} or text[0] not in "M " or text[1] not in "- " or field is None:
        raise Unusable("not a Kern line (its start may be missing)")
    if text[12] != " " or (text[1] == "-" and field["sign"]):
        raise Unusable("not a Kern line: a sign or a blank is in the wrong column")
    value = number(text[1].strip() or field["sign"], field["digits"])
    if not text[13:].strip():
        return reading(raw, value, None, Flag.MOTION)
    return reading(raw, value, unit(text[13:]), Flag.STABLE)


def _headed(fields: re.Match[str], raw: bytes) -> Reading:
    flag = HEADERS[fields["header"]]
    if fields["state"] == "OL":
        return out_of_range(raw, Flag.UNDERLOAD if fields["sign"] == "-" else Flag.OVERLOAD, flag)
    if fields["digits"] is None:
        raise Unusable("a header without a value")
    at_rest = Flag.STABLE if fields["state"] == "ST" else Flag.MOTION
    return reading(raw, number(fields["sign"], fields["digits"]), unit(fields["unit"]), at_rest, flag)


# -- bench balances ------------------------------------------------------------------------------------------------------


class KernPrintSettings(AskedSettings):
    """How a Kern bench balance is asked."""

    mode: Literal["poll", "autoprint"] = Field(
        default="poll", description="poll asks for the weight (menu: rE Cr), autoprint waits for what the balance prints."
    )


_BENCH_COMMANDS = {
    "stable": Command(b"s", STABLE_TIMEOUT_NS, confirms=settles),
    "tare": Command(b"t", answered=False),
}


def _bench_talk(settings: KernPrintSettings) -> Talk:
    # The letters go out bare: with CR LF behind them some models take the end of the line for further commands (FKB p. 37).
    return Talk(
        framer=framer,
        read=reader(_parse),
        ask=b"w" if settings.mode == "poll" else None,
        interval_ns=settings.interval_ns,
        commands=_BENCH_COMMANDS,
        answers_question=lambda item: isinstance(item, Reading | Refused),
    )


BENCH = line_driver(
    DriverInfo(
        name="kern-print",
        title="Kern bench balances",
        kinds=frozenset({Kind.MASS, Kind.COUNT, Kind.PERCENT}),
        transports=("serial", "tcp"),
        models=("Kern 440, EW, FKB, 572, PCB, KDE-T and other balances with the commands s, w and t",),
        sources=(
            "KERN FKB operating instructions p. 37",
            "KERN PCB operating instructions p. 35",
            "KERN KDE-T instructions p. 36",
        ),
        serial_defaults=BENCH_LINE,
        commands=tuple(_BENCH_COMMANDS),
        tier=Tier.BRONZE,
        modes=(Mode.POLL, Mode.AUTOPRINT),
        notes=(
            "Set the interface to remote control (rE Cr); older models are set to 1200, 2400 or 4800 baud.",
            "While the load moves the balance leaves the unit out: the number is shown and cannot be booked.",
            "Balances of about 2018 and later speak KCP: use the driver mt-sics.",
        ),
    ),
    KernPrintSettings,
    _bench_talk,
)


# -- platform and counting scales ----------------------------------------------------------------------------------------


class KernPlatformSettings(AskedSettings):
    """How a Kern platform or counting scale is asked."""

    mode: Literal["poll", "autoprint"] = Field(
        default="poll", description="poll asks for the weight (letter W), autoprint waits for what the scale prints or streams."
    )
    counting: bool = Field(
        default=False,
        description="A counting scale of the CFS, CCS or CKE series: its commands end in CR LF, and it is not asked.",
    )


def _platform_talk(settings: KernPlatformSettings) -> Talk:
    end = b"\r\n" if settings.counting else b""
    asks = settings.mode == "poll" and not settings.counting
    return Talk(
        framer=framer,
        read=reader(_parse),
        ask=b"W" if asks else None,
        interval_ns=settings.interval_ns,
        commands={
            "stable": Command((b"P" if settings.counting else b"S") + end, STABLE_TIMEOUT_NS, confirms=settles),
            "zero": Command(b"Z" + end, answered=False),
            "tare": Command(b"T" + end, answered=False),
        },
        answers_question=lambda item: isinstance(item, Reading | Refused),
    )


PLATFORM = line_driver(
    DriverInfo(
        name="kern-platform",
        title="Kern platform and counting scales",
        kinds=frozenset({Kind.MASS, Kind.COUNT}),
        transports=("serial", "tcp"),
        models=("Kern KFN-TM, KFB-TM, SFB, GAB-N, UFN, NFB scales", "Kern CFS, CCS and CKE counting scales"),
        sources=(
            "KERN KFN-TM operating instructions p. 49",
            "KERN SFB operating instructions p. 51",
            "KERN CFS/CCS operating instructions p. 79",
        ),
        serial_defaults=BENCH_LINE,
        commands=("stable", "zero", "tare"),
        tier=Tier.BRONZE,
        modes=(Mode.POLL, Mode.AUTOPRINT),
        notes=("Zero and tare are not confirmed; watch the weight.",),
    ),
    KernPlatformSettings,
    _platform_talk,
)
