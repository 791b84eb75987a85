"""What holds for each driver in the registry, whoever wrote it."""

import itertools
import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers import registry
from drivers.api import (
    Acknowledged,
    Codec,
    Decoded,
    Driver,
    Flag,
    Identity,
    Kind,
    Malformed,
    Reading,
    Refused,
    SettingsFault,
    Status,
    Tier,
)
from drivers.settings import read_settings
from drivers.transports import KINDS
from drivers.vocabulary import WORDS, describe
from sync_protocol.quantity import UNITS
from tests.contract.samples import ble, gauges, lab, modbus, mqtt, pos, profiles, scanners, streams

ROOT = Path(__file__).resolve().parents[2]
QUALITY: dict[str, Any] = tomllib.loads((ROOT / "drivers" / "quality.toml").read_text(encoding="utf-8"))
DEVICES_PAGE = ROOT / "docs" / "DEVICES.md"
DECODED = (Reading, Acknowledged, Identity, Refused, Malformed, Status)

AREAS = (lab, pos, streams, modbus, scanners, gauges, ble, mqtt, profiles)
SAMPLES = {name: frames for area in AREAS for name, frames in area.SAMPLES.items()}
ARGUMENTS = {wanted: argument for area in AREAS for wanted, argument in area.ARGUMENTS.items()}

NO_VALUE = {Flag.OVERLOAD, Flag.UNDERLOAD, Flag.NO_READ, Flag.STATUS, Flag.UNAVAILABLE, Flag.NOT_ZEROED, Flag.MOTION}
"""Why a reading has no value: without one of these it would be a reading of nothing."""

every_driver = pytest.mark.parametrize("driver", registry.BUILT_IN, ids=lambda driver: driver.info.name)


def codec_of(driver: Driver) -> Codec:
    return driver.make_codec(driver.settings())


def pieces_of(data: bytes, cuts: set[int]) -> list[bytes]:
    bounds = [0, *sorted(at for at in cuts if at < len(data)), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(bounds)]


def run(driver: Driver, pieces: list[bytes]) -> list[Decoded]:
    codec = codec_of(driver)
    return [item for piece in pieces for item in codec.receive(piece, 0)] + codec.finish()


def assert_declared(item: Decoded) -> None:
    assert isinstance(item, DECODED)
    assert set(describe(item)) <= WORDS
    assert item.raw
    if isinstance(item, Malformed | Refused):
        assert item.reason
    if not isinstance(item, Reading):
        return
    if item.value is None:
        assert item.flags & NO_VALUE
    elif item.kind is Kind.CODE:
        assert isinstance(item.value, str)
    else:
        assert isinstance(item.value, Decimal)
        # Some balances leave the unit out while the load moves.
        assert item.unit is None or item.unit in UNITS


@every_driver
def test_description_is_filled(driver: Driver) -> None:
    info = driver.info
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", info.name)
    assert info.title
    assert info.kinds
    assert info.models
    assert info.sources
    assert info.transports
    assert set(info.transports) <= set(KINDS)
    assert "serial" not in info.transports or set(info.serial_defaults) == {"baudrate", "bytesize", "parity", "stopbits"}


@every_driver
def test_settings_have_defaults_and_refuse_strangers_by_name(driver: Driver) -> None:
    driver.make_codec(read_settings(driver.settings, {}))
    with pytest.raises(SettingsFault) as caught:
        read_settings(driver.settings, {"no_such_setting": 1})
    assert caught.value.setting == "no_such_setting"
    with pytest.raises(SettingsFault):
        driver.decode(b"", {"no_such_setting": 1})


@every_driver
def test_settings_of_another_driver_are_refused(driver: Driver) -> None:
    for other in registry.BUILT_IN:
        if other is not driver:
            with pytest.raises(SettingsFault):
                driver.make_codec(other.settings())


