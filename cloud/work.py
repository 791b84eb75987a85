"""Which work is done in the background, by whom, and what of it comes by the clock."""

from cloud.jobs import sweep
from cloud.jobs.running import Handlers
from cloud.jobs.schedules import Plan

HANDLERS: Handlers = {**sweep.HANDLERS}


def plans(zone: str) -> tuple[Plan, ...]:
    """Schedules that a new database begins with, in the house's zone."""
    return sweep.plans(zone)
