"""`tallybox cloud audit`: the log of who did what, checked from its first row to its last."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from cloud.cli.session import Database, Json, within

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from cloud.kernel.chain import ChainCheck

audit_app = typer.Typer(no_args_is_help=True, help="The log of who did what.")

BROKEN = 1
"""Exit code: the log is not what was written."""

Noted = Annotated[str | None, typer.Option("--head", help="A head that was noted earlier: it must still be in the chain.")]


@audit_app.command("verify")
def verify(db: Database, head: Noted = None, as_json: Json = False) -> None:
    """Work out every hash of the chain anew. Exit 1 where a row was changed, removed or moved; note the head."""

    async def check(session: "AsyncSession") -> "ChainCheck":
        from cloud.kernel.chain import check_chain

        return await check_chain(session, noted=head)

    found = within(db, check)
    if as_json:
        faults = [{"event": number, "fault": fault} for number, fault in found.faults]
        print(json.dumps({"events": found.events, "head": found.head, "ok": found.ok, "faults": faults}))
    else:
        print(f"{found.events} events, head {found.head}: {'the chain holds' if found.ok else 'the chain is BROKEN'}")
        for number, fault in found.faults:
            print(f"  event {number}: {fault}")
    if not found.ok:
        raise typer.Exit(BROKEN)
