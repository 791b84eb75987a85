"""What a way to the cloud must offer, and the one thing that goes wrong with it.

CloudAway   the cloud's, the line's or the broker's: no answer, or none that a cloud of ours gives
"""

from collections.abc import AsyncGenerator
from typing import Literal, Protocol

from sync_protocol.answers import Answer
from sync_protocol.commands import Down, Session

BindingName = Literal["https", "mqtt"]


class CloudAway(Exception):
    """The cloud could not be reached or did not answer as the cloud does; `retry_s` when it asked to wait.

    `unanswered`: the frame was handed over, and then came nothing, or somebody on the way turned it down. A line that is cut
    looks different; an access list that swallows frames looks just like this.
    """

    def __init__(self, reason: str, retry_s: float | None = None, *, unanswered: bool = False) -> None:
        super().__init__(reason)
        self.retry_s = retry_s
        self.unanswered = unanswered


class Binding(Protocol):
    """One way to the cloud, spoken as this box. Methods raise CloudAway and nothing else."""

    @property
    def name(self) -> BindingName: ...

    async def post(self, frame: bytes, *, packed: bool = False) -> Answer:
        """Send one frame (`packed`: as `sync_protocol.packing` makes it small); the cloud's answer to it."""
        ...

    async def open_session(self, last: int) -> Session:
        """A new lease, `last` being the highest that this box has seen. What comes under an older one is refused then."""
        ...

    def events(self, lease: int) -> AsyncGenerator[Down, None]:
        """What the cloud says by itself, for as long as the way holds; ends with CloudAway.

        The first message is a `Changed` of the binding's own, once the cloud would be heard: what was said before that is not
        known. Messages of a kind that this program does not know are passed over.
        """
        ...

    async def probe(self) -> None:
        """Find out, without sending anything, whether this way may work again."""
        ...

    async def aclose(self) -> None: ...
