"""Bluetooth messages at their edges, what is asked of a device, and what is said once only."""

import itertools
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import registry
from drivers.api import Acknowledged, Codec, Decoded, Flag, Identity, Kind, Malformed, Reading, Refused, SettingsFault, Status
from drivers.ble import acaia, decent, services, skale, sylvac_sds, sylvac_sms, xiaomi
from drivers.ble.conversation import MAX_AGAIN
from drivers.ble.fields import FieldFault, date_time, medical_float
from drivers.envelope import EnvelopeBuffer, Message
from drivers.settings import read_settings
from drivers.talk import QUIET_NS
from drivers.transports.bluetooth import BluetoothSettings

SECOND = 1_000_000_000


def codec(driver: str, **settings: Any) -> Codec:
    known = registry.get(driver)
    return known.make_codec(read_settings(known.settings, settings))


def envelope(origin: str, payload: str) -> bytes:
    return Message(origin, bytes.fromhex(payload)).to_bytes()


def read(driver: str, origin: str, *payloads: str, **settings: Any) -> list[Decoded]:
    one = codec(driver, **settings)
    found = [item for payload in payloads for item in one.receive(envelope(origin, payload), 0)]
    return found + one.finish()


def only(driver: str, origin: str, payload: str, **settings: Any) -> Decoded:
    (found,) = read(driver, origin, payload, **settings)
    return found


def asked(data: bytes | None) -> list[Message]:
    found = EnvelopeBuffer().feed(data or b"")
    assert all(isinstance(item, Message) for item in found)
    return [item for item in found if isinstance(item, Message)]


VALUES = [
    ("ble-weight-scale", services.WEIGHT, "10983a", "-75.000", "kg"),
    ("ble-weight-scale", services.WEIGHT, "11983a", "-150.00", "[lb_av]"),
    ("ble-weight-scale", services.WEIGHT, "0400000a", "0.000", "kg"),
    ("ble-body-composition", services.BODY, "0004fa005046", "90.000", "kg"),
    ("ble-body-composition", services.BODY, "0104fa00983a", "150.00", "[lb_av]"),
    ("ble-body-composition", services.BODY, "fe0ffa00e6070b160a1e0001" + "0100" * 7 + "5046" + "d606", "90.000", "kg"),
    ("ble-environment", services.TEMPERATURE, "2909", "23.45", "Cel"),
    ("ble-environment", services.TEMPERATURE, "9cff", "-1.00", "Cel"),
    ("ble-environment", services.HUMIDITY, "8813", "50.00", "%"),
    ("ble-environment", services.PRESSURE, "50760f00", "101332.8", "Pa"),
    ("ble-thermometer", services.THERMOMETER, "00d4feffff", "-30.0", "Cel"),
    ("ble-thermometer", services.THERMOMETER, "0025000001", "370", "Cel"),
    ("ble-battery", services.BATTERY, "00", "0", "%"),
    ("ble-battery", services.BATTERY, "64", "100", "%"),
    ("xiaomi-scale-v1", xiaomi.V1_ORIGIN, "223f30e607020e10293a", "61.755", "kg"),
    ("atomax-skale", skale.ORIGIN, "ef81f4ff", "-1.2", "g"),
    ("acaia", acaia.ORIGIN, "efdd0c0805d20400000000da09", "1234", "g"),
    ("decent-scale", decent.NOTIFY, "03ce00b90102030000 74".replace(" ", ""), "18.5", "g"),
]


@pytest.mark.parametrize(("driver", "origin", "payload", "value", "unit"), VALUES)
def test_value_is_exact(driver: str, origin: str, payload: str, value: str, unit: str) -> None:
    found = only(driver, origin, payload)
    assert isinstance(found, Reading)
    assert (f"{found.value:f}", found.unit, found.raw) == (value, unit, envelope(origin, payload))


