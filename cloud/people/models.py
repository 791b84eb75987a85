"""Tables of people: accounts, the roles they hold, their sessions and the other ways in (keys, passkeys, tickets)."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Integer, LargeBinary, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloud.db.base import Base
from cloud.db.types import Big, Json, Key, UtcTime


class Role(StrEnum):
    """The roles that come with the program; what each may do is in `cloud.people.builtin`."""

    ADMIN = "admin"
    SUPERVISOR = "supervisor"
    OPERATOR = "operator"
    VIEWER = "viewer"
    QUALITY = "quality"
    SALES = "sales"
    TECHNICIAN = "technician"
    AUDITOR = "auditor"


EVERYWHERE = ""
"""As a held role's site: at every one."""


class User(Base):
    """A person. Without password, passkey or provider no staff pages, without PIN no box."""

    __tablename__ = "user"
    __table_args__ = (UniqueConstraint("oidc_issuer", "oidc_subject"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    login: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    """Key of the main role: what boxes and state machines know of a person. Always among the held roles, too."""
    password_hash: Mapped[str | None] = mapped_column(Text)
    pin_hash: Mapped[str | None] = mapped_column(Text)
    badge_hash: Mapped[str | None] = mapped_column(Text, unique=True)
    """scrypt with one salt for all badges, so that a person can be found by a badge."""
    locale: Mapped[str] = mapped_column(Text, default="he")
    active: Mapped[bool] = mapped_column(default=True)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    """Wrong passwords since the last right one."""
    locked_until: Mapped[datetime | None] = mapped_column(UtcTime)
    must_change_password: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Somebody else chose the password: nothing else can be done before it is changed."""
    mail: Mapped[str | None] = mapped_column(Text, unique=True)
    """Lower case. A sign-in provider's verified address leads here the first time."""
    phone: Mapped[str | None] = mapped_column(Text)
    oidc_issuer: Mapped[str | None] = mapped_column(Text)
    oidc_subject: Mapped[str | None] = mapped_column(Text)
    """Who this is at the sign-in provider (OpenID Connect Core 1.0, 2: issuer and subject together)."""

    roles: Mapped[list["UserRole"]] = relationship(back_populates="user", cascade="all, delete-orphan", lazy="raise")


class RoleRow(Base):
    """A role that people can hold."""

    __tablename__ = "role"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    label_en: Mapped[str] = mapped_column(Text)
    label_he: Mapped[str] = mapped_column(Text)
    builtin: Mapped[bool] = mapped_column(default=False, server_default=false())
    version: Mapped[int] = mapped_column(Big, default=1, server_default="1")

    grants: Mapped[list["GrantRow"]] = relationship(
        back_populates="role", cascade="all, delete-orphan", order_by="GrantRow.id", lazy="selectin"
    )


class GrantRow(Base):
    """One permission of a role; `cloud.kernel.access` says how they are put together."""

    __tablename__ = "role_grant"
    __table_args__ = (UniqueConstraint("role_id", "kind", "action", "scope"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    role_id: Mapped[int] = mapped_column(ForeignKey("role.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(Text, default="", server_default="")
    """An expression over the record's fields; empty for every record."""
    mask: Mapped[str] = mapped_column(Text, default="", server_default="")
    """`cloud.kernel.access.Mask` as text."""

    role: Mapped[RoleRow] = relationship(back_populates="grants", lazy="raise")


class UserRole(Base):
    """A role that a person holds at one site, or everywhere."""

    __tablename__ = "user_role"
    __table_args__ = (UniqueConstraint("user_id", "role_id", "site"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    role_id: Mapped[int] = mapped_column(ForeignKey("role.id", ondelete="CASCADE"), index=True)
    site: Mapped[str] = mapped_column(Text, default=EVERYWHERE, server_default="")
    """A site's code, empty for everywhere. Not NULL: a role is held at a place once."""

    user: Mapped[User] = relationship(back_populates="roles", lazy="raise")
    role: Mapped[RoleRow] = relationship(lazy="joined", innerjoin=True)


class WebSession(Base):
    """One signed-in browser. The token itself is only in its cookie, here is the SHA-256 of it (hex)."""

    __tablename__ = "web_session"

    token_hash: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    csrf: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    seen_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)
    device: Mapped[str] = mapped_column(Text, default="", server_default="")
    """What the browser calls itself, cut."""
    method: Mapped[str] = mapped_column(Text, default="password", server_default="password")
    """How it was opened: `password`, `passkey` or `provider`."""
    proved_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When the person last showed who they are: what is dangerous asks again after a while."""

    user: Mapped[User] = relationship(lazy="joined")


class ApiKey(Base):
    """A program's way in. Its secret is shown once, here is the SHA-256 of it (hex)."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    prefix: Mapped[str] = mapped_column(Text, unique=True)
    """The part that is shown and logged."""
    secret_hash: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    """The person as whom it acts; None where it has roles of its own."""
    rate: Mapped[int] = mapped_column(Integer)
    """Requests a minute."""
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcTime)

    user: Mapped[User | None] = relationship(lazy="joined")
    roles: Mapped[list["ApiKeyRole"]] = relationship(cascade="all, delete-orphan", lazy="selectin")


class ApiKeyRole(Base):
    """A role that a key holds itself, at one site or everywhere."""

    __tablename__ = "api_key_role"
    __table_args__ = (UniqueConstraint("api_key_id", "role_id", "site"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    api_key_id: Mapped[int] = mapped_column(ForeignKey("api_key.id", ondelete="CASCADE"))
    role_id: Mapped[int] = mapped_column(ForeignKey("role.id", ondelete="CASCADE"), index=True)
    site: Mapped[str] = mapped_column(Text, default=EVERYWHERE, server_default="")

    role: Mapped[RoleRow] = relationship(lazy="joined", innerjoin=True)


class Passkey(Base):
    """A public key that a person's device signs with (Web Authentication Level 3)."""

    __tablename__ = "passkey"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    credential: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    """COSE, as the device gave it."""
    sign_count: Mapped[int] = mapped_column(Big)
    name: Mapped[str] = mapped_column(Text)
    transports: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcTime)
    doubted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When its counter went back, which a copy of the key would do: it opens nothing since."""

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class Ticket(Base):
    """Something begun that only whoever holds its secret can finish, once and soon: passkeys, providers, new passwords."""

    __tablename__ = "ticket"

    secret_hash: Mapped[str] = mapped_column(Text, primary_key=True)
    purpose: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    data: Mapped[dict[str, Any]] = mapped_column(Json)
    expires_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
