"""A Mahr Millimar C1202 with up to three features.

Source: Mahr Millimar C1202 operating instructions, 7.2, p. 82: `?` and `Mn?`, ERR6 for a feature that is off, `=`, `<`, `>`.
"""

from collections.abc import Mapping
from decimal import Decimal

from pydantic import Field

from firmware_sim.errors import ActionRefused
from firmware_sim.gauges import Gauge, GaugeOptions, Tip


class MahrOptions(GaugeOptions):
    """An amplifier; feature 1 is the gauge's own value, the others stand where they are put."""

    features: int = Field(default=1, ge=1, le=3)


class Millimar(Gauge):
    """Features 1 to 3; those above the number in use are switched off."""

    def __init__(self, options: MahrOptions, now_ns: int) -> None:
        super().__init__(options, now_ns)
        self._features = options.features
        settle_ns = options.settle_ms * 1_000_000
        self._more = {number: Tip(options.value, settle_ns, now_ns) for number in range(2, options.features + 1)}

    def measure(self, value: Decimal | None, what: str | None, now_ns: int) -> None:
        """`what` is the number of the feature."""
        if what in {None, "1"}:
            super().measure(value, None, now_ns)
            return
        tip = self._more.get(int(what)) if what is not None and what.isdecimal() else None
        if tip is None or value is None:
            raise ActionRefused(f"feature {what} is switched off, or has no probe to take off")
        tip.move(value, now_ns)

    def state(self, now_ns: int) -> Mapping[str, object]:
        return {**super().state(now_ns), **{f"feature_{number}": f"{tip.at(now_ns):f}" for number, tip in self._more.items()}}

    def hear(self, line: bytes, now_ns: int) -> bytes:
        text = line.decode("latin-1").strip()
        if text == "?":
            return self.said(now_ns)
        if len(text) == 3 and text[0] == "M" and text[2] == "?" and text[1] in "123":
            return self._feature(int(text[1]), now_ns).encode() + b"\r"
        if text == "ID?":
            return b"1 T 5312020 1 S 0707123\r"
        return b""

    def said(self, now_ns: int) -> bytes:
        return ";".join(self._feature(number, now_ns) for number in range(1, 4)).encode() + b"\r"

    def _feature(self, number: int, now_ns: int) -> str:
        if number > self._features:
            return f"{number} ERR6"
        shown = self.shown(now_ns) if number == 1 else self._rounded(self._more[number].at(now_ns))
        if shown is None:
            return f"{number} ERR6"
        whole, _, decimals = f"{abs(shown):f}".partition(".")
        unit = "inch" if self.unit == "in" else "mm"
        mark = f" {self.judged(now_ns)}" if number == 1 and self.judged(now_ns) else ""
        return f"{number} {'-' if shown < 0 else '+'}{whole:0>3}.{decimals} {unit}{mark}"

    def _rounded(self, place: Decimal) -> Decimal:
        return place.quantize(Decimal(1).scaleb(-self.options.decimals))
