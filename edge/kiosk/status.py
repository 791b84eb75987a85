"""How the box stands with the cloud, as the pages show it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """The cloud link and what waits for it. `since_ns` is the `Clock.now_ns` of the last change, None before the first try."""

    link_up: bool
    since_ns: int | None
    waiting: int
    oldest_waiting_s: int | None
    box_id: str | None
    alarm: str | None = None
    """A refusal of the cloud that needs a person (`fork`, `revoked`...): the code that support asks for."""
    hold: str | None = None
    """Why the cloud makes nothing of what it takes from this box, until a person has decided."""
