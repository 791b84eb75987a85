"""The kiosk as an application. The same addresses serve the pages and any program that drives the station.

A program signs in with `POST /api/signin` {login, pin}, keeps the cookie, sends `X-Tallybox: 1` with every POST and
`Accept: application/json` with everything, and reads `GET /api/state` (see `edge.kiosk.state.as_json`).

    POST /api/jobs {order | notice | blind, cmd}       begin a receipt (or scan the paper's code); answers the state
    POST /api/jobs/{id}/supplier {supplier | owner}    who sent goods that nobody ordered, or whose they are
    POST /api/jobs/{id}/document {number} | {reason}   the delivery note, or why there is none
    POST /api/jobs/{id}/arrival {what, value?, reason} container, seal, temperature...; without value it is asked for
    POST /api/jobs/{id}/item {product, reason}         a product by touch (else scan its code)
    POST /api/jobs/{id}/code {product, reason, pack?}  what an unknown code names
    POST /api/jobs/{id}/pallet {choice: take|check|leave}  an announced pallet whole, item by item, or off it
    POST /api/jobs/{id}/again | drop                   the same code once more: add it, or forget what waits
    POST /api/jobs/{id}/lot | expiry {value, reason}   what the code did not carry; expiry is an ISO date
    POST /api/jobs/{id}/serial {value, reason} | unserial {value?} | serials   one serial number; take back; all are there
    POST /api/jobs/{id}/tare | tare {packaging} | {value, reason} | pieces {value}   what is weighed with the goods
    POST /api/jobs/{id}/take                           the scale's stable weight
    POST /api/jobs/{id}/count {value, packs?}          a counted amount, or so many packs of the code
    POST /api/jobs/{id}/weight {value, unit, reason}   a typed weight, where the product allows it
    POST /api/jobs/{id}/condition {condition, reason, line?} | photo {picture, subject, line?}   damage; a file (multipart)
    POST /api/jobs/{id}/shoot {subject, line?} | unshoot   the station's camera: a picture to look at; `photo {sha256}` uses it
    POST /api/camera-scan                              the codes before the station's camera, as scans
    POST /api/jobs/{id}/approval {check, line?} | approve {login, pin, decision, reason}   a supervisor decides a check
    POST /api/jobs/{id}/confirm {reason?}              keep the line; against a failed check with a reason
    POST /api/jobs/{id}/remainder {order_line?, reason?}   before the end: what becomes of what did not come
    POST /api/jobs/{id}/discard {reason, line?} | undo | finish | abandon {reason}
    POST /api/jobs {kind: put_away|move|count|gate, receipt? | sheet? | value? | direction?, cmd}   another kind of job
    POST /api/jobs/{id}/place {value, reason} | goods | unit | row {key} | lot | no_lot | much {value, unit?} | all
    POST /api/jobs/{id}/seal {value} | details {vehicle, driver, laden, damaged, note, direction} | photo | pass
    POST /api/jobs/{id}/release {login, pin}           a supervisor lets a container go that is on hold
    POST /api/jobs/{id}/why {reason} | back | line {n} | finish | give_up {reason} | resume
    POST /api/aside                                    back to the station's offer; the open job waits
    POST /api/locale {locale}, POST /api/signout, GET /events (edge.kiosk.stream), GET /health.json (no sign-in)

`cmd` is the caller's id of one act (else `Idempotency-Key`): the same id again is answered and not done twice. Refusals are
{code, title, values} with 401, 403, 404, 409 (not now), 422 (never like that), 429 (wait), 503 (the journal failed: retry) or
507 (the medium is full).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse

from edge.errors import JobRefused, JournalFault, JournalFull
from edge.jobs.news import Sound
from edge.jobs.routing import tell_next
from edge.kiosk.actions import Asked, beginning
from edge.kiosk.answers import Answers, NotSignedIn, read_asked
from edge.kiosk.assets import Assets
from edge.kiosk.deps import LOCALES, KioskDeps
from edge.kiosk.guard import Guard
from edge.kiosk.live import Board, live_weight
from edge.kiosk.pages import Pages
from edge.kiosk.receipt_routes import act_on_receipt
from edge.kiosk.sessions import LONGEST_SESSION_NS, Session, Sessions, SignInRefused
from edge.kiosk.shot_routes import scan_with_camera
from edge.kiosk.smaller_routes import act_on_smaller, begin_smaller, is_smaller
from edge.kiosk.state import as_json, station_state
from edge.kiosk.stream import PageStream

COOKIE = "tallybox_kiosk"
LANGUAGE_COOKIE = "tallybox_language"


class Kiosk:
    """The routes' shared parts."""

    def __init__(self, deps: KioskDeps) -> None:
        self.deps = deps
        self.assets = Assets(deps.browser_libs, px_per_mm=deps.settings.px_per_mm)
        self.sessions = Sessions(
            deps.store, deps.desk, deps.masters, deps.clock, deps.entropy, lock_after_s=deps.settings.lock_after_s
        )
        self.board = Board(deps.hub, deps.desk.news, self.sessions)
        self.answers = Answers(deps, Pages(self.assets))

    async def session(self, request: Request) -> Session:
        """The live session; raises NotSignedIn."""
        session = await self.sessions.current(request.cookies.get(COOKIE))
        if session is None:
            raise NotSignedIn
        return session

    async def passive(self, request: Request) -> Session:
        """The session of a request that the page makes by itself: it keeps nobody signed in. Raises NotSignedIn."""
        session = await self.sessions.current(request.cookies.get(COOKIE), active=False)
        if session is None:
            raise NotSignedIn
        return session

    async def acting(self, request: Request) -> tuple[Session, Asked]:
        """Session and fields of a POST that changes something. Raises NotSignedIn or JobRefused (`csrf`)."""
        session = await self.session(request)
        asked = await read_asked(request)
        if not request.headers.get("x-tallybox") and asked.csrf != session.csrf:
            raise JobRefused("csrf")
        return session, asked

    def locale(self, request: Request, session: Session | None) -> str:
        """The session's language, else the browser's last choice, else the station's."""
        chosen = session.locale if session else request.cookies.get(LANGUAGE_COOKIE, "")
        return chosen if chosen in LOCALES else self.deps.settings.locale

    def command_id(self, request: Request, asked: Asked) -> str:
        return asked.cmd or request.headers.get("idempotency-key", "")[:48] or self.deps.entropy(16).hex()


