"""docs/DRIVERS.md has every driver, its settings with their defaults, its commands, and every transport's settings."""

import re

import pytest

from drivers import decoding, registry
from drivers.transports import serial_port, tcp
from tests.arch.pages import bare, missing, page, section, table

DRIVERS = page("docs/DRIVERS.md")
BUILT_IN = [driver.info.name for driver in registry.BUILT_IN]


def test_every_driver_is_in_the_overview() -> None:
    rows = {bare(row["driver"]): row for row in table(section(DRIVERS, "What is supported"))}
    assert list(rows) == BUILT_IN
    for name, row in rows.items():
        info = registry.get(name).info
        assert row["transports"] == ", ".join(info.transports)
        assert row["proved (`drivers/quality.toml`)"].startswith(info.tier)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_setting_of_a_driver_is_described(name: str) -> None:
    said = {bare(row["setting"]) for row in table(section(DRIVERS, f"`{name}`"))}
    assert said == registry.get(name).settings.model_fields.keys()


def test_every_protocol_is_named() -> None:
    assert not missing(set(decoding.protocols()), section(DRIVERS, "Seeing what a capture means"))


def test_every_setting_of_a_transport_is_described() -> None:
    rows = {
        bare(row["transport"]): set(re.findall(r"`(\w+)`", row["settings"])) for row in table(section(DRIVERS, "The contract"))
    }
    assert rows == {
        "serial": set(serial_port.SerialSettings.model_fields),
        "tcp": set(tcp.TcpSettings.model_fields),
    }
