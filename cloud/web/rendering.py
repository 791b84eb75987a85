"""Turns templates and view data into pages: filters, words in the visitor's language, fingerprints of what is shown."""

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from cloud.web import marks
from cloud.web.access import SEEN_HEADER, form_token, keep_visit, locale_of, visitor_or_none
from cloud.web.assets import Assets
from cloud.web.i18n import DIRECTION, OWN_NAME, Catalogues, Locale
from cloud.web.menu import may_configure, menu_of
from cloud.web.settings import StaffSettings
from cloud.web.views import Happening, Name, Proof, Time
from sync_protocol.errors import TextFault
from sync_protocol.quantity import Quantity

AROUND_MS = 60_000
"""Up to this error a time is shown as one point, above as the interval that it is."""

ENDS = {(True, True): "between", (True, False): "after", (False, True): "before", (False, False): "unknown"}
"""How an interval is told, by whether its earlier and its later end are known."""

SEEN_PLACE = 'data-seen="-"'
"""Where the fingerprint goes in a page that refreshes itself. Values of records cannot forge it: their quotes are escaped."""

TEMPLATES = Path(__file__).parent / "templates"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CODE = re.compile(r"[A-Za-z0-9_.\-/: ]*[0-9_][A-Za-z0-9_.\-/: ]*")

FINDING_KINDS = {
    "kept_by_operator": "reason",
    "identity_not_measured": "reason",
    "weight_not_measured": "reason",
    "order_not_confirmed": "order_state",
    "weight_not_stable": "flag",
}
"""Checks whose `expected` and `found` are codes that have words of their own; of all others they are values."""


@dataclass(frozen=True, slots=True)
class Renderer:
    """One for the application."""

    environment: Environment
    assets: Assets
    catalogues: Catalogues
    settings: StaffSettings

    @classmethod
    def build(cls, assets: Assets, settings: StaffSettings) -> "Renderer":
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters.update(_filters(ZoneInfo(settings.zone)))
        return cls(environment, assets, Catalogues.load(), settings)

    def page(self, request: Request, template: str, *, status: int = 200, **values: object) -> Response:
        """The whole page. Every page has what its frame needs beside `values`."""
        text = self.text(template, locale_of(request), form_token(request), {**self._frame(request), **values})
        response = HTMLResponse(text, status)
        keep_visit(request, response)
        return response

    def live(self, request: Request, template: str, **values: object) -> Response:
        """A page that refreshes itself: 204 while what the browser has is what it would get."""
        values = {**self._frame(request), **values, "seen": "-"}
        text = self.text(template, locale_of(request), form_token(request), values)
        seen = hashlib.sha256(text.encode()).hexdigest()[:24]
        if request.headers.get(SEEN_HEADER) == seen:
            return Response(status_code=204)
        return HTMLResponse(text.replace(SEEN_PLACE, f'data-seen="{seen}"', 1))

    def text(self, template: str, locale: Locale, csrf: str, values: Mapping[str, object]) -> str:
        """A template's text with everything that depends on the language bound to it."""
        other: Locale = "en" if locale == "he" else "he"
        say = partial(self.catalogues.say, locale)
        return self.environment.get_template(template).render(
            t=say,
            said=partial(self.said, locale),
            icon=self.icon,
            asset=self.assets.url,
            csrf_field=partial(_csrf_field, csrf),
            clock_words=partial(self._clock_words, locale),
            happened=partial(self._happened, locale),
            time_limit_ms=self.settings.time_limit_ms,
            actor=partial(self._actor, locale),
            found_words=partial(self._found_words, locale),
            locale=locale,
            direction=DIRECTION[locale],
            other_locale=other,
            other_name=OWN_NAME[other],
            organisation=self.settings.organisation,
            live_ms=self.settings.live_ms,
            **values,
        )

    def said(self, locale: Locale, kind: str, code: str | None, values: Mapping[str, object] | None = None) -> Markup:
        """The words for a code that comes from elsewhere, filled in with its values: its text if there is one, else the code or
        free text itself. A value that did not come leaves its place empty. `kind` may be several with blanks between: the first
        that has words for the code."""
        if not code:
            return marks.NOTHING
        key = next((key for one in kind.split() if self.catalogues.has(key := f"{one}.{code}")), None)
        if key is None:
            return free(code)
        names = {name for _, name, _, _ in Formatter().parse(self.catalogues.texts[locale][key]) if name}
        return self.catalogues.say(locale, key, **{name: marks.words((values or {}).get(name, "")) for name in names})

    def _frame(self, request: Request) -> dict[str, object]:
        here_url = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        visitor, objects = visitor_or_none(request), request.app.state.deps.registry.last()
        return {
            "visitor": visitor,
            "menu": menu_of(objects, visitor) if visitor else {},
            "may_define": visitor is not None and may_configure(objects, visitor),
            "waiting": getattr(request.state, "waiting", 0),
            "here": "",
            "here_url": here_url if request.method == "GET" else "/",
        }

    def icon(self, name: str, extra: str = "", *, points: bool = False) -> Markup:
        """A sign of ours; one that `points` turns with the language's direction."""
        classes = " ".join(filter(None, ["icon", extra, "points" if points else ""]))
        return Markup('<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>').format(
            classes, self.assets.url("icons.svg"), name
        )

    def _clock_words(self, locale: Locale, proof: Proof) -> Markup:
        if proof.clock is None:
            return marks.NOTHING
        source = self.said(locale, "clock", proof.clock)
        if proof.clock_error_ms is None:
            return source
        if proof.clock_error_ms < 1000:
            return Markup("{} {}").format(source, marks.ltr(f"± {proof.clock_error_ms} ms"))
        return Markup("{} ± {}").format(source, marks.span(proof.clock_error_ms / 1000, locale))

    def _happened(self, locale: Locale, time: Time) -> Markup:
        """A time as far as it is known: with its error, as an interval, or with one end open."""
        zone = ZoneInfo(self.settings.zone)
        if time.best is not None and time.err_ms is not None and time.err_ms <= AROUND_MS:
            return marks.exact(time.best, time.err_ms, locale, zone)
        # The ends are rounded outwards: what is shown holds whatever the interval holds.
        first = marks.moment(time.earliest, locale, zone, form=marks.TIME)
        latest = None if time.latest is None else time.latest + dt.timedelta(seconds=1, microseconds=-1)
        last = marks.moment(latest, locale, zone, form=marks.TIME)
        key = ENDS[time.earliest is not None, latest is not None]
        return self.catalogues.say(locale, f"time.{key}", first=first, last=last)

    def _found_words(self, locale: Locale, check: str, value: str) -> Markup:
        if check == "steps_contradict":
            code, _, entry = value.partition(" ")
            return Markup("{} {}").format(self.said(locale, "step_fault", code), marks.ltr(entry) if entry else "")
        kind = FINDING_KINDS.get(check)
        return self.said(locale, kind, value) if kind else finding(value, locale)

    def _actor(self, locale: Locale, event: Happening) -> Markup:
        if event.actor_kind == "system":
            return self.said(locale, "actor", "system")
        who = marks.words(event.actor)
        return self.catalogues.say(locale, "actor.at_box", who=who, box=marks.words(event.via)) if event.via else who


