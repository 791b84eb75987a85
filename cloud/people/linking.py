"""Which account somebody has whom a sign-in provider vouches for. No account is ever made by this."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import SignInRefused
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import UNKNOWN_ACTOR, append_event, record_refusal
from cloud.people.changing import managed_user
from cloud.people.models import User
from cloud.people.provider import Claimed


async def user_of(session: AsyncSession, claimed: Claimed, taken: Taken) -> User | SignInRefused:
    """The account of issuer and subject; the first time that of the verified mail address, which an admin entered, and which is
    then tied to the subject for good. A refusal is given back, so that its line in the log is kept."""
    user = await session.scalar(
        select(User).where(User.oidc_issuer == claimed.issuer, User.oidc_subject == claimed.subject).with_for_update(of=User)
    )
    first = user is None
    if user is None and claimed.mail is not None:
        user = await session.scalar(
            select(User).where(User.mail == claimed.mail, User.oidc_subject.is_(None)).with_for_update(of=User)
        )
    if user is None or not user.active:
        stranger = Taken(Actor("user", UNKNOWN_ACTOR, ""), taken.at, request_id=taken.request_id)
        ref = user.login if user is not None else claimed.subject
        await record_refusal(session, stranger, action="sign_in_wrong", kind="user", ref=ref)
        return SignInRefused("provider_unknown")
    by = Taken(Actor.user(user.login, user.role), taken.at, request_id=taken.request_id)
    if first:
        user.oidc_issuer, user.oidc_subject = claimed.issuer, claimed.subject
        changes = {"provider": [None, f"{claimed.issuer} {claimed.subject}"]}
        await append_event(session, by, action="link_provider", kind="user", ref=user.login, changes=changes)
    await append_event(session, by, action="sign_in", kind="user", ref=user.login)
    await session.flush()
    return user


async def unlink(session: AsyncSession, login: str, taken: Taken) -> None:
    """Forget who somebody is at the provider: the next verified sign-in with their address ties them anew."""
    user = await managed_user(session, login, taken)
    if user.oidc_subject is None:
        return
    before = f"{user.oidc_issuer} {user.oidc_subject}"
    user.oidc_issuer = user.oidc_subject = None
    await append_event(session, taken, action="unlink_provider", kind="user", ref=login, changes={"provider": [before, None]})
    await session.flush()
