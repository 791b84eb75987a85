"""Drivers made of register maps: one for each shipped map, and `modbus` for a map of one's own or a single register."""

import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from pydantic import Field, create_model, model_validator

from drivers.api import Codec, Decoded, Driver, DriverInfo, Kind, Settings, SettingsFault, Tier
from drivers.modbus.codec import ModbusCodec
from drivers.modbus.mapping import MapFile, RegisterMap, Scale, TypeName, UnitCode, read_map, read_map_file
from drivers.modbus.reading import Terms
from drivers.modbus.registers import WORDS, Order
from drivers.settings import own_settings, read_settings
from sync_protocol.quantity import UNITS

MAPS = Path(__file__).with_name("maps")

MAX_MAP_FILE = 32 * 1024
"""Bytes. The longest register map of a paper is a few hundred lines; the journal keeps the text with the device's settings."""

TRANSPORTS = ("modbus",)


class MapSettings(Settings):
    """What every Modbus device is asked for, whatever its map."""

    unit_id: int = Field(default=1, ge=0, le=255, description="Address of the device on its line (unit, slave or node number).")
    interval_ms: int = Field(default=200, ge=20, le=3_600_000, description="Time between two readings, in milliseconds.")
    unit: UnitCode | None = Field(default=None, description="Unit of the value, for devices that do not send it.")
    scale: Scale | None = Field(
        default=None, description="Worth of one count (0.001 for three decimals), for devices that do not send the point."
    )
    word_order: Order | None = Field(
        default=None, description="Whether the high (big) or the low (little) word of 32-bit values comes first."
    )
    byte_order: Order | None = Field(default=None, description="Order of the two bytes in a register; big is the standard.")
    round: int | None = Field(default=None, ge=0, le=9, description="Decimals that a value is rounded to; as sent when absent.")
    first_register: int | None = Field(
        default=None, ge=0, le=165_535, description="Where the first block begins, if not where the map says."
    )


class OneRegisterSettings(MapSettings):
    """A map of one's own, or one value in one register."""

    map: Mapping[str, object] | None = Field(default=None, description="A register map of your own, as a table.")
    map_file: str | None = Field(default=None, max_length=4096, description="A file with a register map of your own.")
    map_text: str = Field(default="", description="The file's text; read from it when left out, and kept with the readings.")
    type: TypeName = Field(default="s16", description="Type of the value in the register, where no map is given.")
    kind: Kind | None = Field(default=None, description="What the value is of; by default what its unit says.")
    function: int = Field(default=3, ge=1, le=4, description="Function that reads it: 3 for holding, 4 for input registers.")
    unavailable: tuple[int, ...] = Field(default=(), description="Numbers that mean that there is no value.")

    @model_validator(mode="before")
    @classmethod
    def _read(cls, values: Any) -> Any:
        # A reading of years ago is decoded by the map of its day, whatever became of the file.
        if not isinstance(values, dict) or values.get("map_text") or not isinstance(values.get("map_file"), str):
            return values
        try:
            return {**values, "map_text": _text(Path(values["map_file"]))}
        except SettingsFault as exc:
            raise ValueError(str(exc)) from exc


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, MapFile]:
    """The maps that come with the program, by name. Raises SettingsFault for a broken one, which a test rules out."""
    found = [_load(path) for path in sorted(MAPS.glob("*.toml"))]
    return {one.about.name: one for one in found}


def driver_of(one: MapFile) -> Driver:
    """The driver of a shipped map."""
    model = create_model(f"{_camel(one.about.name)}Settings", __base__=MapSettings, __module__=__name__)

    def make(settings: Settings) -> Codec:
        return _codec(one.map_, own_settings(model, settings))

    def decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
        return _decode(_codec(one.map_, read_settings(model, values)), capture)

    about = one.about
    info = DriverInfo(
        name=f"modbus-{about.name}",
        title=about.title,
        kinds=frozenset(point.kind for point in one.map_.readings),
        transports=TRANSPORTS,
        models=about.models,
        sources=about.sources,
        serial_defaults={"baudrate": about.baudrate, "bytesize": 8, "parity": about.parity, "stopbits": about.stopbits},
        commands=tuple(one.map_.commands),
        tier=Tier.BRONZE if about.proved else Tier.NONE,
        notes=about.notes,
    )
    return Driver(info=info, settings=model, make_codec=make, decode=decode)


def _codec(register_map: RegisterMap, settings: MapSettings) -> ModbusCodec:
    terms = Terms(
        word_order=settings.word_order or register_map.word_order,
        byte_order=settings.byte_order or register_map.byte_order,
        unit=settings.unit,
        scale=settings.scale,
        round_=settings.round,
    )
    interval_ns = settings.interval_ms * 1_000_000
    moved = _moved(register_map, settings.first_register)
    return ModbusCodec(register_map, terms, unit_id=settings.unit_id, interval_ns=interval_ns, moved=moved)


