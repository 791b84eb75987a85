"""Scans that a receipt takes, as the commands that they mean. Pure."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, Literal, cast

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs.awaiting import Awaits
from edge.jobs.inputs import scanned
from edge.jobs.scans import Effect, Scan
from sync_protocol.errors import TextFault
from sync_protocol.quantity import decimal
from sync_protocol.wiretext import clean

SHOWN: Final = 40
"""Characters of a scanned text that a message repeats."""

MAX_VALUE: Final = 256
"""Characters that a step's value may hold; rules with a smaller limit refuse in their own words."""


def command_of(effect: Effect, scan: Scan, entry: str, awaited: Awaits) -> c.Command:
    """What a scan with this effect means. Raises JobRefused(`not_an_amount`)."""
    if effect is Effect.REASON:
        return c.NoDocument(scan.key) if awaited is Awaits.DOCUMENT else c.ConfirmLine(scan.key)
    return _MAKERS[effect](scan, entry)


def _item(scan: Scan, entry: str) -> c.Command:
    if scan.others:
        return _unknown(scan, entry)
    return c.ScanItem(scan.key, scan.text, entry, scan.lot, scan.expiry, scan.serial, scan.pack)


def _unknown(scan: Scan, entry: str) -> c.Command:
    """A code that means several products, or none: then, where no number tells whose it is, the supplier's own."""
    scheme = cast("Literal['gtin', 'supplier', 'own']", scan.scheme or "supplier")
    choices = (scan.key, *scan.others) if scan.others else ()
    code = (scan.code or scan.text)[:MAX_VALUE]
    return c.ScanUnknown(scheme, code, scan.text, entry, scan.lot, scan.expiry, scan.serial, choices)


def _serial(scan: Scan, entry: str) -> c.Command:
    # On a label that names the product as well, the serial number is one of its fields (AI 21).
    return c.GiveSerial(scanned((scan.serial or scan.text)[:MAX_VALUE], entry))


def _count(scan: Scan, _entry: str) -> c.Command:
    return c.GiveCount(count_of(scan.key))


def count_of(text: str) -> Decimal:
    """A counted amount of the sheet; raises JobRefused(`not_an_amount`)."""
    try:
        return decimal(text)
    except TextFault as exc:
        raise JobRefused("not_an_amount", value=clean(text, SHOWN)) from exc


_MAKERS: Final[Mapping[Effect, Callable[[Scan, str], c.Command]]] = {
    Effect.BEGIN: lambda scan, entry: c.ChooseOrder(scan.key, entry),
    Effect.BEGIN_NOTICE: lambda scan, entry: c.ChooseNotice(scan.key, entry),
    Effect.ITEM: _item,
    Effect.LEARN: _unknown,
    Effect.UNIT: lambda scan, entry: c.ScanUnit(scan.key, scan.text, entry),
    Effect.DOCUMENT: lambda scan, entry: c.GiveDocument(scanned(scan.text[:MAX_VALUE], entry)),
    Effect.ARRIVAL: lambda scan, entry: c.GiveArrival(scanned(scan.text[:MAX_VALUE], entry)),
    Effect.CONTAINER: lambda scan, entry: c.GiveArrival(scanned(scan.key, entry), "container"),
    Effect.LOT: lambda scan, entry: c.GiveLot(scanned(scan.text[:MAX_VALUE], entry)),
    Effect.SERIAL: _serial,
    Effect.COUNT: _count,
    Effect.AGAIN: lambda _scan, _entry: c.AddAgain(),
}

SHEET: Final[Mapping[str, Callable[[], c.Command]]] = {
    "CONFIRM": c.ConfirmLine,
    "FINISH": c.FinishJob,
    "UNDO": c.Undo,
    "NODOC": lambda: c.NoDocument("not_supplied"),
    "AGAIN": c.AddAgain,
    "DROP": c.Drop,
    "TARE": c.AskTare,
    "PALLET": c.TakePallet,
    "CHECK": c.CheckPallet,
    "LOOSE": c.LeavePallet,
    "DONE": c.SerialsDone,
}
"""Commands of the station's sheet that are one command of a receipt. CONFIRM says yes where a question is asked."""

YES: Final[Mapping[Awaits, Callable[[], c.Command]]] = {
    Awaits.AGAIN: c.AddAgain,
    Awaits.PALLET: c.TakePallet,
    Awaits.SERIAL: c.SerialsDone,
    Awaits.REMAINDER: c.FinishJob,
}


def sheet_command(name: str, awaited: Awaits) -> c.Command | None:
    """What a command code of the sheet means now; None for a name that a receipt does not know."""
    maker = YES.get(awaited) if name == "CONFIRM" and awaited in YES else SHEET.get(name)
    return maker() if maker is not None else None