def create_kiosk(deps: KioskDeps) -> FastAPI:
    """The application; `app.state.board.close()` ends the event streams when the server is to stop. Raises SettingsFault."""
    kiosk = Kiosk(deps)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await kiosk.sessions.load()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(kiosk.board.run())
            yield
            kiosk.board.close()
            running.cancel()

    app = FastAPI(title="Tallybox kiosk", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.board = kiosk.board
    app.add_middleware(Guard, hosts=deps.settings.hosts)
    _add_faults(app, kiosk)
    _add_public(app, kiosk)
    _add_pages(app, kiosk)
    _add_feeds(app, kiosk)
    _add_actions(app, kiosk)
    return app


def _add_faults(app: FastAPI, kiosk: Kiosk) -> None:
    @app.exception_handler(NotSignedIn)
    async def not_signed_in(request: Request, _: Exception) -> Response:
        return kiosk.answers.not_signed_in(request, kiosk.locale(request, None))

    @app.exception_handler(JobRefused)
    async def refused(request: Request, exc: Exception) -> Response:
        session = await kiosk.sessions.current(request.cookies.get(COOKIE), active=False)
        code, values = (exc.code, exc.values) if isinstance(exc, JobRefused) else ("other", {})
        if session is not None:
            deps = kiosk.deps
            deps.desk.tell(Sound.REJECTED, f"refused.{code}", **values)
        return kiosk.answers.refusal(request, kiosk.locale(request, session), code, values)

    @app.exception_handler(JournalFault)
    async def journal_failed(request: Request, exc: Exception) -> Response:
        code = "full" if isinstance(exc, JournalFull) else "journal"
        kiosk.deps.desk.tell(Sound.REJECTED, f"refused.{code}")
        return kiosk.answers.refusal(request, kiosk.locale(request, None), code, {})


def _add_public(app: FastAPI, kiosk: Kiosk) -> None:
    @app.get("/health")
    async def health(request: Request) -> Response:
        session = await kiosk.sessions.current(request.cookies.get(COOKIE), active=False)
        return HTMLResponse(kiosk.answers.health(kiosk.locale(request, session)))

    @app.get("/health.json")
    async def health_json() -> Response:
        return JSONResponse(kiosk.answers.health_json())

    @app.get("/static/{digest}/{name}")
    async def static(digest: str, name: str) -> Response:
        asset = kiosk.assets.get(digest, name)
        if asset is None:
            return JSONResponse({"code": "not_found", "title": "not found", "values": {}}, 404)
        headers = {"cache-control": "public, max-age=31536000, immutable", "etag": f'"{asset.digest}"'}
        return Response(asset.body, media_type=asset.media_type, headers=headers)

    @app.get("/signin")
    async def signin_page(request: Request) -> Response:
        return HTMLResponse(kiosk.answers.signin(kiosk.locale(request, None)))

    @app.post("/api/signin")
    async def signin(request: Request) -> Response:
        asked = await read_asked(request)
        try:
            token, session = await kiosk.sessions.sign_in(asked.login or "", asked.pin or "")
        except SignInRefused as exc:
            return kiosk.answers.signin_refused(request, kiosk.locale(request, None), exc.wait_s, chosen=asked.login or "")
        state = station_state(kiosk.deps, session.login)
        answer = kiosk.answers.redirect(request, "/") or JSONResponse(as_json(state))
        answer.set_cookie(COOKIE, token, max_age=LONGEST_SESSION_NS // 1_000_000_000, httponly=True, samesite="strict")
        return answer

    @app.post("/api/locale")
    async def locale(request: Request) -> Response:
        asked = await read_asked(request)
        session = await kiosk.sessions.current(request.cookies.get(COOKIE))
        chosen = asked.locale or kiosk.locale(request, session)
        if session is not None:
            await kiosk.sessions.prefer(session, chosen)
        answer = kiosk.answers.redirect(request, "/" if session else "/signin") or JSONResponse({"locale": chosen})
        answer.set_cookie(LANGUAGE_COOKIE, chosen, max_age=365 * 86_400, httponly=True, samesite="strict")
        return answer


def _add_pages(app: FastAPI, kiosk: Kiosk) -> None:
    answers = kiosk.answers

    @app.get("/")
    async def work(request: Request) -> Response:
        session = await kiosk.sessions.current(request.cookies.get(COOKIE))
        if session is None:
            return RedirectResponse("/signin", 303)
        return HTMLResponse(answers.work(session))

    @app.get("/panel")
    async def panel(request: Request) -> Response:
        return HTMLResponse(answers.panel(await kiosk.passive(request)))

    @app.get("/facts")
    async def facts(request: Request) -> Response:
        return HTMLResponse(answers.facts(await kiosk.passive(request)))

    @app.get("/outcome")
    async def outcome(request: Request) -> Response:
        return HTMLResponse(answers.outcome((await kiosk.passive(request)).locale))

    @app.get("/pictures/{sha256}")
    async def picture(sha256: str, request: Request) -> Response:
        await kiosk.passive(request)
        found = kiosk.deps.shots.file(sha256) if kiosk.deps.shots is not None else None
        if found is None:
            return JSONResponse({"code": "not_found", "title": "not found", "values": {}}, 404)
        return FileResponse(found[0], media_type=found[1])


def _add_feeds(app: FastAPI, kiosk: Kiosk) -> None:
    deps = kiosk.deps

    @app.get("/api/state")
    async def state(request: Request) -> Response:
        return JSONResponse(as_json(station_state(deps, (await kiosk.session(request)).login)))

    @app.get("/events")
    async def events(request: Request) -> Response:
        await kiosk.passive(request)
        token = request.cookies.get(COOKIE)

        async def alive() -> bool:
            return await kiosk.sessions.current(token, active=False) is not None

        stream = PageStream(
            deps.desk,
            kiosk.board,
            live=lambda: live_weight(deps.desk.live(), deps.clock.now_ns()),
            facts=kiosk.answers.facts_face,
            alive=alive,
        )
        return StreamingResponse(stream.events(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


def _add_actions(app: FastAPI, kiosk: Kiosk) -> None:
    deps, answers = kiosk.deps, kiosk.answers

    @app.post("/api/signout")
    async def signout(request: Request) -> Response:
        session, _ = await kiosk.acting(request)
        await kiosk.sessions.sign_out(session)
        answer = answers.redirect(request, "/signin") or JSONResponse({"ok": True})
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    @app.post("/api/aside")
    async def aside(request: Request) -> Response:
        session, _ = await kiosk.acting(request)
        await deps.desk.lay_aside()
        return answers.done(request, session)

    @app.post("/api/camera-scan")
    async def camera_scan(request: Request) -> Response:
        session, _ = await kiosk.acting(request)
        await scan_with_camera(deps)
        return answers.done(request, session)

    @app.post("/api/jobs")
    async def begin(request: Request) -> Response:
        session, asked = await kiosk.acting(request)
        if await begin_smaller(deps.desk, request, by=session.login, cmd=kiosk.command_id(request, asked)):
            return answers.done(request, session)
        await deps.desk.do(beginning(asked), by=session.login, cmd=kiosk.command_id(request, asked))
        tell_next(deps.desk)
        return answers.done(request, session)

    @app.post("/api/jobs/{job}/{action}")
    async def act(job: str, action: str, request: Request) -> Response:
        session, asked = await kiosk.acting(request)
        cmd = kiosk.command_id(request, asked)
        if action == "resume" or is_smaller(deps.desk, job):
            await act_on_smaller(kiosk, request, job, action, by=session.login, cmd=cmd)
            return answers.done(request, session)
        await act_on_receipt(kiosk, request, job, action, asked, by=session.login, cmd=cmd)
        return answers.done(request, session)
