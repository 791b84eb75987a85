"""What may be asked on an unknown port, in which order, and what is never sent."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from drivers import registry
from drivers.api import Decoded, Driver, DriverInfo, Kind, LinkLost, Probe, Settings
from drivers.framing import with_parity
from drivers.transports.usb import Plugged
from edge.devices import probing
from edge.devices.ports import Port, as_toml, ports, remember, remembered
from edge.devices.probing import Finding, Line, find_out

CHANGES = (
    b"T",
    b"Z",
    b"TAC",
    b"C",
    b"@",
    b"CAL",
    b"ZI",
    b"TI",
    b"\x1bT",
    b"\x1bZ",
    b"\x1bW",
    b"\x1bU",
    b"\x1bV",
    b"TARE",
    b"ZERO",
)
"""Commands that change a measurement, of all protocols."""

WEIGHT = b"S S     12.50 g\r\n"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "LISTEN_S", 0.02)
    monkeypatch.setattr(probing, "REST_S", 0.0)


class Wire:
    """A port at whose end something answers; remembers everything that was sent."""

    def __init__(
        self,
        answer: Callable[[bytes, Line], bytes] = lambda _sent, _line: b"",
        says: Callable[[Line], bytes] = lambda _line: b"",
    ) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.closed = 0
        self._answer = answer
        self._says = says

    def open_line(self, line: Line) -> "Open":
        return Open(self, line)


class Open:
    def __init__(self, wire: Wire, line: Line) -> None:
        self._wire, self._line = wire, line
        self._bytes: asyncio.Queue[bytes] = asyncio.Queue()

    async def open(self) -> None:
        if said := self._wire._says(self._line):
            self._bytes.put_nowait(said)

    async def read(self) -> bytes:
        return await self._bytes.get()

    async def write(self, data: bytes) -> None:
        self._wire.sent.append((str(self._line), data))
        if answer := self._wire._answer(data, self._line):
            self._bytes.put_nowait(answer)

    async def close(self) -> None:
        self._wire.closed += 1


def driver(name: str, probe: Probe) -> Driver:
    def decode(_capture: bytes, _values: Mapping[str, object]) -> Sequence[Decoded]:
        return []

    def make_codec(_settings: Settings) -> object:
        raise AssertionError

    info = DriverInfo(
        name,
        name,
        frozenset({Kind.MASS}),
        ("serial",),
        ("m",),
        ("s",),
        {"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1},
        probe=probe,
    )
    return Driver(info, Settings, make_codec, decode)  # type: ignore[arg-type]


def asked(
    name: str, send: bytes, answer: bytes, order: int, undo: bytes = b"", lines: tuple[str, ...] = ("9600-8N1",)
) -> Driver:
    return driver(name, Probe(send, lambda heard: answer in heard, order, wait_ms=20, undo=undo, lines=lines))


async def test_a_stream_is_recognised_without_a_byte_sent() -> None:
    streams = driver("streams", Probe(b"", lambda heard: b"kg" in heard, 0))
    wire = Wire(says=lambda _line: b"12.5kg\r\n")
    assert (await find_out(wire.open_line, [asked("other", b"Q", b"never", 5), streams])).driver == "streams"
    assert wire.sent == []
    assert wire.closed == 1


async def test_what_speaks_and_is_not_known_is_never_asked_anything() -> None:
    wire = Wire(says=lambda _line: b"]C10107290001234563\r")
    finding = await find_out(wire.open_line, [asked("scale", b"W", b"kg", 10)], ["9600-8N1"])
    assert finding.driver is None
    assert "not asked anything" in (finding.hint or "")
    assert wire.sent == []


async def test_questions_go_out_in_order_and_are_undone_when_nobody_knew_them() -> None:
    wire = Wire(answer=lambda sent, _line: b"ok" if sent == b"C2" else b"")
    drivers = [asked("third", b"C3", b"no", 30), asked("first", b"C1", b"no", 10, undo=b"F"), asked("second", b"C2", b"ok", 20)]
    finding = await find_out(wire.open_line, drivers)
    assert (finding.driver, finding.line) == ("second", "9600-8N1")
    assert [sent for _, sent in wire.sent] == [b"C1", b"F", b"C2"]


async def test_a_question_is_asked_once_more_after_an_answer_that_is_nobodys() -> None:
    answers = iter([b"ES", b"ok"])
    wire = Wire(answer=lambda sent, _line: next(answers) if sent == b"C2" else b"")
    drivers = [asked("first", b"C1", b"no", 10), asked("second", b"C2", b"ok", 20)]
    assert (await find_out(wire.open_line, drivers, ["9600-8N1"])).driver == "second"
    assert [sent for _, sent in wire.sent] == [b"C1", b"C2", b"C2"]


async def test_what_answers_as_no_driver_knows_is_shown() -> None:
    wire = Wire(answer=lambda _sent, _line: b"WHO ARE YOU")
    finding = await find_out(wire.open_line, [asked("first", b"C1", b"no", 10)], ["9600-8N1"])
    assert (finding.driver, finding.heard) == (None, b"WHO ARE YOU")
    assert "no driver knows" in (finding.hint or "")


async def test_a_setting_that_the_adapter_refuses_is_passed_over() -> None:
    class Picky(Open):
        async def open(self) -> None:
            if self._line.bytesize == 7:
                raise LinkLost("invalid argument")

    wire = Wire(answer=lambda _sent, line: b"ok" if line.baudrate == 4800 else b"")
    one = asked("one", b"Q", b"ok", 1, lines=("4800-8N1",))
    assert (await find_out(lambda line: Picky(wire, line), [one])).line == "4800-8N1"


async def test_an_answer_to_another_drivers_question_still_counts() -> None:
    wire = Wire(answer=lambda _sent, _line: b"ok")
    drivers = [asked("first", b"C1", b"no", 10), asked("second", b"C2", b"ok", 20)]
    assert (await find_out(wire.open_line, drivers)).driver == "second"


async def test_bytes_that_two_drivers_claim_are_nobodys() -> None:
    wire = Wire(says=lambda _line: b"12kg")
    both = [driver(name, Probe(b"", lambda heard: b"kg" in heard, 0)) for name in ("a", "b")]
    finding = await find_out(wire.open_line, both, ["9600-8N1"])
    assert finding.driver is None
    assert finding.hint == "speaks like several: a, b"


async def test_7e1_read_as_8n1_is_named_and_tried_next() -> None:
    text = b"ST,+00012.5  g\r\n"

    def says(line: Line) -> bytes:
        if line.baudrate != 2400:
            return b""
        return text if (line.bytesize, line.parity) == (7, "E") else with_parity(text, "even")

    wire = Wire(says=says)
    streams = driver("streams", Probe(b"", lambda heard: heard == text, 0))
    finding = await find_out(wire.open_line, [streams])
    assert (finding.driver, finding.line) == ("streams", "2400-7E1")
    only = await find_out(wire.open_line, [streams], ["2400-8N1"])
    assert only.hint == "the device sends 7 data bits with even parity, the port read 8"


async def test_a_silent_port_is_said_to_be_silent_and_closed() -> None:
    wire = Wire()
    finding = await find_out(wire.open_line, [asked("one", b"W", b"kg", 10)])
    assert (finding.driver, finding.heard) == (None, b"")
    assert wire.closed == len(probing.LINES)
    assert [line for line, _ in wire.sent] == ["9600-8N1"], "only at the settings that the driver names"


async def test_a_port_that_cannot_be_opened_is_lost() -> None:
    class Gone(Open):
        async def open(self) -> None:
            raise LinkLost("gone")

    with pytest.raises(LinkLost):
        await find_out(lambda line: Gone(Wire(), line), [asked("one", b"W", b"kg", 10)])


@pytest.mark.parametrize("known", [one for one in registry.BUILT_IN if one.info.probe], ids=lambda one: one.info.name)
def test_no_driver_sends_a_probe_that_changes_a_measurement(known: Driver) -> None:
    assert known.info.probe is not None
    for sent in (known.info.probe.send, known.info.probe.undo):
        words = sent.replace(b"\r", b"\n").split(b"\n")
        assert not any(word in CHANGES for word in words), known.info.name
    assert not known.info.probe.recognises(b"")
    assert not known.info.probe.recognises(b"\x00\xff\xfe garbage 123\r\n")
    for line in known.info.probe.lines:
        Line.parse(line)


@pytest.mark.parametrize("text", ["9600", "9600-8X1", "-8N1", "9600-9N1", "9600-8N1 "])
def test_a_line_setting_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="9600-8N1"):
        Line.parse(text)


def port(path: str = "1-1.2", serial: str | None = None) -> Port:
    (found,) = ports([Plugged("/dev/ttyUSB0", "1a86", "7523", serial, path, 0, "", "")])
    return found


def test_a_finding_is_remembered_by_adapter_and_socket(tmp_path: Path) -> None:
    remember(tmp_path, port(), Finding("mt-sics", "9600-8N1", WEIGHT))
    again = remembered(tmp_path, port())
    assert again is not None
    assert (again.driver, again.line) == ("mt-sics", "9600-8N1")
    assert remembered(tmp_path, port("1-1.3")) is None
    assert remembered(tmp_path, port(serial="X")) is None
    remember(tmp_path, port(), Finding(None, None, b""))
    assert remembered(tmp_path, port()) is None


def test_a_broken_memory_is_an_empty_one(tmp_path: Path) -> None:
    for broken in ("", "[]", "{", '{"1-1.2:0:1a86:7523:-": 5}'):
        (tmp_path / "probes.json").write_text(broken, encoding="utf-8")
        assert remembered(tmp_path, port()) is None


def test_the_settings_are_ready_to_be_copied() -> None:
    assert as_toml(port().settings()) == '{ kind = "serial", usb = { vid = "1a86", pid = "7523", path = "1-1.2" } }'
