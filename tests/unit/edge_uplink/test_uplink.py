"""The uplink as the configuration asks for it."""

import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import ValidationError

from edge.settings import CloudSettings, MqttSettings
from edge.uplink.frames import Credentials
from edge.uplink.uplink import Surroundings, Uplink

URL = "https://cloud.example:8443"
BROKER = MqttSettings(host="broker.example")


@pytest.fixture
async def uplink_of(box: Any, clock: Any) -> AsyncIterator[Callable[[CloudSettings], Uplink]]:
    made: list[Uplink] = []

    def make(settings: CloudSettings) -> Uplink:
        who = Credentials(box.box_id, box.key_id, box.sign)
        made.append(Uplink(settings, who, Surroundings(clock, secrets.token_bytes, box.client_ssl_context())))
        return made[-1]

    yield make
    for uplink in made:
        await uplink.aclose()


@pytest.mark.parametrize(
    ("settings", "ways"),
    [
        ({}, ("https",)),
        ({"mqtt": BROKER}, ("https", "mqtt")),
        ({"mqtt": BROKER, "prefer": "mqtt"}, ("mqtt", "https")),
    ],
)
async def test_the_preferred_way_is_the_first(uplink_of: Any, settings: dict[str, Any], ways: tuple[str, ...]) -> None:
    uplink = uplink_of(CloudSettings(url=URL, **settings))
    assert uplink.ways._policy.ways == ways
    assert uplink.ways.name == ways[0]


def test_a_broker_that_is_preferred_must_be_named() -> None:
    with pytest.raises(ValidationError, match="names no broker"):
        CloudSettings(url=URL, prefer="mqtt")


async def test_master_data_are_asked_for_seldom_while_the_cloud_is_heard(uplink_of: Any) -> None:
    class Heard:
        up = True

    uplink = uplink_of(CloudSettings(url=URL))
    assert uplink.mirror_every_s() == 15
    uplink.listener = Heard()
    assert uplink.mirror_every_s() == 300
    Heard.up = False
    assert uplink.mirror_every_s() == 15
