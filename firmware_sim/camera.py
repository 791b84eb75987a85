"""A network camera: what it sees, what its operator does to it, and the answers it gives to requests. No I/O.

Sources: RFC 9110 and RFC 7616 (HTTP, Digest), ONVIF Core and Media specifications (see firmware_sim.camera_onvif).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from firmware_sim import actions
from firmware_sim.actions import Action, LabelText
from firmware_sim.camera_scene import GS1, SYMBOLS, Scene, Shown, picture, symbol
from firmware_sim.errors import ActionRefused

SNAPSHOT = "/picture.jpg"
STREAM = "/stream.mjpg"
MOVED = "/"
"""Sends on to SNAPSHOT, as the page of a camera does."""

WARM_UP = 3
"""Pictures of a stream until the exposure has settled."""

MAX_LABELS = 6
"""What fits the carton."""

_GTIN = Shown("7290000000015", "]E0")


class CameraOptions(BaseModel):
    """Settings of one camera. Without `user` it lets everybody look."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: str = ""
    password: str = ""
    auth: Literal["digest", "digest-sha256", "basic"] = "digest"
    width: int = Field(default=1280, ge=320, le=4096)
    height: int = Field(default=960, ge=240, le=4096)
    boot_s: float = Field(default=1.0, ge=0, le=60)
    clock_ahead_s: float = 0.0
    """How wrong the camera's clock is: ONVIF tokens are judged by it."""
    lengths: bool = True
    """Whether the parts of its stream say how long they are."""
    boundary: str = Field(default="frame", pattern=r"^[-A-Za-z0-9]{1,60}$")
    frame_s: float = Field(default=0.1, ge=0.01, le=10)


class Trouble(StrEnum):
    """What is wrong with a camera, by the key that is pressed for it; `well` ends it."""

    SILENT = "silent"
    """Takes requests and never answers."""
    CUT = "cut"
    """Breaks the connection in the middle of a picture."""
    GARBAGE = "garbage"
    """Sends something that is no picture."""
    REFUSING = "refusing"
    """Out of order by its own word: HTTP 500."""


@dataclass(slots=True)
class Camera:
    """The camera's state. Keys: cover, uncover, blur, focus, silent, cut, garbage, refusing, well."""

    options: CameraOptions
    labels: tuple[Shown, ...] = (_GTIN,)
    covered: bool = False
    blurred: bool = False
    trouble: Trouble | None = None
    taken: int = 0
    booted_ns: int = 0

    def shoot(self, *, warm: int = WARM_UP) -> bytes:
        """The next picture; `warm` counts pictures of a stream since it began."""
        self.taken += 1
        if self.trouble is Trouble.GARBAGE:
            return b"<html>no picture</html>"
        light = 0.0 if self.covered else min(1.0, 0.2 + 0.8 * warm / WARM_UP)
        size = self.options.width, self.options.height
        return picture(Scene(*size, self.labels, light, self.blurred, self.taken))

    def booting(self, now_ns: int) -> bool:
        """Whether it was switched on just now and does not answer yet."""
        return now_ns < self.booted_ns

    def receive(self, data: bytes, now_ns: int) -> bytes:  # noqa: ARG002 - a camera is asked over HTTP (firmware_sim.camera_http)
        return b""

    def tick(self, now_ns: int) -> bytes:  # noqa: ARG002 - the same
        return b""

    def due_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - the same
        return None

    def act(self, action: Action, now_ns: int) -> bytes:
        match action:
            case actions.Scan():
                self.labels = (_shown(action),)
            case actions.LayOut():
                if len(action.labels) > MAX_LABELS:
                    raise ActionRefused(f"{MAX_LABELS} labels fit before the camera")
                self.labels = tuple(_shown(label) for label in action.labels)
            case actions.NoRead():
                self.labels = ()
            case actions.Press():
                self._press(action.key)
            case actions.PowerCycle():
                self.booted_ns = now_ns + int(self.options.boot_s * 1e9)
                self.trouble = None
            case _:
                raise ActionRefused(f"a camera cannot {action.action}")
        return b""

    def _press(self, key: str) -> None:
        match key:
            case "cover" | "uncover":
                self.covered = key == "cover"
            case "blur" | "focus":
                self.blurred = key == "blur"
            case "well":
                self.trouble = None
            case _ if key in set(Trouble):
                self.trouble = Trouble(key)
            case _:
                raise ActionRefused(f"a camera has no key {key}")

    def state(self, now_ns: int) -> Mapping[str, object]:
        return {
            "labels": [label.text for label in self.labels],
            "covered": self.covered,
            "blurred": self.blurred,
            "trouble": self.trouble,
            "taken": self.taken,
            "booting": self.booting(now_ns),
        }


def _shown(label: LabelText | actions.Scan) -> Shown:
    shown = Shown(label.text, label.symbology_id or "]C0")
    if shown.symbology_id not in SYMBOLS:
        raise ActionRefused(f"a camera's label is one of {', '.join(SYMBOLS)}")
    if shown.symbology_id in GS1 and not shown.text.startswith("("):
        raise ActionRefused("element strings are given in brackets: (01)07290000000015(10)A7")
    try:
        symbol(shown)
    except ValueError as exc:
        raise ActionRefused(f"this text does not fit its symbol: {exc}") from exc
    return shown
