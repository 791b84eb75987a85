"""Whose badge was scanned, told as the core keeps badges: by their scrypt, with one salt for all."""

import hashlib
from typing import Final

from edge.mirror.view import MasterView
from sync_protocol.masters import Person

MAX_BADGE: Final = 128
"""Characters of a badge's code: more is some other code."""

# The core's parameters (RFC 7914, 2: N, r, p): 16 MiB and some 50 ms on a core, up to half a second on a small box.
_N, _R, _P, _LENGTH = 2**14, 8, 1, 32


def person_of(code: str, masters: MasterView) -> Person | None:
    """The person whose badge this is. Takes as long as a PIN: call it in a thread where the event loop must not wait."""
    station = masters.station()
    if station is None or not station.badge_salt or not 0 < len(code) <= MAX_BADGE:
        return None
    salt = bytes.fromhex(station.badge_salt)
    hashed = hashlib.scrypt(code.encode(), salt=salt, n=_N, r=_R, p=_P, dklen=_LENGTH).hex()
    return next((person for person in masters.people() if person.badge_hash == hashed), None)
