"""The merge of two parties as a person asks for it: by their numbers, within what that person may do."""

from cloud.kernel.access import ARCHIVE, WRITE
from cloud.masters.merge import merge
from cloud.masters.merge_movers import PARTY, movers
from cloud.objects.caller import Caller
from cloud.objects.service import Item, get, row_of


async def merge_parties(caller: Caller, keep: str, lose: str) -> Item:
    """Make party `lose` a part of `keep`; gives what `keep` is then. Whoever asks must be able to change the one and to archive
    the other. Raises NotFound, Forbidden, and Refused as `cloud.masters.merge.merge` does."""
    rows = caller.rows(PARTY)
    kept, _ = await row_of(caller, rows, keep, WRITE)
    lost, _ = await row_of(caller, rows, lose, ARCHIVE)
    await merge(caller.session, kept, lost, caller.taken, movers=movers(caller.objects))
    for row in (kept, lost):
        for told in caller.hooks.saved:
            await told(caller, rows, row, rows.values(row))
    return await get(caller, PARTY, kept.ref)
