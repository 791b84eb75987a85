"""What a scanned code means: a trade item, a logistic unit, element strings, or just text."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from drivers.scanners import digital_link, gs1, gtin, restricted
from drivers.scanners.aim import Content, Tagged

COMPOSITE = "|]e0"
"""Stands between the linear part and the 2D part when both come in one message (GS1 General Specifications 5.11)."""


DIGITAL_LINK = "digital_link"


LINEAR = frozenset({None, Content.ANYTHING, Content.ELEMENT_STRINGS, Content.EAN_UPC, Content.EAN_8, Content.EAN_WITH_ADD_ON})
"""What the first half of a composite may be; in other symbols the mark is text."""


class Kept(StrEnum):
    """Content of industries that is no GS1: recognised by its first characters, and kept as the text it is."""

    ISO_15434 = "iso15434"
    """`[)>`, record separators and data identifiers (German pharmacies, car makers, electronics)."""
    HIBC = "hibc"
    """Health industry: `+` and a check character at the end."""
    ISBT_128 = "isbt128"
    """Blood and tissue: data identifiers that start with = or &."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the code names. `fault` says why a code that promises a number or element strings has none that can be used."""

    gtin: str | None = None
    sscc: str | None = None
    addon: str | None = None
    ais: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)
    variable: restricted.Variable | None = None
    unknown: tuple[str, ...] = ()
    content: str | None = None
    """`digital_link`, or one of Kept."""
    warning: str | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What the place where a reader stands knows of its codes."""

    layouts: tuple[restricted.Layout, ...] = ()
    """Of numbers of restricted circulation; the first that fits counts."""
    currency: str | None = None
    lenient_separators: bool = False
    permit_zero_suppressed_gtin: bool = False
    expected_type: str | None = None
    """`gtin` or `sscc`: a code without one is a fault."""


NO_RULES = Rules()


def interpret(tagged: Tagged, rules: Rules = NO_RULES) -> Meaning:
    """Never raises. With an identifier its promise counts; without one a right length with a right check digit wins."""
    try:
        linear, composite, second = tagged.text, "", ""
        if tagged.content in LINEAR:
            linear, composite, second = tagged.text.partition(COMPOSITE)
        found = _single(tagged.content, linear, rules)
        if composite:
            found = _with_second(found, gs1.parse_elements(second, lenient_separators=rules.lenient_separators))
        return _expected(_with_variable(found, rules), rules)
    except (gs1.ElementFault, gtin.NumberFault) as exc:
        return Meaning(fault=str(exc))


def elements(text: str, rules: Rules = NO_RULES) -> Meaning:
    """Text that is known to be element strings. Raises ElementFault."""
    return of_elements(gs1.parse_elements(text, lenient_separators=rules.lenient_separators))


def link(text: str, rules: Rules = NO_RULES) -> Meaning:
    """Text that is known to be a GS1 Digital Link. Raises ElementFault."""
    parsed = digital_link.parse(text, permit_zero_suppressed_gtin=rules.permit_zero_suppressed_gtin)
    return replace(of_elements(parsed), content=DIGITAL_LINK)


def of_elements(message: gs1.Elements) -> Meaning:
    """What a whole message of element strings means."""
    return Meaning(
        gtin=message.ais.get("01"),
        sscc=message.ais.get("00"),
        ais=message.ais,
        derived=message.derived,
        unknown=message.unknown,
        warning=message.warning,
    )


def _with_second(first: Meaning, second: gs1.Elements) -> Meaning:
    ais = dict(first.ais)
    for ai, value in second.ais.items():
        if ais.setdefault(ai, value) != value:
            raise gs1.ElementFault(f"({ai}) stands there twice with different values")
    return replace(
        first,
        gtin=first.gtin or ais.get("01"),
        ais=ais,
        derived={**first.derived, **second.derived},
        unknown=(*first.unknown, *second.unknown),
        warning=first.warning or second.warning,
    )


def _with_variable(found: Meaning, rules: Rules) -> Meaning:
    """The measure inside a number of restricted circulation, where a layout for it is known."""
    if found.gtin is None or "01" in found.ais or not gtin.is_restricted(found.gtin):
        return found
    variable = restricted.read_variable(found.gtin, rules.layouts, rules.currency)
    if variable is not None and found.derived.keys() & {"net_weight_kg", "price", "count"}:
        raise gs1.ElementFault("both the number and the element strings beside it say how much it is")
    return replace(found, variable=variable)


def _expected(found: Meaning, rules: Rules) -> Meaning:
    missing = {"gtin": found.gtin, "sscc": found.sscc}.get(rules.expected_type or "", "")
    if missing is None:
        raise gtin.NumberFault(f"no {rules.expected_type.upper() if rules.expected_type else ''} in the code")
    return found


def _single(content: Content | None, text: str, rules: Rules) -> Meaning:
    if content in {Content.ELEMENT_STRINGS, Content.FNC1}:
        return _element_strings(text, rules, promised=content is Content.ELEMENT_STRINGS)
    match content:
        case Content.EAN_UPC:
            return Meaning(gtin=_ean_upc(text))
        case Content.EAN_8:
            return Meaning(gtin=gtin.gtin14(text, frozenset({8})))
        case Content.EAN_WITH_ADD_ON:
            return _with_add_on(text)
        case Content.ITF:
            # ITF-14 is an ITF symbol with 14 checked digits; any other content of ITF is somebody's own number.
            return Meaning(gtin=text if len(text) == 14 and gtin.is_checked(text) else None)
        case Content.ITF_STRIPPED:
            return Meaning(gtin=f"{text}{gtin.check_digit(text)}" if len(text) == 13 and gtin.is_digits(text) else None)
        case Content.ISBT_128:
            return Meaning(content=Kept.ISBT_128)
        case Content.TEXT:
            return _plain_text(text, rules)
        case _:
            return _untyped(text, rules)


def _element_strings(text: str, rules: Rules, *, promised: bool) -> Meaning:
    try:
        return elements(text, rules)
    except gs1.ElementFault:
        if promised:
            raise
        return _plain_text(text, rules)


def _plain_text(text: str, rules: Rules) -> Meaning:
    """Text that promises nothing: a Digital Link, content of an industry of its own, or somebody's own words."""
    key = digital_link.find_key(text)
    if key is None:
        return Meaning(content=_kept(text))
    try:
        return link(text, rules)
    except gs1.ElementFault as exc:
        # Blogs have /01/ in their addresses too: only a value that is long enough for a key is worth a word.
        return Meaning(warning=f"looks like a GS1 Digital Link, but: {exc}" if len(key[1]) >= SHORTEST_KEY else None)


