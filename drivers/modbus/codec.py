"""One Modbus device: its blocks are asked at an interval, its answers become readings, its commands are written once.

Every message lies in an envelope whose origin names the query (`read:<unit>:<function>:<start>:<count>`); an answer's payload
is the frame as it came. A payload of no bytes says that no answer came in the line's time.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from drivers.api import Acknowledged, Decoded, Flag, Malformed, Reading, Refused, SettingsFault, Status
from drivers.envelope import EnvelopeBuffer, Message, Stray
from drivers.modbus.adu import BUSY, READ_BITS, READS, REASONS, AduFault, Answer, Query, answer, query_of
from drivers.modbus.mapping import Block, Point, RegisterMap, Result, Shows, Write
from drivers.modbus.reading import Chunk, Memo, Terms, is_there, read_point
from drivers.modbus.registers import WORDS, whole_number

ANSWER_TIMEOUT_NS = 10_000_000_000
"""The line says itself when no answer came, within a second; this is for lines where many other devices wait before us."""

SILENT_PAUSE_NS = 1_500_000_000
"""A device that does not answer is asked at most this seldom: each question costs the line's other devices a time-out."""

BUSY_PAUSE_NS = 100_000_000
BUSY_TRIES = 5
"""`busy` (6) is the device's request to be asked again; one that is busy for half a second is reported."""

RESULT_MS = 2000
"""A device that tells how a command went has told it in one of the next rounds."""

EFFECT_PAUSE_NS = 200_000_000
"""While a command's effect is awaited the device is asked at least this often, also where its interval is minutes."""

SETTLED_UNITS = 10
"""After a tare the net weight is within this many units of its last digit, or was no net weight before."""

_GATEWAY_SILENT = frozenset({0x0A, 0x0B})
"""The gateway answers in place of a device that does not."""

_FLAGS = {"net": Flag.NET, "gross": Flag.GROSS, "zero": Flag.ZERO}


@dataclass(slots=True)
class _Command:
    """A command under way: written, perhaps answered, perhaps its effect is awaited."""

    name: str
    query: Query
    sent: bytes
    shows: Shows | None
    result: Result | None
    was_net: bool
    tries: int = 1
    again_ns: int | None = None
    echo: bytes = b""
    until_ns: int | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    """A block whose readings need a later one of the same round."""

    chunk: Chunk
    raw: bytes


