"""Scans and command codes to commands of the job: what was meant is told from the code, and every scan is answered."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from edge.devices.live import Captured
from edge.errors import JobRefused, JournalFault
from edge.jobs import commands as c
from edge.jobs.desk import JobDesk
from edge.jobs.engine import Awaits
from edge.jobs.news import Sound
from edge.jobs.scans import EFFECTS, Effect, Scan, classify
from sync_protocol.errors import TextFault
from sync_protocol.quantity import decimal
from sync_protocol.steps import FieldValue
from sync_protocol.wiretext import clean

SAME_SCAN_NS: Final = 2_000_000_000
"""The same code within two seconds is one scan: readers in presentation mode and shaky hands repeat."""

ABANDON_NS: Final = 10_000_000_000
"""Giving up a whole receipt by a code takes two scans of it, at most this far apart."""

SHOWN: Final = 40
"""Characters of a scanned text that a message repeats."""


class Routing:
    """Turns captured scans into commands, one at a time."""

    def __init__(self, desk: JobDesk) -> None:
        self._desk = desk
        self._last: tuple[str, int] | None = None
        self._abandon_asked_ns: int | None = None

    async def route(self, captured: Captured) -> None:
        """Act on one scan. Never raises for what a person can scan; the outcome says how it ended."""
        desk, now = self._desk, self._desk.clock.now_ns()
        scan = classify(captured.reading, desk.masters())
        if self._repeated(scan.text, now):
            return
        if desk.operator is None:
            desk.tell(Sound.REJECTED, "scan.signed_out")
            return
        try:
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
        else:
            await self._do(self._meant(effect, scan, entry, awaited), by, entry)

    def _meant(self, effect: Effect, scan: Scan, entry: str, awaited: Awaits) -> c.Command:
        match effect:
            case Effect.BEGIN:
                return c.ChooseOrder(scan.key, entry)
            case Effect.ITEM:
                return c.ScanItem(scan.key, scan.text, entry, scan.lot, scan.expiry)
            case Effect.DOCUMENT:
                return c.GiveDocument(FieldValue(value=scan.text[:256], mode="device", reading=entry))
            case Effect.LOT:
                return c.GiveLot(FieldValue(value=scan.text[:256], mode="device", reading=entry))
            case Effect.COUNT:
                return c.GiveCount(_count(scan.key))
            case Effect.REASON:
                return c.NoDocument(scan.key) if awaited is Awaits.DOCUMENT else c.ConfirmLine(scan.key)
        return c.AddAgain()

    async def _command(self, name: str, awaited: Awaits, by: str, entry: str) -> None:
        if name == "TAKE":
            await self._desk.take(by=by, cmd=f"scan-{entry}"[:64])
            self._answer()
        elif name == "ABANDON":
            await self._abandon(by, entry)
        elif (command := self._sheet(name, awaited)) is not None:
            await self._do(command, by, entry)
        else:
            self._desk.tell(Sound.REJECTED, "scan.unknown_command", text=clean(name, SHOWN))

    @staticmethod
    def _sheet(name: str, awaited: Awaits) -> c.Command | None:
        makers: dict[str, Callable[[], c.Command]] = {
            "CONFIRM": c.AddAgain if awaited is Awaits.AGAIN else c.ConfirmLine,
            "FINISH": c.FinishJob,
            "UNDO": c.Undo,
            "NODOC": lambda: c.NoDocument("not_supplied"),
            "AGAIN": c.AddAgain,
            "DROP": c.Drop,
        }
        maker = makers.get(name)
        return maker() if maker else None

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


def tell_next(desk: JobDesk) -> None:
    """The outcome of an accepted command: what comes next, and whether the operator must look."""
    awaited = desk.awaited()
    asks = awaited in {Awaits.AGAIN, Awaits.LOT, Awaits.EXPIRY} or bool(desk.failed_checks())
    desk.tell(Sound.LOOK_HERE if asks else Sound.ACCEPTED, f"next.{awaited}")


def _count(text: str) -> Decimal:
    try:
        return decimal(text)
    except TextFault as exc:
        raise JobRefused("not_an_amount", value=clean(text, SHOWN)) from exc
