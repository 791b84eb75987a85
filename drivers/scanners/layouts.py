"""Keyboard layouts, and what a wrong one does to a code that was typed by a reader: which key gives which character where.

A reader in keyboard mode presses the keys of the layout it was set to; a computer turns keys into the characters of its own.
Where both are known the damage is undone; where they are not it can at times be seen.
Sources: xkeyboard-config, symbols/{us,gb,de,ch,fr,it,es,se,il}; SI 1452 (Hebrew).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

LayoutName = Literal["us", "gb", "de", "ch", "fr", "it", "es", "se", "il"]

NAMES: tuple[LayoutName, ...] = get_args(LayoutName)

KEY_CODES = (
    *(41, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13),
    *(16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 43),
    *(30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40),
    *(86, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53),
)
"""The keys that carry characters, row by row from the one left of 1, as linux/input-event-codes.h numbers them."""

NONE = "␀"
"""Stands in the tables where a key gives no character that codes have."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The characters of KEY_CODES alone, with Shift, and with the right Alt key (ASCII only)."""

    plain: str
    shifted: str
    altgr: str = ""
    dead: str = ""
    """Characters whose key waits for the next one; readers follow it with a blank."""

    def levels(self) -> tuple[str, ...]:
        return (self.plain, self.shifted, self.altgr) if self.altgr else (self.plain, self.shifted)


LAYOUTS: Mapping[LayoutName, Layout] = {
    "us": Layout(
        "`1234567890-=qwertyuiop[]\\asdfghjkl;'\\zxcvbnm,./",
        '~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:"|ZXCVBNM<>?',
    ),
    "gb": Layout(
        "`1234567890-=qwertyuiop[]#asdfghjkl;'\\zxcvbnm,./",
        '¬!"£$%^&*()_+QWERTYUIOP{}~ASDFGHJKL:@|ZXCVBNM<>?',
    ),
    "de": Layout(
        "^1234567890ß´qwertzuiopü+#asdfghjklöä<yxcvbnm,.-",
        "°!\"§$%&/()=?`QWERTZUIOPÜ*'ASDFGHJKLÖÄ>YXCVBNM;:_",
        "␀␀␀␀␀␀␀{[]}\\␀@␀€␀␀␀␀␀␀␀␀~␀␀␀␀␀␀␀␀␀␀␀␀|␀␀␀␀␀␀␀␀␀␀",
        dead="^`´",
    ),
    "ch": Layout(
        "§1234567890'^qwertzuiopü¨$asdfghjklöä<yxcvbnm,.-",
        '°+"*ç%&/()=?`QWERTZUIOPè!£ASDFGHJKLéà>YXCVBNM;:_',
        "␀|@#␀␀␀|␀]}␀␀@␀€␀␀␀␀␀␀␀[]}␀␀␀␀␀␀␀␀␀␀{\\␀␀␀␀␀␀␀␀␀␀",
        dead="^`¨",
    ),
    "fr": Layout(
        "²&é\"'(-è_çà)=azertyuiop^$*qsdfghjklmù<wxcvbn,;:!",
        "~1234567890°+AZERTYUIOP¨£µQSDFGHJKLM%>WXCVBN?./§",
        "␀␀~#{[|`\\^@]}␀␀€␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀",
        dead="^¨",
    ),
    "it": Layout(
        "\\1234567890'ìqwertyuiopè+ùasdfghjklòà<zxcvbnm,.-",
        '|!"£$%&/()=?^QWERTYUIOPé*§ASDFGHJKLç°>ZXCVBNM;:_',
        "␀␀␀␀␀␀␀{[]}`~@␀€␀␀␀␀␀␀␀[]␀␀␀␀␀␀␀␀␀␀@#␀␀␀␀␀␀␀␀␀␀␀",
    ),
    "es": Layout(
        "␀1234567890'¡qwertyuiop`+çasdfghjklñ´<zxcvbnm,.-",
        'ª!"·$%&/()=?¿QWERTYUIOP^*ÇASDFGHJKLÑ¨>ZXCVBNM;:_',
        "\\|@#~␀␀{[]}\\␀@␀€␀␀␀␀␀␀␀[]}␀␀␀␀␀␀␀␀␀␀{␀␀␀␀␀␀␀␀␀␀␀",
        dead="^`¨´",
    ),
    "se": Layout(
        "§1234567890+´qwertyuiopå¨'asdfghjklöä<zxcvbnm,.-",
        '½!"#¤%&/()=?`QWERTYUIOPÅ^*ASDFGHJKLÖÄ>ZXCVBNM;:_',
        "␀␀@␀$€␀{[]}\\␀@␀€␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀|␀␀␀␀␀␀␀␀␀␀",
        dead="^`¨´",
    ),
    "il": Layout(
        ";1234567890-=/'קראטוןםפ][\\שדגכעיחלךף,␀זסבהנמצתץ.",
        '~!@#$%^&*)(_+QWERTYUIOP}{|ASDFGHJKL:"␀ZXCVBNM><?',
    ),
}


@cache
def _repair_table(typed_through: LayoutName, reader: LayoutName) -> dict[int, str]:
    """Character as it arrived -> character that the reader meant. A character of two keys is taken for the plainer one."""
    table: dict[int, str] = {}
    for seen, meant in zip(LAYOUTS[typed_through].levels(), LAYOUTS[reader].levels(), strict=False):
        for wrong, right in zip(seen, meant, strict=True):
            if NONE not in (wrong, right):
                table.setdefault(ord(wrong), right)
    return table


@dataclass(frozen=True, slots=True)
class Repaired:
    """Text as the reader meant it; `lost` are characters that the layout it was typed through does not give."""

    text: str
    lost: str


def repair(text: str, *, typed_through: LayoutName, reader: LayoutName = "us") -> Repaired:
    """Undo the damage of a known layout, one character for one. Control characters and blanks pass."""
    table = _repair_table(typed_through, reader)
    lost = "".join(sorted({char for char in text if ord(char) > 0x20 and ord(char) not in table}))
    return Repaired(text.translate(table), lost)
