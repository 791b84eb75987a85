"""What a capture means: raw bytes or a code's text of a named protocol to descriptions. Never raises."""

from collections.abc import Mapping

from drivers.api import SettingsFault
from drivers.ble import offered as ble
from drivers.captures import MAX_WIRE, CaptureFault, Decoder, frames, wire_bytes
from drivers.gauges import offered as gauges
from drivers.modbus import offered as modbus
from drivers.mqtt import offered as mqtt
from drivers.profiles import offered as profiles
from drivers.scales.lab import offered as lab
from drivers.scales.mt_sics import DRIVER as MT_SICS
from drivers.scales.pos import offered as pos
from drivers.scales.streams import offered as streams
from drivers.scanners import aim, gs1, gtin, meaning
from drivers.scanners.meaning import Meaning
from drivers.scanners.serial_reader import DRIVER as SERIAL_SCANNER
from drivers.vocabulary import Described, describe_meaning, fault

PARAMS = frozenset(
    {
        "unit",
        "decimals",
        "checksum",
        "address",
        "parity_bit7",
        "type",
        "word_order",
        "scale",
        "round",
        "kind",
        "status_register",
        "first_register",
        "map",
        "exponent",
        "parameters_hex",
        "status_bit5",
        "status_bit6",
        "reply_to",
        "separators",
        "region",
        "layout",
        "expected_type",
        "symbology",
        "rcn",
        "check_code_lists",
        "check_ai_pairs",
        "lenient_separators",
        "permit_zero_suppressed_gtin",
        "strict_uri",
        "keyboard_layout",
        "scanner_layout",
        "aim_prefix",
        "caps_lock",
        "terminator",
        "prefix",
        "suffix",
        "encoding",
        "no_read",
        "idle_ms",
        "end_of_line",
    }
)
"""Everything that captures may carry beside their bytes, for all protocols; one that a protocol has no use for is ignored."""


def protocols() -> tuple[str, ...]:
    """What `decode` knows, sorted."""
    return tuple(sorted(_DECODERS))


def decode(protocol: str, wire: Mapping[str, object], params: Mapping[str, object] | None = None) -> list[Described]:
    """At least one description, in the words of `drivers.vocabulary`.

    `wire` holds `hex` or `text` (bytes as ISO-8859-1, else UTF-8), or `raw` with `symbology_id` for a code's text. `params`
    holds what the wire does not carry. An unknown protocol, broken input and an empty capture are one `error` with a `reason`.
    """
    given = params or {}
    decoder = _DECODERS.get(protocol)
    if decoder is None:
        return [fault(f"unknown protocol {protocol[:40]!r}: {', '.join(protocols())}")]
    if unknown := sorted(set(given) - PARAMS):
        return [fault(f"unknown parameter {unknown[0][:40]!r}")]
    try:
        return decoder(wire, given)
    except (CaptureFault, SettingsFault, gs1.ElementFault, gtin.NumberFault) as exc:
        return [fault(str(exc))]


def _tagged(wire: Mapping[str, object], params: Mapping[str, object]) -> aim.Tagged:
    """A code's text. In `raw` the identifier stands beside it; in bytes it stands in front."""
    if "raw" not in wire:
        data = wire_bytes(wire)
        try:
            return aim.split(data.decode().rstrip("\r\n"))
        except UnicodeDecodeError as exc:
            raise CaptureFault("the text is not utf-8") from exc
    raw, symbology_id = wire["raw"], wire.get("symbology_id")
    if not isinstance(raw, str) or len(raw) > MAX_WIRE:
        raise CaptureFault(f"raw is a text of at most {MAX_WIRE} characters")
    if symbology_id is not None and not (isinstance(symbology_id, str) and aim.is_identifier(symbology_id)):
        raise CaptureFault("symbology_id is no AIM identifier")
    for separator in _separators(params):
        raw = raw.replace(separator, gs1.GS)
    return aim.Tagged(symbology_id, raw)


def _separators(params: Mapping[str, object]) -> list[str]:
    given = params.get("separators", [])
    if not isinstance(given, str | list | tuple) or any(not isinstance(char, str) or len(char) != 1 for char in given):
        raise CaptureFault("separators are single characters")
    return list(given)


def _element_string(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
    tagged = _tagged(wire, params)
    if tagged.content not in {None, aim.Content.ELEMENT_STRINGS}:
        raise CaptureFault(f"{tagged.symbology_id} does not carry element strings")
    if meaning.COMPOSITE in tagged.text:
        found = meaning.interpret(aim.Tagged("]C1", tagged.text))
    else:
        found = meaning.elements(tagged.text)
    return [describe_meaning(found, tagged.text)]


def _ean_upc(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
    tagged = _tagged(wire, params)
    if params.get("symbology") == "UPC-E":
        found = Meaning(gtin=gtin.expand_upc_e(tagged.text).zfill(14))
    elif params.get("expected_type") == "sscc":
        found = Meaning(sscc=gtin.sscc(tagged.text))
    elif tagged.symbology_id is None and meaning.COMPOSITE not in tagged.text:
        found = Meaning(gtin=meaning.number(tagged.text))
    else:
        found = meaning.interpret(tagged)
    if found.gtin is None and found.sscc is None and found.fault is None:
        raise CaptureFault("no trade item number")
    return [describe_meaning(found, tagged.text)]


def _sscc(wire: Mapping[str, object], params: Mapping[str, object]) -> list[Described]:
    tagged = _tagged(wire, params)
    if tagged.symbology_id is None and len(tagged.text) == 18:
        return [{"sscc": gtin.sscc(tagged.text)}]
    if tagged.content not in {None, aim.Content.ELEMENT_STRINGS}:
        raise CaptureFault(f"{tagged.symbology_id} does not carry an SSCC")
    found = meaning.elements(tagged.text)
    if found.sscc is None:
        raise CaptureFault("no SSCC among the element strings")
    return [{**describe_meaning(found, tagged.text), "sscc": found.sscc}]


_DECODERS: dict[str, Decoder] = {
    "mt-sics": frames(MT_SICS),
    "serial-scanner": frames(SERIAL_SCANNER),
    "gs1-element-string": _element_string,
    "ean-upc": _ean_upc,
    "sscc": _sscc,
    **pos.DECODERS,
    **lab.DECODERS,
    **streams.DECODERS,
    **modbus.DECODERS,
    **ble.DECODERS,
    **gauges.DECODERS,
    **mqtt.DECODERS,
    **profiles.DECODERS,
}
