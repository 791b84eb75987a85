"""How fast each driver's codec turns bytes into readings: whole frames in reads of a serial port's size, one table."""

import statistics
import time
from typing import Any

from drivers import registry
from drivers.api import Driver, Malformed
from tests.contract.samples import ble, gauges, lab, modbus, mqtt, pos, profiles, scanners, streams

READ = 4096
"""Bytes at a time, as the serial transport reads."""

WANTED = 60_000
"""Bytes of one round."""

ROUNDS = 5

SAMPLES = {
    name: frames
    for area in (lab, pos, streams, modbus, scanners, gauges, ble, mqtt, profiles)
    for name, frames in area.SAMPLES.items()
}


def _round(driver: Driver, data: bytes) -> tuple[float, int, int]:
    """Seconds of processor time, things decoded, things malformed."""
    codec = driver.make_codec(driver.settings())
    found = bad = 0
    started = time.process_time()
    for at in range(0, len(data), READ):
        for item in codec.receive(data[at : at + READ], at):
            found += 1
            bad += isinstance(item, Malformed)
    return time.process_time() - started, found, bad


def _measure(driver: Driver) -> dict[str, Any] | None:
    frames = b"".join(SAMPLES[driver.info.name])
    data = frames * max(1, WANTED // len(frames))
    rounds = [_round(driver, data) for _ in range(ROUNDS)]
    seconds = statistics.median(took for took, _, _ in rounds)
    if not seconds:
        return None
    _, found, bad = rounds[0]
    return {
        "bench": "codecs",
        "driver": driver.info.name,
        "mb_per_s": round(len(data) / seconds / 1e6, 2),
        "frames_per_s": round(found / seconds),
        "us_per_frame": round(seconds / found * 1e6, 1),
        "malformed": bad,
    }


def run() -> list[dict[str, Any]]:
    rows = [row for driver in registry.BUILT_IN if driver.info.name in SAMPLES and (row := _measure(driver)) is not None]
    return sorted(rows, key=lambda row: row["frames_per_s"])
