"""From a profile to a driver like any other: its conversation, its settings, its description."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, create_model

from drivers.api import Codec, Decoded, Driver, DriverInfo, Kind, Mode, Settings, SettingsFault, Status, Tier
from drivers.framing import FrameBuffer
from drivers.kinds import KINDS_OF, kind_of
from drivers.profiles.cutting import LengthBuffer
from drivers.profiles.loading import Loaded
from drivers.profiles.reading import Rules
from drivers.profiles.schema import Profile
from drivers.settings import own_settings, read_settings
from drivers.talk import Command, Framer, Talk, TalkCodec, decode_frames
from sync_protocol.quantity import UNITS

MS_NS = 1_000_000


class ProfiledSettings(Settings):
    """Settings of an instrument whose profile is shipped."""


class PolledSettings(ProfiledSettings):
    """The same, for one that is asked."""

    interval_ms: int | None = Field(
        default=None,
        ge=20,
        le=60_000,
        description="Pause between two questions in milliseconds; the profile's own when left out.",
    )


class UnitSettings(ProfiledSettings):
    """The same, for one that does not say its unit."""

    unit: str | None = Field(default=None, description="Unit that the instrument is set to; the profile's own when left out.")


def talk_of(loaded: Loaded, interval_ms: int | None = None) -> Talk:
    """The conversation of a profile."""
    profile, rules = loaded.profile, loaded.rules
    poll, stream, idle_ms = profile.poll, profile.stream, profile.framing.idle_ms
    more: dict[str, Any] = {}
    if poll is not None:
        more |= {
            "ask": poll.ask.encode("latin-1"),
            "interval_ns": (interval_ms or poll.interval_ms) * MS_NS,
            "answer_timeout_ns": poll.timeout_ms * MS_NS,
        }
    if stream is not None:
        more |= {"silence_ns": stream.silence_ms * MS_NS, "start": stream.start.encode("latin-1") if stream.start else None}
    return Talk(
        framer=lambda: framer_of(profile),
        read=rules.read,
        commands={
            name: Command(
                send=command.send.encode("latin-1"), timeout_ns=command.timeout_ms * MS_NS, answered=command.answer is not None
            )
            for name, command in profile.commands.items()
        },
        # A line that says nothing is not what was asked for: the answer is still to come.
        answers_question=lambda item: not isinstance(item, Status),
        idle_ns=None if idle_ms is None else idle_ms * MS_NS,
        **more,
    )


def framer_of(profile: Profile) -> Framer:
    """What cuts the stream of such an instrument into lines."""
    framing = profile.framing
    if framing.length is not None:
        return LengthBuffer(framing.start.encode("latin-1"), framing.length)
    ends = () if framing.idle_ms is not None else tuple(end.encode("latin-1") for end in framing.ends)
    return FrameBuffer(ends, framing.longest)


@dataclass(frozen=True, slots=True)
class _Profiled:
    """What a shipped profile's driver does."""

    loaded: Loaded
    settings: type[ProfiledSettings]

    def make_codec(self, settings: Settings) -> Codec:
        return TalkCodec(self._talk(own_settings(self.settings, settings)))

    def decode(self, capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
        return decode_frames(self._talk(read_settings(self.settings, values)), capture)

    def _talk(self, settings: ProfiledSettings) -> Talk:
        loaded = self.loaded
        if isinstance(settings, UnitSettings) and settings.unit is not None:
            loaded = in_unit(loaded, settings.unit)
        return talk_of(loaded, settings.interval_ms if isinstance(settings, PolledSettings) else None)


def driver_of(loaded: Loaded, *, tier: Tier) -> Driver:
    """The driver of a shipped profile."""
    profile = loaded.profile
    settings = _settings_of(profile)
    does = _Profiled(loaded, settings)
    return Driver(
        info=DriverInfo(
            name=profile.name,
            title=profile.title,
            kinds=kinds_of(profile),
            transports=("serial", "tcp"),
            models=profile.models,
            sources=profile.sources,
            serial_defaults=profile.line.model_dump(),
            commands=tuple(profile.commands),
            modes=(mode_of(profile),),
            notes=profile.notes,
            tier=tier,
        ),
        settings=settings,
        make_codec=does.make_codec,
        decode=does.decode,
    )


def _settings_of(profile: Profile) -> type[ProfiledSettings]:
    """A model of its own for each, so that the settings of one are not taken for those of another."""
    bases: tuple[type[ProfiledSettings], ...] = (
        *((PolledSettings,) if profile.poll is not None else ()),
        *((UnitSettings,) if profile.reading.unit is not None else ()),
    )
    return create_model(f"{profile.name.title().replace('-', '')}Settings", __base__=bases or (ProfiledSettings,))


def in_unit(loaded: Loaded, unit: str) -> Loaded:
    """The same profile for an instrument that is set to another unit. Raises SettingsFault."""
    profile = loaded.profile
    if unit not in UNITS or kind_of(unit, profile.kind) is not profile.kind:
        raise SettingsFault(f"unit: {profile.kind} is not measured in {unit[:20]!r}", setting="unit")
    changed = profile.model_copy(update={"reading": profile.reading.model_copy(update={"unit": unit})})
    return Loaded(changed, Rules.of(changed))


def mode_of(profile: Profile) -> Mode:
    """How such an instrument comes to speak."""
    if profile.poll is not None:
        return Mode.POLL
    return Mode.AUTOPRINT if profile.stream is None else Mode.STREAM


def kinds_of(profile: Profile) -> frozenset[Kind]:
    """What such an instrument can give: its own kind, and what its other units measure."""
    others = (KINDS_OF.get(UNITS[unit][0], (Kind.QUANTITY,)) for unit in profile.reading.units.values())
    return frozenset({profile.kind, *(kinds[0] for kinds in others if profile.kind not in kinds)})
