"""Checkout-Dialog 06 (and its forerunners 02 and 04): a price goes out, weight, price and total come back as a record.

Sources: Mettler-Toledo DIVA service manual, p. 54; Ohaus Aviator 7000 service manual, p. 40; Checkout-Dialog 06, records 01-11.
"""

import re
from functools import partial
from typing import Literal

from pydantic import Field

from drivers.api import Acknowledged, Decoded, DriverInfo, Flag, Kind, Malformed, Mode, Refused, Settings, Status, Tier
from drivers.scales.pos.frames import MarkedFrames, Measure, between, stray
from drivers.scales.pos.handshake import Exchange, Handshake, Turn, shaking_hands
from drivers.scales.pos.logon import LogOn
from drivers.scales.pos.weights import UNITS, Unusable, mass, shifted
from drivers.settings import SECRET
from sync_protocol.wiretext import clean

STX, ETX, EOT, ENQ, ACK, NAK, ESC = (bytes([code]) for code in (2, 3, 4, 5, 6, 21, 27))

MAX_RECORD = 64
"""Bytes. Record 02 has 30."""

ANSWER_TIMEOUT_NS = 2_000_000_000
"""At 2400 baud record 02 takes 0.15 s; the scale refuses with NAK rather than wait for rest."""

PRICE_DIGITS = {"06": 6, "04": 5, "02": 5}
"""Digits of the unit price in record 01."""

PRICE, RESULT, STATUS, LOG_ON, LOG_ON_RESULT = "price", "result", "status", "log_on", "log_on_result"
"""What the host waits for: the answers to record 01, to EOT ENQ, to record 08, to record 10, and to EOT ENQ after it."""

ASK_RESULT = EOT + ENQ
ASK_STATUS = EOT + STX + b"08" + ETX

WEIGHTS = {b"1": (2, UNITS["lb"]), b"2": (3, UNITS["lb"]), b"3": (3, UNITS["kg"])}
"""Scale status of record 02 -> decimals and unit: 1 lb in 0.01, 2 lb in 0.005, 3 kg. 0 is pounds with ounces."""

STATES = {
    "20": frozenset({Flag.STATUS, Flag.MOTION}),
    "30": frozenset({Flag.STATUS, Flag.STABLE}),
    "31": frozenset({Flag.STATUS, Flag.UNDERLOAD}),
    "32": frozenset({Flag.STATUS, Flag.OVERLOAD}),
}
"""Record 09: in motion, below the minimum weight, below zero, overload."""

REFUSALS = {
    "01": "general error",
    "02": "the scale saw a parity fault, or more characters than it takes",
    "10": "the scale does not know the record",
    "11": "the unit price is not valid",
    "12": "the tare is not valid",
    "13": "the text is not valid",
    "21": "the load has not moved since the last weighing: take it off and put it on again",
    "22": "the scale has not finished its calculation",
}

UNMOVED = frozenset({"21"})

_RESULT = re.compile(rb"\x0202\x1b([0-9])\x1b([0-9]{5})\x1b([0-9]{5,6})\x1b([0-9]{6})\x03", re.ASCII)
_STATUS = re.compile(rb"\x0209\x1b([0-9]{2})\x03", re.ASCII)
_LOG_ON = re.compile(rb"\x0211\x1b(?:([01])|2([0-9A-Fa-f]{2}))\x03", re.ASCII)


class Dialog06Settings(Settings):
    """How a scale with Checkout-Dialog is asked."""

    dialog: Literal["06", "04", "02"] = Field(
        default="06", description="Version of the dialog; 02 and 04 take a unit price of five digits instead of six."
    )
    unit_price: int = Field(default=0, ge=0, le=99_999, description="Unit price sent with each question, in the smallest coin.")
    interval_ms: int = Field(default=500, ge=100, le=60_000, description="Milliseconds between two weighings.")
    logon_polynomial: str | None = Field(
        default=None,
        pattern="^1[0-9A-Fa-f]{4}$",
        description="Generator polynomial for scales that demand a log-on, five hexadecimal digits from the scale's maker.",
        json_schema_extra=SECRET,
    )
    logon_checksum: str = Field(
        default="1234",
        pattern="^[0-9A-Fa-f]{4}$",
        description="Checksum with which the box logs on, four hexadecimal digits.",
        json_schema_extra=SECRET,
    )


def _measure() -> Measure:
    record = between(STX, ETX + b"\x83", MAX_RECORD)

    def measure(data: bytearray, at: int) -> int | None:
        return 1 if data[at : at + 1] in (ACK, NAK) else record(data, at)

    return measure


