"""Puts the interface together: gate, routes, answers to faults. The staff application has it below `/api`."""

from typing import Any, NoReturn
from urllib.parse import quote

from fastapi import Depends, FastAPI
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send

from cloud.api import around, evidence, exchange, kinds, openapi, records
from cloud.api.asking import gate
from cloud.api.deps import ApiDeps
from cloud.api.problems import add_handlers


def create_api(deps: ApiDeps) -> FastAPI:
    """Everything below `/api`. Its own description is `/openapi.json`, made of the definitions in force."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, dependencies=[Depends(gate)])
    app.state.deps = deps
    app.state.documents = openapi.Documents()
    app.include_router(openapi.router)
    app.include_router(kinds.router)
    app.include_router(exchange.router)
    app.include_router(around.router)
    app.include_router(evidence.router)
    app.include_router(records.router)
    add_handlers(app)
    return app


class Below(BaseRoute):
    """A route to everything below a prefix (`/api`), for the application around.

    Paths go on as they were sent, percent-encoded, so that `%2F` inside a number is not a slash and no character ends it.
    """

    def __init__(self, prefix: str, app: ASGIApp) -> None:
        self._prefix = prefix
        self._app = app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whatever the method."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        there = scope["type"] == "http" and path.startswith(f"{self._prefix}/")
        return (Match.FULL, {"endpoint": self._app}) if there else (Match.NONE, {})

    def url_path_for(self, name: str, /, **path_params: Any) -> NoReturn:
        """Nothing in here has a name for the outside."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        raw: bytes | None = scope.get("raw_path")
        path = quote(scope["path"]) if raw is None else raw.partition(b"?")[0].decode("latin-1")
        root = scope.get("root_path", "") + self._prefix
        await self._app({**scope, "path": path, "root_path": root, "path_params": {}}, receive, send)
