"""The entries of a journal: what the box writes once, signs, and nobody serialises again.

One entry is one line of UTF-8 JSON. The cloud reads entries with `parse`; a kind that it does not know is kept and passed over.
Every entry carries the clocks as they were: `mono_ns` counts from the boot named by `boot_id`, `wall_ns` is the wall clock and
only a hint, `clk` says what set it and how far it may be off. Absent means None.
"""

import json
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import orjson
from pydantic import BaseModel, ConfigDict, Discriminator, Tag, TypeAdapter, ValidationError

from sync_protocol.errors import TextFault

MAX_ENTRY_BYTES = 64 * 1024
"""A quarter of a frame: the longest instrument message known is a few kilobytes, pictures travel as blobs."""


class Clk(BaseModel):
    """What set the wall clock last and the bound of its error."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    s: Literal["none", "rtc", "ntp", "cloud"]
    err_ms: int | None = None


class Stamp(BaseModel):
    """The box's clocks at the moment of writing."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    boot_id: str
    mono_ns: int
    wall_ns: int
    clk: Clk
    was: str | None = None
    """Id of the entry that this one says again, where the cloud holds other content under that id."""


class Position(BaseModel):
    """A place in a run: the entry `seq` and the chain's hash there (hex)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run: str
    seq: int
    hash: str


class RunEntry(Stamp):
    """Entry 0 of every run: one start of the journal's writer."""

    t: Literal["run"] = "run"
    parent: Position | None = None
    fw: str
    medium: str | None = None


class AnchorEntry(Stamp):
    """What is to be known of the box's clocks at this moment.

    `cloud`: the cloud's time and how long the asking took, which pins `mono_ns` of this boot to true time. `state`: something
    else sets the wall clock from now on (`clk`). `step`: the wall clock jumped. The last two are hints for people.
    """

    t: Literal["anchor"] = "anchor"
    why: Literal["cloud", "state", "step"] = "cloud"
    srv_time: str | None = None
    rtt_ns: int | None = None
    step_ms: int | None = None
    """How far the wall clock jumped, negative backwards."""


class DeviceEntry(Stamp):
    """A device as configured and as it names itself; the readings behind it refer to `device`."""

    t: Literal["device"] = "device"
    device: str
    driver: str
    settings: dict[str, Any] = {}
    identity: str | None = None


class ReadingEntry(Stamp):
    """One captured reading. `raw` is base64 of every byte of the frame; `value` keeps the digits as sent."""

    t: Literal["reading"] = "reading"
    device: str
    driver: str
    kind: str
    value: str | None = None
    unit: str | None = None
    op: Literal["<", ">"] | None = None
    flags: list[str] = []
    instrument_time: str | None = None
    details: dict[str, str] = {}
    raw: str


class StepEntry(Stamp):
    """One completed step of a job. `n` counts from 0 within the job; `readings` are the ids of the entries it rests on."""

    t: Literal["step"] = "step"
    job: str
    job_kind: str
    n: int
    step: str
    station: str
    by: str
    data: dict[str, Any] = {}
    readings: list[str] = []


class NoteEntry(Stamp):
    """Something that happened to the box or a device: lost, back, refused."""

    t: Literal["note"] = "note"
    name: str
    device: str | None = None
    data: dict[str, Any] = {}


class CommandEntry(Stamp):
    """What became of a command of the cloud. Written once per command, whatever the outcome.

    `fenced`: a newer session of this box was seen; `expired`: it came after its `not_after`; `interrupted`: the box stopped
    while it was carried out, so nobody knows; `refused`: the device said no; `failed`: it could not be asked.
    """

    t: Literal["command"] = "command"
    cmd_id: str
    lease: int
    op: str
    outcome: Literal["done", "refused", "failed", "fenced", "expired", "interrupted"]
    detail: str | None = None
    """The device's or the box's own word for it."""
    data: dict[str, Any] = {}


class BlobEntry(Stamp):
    """A file that lies on the box under its SHA-256 (hex) and goes up by itself; this entry is acked without it."""

    t: Literal["blob"] = "blob"
    sha256: str
    size: int
    media: str
    """Its media type."""
    name: str
    """What a person may call it."""
    about: dict[str, str] = {}
    """What it belongs to: `job`, `device`, `reading`, `salvage`..."""