MALFORMED = [
    ("ble-weight-scale", services.WEIGHT, ""),
    ("ble-weight-scale", services.WEIGHT, "0050"),
    ("ble-weight-scale", services.WEIGHT, "00504600"),
    ("ble-weight-scale", services.WEIGHT, "025046e6070b160a1e"),
    ("ble-weight-scale", services.WEIGHT, "025046e6070d160a1e00"),
    ("ble-weight-scale", services.WEIGHT, "025046e6070b160a3c00"),
    ("ble-weight-scale", services.WEIGHT, "205046"),
    ("ble-weight-scale", services.TEMPERATURE, "2909"),
    ("ble-body-composition", services.BODY, "0004fa0050"),
    ("ble-body-composition", services.BODY, "0624b2070101002e3800004c"),
    ("ble-environment", services.TEMPERATURE, "29"),
    ("ble-environment", services.HUMIDITY, "881300"),
    ("ble-thermometer", services.THERMOMETER, "006e0100"),
    ("ble-thermometer", services.THERMOMETER, "086e0100ff"),
    ("ble-thermometer", services.THERMOMETER, "006e010040"),
    ("ble-battery", services.BATTERY, "65"),
    ("xiaomi-scale-v1", xiaomi.V1_ORIGIN, "323e30e607020e10293a"),
    ("xiaomi-scale-v1", xiaomi.V1_ORIGIN, "223e30e607020e1029"),
    ("xiaomi-scale-v1", xiaomi.V1_ORIGIN, "223e30e6070d0e10293a"),
    ("xiaomi-scale-v2", xiaomi.V2_ORIGIN, "0266e607020e10293af7019a38"),
    ("xiaomi-scale-v2", xiaomi.V2_ORIGIN, "0526e607020e10293af7019a38"),
    ("xiaomi-scale-v2", xiaomi.V2_ORIGIN, "0226e607020e10293af7019a"),
    ("atomax-skale", skale.ORIGIN, "ef81b9"),
    ("atomax-skale", skale.ORIGIN, "efdd0000"),
    ("acaia", acaia.ORIGIN, "efdd0c0805d20400000100db08"),
    ("acaia", acaia.ORIGIN, "efdd0c0805d20400000900e309"),
    ("acaia", acaia.ORIGIN, "efdd0c0805d204"),
    ("decent-scale", decent.NOTIFY, "03ce00b9000075"),
    ("decent-scale", decent.NOTIFY, "03ce00b90000"),
    ("decent-scale", decent.NOTIFY, "04ce00b9000073"),
    ("sylvac-sds", sylvac_sds.VALUE, "a85ebc"),
    ("sylvac-sds", sylvac_sds.PARAMETERS, "00"),
    ("sylvac-sds", sylvac_sds.FORMAT, "107f0127010000"),
    ("sylvac-sms", sylvac_sms.BUTTON, "2b312e30302e30300d"),
    ("sylvac-sms", sylvac_sms.BUTTON, "0d"),
]


@pytest.mark.parametrize(("driver", "origin", "payload"), MALFORMED)
def test_what_the_layout_does_not_allow_is_never_a_value(driver: str, origin: str, payload: str) -> None:
    found = read(driver, origin, payload)
    assert found
    assert all(isinstance(item, Malformed) for item in found)


@pytest.mark.parametrize(
    ("driver", "origin", "payload", "code"),
    [
        ("ble-weight-scale", services.WEIGHT, "00ffff", "measurement-unsuccessful"),
        ("ble-body-composition", services.BODY, "0004ffff5046", "measurement-unsuccessful"),
        ("ble-body-composition", services.BODY, "0004fa00ffff", "measurement-unsuccessful"),
        ("ble-environment", services.TEMPERATURE, "0080", "unknown"),
        ("ble-environment", services.HUMIDITY, "ffff", "unknown"),
        ("ble-thermometer", services.THERMOMETER, "00ffff7f00", "nan"),
        ("ble-thermometer", services.THERMOMETER, "0000008000", "not-at-this-resolution"),
        ("sylvac-sds", sylvac_sds.VALUE, "ffffff7f", "no-measurement"),
        ("sylvac-sds", sylvac_sds.VALUE, "a85ebc00", "no-parameters"),
    ],
)
def test_device_without_a_value_says_why(driver: str, origin: str, payload: str, code: str) -> None:
    found = only(driver, origin, payload)
    assert isinstance(found, Refused)
    assert found.code == code


