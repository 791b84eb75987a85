"""A station for tests: real asyncio, a clock that is turned by hand, a hub and a journal in memory."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from itertools import count

from drivers.api import Flag, Kind, Reading
from edge.clock import StampFields
from edge.devices.live import Captured, HubEvent, LinkState, LiveChanged, LiveValue
from edge.errors import JournalBroken, TakeRefused
from edge.jobs.desk import DeskSeams, JobDesk
from edge.jobs.ports import DraftStore, NoDrafts, NoNumbers, NumberStore
from edge.jobs.weighing import why_not
from edge.mirror.view import MasterView
from sync_protocol.entries import Clk, Entry, StepEntry
from sync_protocol.ids import EntryId, RunId
from sync_protocol.masters import TABLES
from sync_protocol.mirror import Row

SECOND = 1_000_000_000
RUN = RunId("0" * 32)
SCALE, SCANNER = "scale-1", "scanner-1"
# 2026-11-22 08:00 UTC, a Sunday: a working day in Israel.
MORNING_NS = 1_795_334_400 * SECOND

OIL, RICE, BOLT, FLOUR, CRATE = "OIL-5L", "RICE-25", "BOLT-M8", "FLOUR-1", "CRATE"
OIL_GTIN, RICE_GTIN, BOLT_GTIN = "07290001234565", "07290001234572", "07290001234589"
DRILL, DRILL_GTIN, UNKNOWN_GTIN = "DRILL-18V", "07290001234600", "07290001234990"
ORDER, OTHER_ORDER = "PO-2026-0041", "PO-2026-0042"
NOTICE, CONTAINER = "ASN-2026-0007", "MSKU1234565"
PALLET, LOOSE_PALLET = "372900010000004174", "372900010000004242"
PIN_HASH = ""


class TurnedClock:
    """Stands still until turned; `running` makes it follow the machine's."""

    def __init__(self, *, running: bool = False, boot_id: str = "boot-1") -> None:
        self.boot_id = boot_id
        self.turned_ns = 1_000 * SECOND
        self.running = running
        self._began = time.monotonic_ns()

    def now_ns(self) -> int:
        return self.turned_ns + (time.monotonic_ns() - self._began if self.running else 0)

    def wall_ns(self) -> int:
        return MORNING_NS + self.now_ns() - 1_000 * SECOND

    def stamp(self) -> StampFields:
        return {"boot_id": self.boot_id, "mono_ns": self.now_ns(), "wall_ns": self.wall_ns(), "clk": Clk(s="rtc", err_ms=1000)}

    def turn(self, seconds: float) -> None:
        self.turned_ns += int(seconds * SECOND)


