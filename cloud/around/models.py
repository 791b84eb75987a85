"""Tables around records. A record is named by its kind and the id of its row; `ref` beside it is what people call it."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from cloud.db.base import Base
from cloud.db.types import Big, Json, Key, UtcTime
from cloud.kernel.models import fresh_uid

VISIBLE = "visibility IN ('internal', 'portal')"


class Message(Base):
    """Something that somebody wrote about a record. Never edited: triggers refuse another text, record, author or visibility,
    and replies that are not as visible as what they answer."""

    __tablename__ = "message"
    __table_args__ = (
        Index("ix_message_kind_record_id_created_at", "kind", "record_id", "created_at"),
        UniqueConstraint("channel", "external_id"),
        CheckConstraint(VISIBLE, name="visibility"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(Text, unique=True, default=fresh_uid)
    kind: Mapped[str] = mapped_column(Text)
    record_id: Mapped[int] = mapped_column(Big)
    ref: Mapped[str] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(Text)
    """`note`, `portal`, `mail`, `whatsapp` or `sms`."""
    direction: Mapped[str] = mapped_column(Text)
    """`in` from outside, `out` to outside, `own` where it stays in the house."""
    visibility: Mapped[str] = mapped_column(Text)
    author_kind: Mapped[str] = mapped_column(Text)
    """`user`, `party` or `system`."""
    author: Mapped[str] = mapped_column(Text)
    """A login, a party's ref, or the name of a part of the system."""
    recipient: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    reply_to: Mapped[int | None] = mapped_column(ForeignKey("message.id"), index=True)
    external_id: Mapped[str | None] = mapped_column(Text)
    """What the channel calls it."""
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcTime)
    withdrawn_by: Mapped[str | None] = mapped_column(Text)


class Follower(Base):
    """Somebody who wants to know what happens to a record; `muted` where they said no, so that nothing says yes for them."""

    __tablename__ = "follower"

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    record_id: Mapped[int] = mapped_column(Big, primary_key=True)
    login: Mapped[str] = mapped_column(Text, primary_key=True, index=True)
    muted: Mapped[bool] = mapped_column(default=False)
    since: Mapped[datetime] = mapped_column(UtcTime)


