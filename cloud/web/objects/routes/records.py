"""One record: what it holds, where it can go, and what leads to it."""

from fastapi import APIRouter, Request, Response

from cloud.kernel.access import ARCHIVE, WRITE
from cloud.objects import service
from cloud.objects.permits import reach
from cloud.web.objects.detail import sections_of
from cloud.web.objects.entry import reading
from cloud.web.objects.pages import page, shower

router = APIRouter()


@router.get("/o/{kind}/{ref:path}")
async def record(request: Request, kind: str, ref: str) -> Response:
    """The record's page. 404 also for what the visitor may not see."""
    show = shower(request)
    async with reading(request) as caller:
        item = await service.get(caller, kind, ref)
        rows = caller.rows(kind)
        definition = rows.definition
        may_write = not definition.read_only and bool(await reach(caller, rows, item.row, WRITE))
        may_archive = not definition.read_only and bool(await reach(caller, rows, item.row, ARCHIVE))
        return page(
            request,
            "record.html",
            here=f"o/{kind}",
            definition=definition,
            item=item,
            sections=sections_of(item, definition, show),
            may_write=may_write,
            may_archive=may_archive,
        )
