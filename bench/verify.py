"""How long a receipt of 1, 20 and 200 lines takes to be verified from the signed bytes up, handed over, and proved from its
file; beside the signatures and hashes of its frames alone, which nobody can do without.
"""

import asyncio
import base64
import io
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloud.boxes.registry import register_box
from cloud.db.engine import Sessions, open_sessions
from cloud.db.migrate import migrate
from cloud.ingest.receive import receive_frame
from cloud.kernel.actor import Actor, Taken
from cloud.masters.demo import STATION, load_demo
from cloud.receiving.bundle.making import Wish, export_receipt
from cloud.receiving.bundle.opening import prove_bundle
from cloud.receiving.projection import project_all
from cloud.receiving.verify import verify_receipt
from cloud.takers import TAKERS
from sync_protocol import chain, signing
from sync_protocol.entries import AnchorEntry, Clk, Entry, ReadingEntry, RunEntry, StepEntry, encode
from sync_protocol.frame import seal, unseal
from sync_protocol.ids import RunId, new_box_id
from sync_protocol.steps import Amount, Confirm, FieldValue, Finish, Item, Open, ReceiveStep, name_of, readings_of

LINES = (1, 20, 200)
ROUNDS = 7
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PER_FRAME = 100
"""Entries: what a box at work sends at once."""


@dataclass
class Writer:
    """A box that writes one receipt after the other into one run."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    run: RunId = field(default_factory=lambda: RunId("b" * 32))
    entries: list[bytes] = field(default_factory=list)
    sent: int = 0

    number: int = 0

    def __post_init__(self) -> None:
        self.box = new_box_id(1_700_000_000_000, bytes([self.number] * 10))
        self.spki = signing.spki(self.key.public_key())
        self.write(RunEntry(**self.stamp(), fw="bench"))
        self.write(AnchorEntry(**self.stamp(), srv_time=NOW.isoformat(), rtt_ns=40_000_000))

    def stamp(self) -> dict[str, Any]:
        wall_ns = int(NOW.timestamp()) * 1_000_000_000
        return {"boot_id": "b", "mono_ns": 10**12 + len(self.entries), "wall_ns": wall_ns, "clk": Clk(s="ntp", err_ms=20)}

    def write(self, entry: Entry) -> str:
        self.entries.append(encode(entry))
        return f"{self.run}:{len(self.entries) - 1}"

    def reading(self, raw: str, **said: Any) -> str:
        return self.write(ReadingEntry(**self.stamp(), raw=base64.b64encode(raw.encode()).decode(), **said))

    def scan(self, value: str, **details: str) -> str:
        return self.reading(value, device="scanner-1", driver="serial-scanner", kind="code", value=value, details=details)

    def receipt(self, lines: int, document: str | None = None) -> str:
        """A clean one, every value read by a device; its job's id. An empty `document` is none: a person is asked."""
        job, steps = str(uuid.uuid4()), 0

        def step(payload: ReceiveStep) -> None:
            nonlocal steps
            data = payload.model_dump(mode="json", exclude_none=True) | {"cmd": f"c{steps}"}
            entry = StepEntry(
                **self.stamp(), job=job, job_kind="receive", n=steps, step=name_of(payload), station=STATION, by="dana",
                data=data, readings=readings_of(payload),
            )  # fmt: skip
            self.write(entry)
            steps += 1

        number_of_note = f"DN-{lines}" if document is None else document
        order, given_note = self.scan("PO-2026-0041"), None
        if number_of_note:
            given_note = FieldValue(value=number_of_note, mode="device", reading=self.scan(number_of_note))
        step(Open(order="PO-2026-0041", supplier="SUP-014", document=given_note, scan=order))
        for number in range(1, lines + 1):
            text, lot = "0107290001234563", f"L-{lines}-{number}"
            details = {"gtin": "07290001234563", "ai.10": lot, "expiry": "2027-03-01"}
            scan = self.scan(text, **details)
            given = {name: FieldValue(value=value, mode="device", reading=scan) for name, value in
                     (("identity", text), ("lot", lot), ("expiry", "2027-03-01"))}  # fmt: skip
            step(Item(line=number, product="CHK-CUB", product_rev=1, **given))
            weight = self.reading(
                "S S 0.01 kg", device="scale-1", driver="mt-sics", kind="mass", value="0.010", unit="kg", flags=["stable"]
            )
            step(Amount(line=number, quantity=FieldValue(value="0.010", unit="kg", mode="device", reading=weight)))
            step(Confirm(line=number))
        step(Finish(lines=list(range(1, lines + 1))))
        return job

    def frames(self) -> list[bytes]:
        """What was not sent yet."""
        found = []
        while self.sent < len(self.entries):
            part = self.entries[self.sent : self.sent + PER_FRAME]
            prev = chain.links(chain.seed(self.run), 0, self.entries[: self.sent])[-1] if self.sent else chain.seed(self.run)
            found.append(
                seal(box=self.box, run=self.run, first=self.sent, prev=prev, entries=part, gen=0,
                     key_id=signing.key_id(self.spki), sign=signing.signer(self.key))
            )  # fmt: skip
            self.sent += len(part)
        return found


