"""What is told when something does not work: a page in the person's language, or a problem document (RFC 9457)."""

from math import ceil
from urllib.parse import quote, urlsplit

from fastapi import Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from cloud import errors as core
from cloud.web.access import SEEN_HEADER, local_path, locale_of
from cloud.web.errors import Moved, MustChange, NotAllowed, NotProved, NotSignedIn, NotThere, Refused, TooOften, WebFault
from cloud.web.i18n import is_locale
from cloud.web.rendering import Renderer

PROBLEM_TYPE = "application/problem+json"
TITLED = frozenset({401, 403, 404, 405, 409, 413, 422, 503})


async def answer(request: Request, exc: Exception) -> Response:
    """The handler of all declared faults."""
    fault = as_fault(exc)
    if request.url.path.startswith("/api/"):
        return problem(fault)
    if isinstance(fault, NotSignedIn):
        return _to_sign_in(request)
    if isinstance(fault, MustChange):
        return RedirectResponse("/me/password", 303)
    if isinstance(fault, NotProved):
        return RedirectResponse(f"/me/prove?next={quote(_asked_from(request), safe='')}", 303)
    return _page(request, fault)


def as_fault(exc: Exception) -> WebFault:
    """What the core or the framework raised, in this package's words."""
    if isinstance(exc, WebFault):
        return exc
    if isinstance(exc, core.NotFound):
        return NotThere()
    if isinstance(exc, core.Conflict):
        return Moved(exc.values.get("ref", ""), exc.values.get("kind", "receipt"))
    if isinstance(exc, core.Forbidden):
        return NotAllowed()
    if isinstance(exc, core.Refused):
        return Refused(exc.code, exc.values)
    if isinstance(exc, HTTPException):
        found = WebFault("not_there" if exc.status_code == 404 else "not_possible")
        found.status = exc.status_code
        return found
    found = WebFault("not_possible")
    found.status = 422
    return found


def problem(fault: WebFault) -> Response:
    """A problem document; `code` is stable, `title` is for whoever reads a log."""
    body = {"type": "about:blank", "title": fault.code.replace("_", " "), "status": fault.status, "code": fault.code}
    headers = {"Retry-After": str(ceil(fault.wait_s))} if isinstance(fault, TooOften) else {}
    return JSONResponse({**body, "values": dict(fault.values)}, fault.status, media_type=PROBLEM_TYPE, headers=headers)


def _to_sign_in(request: Request) -> Response:
    if SEEN_HEADER in request.headers or "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = f"?next={quote(here, safe='')}" if request.method == "GET" and here != "/" else ""
    return RedirectResponse(f"/sign-in{back}", 303)


def _asked_from(request: Request) -> str:
    """Where to go on after a proof: the page itself, or the one whose form was sent."""
    if request.method == "GET":
        return request.url.path + (f"?{request.url.query}" if request.url.query else "")
    parts = urlsplit(request.headers.get("referer", ""))
    return (
        local_path(parts.path + (f"?{parts.query}" if parts.query else ""))
        if parts.netloc == request.headers.get("host")
        else "/"
    )


def _page(request: Request, fault: WebFault) -> Response:
    renderer: Renderer = request.app.state.renderer
    locale = locale_of(request)
    status = fault.status if fault.status in TITLED else 422
    way_out, words = _way_out(fault)
    return renderer.page(
        request,
        "fault.html",
        status=fault.status,
        title=renderer.said(locale if is_locale(locale) else "en", "fault_title", str(status)),
        message=renderer.said(locale, "fault", fault.code, fault.values),
        way_out=way_out,
        way_words=words,
    )


def _way_out(fault: WebFault) -> tuple[str, str]:
    """Where to go from here, and the key of its words."""
    if isinstance(fault, Moved) and fault.kind == "branch":
        return "/boxes", "fault.show_boxes"
    if isinstance(fault, Moved) and fault.ref:
        return f"/receipts/{quote(fault.ref)}", "fault.show_newest"
    return "/", "fault.way_out"
