"""From a reader's text to a reading, the same for every way in which a reader can be connected; and the settings for it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from drivers.api import Decoded, Flag, Kind, Malformed, Reading, Settings
from drivers.scanners import damage, restricted
from drivers.scanners.aim import CONTENTS, Content, Tagged, split
from drivers.scanners.gs1 import GS
from drivers.scanners.gtin import is_restricted
from drivers.scanners.layouts import LayoutName, repair
from drivers.scanners.meaning import Meaning, Rules, interpret

MAX_TEXT = 8192
"""Characters of one code. The fullest symbol, QR version 40, holds 7,089 digits; prefix and identifier come on top."""

DEFAULT_NO_READ = ("NR", "NOREAD", "NO READ", "?")
"""What readers send by default when the trigger was pulled and nothing was seen. With an identifier in front it is a code."""

MAX_LAYOUTS = 100
"""More than any shop has suppliers with numbers of their own."""


class RcnLayout(BaseModel):
    """One supplier's layout of numbers of restricted circulation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layout: str = Field(description="13 places, as 21IIIIIWWWWWC: prefix, item (I), check digit (V), weight, price or count.")
    decimals: int = Field(default=3, ge=0, le=6, description="How many of the measure's digits are decimals.")
    currency: str | None = Field(default=None, pattern="^[A-Z]{3}$", description="Of prices, as ILS.")
    supplier: str | None = Field(default=None, max_length=80, description="Whose layout it is, as readings then say.")

    @field_validator("layout")
    @classmethod
    def _known(cls, template: str) -> str:
        return _checked_layout(template)


class CodeSettings(Settings):
    """What is known of a reader's codes, however it is connected."""

    aim_prefix: bool | None = Field(
        default=None,
        description="True: each code must start with its AIM identifier, which catches codes cut at the front. "
        "Unset: it is taken where it is seen. False: text that looks like one is text.",
    )
    no_read: str | tuple[str, ...] = Field(
        default=DEFAULT_NO_READ, description="What the reader sends when its trigger was pulled and it read nothing."
    )
    separators: str | tuple[str, ...] = Field(default=(), description="Characters that the reader sends in place of GS.")
    lenient_separators: bool = Field(default=False, description="Whether several GS in a row count as one.")
    expected_type: Literal["gtin", "sscc"] | None = Field(
        default=None, description="Codes without a number of this kind are shown as faults."
    )
    rcn: Literal["on", "off"] = Field(
        default="on", description="Whether numbers with prefix 2 are searched for weights, prices and counts."
    )
    region: str | None = Field(
        default=None, description=f"Country whose rules for prefix 2 apply ({', '.join(restricted.REGIONS)}); others have none."
    )
    layout: str | None = Field(
        default=None, description="The one layout of numbers with prefix 2, as 21IIIIIWWWWWC (see `layouts` for several)."
    )
    decimals: int = Field(default=3, ge=0, le=6, description="How many digits of the measure in `layout` are decimals.")
    currency: str | None = Field(
        default=None, pattern="^[A-Z]{3}$", description="Currency of prices where no layout names one; ILS when left out."
    )
    layouts: tuple[RcnLayout, ...] = Field(
        default=(),
        max_length=MAX_LAYOUTS,
        description="Layouts of numbers with prefix 2, per supplier; they come before a region's.",
    )
    permit_zero_suppressed_gtin: bool = Field(
        default=False, description="Whether a Digital Link may hold a GTIN of 8, 12 or 13 digits instead of 14."
    )

    @field_validator("layout")
    @classmethod
    def _known_layout(cls, template: str | None) -> str | None:
        return None if template is None else _checked_layout(template)

    @field_validator("region")
    @classmethod
    def _region_in_capitals(cls, region: str | None) -> str | None:
        if region is not None and not (len(region) == 2 and region.isascii() and region.isupper()):
            raise ValueError("a country in two capital letters")
        return region

    def rules(self) -> Rules:
        """What follows for the meaning of codes."""
        return Rules(
            layouts=self._layouts(),
            currency=self.currency or (restricted.CURRENCIES.get(self.region) if self.region else None),
            lenient_separators=self.lenient_separators,
            permit_zero_suppressed_gtin=self.permit_zero_suppressed_gtin,
            expected_type=self.expected_type,
        )

    def _layouts(self) -> tuple[restricted.Layout, ...]:
        if self.rcn == "off":
            return ()
        own = [restricted.Layout(one.layout, one.decimals, one.currency, one.supplier) for one in self.layouts]
        if self.layout is not None:
            own.append(restricted.Layout(self.layout, self.decimals, self.currency))
        return (*own, *restricted.REGIONS.get(self.region or "", ()))


class TypedSettings(CodeSettings):
    """Beside these, for text that a computer's keyboard layout may have gone through."""

    keyboard_layout: LayoutName | None = Field(
        default=None,
        description="Layout of the computer that turned the reader's keys into text, where one did; damage is then repaired.",
    )
    scanner_layout: LayoutName = Field(default="us", description="Keyboard layout to which the reader is set.")


