"""Key events of the kernel as text: key codes by our own tables, so that no layout of the machine plays a part.

Sources: Linux include/uapi/linux/input-event-codes.h; Windows "Alt codes" as readers send them (Honeywell and Zebra guides,
chapters on keyboard wedge, ALT mode and control characters).
"""

import struct
from dataclasses import dataclass
from enum import Enum

from drivers.scanners.gs1 import GS
from drivers.scanners.layouts import KEY_CODES, LAYOUTS, NONE, LayoutName

EVENT = struct.Struct(">HHi")
"""One event of an envelope: type, code, value, big-endian. The kernel's time is left out: equal scans give equal bytes."""

EV_SYN, EV_KEY, EV_LED = 0x00, 0x01, 0x11
SYN_DROPPED = 3
LED_CAPSL = 1

RELEASED, PRESSED = 0, 1
"""Values of a key; 2 is the keyboard's own repeat, which no reader means."""

ENTERS = frozenset({28, 96})
TAB = 15
SPACE = 57
SHIFTS = frozenset({42, 54})
CONTROLS = frozenset({29, 97})
ALT = 56
RIGHT_ALT = 100
MODIFIERS = frozenset({*SHIFTS, *CONTROLS, ALT, RIGHT_ALT})

SILENT = frozenset({58, 69, 70, 125, 126})
"""Caps Lock, Num Lock, Scroll Lock, Windows keys: they make no character, and some readers press them around a code."""

KEYPAD = dict(zip((71, 72, 73, 75, 76, 77, 79, 80, 81, 82, 55, 74, 78, 83, 98, 117, 121), "7894561230*-+./=,", strict=True))

CONTROL_CHARACTERS = {"[": "\x1b", "\\": "\x1c", "]": "\x1d", "6": "\x1e", "-": "\x1f", "2": "\x00", "/": "\x1f"}
"""Ctrl and a key that is no letter, by the US keyboard."""

MAX_ALT_DIGITS = 5
"""Readers send 3 or 4; more is somebody playing on a keypad."""

_OTHER_NAMES = (
    "ESC:1 MINUS:12 EQUAL:13 BACKSPACE:14 TAB:15 LEFTBRACE:26 RIGHTBRACE:27 ENTER:28 LEFTCTRL:29 SEMICOLON:39 APOSTROPHE:40 "
    "GRAVE:41 LEFTSHIFT:42 BACKSLASH:43 COMMA:51 DOT:52 SLASH:53 RIGHTSHIFT:54 KPASTERISK:55 LEFTALT:56 SPACE:57 CAPSLOCK:58 "
    "NUMLOCK:69 SCROLLLOCK:70 KPMINUS:74 KPPLUS:78 KPDOT:83 102ND:86 F11:87 F12:88 KPENTER:96 RIGHTCTRL:97 KPSLASH:98 "
    "RIGHTALT:100 KPEQUAL:117 KPCOMMA:121"
)

KEY_NAMES = (
    {f"KEY_{char.upper()}": code for code, char in zip(KEY_CODES, LAYOUTS["us"].plain, strict=True) if char.isalnum()}
    | {f"KEY_KP{char}": code for code, char in KEYPAD.items() if char.isdigit()}
    | {f"KEY_F{number}": 58 + number for number in range(1, 11)}
    | {f"KEY_{name}": int(code) for name, _, code in (pair.partition(":") for pair in _OTHER_NAMES.split())}
)
"""The kernel's names, for settings and captures."""


class End(Enum):
    """A key that ends a code, where readers are set so."""

    ENTER = "enter"
    TAB = "tab"


@dataclass(frozen=True, slots=True)
class NoCharacter:
    """A key was pressed that stands for nothing in a code."""

    code: int


Stroke = str | End | NoCharacter | None


