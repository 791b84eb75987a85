"""What every camera is: something that takes one picture when asked, and the description of its kind.

A camera raises the drivers' errors only: LinkLost, NoAnswer, DeviceRefused, WireFault (no picture came), SettingsFault.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from drivers.api import Settings


@dataclass(frozen=True, slots=True)
class Still:
    """One picture as the camera gave it, byte for byte. `taken_from` is the address without login and query."""

    picture: bytes
    media: str
    """`image/jpeg` or `image/png`."""
    taken_from: str
    width: int
    height: int
    sha256: str
    encoded_here: bool = False
    """The camera gives no still pictures: this one was made of a frame of its video."""


class Camera(Protocol):
    """Takes one picture at a time; nothing is open between two of them."""

    async def take(self) -> Still:
        """A picture of now. Raises LinkLost, NoAnswer, DeviceRefused, WireFault or SettingsFault, and nothing else."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What cameras are given from outside: the wall clock, randomness, and where named passwords stand."""

    wall_ns: Callable[[], int] = time.time_ns
    entropy: Callable[[int], bytes] = os.urandom
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


@dataclass(frozen=True, slots=True)
class CameraKind:
    """One way to get a picture: its settings and how to make a camera of them."""

    name: str
    title: str
    settings: type[Settings]
    make: Callable[[Settings, Surroundings], Camera]
    models: tuple[str, ...]
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()
