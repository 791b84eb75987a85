"""Sylvac instruments over Bluetooth, Simple Data Service: the value as a whole number, its unit and resolution beside it.

Source: Sylvac Simple Data Service, MEM-PM 292-1806-01, as sylvac-measure 0.3.0 (PyPI) reads it. The presentation format of the
value (descriptor 0x2904) is that of the Bluetooth GATT Specification Supplement 11, 2.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pydantic import Field

from drivers.api import Codec, Decoded, Driver, DriverInfo, Kind, Malformed, Mode, Reading, Refused, Settings, Status, Tier
from drivers.ble.conversation import BleCodec, Conversation, Read, ask, guarded, subscribe
from drivers.ble.fields import FieldFault, nothing_after, signed, unsigned
from drivers.ble.services import BATTERY, READERS
from drivers.ble.uuids import full
from drivers.settings import own_settings, read_settings

SERVICE = full(0x5000)
VALUE = full(0x5020)
PARAMETERS = full(0x5021)
FORMAT = f"{VALUE}/{full(0x2904)}"

NO_VALUE = 0x7FFFFFFF
"""Sent before notifications are on, and while there is nothing to measure."""

DEFAULT_EXPONENT = -9
"""Nanometres: what the instruments say in their presentation format."""

MAX_EXPONENT = 12
"""Either way: a wider one is a damaged descriptor."""

METRE, DEGREE = 0x2701, 0x2763
"""Units of a presentation format (Bluetooth Assigned Numbers, 3.5)."""

MM, INCH, RADIAN, ANGLE = 1, 2, 4, 5
"""Bits 15 to 12 of the parameters: the unit on the display."""

MODES = {0: None, 1: "min", 2: "max", 3: "delta"}
"""Bits 1 and 0 of the parameters."""

METRES_PER_INCH = Decimal("0.0254")

MAX_DECIMALS = 7


class SylvacSdsSettings(Settings):
    """A Sylvac instrument with the Simple Data Service. It tells its unit and scale itself; both can be given for a capture."""

    exponent: int | None = Field(
        default=None,
        ge=-MAX_EXPONENT,
        le=0,
        description="Power of ten of the value in metres, for captures without the instrument's own word for it.",
    )
    parameters_hex: str | None = Field(
        default=None,
        pattern=r"^[0-9a-fA-F]{4}$",
        description="The two bytes of the parameters, for captures without the instrument's own word for them.",
    )


@dataclass(slots=True)
class SdsReader:
    """What the instrument said about its values, and the values read with it."""

    exponent: int = DEFAULT_EXPONENT
    unit: int = METRE
    parameters: int | None = None

    def readers(self) -> dict[str, Read]:
        return {
            VALUE: guarded(self._value),
            PARAMETERS: guarded(self._parameters),
            FORMAT: guarded(self._format),
            BATTERY: READERS[BATTERY],
        }

    def _format(self, payload: bytes, raw: bytes) -> Decoded:
        nothing_after(payload, 7)
        exponent, unit = signed(payload, 1, 1), unsigned(payload, 2)
        if abs(exponent) > MAX_EXPONENT:
            raise FieldFault(f"an exponent of {exponent}")
        self.exponent, self.unit = exponent, unit
        return Status(f"format: exponent {exponent}, unit {unit:04x}", raw)

    def _parameters(self, payload: bytes, raw: bytes) -> Decoded:
        nothing_after(payload, 2)
        self.parameters = unsigned(payload, 0)
        return Status(f"parameters {self.parameters:04x}", raw)

    def _value(self, payload: bytes, raw: bytes) -> Decoded:
        nothing_after(payload, 4)
        number = signed(payload, 0, 4)
        if number == NO_VALUE:
            return Refused("no-measurement", "the instrument has no value", raw)
        if self.parameters is None:
            return Refused("no-parameters", "the instrument has not said its unit yet", raw)
        shown, decimals = self.parameters >> 12, (self.parameters >> 8) & 0xF
        mode = MODES[self.parameters & 3]
        found = self._shown(Decimal(number).scaleb(self.exponent), shown, min(decimals, MAX_DECIMALS))
        if isinstance(found, str):
            return Malformed(found, raw)
        value, unit, kind = found
        return Reading(kind, value, unit, frozenset(), raw, details={} if mode is None else {"mode": mode})

    def _shown(self, value: Decimal, shown: int, decimals: int) -> tuple[Decimal, str, Kind] | str:
        """The value in the unit of the display, or why that cannot be."""
        if shown == ANGLE and self.unit == DEGREE:
            return _digits(value, decimals), "deg", Kind.ANGLE
        if self.unit != METRE or shown not in {MM, INCH}:
            return f"unknown unit {shown} of a value in {self.unit:04x}"
        if shown == MM:
            return _digits(value.scaleb(3), decimals), "mm", Kind.LENGTH
        # 0.00001 in are exactly 254 nm: a display in inches comes over whole, or it is no display in inches.
        inches = (value / METRES_PER_INCH).quantize(Decimal(1).scaleb(-max(decimals, 5)))
        if inches * METRES_PER_INCH != value:
            return "a value that is no whole number of steps in inches"
        return _digits(inches, decimals), "[in_i]", Kind.LENGTH


def _digits(value: Decimal, decimals: int) -> Decimal:
    """With the decimals of the display where nothing is lost by it, else as many as it takes."""
    step = Decimal(1).scaleb(-decimals)
    if value % step == 0:
        return value.quantize(step)
    return value.normalize()


def _codec(settings: SylvacSdsSettings) -> BleCodec:
    reader = SdsReader()
    if settings.exponent is not None:
        reader.exponent = settings.exponent
    if settings.parameters_hex is not None:
        reader.parameters = int.from_bytes(bytes.fromhex(settings.parameters_hex), "little")
    return BleCodec(
        Conversation(
            readers=reader.readers(),
            wanted=(VALUE, PARAMETERS),
            start=(*ask(FORMAT, PARAMETERS, BATTERY), *subscribe(PARAMETERS, VALUE, BATTERY)),
        )
    )


def _make_codec(settings: Settings) -> Codec:
    return _codec(own_settings(SylvacSdsSettings, settings))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    codec = _codec(read_settings(SylvacSdsSettings, values))
    return [*codec.receive(capture, 0), *codec.finish()]


DRIVER = Driver(
    info=DriverInfo(
        name="sylvac-sds",
        title="Sylvac instrument over Bluetooth, simple profile",
        kinds=frozenset({Kind.LENGTH, Kind.ANGLE, Kind.BATTERY}),
        transports=("ble",),
        models=("Sylvac S_Cal EVO, S_Dial and other Bluetooth instruments in the profile SIMPLE (names SY..., MTY...)",),
        sources=("Sylvac MEM-PM 292-1806-01 (Simple Data Service)", "sylvac-measure 0.3.0, decoding rules"),
        modes=(Mode.STREAM, Mode.AUTOPRINT),
        tier=Tier.NONE,
        notes=(
            "The instrument sends its unit and resolution; a change at its keys is followed.",
            "One connection only: the maker's app on a phone keeps the box out.",
            "Nothing says whether the tip is at rest.",
        ),
    ),
    settings=SylvacSdsSettings,
    make_codec=_make_codec,
    decode=_decode,
)
