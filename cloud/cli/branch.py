"""`tallybox cloud branch`: decide what becomes of one side of two boxes that write under one name."""

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cloud.cli.session import Database, Json, within

BIGGEST = (1 << 63) - 1
"""The largest number that a database counts to."""

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from cloud.ingest.models import Branch


def branch(
    number: Annotated[int, typer.Argument(help="As `tallybox cloud boxes` shows it.", min=1, max=BIGGEST)],
    side: Annotated[Literal["older", "newer"], typer.Argument(help="Which of the two.")],
    decision: Annotated[Literal["release", "discard"], typer.Argument(help="release: records are made of it; discard: never.")],
    db: Database,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the event log.")],
    as_json: Json = False,
) -> None:
    """Release or discard one side of a branch: what it sent, and what it will still send. What is discarded stays so."""

    async def decided(session: "AsyncSession") -> "Branch":
        from cloud.clock import system_clock
        from cloud.ingest.branches import decide
        from cloud.kernel.actor import Actor, Taken
        from cloud.people.models import Role

        # Whoever may write to the database may decide: there is nobody to ask for a password here.
        taken = Taken(Actor("system", "command line", Role.ADMIN), system_clock(), reason)
        return await decide(session, branch=number, which=side, decision=decision, taken=taken)

    row = within(db, decided, write=True)
    facts = {"branch": row.id, "box": row.box_id, "older": row.older_decision, "newer": row.newer_decision}
    done = {"release": "released", "discard": "discarded"}[decision]
    print(json.dumps(facts) if as_json else f"branch {number}: the {side} side of box {row.box_id} is {done}")
