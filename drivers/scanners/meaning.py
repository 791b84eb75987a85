"""What a scanned code means: a trade item, a logistic unit, element strings, or just text."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.scanners import gs1, gtin
from drivers.scanners.aim import Content, Tagged

COMPOSITE = "|]e0"
"""Stands between the linear part and the 2D part when both come in one message (GS1 General Specifications 5.11)."""

NO_ELEMENTS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the code names. `fault` says why a code that promises a number or element strings has none that can be used."""

    gtin: str | None = None
    sscc: str | None = None
    addon: str | None = None
    ais: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)
    warning: str | None = None
    fault: str | None = None


def interpret(tagged: Tagged) -> Meaning:
    """Never raises. With an identifier its promise counts; without one a right length with a right check digit wins."""
    try:
        linear, composite, second = tagged.text.partition(COMPOSITE)
        if not composite:
            return _single(tagged.content, tagged.text)
        first = _single(tagged.content, linear)
        return _with_second(first, gs1.parse_elements(second))
    except (gs1.ElementFault, gtin.NumberFault) as exc:
        return Meaning(fault=str(exc))


def number(text: str) -> str:
    """Untyped digits as a GTIN of 14 digits. Raises NumberFault."""
    return gtin.gtin14(text)


def elements(text: str) -> Meaning:
    """Text that is known to be element strings. Raises ElementFault."""
    message = gs1.parse_elements(text)
    return Meaning(
        gtin=message.ais.get("01"),
        sscc=message.ais.get("00"),
        ais=message.ais,
        derived=message.derived,
        warning=message.warning,
    )


def _with_second(first: Meaning, second: gs1.Elements) -> Meaning:
    ais = dict(first.ais)
    for ai, value in second.ais.items():
        if ais.setdefault(ai, value) != value:
            raise gs1.ElementFault(f"({ai}) stands there twice with different values")
    derived = {**first.derived, **second.derived}
    return Meaning(first.gtin or ais.get("01"), first.sscc, first.addon, ais, derived, first.warning or second.warning)


def _single(content: Content | None, text: str) -> Meaning:
    match content:
        case None:
            return _untyped(text)
        case Content.ELEMENT_STRINGS:
            return elements(text)
        case Content.EAN_UPC:
            return Meaning(gtin=_ean_upc(text))
        case Content.EAN_8:
            return Meaning(gtin=gtin.gtin14(text, frozenset({8})))
        case Content.EAN_WITH_ADD_ON:
            return _with_add_on(text)
        case Content.ITF:
            # ITF-14 is an ITF symbol with 14 checked digits; any other content of ITF is somebody's own number.
            return Meaning(gtin=text if len(text) == 14 and gtin.is_checked(text) else None)
        case Content.TEXT:
            return Meaning()


def _ean_upc(text: str) -> str:
    """]E0: 13 digits by the standard, 12 from readers that drop the leading zero, 8 from those that leave UPC-E unexpanded."""
    if len(text) == 8:
        return gtin.expand_upc_e(text).zfill(14)
    return gtin.gtin14(text, frozenset({12, 13}))


def _with_add_on(text: str) -> Meaning:
    """]E3: the main symbol and 2 or 5 digits behind it."""
    for size in (13, 12):
        if len(text) - size in {2, 5} and gtin.is_digits(text) and gtin.is_checked(text[:size]):
            return Meaning(gtin=gtin.gtin14(text[:size]), addon=text[size:])
    raise gtin.NumberFault("13 checked digits and an add-on of 2 or 5 expected")


def _untyped(text: str) -> Meaning:
    if len(text) in gtin.GTIN_LENGTHS and gtin.is_checked(text):
        return Meaning(gtin=gtin.gtin14(text))
    if len(text) == 18 and gtin.is_checked(text):
        return Meaning(sscc=text)
    if not gs1.is_plausible(text):
        return Meaning()
    try:
        return elements(text)
    except gs1.ElementFault:
        return Meaning()  # nothing promised element strings, so it is text that happens to start like them
