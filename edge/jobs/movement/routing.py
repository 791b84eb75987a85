"""Scans to commands of the smaller jobs: at home they may begin one, in one they are told by what it awaits."""

from typing import Final

from edge.devices.live import Captured
from edge.jobs.desk import JobDesk
from edge.jobs.movement.scans import COMMANDS, MEANT, Seen, Sighting, beginning, sighted
from edge.jobs.news import Sound
from edge.jobs.receive import ReceiveJob
from sync_protocol.wiretext import clean

SHOWN: Final = 40
"""Characters of a scanned text that a message repeats."""

LOOK: Final = frozenset({"move_which", "move_lot", "move_why", "count_lot", "gate_details", "gate_holds"})
"""Inputs for which the operator has to look at the screen."""


async def route_smaller(desk: JobDesk, captured: Captured, by: str) -> bool:
    """Act on one scan; False when it is a receipt's to understand. Raises JobRefused or JournalFault."""
    held, entry = desk.in_hand, str(captured.entry)
    if held is not None and isinstance(held.job, ReceiveJob):
        return False
    scan, cmd = sighted(captured.reading, entry, desk.masters()), f"scan-{entry}"[:64]
    if held is None:
        station = desk.masters().station()
        begun = beginning(scan, station.flows if station else [], desk.stock())
        if begun is None:
            return False
        kind, command = begun
        await desk.begin(kind, command, by=by, cmd=cmd)
    elif scan.seen is Seen.COMMAND and scan.key == "TAKE":
        await desk.take(by=by, cmd=cmd)
    else:
        command = _meant(desk, scan)
        if command is None:
            return True
        await desk.do(command, by=by, cmd=cmd)
    tell_asked(desk)
    return True


def _meant(desk: JobDesk, scan: Sighting) -> object | None:
    """The command that the scan means; None, and said so, where it means nothing."""
    awaited = desk.asked()
    if scan.seen is Seen.NO_READ:
        desk.tell(Sound.LOOK_HERE, "scan.no_read")
    elif scan.seen is Seen.COMMAND:
        if (make := COMMANDS.get((scan.key, awaited))) is not None:
            return make()
        desk.tell(Sound.REJECTED, "scan.unknown_command", text=clean(scan.key, SHOWN))
    elif (maker := MEANT.get((scan.seen, awaited))) is not None:
        return maker(scan)
    elif scan.seen in {Seen.TEXT, Seen.UNKNOWN_PRODUCT}:
        desk.tell(Sound.REJECTED, "scan.unknown", text=clean(scan.key or scan.text, SHOWN))
    else:
        desk.tell(Sound.REJECTED, "scan.wrong", scanned=scan.seen, awaited=awaited)
    return None


def tell_asked(desk: JobDesk) -> None:
    """The outcome of an accepted command of a smaller job: what comes next."""
    awaited = desk.asked() if desk.in_hand is not None else "home"
    desk.tell(Sound.LOOK_HERE if awaited in LOOK else Sound.ACCEPTED, f"next.{awaited}")
