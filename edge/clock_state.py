"""What vouches for the wall clock of this machine: a time service, the cloud, a clock with a battery, or nothing."""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

from sync_protocol.besttime import Interval
from sync_protocol.entries import Clk

EARLIEST_NS = 1_793_491_200_000_000_000
"""2026-11-01: this program did not exist before, so a clock that says so was never set. Moves with releases."""

TIME_ERROR = 5
"""What adjtimex returns while the clock is not in step (adjtimex(2), RETURN VALUE)."""

STA_UNSYNC = 0x0040
"""Bit of `status`: nobody steers the clock (adjtimex(2), `status`; linux/timex.h)."""

BATTERY_CLOCKS = (Path("/dev/rtc"), Path("/dev/rtc0"))


class _Timex(ctypes.Structure):
    """`struct timex` of 64-bit Linux: 208 bytes, the last 44 of them for later use (adjtimex(2); linux/timex.h)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time_s", ctypes.c_long),
        ("time_us", ctypes.c_long),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    )


@dataclass(frozen=True, slots=True)
class KernelClock:
    """What the kernel knows of its own wall clock. Errors in microseconds: the most it can be, and what is likely."""

    in_step: bool
    most_us: int
    likely_us: int


def kernel_clock() -> KernelClock | None:
    """Ask the kernel (adjtimex with `modes` 0 changes nothing and needs no right); None where that is forbidden."""
    asked = _Timex(modes=0)
    returned = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked))
    if returned < 0:
        return None
    return KernelClock(returned != TIME_ERROR and not asked.status & STA_UNSYNC, asked.maxerror, asked.esterror)


def has_battery_clock() -> bool:
    """Whether the machine has a clock that goes on while it is switched off."""
    return any(os.access(path, os.F_OK) for path in BATTERY_CLOCKS)


def judge(kernel: KernelClock | None, *, cloud: Interval | None, wall_ns: int, battery: bool) -> Clk:
    """The strongest that vouches for the wall clock at this moment; `cloud` is the cloud's time now, None if never heard.

    `cloud` does not mean that the wall clock is right: nothing sets it from there. It means that its error is known.
    """
    if kernel is not None and kernel.in_step:
        return Clk(s="ntp", err_ms=-(-kernel.most_us // 1_000))
    if cloud is not None and cloud.lo_ns is not None and cloud.hi_ns is not None:
        off_ns = max(abs(wall_ns - cloud.lo_ns), abs(wall_ns - cloud.hi_ns))
        return Clk(s="cloud", err_ms=-(-off_ns // 1_000_000))
    return Clk(s="rtc" if battery and wall_ns >= EARLIEST_NS else "none")
