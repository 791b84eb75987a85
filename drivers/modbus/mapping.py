"""What a register map says: blocks that are read at once, what their numbers and status bits mean, and what may be written.

Registers are written as the device's paper numbers them; `zero` is the paper's number of address 0 on the wire.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from drivers.api import Kind, SettingsFault
from drivers.modbus.adu import MAX_BITS, MAX_REGISTERS, READ_BITS
from drivers.modbus.registers import TYPE_NAMES, WORDS, NumberType, Order
from drivers.vocabulary import UNIT_WORDS
from sync_protocol.quantity import UNITS

MAX_BLOCKS = 8
"""Requests of one reading. A device that needs more is slower than anybody waits."""

MAX_READINGS = 64
"""Values of one device; the largest loggers have 48 channels."""

PartT = TypeVar("PartT", bound="Part")

_UNIT_CODES = {word: code for code, word in UNIT_WORDS.items()}


def _number_type(given: object) -> object:
    return TYPE_NAMES.get(given.lower(), given) if isinstance(given, str) else given


def _unit_code(given: object) -> object:
    code = _UNIT_CODES.get(given, given) if isinstance(given, str) else given
    if code not in UNITS:
        raise ValueError(f"no unit {given!r}: a UCUM code such as {', '.join(list(UNITS)[:5])} is expected")
    return code


def _decimal(given: object) -> object:
    return str(given) if isinstance(given, float) else given


TypeName = Annotated[NumberType, BeforeValidator(_number_type)]
UnitCode = Annotated[str, BeforeValidator(_unit_code)]
Scale = Annotated[Decimal, BeforeValidator(_decimal), Field(gt=0, le=10**9, max_digits=18)]
Bit = Annotated[int, Field(ge=0, le=31)]


class Part(BaseModel):
    """Root of everything in a map: unknown keys are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Number(Part):
    """One number in the registers."""

    register_: int = Field(alias="register", ge=0, le=165_535)
    type_: TypeName = Field(alias="type")
    word_order: Order | None = None
    scale: Scale | None = None
    round_: int | None = Field(default=None, alias="round", ge=0, le=9)
    unavailable: tuple[int, ...] = ()
    """Numbers, or bits of a float, that mean that there is no value."""
    negative: Bit | None = None
    """The bit of the first status that says that the value is below zero; the registers hold its magnitude then."""


class Codes(Part):
    """A number inside a status register that says how the value is; 0 means that nothing is wrong."""

    shift: int = Field(default=0, ge=0, le=15)
    mask: int = Field(default=0xFFFF, ge=1, le=0xFFFF)
    over: tuple[int, ...] = ()
    under: tuple[int, ...] = ()
    no_value: Mapping[int, str] = Field(default_factory=dict)
    faults: Mapping[int, str] = Field(default_factory=dict)


class Status(Part):
    """Bits that say how a value is. Each word takes the bits of which any one says it."""

    register_: int = Field(alias="register", ge=0, le=165_535)
    type_: Annotated[Literal["u16", "u32", "bits"], BeforeValidator(_number_type)] = Field(alias="type")
    """`bits` for blocks of functions 1 and 2: bit 0 is the one of that number."""
    word_order: Order | None = None
    mask: int | None = Field(default=None, ge=1)
    """For devices whose whole register is a fault code: `mask` with `faulty` says what any bit of it means."""
    faulty: str | None = None
    stable: tuple[Bit, ...] = ()
    motion: tuple[Bit, ...] = ()
    net: tuple[Bit, ...] = ()
    zero: tuple[Bit, ...] = ()
    preset_tare: tuple[Bit, ...] = ()
    over: tuple[Bit, ...] = ()
    under: tuple[Bit, ...] = ()
    wanted: tuple[Bit, ...] = ()
    """Bits without which there is no value."""
    no_value: Mapping[Bit, str] = Field(default_factory=dict)
    """Bit -> why there is none."""
    faults: Mapping[Bit, str] = Field(default_factory=dict)
    """Bit -> the device's fault, reported as its own error."""
    decimals: Mapping[Bit, int] = Field(default_factory=dict)
    """Bit -> digits behind the point of all numbers of the reading."""
    codes: Codes | None = None


