"""The interface for programs below the pages' own address: the same registry, keys and words."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from cloud.api.app import Below, create_api
from cloud.api.deps import ApiDeps
from cloud.people.keys import Rates
from cloud.web.access import SESSION_COOKIE
from cloud.web.i18n import Catalogues, is_locale
from cloud.web.settings import StaffDeps

CAPPED_ITSELF = ("/api/o", "/api/defs", "/api/import", "/api/export", "/api/search", "/api/openapi.json")
"""Paths of the interface: it takes larger bodies than forms are, and counts them itself."""


def add_interface(app: FastAPI, deps: StaffDeps, catalogues: Catalogues, rates: Rates) -> None:
    """Serve it at `/api`, behind the routes that are there already."""

    def say(locale: str, key: str, values: Mapping[str, str]) -> str | None:
        text = catalogues.texts[locale].get(key) if is_locale(locale) else None
        try:
            return None if text is None else text.format_map(values)
        except (KeyError, IndexError):
            # The words ask for what this fault does not say.
            return None

    interface = ApiDeps(
        sessions=deps.sessions,
        registry=deps.registry,
        hooks=deps.hooks,
        clock=deps.clock,
        zone=ZoneInfo(deps.settings.zone),
        locale=deps.settings.locale,
        cookie=SESSION_COOKIE,
        rates=rates,
        say=say,
        blobs=deps.blobs,
        max_file=deps.settings.max_file,
    )
    app.router.routes.append(Below("/api", create_api(interface)))