def _decode(codec: ModbusCodec, capture: bytes) -> Sequence[Decoded]:
    return codec.receive(capture, 0) + codec.finish()


def _moved(register_map: RegisterMap, first_register: int | None) -> int:
    """How far the device has its registers from where the map has them."""
    if first_register is None:
        return 0
    moved = first_register - register_map.blocks[0].start
    places = [(block.start, block.count) for block in register_map.blocks]
    places += [(write.register_, len(write.words)) for write in register_map.commands.values()]
    for start, count in places:
        if not 0 <= start - register_map.zero + moved <= 65_536 - count:
            raise SettingsFault(
                f"first_register: from {first_register} on, register {start + moved} would not exist", setting="first_register"
            )
    return moved


def _one_register(settings: OneRegisterSettings) -> RegisterMap:
    """A map of the one register that the settings name."""
    if settings.map is not None and settings.map_file is not None:
        raise SettingsFault("map: either map or map_file", setting="map")
    if settings.map is not None:
        return read_map(settings.map)
    if settings.map_file is not None:
        return _map_of(settings.map_text, settings.map_file).map_
    register = settings.first_register or 0
    kind = settings.kind or _kind_of(settings.unit)
    value = {"register": register, "type": settings.type, "unavailable": settings.unavailable}
    point = {"kind": kind, "value": value, "unit": settings.unit}
    block = {"function": settings.function, "start": register, "count": WORDS[settings.type]}
    return read_map({"blocks": [block], "readings": [point]}, "type")


def _kind_of(unit: str | None) -> Kind:
    dimension = "" if unit is None else UNITS[unit][0]
    kinds = {
        "mass": Kind.MASS,
        "count": Kind.COUNT,
        "length": Kind.LENGTH,
        "temperature": Kind.TEMPERATURE,
        "fahrenheit": Kind.TEMPERATURE,
        "pressure": Kind.PRESSURE,
        "force": Kind.FORCE,
        "angle": Kind.ANGLE,
        "ratio": Kind.PERCENT,
    }
    return kinds.get(dimension, Kind.QUANTITY)


def _load(path: Path) -> MapFile:
    return _map_of(_text(path), str(path))


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():  # a pipe or a terminal would be waited for
        raise SettingsFault(f"map_file: {path} is no file", setting="map_file")
    try:
        with path.open("rb") as file:
            text = file.read(MAX_MAP_FILE + 1)
        if len(text) > MAX_MAP_FILE:
            raise SettingsFault(f"map_file: {path} is longer than {MAX_MAP_FILE} bytes", setting="map_file")
        return text.decode()
    except (OSError, ValueError) as exc:  # ValueError: no UTF-8, or a zero character in the path
        raise SettingsFault(f"map_file: {path}: {exc}", setting="map_file") from exc


def _map_of(text: str, origin: str) -> MapFile:
    try:
        values = tomllib.loads(text, parse_float=Decimal)
    except RecursionError as exc:
        raise SettingsFault(f"map_file: {origin}: brackets within brackets, too deep to read", setting="map_file") from exc
    except tomllib.TOMLDecodeError as exc:
        raise SettingsFault(f"map_file: {origin}: {exc}", setting="map_file") from exc
    return read_map_file(values)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))


def _make_generic(settings: Settings) -> Codec:
    own = own_settings(OneRegisterSettings, settings)
    register_map = _one_register(own)
    # A single register stands where first_register says already.
    return _codec(register_map, own if own.map or own.map_file else own.model_copy(update={"first_register": None}))


def _decode_generic(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    settings = read_settings(OneRegisterSettings, values)
    return _decode(cast("ModbusCodec", _make_generic(settings)), capture)


GENERIC = Driver(
    info=DriverInfo(
        name="modbus",
        title="Modbus device by a register map of your own",
        kinds=frozenset(Kind) - {Kind.CODE, Kind.IMAGE},
        transports=TRANSPORTS,
        models=("Transmitters, indicators, loggers and meters with a published register map",),
        sources=("MODBUS Application Protocol V1.1b3, ch. 6 and 7", "MODBUS over Serial Line V1.02, 2.5.1"),
        serial_defaults={"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1},
        tier=Tier.BRONZE,
        notes=(
            "Papers number registers from 0, from 1 or from 40001: compare a known value first, such as the serial number.",
            "The order of the words of 32-bit values is not in the standard: try both on a known weight or temperature.",
        ),
    ),
    settings=OneRegisterSettings,
    make_codec=_make_generic,
    decode=_decode_generic,
)
