"""The kiosk's three sounds, rendered from numbers: short and rising for accepted, long and low for rejected, two for a look."""

import io
import math
import struct
import wave
from typing import Final

from edge.jobs.news import Sound

RATE: Final = 22_050

# (frequency in hertz, milliseconds); 0 Hz is silence. Rejected is longer and lower than the others, so that it is told apart
# in noise and by people who hear badly above 2 kHz (ISO 7731: signals between 500 and 2500 Hz, the important one lower).
TONES: Final[dict[Sound, tuple[tuple[int, int], ...]]] = {
    Sound.ACCEPTED: ((1320, 70), (1760, 90)),
    Sound.REJECTED: ((330, 220), (0, 60), (262, 380)),
    Sound.LOOK_HERE: ((880, 110), (0, 70), (880, 110)),
}
_LOUDNESS: Final = 0.6
_RAMP_MS: Final = 8
"""Rise and fall of every tone: a bare start is heard as a click."""


def render(sound: Sound) -> bytes:
    """The sound as a WAV file: one channel, 16 bits, the same bytes on every machine."""
    samples = [sample for hertz, ms in TONES[sound] for sample in _tone(hertz, ms)]
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return file.getvalue()


def _tone(hertz: int, ms: int) -> list[int]:
    count, ramp = RATE * ms // 1000, RATE * _RAMP_MS // 1000
    peak = 32_767 * _LOUDNESS if hertz else 0.0
    wave_at = [math.sin(2 * math.pi * hertz * n / RATE) + 0.3 * math.sin(4 * math.pi * hertz * n / RATE) for n in range(count)]
    return [round(peak / 1.3 * min(1.0, n / ramp, (count - n) / ramp) * value) for n, value in enumerate(wave_at)]
