"""Sparkplug B: births that name metrics, data that names them by alias, deaths, sequence gaps, quality and history.

Source: Eclipse Sparkplug specification 3.0, chapters 5 (operation) and 6 (payloads).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pydantic import Field, model_validator

from drivers.api import (
    Codec,
    Decoded,
    Driver,
    DriverInfo,
    Flag,
    Kind,
    Malformed,
    Mode,
    Reading,
    Settings,
    SettingsFault,
    Status,
    Tier,
)
from drivers.envelope import EnvelopeBuffer, Message, Stray
from drivers.kinds import kind_of
from drivers.mqtt.rules import MAX_VALUES, Rule
from drivers.mqtt.sparkplug_payload import GOOD, Metric, Payload, PayloadFault, read_payload, reduced_birth
from drivers.mqtt.topics import BIRTH, topic_of
from drivers.settings import own_settings, read_settings
from sync_protocol.quantity import UNITS

SEQUENCE = 256
"""Messages of a node are numbered 0 to 255 (6.4.4); each birth of the node begins again with 0."""

MAX_SOURCES = 256
"""Nodes and devices that one configured device may hear: its topics should name one or a few."""

MAX_NAMES = 4096
"""Metrics of one birth that are remembered; data that name others by alias are told, not guessed."""

MAX_SECONDS = 253_402_300_800
"""Milliseconds over this many seconds lie behind the year 9999: no time of a device."""

MAX_TOPIC = 1000
"""Bytes: what is kept of a birth has the topic and a mark as its origin, and origins hold 1024."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TOPIC = re.compile(r"spBv1\.0/([^/]+)/(N|D)(BIRTH|DATA|DEATH|CMD)/([^/]+)(?:/([^/]+))?")
"""Group, node or device, what it is, the node, the device (6.5)."""


class MetricRule(Rule):
    """One metric that is taken."""

    name: str = Field(
        min_length=1, max_length=200, description="Name of the metric, as its birth says it: Weight, Inputs/Temp 1."
    )
    unit: str = Field(description="Unit of the value, as a UCUM code: kg, Cel, W, kW.h.")
    kind: Kind | None = Field(default=None, description="What is measured; follows from the unit when left out.")
    stable: str | None = Field(
        default=None, max_length=200, description="Name of a Boolean metric that says whether it is at rest."
    )

    @model_validator(mode="after")
    def _unit_is_known(self) -> "MetricRule":
        if self.unit not in UNITS:
            raise ValueError(f"{self.unit!r} is no unit here; there are {' '.join(UNITS)}")
        return self


class SparkplugSettings(Settings):
    """Which metrics are taken, and of what age."""

    metrics: tuple[MetricRule, ...] = Field(
        default=(MetricRule(name="Weight", unit="kg", kind=Kind.MASS, stable="Stable"),),
        min_length=1,
        max_length=MAX_VALUES,
        description="The metrics: name, unit, kind, and stable for a Boolean metric that says whether the value is at rest.",
    )
    take_historical: bool = Field(
        default=False, description="Whether values count that the node stored while it had no connection."
    )


@dataclass(slots=True)
class _Source:
    """What was said by one node's or device's birth, and by its latest messages."""

    names: dict[int, str] = field(default_factory=dict)
    types: dict[int | str, int] = field(default_factory=dict)
    truths: dict[str, bool] = field(default_factory=dict)
    born: bool = False


