"""What stands around a record on its page: its story, what is to be done, its files, and who follows it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.around.activities import activity_types, open_activities
from cloud.around.documents import Document, documents
from cloud.around.following import followers
from cloud.around.models import Activity, ActivityType
from cloud.around.records import Opened
from cloud.around.timeline import Change, Item, timeline
from cloud.objects.caller import Caller
from cloud.objects.definition import ObjectDef
from cloud.people.models import User
from cloud.web import marks
from cloud.web.i18n import Locale
from cloud.web.rendering import Renderer, free

UPLOAD = "/upload"

MAX_PEOPLE = 500
"""Offered as assignees; a house with more has a search for people."""

FILE_WORDS = {
    "contract": "around.contract",
    "certificate": "around.certificate",
    "photo": "around.photo",
    "delivery_note": "around.delivery_note",
    "other": "around.other_file",
}
ACTION_WORDS = {
    "create": "around.did_create",
    "change": "around.did_change",
    "archive": "around.did_archive",
    "restore": "around.did_restore",
    "message": "around.did_write",
    "message_withdrawn": "around.did_withdraw",
    "activity_planned": "around.did_plan",
    "activity_done": "around.did_finish",
    "activity_cancelled": "around.did_cancel",
    "activity_reassigned": "around.did_reassign",
    "activity_moved": "around.did_move",
    "file_added": "around.did_add_file",
    "file_archived": "around.did_archive_file",
    "file_changed": "around.did_describe_file",
    "moved_here": "around.did_bring",
    "moved_away": "around.did_take_away",
}
"""What is told of the events that every record has; transitions have their own names."""

SILENT = frozenset({"message", "activity", "file", "sha256", "visibility", "state", "record"})
"""Of our own events: numbers of rows that mean nothing to a reader."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One changed field in words."""

    label: Markup
    old: Markup
    new: Markup


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the story."""

    item: Item
    who: Markup
    what: Markup
    changes: tuple[Changed, ...] = ()


@dataclass(frozen=True, slots=True)
class Todo:
    """An activity that is open, with what may come of it."""

    activity: Activity
    type: Markup
    who: Markup
    outcomes: tuple[tuple[str, Markup], ...]
    needs_outcome: bool
    overdue: bool


@dataclass(frozen=True, slots=True)
class AroundView:
    """For the template `around.html`."""

    opened: Opened
    story: tuple[Told, ...]
    next: str | None
    todo: tuple[Todo, ...]
    files: tuple[Document, ...]
    types: tuple[tuple[str, Markup], ...]
    people: tuple[tuple[str, str], ...]
    follows: bool
    followers: int
    problem: Markup | None = None
    """Why the last try was refused, and what was written then."""
    notes: tuple[Markup, ...] = ()
    draft_body: str = ""
    draft_visibility: str = "internal"

    @property
    def address(self) -> str:
        return address(self.opened.record.kind, self.opened.record.ref)

    @property
    def upload(self) -> str:
        """Where files are sent: bodies larger than forms are taken there alone."""
        return UPLOAD + address(self.opened.record.kind, self.opened.record.ref).removeprefix("/o")

    @property
    def file_words(self) -> dict[str, str]:
        return FILE_WORDS


def address(kind: str, ref: str) -> str:
    """Of a record's page."""
    return f"/o/{quote(kind, safe='')}/{quote(ref, safe='')}"