class HealthEntry(Stamp):
    """How the box is, written now and then. Bytes, microseconds and seconds as the names say; absent means not known."""

    t: Literal["health"] = "health"
    unacked: int
    oldest_unacked_s: int | None = None
    runs: int
    commit_us_p50: int | None = None
    commit_us_p99: int | None = None
    batch_ms_p50: int | None = None
    batch_ms_p99: int | None = None
    disk_free: int
    disk_total: int
    disk_level: Literal["ok", "prune", "shed", "full"]
    journal_bytes: int
    blobs_waiting: int
    rss_bytes: int | None = None
    link: Literal["https", "mqtt", "none"]


class UnknownEntry(Stamp):
    """An entry of a kind that this program does not know; it is stored and proves the chain, nothing is made of it."""

    t: str


Entry = (
    RunEntry
    | AnchorEntry
    | DeviceEntry
    | ReadingEntry
    | StepEntry
    | NoteEntry
    | CommandEntry
    | BlobEntry
    | HealthEntry
    | UnknownEntry
)

_KINDS = frozenset({"run", "anchor", "device", "reading", "step", "note", "command", "blob", "health"})


def _tag(value: object) -> str:
    kind = value.get("t") if isinstance(value, dict) else getattr(value, "t", None)
    return kind if isinstance(kind, str) and kind in _KINDS else "unknown"


_ANY: TypeAdapter[Entry] = TypeAdapter(
    Annotated[
        Annotated[RunEntry, Tag("run")]
        | Annotated[AnchorEntry, Tag("anchor")]
        | Annotated[DeviceEntry, Tag("device")]
        | Annotated[ReadingEntry, Tag("reading")]
        | Annotated[StepEntry, Tag("step")]
        | Annotated[NoteEntry, Tag("note")]
        | Annotated[CommandEntry, Tag("command")]
        | Annotated[BlobEntry, Tag("blob")]
        | Annotated[HealthEntry, Tag("health")]
        | Annotated[UnknownEntry, Tag("unknown")],
        Discriminator(_tag),
    ]
)


class Encoded(NamedTuple):
    """An entry that is bytes already, and its kind: what `encode_reading` makes."""

    t: str
    data: bytes


class StampFields(TypedDict):
    """What every entry's constructor takes first: `StepEntry(**clock.stamp(), ...)`."""

    boot_id: str
    mono_ns: int
    wall_ns: int
    clk: Clk


class ReadingFields(TypedDict):
    """What `ReadingEntry` holds beside its stamp; `value`, `unit`, `op` and `instrument_time` may be None."""

    device: str
    driver: str
    kind: str
    value: str | None
    unit: str | None
    op: str | None
    flags: list[str]
    instrument_time: str | None
    details: dict[str, str]
    raw: str


def encode_reading(stamp: StampFields, reading: ReadingFields) -> Encoded:
    """The same in meaning as `encode(ReadingEntry(**stamp, **reading))` at half the cost: readings come by the thousand.

    Nothing is checked but the size: TextFault above MAX_ENTRY_BYTES. A lone surrogate becomes a question mark; the raw bytes
    keep what it was.
    """
    clk = stamp["clk"]
    fields: dict[str, object] = {
        "boot_id": stamp["boot_id"],
        "mono_ns": stamp["mono_ns"],
        "wall_ns": stamp["wall_ns"],
        "clk": {"s": clk.s} if clk.err_ms is None else {"s": clk.s, "err_ms": clk.err_ms},
        "t": "reading",
    }
    fields |= {name: value for name, value in reading.items() if value is not None}
    try:
        data = orjson.dumps(fields)
    except orjson.JSONEncodeError:
        data = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Encoded("reading", _within_limit(data))


def encode(entry: Entry | Encoded) -> bytes:
    """The entry as the bytes that are stored, chained, signed and sent. Raises TextFault above MAX_ENTRY_BYTES."""
    if isinstance(entry, Encoded):
        return entry.data
    return _within_limit(entry.__pydantic_serializer__.to_json(entry, exclude_none=True))


def _within_limit(data: bytes) -> bytes:
    if len(data) > MAX_ENTRY_BYTES:
        raise TextFault(f"an entry of {len(data)} bytes is above the limit of {MAX_ENTRY_BYTES}")
    return data


def parse(data: bytes) -> Entry:
    """Read one entry's bytes; raises TextFault when they are no entry at all."""
    try:
        return _ANY.validate_json(data)
    except (ValidationError, ValueError) as exc:
        raise TextFault(f"not a journal entry: {str(exc).splitlines()[0]}") from exc
