"""Text that came over a wire or from another system: bounded and cleaned before a log, a file or a page shows it."""

import unicodedata

# Bidi embeddings, overrides, isolates and marks (Unicode UAX 9): text carrying them can
# be made to look like other text. They are dropped on the way in; pages isolate values themselves.
BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

LIMIT = 256
"""Characters. The longest thing a person is shown from a wire is a 2D code's text; a label line holds far less."""


def clean(text: str, limit: int = LIMIT) -> str:
    """`text` without bidi controls, with control characters shown as their pictures, cut to `limit`."""
    shown = "".join(_visible(char) for char in text[: limit + 1] if char not in BIDI_CONTROLS)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _visible(char: str) -> str:
    if char < "\x20":
        return chr(0x2400 + ord(char))
    if char == "\x7f":
        return "\u2421"
    # Lone surrogates, private use and unassigned code points cannot be shown or stored everywhere.
    return "\ufffd" if unicodedata.category(char) in {"Cc", "Cs", "Co", "Cn"} else char
