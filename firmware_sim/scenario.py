"""Plays the timed steps of a site file."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from firmware_sim.config import SECOND_NS, StepConfig
from firmware_sim.errors import ActionRefused, WireTaken

log = structlog.get_logger()

Perform = Callable[[Mapping[str, object]], Awaitable[Mapping[str, object]]]


async def play(steps: Sequence[StepConfig], perform: Perform, *, clock: Callable[[], int], speed: float = 1.0) -> None:
    """Do each step at its time, in the order of the times; equal times keep the file's order.

    A step that cannot be done then (more taken off than is on, an address taken) is logged, and the next ones go on.
    """
    started_ns = clock()
    for step in sorted(steps, key=lambda step: step.at):
        due_ns = started_ns + round(step.at / speed * SECOND_NS)
        await asyncio.sleep(max(due_ns - clock(), 0) / SECOND_NS)
        try:
            await perform(step.request())
        except (ActionRefused, WireTaken) as exc:
            log.warning("step_refused", device=step.device, action=step.action, reason=str(exc))
        else:
            log.info("step_done", device=step.device, action=step.action, at_s=step.at)