@pytest.mark.parametrize(("payload", "flag"), [("00feff7f00", Flag.OVERLOAD), ("0002008000", Flag.UNDERLOAD)])
def test_infinite_temperature_is_a_range_and_no_number(payload: str, flag: Flag) -> None:
    found = only("ble-thermometer", services.THERMOMETER, payload)
    assert isinstance(found, Reading)
    assert (found.value, found.flags) == (None, {flag})


def test_body_composition_without_a_weight_is_a_status() -> None:
    assert isinstance(only("ble-body-composition", services.BODY, "0000fa00"), Status)


def test_time_user_and_the_rest_go_with_the_weight() -> None:
    found = only("ble-weight-scale", services.WEIGHT, "0ef435e6070b160a1e0001f6000607")
    assert isinstance(found, Reading)
    assert found.instrument_time == "2022-11-22T10:30:00"
    assert found.details == {
        "timestamp": "2022-11-22T10:30:00",
        "user_id": "1",
        "bmi": "24.6",
        "body_height": "1.798",
    }
    unknown = only("ble-weight-scale", services.WEIGHT, "065046" + "00" * 7 + "ff")
    assert isinstance(unknown, Reading)
    assert (unknown.instrument_time, unknown.details) == (None, {})


def test_intermediate_temperature_is_no_finished_one() -> None:
    found = only("ble-thermometer", services.THERMOMETER_INTERMEDIATE, "046e0100ff06")
    assert isinstance(found, Reading)
    assert (found.stable, found.details) == (False, {"place": "mouth"})


def test_the_same_advertisement_says_the_same_weighing_once() -> None:
    settled, off = "223e30e607020e10293a", "a23e30e607020e10293a"
    found = read("xiaomi-scale-v1", xiaomi.V1_ORIGIN, settled, settled, off, off, settled.replace("293a", "293b"))
    assert [item.flags for item in found if isinstance(item, Reading)] == [
        {Flag.STABLE},
        {Flag.STABLE, Flag.REMOVED},
        {Flag.STABLE},
    ]


def test_moving_weights_can_be_left_out() -> None:
    moving = "023e30e607020e10293a"
    (found,) = read("xiaomi-scale-v1", xiaomi.V1_ORIGIN, moving)
    assert isinstance(found, Reading)
    assert found.stable is False
    assert read("xiaomi-scale-v1", xiaomi.V1_ORIGIN, moving, settled_only=True) == []
    assert read("xiaomi-scale-v2", xiaomi.V2_ORIGIN, "0206e607020e10293af7019a38", settled_only=True) == []


def test_equal_weights_of_a_scale_without_a_clock_are_all_told() -> None:
    assert len(read("atomax-skale", skale.ORIGIN, "ef81b900", "ef81b900")) == 2


WEIGHT_EVENT = "efdd0c0805d20400000100db09"


@given(cuts=st.sets(st.integers(1, 38), max_size=6))
def test_acaia_messages_are_found_however_notifications_cut_them(cuts: set[int]) -> None:
    data = bytes.fromhex(WEIGHT_EVENT * 3)
    bounds = [0, *sorted(cuts), len(data)]
    pieces = [data[start:stop].hex() for start, stop in itertools.pairwise(bounds)]
    found = read("acaia", acaia.ORIGIN, *pieces)
    assert [str(item.value) for item in found if isinstance(item, Reading)] == ["123.4"] * 3
    assert {item.raw for item in found} == {envelope(acaia.ORIGIN, WEIGHT_EVENT)}


