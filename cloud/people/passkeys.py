"""Passkeys: made once somebody is signed in, then enough to sign in without a name or password (Web Authentication Level 3)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from cloud.errors import NotFound, Refused, SignInRefused
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import append_event, record_refusal
from cloud.people import tickets
from cloud.people.models import Passkey, User
from cloud.people.tickets import TEN_MINUTES
from sync_protocol.wiretext import clean

MAX_PASSKEYS = 20
"""Of one person: every phone, laptop and key ring of some years."""

MAX_NAME = 60
MAX_CREDENTIAL = 1023
"""Bytes (Web Authentication Level 3, 4: credential ids are no longer)."""

_HOSTILE = (WebAuthnException, ValueError, KeyError, TypeError, IndexError, AttributeError)
"""What the library lets through when a browser sends something that is no credential at all."""

_TRANSPORTS = frozenset(each.value for each in AuthenticatorTransport)


@dataclass(frozen=True, slots=True)
class Site:
    """Where the ceremony is held: passkeys belong to a host name, and answer only a page of this origin."""

    host: str
    origin: str
    name: str


async def begin_making(session: AsyncSession, user: User, site: Site, secret: str, now: datetime) -> Mapping[str, Any]:
    """What the browser needs to make a passkey. Raises Refused `too_many_passkeys`."""
    known = await passkeys_of(session, user)
    if len(known) >= MAX_PASSKEYS:
        raise Refused("too_many_passkeys", max=str(MAX_PASSKEYS))
    options = generate_registration_options(
        rp_id=site.host,
        rp_name=site.name,
        user_id=_handle(user),
        user_name=user.login,
        user_display_name=user.name,
        exclude_credentials=[PublicKeyCredentialDescriptor(id=row.credential) for row in known],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )
    data = {"challenge": bytes_to_base64url(options.challenge)}
    await tickets.issue(session, "passkey_new", secret, until=now + TEN_MINUTES, now=now, user_id=user.id, data=data)
    found: Mapping[str, Any] = json.loads(options_to_json(options))
    return found


async def finish_making(
    session: AsyncSession, user: User, site: Site, secret: str, given: Mapping[str, Any], taken: Taken, *, name: str
) -> Passkey:
    """Keep the passkey that the browser made. Raises Refused `passkey_bad`, `passkey_known`."""
    begun = await tickets.redeem(session, "passkey_new", secret, taken.at)
    if begun is None or begun.user_id != user.id:
        raise Refused("passkey_bad")
    made = _checked_new(site, begun.data, given)
    if len(made.credential_id) > MAX_CREDENTIAL:
        raise Refused("passkey_bad")
    if await session.scalar(select(Passkey.id).where(Passkey.credential == made.credential_id)) is not None:
        raise Refused("passkey_known")
    response = given.get("response")
    transports = response.get("transports") if isinstance(response, Mapping) else None
    row = Passkey(
        user_id=user.id,
        credential=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        name=clean(name.strip(), MAX_NAME) or "passkey",
        transports=sorted(_TRANSPORTS & {str(each) for each in transports}) if isinstance(transports, list) else [],
        created_at=taken.at,
    )
    session.add(row)
    await append_event(session, taken, action="add_passkey", kind="user", ref=user.login, changes={"passkey": [None, row.name]})
    await session.flush()
    return row


async def begin_using(
    session: AsyncSession, site: Site, secret: str, now: datetime, *, user: User | None = None
) -> Mapping[str, Any]:
    """What the browser needs to find a passkey: any of this site, or one of a person who shows again who they are."""
    known = [] if user is None else await passkeys_of(session, user)
    options = generate_authentication_options(
        rp_id=site.host,
        allow_credentials=[
            PublicKeyCredentialDescriptor(
                id=row.credential, transports=[AuthenticatorTransport(each) for each in row.transports]
            )
            for row in known
        ],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    data = {"challenge": bytes_to_base64url(options.challenge)}
    until = now + TEN_MINUTES
    await tickets.issue(
        session, "passkey_sign_in", secret, until=until, now=now, user_id=None if user is None else user.id, data=data
    )
    found: Mapping[str, Any] = json.loads(options_to_json(options))
    return found


async def finish_using(
    session: AsyncSession, site: Site, secret: str, given: Mapping[str, Any], taken: Taken, *, action: str = "sign_in"
) -> User | SignInRefused:
    """The person whose passkey signed. A refusal is given back and not raised, so that what was noted of it is kept.

    A counter that did not grow means that there are two of the key (6.1.1): it opens nothing any more.
    """
    begun = await tickets.redeem(session, "passkey_sign_in", secret, taken.at)
    row = None if begun is None else await _named(session, given)
    if begun is None or row is None or not row.user.active or begun.user_id not in {None, row.user_id}:
        return SignInRefused("passkey")
    by = Taken(Actor.user(row.user.login, row.user.role), taken.at, request_id=taken.request_id)
    try:
        used = _checked_use(site, begun.data, given, row)
    except Refused:
        await record_refusal(session, by, action="sign_in_wrong", kind="user", ref=row.user.login)
        return SignInRefused("passkey")
    if row.doubted_at is not None:
        return SignInRefused("passkey_doubted")
    if (row.sign_count or used.new_sign_count) and used.new_sign_count <= row.sign_count:
        row.doubted_at = taken.at
        changes = {"passkey": [row.name, None], "counter": [row.sign_count, used.new_sign_count]}
        await append_event(session, by, action="doubt_passkey", kind="user", ref=row.user.login, changes=changes)
        return SignInRefused("passkey_doubted")
    row.sign_count, row.last_used_at = used.new_sign_count, taken.at
    await append_event(session, by, action=action, kind="user", ref=row.user.login)
    return row.user


async def passkeys_of(session: AsyncSession, user: User) -> Sequence[Passkey]:
    """The person's passkeys, in the order they were made."""
    return (await session.scalars(select(Passkey).where(Passkey.user_id == user.id).order_by(Passkey.id))).all()