def _follow(log_on: LogOn | None, raw: bytes, awaited: str | None) -> Turn:
    if raw == ACK:
        # The price, or the checksums, are accepted: their result is fetched.
        wanted = {PRICE: RESULT, LOG_ON: LOG_ON_RESULT}.get(awaited or "")
        found = Acknowledged(awaited if wanted and awaited else "ready", raw)
        return Turn((found,), reply=ASK_RESULT if wanted else None, awaited=wanted or awaited)
    if raw == NAK:
        if awaited is None or awaited == STATUS:
            return Turn((Refused("NAK", "the scale refused and did not say why", raw),))
        # The reason comes next, and that is what is told: an empty scale says NAK to every question.
        return Turn((Acknowledged("nak", raw),), reply=ASK_STATUS, awaited=STATUS)
    if raw[:1] != STX or raw[-1:] != ETX:
        return Turn((stray(raw),), awaited=awaited)
    if (asked := _LOG_ON.fullmatch(raw)) is not None:
        return _log_on(log_on, asked, raw, awaited)
    try:
        found_record = _record(raw)
    except Unusable as exc:
        return Turn((Malformed(str(exc), raw),), awaited=awaited)
    # Each record of the scale is closed by EOT.
    return Turn((found_record,), reply=EOT if awaited is not None else None)


def _log_on(log_on: LogOn | None, asked: re.Match[bytes], raw: bytes, awaited: str | None) -> Turn:
    talking = awaited is not None
    if asked[1] == b"1":
        return Turn((Status("log-on accepted", raw),), reply=EOT if talking else None)
    if asked[1] == b"0":
        reason = "the scale did not accept the checksums: the polynomial is another one"
        return Turn((Refused("log-on-0", reason, raw),), reply=EOT if talking else None, back_off=True)
    if log_on is None or not talking:
        reason = "the scale demands a log-on with checksums; set logon_polynomial"
        return Turn((Refused("log-on", reason, raw),), reply=EOT if talking else None, back_off=True)
    answer = EOT + STX + b"10" + ESC + log_on.answer(asked[2].decode("ascii")).encode("ascii") + ETX
    return Turn((Status("log-on demanded", raw),), reply=answer, awaited=LOG_ON)


def _record(raw: bytes) -> Decoded:
    if (fields := _RESULT.fullmatch(raw)) is not None:
        return _result(fields, raw)
    if (status := _STATUS.fullmatch(raw)) is None:
        raise Unusable(f"not a record that is known: {clean(raw[1:-1].decode('latin-1'), 40)!r}")
    code = status[1].decode("ascii")
    if code == "00":
        return Status("no fault", raw)
    if code not in STATES:
        return Refused(code, REFUSALS.get(code, "the scale refused for a reason that is not in its manual"), raw)
    return mass(None, None, STATES[code], raw, **({"below_minimum": "true"} if code == "30" else {}))


def _result(fields: re.Match[bytes], raw: bytes) -> Decoded:
    if (known := WEIGHTS.get(fields[1])) is None:
        raise Unusable(
            f"scale status {fields[1].decode()}: how its five digits are cut into pounds and ounces is not published"
        )
    decimals, unit = known
    prices = {"unit_price_raw": fields[3].decode(), "price_raw": fields[4].decode()}
    return mass(shifted(fields[2].decode(), decimals), unit, {Flag.NET, Flag.STABLE}, raw, **prices)


def _handshake(settings: Dialog06Settings) -> Handshake:
    log_on = None
    if settings.logon_polynomial is not None:
        log_on = LogOn(int(settings.logon_polynomial, 16), int(settings.logon_checksum, 16))
    price = f"{settings.unit_price:0{PRICE_DIGITS[settings.dialog]}d}".encode("ascii")
    measure = _measure()
    return Handshake(
        framer=lambda: MarkedFrames(measure),
        follow=partial(_follow, log_on),
        weigh=Exchange(EOT + STX + b"01" + ESC + price + ESC + ETX, PRICE, ANSWER_TIMEOUT_NS),
        interval_ns=settings.interval_ms * 1_000_000,
        unmoved=UNMOVED,
    )


DIALOG06 = shaking_hands(
    DriverInfo(
        name="dialog06",
        title="Checkout-Dialog 06",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=(
            "Mettler-Toledo DIVA, Ariva and Tiger with Dialog 06",
            "Ohaus Aviator 7000 with Dialog 06",
            "Older scales with Dialog 02 or 04",
        ),
        sources=(
            "Mettler-Toledo DIVA service manual, p. 54",
            "Ohaus Aviator 7000 service manual, p. 40",
            "Checkout-Dialog 06, records 01 to 11",
        ),
        serial_defaults={"baudrate": 9600, "bytesize": 7, "parity": "O", "stopbits": 1},
        tier=Tier.BRONZE,
        modes=(Mode.AUTOPRINT,),  # asked, but each load is weighed once
        notes=(
            "Each load is weighed once: until it moves the scale answers 21; after a restart of the box it must be lifted.",
            "Some scales demand a log-on after power-up, after an error and every 50 weighings (logon_polynomial).",
            "Dialog 06 talks 9600 or 4800 baud with 7O1 or 8N1, Dialog 02 talks 2400 baud 7O1: set the line as the scale is.",
        ),
    ),
    Dialog06Settings,
    _handshake,
)