class SparkplugCodec:
    """Nodes and devices of the topics that are subscribed. Nothing is ever commanded: a rebirth has to be asked by a person."""

    def __init__(self, settings: SparkplugSettings) -> None:
        self._settings = settings
        self._rules = {rule.name: rule for rule in settings.metrics}
        self._marks = {rule.stable for rule in settings.metrics if rule.stable is not None}
        self._envelopes = EnvelopeBuffer()
        self._sources: dict[tuple[str, str, str | None], _Source] = {}
        self._sequence: dict[tuple[str, str], int] = {}
        # A node and its devices share one numbering: who hears one device alone knows nothing of it.
        self._watched: set[tuple[str, str]] = set()

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:  # noqa: ARG002 - time means nothing to it
        """Take bytes, give what the messages in them say."""
        found: list[Decoded] = []
        for one in self._envelopes.feed(data):
            found += [Malformed("not a message in its envelope", one.raw)] if isinstance(one, Stray) else self._message(one)
        return found

    def poll(self, now_ns: int) -> bytes | None:  # noqa: ARG002 - the contract's signature
        """It publishes by itself."""
        return None

    def due_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - the contract's signature
        """Data come on change only: silence says nothing, a death message does."""
        return None

    def overdue(self, now_ns: int) -> bool:  # noqa: ARG002 - the contract's signature
        """Never: a node that is gone is told by the broker."""
        return False

    def command(self, name: str, argument: str | None = None) -> bytes:  # noqa: ARG002 - the contract's signature
        """There are none: raises SettingsFault."""
        raise SettingsFault(f"no command {name[:40]!r}: there are none", setting="command")

    def finish(self) -> list[Decoded]:
        """What is left, as Malformed."""
        return [Malformed("message cut off", one.raw) for one in self._envelopes.flush()]

    def _message(self, message: Message) -> list[Decoded]:
        raw = message.to_bytes()
        topic, retained = topic_of(message.origin)
        if topic.endswith(BIRTH):
            return self._context(topic.removesuffix(BIRTH), message.payload, raw)
        match = _TOPIC.fullmatch(topic) if len(topic.encode()) <= MAX_TOPIC else None
        if match is None:
            return [Status(f"not a topic of a node or device: {topic[:120]}", raw)]
        if retained:
            return [Status(f"kept by the broker from earlier, no new value: {topic[:120]}", raw)]
        group, level, what, node, device = match.groups()
        if what == "CMD" or (level == "D") != (device is not None):
            return [Status(f"not a message of a node or device: {topic[:120]}", raw)]
        key = (group, node, device)
        source = self._sources.get(key, _Source())
        if key not in self._sources and len(self._sources) >= MAX_SOURCES:
            return [Malformed(f"more than {MAX_SOURCES} nodes and devices: name them in the topics", raw)]
        try:
            payload = read_payload(message.payload, {} if what == "BIRTH" else source.types)
        except PayloadFault as exc:
            return [Malformed(str(exc), raw)]
        self._sources[key] = source
        if what == "DEATH":
            return self._death(key, source, raw)
        if level == "N":
            self._watched.add((group, node))
        gap = self._gap(key, payload, raw, born=what == "BIRTH" and level == "N")
        if what == "BIRTH":
            _remember(source, payload)
        return [*gap, *self._values(source, payload, message)] or [Status(f"no metric of this device: {topic[:120]}", raw)]

    def _context(self, topic: str, payload: bytes, raw: bytes) -> list[Decoded]:
        """What was kept of a birth beside a reading: it says what the message behind it means."""
        match = _TOPIC.fullmatch(topic)
        if match is None or len(self._sources) >= MAX_SOURCES:
            return [Malformed("what is kept of a birth, without its node", raw)]
        try:
            known = read_payload(payload, {})
        except PayloadFault as exc:
            return [Malformed(str(exc), raw)]
        group, _, _, node, device = match.groups()
        source = self._sources[group, node, device] = _Source()
        _remember(source, known)
        source.truths |= {
            metric.name: metric.value for metric in known.metrics if metric.name and isinstance(metric.value, bool)
        }
        self._sequence.pop((group, node), None)
        return []

    def _death(self, key: tuple[str, str, str | None], source: _Source, raw: bytes) -> list[Decoded]:
        """The node or device is gone; with a node all of its devices are."""
        group, node, device = key
        for (other_group, other_node, _), other in self._sources.items():
            if device is None and (other_group, other_node) == (group, node):
                other.born = False
        source.born = False
        if device is None:
            self._sequence.pop((group, node), None)
        kind = _kind(self._settings.metrics[0])
        return [Reading(kind, None, None, frozenset({Flag.UNAVAILABLE}), raw, details={"fault": "offline"})]

    def _gap(self, key: tuple[str, str, str | None], payload: Payload, raw: bytes, *, born: bool) -> list[Decoded]:
        """Messages that are missing are told: what they said is lost, and what follows is used all the same."""
        node = key[:2]
        last = None if born else self._sequence.get(node)
        if node not in self._watched:
            return []
        if payload.seq is None:
            return [Status("message without its number", raw)]
        self._sequence[node] = payload.seq
        if last is None or payload.seq == (last + 1) % SEQUENCE:
            return []
        if payload.seq == last:
            return [Status(f"number {last} came twice", raw)]
        missing = (payload.seq - last - 1) % SEQUENCE
        return [Status(f"{missing} messages are missing before number {payload.seq}", raw)]

    def _values(self, source: _Source, payload: Payload, message: Message) -> list[Decoded]:
        named = [(_name(source, metric), metric) for metric in payload.metrics]
        for name, metric in named:
            if name in self._marks and isinstance(metric.value, bool) and not metric.historical:
                source.truths[name] = metric.value
        told = frozenset(name for name, metric in named if name is not None and metric.complete)
        found: list[Decoded] = []
        for name, metric in named:
            rule = None if name is None else self._rules.get(name)
            if rule is not None:
                raw = self._context_of(source, rule, told, message) + message.to_bytes()
                found.append(self._reading(rule, source, metric, payload, raw))
        unknown = [metric.alias for name, metric in named if name is None]
        if unknown and not source.born:
            missing = f"alias {unknown[0]} before any birth: the node has to be asked for a rebirth"
            found.append(Status(missing, message.to_bytes()))
        return found

    def _context_of(self, source: _Source, rule: MetricRule, told: frozenset[str], message: Message) -> bytes:
        """What of earlier messages a reading needs to mean the same on its own: nothing where its message says it all."""
        needed = [name for name in (rule.name, rule.stable) if name is not None and name not in told and name in source.types]
        if not needed:
            return b""
        aliases = {name: alias for alias, name in source.names.items()}
        kept = reduced_birth((name, aliases.get(name), source.types[name], source.truths.get(name)) for name in needed)
        return Message(message.origin + BIRTH, kept).to_bytes()

    def _reading(self, rule: MetricRule, source: _Source, metric: Metric, payload: Payload, raw: bytes) -> Decoded:
        details = {"variable": rule.name}
        time = _iso(metric.timestamp_ms if metric.timestamp_ms is not None else payload.timestamp_ms)
        if metric.historical:
            if not self._settings.take_historical:
                return Status(f"{rule.name}: stored by the node from {time or 'earlier'}, no new value", raw)
            details["historical"] = "true"
        fault = _fault(metric)
        if fault is not None:
            gone = frozenset({Flag.UNAVAILABLE})
            return Reading(_kind(rule), None, None, gone, raw, instrument_time=time, details=details | {"fault": fault})
        if not isinstance(metric.value, Decimal):
            return Malformed(f"{rule.name}: not a number", raw)
        if not _fits(metric.value):
            return Malformed(f"{rule.name}: more than 18 digits before or behind the point", raw)
        rest = None if rule.stable is None or metric.historical else source.truths.get(rule.stable)
        flags = frozenset() if rest is None else frozenset({Flag.STABLE if rest else Flag.MOTION})
        return Reading(_kind(rule), metric.value, rule.unit, flags, raw, instrument_time=time, details=details)


