"""The demo: a warehouse's receiving station on one machine, to be tried by hand or to play one receipt by itself."""

import asyncio
import json
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from firmware_sim.demo_operator import DemoFailed, Instruments, Kiosk, Staff, now_ns
from firmware_sim.demo_processes import DemoData, DemoSite, Ports

ORDER = "PO-2026-0041"
OPERATOR = "dana"
SUPERVISOR = "noa"
ADMIN = "michal"

Prepare = Callable[[Path], Awaitable[DemoData]]
"""Fills a folder with database, keys and certificates."""


StepTimes = Callable[[DemoData], Awaitable[list[int]]]
"""When the box wrote the step of each line (nanoseconds since boot): its scan was durable before that."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the demo cannot do by itself without knowing box and cloud from inside."""

    prepare: Prepare
    step_times: StepTimes
    verify: Callable[[str, DemoData], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Load:
    """One line of the delivery: what its label says and what it weighs."""

    product: str
    gtin: str
    lot: str
    grams: str


LOADS = (
    Load("CHK-CUB", "07290001234563", "CB-2611-07", "12340"),
    Load("SLM-FIL", "07290001234570", "SF/118", "8455"),
    Load("CHK-CUB", "07290001234563", "CB-2611-08", "12095"),
)


@dataclass(slots=True)
class Played:
    """What an automatic receipt showed. Times in milliseconds, one per scan of a line."""

    receipt: str
    state: str
    lines: int
    readings: int
    verified: bool
    sent_ns: list[int] = field(default_factory=list)
    durable_ms: list[float] = field(default_factory=list)
    screen_ms: list[float] = field(default_factory=list)
    cloud_ms: list[float] = field(default_factory=list)


@asynccontextmanager
async def demo_site(
    prepare: Prepare, libs: Path, ports: Ports, directory: Path | None = None
) -> AsyncIterator[tuple[DemoSite, DemoData]]:
    """A running demo in `directory`, or in a folder that is removed at the end."""
    async with AsyncExitStack() as stack:
        if directory is None:
            directory = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="tallybox-demo-", ignore_cleanup_errors=True))
            )
        data = await prepare(directory)
        site = DemoSite(data, libs, ports)
        stack.push_async_callback(site.stop)
        await site.start()
        yield site, data


async def run_demo(tools: Tools, libs: Path, *, auto: bool, directory: Path | None, as_json: bool) -> None:
    """Run until Ctrl-C, or with `auto` play one receipt and print how it went. Raises DemoFailed."""
    started = time.monotonic()
    _say("preparing a cloud with a demo company, a box and a simulated site")
    ports = Ports() if auto else Ports(kiosk=_free_or_any(8090), staff=_free_or_any(8091))
    async with demo_site(tools.prepare, libs, ports, directory) as (site, data):
        if auto:
            _say("playing one receipt through the kiosk's interface")
            played = await play_receipt(site, data)
            played.verified = played.verified and await tools.verify(played.receipt, data)
            written = await tools.step_times(data)
            played.durable_ms = [(at - sent) / 1e6 for at, sent in zip(written, played.sent_ns, strict=True)]
            _print_played(played, as_json=as_json, took_s=time.monotonic() - started)
            if not played.verified or played.state != "posted":
                verdict = "verifies" if played.verified else "does not verify"
                raise DemoFailed(f"receipt {played.receipt} is {played.state} and {verdict}")
            return
        _print_addresses(site, data)
        await _until_stopped(site)


async def play_receipt(site: DemoSite, data: DemoData, loads: tuple[Load, ...] = LOADS) -> Played:
    """Receive the delivery through the kiosk's interface, and see the record in the cloud. Raises DemoFailed."""
    async with AsyncExitStack() as stack:
        hands = await stack.enter_async_context(Instruments.connect(site.site.facts["control"]))
        kiosk = await stack.enter_async_context(Kiosk.at(site.box.facts["kiosk"]))
        password = data.passwords[SUPERVISOR]
        staff = await stack.enter_async_context(Staff.at(site.cloud.facts["staff"], SUPERVISOR, password))
        await signed_in(kiosk, data)
        await kiosk.until("the mirror's orders and both devices", _station_ready)
        await hands.scan(ORDER, "]C0")
        await kiosk.until("the order to be opened", lambda state: state["awaits"] == "document")
        await kiosk.act("document", number="DN-77120")
        played = Played("", "", 0, 0, verified=False)
        for number, load in enumerate(loads, 1):
            await receive_line(number, load, hands, kiosk, staff, played)
        await kiosk.act("finish")
        receipt = await staff.until("the finished receipt", ORDER, _decided)
        played.receipt, played.state = receipt["ref"], receipt["state"]
        played.verified = bool(receipt["verification"]["ok"])
        played.lines = len(receipt["lines"])
        played.readings = len({proof["reading"] for line in receipt["lines"] for proof in line["proofs"] if proof["reading"]})
        return played


