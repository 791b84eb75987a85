"""What a box can be asked to do: the name of each operation and the model of its arguments."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sync_protocol.errors import TextFault

MAX_CONFIGURATION = 40 * 1024
"""Characters; leaves room for its escaping within a command. A station of ten devices takes three thousand."""


class _Arguments(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NoArguments(_Arguments):
    """Of an operation that concerns the box as a whole."""


class OnDevice(_Arguments):
    """Of an operation on one device, by its id on the box."""

    device: str = Field(min_length=1, max_length=40)


class NewConfiguration(_Arguments):
    """The whole text of the box's configuration file."""

    toml: str = Field(min_length=1, max_length=MAX_CONFIGURATION)


class Identify(_Arguments):
    """For how long the box makes itself seen and heard."""

    seconds: int = Field(default=10, ge=1, le=60)


Arguments = NoArguments | OnDevice | NewConfiguration | Identify

OPS: dict[str, type[Arguments]] = {
    "zero": OnDevice,
    "tare": OnDevice,
    "restart_device": OnDevice,
    "take_picture": OnDevice,
    "configure": NewConfiguration,
    "pull_mirror": NoArguments,
    "identify": Identify,
    "fresh_run": NoArguments,
}


def arguments(op: str, args: dict[str, Any]) -> Arguments:
    """The arguments of a known operation, checked. Raises TextFault for another operation or arguments that do not fit."""
    model = OPS.get(op)
    if model is None:
        raise TextFault(f"no operation {op[:40]!r}: {', '.join(OPS)}")
    try:
        return model.model_validate(args)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise TextFault(f"{op}: {where}: {first['msg']}" if where else f"{op}: {first['msg']}") from exc
