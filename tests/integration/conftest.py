"""A box as the cloud sees it: a key, a certificate, journals that are signed and sent; and a clock that tests turn."""

import asyncio
import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cloud.boxes.registry import register_box
from cloud.db.engine import Sessions, open_sessions
from cloud.db.migrate import migrate
from cloud.ingest.receive import receive_frame
from cloud.kernel.actor import Actor, Taken
from cloud.masters.demo import STATION, load_demo
from cloud.receiving.projection import project_all
from sync_protocol import chain, signing
from sync_protocol.answers import Ack, Answer
from sync_protocol.entries import (
    AnchorEntry,
    Clk,
    DeviceEntry,
    Entry,
    NoteEntry,
    Position,
    ReadingEntry,
    RunEntry,
    StepEntry,
    encode,
)
from sync_protocol.frame import seal
from sync_protocol.ids import BoxId, RunId, new_box_id
from sync_protocol.steps import Amount, Confirm, FieldValue, Finish, Item, Open, ReceiveStep, name_of, readings_of
from tests.integration.handing_over import exported

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
ADMIN = Actor.user("root", "admin")


@dataclass
class TurnedClock:
    """Gives the time that the test set."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def go(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


@dataclass
class Run:
    """One run of a box's journal."""

    run: RunId
    entries: list[bytes] = field(default_factory=list)

    def hash_before(self, seq: int) -> bytes:
        links = chain.links(chain.seed(self.run), 0, self.entries[:seq])
        return links[-1] if links else chain.seed(self.run)