class Coded(Part):
    """A register whose number stands for something: a unit, or digits behind the point."""

    register_: int = Field(alias="register", ge=0, le=165_535)
    shift: int = Field(default=0, ge=0, le=15)
    mask: int = Field(default=0xFFFF, ge=1, le=0xFFFF)


class Units(Coded):
    """Which unit the value is in. A number that is not listed makes the value unusable."""

    codes: Mapping[int, UnitCode]


class Decimals(Coded):
    """How many digits stand behind the point; the number itself where `codes` is empty."""

    codes: Mapping[int, int] = Field(default_factory=dict)


class Point(Part):
    """One reading: a value with what belongs to it."""

    kind: Kind
    name: str | None = Field(default=None, max_length=40)
    """Tells it from others of the device: a channel, `dew point`."""
    unit: UnitCode | None = None
    scale: Scale | None = None
    value: Number | None = None
    """What the display shows, where the device sends that."""
    gross: Number | None = None
    net: Number | None = None
    tare: Number | None = None
    shows: Literal["net", "gross"] | None = None
    """What `value` is, where no bit says it; which of `net` and `gross` is taken, where no bit says it."""
    status: tuple[Status, ...] = ()
    units: Units | None = None
    decimals: Decimals | None = None

    @model_validator(mode="after")
    def _has_a_value(self) -> Self:
        if self.value is None and (self.gross is None or self.net is None):
            raise ValueError("a reading needs `value`, or `gross` and `net`")
        negative = any(one.negative is not None for one in self.numbers())
        if negative and not self.status:
            raise ValueError("`negative` is a bit of a status, and there is none")
        if self.value is None and self.shows is None and not any(one.net for one in self.status):
            raise ValueError("either `shows` or a `net` bit must say which of `net` and `gross` counts")
        return self

    def numbers(self) -> tuple[Number, ...]:
        return tuple(one for one in (self.value, self.gross, self.net, self.tare) if one is not None)

    def spans(self) -> Iterable[tuple[int, int, bool]]:
        """`(first register, how many words, whether it is needed)` of all that the reading is made of; bits have no words."""
        for one in self.numbers():
            yield one.register_, WORDS[one.type_], one is not self.tare
        for place, status in enumerate(self.status):
            yield status.register_, 1 if status.type_ == "u16" else 2 if status.type_ == "u32" else 0, place == 0
        for coded in (self.units, self.decimals):
            if coded is not None:
                yield coded.register_, 1, False


class Block(Part):
    """Registers or bits that are read in one transaction."""

    function: Literal[1, 2, 3, 4] = 3
    start: int = Field(ge=0, le=165_535)
    count: int = Field(ge=1, le=MAX_BITS)

    def holds(self, register: int, words: int) -> bool:
        """Whether these registers are in it; no words stand for bits."""
        if (self.function in READ_BITS) is not (words == 0):
            return False
        return self.start <= register and register + max(words, 1) <= self.start + self.count


class Shows(Part):
    """What later readings show once a command was done; devices that say nothing else to it."""

    flag: Literal["net", "gross", "zero"]
    within_ms: int = Field(default=2000, ge=100, le=60_000)


class Result(Part):
    """A register in which the device tells, in a later read, how the command went; 0 is done."""

    register_: int = Field(alias="register", ge=0, le=165_535)
    codes: Mapping[int, str] = Field(default_factory=dict)
    """What else it may hold, in words."""


class Write(Part):
    """What a command writes, once: never at an interval, for registers behind which a memory wears out."""

    function: Literal[5, 6, 16]
    register_: int = Field(alias="register", ge=0, le=165_535)
    words: tuple[Annotated[int, Field(ge=0, le=0xFFFF)], ...] = Field(min_length=1, max_length=8)
    shows: Shows | None = None
    result: Result | None = None

    @model_validator(mode="after")
    def _fits_its_function(self) -> Self:
        if self.function in {5, 6} and len(self.words) != 1:
            raise ValueError(f"function {self.function} writes one word")
        if self.function == 5 and self.words[0] not in {0, 0xFF00}:
            raise ValueError("a coil takes 0xFF00 (65280) or 0")
        return self


