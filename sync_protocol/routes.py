"""Names that both sides use to reach each other, by HTTPS and by MQTT 5."""

BATCHES = "/sync/v1/batches"
"""POST a frame, get an answer."""

FRAME_TYPE = "application/vnd.tallybox.frame"
FRAME_ZSTD_TYPE = "application/vnd.tallybox.frame+zstd"
"""The same frame in one zstd frame (RFC 8878); only to a cloud whose answers name that coding."""

ANSWER_TYPE = "application/json"

SESSION_TYPE = "application/vnd.tallybox.session"
"""By MQTT, on a box's own topic: what POST to SESSION is by HTTPS, answered like a frame. Its content is the highest lease that
the box has seen, in decimal."""

SESSION = "/sync/v1/session"
"""POST with `?last=`, the highest lease that the box has seen: a new one (`sync_protocol.commands.Session`)."""

EVENTS = "/sync/v1/events"
"""GET with `?lease=`: server-sent events, each a `sync_protocol.commands.Down`."""

DOWN = "/down/v1/{scope}"
"""GET with `?cookie=`: the mirror patch of a station."""

BLOBS = "/blobs/v1"
"""Resumable upload, tus 1.0: POST creates, HEAD tells the offset, PATCH goes on."""

SHARED_UP = "$share/ingest/v1/+/up"
"""What the cloud's workers subscribe to, each frame reaching one of them."""


def down(scope: str) -> str:
    """The path of one station's master data."""
    return DOWN.format(scope=scope)


def topic_up(box: str) -> str:
    """Where a box publishes frames: content type and correlation data as MQTT 5 properties."""
    return f"v1/{box}/up"


def topic_ack(box: str) -> str:
    """Where the answers come, each with the correlation data of its frame."""
    return f"v1/{box}/ack"


def topic_down(box: str) -> str:
    """Where the cloud says that there is something new, or gives a command."""
    return f"v1/{box}/down"


def topic_will(box: str) -> str:
    """Where the broker says that a box's connection ended without a word: a hint, and never kept."""
    return f"v1/{box}/will"