SHORTEST_KEY = 8
"""Digits of the shortest number that GS1 gives out."""

HIBC_CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"
"""In the order of their values; the last character is the sum of the others modulo 43 (ANSI/HIBC 2.6, appendix B)."""


def _kept(text: str) -> Kept | None:
    if text.startswith("[)>\x1e"):
        return Kept.ISO_15434
    if text.startswith("+") and len(text) >= SHORTEST_KEY and set(text) <= set(HIBC_CHARACTERS):
        *values, check = (HIBC_CHARACTERS.index(char) for char in text)
        return Kept.HIBC if sum(values) % 43 == check else None
    return None


def _ean_upc(text: str) -> str:
    """]E0: 13 digits by the standard, 12 from readers that drop the leading zero, 8 from those that leave UPC-E unexpanded."""
    if len(text) == 8:
        try:
            return gtin.expand_upc_e(text).zfill(14)
        except gtin.NumberFault:
            return gtin.gtin14(text)  # readers that send ]E0 for EAN-8 too
    return gtin.gtin14(text, frozenset({12, 13}))


def _with_add_on(text: str) -> Meaning:
    """]E3: the main symbol and 2 or 5 digits behind it, with a blank between from some readers."""
    text = text.replace(" ", "", 1)
    for size in (13, 12):
        if len(text) - size in {2, 5} and gtin.is_digits(text) and gtin.is_checked(text[:size]):
            return Meaning(gtin=gtin.gtin14(text[:size]), addon=text[size:])
    raise gtin.NumberFault("13 checked digits and an add-on of 2 or 5 expected")


def _untyped(text: str, rules: Rules) -> Meaning:
    if len(text) in gtin.GTIN_LENGTHS and gtin.is_checked(text):
        return Meaning(gtin=gtin.gtin14(text))
    if len(text) == 18 and gtin.is_checked(text):
        return Meaning(sscc=text)
    if gs1.is_plausible(text):
        try:
            return elements(text, rules)
        except gs1.ElementFault:
            pass  # nothing promised element strings, so it is text that happens to start like them
    return _plain_text(text, rules)