class MemoryJournal:
    """Keeps entries as they were given. `fail` breaks the next append: before keeping the entry, or after."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.fail: str | None = None

    async def append(self, entry: Entry) -> EntryId:
        await asyncio.sleep(0)
        if self.fail == "before":
            self.fail = None
            raise JournalBroken("the disk went away")
        self.entries.append(entry)
        if self.fail == "after":
            self.fail = None
            raise JournalBroken("the power went away")
        return EntryId(RUN, len(self.entries))

    async def steps(self) -> AsyncIterator[tuple[EntryId, StepEntry]]:
        for number, entry in enumerate(list(self.entries)):
            if isinstance(entry, StepEntry):
                yield EntryId(RUN, number), entry

    def step_names(self) -> list[str]:
        return [entry.step for entry in self.entries if isinstance(entry, StepEntry)]


class MemoryHub:
    """Devices whose values the test sets; follows the contract of `edge.devices.live.Hub`."""

    def __init__(self, clock: TurnedClock) -> None:
        self._clock = clock
        self._live = {name: LiveValue(name, LinkState.UP, None, None) for name in (SCALE, SCANNER)}
        self._queues: list[asyncio.Queue[HubEvent]] = []
        self._numbers = count(1)
        self.taken = 0

    def devices(self) -> tuple[str, ...]:
        return tuple(self._live)

    def live(self, device: str) -> LiveValue:
        return self._live[device]

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[HubEvent]]:
        queue: asyncio.Queue[HubEvent] = asyncio.Queue()
        self._queues.append(queue)
        try:
            yield _drain(queue)
        finally:
            self._queues.remove(queue)

    async def take(self, device: str) -> Captured:
        why = why_not(self._live[device], self._clock.now_ns())
        reading = self._live[device].reading
        if why is not None or reading is None:
            raise TakeRefused(why or "no_data")
        self.taken += 1
        return self._tell(Captured(device, self.entry_id(), reading))

    def entry_id(self) -> EntryId:
        return EntryId(RUN, 10_000 + next(self._numbers))

    def weigh(self, value: str | None, unit: str = "kg", *flags: Flag) -> None:
        """The scale says this now."""
        reading = Reading(
            Kind.MASS, Decimal(value) if value is not None else None, unit, frozenset(flags or {Flag.STABLE}), b"S"
        )
        self._change(LiveValue(SCALE, LinkState.UP, reading, self._clock.now_ns()))

    def repeat(self) -> None:
        """The scale says the same again."""
        live = self._live[SCALE]
        if live.reading is not None:
            self._change(LiveValue(SCALE, live.link, live.reading, self._clock.now_ns()))

    def link(self, state: LinkState, device: str = SCALE) -> None:
        old = self._live[device]
        self._change(LiveValue(device, state, old.reading, old.at_ns))

    def scan(self, text: str, **details: str) -> Captured:
        """The reader read `text`; details as the driver gives them (`ai_10` stands for `ai.10`)."""
        named = {name.replace("ai_", "ai."): value for name, value in details.items()}
        flags = frozenset() if text else frozenset({Flag.NO_READ})
        reading = Reading(Kind.CODE, text or None, None, flags, text.encode(), details=named)
        return self._tell(Captured(SCANNER, self.entry_id(), reading))

    def _change(self, live: LiveValue) -> None:
        self._live[live.device] = live
        for queue in self._queues:
            queue.put_nowait(LiveChanged(live))

    def _tell(self, captured: Captured) -> Captured:
        for queue in self._queues:
            queue.put_nowait(captured)
        return captured


async def _drain(queue: asyncio.Queue[HubEvent]) -> AsyncIterator[HubEvent]:
    while True:
        yield await queue.get()


def oil_label(lot: str = "L-118/A", expiry: str = "2027-03-31") -> dict[str, str]:
    """What a reader's driver says of the oil's GS1-128 label."""
    yymmdd = expiry[2:].replace("-", "")
    return {"text": f"01{OIL_GTIN}17{yymmdd}10{lot}", "gtin": OIL_GTIN, "ai_10": lot, "expiry": expiry}


def masters(pin_hash: str = PIN_HASH, **changes: object) -> MasterView:
    """A small site: mass and piece products, with and without lots, two orders, three people."""
    rows = [
        ("station", "receiving-1", {"code": "receiving-1", "name": "Receiving 1", "name_he": "קבלה 1", "site": "haifa"}),
        ("person", "dana", {"login": "dana", "name": "דנה לוי", "role": "operator", "pin_hash": pin_hash, "locale": "he"}),
        ("person", "omar", {"login": "omar", "name": "Omar Haddad", "role": "operator", "pin_hash": pin_hash, "locale": "en"}),
        ("person", "ruth", {"login": "ruth", "name": "רות כהן", "role": "supervisor", "pin_hash": pin_hash, "locale": "he"}),
        ("party", "S-1", {"ref": "S-1", "name": "Galil Foods Ltd", "name_he": "מזון הגליל בע״מ"}),
        ("party", "S-2", {"ref": "S-2", "name": "Haifa Fasteners", "name_he": "מחברי חיפה"}),
        (
            "product",
            OIL,
            {
                "sku": OIL,
                "name": "Olive oil 5 L",
                "name_he": "שמן זית 5 ל׳",
                "unit": "kg",
                "tracking": "lot",
                "expiry": "required",
                "weight_policy": "required",
                "over_tolerance": "0.05",
            },
        ),
        ("product", RICE, {"sku": RICE, "name": "Basmati rice", "name_he": "אורז בסמטי", "unit": "kg", "over_tolerance": "0"}),
        ("product", BOLT, {"sku": BOLT, "name": "Bolt M8×40", "name_he": "בורג M8×40", "unit": "{pcs}"}),
        (
            "product",
            FLOUR,
            {"sku": FLOUR, "name": "Flour 1 kg", "unit": "{pcs}", "tracking": "lot", "identity_policy": "required"},
        ),
        ("product", CRATE, {"sku": CRATE, "name": "Crate", "unit": "{pcs}"}),
        ("code", f"gtin:{OIL_GTIN}", {"scheme": "gtin", "code": OIL_GTIN, "product": OIL}),
        ("code", f"gtin:{RICE_GTIN}", {"scheme": "gtin", "code": RICE_GTIN, "product": RICE}),
        ("code", f"gtin:{BOLT_GTIN}", {"scheme": "gtin", "code": BOLT_GTIN, "product": BOLT}),
        (
            "product",
            DRILL,
            {"sku": DRILL, "name": "Drill 18 V", "name_he": "מקדחה 18 וולט", "unit": "{pcs}", "tracking": "serial"},
        ),
        ("code", f"gtin:{DRILL_GTIN}", {"scheme": "gtin", "code": DRILL_GTIN, "product": DRILL}),
        ("code", "own:BOX-12", {"scheme": "own", "code": "BOX-12", "product": BOLT, "pack": "12"}),
        ("code", "own:TWO", {"scheme": "own", "code": "TWO", "product": BOLT, "others": [CRATE]}),
        ("packaging", "EUR", {"code": "EUR", "name": "Euro pallet", "name_he": "משטח אירו", "tare": "22.5"}),
        ("lot", f"{OIL}:L-OLD", {"product": OIL, "code": "L-OLD", "expiry": "2027-01-31", "status": "released"}),
        ("lot", f"{DRILL}:SN-77", {"product": DRILL, "code": "SN-77", "status": "released", "serial": True, "in_stock": True}),
        ("delivery", "S-1:DN-OLD", {"supplier": "S-1", "document": "DN-OLD", "receipt": "old", "ref": "GR-2026-0003"}),
        (
            "notice",
            NOTICE,
            {
                "ref": NOTICE,
                "supplier": "S-1",
                "order": ORDER,
                "document": "DN-2291/7",
                "container": CONTAINER,
                "seals": ["SL-88"],
                "expected_at": "2026-11-22T07:30:00+00:00",
                "lines": [
                    {"line": "1", "product": RICE, "quantity": "10", "unit": "kg", "order_line": "2", "sscc": PALLET},
                    {"line": "2", "product": BOLT, "quantity": "40", "unit": "{pcs}", "order_line": "3", "sscc": PALLET},
                    {"line": "3", "product": DRILL, "quantity": "2", "unit": "{pcs}", "serials": ["SN-1", "SN-2"]},
                ],
            },
        ),
        ("code", "own:CR-7", {"scheme": "own", "code": "CR-7", "product": CRATE}),
        (
            "order",
            ORDER,
            {
                "ref": ORDER,
                "supplier": "S-1",
                "lines": [
                    {"line": "1", "product": OIL, "quantity": "24", "unit": "kg", "received": "0"},
                    {"line": "2", "product": RICE, "quantity": "50.0", "unit": "kg", "received": "25"},
                    {"line": "3", "product": BOLT, "quantity": "200", "unit": "{pcs}"},
                    {"line": "4", "product": FLOUR, "quantity": "40", "unit": "{pcs}"},
                ],
            },
        ),
        (
            "order",
            OTHER_ORDER,
            {
                "ref": OTHER_ORDER,
                "supplier": "S-2",
                "lines": [{"line": "1", "product": BOLT, "quantity": "500", "unit": "{pcs}"}],
            },
        ),
    ]
    return MasterView(
        {(table, key): (7, TABLES[table].model_validate({**row, **changes.get(key, {})})) for table, key, row in rows}
    )  # type: ignore[dict-item]


def make_row(table: str, key: str, value: dict[str, object]) -> Row:
    return Row(t=table, k=key, rev=7, v=value)


class Station:
    """A desk with everything around it."""

    def __init__(self, *, running: bool = False, drafts: DraftStore | None = None, numbers: NumberStore | None = None) -> None:
        self.clock = TurnedClock(running=running)
        self.journal = MemoryJournal()
        self.hub = MemoryHub(self.clock)
        self.masters = masters()
        self.drafts: DraftStore = drafts or NoDrafts()
        self.numbers: NumberStore = numbers or NoNumbers()
        self._random = count(1)
        self.desk = self.new_desk()

    def entropy(self, length: int) -> bytes:
        return next(self._random).to_bytes(length, "big")

    def new_desk(self) -> JobDesk:
        """The same station after a restart: memory is gone, the journal is there."""
        seams = DeskSeams(self.journal, self.hub, lambda: self.masters, self.clock, self.entropy, self.drafts)
        seams = replace(seams, numbers=self.numbers)
        return JobDesk(seams, station="receiving-1", scale=SCALE)
