"""`tallybox cloud stock`: the ledger held against its moves, rebuilt, and closed."""

import json
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cloud.cli.session import Database, Json, within

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from cloud.kernel.actor import Taken
    from cloud.stock.checking import Checked, Rebuilt
    from cloud.stock.closing import Closed

stock_app = typer.Typer(no_args_is_help=True, help="The stock ledger.")

DIFFERS = 1
"""Exit code: what is kept is not what the moves say."""

Zone = Annotated[str, typer.Option(help="The house's time zone, in which the day ends.")]
Day = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="The last day that is closed.")]


def _taken(part: str) -> "Taken":
    from cloud.clock import system_clock
    from cloud.kernel.actor import Actor, Taken

    return Taken(Actor.system(part), system_clock())


@stock_app.command("check")
def check(db: Database, as_json: Json = False) -> None:
    """Work out of all moves what should lie where, in which bucket and for whom, and compare. Exit 1 where it differs."""

    async def work(session: "AsyncSession") -> "Checked":
        from cloud.stock import checking

        return await checking.check(session)

    found = within(db, work)
    if as_json:
        rows = [{"what": one.what, "place": one.place, "off": one.off} for one in found.differences]
        said = {"moves": found.moves, "quants": found.quants, "count": found.count, "differences": rows}
        print(json.dumps(said))
    else:
        print(f"{found.moves} moves, {found.quants} quants: {'they agree' if found.ok else f'{found.count} DIFFERENCES'}")
        for one in found.differences:
            print(f"  {one.what} {one.place} {one.off}".rstrip())
    if not found.ok:
        raise typer.Exit(DIFFERS)


@stock_app.command("rebuild")
def rebuild(db: Database, as_json: Json = False) -> None:
    """Make all quants and buckets anew of the moves, in one transaction; nobody posts meanwhile."""

    async def work(session: "AsyncSession") -> "Rebuilt":
        from cloud.stock import checking

        return await checking.rebuild(session, _taken("stock rebuild"))

    found = within(db, work, write=True)
    if as_json:
        said = {"moves": found.moves, "quants": found.quants, "buckets": found.buckets, "dropped": found.dropped}
        print(json.dumps(said))
        return
    print(f"{found.moves} moves made {found.quants} quants and {found.buckets} buckets")
    if found.dropped:
        print(f"{found.dropped} reservations no longer fitted and are gone")


@stock_app.command("close")
def close(db: Database, day: Day, zone: Zone = "Asia/Jerusalem") -> None:
    """Let no move happen on or before a day any more. What is written later counts from the day after. It is never undone."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        where = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as exc:
        raise typer.BadParameter(f"{zone} is no time zone", param_hint="--zone") from exc

    async def work(session: "AsyncSession") -> "Closed":
        from cloud.stock import closing

        return await closing.close(session, last, where, _taken("stock close"))

    last: date = day.date()
    found = within(db, work, write=True)
    print(f"closed until {found.day.isoformat()}; moves count from {found.open_from.isoformat()}")