class Alive(Part):
    """A number that the device changes by itself: when it stands still for longer than `within_ms`, so does everything else."""

    register_: int = Field(alias="register", ge=0, le=165_535)
    type_: Annotated[Literal["u16", "u32"], BeforeValidator(_number_type)] = Field(alias="type")
    within_ms: int = Field(default=2000, ge=100, le=600_000)


class RegisterMap(Part):
    """One device's registers."""

    zero: int = Field(default=0, ge=0, le=100_000)
    word_order: Order = "big"
    byte_order: Order = "big"
    max_count: int = Field(default=MAX_REGISTERS, ge=1, le=MAX_REGISTERS)
    blocks: tuple[Block, ...] = Field(min_length=1, max_length=MAX_BLOCKS)
    readings: tuple[Point, ...] = Field(min_length=1, max_length=MAX_READINGS)
    alive: Alive | None = None
    commands: Mapping[str, Write] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _blocks_are_allowed(self) -> Self:
        for place, block in enumerate(self.blocks):
            if block.function not in READ_BITS and block.count > self.max_count:
                raise ValueError(f"blocks.{place}: {block.count} registers, and the device gives at most {self.max_count}")
            if block.start < self.zero or block.start + block.count - self.zero > 65_536:
                raise ValueError(f"blocks.{place}: register {block.start} is not one of {self.zero} to {self.zero + 65_535}")
        return self

    @model_validator(mode="after")
    def _everything_is_read(self) -> Self:
        for place, point in enumerate(self.readings):
            for register, words, _ in point.spans():
                if not any(block.holds(register, words) for block in self.blocks):
                    raise ValueError(f"readings.{place}: register {register} is in no block")
        if self.alive is not None and not any(
            block.holds(self.alive.register_, WORDS[self.alive.type_]) for block in self.blocks
        ):
            raise ValueError(f"alive: register {self.alive.register_} is in no block")
        for name, write in self.commands.items():
            if write.result is not None and not any(block.holds(write.result.register_, 1) for block in self.blocks):
                raise ValueError(f"commands.{name}: register {write.result.register_} is in no block")
            if not self.zero <= write.register_ <= self.zero + 65_536 - len(write.words):
                raise ValueError(
                    f"commands.{name}: register {write.register_} is not one of {self.zero} to {self.zero + 65_535}"
                )
        return self


class About(Part):
    """What people need to know of a shipped map."""

    name: str = Field(pattern=r"[a-z0-9]+(-[a-z0-9]+)*")
    title: str
    models: tuple[str, ...] = Field(min_length=1)
    sources: tuple[str, ...] = Field(min_length=1)
    notes: tuple[str, ...] = ()
    proved: bool = False
    """Whether captures of others decode as their source says; without, a map is only as good as its paper."""
    baudrate: int = 9600
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Literal[1, 2] = 1


class MapFile(Part):
    """A map with what is said about it."""

    about: About
    map_: RegisterMap = Field(alias="map")


def read_map(values: Mapping[str, object], setting: str = "map") -> RegisterMap:
    """A map as a person wrote it. Raises SettingsFault that names the place in it."""
    return _checked(RegisterMap, values, setting)


def read_map_file(values: Mapping[str, object], setting: str = "map_file") -> MapFile:
    """A map with its description. Raises SettingsFault that names the place in it."""
    return _checked(MapFile, values, setting)


def _checked(model: type[PartT], values: Mapping[str, object], setting: str) -> PartT:
    try:
        return model.model_validate(dict(values))
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = str(first["msg"]).removeprefix("Value error, ")
        raise SettingsFault(f"{setting}: {place + ': ' if place else ''}{message}", setting=setting) from exc
