"""Readings for the benchmarks: what two scales of a receiving station say, the same for every run of a benchmark."""

import base64
from collections.abc import Iterator
from random import Random

from sync_protocol.entries import Clk, Encoded, ReadingFields, StampFields, encode_reading

BOOT_ID = "0f0e0d0c-0b0a-4908-8706-050403020100"
CLK = Clk(s="ntp", err_ms=5)
START_NS = 1_790_000_000_000_000_000


def readings(count: int, seed: int = 7) -> Iterator[Encoded]:
    """Stable weights of 0.2 to 30 kg, 30 to 60 ms apart, with clocks that drift as clocks do and the raw line of the scale."""
    draw = Random(seed)
    mono_ns, wall_ns = 86_400_000_000_000, START_NS
    for _ in range(count):
        passed_ns = draw.randrange(30_000_000, 60_000_000)
        mono_ns += passed_ns
        wall_ns += passed_ns + draw.randrange(-2000, 2000)
        yield weight(draw.choice(("scale-1", "scale-2")), f"{draw.randrange(200, 30_000) / 1000:.3f}", mono_ns, wall_ns)


def weight(device: str, value: str, mono_ns: int, wall_ns: int) -> Encoded:
    """One stable net weight as the box writes it."""
    stamp = StampFields(boot_id=BOOT_ID, mono_ns=mono_ns, wall_ns=wall_ns, clk=CLK)
    return encode_reading(
        stamp,
        ReadingFields(
            device=device,
            driver="mt-sics",
            kind="mass",
            value=value,
            unit="kg",
            op=None,
            flags=["net", "stable"],
            instrument_time=None,
            details={},
            raw=base64.b64encode(f"S S {value:>10} kg\r\n".encode()).decode(),
        ),
    )
