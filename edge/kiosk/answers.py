"""How the kiosk answers: JSON for programs, parts of a page for htmx, whole pages and redirects for plain forms."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from edge.errors import EdgeError, JobRefused
from edge.kiosk.actions import Asked
from edge.kiosk.deps import KioskDeps
from edge.kiosk.health import as_json as health_as_json
from edge.kiosk.health import figures
from edge.kiosk.pages import Pages
from edge.kiosk.sessions import Session
from edge.kiosk.state import as_json, station_state
from edge.kiosk.texts import Words
from sync_protocol.wiretext import clean

_NEVER: Final = frozenset({"unknown_reason", "missing", "bad_field", "not_a_date", "not_an_amount", "bad_text", "whole_number"})
_STATUS: Final[Mapping[str, int]] = {
    **dict.fromkeys(_NEVER, 422),
    **dict.fromkeys(("wrong_unit", "not_positive", "too_much", "code_too_long", "bad_command_id"), 422),
    **dict.fromkeys(("unknown_order", "unknown_product", "unknown_sheet", "no_such_action", "no_such_line"), 404),
    **dict.fromkeys(("container_form", "container_category", "container_check_digit"), 422),
    **dict.fromkeys(("unknown_notice", "unknown_party", "unknown_packaging", "no_such_serial", "no_such_check"), 404),
    **dict.fromkeys(("not_a_temperature", "not_a_choice", "no_photo", "not_a_photo"), 422),
    **dict.fromkeys(("csrf", "wrong_pin", "not_a_supervisor", "approver_is_counter"), 403),
    "photo_too_large": 413,
    "journal": 503,
    "full": 507,
}
"""Status by refusal; whatever is not named here may be right at another moment: 409."""


class NotSignedIn(EdgeError):
    """The request needs a session and has none."""


def asked_by(text: str) -> str:
    """A caller's word as it may be repeated in an answer."""
    return clean(text, 40)


_Fields = TypeVar("_Fields", bound=BaseModel)


async def read_asked(request: Request) -> Asked:
    """The fields of a JSON or form body. Raises JobRefused(`bad_field`)."""
    return await read_fields(request, Asked)


async def read_fields(request: Request, model: type[_Fields]) -> _Fields:
    """The fields of a JSON or form body as this model has them. Raises JobRefused(`bad_field`)."""
    try:
        if request.headers.get("content-type", "").partition(";")[0].strip() == "application/json":
            return model.model_validate_json(await request.body() or b"{}")
        form = await request.form()
        return model.model_validate(
            {name: value for name, value in form.items() if not isinstance(value, UploadFile) and value}
        )
    except ValidationError as exc:
        where = exc.errors()[0]["loc"]
        raise JobRefused("bad_field", field=asked_by(str(where[0])) if where else "body") from exc


def wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def is_htmx(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


class Answers:
    """Builds responses out of the station's state."""

    def __init__(self, deps: KioskDeps, pages: Pages) -> None:
        self._deps = deps
        self._pages = pages

    def work(self, session: Session) -> str:
        state = station_state(self._deps, session.login)
        return self._pages.work(
            state, Words(session.locale), csrf=session.csrf, cmd=self._command_id(), outcome=self._deps.desk.news.last
        )

    def panel(self, session: Session) -> str:
        state = station_state(self._deps, session.login)
        return self._pages.panel(state, Words(session.locale), csrf=session.csrf, cmd=self._command_id())

    def facts(self, session: Session) -> str:
        return self._pages.facts(station_state(self._deps, session.login), Words(session.locale))

    def facts_face(self) -> object:
        """What the footer shows, comparable: a stream sends `facts` when it differs."""
        state = station_state(self._deps, None)
        age = state.sync_age_s
        minutes = None if age is None else age // 60
        sync = state.sync
        return tuple(state.devices), sync.link_up, sync.waiting, sync.alarm, sync.hold, state.full, minutes

    def health(self, locale: str) -> str:
        words, deps = Words(locale), self._deps
        state = station_state(deps, None)
        today = datetime.fromtimestamp(deps.clock.wall_ns() / 1e9, UTC).date()
        return self._pages.health(state, words, figures(deps.health(), state.devices, today, words))

    def health_json(self) -> dict[str, Any]:
        return health_as_json(self._deps.health(), station_state(self._deps, None).devices)

    def outcome(self, locale: str) -> str:
        return self._pages.outcome(self._deps.desk.news.last, Words(locale))

    def signin(self, locale: str, *, refused: str | None = None, wait_s: int | None = None, chosen: str = "") -> str:
        people = [person for person in self._deps.masters().people() if person.pin_hash]
        return self._pages.signin(
            station_state(self._deps, None), Words(locale), people, refused=refused, wait_s=wait_s, chosen=chosen
        )

    def signin_refused(self, request: Request, locale: str, wait_s: int | None, *, chosen: str) -> Response:
        status, code = (401, "wrong_pin") if wait_s is None else (429, "too_many_tries")
        headers = {"retry-after": str(wait_s)} if wait_s is not None else None
        if wants_json(request):
            values = {"wait_s": str(wait_s)} if wait_s is not None else {}
            return self._problem(status, locale, code, values, headers)
        return HTMLResponse(self.signin(locale, refused=code, wait_s=wait_s, chosen=chosen), status, headers)

    def redirect(self, request: Request, to: str) -> Response | None:
        """The way on for a page; None for a program."""
        if wants_json(request):
            return None
        if is_htmx(request):
            return Response(status_code=204, headers={"hx-redirect": to})
        return RedirectResponse(to, 303)

    def not_signed_in(self, request: Request, locale: str) -> Response:
        if is_htmx(request):
            return Response(status_code=401, headers={"hx-redirect": "/signin"})
        return self._problem(401, locale, "signed_out", {}, None)

    def done(self, request: Request, session: Session) -> Response:
        """The state after an accepted action."""
        if wants_json(request):
            return JSONResponse(as_json(station_state(self._deps, session.login)))
        return HTMLResponse(self.panel(session)) if is_htmx(request) else RedirectResponse("/", 303)

    def refusal(self, request: Request, locale: str, code: str, values: Mapping[str, str]) -> Response:
        status = _STATUS.get(code, 409)
        if is_htmx(request):
            # The form stays as it was filled in; only the message changes.
            headers = {"hx-retarget": "#outcome", "hx-reswap": "innerHTML"}
            return HTMLResponse(self.outcome(locale), status, headers)
        if wants_json(request):
            return self._problem(status, locale, code, values, None)
        return RedirectResponse("/", 303)

    def _problem(
        self, status: int, locale: str, code: str, values: Mapping[str, str], headers: Mapping[str, str] | None
    ) -> Response:
        title = Words(locale).told(f"refused.{code}", values).striptags()
        body: dict[str, Any] = {"code": code, "title": title, "values": dict(values)}
        return JSONResponse(body, status, headers)

    def _command_id(self) -> str:
        return self._deps.entropy(16).hex()
