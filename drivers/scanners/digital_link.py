"""GS1 Digital Link: the web address form of element strings. It is taken apart and never opened.

Sources: GS1 Digital Link Standard: URI Syntax 1.4, sections 4.3 to 4.10 (grammar, keys, qualifiers, attributes).
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from drivers.scanners import gs1
from drivers.scanners.gs1 import ElementFault, Elements

QUALIFIERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "00": ((),),
    "01": (("22", "10", "21"), ("235",)),
    "253": ((),),
    "255": ((),),
    "401": ((),),
    "402": ((),),
    "414": (("254",), ("7040",)),
    "417": (("7040",),),
    "8003": ((),),
    "8004": (("7040",),),
    "8006": (("22", "10", "21"),),
    "8010": (("8011",),),
    "8013": ((),),
    "8017": (("8019",),),
    "8018": (("8019",),),
}
"""Primary key -> what may follow it in the path, in this order; each may be left out (4.4, 4.5)."""

_QUALIFIER_NAMES = frozenset(name for choices in QUALIFIERS.values() for choice in choices for name in choice)

MAX_URI = 2048
"""Characters. The largest QR code holds more; no label with a legible address on it does, and no browser would take it."""

_URI = re.compile(
    r"(?:https?|HTTPS?)://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9\-._~:@!$&'()*+,;=%/]*)(?:\?(?P<query>[^#]*))?(?:#.*)?",
    re.ASCII,
)
_QUERY = re.compile(r"[A-Za-z0-9\-._~:@!$&'()*+,;=%/?]*", re.ASCII)
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)
_NUMBER = re.compile(r"[0-9]+", re.ASCII)

SHORT_GTINS = frozenset({8, 12, 13})


def find_key(text: str) -> tuple[str, str] | None:
    """The primary key and its value as written, when `text` is a web address whose path ends like a Digital Link."""
    if len(text) > MAX_URI or (found := _URI.fullmatch(text)) is None:
        return None
    pairs = _path_pairs(found["path"])
    return pairs[0] if pairs else None


def parse(text: str, *, permit_zero_suppressed_gtin: bool = False) -> Elements:
    """The element strings of an uncompressed Digital Link. Raises ElementFault.

    The last key in the path counts, for shops put whatever they like in front. `permit_zero_suppressed_gtin` takes a GTIN of
    8, 12 or 13 digits in the path for the 14 digits that the standard wants.
    """
    if len(text) > MAX_URI:
        raise ElementFault(f"an address of more than {MAX_URI} characters")
    found = _URI.fullmatch(text)
    if found is None or int(found["port"] or 0) > 65_535:
        raise ElementFault("no web address of the form that GS1 Digital Link allows")
    raw = _path_pairs(found["path"])
    if not raw:
        raise ElementFault("no GS1 key in the path of the address")
    pairs = [(ai, _decoded(value)) for ai, value in raw]
    key, value = pairs[0]
    _check_qualifiers(key, tuple(ai for ai, _ in pairs[1:]))
    if key == "01" and permit_zero_suppressed_gtin and len(value) in SHORT_GTINS:
        pairs[0] = (key, value.zfill(14))
    return gs1.parse_pairs([*pairs, *_attributes(found["query"] or "")])


def _path_pairs(path: str) -> list[tuple[str, str]]:
    """Key, qualifiers and their values, from the last key on; empty when the path does not end in one."""
    segments = path.split("/")
    for at in range(len(segments) - 2, -1, -2):
        if segments[at] in QUALIFIERS:
            rest = segments[at:]
            return list(zip(rest[::2], rest[1::2], strict=True))
        if segments[at] not in _QUALIFIER_NAMES:
            break
    return []


def _check_qualifiers(key: str, given: tuple[str, ...]) -> None:
    for allowed in QUALIFIERS[key]:
        if given == tuple(name for name in allowed if name in given):
            return
    raise ElementFault(f"({key}) is not followed by {'/'.join(given)} in the path")


def _attributes(query: str) -> Iterator[tuple[str, str]]:
    """Pairs of the query whose names are digits; names in letters are the shop's own (4.10)."""
    if _QUERY.fullmatch(query) is None:
        raise ElementFault("a character in the query that no address has")
    for part in re.split("[&;]", query):
        name, assigned, value = part.partition("=")
        if assigned and _NUMBER.fullmatch(name):
            yield name, _decoded(value.replace("+", " "))


def _decoded(text: str) -> str:
    if _PERCENT.search(text) is not None:
        raise ElementFault("a per cent sign without two hexadecimal digits")
    # Characters beyond ASCII are outside GS1's set and are refused with their field.
    return unquote_to_bytes(text).decode("latin-1")
