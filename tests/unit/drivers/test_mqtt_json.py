"""Messages of devices behind a broker: digits, paths, units, rest, availability, and what the broker kept from earlier."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers import registry
from drivers.api import Flag, Kind, Malformed, Reading, SettingsFault, Status
from drivers.decoding import decode
from drivers.envelope import Message
from drivers.mqtt.content import ABSENT, ContentFault, compiled, found_at, parsed
from drivers.mqtt.topics import TopicFault, check_filter, matches, origin_of, topic_of
from drivers.settings import read_settings
from sync_protocol.quantity import UNITS

S = 1_000_000_000
TASMOTA = (
    '{"Time": "2022-01-11T21:57:38", "ENERGY": {"TotalStartTime": "2020-10-21T22:15:00", "Total": 3.705, "Yesterday": 0.028,'
    ' "Today": 0.026, "Period": 1, "Power": 5, "ApparentPower": 5, "ReactivePower": 0, "Factor": 1.00, "Voltage": 233,'
    ' "Current": 0.021}}'
)
"""As a socket with an energy meter published it (mylocalbytes.com, LB-PM power monitoring)."""
ZIGBEE = '{"temperature":22.75,"linkquality":97,"humidity":55.43,"pressure":1000.6,"battery":86,"voltage":2985}'
"""As Zigbee2MQTT 1.6.0 published it for an Aqara WSDCGQ11LM."""


def message(topic: str, payload: str | bytes, *, retained: bool = False) -> bytes:
    data = payload.encode() if isinstance(payload, str) else payload
    return Message(origin_of(topic, retained=retained), data).to_bytes()


def read(driver: str, topic: str, payload: str | bytes, *, retained: bool = False, **given_settings: Any) -> list[Any]:
    return list(registry.get(driver).decode(message(topic, payload, retained=retained), given_settings))


def values(found: list[Any]) -> dict[str, tuple[str | None, str | None, str]]:
    assert all(isinstance(item, Reading) for item in found), found
    return {
        item.details["variable"]: (None if item.value is None else format(item.value, "f"), item.unit, item.kind.value)
        for item in found
    }


def test_messages_of_published_captures() -> None:
    assert values(read("mqtt-tasmota", "tele/plug/SENSOR", TASMOTA)) == {
        "power": ("5", "W", "quantity"),
        "voltage": ("233", "V", "quantity"),
        "current": ("0.021", "A", "quantity"),
        "energy": ("3.705", "kW.h", "quantity"),
    }
    assert values(read("mqtt-zigbee2mqtt", "zigbee2mqtt/cold", ZIGBEE)) == {
        "temperature": ("22.75", "Cel", "temperature"),
        "humidity": ("55.43", "%", "humidity"),
        "pressure": ("1000.6", "hPa", "pressure"),
        "battery": ("86", "%", "battery"),
    }
    assert values(read("mqtt-zigbee2mqtt", "zigbee2mqtt/door", '{"battery":"100.00","water_leak":false}')) == {
        "battery": ("100.00", "%", "battery")
    }


def test_only_the_values_that_are_wanted_are_taken() -> None:
    assert set(values(read("mqtt-tasmota", "tele/plug/SENSOR", TASMOTA, only=["energy"]))) == {"energy"}
    with pytest.raises(SettingsFault, match=r"'rain': .*energy"):
        read("mqtt-tasmota", "tele/plug/SENSOR", TASMOTA, only=["rain"])


@pytest.mark.parametrize("digits", ["12.340", "0.10000000000000000", "-0.000", "123456789012345678", "1e2", "1.5E-3"])
def test_digits_are_kept_as_sent(digits: str) -> None:
    (found,) = read("mqtt-json", "s", f'{{"value": {digits}, "unit": "kg"}}')
    assert isinstance(found.value, Decimal)
    assert found.value.as_tuple() == Decimal(digits).as_tuple()


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b'{"value": 1e999999999, "unit": "kg"}', "18 digits"),
        (b'{"value": 1234567890123456789, "unit": "kg"}', "18 digits"),
        (b'{"value": NaN, "unit": "kg"}', "NaN is no number"),
        (b'{"value": Infinity, "unit": "kg"}', "Infinity is no number"),
        (b'{"value": true, "unit": "kg"}', "not a number"),
        (b'{"value": "12 kg", "unit": "kg"}', "not a number"),
        (b'{"value": "\xd9\xa1", "unit": "kg"}', "not a number"),
        (b'{"value": [1], "unit": "kg"}', "not a number"),
        (b'{"value": 1, "unit": "stone"}', "unknown unit 'stone'"),
        (b'{"value": 1}', "without a unit"),
        (b'{"value": 1, "unit": {}}', "neither word nor number"),
        (b'{"value": 1, "unit": "kg", "stable": "perhaps"}', "no word for rest or motion"),
        (b"{", "not JSON"),
        (b"", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 60_000, "not JSON"),
        (b'{"value": ' + b"9" * 60_000 + b"}", "18 digits"),
    ],
)
def test_what_is_no_value_is_told_and_never_guessed(payload: bytes, told: str) -> None:
    (found,) = read("mqtt-json", "s", payload)
    assert isinstance(found, Malformed)
    assert told in found.reason


def test_null_is_unavailable_and_absence_is_nothing() -> None:
    (found,) = read("mqtt-json", "s", '{"value": null, "unit": "kg"}')
    assert (found.value, found.flags, found.details["fault"]) == (None, {Flag.UNAVAILABLE}, "null")
    codec = registry.get("mqtt-json").make_codec(read_settings(registry.get("mqtt-json").settings, {}))
    (told,) = codec.receive(message("s", '{"weight": 1}'), 0)
    assert isinstance(told, Status)
    assert len(codec.receive(message("s", '{"value": 1, "unit": "g"}'), 0)) == 1
    assert codec.receive(message("s", '{"weight": 1}'), 0) == []


def test_rest_unit_and_time_come_from_the_message() -> None:
    (found,) = read("mqtt-json", "s", '{"value": 71.6, "unit": "\u00b0F", "stable": true, "time": 5}')
    assert (found.kind, found.unit, found.stable, found.instrument_time) == (Kind.TEMPERATURE, "[degF]", True, "5")
    rules = [
        {
            "name": "net",
            "topic": "scales/+/net",
            "value": "$.w[0]",
            "unit": "kg",
            "stable_path": "$.s",
            "stable_when": ["S"],
            "motion_when": ["D"],
        },
        {"name": "door", "topic": "doors/#", "value": "$", "unit": "Cel"},
    ]
    (found,) = read("mqtt-json", "scales/7/net", '{"w": [1.50, 2], "s": "D"}', values=rules)
    assert (found.value, found.stable, found.details) == (Decimal("1.50"), False, {"variable": "net"})
    (found,) = read("mqtt-json", "doors/3/inner", "-18.25", values=rules)
    assert (found.value, found.kind) == (Decimal("-18.25"), Kind.TEMPERATURE)
    assert read("mqtt-json", "scales/7/gross", "1", values=rules) == []


def test_two_sensors_of_a_kind_are_not_mixed_up() -> None:
    (found,) = read(
        "mqtt-tasmota",
        "tele/x/SENSOR",
        '{"DS18B20-1": {"Temperature": 1}, "DS18B20-2": {"Temperature": 2}, "TempUnit": "C"}',
        only=["temperature"],
    )
    assert isinstance(found, Malformed)
    assert "finds 2 values" in found.reason


def test_what_the_broker_kept_is_no_new_value_unless_wanted() -> None:
    (found,) = read("mqtt-zigbee2mqtt", "zigbee2mqtt/a", '{"temperature": 1.5}', retained=True)
    assert isinstance(found, Status)
    (found,) = read("mqtt-zigbee2mqtt", "zigbee2mqtt/a", '{"temperature": 1.5}', retained=True, take_retained=True)
    assert (found.value, found.details["retained"]) == (Decimal("1.5"), "true")


@pytest.mark.parametrize(
    ("driver", "topic", "payload", "there"),
    [
        ("mqtt-tasmota", "tele/a/LWT", "Offline", False),
        ("mqtt-tasmota", "tele/a/LWT", "Online", True),
        ("mqtt-zigbee2mqtt", "zigbee2mqtt/a/availability", '{"state":"offline"}', False),
        ("mqtt-zigbee2mqtt", "zigbee2mqtt/a/availability", "online", True),
        ("mqtt-shelly-gen1", "shellies/a/online", "false", False),
        ("mqtt-shelly-rpc", "a/online", "true", True),
    ],
)
@pytest.mark.parametrize("retained", [True, False])
def test_last_wills_tell_who_is_gone(driver: str, topic: str, payload: str, there: bool, retained: bool) -> None:
    (found,) = read(driver, topic, payload, retained=retained)
    if there:
        assert isinstance(found, Status)
    else:
        assert isinstance(found, Reading)
        assert (found.value, found.flags, found.details["fault"]) == (None, {Flag.UNAVAILABLE}, "offline")
    (odd,) = read(driver, topic, "perhaps")
    assert isinstance(odd, Malformed)


def test_silence_shows_where_it_is_limited() -> None:
    driver = registry.get("mqtt-tasmota")
    codec = driver.make_codec(read_settings(driver.settings, {"silence_s": 300}))
    assert codec.due_ns(0) is None
    codec.receive(message("tele/x/SENSOR", TASMOTA), 5 * S)
    assert codec.due_ns(6 * S) == 305 * S + 1
    assert not codec.overdue(305 * S)
    assert codec.overdue(305 * S + 1)
    codec.receive(message("tele/x/SENSOR", TASMOTA), 306 * S)
    assert not codec.overdue(307 * S)


@pytest.mark.parametrize(
    ("given_settings", "told"),
    [
        ({"values": []}, "values"),
        ({"values": [{"name": "a", "value": "x.y", "unit": "kg"}]}, "no path"),
        ({"values": [{"name": "a", "value": "$" + ".a" * 200, "unit": "kg"}]}, "at most"),
        ({"values": [{"name": "a", "value": "$.a[?match(@.b, '(x+)+')]", "unit": "kg"}]}, "no path"),
        ({"values": [{"name": "a", "unit": "kilo"}]}, "no unit here"),
        ({"values": [{"name": "a"}]}, "says the unit"),
        ({"values": [{"name": "a", "unit": "kg", "unit_path": "$.u"}]}, "says the unit"),
        ({"values": [{"name": "a", "unit": "kg", "topic": "a/#/b"}]}, "whole levels"),
        ({"values": [{"name": "a", "unit": "kg"}, {"name": "a", "unit": "g"}]}, "same name"),
        ({"values": [{"name": "a", "unit": "kg", "pth": "$"}]}, "pth"),
        ({"availability": {"topic": ""}}, "topic"),
        ({"silence_s": 0}, "silence_s"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given_settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsFault, match=told):
        read("mqtt-json", "s", "1", **given_settings)


@pytest.mark.parametrize(
    ("wanted", "topic", "is_meant"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+/c", "a/b/c", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "a/b", True),
        ("+/+", "/a", True),
        ("#", "$SYS/broker", False),
        ("+/broker", "$SYS/broker", False),
        ("$SYS/#", "$SYS/broker", True),
        ("A", "a", False),
    ],
)
def test_filters_mean_what_the_standard_says(wanted: str, topic: str, is_meant: bool) -> None:
    assert matches(check_filter(wanted), topic) is is_meant


@pytest.mark.parametrize("wanted", ["", "a#", "#/a", "a+/b", "a\0b", "a" * 901])
def test_filters_that_the_standard_forbids_are_refused(wanted: str) -> None:
    with pytest.raises(TopicFault):
        check_filter(wanted)


def test_marks_of_origins_come_back() -> None:
    for retained in (True, False):
        assert topic_of(origin_of("a/b", retained=retained)) == ("a/b", retained)


@given(st.binary(max_size=200))
def test_any_payload_is_content_or_a_fault(payload: bytes) -> None:
    try:
        content = parsed(payload)
    except ContentFault:
        return
    for path in ("$", "$.a", "$.*", "$..a", "$[0]", "$[?@.a > 1].b"):
        compiled(path)
        try:
            found_at(path, content)
        except ContentFault:
            continue


WORDS = st.sampled_from(
    ["value", "unit", "stable", "time", "ENERGY", "Power", "TempUnit", "temperature", "state", "kg", "C", "S"]
)
CONTENT = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), WORDS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(WORDS, st.text(max_size=3)), inner, max_size=4)
    ),
    max_leaves=12,
)
TOPICS = {
    "mqtt-json": "s",
    "mqtt-tasmota": "tele/x/SENSOR",
    "mqtt-shelly-gen1": "shellies/x/sensor/temperature",
    "mqtt-shelly-rpc": "x/events/rpc",
    "mqtt-zigbee2mqtt": "zigbee2mqtt/x/availability",
}


@pytest.mark.parametrize("driver", TOPICS)
@given(content=CONTENT)
@settings(max_examples=50, deadline=None)
def test_any_content_gives_declared_results(driver: str, content: Any) -> None:
    for item in read(driver, TOPICS[driver], json.dumps(content)):
        assert isinstance(item, Reading | Malformed | Status)
        if isinstance(item, Reading) and item.value is not None:
            assert isinstance(item.value, Decimal)
            assert item.unit in UNITS


def test_captures_are_decoded_by_name() -> None:
    (found,) = decode("mqtt-tasmota", {"text": '{"DS18B20": {"Temperature": 21.50}, "TempUnit": "C"}'})
    assert (found["value"], found["unit"], found["kind"], found["variable"]) == ("21.50", "C", "temperature", "temperature")


@pytest.mark.parametrize("text", ["[", '{"a": 5}', "5", ""])
def test_a_text_is_a_value_and_no_document(text: str) -> None:
    assert found_at("$.a", text) is ABSENT
    assert found_at("$", text) == text
