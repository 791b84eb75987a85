"""What the cloud tells a box outside of answers: that there is something new, and commands under a lease.

A lease is a fencing number: each session that a box opens gets a higher one, so that of two boxes with one identity only the
newest is obeyed, and a box never carries out what was meant for a session before its own.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sync_protocol.errors import TextFault
from sync_protocol.ids import new_box_id

MAX_COMMAND_BYTES = 64 * 1024
"""A configuration of a whole station is some kilobytes."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Session(_Model):
    """The answer to opening a session."""

    lease: int = Field(ge=1, lt=1 << 63)
    srv_time: str


class Changed(_Model):
    """Master data of the box's station may have changed: pull."""

    t: Literal["changed"] = "changed"


class Command(_Model):
    """Something to do once. `not_after` is ISO 8601 in UTC; `args` depend on `op`."""

    t: Literal["command"] = "command"
    cmd_id: str = Field(pattern="^[0-9A-HJKMNP-TV-Z]{26}$")
    lease: int = Field(ge=1, lt=1 << 63)
    not_after: str
    op: str = Field(min_length=1, max_length=40)
    args: dict[str, Any] = {}


Down = Changed | Command


def new_command_id(now_ms: int, entropy: bytes) -> str:
    """A ULID from milliseconds since 1970 and 10 random bytes: commands sort by the time at which they were given."""
    return new_box_id(now_ms, entropy)


_ANY: TypeAdapter[Changed | Command] = TypeAdapter(Annotated[Changed | Command, Field(discriminator="t")])


def parse(data: bytes) -> Down:
    """Read one message's JSON; raises TextFault. A kind that is not known is a fault too: the sender logs it and goes on."""
    if len(data) > MAX_COMMAND_BYTES:
        raise TextFault(f"a message of {len(data)} bytes is above the limit of {MAX_COMMAND_BYTES}")
    try:
        return _ANY.validate_json(data)
    except (ValidationError, ValueError) as exc:
        raise TextFault(f"not a message of the cloud: {str(exc).splitlines()[0]}") from exc


@dataclass(frozen=True, slots=True)
class Fence:
    """The highest lease that this box has seen; kept on its disk."""

    highest: int = 0


Verdict = Literal["carry_out", "again", "fenced", "expired"]


def seen(fence: Fence, lease: int) -> Fence:
    """A lease was seen, in a session or on a command."""
    return replace(fence, highest=max(fence.highest, lease))


def judge(fence: Fence, command: Command, *, known: bool, late: bool) -> tuple[Fence, Verdict]:
    """What to do with a command. `known`: its id was taken before; `late`: its `not_after` has passed for certain.

    What is known is never carried out again, whatever its lease; a command with an older lease than one seen is refused.
    """
    after = seen(fence, command.lease)
    if known:
        return after, "again"
    if command.lease < fence.highest:
        return after, "fenced"
    return after, "expired" if late else "carry_out"
