"""By whose rights a program is told."""

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.kernel.actor import Taken
from cloud.people.access import access_of, check_reach
from cloud.people.accounts import user_by_login


async def check_owner(session: AsyncSession, login: str, taken: Taken) -> None:
    """Raises Refused `hook_owner` where no active person has this login, Forbidden where they may do more than the one who
    sets the program up: that would be a way to read what one must not."""
    user = await user_by_login(session, login)
    if user is None or not user.active:
        raise Refused("hook_owner")
    check_reach(taken, await access_of(session, user))