@every_driver
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_bytes_in_any_split_give_declared_results_only(driver: Driver, data: st.DataObject) -> None:
    samples = SAMPLES[driver.info.name]
    parts = st.one_of(st.binary(max_size=80), st.sampled_from(samples), st.sampled_from([b"\r", b"\n", b"\x00" * 9000]))
    capture = b"".join(data.draw(st.lists(parts, max_size=6)))
    cuts = data.draw(st.sets(st.integers(0, 200), max_size=6))
    found = run(driver, pieces_of(capture, cuts))
    for item in found:
        assert_declared(item)
    assert found == run(driver, [capture])
    # Only a codec that talks to the device can know that nobody asked who it is.
    assert [describe(item) for item in driver.decode(capture, {})] == [
        {word: said for word, said in describe(item).items() if word != "power_up" or isinstance(item, Reading)}
        for item in found
    ]


@every_driver
def test_samples_mean_something_alone_glued_and_byte_by_byte(driver: Driver) -> None:
    samples = SAMPLES[driver.info.name]
    alone = [item for sample in samples for item in run(driver, [sample])]
    assert len(alone) == len(samples)
    assert not any(isinstance(item, Malformed) for item in alone)
    glued = b"".join(samples)
    assert [item.raw for item in run(driver, [glued])] == samples
    assert run(driver, [bytes([byte]) for byte in glued]) == run(driver, [glued])


@every_driver
def test_frames_read_back_from_their_own_raw(driver: Driver) -> None:
    for sample in SAMPLES[driver.info.name]:
        (item,) = driver.decode(sample, {})
        assert list(driver.decode(item.raw, {})) == [item]


@every_driver
def test_endless_noise_without_a_terminator_is_bounded(driver: Driver) -> None:
    codec = codec_of(driver)
    found: list[Decoded] = []
    for _ in range(40):
        found += codec.receive(b"x" * 1000, 0)
    assert found, "the cap speaks before the input ends"
    held = sum(len(item.raw) for item in codec.finish())
    assert held <= 16_384
    assert all(isinstance(item, Malformed) for item in found)


@every_driver
def test_declared_commands_give_bytes_and_others_are_refused(driver: Driver) -> None:
    for name in driver.info.commands:
        argument = ARGUMENTS.get((driver.info.name, name))
        assert codec_of(driver).command(name, argument)
        if argument is not None:
            with pytest.raises(SettingsFault):
                codec_of(driver).command(name)
    with pytest.raises(SettingsFault):
        codec_of(driver).command("no_such_command")


@every_driver
def test_nothing_is_overdue_before_anything_was_asked(driver: Driver) -> None:
    codec = codec_of(driver)
    assert not codec.overdue(10**18)
    codec.poll(10**18)
    assert not codec.overdue(10**18)


@every_driver
def test_finish_leaves_the_codec_empty(driver: Driver) -> None:
    codec = codec_of(driver)
    codec.receive(b"half a fra", 0)
    assert codec.finish()
    assert codec.finish() == []


@every_driver
def test_quality_claims_are_complete_and_the_tier_is_earned(driver: Driver) -> None:
    claims = dict(QUALITY["drivers"][driver.info.name])
    assert claims.pop("tier") == driver.info.tier
    rules = [rule for tier in QUALITY["tiers"].values() for rule in tier]
    assert sorted(claims) == sorted(rules)
    assert all(re.fullmatch(r"done|todo(: .+)?|exempt: .+", claim) for claim in claims.values())
    earned = Tier.NONE
    for tier, wanted in QUALITY["tiers"].items():
        if any(claims[rule].startswith("todo") for rule in wanted):
            break
        earned = Tier(tier)
    assert driver.info.tier == earned
    assert claims["actions"].startswith("exempt") is (not driver.info.commands)


def test_quality_names_no_driver_that_is_not_there() -> None:
    assert set(QUALITY["drivers"]) == {driver.info.name for driver in registry.BUILT_IN}


@every_driver
def test_driver_its_settings_and_commands_are_documented(driver: Driver) -> None:
    page = DEVICES_PAGE.read_text(encoding="utf-8")
    words = {driver.info.name, *driver.settings.model_fields, *driver.info.commands}
    assert [word for word in sorted(words) if f"`{word}`" not in page] == []
