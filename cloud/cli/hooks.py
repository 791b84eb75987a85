"""`tallybox cloud webhooks`: the programs that are told what happens, and deliveries that are sent once more."""

import json
import secrets
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloud.cli.session import Database, Json, within

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from cloud.hooks.models import Endpoint
    from cloud.hooks.reading import Health
    from cloud.kernel.actor import Taken

hooks_app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

BIGGEST = (1 << 63) - 1
"""The largest number that a database counts to."""

Uid = Annotated[str, typer.Argument(help="As `tallybox cloud webhooks ls` shows it.")]
Number = typer.Option(min=1, max=BIGGEST)


@hooks_app.command()
def ls(db: Database, as_json: Json = False) -> None:
    """Every endpoint: how it is, what waits for it, what was given up."""
    from cloud.hooks.reading import health

    rows = within(db, health)
    if as_json:
        print(json.dumps([_facts(row) for row in rows], ensure_ascii=False))
        return
    for row in rows:
        one = row.endpoint
        print(f"{one.uid}  {one.status:8} {one.name}  {one.url}")
        print(
            f"  {' '.join(one.patterns)}, as {one.owner}; {row.waiting} wait, {row.given_up} given up, {one.failures} failures"
        )


@hooks_app.command()
def add(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    url: Annotated[str, typer.Argument(help="http:// or https://")],
    db: Database,
    patterns: Annotated[list[str], typer.Option("--pattern", help="As deal.*, receipt.post or *; may be given again.")],
    owner: Annotated[str, typer.Option(help="Login of the person by whose rights is told.")],
) -> None:
    """Tell a program what happens from now on; prints its uid and its secret, which is shown this once."""
    from cloud.hooks.endpoints import Target, create_endpoint
    from cloud.hooks.owners import check_owner

    async def make(session: "AsyncSession") -> "Endpoint":
        await check_owner(session, owner, _taken())
        return await create_endpoint(session, Target(name, url, patterns, owner), _taken(), draw=secrets.token_bytes)

    row = within(db, make, write=True)
    print(json.dumps({"endpoint": row.uid, "secret": row.secret}))


@hooks_app.command()
def replay(
    uid: Uid,
    db: Database,
    event: Annotated[int | None, Number] = None,
    first: Annotated[int | None, typer.Option("--from", min=1, max=BIGGEST)] = None,
) -> None:
    """Send once more: what was given up; with --event the delivery of one event; with --from everything from an event on."""
    from cloud.hooks import endpoints

    async def send(session: "AsyncSession") -> str:
        if event is not None:
            await endpoints.replay_one(session, uid, event, _taken())
            return "1 delivery is sent again"
        if first is not None:
            await endpoints.replay_from(session, uid, first, _taken())
            return f"everything from event {first} on is sent again"
        return f"{await endpoints.replay_given_up(session, uid, _taken())} deliveries are sent again"

    print(within(db, send, write=True))


@hooks_app.command()
def pause(uid: Uid, db: Database) -> None:
    """Leave a program alone; what happens meanwhile is told when it is resumed."""
    from cloud.hooks import endpoints

    within(db, lambda session: endpoints.pause(session, uid, _taken()), write=True)
    print(f"{uid} is paused")


@hooks_app.command()
def resume(uid: Uid, db: Database) -> None:
    """Go on telling where it was left."""
    from cloud.hooks import endpoints

    within(db, lambda session: endpoints.resume(session, uid, _taken()), write=True)
    print(f"{uid} is told again")


def _taken() -> "Taken":
    from cloud.clock import system_clock
    from cloud.kernel.actor import Actor, Taken

    return Taken(Actor.system("command line"), system_clock())


def _facts(row: "Health") -> dict[str, Any]:
    one = row.endpoint
    facts = {name: getattr(one, name) for name in ("uid", "name", "url", "patterns", "owner", "status", "failures", "cursor")}
    return {
        **facts,
        "waiting": row.waiting,
        "given_up": row.given_up,
        "next_at": row.next_at and row.next_at.isoformat(),
        "last_ok_at": one.last_ok_at and one.last_ok_at.isoformat(),
    }
