"""docs/DEVICES.md is what the registry and the transports give, and every setting in it says what it means."""

import pytest

from drivers import registry
from drivers.api import Driver, SettingsFault
from drivers.page import devices_page
from drivers.transports import KINDS, settings_of
from tests.arch.pages import page


def test_the_page_of_devices_is_what_the_registry_gives() -> None:
    try:
        made = devices_page()
    except SettingsFault as exc:
        pytest.skip(str(exc))
    assert page("docs/DEVICES.md") == made, "write it again: tallybox edge devices --page > docs/DEVICES.md"


@pytest.mark.parametrize("driver", registry.BUILT_IN, ids=lambda driver: driver.info.name)
def test_every_setting_of_a_driver_says_what_it_means(driver: Driver) -> None:
    for name, field in driver.settings.model_fields.items():
        assert (field.description or "").endswith("."), f"{driver.info.name}: {name}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_of_a_transport_says_what_it_means(kind: str) -> None:
    try:
        model = settings_of(kind)
    except SettingsFault as exc:
        pytest.skip(str(exc))
    for name, field in model.model_fields.items():
        assert (field.description or "").endswith("."), f"{kind}: {name}"
