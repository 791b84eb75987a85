"""Numbers of restricted circulation: what a shop's or a country's own EAN-13 (prefix 2, 02, 04) says besides its item.

Sources: GS1 General Specifications 2.1.11 (variable measure), 7.9.2 to 7.9.4 (price and weight check digits); the national
rules as GS1 Denmark, Germany, Sweden, Finland, the Baltic states and the United Kingdom publish them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from biip.checksums import gs1_price_weight_check_digit

from drivers.scanners.gtin import NumberFault

LETTERS = {"W": "weight", "P": "price", "N": "count"}
"""What the measure of a layout is. Besides: digits for the prefix, I item, V internal check digit, C the check digit of EAN."""

TEMPLATE = re.compile(r"(?P<prefix>(?:2|02|04)[0-9]*)(?=.*I)(?:I*V?I*)(?P<measure>W+|P+|N+)C", re.ASCII)

HOME_CURRENCY = "ILS"
"""For prices where neither the layout nor a region names another."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout of 13 places, as `21IIIIIWWWWWC`. Weights are kilograms with `decimals` decimals."""

    template: str
    decimals: int
    currency: str | None = None
    supplier: str | None = None

    def __post_init__(self) -> None:
        if (fault := template_fault(self.template)) is not None:
            raise NumberFault(fault)

    @property
    def kind(self) -> str:
        """weight, price or count."""
        return LETTERS[self.template[-2]]

    def fits(self, digits: str) -> bool:
        """Whether 13 digits begin with the layout's prefix."""
        return digits.startswith(_prefix(self.template))

    def place(self, letter: str, digits: str) -> str:
        """The digits at a letter's places."""
        return "".join(digit for place, digit in zip(self.template, digits, strict=True) if place == letter)


@dataclass(frozen=True, slots=True)
class Variable:
    """What such a number says: the item in the words of whoever gave it, and one of weight (kg), price or count."""

    item: str
    kind: str
    amount: str
    currency: str | None = None
    supplier: str | None = None

    def as_words(self) -> dict[str, str]:
        """In the words of captures."""
        extra = {"unit": "kg"} if self.kind == "weight" else {"currency": self.currency} if self.currency else {}
        return {"item": self.item, self.kind: self.amount, **extra}


def template_fault(template: str) -> str | None:
    """Why `template` is no layout; None when it is one."""
    if len(template) != 13:
        return "a layout has 13 places"
    found = TEMPLATE.fullmatch(template)
    if found is None:
        return "a layout is a prefix that starts with 2, 02 or 04, then I, V, then W, P or N, and C at the end"
    if "V" in template and len(found["measure"]) not in {4, 5}:
        return "an internal check digit (V) belongs to a measure of 4 or 5 digits"
    return None


def _of_region(currency: str, templates: Mapping[str, int]) -> tuple[Layout, ...]:
    return tuple(Layout(template, decimals, currency) for template, decimals in templates.items())


_BALTIC_WEIGHTS = {"23IIIIIIWWWWC": 3, "24IIIIIIWWWWC": 2, "25IIIIIIWWWWC": 1}
_NORDIC_PRICES = {"20IIIIIIPPPPC": 2, "21IIIIIIPPPPC": 1, "22IIIIIIPPPPC": 0}

REGIONS: Mapping[str, tuple[Layout, ...]] = {
    "DE": _of_region(
        "EUR",
        {
            "22IIIIVPPPPPC": 2,
            "23IIIIVPPPPPC": 2,
            "25IIIIVNNNNNC": 0,
            "26IIIIVNNNNNC": 0,
            "28IIIIVWWWWWC": 3,
            "29IIIIVWWWWWC": 3,
        },
    ),
    "DK": _of_region(
        "DKK",
        {
            "21IIIIPPPPPPC": 2,
            "22IIIIPPPPPPC": 2,
            "23IIIIPPPPPPC": 2,
            "24IIIIPPPPPPC": 2,
            "26IIIIWWWWWWC": 3,
            "27IIIIIWWWWWC": 3,
            "28IIIIWWWWWWC": 3,
        },
    ),
    "EE": _of_region("EUR", _BALTIC_WEIGHTS),
    "FI": _of_region("EUR", _BALTIC_WEIGHTS),
    "GB": _of_region("GBP", {"20IIIIIVPPPPC": 2}),
    "LT": _of_region("EUR", _BALTIC_WEIGHTS),
    "LV": _of_region("EUR", _BALTIC_WEIGHTS),
    "NO": _of_region("NOK", {**_NORDIC_PRICES, **_BALTIC_WEIGHTS}),
    "SE": _of_region("SEK", {**_NORDIC_PRICES, **_BALTIC_WEIGHTS}),
}
"""Countries with rules of their own. Norway publishes none; goods seen there follow Sweden's. Israel has none at all."""

CURRENCIES = {region: layouts[0].currency for region, layouts in REGIONS.items()}


def read_variable(gtin: str, layouts: Sequence[Layout], currency: str | None = None) -> Variable | None:
    """What a 14-digit number of restricted circulation says by the first layout that fits; None where none does.

    Raises NumberFault when the internal check digit is wrong, or when layouts of several suppliers fit: then nobody can know.
    """
    digits = gtin[1:]
    fitting = [layout for layout in layouts if layout.fits(digits)]
    if not fitting:
        return None
    suppliers = {layout.supplier for layout in fitting}
    if len(suppliers) > 1:
        fitting = [layout for layout in fitting if _internal_fault(layout, digits) is None]
        if len({layout.supplier for layout in fitting}) != 1:
            names = ", ".join(sorted(name or "the shop" for name in suppliers))
            raise NumberFault(f"the layouts of {names} all fit: what the number says is not certain")
    return _read(fitting[0], digits, currency)


def _read(layout: Layout, digits: str, currency: str | None) -> Variable:
    if (fault := _internal_fault(layout, digits)) is not None:
        raise NumberFault(fault)
    money = (layout.currency or currency or HOME_CURRENCY) if layout.kind == "price" else None
    amount = _shifted(layout.place(layout.template[-2], digits), layout.decimals)
    return Variable(layout.place("I", digits), layout.kind, amount, money, layout.supplier)


def _internal_fault(layout: Layout, digits: str) -> str | None:
    if not (sent := layout.place("V", digits)):
        return None
    wanted = gs1_price_weight_check_digit(layout.place(layout.template[-2], digits))
    return None if int(sent) == wanted else f"internal check digit {sent}, expected {wanted}"


def _prefix(template: str) -> str:
    found = TEMPLATE.fullmatch(template)
    return "" if found is None else found["prefix"]


def _shifted(digits: str, decimals: int) -> str:
    if not decimals:
        return str(int(digits))
    padded = digits.zfill(decimals + 1)
    return f"{int(padded[:-decimals])}.{padded[-decimals:]}"