class Keyboard:
    """The keys that are down, and what each further one means. `caps_lock` None: as the light says."""

    def __init__(self, layout: LayoutName, separators: frozenset[int], *, caps_lock: bool | None) -> None:
        self._layout = LAYOUTS[layout]
        self._separators = separators
        self._caps_lock = caps_lock
        self._light = False
        self._down: set[int] = set()
        self._alt_digits = ""
        self._after_dead = False

    def standing(self) -> bytes:
        """Events that bring a new keyboard into this one's state: what the bytes of a code must begin with to be read again."""
        light = EVENT.pack(EV_LED, LED_CAPSL, 1) if self._light else b""
        return light + b"".join(EVENT.pack(EV_KEY, code, PRESSED) for code in sorted(self._down))

    def release_all(self) -> None:
        """Events were lost: what is down is no longer known."""
        self._down.clear()
        self._alt_digits = ""

    def light(self, on: bool) -> None:
        """The host's Caps Lock light, by which many readers turn their letters round."""
        self._light = on

    def key(self, code: int, value: int) -> Stroke:
        """What a key event adds to the code; None for nothing."""
        if value == RELEASED:
            return self._released(code)
        if value != PRESSED:
            return None
        if code in MODIFIERS:
            self._down.add(code)
            return None
        stroke = self._pressed(code)
        return _named(stroke) if isinstance(stroke, str) else stroke

    def _released(self, code: int) -> Stroke:
        self._down.discard(code)
        if code not in {ALT, RIGHT_ALT} or not self._alt_digits:
            return None
        digits, self._alt_digits = self._alt_digits, ""
        number = int(digits)
        if number > 0xFF or len(digits) > MAX_ALT_DIGITS:
            return NoCharacter(code)
        # Windows takes a leading zero for its own code page, and digits without one for the one of DOS.
        page = "cp1252" if digits.startswith("0") else "cp437"
        return _named(chr(number) if number < 0x80 else bytes([number]).decode(page, "replace"))

    def _pressed(self, code: int) -> Stroke:
        if code in self._separators:
            return GS
        if code in SILENT:
            return None
        if ALT in self._down or (RIGHT_ALT in self._down and not self._layout.altgr):
            return self._with_alt(code)
        if code in ENTERS:
            return End.ENTER
        if code == TAB:
            return End.TAB
        if self._down & CONTROLS and RIGHT_ALT not in self._down:
            return self._with_control(code)
        return self._character(code)

    def _with_alt(self, code: int) -> Stroke:
        digit = KEYPAD.get(code, "")
        if not digit.isdigit():
            return NoCharacter(code)
        if len(self._alt_digits) <= MAX_ALT_DIGITS:
            self._alt_digits += digit
        return None

    def _with_control(self, code: int) -> Stroke:
        for layout in (self._layout, LAYOUTS["us"]):
            char = layout.plain[KEY_CODES.index(code)] if code in KEY_CODES else NONE
            if char.isascii() and char.isalpha():
                return chr(ord(char.upper()) & 0x1F)
            if char in CONTROL_CHARACTERS:
                return CONTROL_CHARACTERS[char]
        return NoCharacter(code)

    def _character(self, code: int) -> Stroke:
        after_dead, self._after_dead = self._after_dead, False
        if code == SPACE:
            return None if after_dead else " "
        if code in KEYPAD:
            return KEYPAD[code]
        if code not in KEY_CODES:
            return NoCharacter(code)
        char = self._level()[KEY_CODES.index(code)]
        if char == NONE:
            return NoCharacter(code)
        self._after_dead = char in self._layout.dead
        caps = self._light if self._caps_lock is None else self._caps_lock
        return char.swapcase() if caps and char.isascii() and char.isalpha() else char

    def _level(self) -> str:
        if RIGHT_ALT in self._down:
            return self._layout.altgr
        return self._layout.shifted if self._down & SHIFTS else self._layout.plain


def _named(char: str) -> str | End:
    """Control characters that are keys of their own: readers send either."""
    if char in "\r\n":
        return End.ENTER
    return End.TAB if char == "\t" else char
