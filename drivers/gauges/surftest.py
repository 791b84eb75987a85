"""Mitutoyo Surftest SJ roughness testers: questions of a header, a sub-field and data; `OK...` or `NG` with a code.

Source: Mitutoyo SJ-210 user's manual 99MBB122A, 17.12, p. 17-12 to 17-19; SJ-410 user's manual 99MBB765A, 22.14.
"""

import re
from collections.abc import Mapping, Sequence

from pydantic import Field

from drivers.api import (
    Acknowledged,
    Codec,
    Decoded,
    Driver,
    DriverInfo,
    Kind,
    Malformed,
    Mode,
    Reading,
    Refused,
    Settings,
    Status,
    Tier,
)
from drivers.framing import FrameBuffer
from drivers.settings import own_settings, read_settings
from drivers.talk import Command, Talk, TalkCodec, decode_frames
from sync_protocol.quantity import decimal

MAX_FRAME = 128
"""Bytes. A result with name and unit has 19; conditions stay under 32."""

UNITS = {"um": "um", "mm": "mm", "in": "[in_i]", "%": "%", "": "1"}
"""Unit text -> UCUM; the sign for micro is told apart from `u` by its byte only. Microinches have no code here."""

KINDS = {"%": Kind.PERCENT, "1": Kind.QUANTITY}

MICRO = (b"\xb5", b"\xe6", b"\xce\xbc", b"\xc2\xb5")
"""The sign for micro in ISO-8859-1, in code page 437, and twice in UTF-8."""

STATUSES = {
    "000": "detector idle",
    "001": "measuring",
    "002": "detector returns",
    "003": "detector is being retracted",
    "004": "detector is retracted",
    "005": "detector is not in its origin",
}

_RESULT = re.compile(r"OK(?P<name>[ -~]{6}),?(?P<digits>[ 0-9.+-]{7,8}),?(?P<unit>[ -~]{3})", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{1,7}(\.[0-9]{1,6})?", re.ASCII)
_ERROR = re.compile(r"NG([0-9A-Za-z]{1,4})", re.ASCII)


class SurftestSettings(Settings):
    """Which result of a Surftest is read."""

    parameter: int = Field(
        default=1, ge=1, le=99, description="Number of the parameter in the tester's list of customized ones; 1 is mostly Ra."
    )


def read_line(raw: bytes, asked: str | None) -> Sequence[Decoded]:
    """One answer with its CR. Answers do not repeat the question, so a bare `OK` is named by what was asked."""
    body = raw.strip(b"\r\n")
    for sign in MICRO:
        body = body.replace(sign, b"u")
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError:
        return [Malformed("not an answer of a Surftest", raw)]
    if error := _ERROR.fullmatch(text):
        return [Refused(error[1], "the tester refused, or has no result", raw)]
    if result := _RESULT.fullmatch(text):
        return [_result(result["name"].strip(), result["digits"].strip(), result["unit"].strip(), raw)]
    if text == "OK":
        return [Acknowledged(asked or "ok", raw)]
    if text.startswith("OK") and text[2:] in STATUSES:
        return [Status(STATUSES[text[2:]], raw)]
    return [Malformed("not an answer of a Surftest", raw)]


def _result(name: str, digits: str, unit: str, raw: bytes) -> Decoded:
    if not _NUMBER.fullmatch(digits):
        return Malformed(f"a result that is no number: {digits[:20]!r}", raw)
    code = UNITS.get(unit)
    if code is None:
        return Malformed(f"unknown unit {unit!r}", raw)
    return Reading(
        KINDS.get(code, Kind.LENGTH), decimal(digits.lstrip("+")), code, frozenset(), raw, details={"parameter": name}
    )


def _talk(settings: SurftestSettings) -> Talk:
    return Talk(
        framer=lambda: FrameBuffer((b"\r",), MAX_FRAME),
        read=read_line,
        # Nothing is asked again and again: the answer would be the last result, long after the part is gone.
        commands={
            "print": Command(
                f"RDRES02,{settings.parameter:02d},00\r".encode(),
                confirms=lambda item: isinstance(item, Reading | Refused),
            ),
            "status": Command(b"RDSTU00\r", confirms=lambda item: isinstance(item, Status | Refused)),
        },
    )


def _make_codec(settings: Settings) -> Codec:
    return TalkCodec(_talk(own_settings(SurftestSettings, settings)))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    return decode_frames(_talk(read_settings(SurftestSettings, values)), capture)


DRIVER = Driver(
    info=DriverInfo(
        name="surftest-sj",
        title="Mitutoyo Surftest SJ roughness tester",
        kinds=frozenset({Kind.LENGTH, Kind.PERCENT, Kind.QUANTITY}),
        transports=("serial", "tcp"),
        models=("Mitutoyo Surftest SJ-210, SJ-310, SJ-410",),
        sources=(
            "Mitutoyo SJ-210 user's manual 99MBB122A, 17.12, p. 17-12 to 17-19",
            "Mitutoyo SJ-410 user's manual 99MBB765A, 22.14, p. 22-24 and 22-40",
        ),
        serial_defaults={"baudrate": 38400, "bytesize": 8, "parity": "N", "stopbits": 1},
        commands=("print", "status"),
        modes=(Mode.AUTOPRINT,),
        tier=Tier.NONE,
        notes=(
            "The result is read when the operator asks for it (command print), after the tester has finished.",
            "Speed and parity are set in the tester's menu; a SJ-410 counts results otherwise and is read by its own list.",
        ),
    ),
    settings=SurftestSettings,
    make_codec=_make_codec,
    decode=_decode,
)