def test_acaia_goes_on_behind_garbage_and_a_damaged_length() -> None:
    found = read("acaia", acaia.ORIGIN, "0102" + WEIGHT_EVENT, "efdd0cff" + WEIGHT_EVENT + "00" * 250)
    assert [str(item.value) for item in found if isinstance(item, Reading)] == ["123.4", "123.4"]
    wire = b"".join(Message.from_bytes(item.raw).payload for item in found)
    assert wire == bytes.fromhex("0102" + WEIGHT_EVENT + "efdd0cff" + WEIGHT_EVENT + "00" * 250)


def test_acaia_unit_and_charge_come_with_its_settings() -> None:
    ounces = acaia._message(0x08, bytes.fromhex("095d05020100010100")).hex()
    charge, weight = read("acaia", acaia.ORIGIN, ounces, WEIGHT_EVENT)
    assert isinstance(charge, Reading)
    assert (charge.kind, str(charge.value)) == (Kind.BATTERY, "93")
    assert isinstance(weight, Reading)
    assert weight.unit == "[oz_av]"
    stones = acaia._message(0x08, bytes.fromhex("095d09020100010100")).hex()
    assert isinstance(read("acaia", acaia.ORIGIN, stones, WEIGHT_EVENT)[1], Malformed)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("0c0b000505d20400000100", Reading),  # an answer, then a weight
        ("0c080805d20400000100", Reading),  # a key, then a weight
        ("0306 64", Reading),
        ("030806", Status),
        ("0507010203", Status),
        ("03ff06", Malformed),
        ("0305d2", Malformed),
    ],
)
def test_acaia_event_is_read_part_by_part(body: str, told: type) -> None:
    message = acaia._message(0x0C, bytes([len(bytes.fromhex(body))]) + bytes.fromhex(body)[1:]).hex()
    found = only("acaia", acaia.ORIGIN, message)
    assert isinstance(found, told)


def test_acaia_is_identified_asked_and_kept_awake() -> None:
    one = codec("acaia")
    assert one.due_ns(0) == 0
    notify, write = acaia.CHARACTERISTICS["new"]
    first = asked(one.poll(0))
    assert first == [
        Message(f"notify:{notify}", b""),
        Message(write, bytes.fromhex("efdd0b3031323334353637383930313233349a6d")),
        Message(write, bytes.fromhex("efdd0c0900010102020503041506")),
        Message(write, bytes.fromhex("efdd06" + "00" * 18)),
    ]
    due_ns = one.due_ns(0)
    assert due_ns is not None
    assert due_ns <= 3 * SECOND
    assert asked(one.poll(due_ns)) == [Message(write, bytes.fromhex("efdd0002000200"))]
    assert one.command("tare") == envelope(write, "efdd04000000")
    assert asked(codec("acaia", generation="old").poll(0))[1].origin == services.full(0x2A80)


def test_a_scale_that_falls_silent_is_overdue_until_it_speaks() -> None:
    one = codec("acaia")
    one.poll(0)
    assert not one.overdue(5 * SECOND)
    assert one.overdue(5 * SECOND + 1)
    one.receive(envelope(acaia.ORIGIN, WEIGHT_EVENT), 6 * SECOND)
    assert not one.overdue(6 * SECOND)


def test_decent_scale_gets_its_light_its_heartbeat_and_each_command_twice() -> None:
    one = codec("decent-scale")
    assert asked(one.poll(0)) == [
        Message(f"notify:{decent.NOTIFY}", b""),
        Message(decent.WRITE, bytes.fromhex("030a0101000108")),
    ]
    tare = one.command("tare")
    assert tare == envelope(decent.WRITE, "030f000000010d")
    assert one.receive(b"", SECOND) == [Acknowledged("tare", tare)]
    assert one.poll(SECOND) is None
    assert one.due_ns(SECOND) == SECOND + decent.REPEAT_NS
    assert one.poll(SECOND + decent.REPEAT_NS) == tare
    assert one.poll(SECOND + 2 * decent.REPEAT_NS) is None
    assert asked(one.poll(4 * SECOND)) == [Message(decent.WRITE, bytes.fromhex("030a03ffff000a"))]
    quiet = codec("decent-scale", heartbeat=False, send_twice=False)
    quiet.poll(0)
    quiet.command("tare")
    assert [quiet.poll(number * SECOND) for number in range(10)] == [None] * 10


