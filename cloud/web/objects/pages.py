"""What every page of records is given beside its own values: how values and labels are shown."""

from fastapi import Request, Response

from cloud.web.objects.entry import language, place, renderer_of, zone_of
from cloud.web.objects.values import Shower, is_uid


def shower(request: Request) -> Shower:
    """Shows values in the visitor's language, times at the house."""
    return Shower(renderer_of(request), language(request), zone_of(request))


def page(request: Request, template: str, *, status: int = 200, **values: object) -> Response:
    """The page of a template below `objects/`."""
    return renderer_of(request).page(
        request,
        f"objects/{template}",
        status=status,
        **{"show": shower(request), "place": place, "is_uid": is_uid, "here": "objects", **values},
    )
