"""Mitutoyo gauges: a Digimatic interface box, and an ID-H indicator.

Sources: QM-Height user's manual 99MAF600B, 6.2.2 (data format of the box); ID-H0560 user's manual 99MAH016B, 4.2.4, p. 4-5.
"""

from decimal import Decimal

from pydantic import Field

from firmware_sim.gauges import Gauge, GaugeOptions, Mode


class SpcOptions(GaugeOptions):
    """A gauge at a channel of a Digimatic box."""

    channel: int = Field(default=1, ge=1, le=9)


class DigimaticBox(Gauge):
    """Any byte asks for the value; the data button sends it too."""

    def __init__(self, options: SpcOptions, now_ns: int) -> None:
        super().__init__(options, now_ns)
        self._channel = options.channel

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """There are no commands, so there is nothing to wait for the end of."""
        said = self.tick(now_ns)
        if self._booted_ns is not None or not data:
            return said
        return said + self.said(now_ns)

    def hear(self, line: bytes, now_ns: int) -> bytes:  # noqa: ARG002 - see receive
        return b""

    def said(self, now_ns: int) -> bytes:
        shown = self.shown(now_ns)
        digits = "" if shown is None else f"{abs(shown):0{8}f}"
        if shown is None or len(digits) > 8:
            return f"91{self._channel}\r".encode()
        sign = "-" if shown < 0 else "+"
        return f"0{self._channel}A{sign}{digits}\r".encode()


class IdhOptions(GaugeOptions):
    """An ID-H; its tip moves 60 mm."""

    decimals: int = Field(default=4, ge=3, le=5)
    identifier: int = Field(default=1, ge=0, le=99)


VALUE_WORDS: dict[Mode, str] = {"normal": "GN", "max": "GX", "min": "GM", "delta": "GW"}

MODE_WORDS: dict[str, Mode] = {"CN": "normal", "CX": "max", "CM": "min", "CW": "delta"}


class Idh(Gauge):
    """Commands of two letters and an identifier, answered with CR LF; those for other identifiers are not for it."""

    def __init__(self, options: IdhOptions, now_ns: int) -> None:
        super().__init__(options, now_ns)
        self._identifier = f"{options.identifier:02d}"
        self._judging = options.lower is not None

    def ends(self) -> bytes:
        return b"\r\n"

    def hear(self, line: bytes, now_ns: int) -> bytes:
        text = line.decode("latin-1")
        word, identifier, rest = text[:2], text[2:4], text[4:]
        if identifier not in {"00", self._identifier}:
            return b""
        if rest:
            return self._asked(word, rest, now_ns)
        if word == "GA":
            return self.said(now_ns)
        if word == "CR":
            self.zero(now_ns)
        elif word in MODE_WORDS:
            self.set_mode(MODE_WORDS[word], now_ns)
        elif word == "CL":
            self.forget_extremes(now_ns)
        else:
            return b""
        return self._line_of("CH")

    def said(self, now_ns: int) -> bytes:
        shown = self.shown(now_ns)
        if shown is None:
            return b""
        return self._line_of(VALUE_WORDS[self.mode], _signed(shown))

    def _asked(self, word: str, rest: str, now_ns: int) -> bytes:
        if word != "DJ":
            return b""
        match rest:
            case ",ON" | ",OFF":
                self._judging = rest == ",ON"
                return self._line_of("DH")
            case ",OUT":
                words = {"": "JOFF", "=": "OK", ">": "+NG", "<": "-NG"}
                return self._line_of("DH", words[self.judged(now_ns) if self._judging else ""])
            case _:
                return b""

    def _line_of(self, word: str, value: str | None = None) -> bytes:
        return f"{word}{self._identifier}{'' if value is None else ',' + value}\r\n".encode()


def _signed(shown: Decimal) -> str:
    """Sign, four digits, the point, and the decimals of the display."""
    whole, _, decimals = f"{abs(shown):f}".partition(".")
    return f"{'-' if shown < 0 else '+'}{whole:0>4}.{decimals}"
