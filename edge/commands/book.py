"""What the box remembers of commands across a power cut: the highest lease, which were taken, and which were not finished."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from edge.journal.store import Connection
from sync_protocol.commands import Command, Fence, seen
from sync_protocol.entries import CommandEntry, Encoded, Entry, parse
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId

T = TypeVar("T")

LEASE = "lease"
"""Key of the highest lease seen."""

BEGUN = "commands_begun"
"""Key of what is known of commands that are being carried out: id to lease and operation, as JSON."""


class Facts(Protocol):
    """What the book needs of the journal (`edge.journal.service.Journal`). Everything is durable when it returns."""

    async def append(self, entry: Entry | Encoded) -> EntryId: ...

    def known(self, key: str) -> str | None: ...

    async def know(self, key: str, value: str) -> None: ...

    async def begin_command(self, cmd_id: str) -> bool: ...

    async def finish_command(self, cmd_id: str) -> None: ...

    async def unfinished_commands(self) -> list[str]: ...

    async def housekeeping(self, work: Callable[[Connection], T], *, transaction: bool = True) -> T: ...


@dataclass(frozen=True, slots=True)
class Begun:
    """A command that was taken; `lease` and `op` as it came."""

    cmd_id: str
    lease: int
    op: str


class CommandBook:
    """Raises JournalFault when the disk takes nothing."""

    def __init__(self, journal: Facts) -> None:
        self._journal = journal

    @property
    def fence(self) -> Fence:
        text = self._journal.known(LEASE) or "0"
        return Fence(int(text) if text.isascii() and text.isdigit() else 0)

    async def saw(self, lease: int) -> None:
        """A lease was seen: keep it before anything is done under it."""
        before = self.fence
        after = seen(before, lease)
        if after != before:
            await self._journal.know(LEASE, str(after.highest))

    async def taken(self, cmd_id: str) -> bool:
        """Whether a command was taken before, by this process or an earlier one."""
        sql = "SELECT 1 FROM command WHERE cmd_id=?"
        return await self._journal.housekeeping(lambda db: db.execute(sql, (cmd_id,)).fetchone() is not None)

    async def begin(self, command: Command) -> bool:
        """Take a command; False when it was taken before."""
        begun = self._begun()
        if command.cmd_id not in begun:
            begun[command.cmd_id] = [command.lease, command.op]
            await self._journal.know(BEGUN, json.dumps(begun))
        return await self._journal.begin_command(command.cmd_id)

    async def tell(self, entry: CommandEntry) -> None:
        """Tell of a command that was not taken."""
        await self._journal.append(entry)

    async def finish(self, entry: CommandEntry) -> None:
        """Tell what became of a command that was begun."""
        await self._journal.append(entry)
        await self._close(entry.cmd_id)

    async def unfinished(self) -> list[Begun]:
        """Commands that an earlier process took and told nothing of. Those that it did tell of are closed here."""
        ids = await self._journal.unfinished_commands()
        if not ids:
            return []
        told = await self._journal.housekeeping(_told)
        begun = self._begun()
        left: list[Begun] = []
        for cmd_id in ids:
            if cmd_id in told:
                await self._close(cmd_id)
            else:
                lease, op = begun.get(cmd_id, (self.fence.highest or 1, "unknown"))
                left.append(Begun(cmd_id, int(lease), str(op)))
        return left

    async def _close(self, cmd_id: str) -> None:
        await self._journal.finish_command(cmd_id)
        begun = self._begun()
        if begun.pop(cmd_id, None) is not None:
            await self._journal.know(BEGUN, json.dumps(begun))

    def _begun(self) -> dict[str, list[int | str]]:
        found = json.loads(self._journal.known(BEGUN) or "{}")
        return found if isinstance(found, dict) else {}


def _told(connection: Connection) -> set[str]:
    """Ids of the commands that the journal tells the end of. Reads every entry's kind, so only after a crash."""
    told = set()
    for (data,) in connection.execute("SELECT bytes FROM entry WHERE kind='command'").fetchall():
        try:
            entry = parse(bytes(data)) if isinstance(data, bytes) else None
        except TextFault:
            continue
        if isinstance(entry, CommandEntry):
            told.add(entry.cmd_id)
    return told