async def signed_in(kiosk: Kiosk, data: DemoData) -> None:
    """Sign in as soon as the mirror has brought the people."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return await kiosk.sign_in(OPERATOR, data.pins[OPERATOR])
        except DemoFailed:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.3)


async def receive_line(number: int, load: Load, hands: Instruments, kiosk: Kiosk, staff: Staff, played: Played) -> None:
    """Scan the label, put the load on the scale, take the stable weight, confirm."""
    seen = len(kiosk.seen)
    sent_ns = await hands.scan(label_of(load), "]C1")
    await kiosk.until("the weighing step", lambda state: state["awaits"] == "weight")
    changed_ns = next((at for at, name in kiosk.seen[seen:] if name == "job"), now_ns())
    played.sent_ns.append(sent_ns)
    played.screen_ms.append((changed_ns - sent_ns) / 1e6)
    await staff.until("the line", ORDER, lambda found: len(found["lines"]) >= number)
    played.cloud_ms.append((now_ns() - sent_ns) / 1e6)
    await hands.act(device="scale-1", action="put", grams=load.grams)
    wanted = f"{int(load.grams) / 1000:.3f}"
    await kiosk.until(
        f"a stable {wanted} kg", lambda state: state["live"]["state"] == "stable" and state["live"]["value"] == wanted
    )
    await kiosk.act("take")
    await kiosk.until("the line to be whole", lambda state: state["awaits"] == "confirm")
    await kiosk.act("confirm")
    await hands.act(device="scale-1", action="remove")
    await kiosk.until("the empty scale", lambda state: state["live"]["value"] == "0.000")


def label_of(load: Load) -> str:
    """The GS1-128 element string of a delivery that keeps for forty days."""
    expiry = datetime.now(UTC).date() + timedelta(days=40)  # noqa: TID251 - a label printed today
    return f"01{load.gtin}17{expiry:%y%m%d}10{load.lot}"


def _station_ready(state: dict[str, Any]) -> bool:
    orders = any(order["ref"] == ORDER for order in state["orders"])
    return orders and all(device["ok"] for device in state["devices"]) and len(state["devices"]) == 2


def _decided(receipt: dict[str, Any]) -> bool:
    return receipt["state"] in {"posted", "check", "cancelled"}


def _say(text: str) -> None:
    print(f"demo: {text}", file=sys.stderr, flush=True)  # noqa: T201 - progress for the person who started it


def _print_addresses(site: DemoSite, data: DemoData) -> None:
    pin, password = data.pins[OPERATOR], data.passwords[SUPERVISOR]
    lines = (
        "",
        f"  Kiosk    {site.box.facts['kiosk']}    sign in as {OPERATOR}, PIN {pin}",
        f"  Staff    {site.cloud.facts['staff']}    sign in as {SUPERVISOR}, password {password}",
        f"           or as {ADMIN}, who administers all of it, password {data.passwords[ADMIN]}",
        "",
        f"  Instruments: one JSON object a line to 127.0.0.1:{site.site.facts['control']}, for example",
        f'    {{"device": "reader-1", "action": "scan", "text": "{ORDER}", "symbology_id": "]C0"}}',
        f'    {{"device": "reader-1", "action": "scan", "text": "{label_of(LOADS[0])}", "symbology_id": "]C1"}}',
        f'    {{"device": "scale-1", "action": "put", "grams": "{LOADS[0].grams}"}}',
        f"  Logs and data: {data.directory}",
        "",
        "  Ctrl-C ends it.",
        "",
    )
    print("\n".join(lines), flush=True)  # noqa: T201


def _print_played(played: Played, *, as_json: bool, took_s: float) -> None:
    if as_json:
        print(json.dumps(asdict(played) | {"took_s": round(took_s, 1)}))  # noqa: T201
        return
    rows = [
        ("receipt", f"{played.receipt}, {played.state}, {'verified' if played.verified else 'DOES NOT VERIFY'}"),
        ("records made", f"1 receipt with {played.lines} lines"),
        ("readings used as evidence", str(played.readings)),
        ("last byte of a scan to durable, at most", _milliseconds(played.durable_ms)),
        ("last byte of a scan to screen", _milliseconds(played.screen_ms)),
        ("last byte of a scan to cloud record", _milliseconds(played.cloud_ms)),
        ("whole demo", f"{took_s:.1f} s"),
    ]
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"  {name:<{width}}  {value}" for name, value in rows), flush=True)  # noqa: T201


def _milliseconds(values: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values) + " ms"


async def _until_stopped(site: DemoSite) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    asked = asyncio.ensure_future(stopped.wait())
    ended = asyncio.ensure_future(site.first_to_end())
    try:
        await asyncio.wait({asked, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            part = ended.result()
            raise DemoFailed(f"the {part.name} ended by itself; the end of {part.log}:\n{part.tail()}")
    finally:
        asked.cancel()
        ended.cancel()
    _say("stopping")


def _free_or_any(port: int) -> int:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return port
    return 0
