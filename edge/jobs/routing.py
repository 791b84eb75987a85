"""Scans and command codes to commands of the job: what was meant is told from the code, and every scan is answered."""

import asyncio
from typing import Final

from edge.devices.live import Captured
from edge.errors import JobRefused, JournalFault
from edge.jobs import commands as c
from edge.jobs.awaiting import Awaits
from edge.jobs.badges import person_of
from edge.jobs.desk import JobDesk
from edge.jobs.movement.routing import route_smaller, tell_asked
from edge.jobs.news import Sound
from edge.jobs.scanned import SHOWN, command_of, sheet_command
from edge.jobs.scans import EFFECTS, Effect, Scan, classify
from sync_protocol.wiretext import clean

SAME_SCAN_NS: Final = 2_000_000_000
"""The same code within two seconds is one scan: readers in presentation mode and shaky hands repeat."""

ABANDON_NS: Final = 10_000_000_000
"""Giving up a whole receipt by a code takes two scans of it, at most this far apart."""


class Routing:
    """Turns captured scans into commands, one at a time."""

    def __init__(self, desk: JobDesk) -> None:
        self._desk = desk
        self._last: tuple[str, int] | None = None
        self._abandon_asked_ns: int | None = None

    async def route(self, captured: Captured) -> None:
        """Act on one scan. Never raises for what a person can scan; the outcome says how it ended."""
        desk, now = self._desk, self._desk.clock.now_ns()
        scan = classify(captured.reading, desk.masters(), desk.job.supplier if desk.job is not None else None)
        if self._repeated(scan.text, now):
            return
        if desk.operator is None:
            desk.tell(Sound.REJECTED, "scan.signed_out")
            return
        try:
            if not await route_smaller(desk, captured, desk.operator):
                await self._act(scan, str(captured.entry), desk.operator)
        except JobRefused as exc:
            desk.tell(Sound.REJECTED, f"refused.{exc.code}", **exc.values)
        except JournalFault:
            desk.tell(Sound.REJECTED, "refused.journal")

    def _repeated(self, text: str, now: int) -> bool:
        if not text:
            return False
        same = self._last is not None and self._last[0] == text and now - self._last[1] < SAME_SCAN_NS
        self._last = (text, now)
        return same

    async def _act(self, scan: Scan, entry: str, by: str) -> None:
        awaited = self._desk.awaited()
        effect = EFFECTS[scan.kind, awaited]
        if effect is Effect.READ_FAILED:
            self._desk.tell(Sound.LOOK_HERE, "scan.no_read")
        elif effect is Effect.UNKNOWN:
            self._desk.tell(Sound.REJECTED, "scan.unknown", text=clean(scan.key or scan.text, SHOWN))
        elif effect is Effect.WRONG:
            self._desk.tell(Sound.REJECTED, "scan.wrong", scanned=scan.kind, awaited=awaited)
        elif effect is Effect.COMMAND:
            await self._command(scan.key, awaited, by, entry)
        elif effect is Effect.BADGE:
            await self._badge(scan.text, by, entry)
        else:
            await self._do(command_of(effect, scan, entry, awaited), by, entry)

    async def _badge(self, text: str, by: str, entry: str) -> None:
        person = await asyncio.to_thread(person_of, text, self._desk.masters())
        if person is None:
            raise JobRefused("unknown_badge")
        await self._do(c.ShowBadge(person.login, entry), by, entry)

    async def _command(self, name: str, awaited: Awaits, by: str, entry: str) -> None:
        if name == "TAKE":
            await self._desk.take(by=by, cmd=f"scan-{entry}"[:64])
            self._answer()
        elif name == "ABANDON":
            await self._abandon(by, entry)
        elif (command := sheet_command(name, awaited)) is not None:
            await self._do(command, by, entry)
        else:
            self._desk.tell(Sound.REJECTED, "scan.unknown_command", text=clean(name, SHOWN))

    async def _abandon(self, by: str, entry: str) -> None:
        now = self._desk.clock.now_ns()
        asked = self._abandon_asked_ns
        if self._desk.job is not None and (asked is None or now - asked > ABANDON_NS):
            self._abandon_asked_ns = now
            self._desk.tell(Sound.LOOK_HERE, "scan.abandon_again")
            return
        self._abandon_asked_ns = None
        await self._do(c.AbandonJob("started_by_mistake"), by, entry)

    async def _do(self, command: c.Command, by: str, entry: str) -> None:
        await self._desk.do(command, by=by, cmd=f"scan-{entry}"[:64])
        self._answer()

    def _answer(self) -> None:
        """Say what is awaited next; questions and failed checks call for a look at the screen."""
        tell_next(self._desk)


_ASKS: Final = frozenset(
    {Awaits.AGAIN, Awaits.LOT, Awaits.EXPIRY, Awaits.PALLET, Awaits.CODE, Awaits.SUPERVISOR, Awaits.REMAINDER}
)
"""Inputs that are a question: the operator must look."""


def tell_next(desk: JobDesk) -> None:
    """The outcome of an accepted command: what comes next, and whether the operator must look."""
    if desk.in_hand is not None and desk.job is None:
        tell_asked(desk)
        return
    awaited = desk.awaited()
    asks = awaited in _ASKS or any(check.holds for check in desk.failed_checks())
    desk.tell(Sound.LOOK_HERE if asks else Sound.ACCEPTED, f"next.{awaited}")