class TestBox:
    """Writes journals and sends frames of them. Everything is deterministic but the keys."""

    __test__ = False

    def __init__(self, number: int, clock: TurnedClock) -> None:
        self.clock = clock
        self.id: BoxId = new_box_id(1_700_000_000_000 + number, bytes(9) + bytes([number]))
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.spki = signing.spki(self.key.public_key())
        self.number = number
        self.boot = "b"
        self.runs: list[Run] = []
        self.jobs: dict[str, int] = {}
        self._drawn = 0

    def draw(self) -> int:
        self._drawn += 1
        return self._drawn

    def start(self, parent: tuple[Run, int] | None = None) -> Run:
        run = Run(RunId(f"{self.number:02x}{self.draw():030x}"))
        self.runs.append(run)
        place = None
        if parent is not None:
            before, seq = parent
            place = Position(run=before.run, seq=seq, hash=before.hash_before(seq + 1).hex())
        self.write(RunEntry(**self.stamp(), parent=place, fw="test"))
        return run

    @property
    def run(self) -> Run:
        return self.runs[-1] if self.runs else self.start()

    def stamp(self) -> dict[str, Any]:
        wall_ns = int(self.clock.now.timestamp()) * 1_000_000_000
        return {
            "boot_id": self.boot,
            "mono_ns": self.mono_ns() + self.draw(),
            "wall_ns": wall_ns,
            "clk": Clk(s="ntp", err_ms=20),
        }

    def mono_ns(self) -> int:
        """The boot's counter: the box was switched on an hour before the tests' time begins."""
        return 3_600_000_000_000 + (self.clock.now - START) // timedelta(microseconds=1) * 1000

    def anchor(self, rtt_ms: int = 40) -> str:
        """The cloud's clock was heard just now."""
        rtt_ns = rtt_ms * 1_000_000
        srv_time = (self.clock.now - timedelta(milliseconds=rtt_ms / 2)).isoformat()
        return self.write(AnchorEntry(**self.stamp(), srv_time=srv_time, rtt_ns=rtt_ns))

    def write(self, entry: Entry) -> str:
        return self.write_bytes(encode(entry))

    def write_bytes(self, data: bytes) -> str:
        run = self.run
        run.entries.append(data)
        return f"{run.run}:{len(run.entries) - 1}"

    def note(self, name: str = "noted") -> str:
        return self.write(NoteEntry(**self.stamp(), name=name))

    def device(self, device: str, driver: str, identity: str) -> str:
        return self.write(DeviceEntry(**self.stamp(), device=device, driver=driver, identity=identity))

    def reading(self, **fields: Any) -> str:
        raw = base64.b64encode(fields.pop("raw", b"?")).decode()
        return self.write(ReadingEntry(**self.stamp(), raw=raw, **fields))

    def weight(self, value: str, unit: str = "kg", flags: tuple[str, ...] = ("stable", "net")) -> str:
        raw = f"S S {value:>10} {unit}\r\n".encode()
        return self.reading(device="scale-1", driver="mt-sics", kind="mass", value=value, unit=unit, flags=list(flags), raw=raw)

    def scan(self, text: str, **details: str) -> str:
        given = {name.replace("_", "."): value for name, value in details.items()}
        return self.reading(
            device="scanner-1", driver="serial-scanner", kind="code", value=text, details=given, raw=text.encode() + b"\r"
        )

    def step(self, job: str, step: ReceiveStep, *, by: str = "dana", n: int | None = None, **extra: Any) -> str:
        number = self.jobs.get(job, 0) if n is None else n
        self.jobs[job] = number + 1
        return self.write(
            StepEntry(
                **self.stamp(),
                job=job,
                job_kind="receive",
                n=number,
                step=name_of(step),
                station=STATION,
                by=by,
                data=step.model_dump(mode="json", exclude_none=True) | {"cmd": f"c{number}", **extra},
                readings=readings_of(step),
            )
        )

    def new_job(self) -> str:
        return str(uuid.UUID(int=(self.number << 64) + self.draw(), version=4))

    def frame(self, first: int = 0, count: int | None = None, run: Run | None = None, **changed: Any) -> bytes:
        source = run or self.run
        entries = source.entries[first : None if count is None else first + count]
        given: dict[str, Any] = {
            "box": self.id,
            "run": source.run,
            "first": first,
            "prev": source.hash_before(first),
            "entries": entries,
            "gen": 0,
            "key_id": signing.key_id(self.spki),
            "sign": signing.signer(self.key),
        }
        return seal(**(given | changed))

    def certificate(self, *, name: str | None = None, key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
        """DER; signed by itself, as the TLS server has checked the chain already."""
        signing_key = key or self.key
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name or self.id)])
        made = x509.CertificateBuilder(subject, subject, signing_key.public_key(), 1, START, START + timedelta(days=1))
        return made.sign(signing_key, hashes.SHA256()).public_bytes(Encoding.DER)

    async def send(self, sessions: Sessions, run: Run | None = None, first: int = 0) -> Answer:
        return await receive_frame(sessions, box=self.id, frame=self.frame(first, run=run), now=self.clock.now)

    async def deliver(self, sessions: Sessions) -> None:
        """Send what every run has beyond what was sent before."""
        for run in self.runs:
            sent = getattr(run, "sent", 0)
            while sent < len(run.entries):
                frame = self.frame(sent, 500, run)
                answer = await receive_frame(sessions, box=self.id, frame=frame, now=self.clock.now)
                assert isinstance(answer, Ack), answer
                sent = answer.acked
            run.sent = sent  # type: ignore[attr-defined]

    async def register(self, sessions: Sessions, station: str | None = STATION) -> None:
        async with sessions.write() as session:
            await register_box(
                session,
                box=self.id,
                name=f"Box {self.number}",
                spki=self.spki,
                station=station,
                taken=Taken(ADMIN, self.clock.now),
            )


def device(value: str, reading: str, unit: str | None = None) -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="device", reading=reading)


def typed(value: str, unit: str | None = None, reason: str = "counted") -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="manual", reason=reason)


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def make_box(clock: TurnedClock) -> Callable[[int], TestBox]:
    return lambda number: TestBox(number, clock)


@pytest.fixture
async def box(sessions: Sessions, make_box: Callable[[int], TestBox]) -> TestBox:
    """A registered box at station receiving-1."""
    made = make_box(1)
    await made.register(sessions)
    return made


@pytest.fixture
async def demo(sessions: Sessions, clock: TurnedClock) -> None:
    """The demo company's master data; its people have no PINs, which take long to hash."""
    async with sessions.write() as session:
        await load_demo(session, Taken(ADMIN, clock.now), pins={})