def test_commands_that_wait_to_be_repeated_are_capped() -> None:
    one = codec("decent-scale")
    one.poll(0)
    for _ in range(MAX_AGAIN * 3):
        one.command("tare")
    one.poll(SECOND)
    assert len(asked(one.poll(2 * SECOND))) <= MAX_AGAIN + 1


@pytest.mark.parametrize("driver", ["acaia", "decent-scale"])
def test_commands_that_take_no_argument_refuse_one(driver: str) -> None:
    with pytest.raises(SettingsFault):
        codec(driver).command("tare", "1 g")
    with pytest.raises(SettingsFault):
        codec(driver).command("zero")


def test_sensors_are_read_first_then_subscribed_and_asked_again() -> None:
    one = codec("ble-environment", interval_ms=1000)
    names = [message.origin for message in asked(one.poll(0))]
    wanted = [services.TEMPERATURE, services.HUMIDITY, services.PRESSURE, services.BATTERY]
    assert names == [f"read:{uuid}" for uuid in wanted] + [f"notify:{uuid}" for uuid in wanted]
    assert one.due_ns(0) == SECOND
    assert [message.origin for message in asked(one.poll(SECOND))] == [f"read:{uuid}" for uuid in wanted]
    without = asked(codec("ble-environment", battery=False).poll(0))
    assert not any(services.BATTERY in message.origin for message in without)


def test_what_is_missing_is_told_once_and_refused_only_where_it_is_needed() -> None:
    one = codec("ble-weight-scale")
    battery = one.receive(envelope(f"absent:{services.BATTERY}", "") * 2, 0)
    assert [type(item) for item in battery] == [Status]
    (weight,) = one.receive(envelope(f"absent:{services.WEIGHT}", ""), 0)
    assert isinstance(weight, Refused)
    assert weight.code == "absent"


@pytest.mark.parametrize(
    ("parameters", "number", "value", "unit", "mode"),
    [
        ("0013", 12_345_000, "12.345", "mm", None),
        ("0113", 12_345_600, "12.3456", "mm", "min"),
        ("0212", 500_000, "0.50", "mm", "max"),
        ("0324", 12_700_000, "0.5000", "[in_i]", "delta"),
        ("0024", -254, "-0.00001", "[in_i]", None),
    ],
)
def test_caliper_value_is_in_the_unit_of_its_display(
    parameters: str, number: int, value: str, unit: str, mode: str | None
) -> None:
    payload = number.to_bytes(4, "little", signed=True).hex()
    found = only("sylvac-sds", sylvac_sds.VALUE, payload, parameters_hex=parameters)
    assert isinstance(found, Reading)
    assert (f"{found.value:f}", found.unit, found.details.get("mode")) == (value, unit, mode)


@pytest.mark.parametrize(("parameters", "number"), [("0024", 12_700_001), ("0043", 1), ("0053", 1), ("0033", 1)])
def test_caliper_value_without_a_unit_here_is_refused(parameters: str, number: int) -> None:
    found = only("sylvac-sds", sylvac_sds.VALUE, number.to_bytes(4, "little").hex(), parameters_hex=parameters)
    assert isinstance(found, Malformed)


def test_protractor_says_degrees_in_its_format() -> None:
    one = codec("sylvac-sds", parameters_hex="0052")
    one.receive(envelope(sylvac_sds.FORMAT, "10fe6327010000"), 0)
    (found,) = one.receive(envelope(sylvac_sds.VALUE, (4512).to_bytes(4, "little").hex()), 0)
    assert isinstance(found, Reading)
    assert (str(found.value), found.unit, found.kind) == ("45.12", "deg", Kind.ANGLE)


