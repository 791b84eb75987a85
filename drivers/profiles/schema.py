"""What a profile may say: the parts of a line-format instrument's description, each with what to write there."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from drivers.api import Kind
from drivers.kinds import kind_of
from drivers.vocabulary import DETAIL_TEXTS
from sync_protocol.quantity import UNITS

MAX_LINE = 1024
"""Characters: an instrument that says more at once has more than one value to say, and needs a driver of its own."""

MAX_RULES = 20
"""Of each sort: more patterns than that describe more than one protocol."""

MARKS = ("stable", "motion", "gross", "net", "tare", "zero", "overload", "underload", "not_zeroed", "total", "unavailable")
"""What a mark may mean: those of `drivers.api.Flag` that a person at a bench instrument meets."""

COMMANDS = ("zero", "tare", "clear_tare", "print")

NUMBERS = ("tare", "gross", "net")
"""Groups whose number goes beside the value."""

GROUPS = frozenset({"value", "sign", "unit", "time", *NUMBERS, *DETAIL_TEXTS})
"""Names of groups that mean something by themselves; others need a table of marks."""

Means = Literal[
    "stable", "motion", "gross", "net", "tare", "zero", "overload", "underload", "not_zeroed", "total", "unavailable"
]
State = Literal["overload", "underload", "motion", "not_zeroed", "unavailable"]
Bytes = Annotated[str, Field(max_length=64)]


class Part(BaseModel):
    """Root of all parts: an unknown key is refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LinePart(Part):
    """`[line]`: the serial line as the instrument is shipped."""

    baudrate: int = Field(default=9600, ge=50, le=4_000_000, description="Bits a second, as 9600.")
    bytesize: Literal[7, 8] = Field(default=8, description="Data bits: 7 or 8.")
    parity: Literal["N", "E", "O", "M", "S"] = Field(
        default="N", description='"N" none, "E" even, "O" odd, "M" mark, "S" space.'
    )
    stopbits: Literal[1, 2] = Field(default=1, description="1 or 2.")


