"""Register words to numbers: types, word and byte order, and the shortest decimal of a 32-bit float."""

import math
import struct
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Literal

NumberType = Literal["u16", "s16", "u32", "s32", "f32"]
Order = Literal["big", "little"]

WORDS: dict[str, int] = {"u16": 1, "s16": 1, "u32": 2, "s32": 2, "f32": 2}
"""Registers that a type takes."""

TYPE_NAMES: dict[str, NumberType] = {
    "u16": "u16",
    "uint16": "u16",
    "s16": "s16",
    "i16": "s16",
    "int16": "s16",
    "u32": "u32",
    "uint32": "u32",
    "s32": "s32",
    "i32": "s32",
    "int32": "s32",
    "f32": "f32",
    "float": "f32",
    "float32": "f32",
}
"""What papers call them."""

SMALLEST = Decimal("1e-9")
LARGEST = Decimal("1e15")
"""Measured values lie between these, or are zero. Floats read with the wrong order of words nearly never do."""


class NumberFault(ValueError):
    """Words that are no number of a measurement; never leaves this package."""


def whole_number(words: Sequence[int], kind: NumberType, *, word_order: Order = "big", byte_order: Order = "big") -> int:
    """The whole number in `WORDS[kind]` registers; of a float its bits."""
    value = 0
    for word in words if word_order == "big" else reversed(words):
        value = value << 16 | (word if byte_order == "big" else (word & 0xFF) << 8 | word >> 8)
    bits = 16 * len(words)
    return value - (1 << bits) if kind[0] == "s" and value >> (bits - 1) else value


def number(words: Sequence[int], kind: NumberType, *, word_order: Order = "big", byte_order: Order = "big") -> Decimal | None:
    """The number in `WORDS[kind]` registers, exactly; None for a float that is not a number. Raises NumberFault.

    A float becomes the shortest decimal that reads back as the same 32 bits: what the device's own display would show.
    """
    value = whole_number(words, kind, word_order=word_order, byte_order=byte_order)
    return shortest(value.to_bytes(4)) if kind == "f32" else Decimal(value)


@lru_cache(maxsize=256)
def shortest(data: bytes) -> Decimal | None:
    """The shortest decimal that reads back as these 4 bytes; None for NaN and infinity. Raises NumberFault."""
    (value,) = struct.unpack(">f", data)
    if not math.isfinite(value):
        return None
    if value == 0:
        return Decimal(0)
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if _packs_to(text, data):
            return _plausible(Decimal(text))
    raise NumberFault("a float without a decimal")  # pragma: no cover - nine digits tell all floats of 32 bits apart


def _packs_to(text: str, data: bytes) -> bool:
    try:
        return struct.pack(">f", float(text)) == data
    # The largest floats rounded up to fewer digits no longer fit.
    except OverflowError:
        return False


def _plausible(value: Decimal) -> Decimal:
    if not SMALLEST <= abs(value) < LARGEST:
        raise NumberFault(f"{value:.3e} is no measured value: is the order of words right?")
    exponent = value.as_tuple().exponent
    # Written out: 2e1 is twenty, and its digits are 20.
    return value.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else value
