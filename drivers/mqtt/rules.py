"""What a message means: which topic and path hold a value, its unit, its state of rest, its time, and who is there."""

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from drivers.api import Kind
from drivers.mqtt.content import compiled
from drivers.mqtt.topics import check_filter
from sync_protocol.quantity import UNITS

MAX_VALUES = 32
"""Values of one device."""

UNIT_WORDS = {
    "C": "Cel",
    "°C": "Cel",
    "℃": "Cel",
    "F": "[degF]",
    "°F": "[degF]",
    "kWh": "kW.h",
    "Wh": "W.h",
    "lb": "[lb_av]",
    "lbs": "[lb_av]",
    "oz": "[oz_av]",
    "pcs": "{pcs}",
    "in": "[in_i]",
    "°": "deg",
}
"""What devices call units that have another code; codes themselves are taken as they are."""


class Rule(BaseModel):
    """Root of the rules: an unknown key is refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _path(given: str | None) -> str | None:
    if given is not None:
        compiled(given)
    return given


class ValueRule(Rule):
    """One value of a device."""

    name: str = Field(pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$", max_length=40, description="What the value is called.")
    topic: str = Field(default="#", description="Topics in which it comes; + stands for one level, # for all that follow.")
    value: str = Field(
        default="$.value", description="JSONPath of the number, as $.ENERGY.Power; $ where the message is the number."
    )
    kind: Kind | None = Field(default=None, description="What is measured; follows from the unit when left out.")
    unit: str | None = Field(default=None, description="Unit of the value, as a UCUM code: kg, Cel, W, kW.h.")
    unit_path: str | None = Field(default=None, description="JSONPath of the unit, where the message says it.")
    units: dict[str, str] = Field(default_factory=dict, description="What the device calls a unit = its code.")
    stable_path: str | None = Field(default=None, description="JSONPath of the mark of rest.")
    stable_when: tuple[str, ...] = Field(default=("true",), description="Texts of that mark that mean rest.")
    motion_when: tuple[str, ...] = Field(default=("false",), description="Texts of that mark that mean motion.")
    time_path: str | None = Field(default=None, description="JSONPath of the device's own time.")

    _paths = field_validator("value", "unit_path", "stable_path", "time_path")(_path)
    _topic = field_validator("topic")(check_filter)

    @model_validator(mode="after")
    def _one_unit(self) -> "ValueRule":
        if (self.unit is None) == (self.unit_path is None):
            raise ValueError("either `unit` or `unit_path` says the unit")
        for code in (*self.units.values(), *(() if self.unit is None else (self.unit,))):
            if code not in UNITS:
                raise ValueError(f"{code!r} is no unit here; there are {' '.join(UNITS)}")
        return self


class AvailabilityRule(Rule):
    """Where the device, or the broker for it, says whether it is there."""

    topic: str = Field(description="Topic of the device's last will.")
    path: str | None = Field(default=None, description="JSONPath of the word; the message itself when left out.")
    online: tuple[str, ...] = Field(default=("online", "Online", "true", "1"), description="Words for there.")
    offline: tuple[str, ...] = Field(default=("offline", "Offline", "false", "0"), description="Words for gone.")

    _topic = field_validator("topic")(check_filter)
    _paths = field_validator("path")(_path)


class Shape(Rule):
    """A make of device: what all of its messages have in common. Shipped as TOML."""

    name: str
    title: str
    models: tuple[str, ...]
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()
    values: tuple[ValueRule, ...] = Field(min_length=1, max_length=MAX_VALUES)
    availability: AvailabilityRule | None = None