class Story:
    """Writes the steps of goods receipts on a box the way an operator makes them."""

    def __init__(self, box: TestBox) -> None:
        self.box = box
        self.job = ""
        self.line = 0

    def open(self, order: str = "PO-2026-0041", supplier: str = "SUP-014", document: str = "DN-1", by: str = "dana") -> str:
        box = self.box
        self.job, self.line = box.new_job(), 0
        scanned = box.scan(order)
        note = box.scan(document)
        box.step(self.job, Open(order=order, supplier=supplier, document=device(document, note), scan=scanned), by=by)
        return self.job

    def item(self, sku: str, gtin: str, lot: str | None = "L-77", expiry: str | None = "2027-03-01", **more: Any) -> str:
        self.line += 1
        details = {"gtin": gtin} | ({"ai_10": lot} if lot else {}) | ({"expiry": expiry} if expiry else {})
        text = f"01{gtin}" + (f"10{lot}" if lot else "")
        scan = self.box.scan(text, **details)
        given: dict[str, Any] = {
            "identity": device(text, scan),
            "lot": device(lot, scan) if lot else None,
            "expiry": device(expiry, scan) if expiry else None,
        }
        item = Item(line=self.line, product=sku, product_rev=1, **(given | more))
        self.box.step(self.job, item)
        return scan

    def weigh(self, value: str, unit: str = "kg", **more: Any) -> str:
        reading = self.box.weight(value, unit, **more)
        self.box.step(self.job, Amount(line=self.line, quantity=device(value, reading, unit)))
        return reading

    def count(self, value: str, unit: str = "{pcs}") -> None:
        self.box.step(self.job, Amount(line=self.line, quantity=typed(value, unit)))

    def confirm(self, **extra: Any) -> None:
        self.box.step(self.job, Confirm(line=self.line), **extra)

    def chicken(self, value: str = "12.340", **item: Any) -> tuple[str, str]:
        scan = self.item("CHK-CUB", "07290001234563", **item)
        reading = self.weigh(value)
        self.confirm()
        return scan, reading

    def finish(self, *lines: int) -> None:
        self.box.step(self.job, Finish(lines=list(lines) or list(range(1, self.line + 1))))

    def whole(self, value: str = "12.340", document: str = "DN-1") -> str:
        """A clean receipt of one weighed line."""
        self.open(document=document)
        self.chicken(value)
        self.finish()
        return self.job


@pytest.fixture
def story(box: TestBox) -> Story:
    return Story(box)


@pytest.fixture
def make_story() -> Callable[[TestBox], Story]:
    return Story


async def _hand_over(url: str) -> tuple[bytes, TestBox]:
    await migrate(url)
    clock = TurnedClock()
    sessions = open_sessions(url)
    try:
        box = TestBox(1, clock)
        await box.register(sessions)
        async with sessions.write() as session:
            await load_demo(session, Taken(ADMIN, clock.now), pins={})
        return await posted_bundle(sessions, box), box
    finally:
        await sessions.engine.dispose()


async def posted_bundle(sessions: Sessions, box: TestBox) -> bytes:
    """A clean receipt, posted, of the second of three batches of its run, as it is handed over."""
    box.start()
    box.anchor()
    for _ in range(3):
        box.note()
    await box.deliver(sessions)
    box.device("scale-1", "mt-sics", "a scale")
    Story(box).whole("12.340")
    await box.deliver(sessions)
    box.note()
    await box.deliver(sessions)
    await project_all(sessions)
    return await exported(sessions, box.clock)


@pytest.fixture(scope="session")
def handed_over(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, TestBox]:
    """The bundle of a receipt, and the box that signed it: made once, since no test of it needs the database again."""
    url = f"sqlite:///{tmp_path_factory.mktemp('handed-over') / 'cloud.db'}"
    return asyncio.run(_hand_over(url))


@pytest.fixture(scope="session")
def bundle(handed_over: tuple[bytes, TestBox]) -> bytes:
    return handed_over[0]


@pytest.fixture(scope="session")
def signer(handed_over: tuple[bytes, TestBox]) -> TestBox:
    return handed_over[1]


@pytest.fixture
def hand_over() -> Callable[[Sessions, TestBox], Any]:
    return posted_bundle
