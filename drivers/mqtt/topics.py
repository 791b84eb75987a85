"""Topics of MQTT: filters, what they match, and the origin of a message's envelope.

Source: MQTT 5.0, sections 4.7.1 (wildcards) and 4.7.2 (topics beginning with $).
"""

RETAINED = "\0retained"
"""Follows the topic in the origin of a message that the broker kept from earlier. No topic contains U+0000."""

BIRTH = "\0birth"
"""Follows the topic in the origin of what is kept of a birth (Sparkplug B), beside a message that cannot be read without."""

MAX_FILTERS = 32
"""Filters of one device: it publishes a handful of topics."""


class TopicFault(ValueError):
    """No topic filter."""


def check_filter(text: str) -> str:
    """The filter itself. Raises TopicFault for one that MQTT does not allow."""
    levels = text.split("/")
    if not text or len(text.encode("utf-8", "replace")) > 900 or "\0" in text:
        raise TopicFault("a topic filter has 1 to 900 bytes")
    if any(("#" in level and level != "#") or ("+" in level and level != "+") for level in levels) or "#" in levels[:-1]:
        raise TopicFault(f"{text[:80]!r}: + and # stand for whole levels, and # comes last")
    return text


def matches(wanted: str, topic: str) -> bool:
    """Whether a topic is one that the filter means. Topics of the broker itself ($SYS) are meant by name only."""
    if topic.startswith("$") and wanted[:1] in {"+", "#"}:
        return False
    levels = topic.split("/")
    for at, level in enumerate(wanted.split("/")):
        if level == "#":
            return True
        if at >= len(levels) or level not in {"+", levels[at]}:
            return False
    return len(levels) == wanted.count("/") + 1


def origin_of(topic: str, *, retained: bool) -> str:
    """The origin of a message's envelope."""
    return topic + RETAINED if retained else topic


def topic_of(origin: str) -> tuple[str, bool]:
    """The topic of an origin, and whether the broker kept the message from earlier."""
    return (origin.removesuffix(RETAINED), True) if origin.endswith(RETAINED) else (origin, False)
