"""A Sylvac instrument with two-way RS-232.

Sources: Sylvac Power operating instructions, p. 15 (formats and error numbers); Sylvac Z_CAL user's manual, p. 10 (commands).
"""

from pydantic import Field

from firmware_sim.gauges import Gauge, GaugeOptions, Mode

MODES: dict[str, Mode] = {"NOR": "normal", "MAX": "max", "MIN": "min", "DEL": "delta"}


class SylvacOptions(GaugeOptions):
    """A dial gauge."""

    identification: str = Field(default="SYLVAC S_DIAL", pattern=r"^[ -~]{1,40}$")
    knows_unit: bool = True
    """Older instruments do not answer UNI?."""


class SylvacInstrument(Gauge):
    """Commands of three letters in any case, each ended by CR; questions are answered, settings are not."""

    def __init__(self, options: SylvacOptions, now_ns: int) -> None:
        super().__init__(options, now_ns)
        self._identification = options.identification
        self._knows_unit = options.knows_unit
        self._locked = False

    def hear(self, line: bytes, now_ns: int) -> bytes:
        word = line.decode("latin-1").replace(" ", "").upper()
        if word in {"?", "PRI"}:
            return self.said(now_ns)
        if word.endswith("?"):
            return self._question(word)
        return b"" if self._setting(word, now_ns) else b"ERR1\r"

    def said(self, now_ns: int) -> bytes:
        if not self.probe:
            return b"ERR0\r"
        shown = self.shown(now_ns)
        if shown is None:
            return b"ERR3\r"
        whole, _, decimals = f"{abs(shown):f}".partition(".")
        return f"{'-' if shown < 0 else '+'}{whole:0>3}.{decimals}{self.judged(now_ns)}\r".encode()

    def _question(self, word: str) -> bytes:
        answers = {
            "ID?": self._identification,
            "MOD?": next(name for name, mode in MODES.items() if mode == self.mode),
            "BAT?": "BAT1",
            "SET?": f"{self.unit.upper()} RES3 REF1 KEY{int(not self._locked)} B0",
        }
        if self._knows_unit:
            answers["UNI?"] = self.unit.upper()
        answer = answers.get(word)
        return b"ERR1\r" if answer is None else f"{answer}\r".encode()

    def _setting(self, word: str, now_ns: int) -> bool:
        """Whether the instrument knows this setting."""
        match word:
            case "MM":
                self.unit = "mm"
            case "IN":
                self.unit = "in"
            case "SET":
                self.zero(now_ns)
            case "CLE":
                self.forget_extremes(now_ns)
            case "KEY0" | "KEY1":
                self._locked = word == "KEY0"
            case _ if word in MODES:
                self.set_mode(MODES[word], now_ns)
            case _:
                return False
        return True

    def _press(self, key: str, now_ns: int) -> bytes:
        return b"" if self._locked and key != "data" else super()._press(key, now_ns)
