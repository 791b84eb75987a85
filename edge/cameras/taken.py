"""A picture that was taken, looked at, and what is kept beside it."""

import json
from dataclasses import dataclass
from typing import Final

from drivers.api import Reading
from drivers.cameras.api import Still
from drivers.cameras.checks import Finding, Limits, Look, look_at
from drivers.cameras.codes import codes_in
from drivers.cameras.pictures import opened
from sync_protocol.wiretext import clean

MAX_CODES_TEXT: Final = 4096
"""Characters of the codes beside a picture: a label's are 200. What does not fit is counted, and stands in the picture."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A picture of this box, durable and in the journal under its SHA-256."""

    camera: str
    sha256: str
    media: str
    size: int
    width: int
    height: int
    findings: tuple[Finding, ...]
    codes: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found in a still."""

    look: Look
    codes: tuple[Reading, ...]


def examine(still: Still, limits: Limits, *, codes: bool) -> Seen:
    """Measure a still and look for codes. Up to seconds: call it in a thread."""
    image = opened(still.picture, grey=True)
    return Seen(look_at(image, limits), tuple(codes_in(image, still.sha256)) if codes else ())


def about_of(camera: str, still: Still, limits: Limits, seen: Seen) -> dict[str, str]:
    """What the journal says of the file: whose it is, what it measures, what was found, and by which limits."""
    about = {"device": camera, "taken_from": clean(still.taken_from), "width": str(still.width), "height": str(still.height)}
    if still.encoded_here:
        about["encoded_here"] = "true"
    about |= seen.look.about() | {"limits": json.dumps(limits.model_dump(), sort_keys=True)}
    return about | _codes(seen.codes)


def _codes(codes: tuple[Reading, ...]) -> dict[str, str]:
    """The codes as a JSON list of what a reader with AIM identifiers would send."""
    if not codes:
        return {}
    texts = [f"{code.details.get('symbology_id', '')}{code.value}" for code in codes]
    fitting: list[str] = []
    for text in texts:
        if len(json.dumps([*fitting, text])) > MAX_CODES_TEXT:
            break
        fitting.append(text)
    left_out = {"codes_left_out": str(len(texts) - len(fitting))} if len(fitting) < len(texts) else {}
    return {"codes": json.dumps(fitting)} | left_out
