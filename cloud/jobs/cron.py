"""When a schedule is due next: five cron fields read in a zone, right on the days when its clocks are changed."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from cloud.errors import Refused

FIELDS = 5


def next_after(cron: str, zone: str, after: datetime) -> datetime:
    """The first time later than `after` (aware), in UTC. Raises Refused `cron_form`, `cron_never` or `zone_unknown`.

    As Debian's cron does it: a fixed hour that a change of clocks leaves out is taken at the change, one that comes twice is
    taken the first time; what comes every so many minutes or hours follows the time that really passes.
    """
    local = after.astimezone(_zone(zone))
    if len(cron.split()) != FIELDS:
        raise Refused("cron_form", cron=cron[:60])
    try:
        times = CronSim(cron, local)
    except CronSimError as exc:
        raise Refused("cron_form", cron=cron[:60]) from exc
    # In the second of two equal hours the library counts from the first one.
    found = next((at for at in times if at.astimezone(UTC) > after), None)
    if found is None:
        raise Refused("cron_never", cron=cron[:60])
    return found.astimezone(UTC)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise Refused("zone_unknown", zone=name[:60]) from exc
