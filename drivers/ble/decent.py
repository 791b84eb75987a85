"""Decent Scale and Half Decent Scale: frames of seven bytes, ten on newer firmware, each with an XOR at the end.

Sources: decentespresso.com, page decentscale_api; Half Decent Scale programmer's guide. The maker publishes them, yet says that
firmware may differ.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import xor

from pydantic import Field

from drivers.api import (
    Acknowledged,
    Codec,
    Decoded,
    Driver,
    DriverInfo,
    Flag,
    Kind,
    Malformed,
    Mode,
    Reading,
    Settings,
    Status,
    Tier,
)
from drivers.ble.conversation import BleCodec, Conversation, subscribe, writes
from drivers.ble.fields import scaled, signed
from drivers.ble.uuids import full
from drivers.envelope import Message
from drivers.settings import own_settings, read_settings

NOTIFY = full(0xFFF4)
WRITE = full(0x36F5)

MODEL = 0x03
"""First byte of every frame."""

SIZES = frozenset({7, 10})

WEIGHTS = {0xCE: Flag.STABLE, 0xCA: Flag.MOTION}
"""Type of a weight frame -> whether the weight is at rest."""

ECHOES = {0x0A: "led", 0x0F: "tare"}
"""Types by which the scale repeats a command that it took."""

BUTTON, TIMER = 0xAA, 0x0B

LED_ON = bytes.fromhex("030a0101000108")
"""Without it many firmwares say nothing at all."""

HEARTBEAT = bytes.fromhex("030a03ffff000a")
TARE = bytes.fromhex("030f000000010d")

BEAT_NS = 4_000_000_000
"""The Half Decent Scale switches itself off after 5 s without a heartbeat."""

REPEAT_NS = 200_000_000
"""Version 1.0 loses commands that come while it sends: each goes out a second time (decentscale_api)."""

SILENCE_NS = 3_000_000_000
"""The scale tells its weight ten times a second."""


class DecentSettings(Settings):
    """A Decent or Half Decent scale."""

    heartbeat: bool = Field(
        default=True,
        description="Whether the scale is told every few seconds that it is wanted; the Half Decent Scale needs it.",
    )
    send_twice: bool = Field(
        default=True, description="Whether each command goes out a second time after 200 ms; version 1.0 loses some."
    )


def read_decent(payload: bytes, raw: bytes) -> Sequence[Decoded]:
    """One frame."""
    if len(payload) not in SIZES or payload[0] != MODEL:
        return [Malformed("not a frame of the scale", raw)]
    if reduce(xor, payload) != 0:
        return [Malformed("the XOR of a frame does not fit", raw)]
    kind = payload[1]
    if kind in WEIGHTS:
        return [Reading(Kind.MASS, scaled(_tenths(payload), "0.1"), "g", frozenset({WEIGHTS[kind]}), raw)]
    if kind in ECHOES:
        return [Acknowledged(ECHOES[kind], raw)]
    if kind == BUTTON:
        return [Status(f"button {payload[2]}", raw)]
    return [Status("timer" if kind == TIMER else f"frame {kind:02x}", raw)]


def _tenths(payload: bytes) -> int:
    return signed(payload[3:1:-1], 0)


def _codec(settings: DecentSettings) -> BleCodec:
    return BleCodec(
        Conversation(
            readers={NOTIFY: read_decent},
            wanted=(NOTIFY,),
            start=(*subscribe(NOTIFY), Message(WRITE, LED_ON)),
            beat=(Message(WRITE, HEARTBEAT),) if settings.heartbeat else (),
            beat_ns=BEAT_NS if settings.heartbeat else None,
            commands=writes(WRITE, {"tare": TARE}),
            repeat_ns=REPEAT_NS if settings.send_twice else None,
            silence_ns=SILENCE_NS,
        )
    )


def _make_codec(settings: Settings) -> Codec:
    return _codec(own_settings(DecentSettings, settings))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    codec = _codec(read_settings(DecentSettings, values))
    return [*codec.receive(capture, 0), *codec.finish()]


DRIVER = Driver(
    info=DriverInfo(
        name="decent-scale",
        title="Decent Scale and Half Decent Scale",
        kinds=frozenset({Kind.MASS}),
        transports=("ble",),
        models=("Decent Scale 1.0, 1.1, 1.2", "Half Decent Scale"),
        sources=("decentespresso.com, page decentscale_api", "Half Decent Scale programmer's guide"),
        commands=("tare",),
        modes=(Mode.STREAM,),
        tier=Tier.NONE,
        notes=("The display stays on while the box is connected: without the command for it many firmwares say nothing.",),
        unofficial=True,
    ),
    settings=DecentSettings,
    make_codec=_make_codec,
    decode=_decode,
)