def _kind(rule: MetricRule) -> Kind:
    return rule.kind or kind_of(rule.unit, Kind.QUANTITY)


def _fault(metric: Metric) -> str | None:
    """Why the node has no value."""
    if metric.quality is not None and metric.quality != GOOD:
        return {0: "bad", 500: "stale"}.get(metric.quality, f"quality {metric.quality}")
    return "null" if metric.value is None else None


def _fits(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -18 and value.adjusted() < 18


def _remember(source: _Source, payload: Payload) -> None:
    source.names.clear()
    source.types.clear()
    source.truths.clear()
    source.born = True
    for metric in payload.metrics[:MAX_NAMES]:
        if metric.name is None:
            continue
        source.types[metric.name] = metric.datatype
        if metric.alias is not None:
            source.names[metric.alias] = metric.name
            source.types[metric.alias] = metric.datatype


def _name(source: _Source, metric: Metric) -> str | None:
    """The metric's own name, or what the birth called its alias."""
    return metric.name if metric.name is not None or metric.alias is None else source.names.get(metric.alias)


def _iso(at_ms: int | None) -> str | None:
    """Milliseconds since 1970 as ISO 8601 in UTC."""
    if at_ms is None or at_ms >= MAX_SECONDS * 1000:
        return None
    return (EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _make_codec(settings: Settings) -> Codec:
    return SparkplugCodec(own_settings(SparkplugSettings, settings))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    codec = SparkplugCodec(read_settings(SparkplugSettings, values))
    return [*codec.receive(capture, 0), *codec.finish()]


DRIVER = Driver(
    info=DriverInfo(
        name="sparkplug-b",
        title="Nodes and devices that publish Sparkplug B",
        kinds=frozenset(kind for kind in Kind if kind not in {Kind.CODE, Kind.IMAGE}),
        transports=("mqtt",),
        models=("Gateways, controllers and transmitters with Sparkplug B 2.2 and 3.0: Ignition, Opto 22, Moxa and others",),
        sources=("Eclipse Sparkplug specification 3.0.0, chapters 5 and 6",),
        modes=(Mode.STREAM,),
        notes=(
            "Subscribe to `spBv1.0/GROUP/+/NODE/#`: births name the metrics, data refer to them by number.",
            "Where a node uses aliases the box waits for its next birth: ask the node for a rebirth in its own tool.",
            "Floating-point values are given as the shortest decimal that reads back as the same number.",
        ),
        tier=Tier.NONE,
    ),
    settings=SparkplugSettings,
    make_codec=_make_codec,
    decode=_decode,
)
