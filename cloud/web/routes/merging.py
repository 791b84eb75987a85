"""Two parties that are one: which one is a part of the other, with what looks alike; and the way from an old number."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from cloud.errors import NotFound, Refused
from cloud.kernel.access import ARCHIVE, READ, WRITE
from cloud.masters.duplicates import Duplicate, duplicates_of
from cloud.masters.lookup import merged_into
from cloud.masters.merge_movers import PARTY
from cloud.masters.merging import merge_parties
from cloud.objects import service
from cloud.objects.caller import Caller
from cloud.objects.permits import reach
from cloud.web.errors import NotAllowed
from cloud.web.objects.entry import changed, place, reading, writing
from cloud.web.objects.pages import page, shower
from cloud.web.objects.references import ref_of

router = APIRouter()


@router.get("/o/party/{ref:path}/merge")
async def ask(request: Request, ref: str) -> Response:
    """Which other party this one takes in."""
    return await _ask(request, ref)


@router.post("/o/party/{ref:path}/merge")
async def take_in(request: Request, ref: str) -> Response:
    """Make the other one a part of this one, or say why not."""
    said = str((await request.form()).get("lose", ""))
    try:
        async with writing(request) as caller:
            await _demand(caller, ref)
            await merge_parties(caller, ref, ref_of(said))
    except NotFound:
        return await _ask(request, ref, said, Refused("no_party"))
    except Refused as exc:
        return await _ask(request, ref, said, exc)
    changed(request)
    return RedirectResponse(place(PARTY, ref), 303)


async def _demand(caller: Caller, ref: str) -> service.Item:
    item = await service.get(caller, PARTY, ref)
    rows = caller.rows(PARTY)
    if not (await reach(caller, rows, item.row, WRITE) and caller.access.may(PARTY, ARCHIVE)):
        raise NotAllowed
    return item


async def _ask(request: Request, ref: str, said: str = "", refused: Refused | None = None) -> Response:
    async with reading(request) as caller:
        item = await _demand(caller, ref)
        alike: list[Duplicate] = []
        for one in await duplicates_of(caller.session, item.values, but=ref):
            row, _ = await service.row_of(caller, caller.rows(PARTY), one.ref, READ)
            if row is not None and one.ref not in {each.ref for each in alike}:
                alike.append(one)
        return page(
            request,
            "merge.html",
            status=200 if refused is None else 422,
            here=f"o/{PARTY}",
            definition=caller.objects.get(PARTY),
            item=item,
            alike=alike,
            typed=said,
            problem=None if refused is None else shower(request).say(f"fault.{refused.code}", **refused.values),
        )


async def new_place(caller: Caller, kind: str, ref: str) -> str | None:
    """Where a record went whose number is another's now."""
    found = await merged_into(caller.session, ref) if kind == PARTY else None
    if found is None:
        return None
    return place(PARTY, (await service.get(caller, PARTY, found.ref)).ref)
