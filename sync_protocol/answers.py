"""What the cloud answers to a frame: a position, a gap, or a refusal. End to end: given only after the database's commit."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sync_protocol.errors import TextFault

Refusal = Literal["fork", "sig", "schema", "quarantine", "revoked", "slow_down"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Ack(_Answer):
    """The cloud holds entries 0..acked-1 of the run and their chain ends at `hash` (hex; the run's seed when acked is 0)."""

    run: str
    acked: int = Field(ge=0)
    hash: str = Field(pattern="^[0-9a-f]{64}$")
    gen: int = Field(ge=0)
    srv_time: str
    """ISO 8601, UTC, when the answer was made."""
    enc: tuple[str, ...] = ()
    """Codings of `sync_protocol.packing` that the cloud reads; frames may come in one of them from now on."""
    hold: str | None = None
    """Why nothing is made of what was taken: `overlap` until a person has decided, `dropped` for good. It is stored all the
    same; the box goes on and tells the people before it."""


class Need(_Answer):
    """There is a gap: the cloud's position is `need`, and its hash there is `hash`."""

    run: str
    need: int = Field(ge=0)
    hash: str = Field(pattern="^[0-9a-f]{64}$")
    gen: int = Field(ge=0)
    enc: tuple[str, ...] = ()
    hold: str | None = None


class Refused(_Answer):
    """The frame was not taken. `fork` and `sig` stop the run; `slow_down` asks to wait; `revoked` stops the box."""

    err: Refusal
    retry_s: float | None = None
    detail: str | None = None
    gen: int | None = Field(default=None, ge=0)
    """With `fork`: the cloud's generation, by which the box knows whether what was acked is still there."""


Answer = Ack | Need | Refused

_ANY: TypeAdapter[Ack | Need | Refused] = TypeAdapter(Ack | Need | Refused)


def parse(data: bytes) -> Answer:
    """Read an answer's JSON; raises TextFault."""
    try:
        return _ANY.validate_json(data)
    except (ValidationError, ValueError) as exc:
        raise TextFault("not an answer to a frame") from exc
