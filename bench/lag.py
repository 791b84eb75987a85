"""From durable on the box to committed in the cloud at a steady fifty readings a second, beside a round trip and two syncs.

Committed is taken as known at the box: later by half a round trip. The round trip is that of an HTTP request which does
nothing, on the same kind of connection. Once over loopback, and once over a line with 20 ms each way, as a mobile one has.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.capture import syncs
from bench.readings import weight
from bench.stations import percentiles
from bench.uplinks import Core, all_sent, open_box, prepare_core, sender_of, timed_cloud
from edge.clock import BoxClock
from firmware_sim.relay import Relay
from sync_protocol.ids import EntryId

RATE = 50.0
SECONDS = 20.0
ROUND_TRIPS = 60
AIM = 2
DELAYS = (("loopback", 0.0), ("a line of 20 ms each way", 0.02))


async def round_trips(core: Core, port: int) -> list[float]:
    """Milliseconds of requests that do nothing, without the connection's making."""
    cloud = timed_cloud(core, port)
    took = []
    try:
        await cloud.probe()
        for _ in range(ROUND_TRIPS):
            started = time.perf_counter()
            await cloud.probe()
            took.append((time.perf_counter() - started) * 1000)
    finally:
        await cloud.aclose()
    return took


async def steady(core: Core, port: int, folder: Path) -> tuple[list[float], list[float]]:
    """Lags of readings at a steady rate, and how long the exchanges took; milliseconds."""
    clock = BoxClock.of_this_machine()
    kept: list[tuple[float, EntryId]] = []
    cloud = timed_cloud(core, port)
    async with open_box(folder) as journal:
        sender = sender_of(journal, cloud, core)

        async def one(n: int) -> None:
            place = await journal.append(weight("scale-1", f"{n / 1000:.3f}", clock.now_ns(), clock.wall_ns()))
            kept.append((time.perf_counter(), place))

        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(sender.run())
            await all_sent(sender)
            started = time.perf_counter()
            for n in range(int(RATE * SECONDS)):
                await asyncio.sleep(max(started + n / RATE - time.perf_counter(), 0))
                tasks.create_task(one(n))
            await asyncio.sleep(0.5)
            await all_sent(sender)
            sending.cancel()
    await cloud.aclose()
    return cloud.lags_ms(kept), cloud.took_ms


async def measure(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    core = await prepare_core(folder)
    try:
        await core.part.start()
        async with Relay.to(core.port) as relay:
            for what, delay_s in DELAYS:
                relay.up.delay_s = relay.down.delay_s = delay_s
                trip = percentiles(await round_trips(core, relay.port))
                lags, exchanges = await steady(core, relay.port, folder)
                lag = percentiles(lags)
                sync_ms = statistics.median(syncs(folder))
                limit_ms = trip["p50_ms"] + 2 * sync_ms
                rows.append(
                    {
                        "bench": "lag",
                        "what": f"{RATE:g} readings/s over {what}",
                        **lag,
                        "exchange": percentiles(exchanges),
                        "round_trip": trip,
                        "sync_ms": round(sync_ms, 2),
                        "p99_to_trip_and_two_syncs": round(lag["p99_ms"] / limit_ms, 1),
                        "aim": AIM,
                    }
                )
    finally:
        await core.part.stop()
    return rows


def run() -> list[dict[str, Any]]:
    """One row a line."""
    with tempfile.TemporaryDirectory(prefix="tallybox-bench-", ignore_cleanup_errors=True) as name:
        return asyncio.run(measure(Path(name)))


if __name__ == "__main__":
    for line in run():
        print(line)