class ModbusCodec:
    """One device. Its answers are understood whether they were asked for by this codec or recorded elsewhere."""

    def __init__(self, register_map: RegisterMap, terms: Terms, *, unit_id: int, interval_ns: int, moved: int = 0) -> None:
        self._map = register_map
        # What the paper calls `_zero` is address 0 on the wire; a device may have the whole list elsewhere.
        self._zero = register_map.zero - moved
        self._terms = terms
        self._unit = unit_id
        self._interval_ns = interval_ns
        self._envelopes = EnvelopeBuffer()
        self._queries = tuple(_query(block, self._zero, unit_id) for block in register_map.blocks)
        self._request = b"".join(Message(query.to_origin(), b"").to_bytes() for query in self._queries)
        self._closing, self._keeps = _plan(register_map)
        self._places = {query: place for place, query in enumerate(self._queries)}
        self._memos: dict[int, Memo] = {id(point): {} for point in register_map.readings}
        self._kept: dict[int, _Kept] = {}
        self._owed: set[str] = set()
        self._asked_ns = 0
        self._next_ns: int | None = None
        self._pause_ns = interval_ns
        self._silent = False
        self._busy = 0
        self._command: _Command | None = None
        self._net = False
        self._alive: tuple[int, int] | None = None

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:
        """Take envelopes, give what is complete; empty `data` says that time has passed."""
        found = self._effect_missed(now_ns)
        for item in self._envelopes.feed(data):
            if isinstance(item, Stray):
                found.append(Malformed("bytes that are no message", item.raw))
            else:
                found += self._message(item, now_ns)
        return found

    def poll(self, now_ns: int) -> bytes | None:
        """All blocks, at the interval; a command that the device was too busy for, again."""
        command = self._command
        if command is not None and command.again_ns is not None and now_ns >= command.again_ns:
            command.again_ns = None
            command.tries += 1
            return command.sent
        if self._owed and now_ns - self._asked_ns <= ANSWER_TIMEOUT_NS:
            return None
        self._silent = self._silent or bool(self._owed)
        if self._next_ns is not None and now_ns < self._next_ns:
            return None
        self._owed = {query.to_origin() for query in self._queries}
        self._asked_ns = now_ns
        awaited = self._command is not None and self._command.until_ns is not None
        self._next_ns = now_ns + (min(self._pause_ns, EFFECT_PAUSE_NS) if awaited else self._pause_ns)
        return self._request

    def due_ns(self, now_ns: int) -> int | None:
        """The next round, the end of an answer's time, or that of a command's effect."""
        # Not sooner than the next round while an answer is owed, so that the answer does not move it.
        waits = self._owed and (self._next_ns is None or now_ns >= self._next_ns)
        due = [self._asked_ns + ANSWER_TIMEOUT_NS + 1] if waits else [self._next_ns or 0]
        if self._command is not None:
            due += [at for at in (self._command.again_ns, self._command.until_ns) if at is not None]
        return min(due)

    def overdue(self, now_ns: int) -> bool:
        """True from the first question without an answer until the next answer."""
        return self._silent or (bool(self._owed) and now_ns - self._asked_ns > ANSWER_TIMEOUT_NS)

    def command(self, name: str, argument: str | None = None) -> bytes:
        """The envelope of one write. Raises SettingsFault for a name the map does not have or an argument that does not fit."""
        write = self._map.commands.get(name)
        if write is None:
            raise SettingsFault(
                f"no command {name[:40]!r}: {', '.join(self._map.commands) or 'there are none'}", setting="command"
            )
        if argument is not None:
            raise SettingsFault(f"{name} does not take {argument[:40]!r}", setting="argument")
        query = Query(self._unit, write.function, write.register_ - self._zero, len(write.words))
        sent = Message(query.to_origin(), _payload(write)).to_bytes()
        self._command = _Command(name, query, sent, write.shows, write.result, self._net)
        return sent

    def finish(self) -> list[Decoded]:
        """The input has ended: what is left of messages, blocks and commands."""
        found: list[Decoded] = [Malformed("a block without those that belong to it", kept.raw) for kept in self._kept.values()]
        command, self._command = self._command, None
        if command is not None and command.echo:
            found.append(Status(f"{command.name} was answered and its effect not seen", command.echo))
        self._kept.clear()
        return found + [Malformed("message without its end", stray.raw) for stray in self._envelopes.flush()]

    def _message(self, message: Message, now_ns: int) -> list[Decoded]:
        raw = message.to_bytes()
        try:
            query = query_of(message.origin)
            if query.unit != self._unit:
                return [Malformed(f"a message of unit {query.unit}, not of {self._unit}", raw)]
            asked = message.origin in self._owed
            self._owed.discard(message.origin)
            if not message.payload:
                return self._no_answer(query, raw, now_ns)
            said = answer(message.payload, query)
        except AduFault as exc:
            return [Malformed(str(exc), raw)]
        if said.exception is not None:
            return self._exception(query, said.exception, raw, now_ns)
        self._heard(now_ns, asked=asked)
        if query.function not in READS:
            return self._written(query, said, raw, now_ns)
        return [done for item in self._read(query, said, raw, now_ns) for done in self._settled(item)]

    def _heard(self, now_ns: int, *, asked: bool) -> None:
        if asked and self._silent:
            self._next_ns = now_ns
        self._silent, self._busy, self._pause_ns = False, 0, self._interval_ns

    def _no_answer(self, query: Query, raw: bytes, now_ns: int) -> list[Decoded]:
        if query.function not in READS:
            self._command = None
            return [Refused("no-answer", "nothing came back: whether it was done is not known", raw)]
        self._silent = True
        torn = [Malformed("a block without those that belong to it", kept.raw) for kept in self._kept.values()]
        self._kept.clear()
        self._pause_ns = max(self._interval_ns, min(self._pause_ns * 2, SILENT_PAUSE_NS))
        self._next_ns = max(self._next_ns or 0, now_ns + self._pause_ns - self._interval_ns)
        return [*torn]

    def _exception(self, query: Query, code: int, raw: bytes, now_ns: int) -> list[Decoded]:
        reason = REASONS.get(code, "an exception that the standard does not name")
        if query.function not in READS:
            return self._command_refused(code, reason, raw, now_ns)
        if code in _GATEWAY_SILENT:
            self._silent = True
            return [Malformed(reason, raw)]
        self._busy = self._busy + 1 if code == BUSY else 0
        if 0 < self._busy <= BUSY_TRIES:
            self._next_ns = now_ns + BUSY_PAUSE_NS
            return [Status(reason, raw)]
        return [Refused(str(code), reason, raw)]

    def _command_refused(self, code: int, reason: str, raw: bytes, now_ns: int) -> list[Decoded]:
        command = self._command
        if command is not None and code == BUSY and command.tries < BUSY_TRIES:
            command.again_ns = now_ns + BUSY_PAUSE_NS
            return [Status(reason, raw)]
        self._command = None
        return [Refused(str(code), reason, raw)]

    def _written(self, query: Query, said: Answer, raw: bytes, now_ns: int) -> list[Decoded]:
        command = self._command
        if command is None or command.query != query:
            return [Acknowledged(_name_of(query, said, self._map, self._zero), raw)]
        if command.shows is None and command.result is None:
            self._command = None
            return [Acknowledged(command.name, raw)]
        command.echo = raw
        within_ms = RESULT_MS if command.shows is None else command.shows.within_ms
        command.until_ns = now_ns + within_ms * 1_000_000
        self._next_ns = now_ns
        return []

    def _read(self, query: Query, said: Answer, raw: bytes, now_ns: int) -> list[Decoded]:
        start = query.start + self._zero
        bits = query.function in READ_BITS
        chunk = Chunk(start, said.bits(query.count) if bits else said.words(), bits)
        told = self._told(chunk)
        place = self._places.get(query)
        is_whole = place is not None
        if place is None:
            place = next((at for at, block in enumerate(self._map.blocks) if _is_of(block, query, start)), None)
        if place is None:
            return [Malformed("registers that the map does not have", raw)]
        terms = self._with_liveness(chunk, now_ns)
        kept = [self._kept[at] for at in sorted(self._kept) if at < place]
        chunks = [chunk, *(one.chunk for one in kept)]
        points = self._closing[place]
        if not is_whole or len(self._queries) > 1:
            points = tuple(point for point in points if is_there(point, chunks))
        found: list[Decoded] = []
        if points:
            whole = b"".join(one.raw for one in kept) + raw
            self._kept.clear()
            found = [read_point(point, terms, chunks, whole, self._memos[id(point)]) for point in points]
        found += told
        if self._keeps[place]:
            if place in self._kept:  # the round before was not finished
                found.append(Malformed("a block without those that belong to it", self._kept[place].raw))
            self._kept[place] = _Kept(chunk, raw)
            return found
        return found or [Malformed("registers of which no reading can be made", raw)]

    def _told(self, chunk: Chunk) -> list[Decoded]:
        """What the device's result register says of a command that waits for it."""
        command = self._command
        if command is None or not command.echo or command.result is None or chunk.bits:
            return []
        words = chunk.take(command.result.register_, 1)
        if words is None:
            return []
        self._command = None
        if not words[0]:
            return [Acknowledged(command.name, command.echo)]
        reason = command.result.codes.get(words[0], "an error without a name")
        return [Refused(str(words[0]), f"{command.name}: {reason}", command.echo)]

    def _with_liveness(self, chunk: Chunk, now_ns: int) -> Terms:
        alive = self._map.alive
        words = None if alive is None or chunk.bits else chunk.take(alive.register_, WORDS[alive.type_])
        if alive is None or words is None:
            return self._terms
        value = whole_number(words, alive.type_, word_order=self._terms.word_order)
        if self._alive is None or self._alive[0] != value:
            self._alive = value, now_ns
        stuck = now_ns - self._alive[1] > alive.within_ms * 1_000_000
        return replace(self._terms, stuck=True) if stuck else self._terms

    def _settled(self, item: Decoded) -> list[Decoded]:
        """The item, and behind it what it says of a command whose effect is awaited."""
        if not isinstance(item, Reading):
            return [item]
        command, self._net = self._command, Flag.NET in item.flags
        if command is None or not command.echo or not _is_effect(command, item):
            return [item]
        self._command = None
        return [item, Acknowledged(command.name, command.echo)]

    def _effect_missed(self, now_ns: int) -> list[Decoded]:
        command = self._command
        if command is None or command.until_ns is None or now_ns <= command.until_ns:
            return []
        self._command = None
        return [Refused("no-effect", f"the device took {command.name} and does not show it", command.echo)]


