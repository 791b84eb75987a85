"""Tables `party`, `party_contact`, `party_alias` and `party_key`."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, Integer, Text, UniqueConstraint, cast, false, text
from sqlalchemy.orm import Mapped, mapped_column

from cloud.db.base import Base
from cloud.db.types import Json, Key, UtcTime
from cloud.kernel.models import Kept

ROLES = ("customer", "supplier", "carrier", "owner", "lab_client", "house")
"""What a party can be to us; one party can be several. `house` is ourselves: our own goods have an owner too."""


class Party(Kept, Base):
    """Somebody we deal with: a company or a person."""

    __tablename__ = "party"
    __table_args__ = (UniqueConstraint("source", "source_key"), CheckConstraint("parent_id <> id", name="not_own_parent"))

    ref: Mapped[str] = mapped_column(Text, unique=True)
    kind: Mapped[str] = mapped_column(Text, default="company", server_default="company")
    """`company` or `person`."""
    name: Mapped[str] = mapped_column(Text)
    name_he: Mapped[str | None] = mapped_column(Text)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    roles: Mapped[list[str]] = mapped_column(Json, default=list, server_default="[]")
    """Of ROLES."""
    status: Mapped[str] = mapped_column(Text, default="active", server_default="active")
    """`active`, `on_hold` or `blocked`."""
    reg_no: Mapped[str | None] = mapped_column(Text, unique=True)
    """Company number, as `cloud.masters.identity` writes it: nobody else has it."""
    vat_no: Mapped[str | None] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    """E.164."""
    more_ways: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list, server_default="[]")
    """Further mail addresses and telephone numbers: rows of `way` (mail, phone, mobile, whatsapp, fax), `value`, `note`."""
    language: Mapped[str] = mapped_column(Text, default="he", server_default="he")
    addresses: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list, server_default="[]")
    """Rows of `use` (main, billing, delivery), `street`, `city`, `postcode`, `country` (ISO 3166-1, two letters)."""
    segment: Mapped[str | None] = mapped_column(Text)
    """Group of customers that a price list is for."""
    employees: Mapped[int | None] = mapped_column(Integer)
    website: Mapped[str | None] = mapped_column(Text)
    mail_consent: Mapped[bool] = mapped_column(default=False, server_default=false())
    mail_consent_at: Mapped[datetime | None] = mapped_column(UtcTime)
    whatsapp_consent: Mapped[bool] = mapped_column(default=False, server_default=false())
    whatsapp_consent_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When it was given; None while it is not."""

    @classmethod
    def has_role(cls, role: str) -> ColumnElement[bool]:
        """Whether the party has one of ROLES. Names in the list stand in quotes and none is within another."""
        return cast(cls.roles, Text).contains(f'"{role}"', autoescape=True)


class PartyContact(Kept, Base):
    """A person who speaks for a company; one can speak for several."""

    __tablename__ = "party_contact"
    __table_args__ = (
        UniqueConstraint("source", "source_key"),
        UniqueConstraint("company_id", "person_id"),
        Index(
            "uq_party_contact_primary",
            "company_id",
            unique=True,
            sqlite_where=text("is_primary"),
            postgresql_where=text("is_primary"),
        ),
    )

    company_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    job: Mapped[str | None] = mapped_column(Text)
    is_primary: Mapped[bool] = mapped_column(default=False)
    """Whom one turns to first; one of a company at most."""


class PartyAlias(Base):
    """What a party was called that became part of another: its number, ids and outside keys lead there."""

    __tablename__ = "party_alias"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    ref: Mapped[str] = mapped_column(Text, unique=True)
    uid: Mapped[str] = mapped_column(Text, unique=True)
    source: Mapped[str | None] = mapped_column(Text)
    source_key: Mapped[str | None] = mapped_column(Text, index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(Text)


class PartyKey(Base):
    """One normalised thing by which a party is found again (cloud.masters.identity). Made from the party's row."""

    __tablename__ = "party_key"
    __table_args__ = (UniqueConstraint("party_id", "scheme", "value"), Index("ix_party_key_scheme_value", "scheme", "value"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    scheme: Mapped[str] = mapped_column(Text)
    """`mail`, `phone`, `reg_no` or `vat_no`."""
    value: Mapped[str] = mapped_column(Text)