def test_metrology_profile_asks_one_thing_at_a_time() -> None:
    one = codec("sylvac-sms", mode="poll")
    first = asked(one.poll(0))
    assert first == [
        Message(f"notify:{sylvac_sms.BUTTON}", b""),
        Message(f"notify:{sylvac_sms.ANSWER}", b""),
        Message(sylvac_sms.QUESTION, b"UNI?\r"),
    ]
    assert one.poll(SECOND // 2) is None, "the answer is still owed"
    one.receive(Message(sylvac_sms.ANSWER, b"MM\r").to_bytes(), SECOND // 2)
    assert asked(one.poll(SECOND // 2)) == [Message(sylvac_sms.QUESTION, b"?\r")]
    answer = Message(sylvac_sms.ANSWER, b"+012.345<").to_bytes()
    (value,) = one.receive(answer, SECOND // 2)
    assert isinstance(value, Reading)
    assert (str(value.value), value.details, value.raw) == ("12.345", {"tolerance": "under"}, answer)


def test_metrology_profile_refuses_values_in_another_unit_also_at_the_button() -> None:
    one = codec("sylvac-sms")
    assert asked(one.poll(0))[-1] == Message(sylvac_sms.QUESTION, b"UNI?\r")
    one.receive(Message(sylvac_sms.ANSWER, b"IN\r").to_bytes(), 0)
    (found,) = one.receive(Message(sylvac_sms.BUTTON, b"+0.5000\r").to_bytes(), 0)
    assert isinstance(found, Refused)
    assert one.command("zero") == Message(sylvac_sms.QUESTION, b"SET\r").to_bytes()
    assert one.receive(b"", 0) == []
    done = one.receive(b"", QUIET_NS + 1)
    assert done == [Acknowledged("zero", Message(sylvac_sms.QUESTION, b"SET\r").to_bytes())]
    one.command("identify")
    (who,) = one.receive(Message(sylvac_sms.ANSWER, b"C235\r").to_bytes(), 0)
    assert isinstance(who, Identity)


@given(mantissa=st.integers(-0x7FFFFD, 0x7FFFFD), exponent=st.integers(-12, 12))
def test_medical_floats_keep_every_digit(mantissa: int, exponent: int) -> None:
    payload = mantissa.to_bytes(3, "little", signed=True) + exponent.to_bytes(1, "little", signed=True)
    value = medical_float(payload, 0)
    assert isinstance(value, Decimal)
    assert Fraction(value) == mantissa * Fraction(10) ** exponent


@given(st.binary(max_size=9))
def test_dates_are_dates_or_declared_faults(payload: bytes) -> None:
    try:
        said = date_time(payload, 0)
    except FieldFault:
        return
    assert said is None or len(said) == 19


@given(data=st.binary(max_size=40), cut=st.integers(0, 40))
def test_stray_bytes_do_not_depend_on_how_they_are_split(data: bytes, cut: int) -> None:
    noise = data + b"\x1e\x00" + data
    whole, split = EnvelopeBuffer(), EnvelopeBuffer()
    together = whole.feed(noise) + whole.flush()
    assert together == split.feed(noise[:cut]) + split.feed(noise[cut:]) + split.flush()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"address": "AA:BB"},
        {"name": ""},
        {"services": ["18"]},
        {"name": "x", "mode": "guess"},
        {"name": "x", "adapter": "usb0"},
        {"name": "x", "connect_timeout_s": 0},
        {"name": "x", "colour": "red"},
    ],
)
def test_link_that_names_no_device_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsFault):
        read_settings(BluetoothSettings, settings)


def test_services_may_be_given_short() -> None:
    assert read_settings(BluetoothSettings, {"services": ["181D"]}).services == (services.WEIGHT_SERVICE,)