def _is_effect(command: _Command, reading: Reading) -> bool:
    """Whether this is how a reading looks once the command was done."""
    if command.shows is None or _FLAGS[command.shows.flag] not in reading.flags:
        return False
    if command.shows.flag != "net" or not command.was_net:
        return True
    # It was net before: a new tare shows as next to nothing on the display.
    value = reading.value
    return isinstance(value, Decimal) and abs(value) <= SETTLED_UNITS * Decimal(1).scaleb(int(value.as_tuple().exponent))


def _query(block: Block, zero: int, unit_id: int) -> Query:
    return Query(unit_id, block.function, block.start - zero, block.count)


def _is_of(block: Block, query: Query, start: int) -> bool:
    return block.function == query.function and block.start <= start < block.start + block.count


def _payload(write: Write) -> bytes:
    return b"".join(word.to_bytes(2) for word in write.words)


def _name_of(query: Query, said: Answer, register_map: RegisterMap, zero: int) -> str:
    """The command that such a write is; what it wrote is in the answer for single registers only."""
    names = [
        name
        for name, write in register_map.commands.items()
        if (write.function, write.register_ - zero) == (query.function, query.start)
        and (query.function == 16 or said.data == _payload(write))
    ]
    return names[0] if len(names) == 1 else "write"


def _plan(register_map: RegisterMap) -> tuple[tuple[tuple[Point, ...], ...], tuple[bool, ...]]:
    """For each block: the readings that are complete with it, and whether a later block's readings need it."""
    closing: list[list[Point]] = [[] for _ in register_map.blocks]
    keeps = [False for _ in register_map.blocks]
    for point in register_map.readings:
        places = {
            next(place for place, block in enumerate(register_map.blocks) if block.holds(register, words))
            for register, words, needed in point.spans()
            if needed
        }
        closing[max(places)].append(point)
        for place in places - {max(places)}:
            keeps[place] = True
    return tuple(tuple(points) for points in closing), tuple(keeps)
