"""USB HID point-of-sale scales (usage page 0x8D): Dymo, Stamps.com, Fairbanks Ultegra, Mettler-Toledo PS, Avery.

One report is one message; the transport gives each in an envelope with the origin `report`.
Source: USB HID Point of Sale Usage Tables 1.02, ch. 4 (Weighing Devices).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from drivers.api import (
    Codec,
    Decoded,
    Driver,
    DriverInfo,
    Flag,
    Kind,
    Malformed,
    Mode,
    Reading,
    Refused,
    Settings,
    SettingsFault,
    Status,
    Tier,
)
from drivers.envelope import EnvelopeBuffer, Message, Stray
from drivers.settings import own_settings, read_settings

ORIGIN = "report"

WEIGHT_REPORT = 3
WEIGHT_LENGTH = 6
"""Bytes: report id, status, unit, exponent, and the value low byte first."""

OTHER_REPORTS = {1: "attributes", 2: "zero control", 4: "status", 5: "weight limit", 6: "statistics"}

FAULT, STABLE_ZERO, MOTION, STABLE, UNDER, OVER, CALIBRATE, REZERO = range(1, 9)
"""Status (4.8): what the scale says of its weight."""

STATES = {
    STABLE_ZERO: frozenset({Flag.STABLE, Flag.ZERO}),
    MOTION: frozenset({Flag.MOTION}),
    STABLE: frozenset({Flag.STABLE}),
}

RANGES = {UNDER: Flag.UNDERLOAD, OVER: Flag.OVERLOAD}
"""Under zero the magnitude comes without a sign: the digits are not used."""

REFUSALS = {
    FAULT: ("fault", "the scale reports a fault"),
    CALIBRATE: ("requires-calibration", "the scale wants to be calibrated"),
    REZERO: ("requires-rezero", "the scale wants to be zeroed"),
}

UNITS = {
    1: "mg",
    2: "g",
    3: "kg",
    4: "[car_m]",
    6: "[gr]",
    7: "[pwt_tr]",
    8: "t",
    9: "[ston_av]",
    10: "[oz_tr]",
    11: "[oz_av]",
    12: "[lb_av]",
}
"""4.3; 5 is the tael, whose mass differs between countries: not usable."""

EXPONENTS = range(-12, 7)
"""Powers of ten that scales use; anything else is damage, not 65,535 times ten to the 127th."""


class HidScaleSettings(Settings):
    """There is nothing to set: the report says everything."""


class HidScaleCodec:
    """One scale. It talks by itself, in many models only when the weight changes, so silence says nothing."""

    def __init__(self) -> None:
        self._messages = EnvelopeBuffer()

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:  # noqa: ARG002 - the contract's signature
        """Take envelopes, give the reports in them."""
        return [_message(item) for item in self._messages.feed(data)]

    def poll(self, now_ns: int) -> bytes | None:  # noqa: ARG002 - the contract's signature
        """Nothing is ever asked."""
        return None

    def due_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - the contract's signature
        """Nothing happens but reports."""
        return None

    def overdue(self, now_ns: int) -> bool:  # noqa: ARG002 - the contract's signature
        """Never: a scale that is switched off vanishes from the bus, which the link sees."""
        return False

    def command(self, name: str, argument: str | None = None) -> bytes:  # noqa: ARG002 - the contract's signature
        """There are none: raises SettingsFault."""
        raise SettingsFault(f"no command {name[:40]!r}: there are none", setting="command")

    def finish(self) -> list[Decoded]:
        """What is left in the buffer is no message."""
        return [_message(item) for item in self._messages.flush()]


def _message(item: Message | Stray) -> Decoded:
    if isinstance(item, Stray):
        return Malformed("bytes outside a message", item.raw)
    raw = item.to_bytes()
    if item.origin != ORIGIN:
        return Malformed("not a HID report", raw)
    report = item.payload
    if len(report) == WEIGHT_LENGTH + 1 and report[:2] == bytes([0, WEIGHT_REPORT]):
        report = report[1:]  # some stacks put a report number 0 in front of the one that the scale sends
    if not report or report[0] != WEIGHT_REPORT:
        name = OTHER_REPORTS.get(report[0]) if report else None
        return Malformed("no report of a scale", raw) if name is None else Status(f"{name} {report[1:33].hex()}".strip(), raw)
    if len(report) != WEIGHT_LENGTH:
        return Malformed(f"a weight report has {WEIGHT_LENGTH} bytes, not {len(report)}", raw)
    return _weight(report, raw)


def _weight(report: bytes, raw: bytes) -> Decoded:
    status, unit, exponent = report[1], report[2], int.from_bytes(report[3:4], signed=True)
    if status in REFUSALS:
        return Refused(*REFUSALS[status], raw)
    if status in RANGES:
        return Reading(Kind.MASS, None, None, frozenset({RANGES[status]}), raw)
    if status not in STATES:
        return Malformed(f"status {status} does not exist", raw)
    if unit not in UNITS:
        return Malformed(f"unit {unit} has no agreed mass: the value cannot be used", raw)
    if exponent not in EXPONENTS:
        return Malformed(f"exponent {exponent} is none of a scale", raw)
    shown = format(Decimal(int.from_bytes(report[4:6], "little")).scaleb(exponent), "f")
    return Reading(Kind.MASS, Decimal(shown), UNITS[unit], STATES[status], raw)


def _make_codec(settings: Settings) -> Codec:
    own_settings(HidScaleSettings, settings)
    return HidScaleCodec()


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    read_settings(HidScaleSettings, values)
    codec = HidScaleCodec()
    return [*codec.receive(capture, 0), *codec.finish()]


HID_POS_SCALE = Driver(
    info=DriverInfo(
        name="hid-pos-scale",
        title="USB HID scale",
        kinds=frozenset({Kind.MASS}),
        transports=("hidraw",),
        models=(
            "Dymo M10, M25, S100 and other Dymo postal scales",
            "Stamps.com and USPS postal scales, Fairbanks Ultegra USB, Mettler-Toledo PS, Avery",
        ),
        sources=("USB HID Point of Sale Usage Tables 1.02, ch. 4",),
        tier=Tier.BRONZE,
        modes=(Mode.STREAM,),
        notes=(
            "Dymo scales switch themselves off after 3 minutes: the link is then lost until the button is pressed.",
            "The unit follows the button on the scale; weights below zero come without their sign and are a state, no value.",
        ),
    ),
    settings=HidScaleSettings,
    make_codec=_make_codec,
    decode=_decode,
)
