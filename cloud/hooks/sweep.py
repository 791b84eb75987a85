"""Deliveries that came to an end are thrown away after a while; events stay, so that they can be told again."""

from collections.abc import Mapping
from typing import Any

from cloud.hooks.models import Delivery
from cloud.jobs.running import RunningJob
from cloud.jobs.schedules import Plan
from cloud.jobs.sweep import throw_away

SWEEP = "webhooks.sweep"


async def sweep(job: RunningJob) -> Mapping[str, Any]:
    """Throw away deliveries that ended as long ago as jobs that are."""
    return await throw_away(job, Delivery, Delivery.ended_at)


def plans(zone: str) -> tuple[Plan, ...]:
    """In the house's zone, at night."""
    return (Plan("webhooks-sweep", SWEEP, "47 3 * * *", zone),)
