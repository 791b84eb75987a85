"""Sartorius SBI: escape commands, and lines of 16 or 22 characters in which a missing unit means that nothing is at rest.

Sources: Sartorius LE2202S operating instructions p. 51; Sartorius Cubis data interface description; Minebea Intec SBI over
Ethernet, port 49155. Lines are classified before any number in them is believed: serial numbers and error numbers look alike.
"""

import re

from pydantic import Field

from drivers.api import Decoded, DriverInfo, Flag, Identity, Kind, Mode, Probe, Reading, Refused, Status, Tier
from drivers.scales.lab.family import AskedSettings, line_driver
from drivers.scales.lab.lines import NUMBER, UNITS, Unusable, framer, identifies, number, out_of_range, reader, reading, unit
from drivers.talk import Command, Talk
from sync_protocol.wiretext import clean

ESC = b"\x1b"

ANSWER_TIMEOUT_NS = 3_000_000_000
"""A frame takes 0.15 s at 1200 baud, and balances asked in the middle of a measuring cycle of 1 s answer at its end."""

VALUE_WIDTHS = (14, 20)
"""Characters before CR LF: sign, blank, 8 of value, blank, 3 of unit; with an identifier of 6 in front where that is set."""

INTEGER_WIDTHS = (12, 18)
"""Counts are documented two characters narrower. Only whole numbers: a torn line with a point has these widths as well."""

VALUE_ENDS = (10, 16)
INTEGER_ENDS = (8, 10, 12, 14, 16)
"""Columns where the digits end, right-aligned in their field: blanks at a line's end may be cut off, characters before not."""

IDENTIFIERS = {
    "N": Flag.NET,
    "N1": Flag.NET,
    "G": Flag.GROSS,
    "G#": Flag.GROSS,
    "T": Flag.TARE,
    "T1": Flag.TARE,
    "T2": Flag.TARE,
    "PT": Flag.TARE,
    "PT2": Flag.TARE,
    "Qnt": None,
    "Prc": None,
}
"""What stands in the first six characters of a weight. Others (reference weights, set points) are no weight on the pan."""

RANGES = {
    "H": Flag.OVERLOAD,
    "HIGH": Flag.OVERLOAD,
    "HH": Flag.OVERLOAD,
    "L": Flag.UNDERLOAD,
    "LOW": Flag.UNDERLOAD,
    "LL": Flag.UNDERLOAD,
}

SBI_UNITS = {**UNITS, "n": "N"}

_VALUE = re.compile(
    rf"(?P<id>[A-Za-z][A-Za-z0-9#]{{0,5}})? *+(?P<sign>[+-]?) *+(?P<digits>{NUMBER})(?: (?P<unit>[^0-9 ]{{1,3}}))? *", re.ASCII
)
_FAULT = re.compile(r"(?:Err|ERR)\.? *[0-9]{1,4}|(?:APP|DIS|PRT)\. ?ERR\.?")
_ADJUSTING = re.compile(r"Cal\. ?(?:Ext|Int)\.?|isoCAL|Cal\.?", re.IGNORECASE)
_LABELLED = re.compile(r"(?P<label>Ser\.?No\.?|S/N|BAC|Mod\.?|Model|Type|Vers?\.?)[: ]+(?P<text>[!-~][ -~]*)")
_MODEL = re.compile(r"[A-Z][A-Z0-9]*[0-9][A-Z0-9.\-/]*")

_LABELS = {"ser": "serial", "s/n": "serial", "bac": "software", "ver": "software"}


def _parse(text: str, raw: bytes, asked: str | None) -> Decoded:
    body = text.strip()
    told = _told(body.removeprefix("Stat").strip() if body.startswith("Stat") else body, raw)
    if told is not None:
        return told
    if body.startswith("Stat"):
        return Status(clean(body.removeprefix("Stat").strip()), raw)
    if (identity := _identity(body, raw, asked)) is not None:
        return identity
    fields = _VALUE.fullmatch(text)
    if fields is None:
        raise Unusable("not an SBI line (its start may be missing)")
    return _weight(fields, raw)


def _told(said: str, raw: bytes) -> Decoded | None:
    """Range, fault or adjustment: words that the display shows in place of a weight."""
    if (flag := RANGES.get(said.upper())) is not None:
        return out_of_range(raw, flag, Flag.STATUS)
    if _FAULT.fullmatch(said):
        return Refused(said, "the balance shows an error in place of a weight", raw)
    if _ADJUSTING.fullmatch(said):
        return Status(said, raw, stable=False)
    return None


def _identity(body: str, raw: bytes, asked: str | None) -> Identity | None:
    if (labelled := _LABELLED.fullmatch(body)) is not None:
        what = _LABELS.get(labelled["label"].lower()[:3], "model")
        return Identity(clean(labelled["text"]), raw, what=what)
    if _MODEL.fullmatch(body) and len(body) >= 5:
        return Identity(clean(body), raw, what=_ASKS.get(asked or "", "model"))
    # A bare number says who the balance is only to whoever has just asked; weights have their sign or their unit.
    if asked in _ASKS and re.fullmatch(r"[0-9]{5,}|[A-Za-z0-9][A-Za-z0-9.\- ]{4,}", body):
        return Identity(clean(body), raw, what=_ASKS[asked])
    return None


