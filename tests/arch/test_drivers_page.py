"""docs/DEVICES.md is what the registry gives; docs/DRIVERS.md has every transport's settings."""

import re

import pytest

from drivers import registry
from drivers.page import devices_page
from drivers.transports import serial_port, tcp
from tests.arch.pages import bare, page, section, table

DRIVERS = page("docs/DRIVERS.md")


def test_the_page_of_devices_is_what_the_registry_gives() -> None:
    assert page("docs/DEVICES.md") == devices_page(), "write it again: tallybox edge devices --page > docs/DEVICES.md"


@pytest.mark.parametrize("driver", registry.BUILT_IN, ids=lambda driver: driver.info.name)
def test_every_setting_says_what_it_means(driver: registry.Driver) -> None:
    for name, field in driver.settings.model_fields.items():
        assert field.description, f"{driver.info.name}: {name}"
        assert field.description.endswith("."), f"{driver.info.name}: {name}"


def test_every_setting_of_a_transport_is_described() -> None:
    rows = {
        bare(row["transport"]): set(re.findall(r"`(\w+)`", row["settings"])) for row in table(section(DRIVERS, "The contract"))
    }
    assert rows == {
        "serial": set(serial_port.SerialSettings.model_fields),
        "tcp": set(tcp.TcpSettings.model_fields),
    }