class CodeReader:
    """Makes readings of a reader's texts.

    `repair` gives the text as it was meant, the name of the layout where that differs, and what could not be repaired;
    `suspect` a warning about a text that means nothing.
    """

    def __init__(
        self,
        settings: CodeSettings,
        *,
        repair: Callable[[str], tuple[str, str | None, list[str]]] | None = None,
        suspect: Callable[[str], str | None] | None = None,
    ) -> None:
        self._settings = settings
        self._rules = settings.rules()
        self._repair = repair
        self._suspect = suspect

    def read(self, text: str, raw: bytes, *, symbology_id: str | None = None, warnings: Sequence[str] = ()) -> Decoded:
        """One code. `symbology_id` came beside the text; `warnings` are what was seen on the way to it."""
        settings = self._settings
        if not text:
            return Malformed("empty code", raw)
        no_read = (settings.no_read,) if isinstance(settings.no_read, str) else settings.no_read
        if text in no_read and symbology_id is None:
            return Reading(Kind.CODE, None, None, frozenset({Flag.NO_READ}), raw)
        repaired = None
        if self._repair is not None:
            text, repaired, lost = self._repair(text)
            warnings = (*warnings, *lost)
        tagged = self._tagged(text, symbology_id)
        if settings.aim_prefix and tagged.symbology_id is None:
            reason = "code without its AIM identifier: cut at the front, or the reader is not set to send it"
            return Malformed("; ".join([reason, *warnings, *self._suspicion(text)]), raw)
        meaning = interpret(tagged, self._rules)
        if meaning.gtin is None and meaning.sscc is None and not meaning.ais:
            warnings = (*warnings, *self._suspicion(text))
        known = details(tagged, meaning, warnings=warnings, repaired=repaired)
        return Reading(Kind.CODE, tagged.text, None, frozenset(), raw, details=known)

    def _tagged(self, text: str, symbology_id: str | None) -> Tagged:
        if symbology_id is not None:
            tagged = Tagged(symbology_id, text)
        else:
            tagged = Tagged(None, text) if self._settings.aim_prefix is False else split(text)
        return _with_separators(tagged, self._settings.separators)

    def _suspicion(self, text: str) -> list[str]:
        found = None if self._suspect is None else self._suspect(text)
        return [] if found is None else [found]


def typed_codes(settings: TypedSettings) -> CodeReader:
    """For text that may have gone through a computer's layout: a known one is undone, another suspected."""
    through, reader = settings.keyboard_layout, settings.scanner_layout
    if through is not None:
        return CodeReader(settings, repair=lambda text: _repaired(text, through, reader))
    return CodeReader(settings, suspect=lambda text: damage.typed_through(text, reader))


def details(tagged: Tagged, meaning: Meaning, *, warnings: Sequence[str] = (), repaired: str | None = None) -> dict[str, str]:
    """What a code's reading says besides its text, by the words that `drivers.vocabulary` knows."""
    wanted: dict[str, str | None] = {
        "symbology_id": tagged.symbology_id,
        "gtin": meaning.gtin,
        "sscc": meaning.sscc,
        "addon": meaning.addon,
        "content": meaning.content,
        "repaired": repaired,
    }
    known = {name: str(value) for name, value in wanted.items() if value is not None}
    known |= {f"ai.{ai}": value for ai, value in meaning.ais.items()}
    known |= meaning.derived
    if meaning.unknown:
        known["unknown"] = GS.join(meaning.unknown)
    if meaning.gtin is not None and "01" not in meaning.ais and is_restricted(meaning.gtin):
        known["restricted"] = "true"
    if meaning.variable is not None:
        known |= _variable(meaning.variable)
    if told := "; ".join([*([meaning.warning] if meaning.warning else []), *warnings]):
        known["warning"] = told
    if meaning.fault is not None:
        known["fault"] = meaning.fault
    return known


def _variable(variable: restricted.Variable) -> dict[str, str]:
    name = "net_weight_kg" if variable.kind == "weight" else variable.kind
    known = {"variable": variable.kind, "item": variable.item, name: variable.amount}
    if variable.currency is not None:
        known["currency"] = variable.currency
    if variable.supplier is not None:
        known["supplier"] = variable.supplier
    return known


def variable_of(known: Mapping[str, str]) -> restricted.Variable | None:
    """The measure inside a code, out of its reading's details again."""
    kind, item = known.get("variable"), known.get("item")
    if kind is None or item is None:
        return None
    amount = known["net_weight_kg" if kind == "weight" else kind]
    return restricted.Variable(item, kind, amount, known.get("currency"), known.get("supplier"))


def _repaired(text: str, through: LayoutName, reader: LayoutName) -> tuple[str, str | None, list[str]]:
    """The text as meant, the layout's name where that differs from the text as it came, and what could not be repaired."""
    done = repair(text, typed_through=through, reader=reader)
    lost = [f"{len(done.lost)} characters that the layout {through} does not type"] if done.lost else []
    return done.text, (through if done.text != text else None), lost


def _with_separators(tagged: Tagged, separators: Sequence[str]) -> Tagged:
    """GS put back where the symbol promises element strings or says nothing; text of other symbols is left alone."""
    if tagged.symbology_id is not None and CONTENTS.get(tagged.symbology_id) not in {
        Content.ELEMENT_STRINGS,
        Content.FNC1,
        Content.ANYTHING,
    }:
        return tagged
    text = tagged.text
    for separator in separators:
        text = text.replace(separator, GS)
    return Tagged(tagged.symbology_id, text)


def _checked_layout(template: str) -> str:
    if (fault := restricted.template_fault(template)) is not None:
        raise ValueError(fault)
    return template
