"""The checksum with which a till logs on to a Dialog 06 scale: the till's own checksum and its correction, both rotated.

Source: Checkout-Dialog 06, records 10 and 11. The polynomial is given out by the maker of the scale with the till's approval.
"""

from dataclasses import dataclass

WORD_BITS = 16


@dataclass(frozen=True, slots=True)
class LogOn:
    """What the till logs on with. `polynomial` has 17 bits, the highest set."""

    polynomial: int
    checksum: int

    def answer(self, number: str) -> str:
        """Checksum and correction for the scale's random number of two hexadecimal digits, as eight capital ones."""
        left, right = (int(digit, 16) for digit in number)
        checksum = rotated_left(self.checksum, left)
        # To the right by n is to the left by 16 - n.
        correction = rotated_left(self.correction(), WORD_BITS - right)
        return f"{checksum:04X}{correction:04X}"

    def correction(self) -> int:
        """The remainder that makes checksum and correction together a multiple of the polynomial."""
        rest = self.checksum << WORD_BITS
        for bit in range(2 * WORD_BITS - 1, WORD_BITS - 1, -1):
            if rest >> bit & 1:
                rest ^= self.polynomial << (bit - WORD_BITS)
        return rest


def rotated_left(word: int, bits: int) -> int:
    """A word of 16 bits, turned."""
    bits %= WORD_BITS
    return (word << bits | word >> (WORD_BITS - bits)) & 0xFFFF