class FramingPart(Part):
    """`[framing]`: where a line begins and ends."""

    end: Bytes | tuple[Bytes, ...] = Field(
        default="\r\n", description='What ends a line, as "\\r\\n", or a list of such; "" where silence or a length ends it.'
    )
    start: Bytes = Field(default="", description='What begins a line, as "\\u0002" for STX; bytes in front of it are noise.')
    length: int | None = Field(default=None, ge=2, le=MAX_LINE, description="Bytes of a whole line, `start` and end included.")
    idle_ms: int | None = Field(default=None, ge=10, le=5000, description="Silence that ends a line, in milliseconds.")
    longest: int = Field(default=128, ge=4, le=MAX_LINE, description="Bytes of the longest line that the instrument sends.")

    @field_validator("end", "start")
    @classmethod
    def _single_bytes(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if any(ord(char) > 0xFF for text in ([given] if isinstance(given, str) else given) for char in text):
            raise ValueError("one byte a character: write control characters as \\u0002")
        return given

    @model_validator(mode="after")
    def _one_way(self) -> "FramingPart":
        ways = [bool(self.ends), self.length is not None, self.idle_ms is not None]
        if ways.count(True) != 1 and not (ways == [True, True, False] and "end" not in self.model_fields_set):
            raise ValueError('a line ends in one way: end = "...", or length = ..., or idle_ms = ... with end = ""')
        if self.length is not None and not self.start:
            raise ValueError("lines of a fixed length need a `start`: without it nobody knows where one begins")
        return self

    @property
    def ends(self) -> tuple[str, ...]:
        given = (self.end,) if isinstance(self.end, str) else self.end
        return tuple(end for end in given if end)


class ReadingPart(Part):
    """`[reading]`: what stands where in a line with a value."""

    pattern: str | None = Field(
        default=None,
        description="A regular expression for the whole line, with groups such as (?P<value>...) and (?P<unit>...).",
    )
    columns: dict[str, tuple[int, int]] | None = Field(
        default=None, description="Group = [first, last] character, counted from 1, instead of a pattern."
    )
    unit: str | None = Field(default=None, description='Unit of every value where the line does not say, as "kg".')
    units: dict[str, str] = Field(
        default_factory=dict, description='What the instrument calls a unit = its code, as "PCS" = "{pcs}".'
    )
    decimals: int | None = Field(default=None, ge=0, le=9, description="Decimal places where the line has no point.")
    decimal_comma: bool = Field(default=False, description="true where the decimal point is a comma.")

    @model_validator(mode="after")
    def _one_form(self) -> "ReadingPart":
        if (self.pattern is None) == (self.columns is None):
            raise ValueError("either `pattern` or `columns` says where the value stands")
        if self.columns is not None:
            for name, (first, last) in self.columns.items():
                if not 1 <= first <= last <= MAX_LINE:
                    raise ValueError(f"columns of {name} are [first, last], counted from 1")
        for code in (*self.units.values(), *([] if self.unit is None else [self.unit])):
            if code not in UNITS:
                raise ValueError(f"{code!r} is no unit here; there are {' '.join(UNITS)}")
        return self


class StatePart(Part):
    """`[[states]]`: a line without a value, and why."""

    pattern: str = Field(description="A regular expression for the whole line.")
    means: State = Field(description="overload, underload, motion, not_zeroed or unavailable.")


class RefusalPart(Part):
    """`[[refusals]]`: a line with which the instrument refuses, or reports a fault of its own."""

    pattern: str = Field(description="A regular expression for the whole line; a group (?P<code>...) is the instrument's word.")
    reason: str = Field(min_length=1, max_length=200, description="What it means, in plain words.")


class PollPart(Part):
    """`[poll]`: the question for a value."""

    ask: Bytes = Field(min_length=1, description='What is sent to get one line, as "P\\r\\n".')
    interval_ms: int = Field(default=200, ge=20, le=60_000, description="Pause between two questions, in milliseconds.")
    timeout_ms: int = Field(default=1000, ge=50, le=60_000, description="How long the answer may take, in milliseconds.")


class StreamPart(Part):
    """`[stream]`: the instrument talks by itself, all the time."""

    silence_ms: int = Field(default=2000, ge=100, le=600_000, description="Silence after which it counts as gone.")
    start: Bytes | None = Field(default=None, min_length=1, description="What makes the stream run, where it must be started.")


class CommandPart(Part):
    """`[commands.NAME]`: something that the instrument can be told to do."""

    send: Bytes = Field(min_length=1, description='What is sent, as "T\\r\\n".')
    answer: str | None = Field(
        default=None, description="A regular expression for the line that says done; none where it is silent."
    )
    timeout_ms: int = Field(default=2000, ge=50, le=60_000, description="How long the answer may take, in milliseconds.")


class ExamplePart(Part):
    """`[[examples]]`: a line and what it must mean; a profile that reads its own example differently is refused."""

    line: str = Field(min_length=1, max_length=MAX_LINE, description="A whole line as sent, its end included.")
    value: str | None = Field(default=None, description='The value as text, as "12.340"; left out where there is none.')
    unit: str | None = Field(default=None, description="The unit's code.")
    flags: tuple[Means, ...] = Field(default=(), description='What else it says, as ["stable"].')
    refused: bool = Field(default=False, description="true for a refusal.")


class Profile(Part):
    """A line-format instrument, described as data."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40, description="Small letters, digits and hyphens.")
    title: str = Field(min_length=1, max_length=100, description="What a person calls it.")
    kind: Kind = Field(description="What it measures: mass, length, temperature, force, pressure, percent, quantity...")
    models: tuple[str, ...] = Field(min_length=1, description="Makers and models.")
    sources: tuple[str, ...] = Field(min_length=1, description="Manual and page, so that the next person can check.")
    notes: tuple[str, ...] = Field(default=(), description="What whoever installs one should know.")
    line: LinePart = LinePart()
    framing: FramingPart = FramingPart()
    reading: ReadingPart
    marks: dict[str, dict[str, Means | tuple[Means, ...]]] = Field(
        default_factory=dict, description='[marks.GROUP]: text = meaning, as "ST" = "stable".'
    )
    states: tuple[StatePart, ...] = Field(default=(), max_length=MAX_RULES)
    ignore: tuple[str, ...] = Field(
        default=(), max_length=MAX_RULES, description="Regular expressions of lines that say nothing."
    )
    refusals: tuple[RefusalPart, ...] = Field(default=(), max_length=MAX_RULES)
    poll: PollPart | None = None
    stream: StreamPart | None = None
    commands: dict[Literal["zero", "tare", "clear_tare", "print"], CommandPart] = Field(default_factory=dict)
    examples: tuple[ExamplePart, ...] = Field(
        min_length=1, max_length=MAX_RULES, description="At least one line of the manual."
    )

    @field_validator("kind")
    @classmethod
    def _measured(cls, kind: Kind) -> Kind:
        if kind in {Kind.CODE, Kind.IMAGE}:
            raise ValueError("a profile is of an instrument that measures")
        return kind

    @model_validator(mode="after")
    def _fits_together(self) -> "Profile":
        if self.poll is not None and self.stream is not None:
            raise ValueError("either [poll] or [stream]; leave both out for an instrument that prints when its key is pressed")
        unit = self.reading.unit
        if unit is not None and kind_of(unit, self.kind) is not self.kind:
            raise ValueError(f'kind = "{self.kind}" is not measured in {unit}')
        return self
