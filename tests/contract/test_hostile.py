"""Every driver of the registry against lines that cut, glue, lose and add bytes, and against callers in any order."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers import registry
from drivers.api import Codec, Driver, SettingsFault
from firmware_sim.faults import FaultLayer, FaultPlan, Piece
from tests.contract.test_every_driver import ARGUMENTS, SAMPLES, assert_declared, codec_of

MS = 1_000_000
QUICK = 12_000
NIGHT = 10_000_000
"""Bytes over all codecs."""

MAX_HELD = 100_000
"""Bytes that a codec may hold back: an envelope's largest payload, and what comes with it."""

PLANS = {
    "cut and glued": FaultPlan(split=0.5, split_bytes=2, split_gap_ns=3 * MS, glue_ns=20 * MS),
    "lossy": FaultPlan(drop=0.05),
    "noisy": FaultPlan(noise=0.1),
    "all of it": FaultPlan(split=0.3, split_gap_ns=MS, glue_ns=5 * MS, drop=0.02, noise=0.05, delay_ns=(0, 3 * MS)),
}

every_driver = pytest.mark.parametrize("driver", registry.BUILT_IN, ids=lambda driver: driver.info.name)


def over_a_line(plan: FaultPlan, seed: int, pieces: list[bytes]) -> Iterator[tuple[bytes, int]]:
    """What arrives, and when."""
    layer = FaultLayer(plan, seed)
    now_ns = 0
    for piece in [*pieces, b""]:
        if piece:
            layer.push(piece, now_ns)
        now_ns += 50 * MS if piece else 10_000 * MS
        for happening in layer.pull(now_ns):
            assert isinstance(happening, Piece)
            yield happening.data, now_ns


def fuzzed(driver: Driver, size: int, seed: int) -> Iterator[bytes]:
    """Bytes of every kind of wrongness: whole frames, frames with bytes changed, cut, repeated, and plain noise."""
    chance, made = random.Random(seed), 0
    frames = SAMPLES[driver.info.name]
    while made < size:
        frame = bytearray(chance.choice(frames))
        for _ in range(chance.choice((0, 0, 1, 1, 2, 5))):
            frame[chance.randrange(len(frame))] = chance.randrange(256)
        cut = chance.randrange(len(frame) + 1) if chance.random() < 0.2 else len(frame)
        piece = bytes(frame[:cut]) + (chance.randbytes(chance.randrange(40)) if chance.random() < 0.2 else b"")
        made += len(piece) or 1
        yield piece


@every_driver
@pytest.mark.parametrize("plan", PLANS)
def test_a_bad_line_gives_declared_results_only(driver: Driver, plan: str) -> None:
    pieces = SAMPLES[driver.info.name] * 12
    codec = codec_of(driver)
    for data, now_ns in over_a_line(PLANS[plan], 7, pieces):
        for item in codec.receive(data, now_ns):
            assert_declared(item)
    for item in codec.finish():
        assert_declared(item)


@every_driver
def test_after_any_trouble_a_frame_is_read_again(driver: Driver) -> None:
    """Noise may take the frame behind it with it; of several more, the last one means what it means alone."""
    for frame in SAMPLES[driver.info.name]:
        (alone,) = codec_of(driver).receive(frame, 0) or codec_of(driver).receive(frame, 0) or driver.decode(frame, {})
        codec = codec_of(driver)
        codec.receive(b"\x00\x07noise", 0)
        found = [item for n in range(40) for item in codec.receive(frame, n * 3_000 * MS)] + codec.finish()
        assert type(alone) in {type(item) for item in found}, driver.info.name


def _survives(driver: Driver, size: int, seed: int) -> None:
    codec, taken = codec_of(driver), 0
    given_out = 0
    for n, piece in enumerate(fuzzed(driver, size, seed)):
        taken += len(piece)
        for item in codec.receive(piece, n * MS):
            assert_declared(item)
            given_out += len(item.raw)
        assert taken - given_out <= MAX_HELD + given_out, "the buffer has a cap"
    for item in codec.finish():
        assert_declared(item)


@every_driver
def test_fuzzed_frames_give_declared_results_only(driver: Driver) -> None:
    _survives(driver, QUICK, 1)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@every_driver
def test_ten_million_fuzzed_bytes_over_all_codecs(driver: Driver) -> None:
    _survives(driver, NIGHT // len(registry.BUILT_IN), random.SystemRandom().randrange(2**32))


def _say(codec: Codec, driver: Driver, name: str) -> None:
    try:
        assert codec.command(name, ARGUMENTS.get((driver.info.name, name)))
    except SettingsFault:
        # A device that does not allow it now says so in words, before anything is sent.
        assert name in driver.info.commands


@every_driver
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_order_of_calls_is_legal_and_no_codec_spins(driver: Driver, data: st.DataObject) -> None:
    """Whoever looks at a codec when it says, finds it at rest soon: a link that is always due would take the processor."""
    codec = codec_of(driver)
    now_ns = 10**12
    moves = st.sampled_from(["frame", "part", "time", "long time", "command", "finish"])
    for move in data.draw(st.lists(moves, max_size=12)):
        if move == "frame":
            codec.receive(data.draw(st.sampled_from(SAMPLES[driver.info.name])), now_ns)
        elif move == "part":
            codec.receive(data.draw(st.binary(max_size=20)), now_ns)
        elif move == "command" and driver.info.commands:
            _say(codec, driver, data.draw(st.sampled_from(driver.info.commands)))
        elif move == "finish":
            codec.finish()
        now_ns += {"time": 120 * MS, "long time": 100_000 * MS}.get(move, MS)
        for _ in range(6):
            codec.poll(now_ns)
            assert codec.overdue(now_ns) in {True, False}
            for item in codec.receive(b"", now_ns):
                assert_declared(item)
            due_ns = codec.due_ns(now_ns)
            if due_ns is None or due_ns > now_ns:
                break
        else:
            pytest.fail(f"{driver.info.name} is due at once, again and again, after {move}")
