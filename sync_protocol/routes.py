"""Names that both sides use to reach each other."""

BATCHES = "/sync/v1/batches"
"""POST a frame, get an answer."""

FRAME_TYPE = "application/vnd.tallybox.frame"
ANSWER_TYPE = "application/json"

DOWN = "/down/v1/{scope}"
"""GET with `?cookie=`: the mirror patch of a station."""


def down(scope: str) -> str:
    """The path of one station's master data."""
    return DOWN.format(scope=scope)
