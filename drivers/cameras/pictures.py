"""From bytes that a camera calls a picture to a Still: it is a JPEG or PNG, whole, and of a size that can be handled."""

import hashlib
import io

from PIL import Image

from drivers.api import WireFault
from drivers.cameras.api import Still

MAX_PICTURE = 20 * 1024 * 1024
"""Bytes of one picture: a 12 megapixel camera at its best quality makes 8 MB."""

MAX_PIXELS = 64_000_000
"""Of one picture: beyond any industrial camera. A few kilobytes can claim to be any size, and opening costs 3 bytes a pixel."""

FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png"}

MEDIA = FORMATS | {"MPO": "image/jpeg"}
"""By what Pillow calls an opened picture: MPO is a JPEG with more pictures behind the first (CIPA DC-007)."""

QUALITY = 92
"""Of a frame that the box encodes itself: small print stays readable, at half the size of 98."""


def opened(picture: bytes, *, grey: bool = False) -> Image.Image:
    """The picture decoded; of a JPEG only its brightness with `grey`, which takes a third of the memory.

    Raises WireFault for what is none, is cut off, or is too large to open.
    """
    try:
        image = Image.open(io.BytesIO(picture), formats=tuple(FORMATS))
        if image.width * image.height > MAX_PIXELS:
            raise WireFault(f"a picture of {image.width} x {image.height} is too large to open")
        if grey:
            image.draft("L", image.size)
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise WireFault("a picture that is too large to open") from exc
    except (OSError, SyntaxError, ValueError) as exc:  # Pillow has no root of its own: these three come out of broken files
        raise WireFault("what came is no whole JPEG or PNG picture") from exc
    return image


def still_of(picture: bytes, taken_from: str) -> Still:
    """Check what a camera sent and keep it as it came. Decodes it whole: call it in a thread. Raises WireFault."""
    image = opened(picture, grey=True)
    media = MEDIA[image.format or "JPEG"]
    return Still(picture, media, taken_from, image.width, image.height, hashlib.sha256(picture).hexdigest())


def encoded(image: Image.Image, taken_from: str) -> Still:
    """A still of a frame that no camera made into a picture."""
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=QUALITY)
    picture = out.getvalue()
    sha256 = hashlib.sha256(picture).hexdigest()
    return Still(picture, "image/jpeg", taken_from, image.width, image.height, sha256, encoded_here=True)