@dataclass(frozen=True, slots=True)
class AroundReader:
    """Reads in one language. `login`: who looks."""

    renderer: Renderer
    locale: Locale
    zone: ZoneInfo

    async def view(self, caller: Caller, opened: Opened, *, before: str | None = None) -> AroundView:
        session, record = caller.session, opened.record
        story = await timeline(
            session,
            record.kind,
            record.id,
            record.ref,
            allowed=opened.sees,
            internal=record.internal,
            before=before,
        )
        todo = await open_activities(session, record.kind, record.id)
        types = {one.key: one for one in await activity_types(session)}
        people = await _people(session)
        names = dict(people)
        following = await followers(session, record.kind, record.id)
        definition = caller.objects.get(record.kind)
        return AroundView(
            opened=opened,
            story=tuple(self._told(item, definition, names) for item in story.items),
            next=story.next,
            todo=tuple(self._todo(one, types, names, caller) for one in todo),
            files=tuple(await documents(session, record.kind, record.id, internal=record.internal)),
            types=tuple((key, self._label(one)) for key, one in types.items()),
            people=tuple(people),
            follows=caller.login in following,
            followers=len(following),
        )

    def _told(self, item: Item, definition: ObjectDef, names: dict[str, str]) -> Told:
        changes = tuple(self._changes(item.changes, definition, ours=item.action in ACTION_WORDS and item.action != "change"))
        return Told(item, self._who(item.actor_kind, item.actor, names), self._what(item, definition), changes)

    def _who(self, kind: str, actor: str, names: dict[str, str]) -> Markup:
        if kind == "system":
            return self.renderer.said(self.locale, "actor", "system")
        return marks.words(names.get(actor, actor))

    def _what(self, item: Item, definition: ObjectDef) -> Markup:
        key = ACTION_WORDS.get(item.action)
        if key is not None:
            return self.renderer.catalogues.say(self.locale, key)
        moved = next((one for one in definition.transitions if one.key == item.action), None)
        if moved is not None:
            return marks.words(moved.label.in_(self.locale))
        return self.renderer.said(self.locale, "event", item.action)

    def _changes(self, changes: Iterable[Change], definition: ObjectDef, *, ours: bool) -> Iterable[Changed]:
        for change in changes:
            field = definition.by_key.get(change.field)
            if change.field == "state":
                yield Changed(
                    self._say("around.state"), self._state(definition, change.old), self._state(definition, change.new)
                )
            elif field is not None:
                options = {one.key: one.label.in_(self.locale) for one in field.options}
                label = marks.words(field.label.in_(self.locale))
                yield Changed(label, self._value(change.old, options), self._value(change.new, options))
            elif not (ours and change.field in SILENT):
                yield Changed(free(change.field), self._value(change.old, {}), self._value(change.new, {}))

    def _state(self, definition: ObjectDef, key: Any) -> Markup:
        found = definition.state_by_key.get(str(key))
        return marks.NOTHING if key is None else free(str(key)) if found is None else marks.words(found.label.in_(self.locale))

    def _value(self, value: Any, options: dict[str, str]) -> Markup:
        if value is None or value in ("", []):
            return marks.NOTHING
        if isinstance(value, bool):
            return self._say("around.yes" if value else "around.no")
        if isinstance(value, list | dict):
            parts = value if isinstance(value, list) else list(value.values())
            return Markup(", ").join(self._value(one, options) for one in parts)
        return marks.words(options[str(value)]) if str(value) in options else free(str(value))

    def _todo(self, row: Activity, types: dict[str, ActivityType], names: dict[str, str], caller: Caller) -> Todo:
        kind = types.get(row.type)
        outcomes = tuple(
            (one["key"], marks.words(one.get(self.locale) or one["en"])) for one in (kind.outcomes if kind else ())
        )
        return Todo(
            activity=row,
            type=self._label(kind) if kind is not None else free(row.type),
            who=marks.words(names.get(row.assignee, row.assignee)),
            outcomes=outcomes,
            needs_outcome=kind is not None and kind.needs_outcome,
            overdue=caller.taken.at >= row.ends_at,
        )

    def _label(self, row: ActivityType) -> Markup:
        return marks.words(row.label_he if self.locale == "he" else row.label_en)

    def _say(self, key: str) -> Markup:
        return self.renderer.catalogues.say(self.locale, key)


async def _people(session: AsyncSession) -> list[tuple[str, str]]:
    rows = await session.execute(
        select(User.login, User.name).where(User.active.is_(True)).order_by(User.name, User.login).limit(MAX_PEOPLE)
    )
    return [(login, name) for login, name in rows]
