"""CAS and Dibal: lamp byte, check characters, the handshake with its pauses, and the block that is sent back."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Acknowledged, Decoded, Flag, Malformed, Reading, Refused, SettingsFault
from drivers.framing import with_parity
from drivers.scales.pos.cas_enq import CAS_ENQ
from drivers.scales.pos.cas_lines import AND_18, CAS_10, CAS_22, CAS_PD2_ASCII
from drivers.scales.pos.dibal import DIBAL_98, DIBAL_TERMINAL, checked
from drivers.scales.pos.weights import xor
from drivers.settings import read_settings

MS = 1_000_000

ENQ, ACK, DC1, NAK, CAN, CR = b"\x05", b"\x06", b"\x11", b"\x15", b"\x18", b"\r"


def codec(driver: Any, **values: Any) -> Any:
    return driver.make_codec(read_settings(driver.settings, values))


def one(driver: Any, data: bytes, **values: Any) -> Decoded:
    (item,) = driver.decode(data, values)
    return item


def block(content: bytes = b"S 01.250KG") -> bytes:
    return b"\x01\x02" + content + bytes([xor(content)]) + b"\x03\x04"


def ecr_block(content: bytes = b"101250") -> bytes:
    return b"\x02" + content + bytes([xor(content)]) + b"\x03"


@pytest.mark.parametrize("lamps", range(0x80))
def test_lamp_byte_without_bit_seven_names_the_line_setting(lamps: int) -> None:
    found = CAS_22.decode(b"ST,GS,1" + bytes([lamps]) + b",000013.5 kg\r\n", {})
    assert all(isinstance(item, Malformed) for item in found)
    assert lamps == 0x0A or "8 data bits" in found[0].reason


@pytest.mark.parametrize("lamps", range(0x80, 0x100))
def test_every_lamp_byte_is_one_frame(lamps: int) -> None:
    item = one(CAS_22, b"ST,GS,1" + bytes([lamps]) + b",000013.5 kg\r\n")
    assert isinstance(item, Reading)
    assert item.value == Decimal("13.5")
    assert (Flag.ZERO in item.flags) is bool(lamps & 1)
    assert (item.details.get("tare_active") == "true") is bool(lamps & 2)
    assert (item.details.get("print_request") == "true") is bool(lamps & 8)


@pytest.mark.parametrize(
    ("driver", "data"),
    [
        (CAS_22, b"ST,GS,1\xe4,000013.5 tl\r\n"),
        (CAS_22, b"ST,GS,1\xe4,00001A.5 kg\r\n"),
        (CAS_22, b"XT,GS,1\xe4,000013.5 kg\r\n"),
        (AND_18, b"ST,GS,00013.5kg\r\n"),
        (CAS_10, b"00013.5\r\n"),
        (CAS_10, b"0000.3.5\r\n"),
        (CAS_PD2_ASCII, b"\x02ST,GS,+  1.25lb\r"),
        (CAS_PD2_ASCII, b"\x02ST,GS,*  1.25 lb\r"),
    ],
)
def test_line_of_another_shape_is_malformed(driver: Any, data: bytes) -> None:
    assert isinstance(one(driver, data), Malformed)


@pytest.mark.parametrize(
    ("driver", "data"),
    [(AND_18, b"ST,GS,000013.5kg\r\n"), (CAS_10, b"000013.5\r\n"), (CAS_PD2_ASCII, b"\x02ST,GS,+  1.25 lb\r")],
)
def test_seven_bit_line_read_with_eight_is_named(driver: Any, data: bytes) -> None:
    found = driver.decode(with_parity(data, "even"), {})
    assert "even parity" in found[0].reason


def test_an_indicator_is_asked_by_its_letter_only_where_it_is_polled() -> None:
    assert codec(CAS_22, mode="poll", device_id="3").poll(0) == b"3"
    assert codec(CAS_22).poll(0) is None
    with pytest.raises(SettingsFault):
        codec(CAS_22, device_id="12")


def test_a_stream_that_falls_silent_is_overdue_and_a_printing_scale_is_not() -> None:
    for mode, overdue in (("stream", True), ("print", False)):
        talker = codec(CAS_22, mode=mode)
        talker.receive(b"ST,GS,1\xe4,000013.5 kg\r\n", 0)
        assert talker.overdue(10_000 * MS) is overdue


def test_handshake_goes_enq_ack_dc1_block() -> None:
    talker = codec(CAS_ENQ)
    assert talker.poll(0) == ENQ
    assert talker.poll(1 * MS) is None
    (ready,) = talker.receive(ACK, 10 * MS)
    assert isinstance(ready, Acknowledged)
    assert talker.due_ns(10 * MS) == 10 * MS
    assert talker.poll(10 * MS) == DC1
    assert talker.poll(11 * MS) is None
    (weight,) = talker.receive(block(), 20 * MS)
    assert weight.value == Decimal("1.250")
    assert talker.poll(21 * MS) is None
    assert talker.due_ns(21 * MS) == 300 * MS
    assert talker.poll(300 * MS) == ENQ


def test_scale_that_is_not_ready_is_asked_after_longer_pauses() -> None:
    talker = codec(CAS_ENQ)
    now, pauses = 0, []
    for _ in range(5):
        assert talker.poll(now) == ENQ
        (refusal,) = talker.receive(NAK, now)
        assert refusal == Refused("NAK", "the scale is not ready", NAK)
        due = talker.due_ns(now)
        pauses.append((due - now) // MS)
        assert talker.poll(due - 1) is None
        now = due
    assert pauses == [600, 1200, 2400, 2400, 2400]
    talker.poll(now)
    talker.receive(ACK, now)
    talker.poll(now)
    talker.receive(block(), now)
    assert talker.poll(now + 300 * MS) == ENQ
    talker.receive(NAK, now + 300 * MS)
    assert talker.due_ns(now + 300 * MS) == now + 900 * MS


def test_scale_that_falls_silent_half_way_is_overdue_and_asked_again() -> None:
    talker = codec(CAS_ENQ)
    talker.poll(0)
    talker.receive(ACK, 0)
    talker.poll(0)
    assert not talker.overdue(1000 * MS)
    assert talker.overdue(1001 * MS)
    assert talker.poll(1001 * MS) == ENQ
    assert talker.overdue(1001 * MS)
    talker.receive(ACK, 1002 * MS)
    assert not talker.overdue(1002 * MS)


def test_noise_ends_no_exchange() -> None:
    talker = codec(CAS_ENQ)
    talker.poll(0)
    talker.receive(ACK, 0)
    talker.poll(0)
    bad = block(b"S 01.251KG")[:12] + b"\x00\x03\x04"
    assert isinstance(talker.receive(b"zz" + bad, 0)[0], Malformed)
    assert talker.poll(1) is None
    assert talker.receive(block(), 1)[-1].value == Decimal("1.250")


def test_noise_before_the_cousins_block_does_not_end_the_handshake() -> None:
    talker = ecr_up_to_block()
    (noise,) = talker.receive(ecr_block()[:-2] + b"\x00\x03", 0)
    assert isinstance(noise, Malformed)
    assert talker.receive(ecr_block(), 0) == []
    assert talker.poll(0) == ecr_block()


@pytest.mark.parametrize(
    "content", [b"S 01.250XX", b"S 01.2.0KG", b"S       KG", b"S-F1.250KG"], ids=["unit", "points", "empty", "letters"]
)
def test_cas_block_with_a_field_that_cannot_be_used(content: bytes) -> None:
    assert all(isinstance(item, Malformed) for item in CAS_ENQ.decode(block(content), {}))


def ecr_up_to_block() -> Any:
    talker = codec(CAS_ENQ, variant="ecr")
    assert talker.poll(0) == ENQ
    talker.receive(ACK, 0)
    assert talker.poll(0) == DC1
    return talker


def test_cousins_block_counts_when_the_scale_has_confirmed_it() -> None:
    talker = ecr_up_to_block()
    assert talker.receive(ecr_block(), 0) == []
    assert talker.poll(0) == ecr_block()
    weight, confirmed = talker.receive(CR, 0)
    assert isinstance(weight, Reading)
    assert (weight.value, weight.unit, weight.stable) == (Decimal("1.250"), "kg", None)
    assert isinstance(confirmed, Acknowledged)


@pytest.mark.parametrize("answer", [NAK, CAN, b"\x00"])
def test_cousins_block_that_is_not_confirmed_is_no_weight(answer: bytes) -> None:
    talker = ecr_up_to_block()
    talker.receive(ecr_block(), 0)
    talker.poll(0)
    lost, refusal = talker.receive(answer, 0)
    assert lost == Malformed("the scale did not confirm the block that was sent back", ecr_block())
    assert isinstance(refusal, Refused)


def test_cousin_that_falls_silent_before_confirming_gives_no_weight() -> None:
    talker = ecr_up_to_block()
    talker.receive(ecr_block(), 0)
    talker.poll(0)
    assert talker.poll(1001 * MS) == ENQ
    (lost,) = talker.receive(b"", 1001 * MS)
    assert isinstance(lost, Malformed)
    assert talker.finish() == []


def test_cousins_capture_is_read_without_a_conversation() -> None:
    weight, confirmed = CAS_ENQ.decode(ecr_block() + CR, {"variant": "ecr", "decimals": 2, "unit": "lb"})
    assert isinstance(weight, Reading)
    assert (weight.value, weight.unit) == (Decimal("12.50"), "[lb_av]")
    assert isinstance(confirmed, Acknowledged)
    assert isinstance(one(CAS_ENQ, b"\x02101250\x00\x03", variant="ecr"), Malformed)


def test_dibal_question_carries_price_and_check_character() -> None:
    assert codec(DIBAL_98, unit_price=500).poll(0) == checked("9800500")
    assert xor(b"9800500") == codec(DIBAL_98, unit_price=500).poll(0)[7]
    assert codec(DIBAL_TERMINAL).poll(0) == checked("9A")
    assert codec(DIBAL_TERMINAL, question="98", unit_price=500).poll(0) == checked("98000500")


def test_dibal_is_given_the_seven_seconds_that_it_may_take() -> None:
    talker = codec(DIBAL_98)
    talker.poll(0)
    assert not talker.overdue(8000 * MS)
    assert talker.overdue(8001 * MS)


@given(data=st.binary(min_size=1, max_size=3), at=st.integers(0, 15))
def test_dibal_answer_with_a_wrong_character_is_no_weight(data: bytes, at: int) -> None:
    good = checked("990003160000000")
    bad = good[:at] + data + good[at + len(data) :]
    for item in DIBAL_98.decode(bad, {}):
        assert isinstance(item, Malformed) or bad == good or xor(bad[:15]) == bad[15]


@given(value=st.integers(0, 99_999), decimals=st.integers(0, 5))
def test_dibal_rendered_weight_is_read_back(value: int, decimals: int) -> None:
    shown = Decimal(value).scaleb(-decimals)
    for driver, line in ((DIBAL_98, f"990{value:05d}0000000"), (DIBAL_TERMINAL, f"9B0{value:05d}0005000000625")):
        item = one(driver, checked(line), decimals=decimals)
        assert isinstance(item, Reading)
        assert item.value == shown


@given(value=st.integers(-9_999, 9_999), moving=st.booleans())
def test_cas_rendered_weight_is_read_back(value: int, *, moving: bool) -> None:
    shown = Decimal(value).scaleb(-3)
    content = f"{'U' if moving else 'S'}{'-' if value < 0 else ' '}{abs(shown):06.3f}KG".encode()
    item = one(CAS_ENQ, block(content))
    assert isinstance(item, Reading)
    assert (item.value, item.stable) == (shown, not moving)
    line = one(CAS_22, f"{'US' if moving else 'ST'},GS,1".encode() + b"\xe4," + f"{shown:>8f} kg\r\n".encode())
    assert isinstance(line, Reading)
    assert (line.value, line.stable) == (shown, not moving)
