"""How far somebody may read one record where that depends on the record: its site, or the scope of a grant."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.clock import Clock
from cloud.errors import NotFound
from cloud.hooks.sight import MasksOf
from cloud.kernel.access import READ, Access, Mask
from cloud.kernel.actor import Actor, Taken
from cloud.objects.caller import caller
from cloud.objects.permits import reach
from cloud.objects.registry import Registry


def by_records(registry: Registry, clock: Clock, zone: ZoneInfo) -> MasksOf:
    """Asks the record as it is now. A kind without definition, and a record that is not there, cannot be read this way."""

    async def masks_of(session: AsyncSession, login: str, access: Access, kind: str, ref: str) -> Sequence[Mask]:
        taken = Taken(Actor.user(login, ""), clock(), access=access)
        asker = await caller(session, registry, taken, zone=zone)
        try:
            rows = asker.rows(kind)
        except NotFound:
            return ()
        row = await session.scalar(rows.select().where(rows.ref_column == ref))
        return () if row is None else (await reach(asker, rows, row, READ)).masks

    return masks_of
