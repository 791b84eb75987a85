"""What can be done at a site by hand, as data: the steps of a scenario and the requests of the control port."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from firmware_sim.config import Amount, LineConfig, PositiveAmount, as_site_fault
from firmware_sim.errors import SiteFault

SymbologyId = Annotated[str, Field(pattern=r"^\][A-Za-z][0-9A-Za-z]$")]


class _Action(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    device: str


class Put(_Action):
    """Add a load."""

    action: Literal["put"]
    grams: PositiveAmount


class Remove(_Action):
    """Take off this much, or everything."""

    action: Literal["remove"]
    grams: PositiveAmount | None = None


class Press(_Action):
    """Press a key at the device."""

    action: Literal["press"]
    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,15}$")]


class Measure(_Action):
    """Let a gauge, sensor or meter have this value, in its own unit; None: nothing to measure (no probe, out of range)."""

    action: Literal["measure"]
    value: Amount | None
    what: str | None = None
    """Which of its values, where it has several."""


class PowerCycle(_Action):
    action: Literal["power_cycle"]


class LabelText(BaseModel):
    """A label: its text (GS as \\u001d) and the identifier of its symbology."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field(min_length=1, max_length=7089)  # the largest QR code holds 7089 digits (ISO/IEC 18004, table 7)
    symbology_id: SymbologyId | None = None


class Scan(_Action, LabelText):
    """Hold a label before the reader and read it."""

    action: Literal["scan"]


class LayOut(_Action):
    """Put labels before the reader, to be read one per trigger."""

    action: Literal["lay_out"]
    labels: tuple[LabelText, ...] = Field(min_length=1, max_length=1000)


class Trigger(_Action):
    action: Literal["trigger"]


class NoRead(_Action):
    """Trigger the reader without a readable label."""

    action: Literal["no_read"]


class Unplug(_Action):
    action: Literal["unplug"]


class Replug(_Action):
    action: Literal["replug"]


class Faults(_Action):
    """Exchange the faults on the device's line; without any it becomes perfect."""

    action: Literal["faults"]
    faults: LineConfig = LineConfig()


class State(_Action):
    """Ask how the device is."""

    action: Literal["state"]


Action = Put | Remove | Press | Measure | PowerCycle | Scan | LayOut | Trigger | NoRead | Unplug | Replug | Faults | State

_ACTION: TypeAdapter[Action] = TypeAdapter(Annotated[Action, Field(discriminator="action")])


def read_action(request: Mapping[str, object]) -> Action:
    """An action from JSON or TOML data; raises SiteFault with the key to blame."""
    try:
        return _ACTION.validate_python(request)
    except ValidationError as exc:
        fault = as_site_fault(exc)
        # The first part of the path is the action's own name; where it is missing or unknown there is no path.
        raise SiteFault(fault.message, key=fault.key.partition(".")[2] or "action") from exc