async def prepared(sessions: Sessions, writer: Writer) -> dict[int, list[bytes]]:
    """Receipts of every length, posted; the frames of each."""
    taken = Taken(Actor.user("root", "admin"), NOW)
    async with sessions.write() as session:
        await load_demo(session, taken, pins={})
        await register_box(session, box=writer.box, name="Box", spki=writer.spki, station=STATION, taken=taken)
    frames: dict[int, list[bytes]] = {}
    for lines in LINES:
        writer.receipt(lines)
        frames[lines] = writer.frames()
        for frame in frames[lines]:
            await receive_frame(sessions, box=writer.box, frame=frame, now=NOW)
        await project_all(sessions, takers=TAKERS, now=NOW + timedelta(hours=1))
    return frames


async def median(work: Callable[[], Awaitable[Any]]) -> float:
    """Milliseconds."""
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await work()
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


async def measured(sessions: Sessions, writer: Writer, lines: int, frames: list[bytes]) -> dict[str, Any]:
    """One length: milliseconds for the receipt, and for a line of it."""
    ref = f"GR-2026-{LINES.index(lines) + 1:06d}"
    pem = writer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    find = {signing.key_id(writer.spki): signing.verifier(writer.spki)}.get
    file = io.BytesIO()

    async def all_of_it() -> None:
        async with sessions.read() as session:
            report = await verify_receipt(session, ref)
        if not report.ok:
            raise SystemExit(f"{ref} does not verify: {report.problems[:3]}")

    async def hand_over() -> None:
        file.seek(0)
        file.truncate()
        async with sessions.read() as session:
            await export_receipt(session, ref, file, Wish(NOW))

    async def prove() -> None:
        file.seek(0)
        if not prove_bundle(file, [pem]).report.ok:
            raise SystemExit(f"the bundle of {ref} does not verify")

    async def signatures() -> None:
        for frame in frames:
            unseal(frame, find)

    works: dict[str, Callable[[], Awaitable[None]]] = {
        "verify_ms": all_of_it,
        "export_ms": hand_over,
        "prove_bundle_ms": prove,
        "signatures_alone_ms": signatures,
    }
    took = {name: await median(work) for name, work in works.items()}
    return {
        "bench": "verify",
        "what": f"{lines} lines",
        **{name: round(each, 1) for name, each in took.items()},
        "verify_ms_a_line": round(took["verify_ms"] / lines, 2),
        "bundle_kb": round(len(file.getvalue()) / 1024),
    }


async def _run(folder: Path) -> list[dict[str, Any]]:
    url = f"sqlite:///{folder / 'cloud.db'}"
    await migrate(url)
    sessions, writer = open_sessions(url), Writer()
    try:
        frames = await prepared(sessions, writer)
        return [await measured(sessions, writer, lines, frames[lines]) for lines in LINES]
    finally:
        await sessions.engine.dispose()


def run() -> list[dict[str, Any]]:
    """One row a length of receipt, on SQLite."""
    with tempfile.TemporaryDirectory(prefix="tallybox-bench-") as name:
        return asyncio.run(_run(Path(name)))
