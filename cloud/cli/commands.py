"""`tallybox cloud command` and `tallybox cloud commands`: ask something of a box, and see what became of it."""

import json
import secrets
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloud.cli.session import Database, Json, within

if TYPE_CHECKING:
    from cloud.boxes.commands import BoxCommand

USAGE = 2
"""Exit code: the command was called wrongly."""

SHOWN = 20


def command(
    box: str,
    op: Annotated[str, typer.Argument(help="zero, tare, restart_device, configure, pull_mirror, identify, fresh_run...")],
    db: Database,
    args: Annotated[str, typer.Option(help="JSON object with the operation's arguments.")] = "{}",
    minutes: Annotated[float, typer.Option(help="So long it may still be carried out.", min=0.1)] = 60.0,
    as_json: Json = False,
) -> None:
    """Ask something of a box, once. It goes there in its next session, at once where one is open."""
    from cloud.boxes.commands import Order, issue_command
    from cloud.clock import system_clock
    from cloud.kernel.actor import Actor, Taken
    from sync_protocol.commands import new_command_id

    now = system_clock()
    new = new_command_id(int(now.timestamp() * 1000), secrets.token_bytes(10))
    order = Order(new, box, op, _arguments(args), now + timedelta(minutes=minutes))
    row = within(db, lambda session: issue_command(session, Taken(Actor.system("command line"), now), order), write=True)
    print(json.dumps({"command": row.id, "state": row.state}) if as_json else f"command {row.id} waits for box {box}")


def commands(box: str, db: Database, as_json: Json = False) -> None:
    """What was asked of a box lately, newest first, and what became of it."""
    from cloud.boxes.commands import commands_of

    rows = within(db, lambda session: commands_of(session, box, SHOWN))
    if as_json:
        print(json.dumps([_facts(row) for row in rows], ensure_ascii=False))
        return
    for row in rows:
        what = " ".join(str(part) for part in (row.detail, row.result or None) if part is not None)
        print(f"{row.id}  {row.created_at:%Y-%m-%d %H:%M:%S}  {row.op:14} {row.state:11} {what}".rstrip())


def _facts(row: "BoxCommand") -> dict[str, Any]:
    return {
        "command": row.id,
        "op": row.op,
        "by": row.created_by,
        "at": row.created_at.isoformat(),
        "not_after": row.not_after.isoformat(),
        "state": row.state,
        "detail": row.detail,
        "result": row.result,
        "entry": None if row.run is None else f"{row.run}:{row.seq}",
    }


def _arguments(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        print("tallybox: --args is a JSON object", file=sys.stderr)
        raise typer.Exit(USAGE)
    return found
