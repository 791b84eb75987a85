"""The way between a box and the cloud: it delays, loses, doubles, replays late, hangs, and is cut."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from random import Random

from edge.uplink.binding import BindingName, CloudAway
from sync_protocol.answers import Answer
from sync_protocol.commands import Down, Session
from tests.simulation.cloud import SimCloud, Stopped

PATIENCE_S = 20.0
"""How long the box's binding waits for an answer."""


@dataclass
class Trouble:
    """How often things go wrong, as shares of one; nothing does once all are healed."""

    lose: float = 0.0
    lose_answer: float = 0.0
    double: float = 0.0
    hang: float = 0.0
    slow_s: float = 0.0

    @classmethod
    def drawn(cls, random: Random) -> "Trouble":
        """Some kinds of trouble often, others never: so that each is met alone and with others."""
        lose, lose_answer, double, hang = (random.choice((0.0, 0.02, 0.2)) for _ in range(4))
        return cls(lose, lose_answer, double, hang, slow_s=random.choice((0.0, 0.05, 3.0)))


@dataclass
class Network:
    """Shared by all boxes; `seen` counts what happened."""

    cloud: SimCloud
    random: Random
    trouble: Trouble = field(default_factory=Trouble)
    seen: Counter[str] = field(default_factory=Counter)
    strays: "set[asyncio.Task[None]]" = field(default_factory=set)
    cut: set[str] = field(default_factory=set)
    """Boxes that cannot reach the cloud."""

    def happens(self, kind: str, share: float) -> bool:
        happened = self.random.random() < share
        if happened:
            self.seen[kind] += 1
        return happened

    def replay(self, frame: bytes, packed: bool, after_s: float) -> None:
        """A copy of the frame arrives later, and nobody hears the answer."""

        async def arrive() -> None:
            await asyncio.sleep(after_s)
            self.seen["arrived_late"] += after_s >= 1.0
            try:
                await self.cloud.take(frame, packed=packed)
            except Stopped:
                self.seen["stray_lost"] += 1

        task = asyncio.get_running_loop().create_task(arrive())
        self.strays.add(task)
        task.add_done_callback(self.strays.discard)


@dataclass
class SimBinding:
    """A box's binding over the simulated network."""

    network: Network
    box: str

    @property
    def name(self) -> BindingName:
        return "https"

    async def post(self, frame: bytes, *, packed: bool = False) -> Answer:
        network, random, trouble = self.network, self.network.random, self.network.trouble
        await asyncio.sleep(random.random() * trouble.slow_s)
        if self.box in network.cut:
            network.seen["partition"] += 1
            raise CloudAway("unreachable")
        if network.happens("lost", trouble.lose):
            await asyncio.sleep(PATIENCE_S if random.random() < 0.5 else 0.1)
            raise CloudAway("cut on the way")
        if network.happens("doubled", trouble.double):
            network.replay(frame, packed, random.choice((0.0, 0.01, 1.0, 60.0)))
        try:
            answer = await network.cloud.take(frame, packed=packed)
        except Stopped as exc:
            network.seen["cut_by_cloud"] += 1
            raise CloudAway("connection reset") from exc
        if network.happens("half_open", trouble.hang):
            await asyncio.sleep(PATIENCE_S)
            raise CloudAway("no answer", unanswered=True)
        if network.happens("answer_lost", trouble.lose_answer):
            raise CloudAway("connection reset")
        await asyncio.sleep(random.random() * trouble.slow_s)
        return answer

    async def open_session(self, last: int) -> Session:
        raise CloudAway(f"no sessions here, not after {last} either")

    def events(self, lease: int) -> AsyncGenerator[Down, None]:
        raise CloudAway(f"nothing is said under {lease}")

    async def probe(self) -> None:
        return None

    async def aclose(self) -> None:
        return None
