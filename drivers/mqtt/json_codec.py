"""Devices that publish JSON or bare numbers: values at paths, their unit, rest, availability, and what the broker kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.api import Decoded, Flag, Kind, Malformed, Reading, SettingsFault, Status
from drivers.envelope import EnvelopeBuffer, Message, Stray
from drivers.kinds import kind_of
from drivers.mqtt.content import ABSENT, ContentFault, found_at, number, parsed, text
from drivers.mqtt.rules import UNIT_WORDS, AvailabilityRule, ValueRule
from drivers.mqtt.topics import matches, topic_of
from sync_protocol.quantity import UNITS


@dataclass(frozen=True, slots=True)
class Meaning:
    """How the messages of one device are read."""

    values: tuple[ValueRule, ...]
    availability: AvailabilityRule | None
    take_retained: bool
    silence_ns: int | None


class MessagesCodec:
    """One device behind a broker. It is never asked anything."""

    def __init__(self, meaning: Meaning) -> None:
        self._meaning = meaning
        self._envelopes = EnvelopeBuffer()
        self._heard_ns: int | None = None
        self._any_value = False

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:
        """Take bytes, give what the messages in them say."""
        found: list[Decoded] = []
        for one in self._envelopes.feed(data):
            if isinstance(one, Stray):
                found.append(Malformed("not a message in its envelope", one.raw))
                continue
            self._heard_ns = now_ns
            found += self._message(one)
        return found

    def poll(self, now_ns: int) -> bytes | None:  # noqa: ARG002 - the contract's signature
        """It publishes by itself."""
        return None

    def due_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - the contract's signature
        """The end of the silence that it may keep."""
        silence_ns = self._meaning.silence_ns
        return None if silence_ns is None or self._heard_ns is None else self._heard_ns + silence_ns + 1

    def overdue(self, now_ns: int) -> bool:
        """Whether it has been silent for longer than its settings allow."""
        silence_ns = self._meaning.silence_ns
        return silence_ns is not None and self._heard_ns is not None and now_ns - self._heard_ns > silence_ns

    def command(self, name: str, argument: str | None = None) -> bytes:  # noqa: ARG002 - the contract's signature
        """There are none: raises SettingsFault."""
        raise SettingsFault(f"no command {name[:40]!r}: there are none", setting="command")

    def finish(self) -> list[Decoded]:
        """What is left, as Malformed."""
        return [Malformed("message cut off", one.raw) for one in self._envelopes.flush()]

    def _message(self, message: Message) -> list[Decoded]:
        raw = message.to_bytes()
        topic, retained = topic_of(message.origin)
        availability = self._meaning.availability
        if availability is not None and matches(availability.topic, topic):
            return [self._presence(availability, message.payload, raw)]
        wanted = [rule for rule in self._meaning.values if matches(rule.topic, topic)]
        if not wanted:
            return []
        if retained and not self._meaning.take_retained:
            return [Status(f"kept by the broker from earlier, no new value: {topic}", raw)]
        try:
            content = parsed(message.payload)
        except ContentFault as exc:
            return [Malformed(str(exc), raw)]
        found = [item for rule in wanted if (item := _value(rule, content, raw, retained=retained)) is not None]
        self._any_value = self._any_value or any(isinstance(item, Reading) for item in found)
        if not found and not self._any_value:
            # Told until a value was found once: a wrong path would be nothing but silence.
            return [Status(f"no value at the paths of this device: {topic}", raw)]
        return found

    def _presence(self, rule: AvailabilityRule, payload: bytes, raw: bytes) -> Decoded:
        try:
            word = payload.decode().strip()
            if rule.path is not None and word.startswith(("{", "[")):
                word = text(found_at(rule.path, parsed(payload))) or ""
        except (UnicodeDecodeError, ContentFault):
            return Malformed("no word for being there or gone", raw)
        if word in rule.online:
            return Status("online", raw)
        if word in rule.offline:
            kind = next((one.kind for one in self._meaning.values if one.kind is not None), Kind.QUANTITY)
            return Reading(kind, None, None, frozenset({Flag.UNAVAILABLE}), raw, details={"fault": "offline"})
        return Malformed(f"{word[:40]!r} is no word for being there or gone", raw)


def _value(rule: ValueRule, content: object, raw: bytes, *, retained: bool) -> Decoded | None:
    """One value; None where the message does not have it."""
    try:
        found = found_at(rule.value, content)
        if found is ABSENT:
            return None
        unit = _unit(rule, content)
        details = {"variable": rule.name} | ({"retained": "true"} if retained else {})
        time = None if rule.time_path is None else text(found_at(rule.time_path, content))
        kind = rule.kind if rule.kind is not None else kind_of(unit, Kind.QUANTITY)
        if found is None:
            gone = details | {"fault": "null"}
            return Reading(kind, None, None, frozenset({Flag.UNAVAILABLE}), raw, instrument_time=time, details=gone)
        return Reading(kind, number(found), unit, _rest(rule, content), raw, instrument_time=time, details=details)
    except ContentFault as exc:
        return Malformed(f"{rule.name}: {exc}", raw)


def _unit(rule: ValueRule, content: object) -> str:
    if rule.unit is not None:
        return rule.unit
    word = text(found_at(rule.unit_path or "$", content))
    if word is None:
        raise ContentFault("value without a unit")
    unit = rule.units.get(word) or UNIT_WORDS.get(word, word)
    if unit not in UNITS:
        raise ContentFault(f"unknown unit {word[:20]!r}")
    return unit


def _rest(rule: ValueRule, content: object) -> frozenset[Flag]:
    if rule.stable_path is None:
        return frozenset()
    word = text(found_at(rule.stable_path, content))
    if word is None:
        return frozenset()
    if word in rule.stable_when:
        return frozenset({Flag.STABLE})
    if word in rule.motion_when:
        return frozenset({Flag.MOTION})
    raise ContentFault(f"{word[:20]!r} is no word for rest or motion")


def decode_messages(meaning: Meaning, capture: bytes) -> Sequence[Decoded]:
    """A whole capture to everything in it."""
    codec = MessagesCodec(meaning)
    return [*codec.receive(capture, 0), *codec.finish()]