def free(text: str) -> Markup:
    """Text from elsewhere: a quantity, code or date stands left to right, words as their letters go."""
    return marks.ltr(text) if _CODE.fullmatch(text) else marks.words(text)


def finding(value: str, locale: Locale) -> Markup:
    """What a check expected or found: an amount with its local unit, a date, a code, or words."""
    try:
        found = Quantity.parse(value)
    except TextFault:
        return marks.day(value, locale) if _DATE.fullmatch(value) else free(value)
    return marks.amount(found.value, found.unit, locale)


def proof_value(proof: Proof, locale: Locale) -> Markup:
    """The value that a proof is about, in the form of its field."""
    if proof.field == "quantity":
        return marks.amount(proof.value, proof.unit, locale)
    return marks.day(proof.value, locale) if proof.field == "expiry" else marks.ltr(proof.value)


def _filters(zone: ZoneInfo) -> dict[str, Callable[..., object]]:
    @pass_context
    def name(context: Context, value: Name | None) -> Markup:
        return marks.NOTHING if value is None else marks.words(value.in_(context["locale"]))

    @pass_context
    def moment(context: Context, value: object) -> Markup:
        return marks.moment(value, context["locale"], zone)  # type: ignore[arg-type]

    @pass_context
    def moment_exact(context: Context, value: object) -> Markup:
        return marks.moment(value, context["locale"], zone, form=marks.TIME)  # type: ignore[arg-type]

    def localized(function: Callable[..., Markup]) -> Callable[..., Markup]:
        @pass_context
        def wrapped(context: Context, value: object, *args: object) -> Markup:
            return function(value, *args, context["locale"])

        return wrapped

    return {
        "ltr": marks.ltr,
        "words": marks.words,
        "hex_dump": marks.hex_dump,
        "name": name,
        "moment": moment,
        "moment_exact": moment_exact,
        "amount": localized(marks.amount),
        "day": localized(marks.day),
        "span": localized(marks.span),
        "storage": marks.storage,
        "proof_value": localized(proof_value),
    }


def _csrf_field(token: str) -> Markup:
    return Markup('<input type="hidden" name="csrf" value="{}">').format(token)
