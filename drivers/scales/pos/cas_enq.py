"""CAS scales that are asked with ENQ and DC1, and Mettler-Toledo's cousin, which wants its block sent back.

Sources: CAS SW-II manual, p. 15; Ohaus Aviator 7000 service manual, p. 36 (sign F); Mettler-Toledo DIVA service manual, 6.1.5.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

from pydantic import Field

from drivers.api import Acknowledged, Decoded, DriverInfo, Flag, Kind, Malformed, Mode, Probe, Reading, Refused, Settings, Tier
from drivers.scales.pos.frames import NO_FRAME, MarkedFrames, Measure, stray
from drivers.scales.pos.handshake import Exchange, Handshake, Turn, shaking_hands
from drivers.scales.pos.weights import UNITS, UnitName, Unusable, at_rest, mass, number, shifted, unit_code, xor
from sync_protocol.wiretext import clean

NUL, SOH, STX, ETX, EOT, ENQ, ACK, CR, DC1, NAK, CAN = (bytes([code]) for code in (0, 1, 2, 3, 4, 5, 6, 13, 17, 21, 24))

ANSWER_TIMEOUT_NS = 1_000_000_000

READY, BLOCK, CONFIRMATION = "ready", "block", "confirmation"
"""What the host waits for, in this order."""

CAS_PARTS = (SOH, STX, b"SU", b" +-F", *[b"0123456789. "] * 6, *[b"KGLBOTkglbozt "] * 2, None, ETX, EOT)
"""What each byte of a CAS block may be; the check character may be anything."""

ECR_PARTS = (STX, None, *[b"0123456789"] * 5, None, ETX)
"""The cousin's block: an identifier, five digits without their point, the check character."""

REFUSALS = {
    NAK: "the scale is not ready",
    CAN: "the scale wants to weigh again",
    NUL: "the scale has no data",
}

CAS_SINGLES = ACK + NAK
ECR_SINGLES = ACK + NAK + CAN + NUL + CR


class CasEnqSettings(Settings):
    """How a scale is asked with ENQ and DC1."""

    variant: Literal["cas", "ecr"] = Field(
        default="cas", description="CAS blocks, or Mettler-Toledo's (DIVA in ECR mode), which are sent back to be confirmed."
    )
    interval_ms: int = Field(default=300, ge=50, le=60_000, description="Milliseconds between two questions for the weight.")
    unit: UnitName = Field(default="kg", description="Unit of the scale; only used by the variant ecr, which does not send it.")
    decimals: int = Field(default=3, ge=0, le=4, description="Digits behind the point; only used by the variant ecr.")


def _measure(singles: bytes, parts: tuple[bytes | None, ...]) -> Measure:
    def measure(data: bytearray, at: int) -> int | None:
        if data[at] in singles:
            return 1
        for offset, allowed in enumerate(parts):
            if at + offset >= len(data):
                return None
            if allowed is not None and data[at + offset] not in allowed:
                return NO_FRAME
        return len(parts)

    return measure


def _follow(settings: CasEnqSettings, raw: bytes, awaited: str | None) -> Turn:
    if raw == ACK:
        ready = awaited == READY
        return Turn((Acknowledged(READY, raw),), reply=DC1 if ready else None, awaited=BLOCK if ready else awaited)
    if raw in REFUSALS:
        return Turn((Refused(_NAMES[raw], REFUSALS[raw], raw),), back_off=True)
    if settings.variant == "cas":
        whole = len(raw) == len(CAS_PARTS) and raw[:1] == SOH
        return Turn((_guarded(_cas_block, raw),)) if whole else Turn((stray(raw),), awaited=awaited)
    if raw == CR:
        return Turn((Acknowledged(CONFIRMATION, raw),), confirmed=awaited == CONFIRMATION)
    if raw[:1] != STX or len(raw) != len(ECR_PARTS):
        return Turn((stray(raw),), awaited=awaited)
    found = _guarded(partial(_ecr_block, settings), raw)
    if isinstance(found, Reading) and awaited == BLOCK:
        return Turn(reply=raw, awaited=CONFIRMATION, held=found)
    return Turn((found,))


_NAMES = {NAK: "NAK", CAN: "CAN", NUL: "NUL"}


def _guarded(read: Callable[[bytes], Decoded], raw: bytes) -> Decoded:
    try:
        return read(raw)
    except Unusable as exc:
        return Malformed(str(exc), raw)


def _cas_block(raw: bytes) -> Decoded:
    if xor(raw[2:12]) != raw[12]:
        raise Unusable("the check character is wrong")
    sign, digits, unit = raw[3:4], raw[4:10], raw[10:12]
    if sign == b"F":
        return mass(None, None, {Flag.OVERLOAD}, raw)
    value = number((sign + digits.strip(b" ")).decode("ascii"))
    return mass(value, unit_code(unit.decode("ascii")), {at_rest(moving=raw[2:3] == b"U")}, raw)


def _ecr_block(settings: CasEnqSettings, raw: bytes) -> Decoded:
    if xor(raw[1:7]) != raw[7]:
        raise Unusable("the check character is wrong")
    device = {"device_id": clean(raw[1:2].decode("latin-1"), 4)}
    return mass(shifted(raw[2:7].decode("ascii"), settings.decimals), UNITS[settings.unit], (), raw, **device)


def _handshake(settings: CasEnqSettings) -> Handshake:
    cas = settings.variant == "cas"
    measure = _measure(CAS_SINGLES if cas else ECR_SINGLES, CAS_PARTS if cas else ECR_PARTS)
    return Handshake(
        framer=lambda: MarkedFrames(measure),
        follow=partial(_follow, settings),
        weigh=Exchange(ENQ, READY, ANSWER_TIMEOUT_NS),
        interval_ns=settings.interval_ms * 1_000_000,
    )


CAS_ENQ = shaking_hands(
    DriverInfo(
        name="cas-enq",
        title="CAS, asked with ENQ and DC1 (ECR)",
        kinds=frozenset({Kind.MASS}),
        transports=("serial", "tcp"),
        models=(
            "CAS SW-II, AD, PD and ER scales with the ECR interface",
            "Ohaus Aviator 7000 with CAS answers",
            "Mettler-Toledo DIVA in ECR mode (variant ecr)",
        ),
        sources=(
            "CAS SW-II manual, p. 15",
            "Ohaus Aviator 7000 service manual, p. 36",
            "Mettler-Toledo DIVA service manual, 6.1.5",
        ),
        serial_defaults={"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1},
        tier=Tier.BRONZE,
        modes=(Mode.POLL,),
        # An ACK of one byte: the last to be asked, because more than scales acknowledge.
        probe=Probe(ENQ, lambda answer: answer == ACK, order=80),
        notes=("A scale that answers NAK is asked again after longer pauses, up to eight intervals.",),
    ),
    CasEnqSettings,
    _handshake,
)