class Notice(Base):
    """One thing that waits for a person to look. It holds no text of the record: that is read when shown, if it may be."""

    __tablename__ = "notice"
    __table_args__ = (Index("ix_notice_login_read_at_id", "login", "read_at", "id"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    login: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    record_id: Mapped[int] = mapped_column(Big)
    ref: Mapped[str] = mapped_column(Text)
    about: Mapped[str] = mapped_column(Text)
    """`message`, `activity`, `file` or `event`."""
    about_id: Mapped[int | None] = mapped_column(Big)
    why: Mapped[str] = mapped_column(Text)
    """`mention`, `assigned` or `follow`."""
    action: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    internal: Mapped[bool] = mapped_column()
    """Whether it is about something internal."""
    at: Mapped[datetime] = mapped_column(UtcTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcTime)


class ActivityType(Base):
    """What kinds of things people plan. `outcomes` is a list of `{key, en, he}`."""

    __tablename__ = "activity_type"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    label_en: Mapped[str] = mapped_column(Text)
    label_he: Mapped[str] = mapped_column(Text)
    outcomes: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list)
    needs_outcome: Mapped[bool] = mapped_column(default=False)
    position: Mapped[int] = mapped_column(Big, default=0)
    archived: Mapped[bool] = mapped_column(default=False, server_default=false())


class Activity(Base):
    """Something that somebody is to do about a record. Whether it is open, done or cancelled follows from the times."""

    __tablename__ = "activity"
    __table_args__ = (
        Index("ix_activity_kind_record_id", "kind", "record_id"),
        Index("ix_activity_assignee_closed_at_ends_at", "assignee", "closed_at", "ends_at"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(Text, unique=True, default=fresh_uid)
    version: Mapped[int] = mapped_column(Big, default=1)
    kind: Mapped[str] = mapped_column(Text)
    record_id: Mapped[int] = mapped_column(Big)
    ref: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(ForeignKey("activity_type.key"))
    summary: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text, default="")
    assignee: Mapped[str] = mapped_column(Text)
    due_on: Mapped[date | None] = mapped_column(Date)
    due_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """One of the two: a whole day, or a time."""
    zone: Mapped[str] = mapped_column(Text)
    """IANA name of the zone that the due day or time was said in."""
    ends_at: Mapped[datetime] = mapped_column(UtcTime)
    """From here on it is overdue: the time itself, or the end of the day in that zone."""
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str] = mapped_column(Text)
    done_at: Mapped[datetime | None] = mapped_column(UtcTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """Whichever of the two it was."""
    closed_by: Mapped[str | None] = mapped_column(Text)
    outcome: Mapped[str | None] = mapped_column(Text)
    outcome_note: Mapped[str] = mapped_column(Text, default="")
    source: Mapped[str | None] = mapped_column(Text)
    """The rule or job that planned it; None where a person did."""

    @property
    def standing(self) -> str:
        """`open`, `done` or `cancelled`."""
        if self.done_at is not None:
            return "done"
        return "open" if self.cancelled_at is None else "cancelled"


class Attachment(Base):
    """One version of one document at a record. The bytes lie in the store of files under `sha256`."""

    __tablename__ = "attachment"
    __table_args__ = (
        Index("ix_attachment_kind_record_id", "kind", "record_id"),
        UniqueConstraint("version_of", "number"),
        CheckConstraint(VISIBLE, name="visibility"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(Text, unique=True, default=fresh_uid)
    kind: Mapped[str] = mapped_column(Text)
    record_id: Mapped[int] = mapped_column(Big)
    ref: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"), index=True)
    size: Mapped[int] = mapped_column(Big)
    name: Mapped[str] = mapped_column(Text)
    mime: Mapped[str] = mapped_column(Text)
    """As its first bytes say, whatever the sender called it."""
    file_kind: Mapped[str] = mapped_column(Text)
    """`contract`, `certificate`, `photo`, `delivery_note` or `other`."""
    visibility: Mapped[str] = mapped_column(Text)
    version_of: Mapped[int | None] = mapped_column(ForeignKey("attachment.id"))
    """The first version of the document; None for the first itself."""
    number: Mapped[int] = mapped_column(Big, default=1)
    """Of the version, from 1."""
    signed: Mapped[bool] = mapped_column(default=False)
    uploaded_by: Mapped[str] = mapped_column(Text)
    uploaded_at: Mapped[datetime] = mapped_column(UtcTime)
    archived_at: Mapped[datetime | None] = mapped_column(UtcTime)
    archived_by: Mapped[str | None] = mapped_column(Text)

    @property
    def document(self) -> int:
        """What all its versions share."""
        return self.version_of or self.id


class SearchDoc(Base):
    """What is found: a record, or a message or file at it (`part`). The index over the words is the database's own: a virtual
    table and triggers on SQLite, generated columns on PostgreSQL, both from the migration."""

    __tablename__ = "search_doc"
    __table_args__ = (UniqueConstraint("kind", "record_id", "part", "part_id"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    record_id: Mapped[int] = mapped_column(Big)
    part: Mapped[str] = mapped_column(Text, default="")
    """`` for the record itself, else `message` or `file`."""
    part_id: Mapped[int] = mapped_column(Big, default=0)
    ref: Mapped[str] = mapped_column(Text)
    ref_key: Mapped[str] = mapped_column(Text, index=True)
    """The ref without what stands between its parts; empty for parts of a record."""
    title: Mapped[str] = mapped_column(Text)
    texts: Mapped[dict[str, Any]] = mapped_column(Json)
    """Field to text: masks look at the fields, snippets are cut from the texts."""
    internal: Mapped[bool] = mapped_column()
    archived: Mapped[bool] = mapped_column()
    updated_at: Mapped[datetime] = mapped_column(UtcTime)
    title_words: Mapped[str] = mapped_column(Text)
    body_words: Mapped[str] = mapped_column(Text)
    """Tokens with single spaces between."""