_ASKS = {"identify": "serial", "model": "model", "software": "software"}


def _weight(fields: re.Match[str], raw: bytes) -> Decoded:
    text, name = fields.string, fields["id"]
    # A line that starts with its sign or its identifier, and has a sign, has lost nothing but blanks at its end.
    if text.startswith(" ") or not fields["sign"]:
        _check_width(text, whole="." not in fields["digits"])
    elif fields.end("digits") not in (INTEGER_ENDS if "." not in fields["digits"] else VALUE_ENDS):
        raise Unusable("the number ends in a wrong column: a character in front of its end is missing")
    if name is not None and name not in IDENTIFIERS:
        return Status(clean(text.strip()), raw)
    code = None if fields["unit"] is None else unit(fields["unit"], SBI_UNITS)
    value = number(fields["sign"], fields["digits"])
    flag = None if name is None else IDENTIFIERS[name]
    flags = [Flag.MOTION if code is None else Flag.STABLE] + ([] if flag is None else [flag])
    return reading(raw, value, code, *flags)


def _check_width(text: str, *, whole: bool) -> None:
    if len(text) not in VALUE_WIDTHS and not (whole and len(text) in INTEGER_WIDTHS):
        raise Unusable(
            f"a weight line has {' or '.join(map(str, VALUE_WIDTHS))} characters, not {len(text)}: its start is missing"
        )


class SartoriusSbiSettings(AskedSettings):
    """How a Sartorius balance is asked."""

    autoprint: bool = Field(
        default=False, description="The balance prints by itself (menu: automatic data output); then nothing is asked."
    )


def _talk(settings: SartoriusSbiSettings) -> Talk:
    return Talk(
        framer=framer,
        read=reader(_parse),
        ask=None if settings.autoprint else ESC + b"P\r\n",
        interval_ns=settings.interval_ns,
        answer_timeout_ns=ANSWER_TIMEOUT_NS,
        commands=COMMANDS,
        answers_question=lambda item: isinstance(item, Reading | Refused | Status),
    )


COMMANDS = {
    "print": Command(ESC + b"P\r\n", ANSWER_TIMEOUT_NS, confirms=lambda item: isinstance(item, Reading | Refused)),
    "zero": Command(ESC + b"V\r\n", answered=False),
    "tare": Command(ESC + b"U\r\n", answered=False),
    "zero_tare": Command(ESC + b"T\r\n", answered=False),
    "identify": Command(ESC + b"x2_\r\n", ANSWER_TIMEOUT_NS, confirms=identifies),
    "model": Command(ESC + b"x1_\r\n", ANSWER_TIMEOUT_NS, confirms=identifies),
    "software": Command(ESC + b"x3_\r\n", ANSWER_TIMEOUT_NS, confirms=identifies),
}

_SURE = re.compile(rf"(?:[A-Z][A-Za-z0-9#]{{0,5}} +)?\+ +{NUMBER} (?:[A-Za-z%]{{1,3}} *| {{3}})", re.ASCII)


def _recognises(answer: bytes) -> bool:
    """A whole line with a plus: the columns alone are also those of Axis, and nearly those of Adam and G&G."""
    lines = [line.decode("latin-1") for line in answer.split(b"\r\n")[:-1]]
    return any(len(line) in VALUE_WIDTHS and _SURE.fullmatch(line) is not None for line in lines)


DRIVER = line_driver(
    DriverInfo(
        name="sartorius-sbi",
        title="Sartorius SBI",
        kinds=frozenset({Kind.MASS, Kind.COUNT, Kind.PERCENT}),
        transports=("serial", "tcp"),
        models=(
            "Sartorius LE, CPA, Cubis MSE, Secura, Quintix, Entris, BCE balances in SBI mode",
            "Sartorius WZA weigh cells",
            "Minebea Intec Signum and Miras with the Ethernet option (port 49155)",
        ),
        sources=(
            "Sartorius LE2202S operating instructions p. 51",
            "Sartorius Cubis data interfaces, data output formats of 16 and 22 characters",
        ),
        serial_defaults={"baudrate": 1200, "bytesize": 7, "parity": "O", "stopbits": 1},
        commands=tuple(COMMANDS),
        tier=Tier.BRONZE,
        modes=(Mode.POLL, Mode.AUTOPRINT),
        # The question asks for one print; the weight commands (T, U, V) and the adjustments (Z, W) are never sent by a probe.
        probe=Probe(
            ESC + b"P\r\n",
            _recognises,
            order=60,
            wait_ms=1000,
            lines=("1200-7O1", "9600-8N1", "9600-8O1"),
        ),
        notes=(
            "The balance does not confirm zero and tare; watch the weight.",
            "With data output set to `after stability` a question is answered only at rest: use `without stability`.",
            "Weigh cells of type WZA pause their automatic output after a question until the next zero or tare.",
            "Balances that wait for CTS are silent on a three-wire cable: set the handshake to none or bridge the lines.",
        ),
    ),
    SartoriusSbiSettings,
    _talk,
)
