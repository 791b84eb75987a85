"""What simulated devices say of themselves, how they were programmed, and their timing: plain data without behaviour."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TerminalSpec:
    """What a balance says of itself, and its timing."""

    model: str = "TBX-60"
    serial_number: str = "B214507731"
    software: str = "1.20 18.6.4.1361.772"
    software_id: str = "30117425A"
    stable_wait_ns: int = 10_000_000_000
    """How long commands that wait for stability wait before they give up."""
    repeat_ns: int = 100_000_000
    boot_ns: int = 2_000_000_000
    six1: bool = True


@dataclass(frozen=True, slots=True)
class ReaderSpec:
    """How a barcode reader was programmed."""

    prefix: bytes = b""
    suffix: bytes = b"\r"
    aim_prefix: bool = False
    """Whether the AIM symbology identifier (ISO/IEC 15424) is sent before the data."""
    encoding: str = "utf-8"
    no_read: bytes | None = None
    """What is sent when a trigger finds no label; None sends nothing."""