async def remove_passkey(session: AsyncSession, user: User, number: int, taken: Taken) -> None:
    """Forget one of the person's passkeys. Raises NotFound."""
    mine = (Passkey.id == number, Passkey.user_id == user.id)
    name = await session.scalar(delete(Passkey).where(*mine).returning(Passkey.name))
    if name is None:
        raise NotFound("passkey", str(number))
    await append_event(session, taken, action="remove_passkey", kind="user", ref=user.login, changes={"passkey": [name, None]})


def _handle(user: User) -> bytes:
    # Says nothing of the person, and is the same on all of their devices (5.4.3).
    return user.id.to_bytes(8, "big")


async def _named(session: AsyncSession, given: Mapping[str, Any]) -> Passkey | None:
    raw = given.get("id")
    if not isinstance(raw, str) or len(raw) > 2 * MAX_CREDENTIAL:
        return None
    try:
        credential = base64url_to_bytes(raw)
    except ValueError:
        return None
    found: Passkey | None = await session.scalar(
        select(Passkey).where(Passkey.credential == credential).with_for_update(of=Passkey)
    )
    return found


def _checked_new(site: Site, begun: Mapping[str, Any], given: Mapping[str, Any]) -> VerifiedRegistration:
    try:
        return verify_registration_response(
            credential=dict(given),
            expected_challenge=base64url_to_bytes(begun["challenge"]),
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except _HOSTILE as exc:
        raise Refused("passkey_bad") from exc


def _checked_use(site: Site, begun: Mapping[str, Any], given: Mapping[str, Any], row: Passkey) -> VerifiedAuthentication:
    try:
        return verify_authentication_response(
            credential=dict(given),
            expected_challenge=base64url_to_bytes(begun["challenge"]),
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=row.public_key,
            # Counters are compared by the caller, which has more to do about them than to refuse.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except _HOSTILE as exc:
        raise Refused("passkey_bad") from exc
