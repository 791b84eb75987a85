"""Messages about a record. Who may see one is fixed when it is written; a reply is exactly as visible as what it answers."""

import re
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.around.following import News, follow, tell
from cloud.around.gate import INTERNAL, PORTAL, Readers, RecordRef, Visibility
from cloud.around.index import MESSAGE, forget_part, index_part
from cloud.around.models import Message
from cloud.errors import Conflict, Forbidden, NotFound, Refused
from cloud.kernel.access import ARCHIVE
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.people.models import User
from sync_protocol.wiretext import clean

Channel = Literal["note", "portal", "mail", "whatsapp", "sms"]
Direction = Literal["in", "out", "own"]
AuthorKind = Literal["user", "party", "system"]

MAX_BODY = 10_000
"""Characters: four pages of writing. What is longer is a file."""

MAX_MENTIONS = 20
"""People named in one message; more is a mailing list."""

POSTED, WITHDRAWN = "message", "message_withdrawn"

_MENTION = re.compile(r"(?<![\w@./-])@([a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be written. Without `visibility` a reply inherits, and anything else is internal. `uid`: said again, it is
    the same message. The author is who acts, unless another is named."""

    body: str
    visibility: Visibility | None = None
    reply_to: int | None = None
    channel: Channel = "note"
    direction: Direction = "own"
    author_kind: AuthorKind | None = None
    author: str | None = None
    recipient: str | None = None
    external_id: str | None = None
    uid: str | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """`told`: who got a notice. `cannot_read`: people mentioned who may not read this and therefore were not told; `unknown`:
    names after an @ that nobody has."""

    message: Message
    told: frozenset[str] = frozenset()
    cannot_read: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


async def post(session: AsyncSession, record: RecordRef, new: NewMessage, taken: Taken, readers: Readers) -> Posted:
    """Write a message, tell followers and those mentioned, and make it findable.

    Raises Refused `message_empty`, `message_too_long`, `too_many_mentions` or `reply_visibility`, Forbidden where an outsider
    would write something internal, NotFound for a reply to what is not there, Conflict for a uid of another record.
    """
    if new.uid is not None and (known := await _said_before(session, record, new.uid)) is not None:
        return Posted(known)
    body, names = _body(new.body), mentions(new.body)
    if len(names) > MAX_MENTIONS:
        raise Refused("too_many_mentions", max=str(MAX_MENTIONS))
    visibility = await _visibility(session, record, new)
    message = Message(
        **({} if new.uid is None else {"uid": new.uid}),
        kind=record.kind,
        record_id=record.id,
        ref=record.ref,
        channel=new.channel,
        direction=new.direction,
        visibility=visibility,
        author_kind=new.author_kind or ("user" if taken.actor.kind == "user" else "system"),
        author=clean(new.author or taken.actor.name),
        recipient=None if new.recipient is None else clean(new.recipient),
        body=body,
        reply_to=new.reply_to,
        external_id=new.external_id,
        created_at=taken.at,
    )
    session.add(message)
    await session.flush()
    changes = {"message": [None, message.id], "visibility": [None, visibility]}
    await append_event(session, taken, action=POSTED, kind=record.kind, ref=record.ref, changes=changes)
    internal = visibility == INTERNAL
    await index_part(session, record, MESSAGE, message.id, body, internal=internal, at=taken.at)
    return await _spread(session, record, message, names, taken, readers)


async def _spread(
    session: AsyncSession, record: RecordRef, message: Message, names: tuple[str, ...], taken: Taken, readers: Readers
) -> Posted:
    internal = message.visibility == INTERNAL
    active = select(User.login).where(User.login.in_(names), User.active.is_(True))
    known = set(await session.scalars(active)) if names else set()
    may = await readers(session, record, known, internal=internal) if known else frozenset()
    for login in sorted(may):
        await follow(session, record, login, taken.at, asked=False)
    if message.author_kind == "user":
        await follow(session, record, message.author, taken.at, asked=False)
    news = News("message", POSTED, internal, message.id)
    told = await tell(session, record, news, taken, readers, mentioned=may)
    return Posted(
        message,
        told,
        cannot_read=tuple(name for name in names if name in known - may),
        unknown=tuple(name for name in names if name not in known),
    )


async def withdraw(session: AsyncSession, record: RecordRef, message: int, taken: Taken) -> Message:
    """Take a message back: the row stays, its text is shown and found no more. Withdrawing twice is no error.

    Raises NotFound, and Forbidden for another's message without the right to archive records of this kind.
    """
    row = await find_message(session, record, message, lock=True)
    own = (row.author_kind, row.author) == ("user", taken.actor.name) and taken.actor.kind == "user"
    if not own and taken.access is not None and not taken.access.may(record.kind, ARCHIVE):
        raise Forbidden("forbidden", action=WITHDRAWN, role=taken.actor.role)
    if row.withdrawn_at is None:
        row.withdrawn_at, row.withdrawn_by = taken.at, taken.actor.name
        changes = {"message": [row.id, None], "visibility": [row.visibility, None]}
        await append_event(session, taken, action=WITHDRAWN, kind=record.kind, ref=record.ref, changes=changes)
        await forget_part(session, record.kind, record.id, MESSAGE, row.id)
        await session.flush()
    return row


async def find_message(session: AsyncSession, record: RecordRef, message: int, *, lock: bool = False) -> Message:
    """A message at this record that whoever opened the record may see. Raises NotFound."""
    wanted = select(Message).where(Message.id == message, Message.kind == record.kind, Message.record_id == record.id)
    row = await session.scalar(wanted.with_for_update() if lock else wanted)
    if row is None or (row.visibility == INTERNAL and not record.internal):
        raise NotFound("message", str(message))
    return row


def mentions(body: str) -> tuple[str, ...]:
    """Logins after an @, each once, in the order of the text. An address of mail mentions nobody."""
    return tuple(dict.fromkeys(name.lower() for name in _MENTION.findall(body[:MAX_BODY])))


async def _said_before(session: AsyncSession, record: RecordRef, uid: str) -> Message | None:
    row = await session.scalar(select(Message).where(Message.uid == uid))
    if row is not None and (row.kind, row.record_id) != (record.kind, record.id):
        raise Conflict("uid_taken", ref=record.ref)
    return row


async def _visibility(session: AsyncSession, record: RecordRef, new: NewMessage) -> Visibility:
    visibility = new.visibility
    if new.reply_to is not None:
        parent = await find_message(session, record, new.reply_to)
        inherited: Visibility = PORTAL if parent.visibility == PORTAL else INTERNAL
        if visibility not in {None, inherited}:
            raise Refused("reply_visibility")
        visibility = inherited
    if (visibility or INTERNAL) == INTERNAL and not record.internal:
        raise Forbidden("forbidden", action=POSTED, role="")
    return visibility or INTERNAL


def _body(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ").strip().split("\n")
    body = "\n".join(clean(line.rstrip(), MAX_BODY + 1) for line in lines)
    if not body:
        raise Refused("message_empty")
    if len(body) > MAX_BODY:
        raise Refused("message_too_long", max=str(MAX_BODY))
    return body
