"""Who acts: a person at a page or at a box, a box by itself, or a part of the system; and one taking of an action."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Self

from cloud.kernel.access import Access

SYSTEM = "system"
"""Role of what acts by itself. It is listed in a machine like any other role."""


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` is a login, a box id or a part's name; `via` is the box on which a person acted."""

    kind: Literal["user", "box", "system"]
    name: str
    role: str
    via: str | None = None

    @classmethod
    def user(cls, login: str, role: str, *, via: str | None = None) -> Self:
        return cls("user", login, role, via)

    @classmethod
    def box(cls, box_id: str) -> Self:
        return cls("box", box_id, SYSTEM)

    @classmethod
    def system(cls, part: str) -> Self:
        return cls("system", part, SYSTEM)


@dataclass(frozen=True, slots=True)
class Taken:
    """One taking of an action: who, when, why, and over which request."""

    actor: Actor
    at: datetime
    reason: str | None = None
    request_id: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    """What the action is about beside the record, for guards and effects."""
    access: Access | None = field(default=None, compare=False)
    """What the actor may do by grants; None where the actor's role alone decides (the system, boxes)."""
    chain: str | None = None
    """The cause chain that this belongs to."""
