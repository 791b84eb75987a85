"""Recorded codes to descriptions, per protocol key: the text of a code, or what a reader of each kind sent."""

from collections.abc import Mapping

from drivers.api import Driver
from drivers.captures import MAX_WIRE, CaptureFault, Decoder, messages, settings_of, wire_bytes
from drivers.envelope import MAX_PAYLOAD, Message
from drivers.scanners import aim, gs1, gtin, meaning
from drivers.scanners.codes import CodeSettings, TypedSettings, typed_codes
from drivers.scanners.keys import EV_KEY, EVENT, KEY_NAMES
from drivers.scanners.meaning import Meaning
from drivers.settings import read_settings
from drivers.vocabulary import Described, describe, describe_meaning, fault

MAX_REPORTS = 1000
"""More than the longest code takes."""

MAX_EVENTS = 100_000
"""Of one capture; more than the longest code takes, Alt codes included."""


def element_string(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
    """`gs1-element-string`."""
    tagged = _tagged(wire, params)
    if tagged.content not in {None, aim.Content.ELEMENT_STRINGS}:
        raise CaptureFault(f"{tagged.symbology_id} does not carry element strings")
    promising = aim.Tagged("]C1", tagged.text)
    return [describe_meaning(meaning.interpret(promising, _rules(params)), tagged.text)]


def digital_link(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
    """`gs1-digital-link`."""
    tagged = _tagged(wire, params)
    try:
        return [describe_meaning(meaning.link(tagged.text, _rules(params)), tagged.text)]
    except gs1.ElementFault as exc:
        raise CaptureFault(str(exc)) from exc


def ean_upc(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
    """`ean-upc`, `itf-14` and `rcn`: a trade item number, or an error."""
    tagged = _tagged(wire, params)
    rules = _rules(params)
    try:
        if params.get("symbology") == "UPC-E":
            found = Meaning(gtin=gtin.expand_upc_e(tagged.text).zfill(14))
        elif tagged.symbology_id is None and tagged.text.isascii() and tagged.text.isdigit() and rules.expected_type is None:
            gtin.gtin14(tagged.text)
            found = meaning.interpret(tagged, rules)
        else:
            found = meaning.interpret(tagged, rules)
    except gtin.NumberFault as exc:
        raise CaptureFault(str(exc)) from exc
    if found.gtin is None and found.sscc is None and found.fault is None:
        raise CaptureFault("no trade item number")
    return [describe_meaning(found, tagged.text)]


def sscc(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
    """`sscc`, bare or among element strings."""
    tagged = _tagged(wire, params)
    try:
        if tagged.symbology_id is None and len(tagged.text) == 18:
            return [{"sscc": gtin.sscc(tagged.text)}]
        if tagged.content not in {None, aim.Content.ELEMENT_STRINGS}:
            raise CaptureFault(f"{tagged.symbology_id} does not carry an SSCC")
        found = meaning.elements(tagged.text, _rules(params))
    except (gs1.ElementFault, gtin.NumberFault) as exc:
        raise CaptureFault(str(exc)) from exc
    if found.sscc is None:
        raise CaptureFault("no SSCC among the element strings")
    return [{**describe_meaning(found, tagged.text), "sscc": found.sscc}]


def plain(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
    """`plain-2d`: whatever stands in a symbol that promises nothing."""
    tagged = _tagged(wire, params)
    if not tagged.text:
        return [fault("empty code")]
    return [describe_meaning(meaning.interpret(tagged, _rules(params)), tagged.text)]


def typed(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
    """`keyboard-wedge-il`: text as a computer got it from a reader in keyboard mode."""
    text = _text(wire)
    given = {name: value for name, value in params.items() if name in TypedSettings.model_fields}
    settings = read_settings(TypedSettings, given)
    return [describe(typed_codes(settings).read(text, text.encode("utf-8", "surrogatepass")))]


def reports(driver: Driver) -> Decoder:
    """`hid-pos-scanner`: `hex_reports`, a list; or the bytes of one report, or envelopes."""
    single = messages(driver, "report")

    def run(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
        given = wire.get("hex_reports")
        if given is None:
            return single(wire, params)
        if not isinstance(given, list) or len(given) > MAX_REPORTS or any(not isinstance(one, str) for one in given):
            raise CaptureFault(f"hex_reports is a list of at most {MAX_REPORTS} strings")
        data = b"".join(Message("report", wire_bytes({"hex": one})[:MAX_PAYLOAD]).to_bytes() for one in given)
        return _decoded(driver, data, params)

    return run


def key_events(driver: Driver) -> Decoder:
    """`evdev-keys`: `keys`, a list of the kernel's key name and 1 or 0; or the bytes of events, or envelopes."""
    single = messages(driver, "keys")

    def run(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
        given = wire.get("keys")
        if given is None:
            return single(wire, params)
        if not isinstance(given, list) or len(given) > MAX_EVENTS:
            raise CaptureFault(f"keys is a list of at most {MAX_EVENTS} events")
        events = b"".join(_event(one) for one in given)
        chunks = range(0, len(events), MAX_PAYLOAD)
        return _decoded(driver, b"".join(Message("keys", events[at : at + MAX_PAYLOAD]).to_bytes() for at in chunks), params)

    return run


def _event(given: object) -> bytes:
    match given:
        case [str(name), int(value)] if name in KEY_NAMES and value in {0, 1, 2}:
            return EVENT.pack(EV_KEY, KEY_NAMES[name], value)
        case _:
            raise CaptureFault("an event is a key's name and 0, 1 or 2")


def _decoded(driver: Driver, data: bytes, params: Mapping[str, object]) -> list[Described]:
    found = list(driver.decode(data, settings_of(driver, params)))
    return [describe(one) for one in found] or [fault("no code")]


def _rules(params: Mapping[str, object]) -> meaning.Rules:
    given = {name: value for name, value in params.items() if name in CodeSettings.model_fields}
    return read_settings(CodeSettings, given).rules()


def _text(wire: Mapping[str, object]) -> str:
    if "raw" not in wire:
        try:
            return wire_bytes(wire).decode().rstrip("\r\n")
        except UnicodeDecodeError as exc:
            raise CaptureFault("the text is not utf-8") from exc
    raw = wire["raw"]
    if not isinstance(raw, str) or len(raw) > MAX_WIRE:
        raise CaptureFault(f"raw is a text of at most {MAX_WIRE} characters")
    return raw


def _tagged(wire: Mapping[str, object], params: Mapping[str, object]) -> aim.Tagged:
    """A code's text. In `raw` the identifier stands beside it; in bytes it stands in front."""
    text = _text(wire)
    if "raw" not in wire:
        return aim.split(text)
    symbology_id = wire.get("symbology_id")
    if symbology_id is not None and not (isinstance(symbology_id, str) and aim.is_identifier(symbology_id)):
        raise CaptureFault("symbology_id is no AIM identifier")
    for separator in _separators(params):
        text = text.replace(separator, gs1.GS)
    return aim.Tagged(symbology_id, text)


def _separators(params: Mapping[str, object]) -> list[str]:
    given = params.get("separators", [])
    if not isinstance(given, str | list | tuple) or any(not isinstance(char, str) or len(char) != 1 for char in given):
        raise CaptureFault("separators are single characters")
    return list(given)


DECODERS: dict[str, Decoder] = {
    "gs1-element-string": element_string,
    "gs1-digital-link": digital_link,
    "ean-upc": ean_upc,
    "itf-14": ean_upc,
    "rcn": ean_upc,
    "sscc": sscc,
    "plain-2d": plain,
    "keyboard-wedge-il": typed,
}
