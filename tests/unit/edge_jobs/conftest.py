"""Fixtures: a station with everything in memory."""

import pytest

from tests.unit.edge_jobs.station import Station


@pytest.fixture
async def station() -> Station:
    made = Station()
    await made.desk.start()
    return made
