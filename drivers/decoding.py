"""What a capture means: raw bytes or a code's text of a named protocol to descriptions. Never raises."""

from collections.abc import Mapping

from drivers.api import SettingsFault
from drivers.ble import offered as ble
from drivers.captures import CaptureFault, Decoder, frames
from drivers.gauges import offered as gauges
from drivers.modbus import offered as modbus
from drivers.mqtt import offered as mqtt
from drivers.profiles import offered as profiles
from drivers.scales.lab import offered as lab
from drivers.scales.mt_sics import DRIVER as MT_SICS
from drivers.scales.pos import offered as pos
from drivers.scales.streams import offered as streams
from drivers.scanners import offered as scanners
from drivers.vocabulary import Described, fault

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
        "currency",
        "layouts",
        "separator_keys",
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
    except (CaptureFault, SettingsFault) as exc:
        return [fault(str(exc))]


_DECODERS: dict[str, Decoder] = {
    "mt-sics": frames(MT_SICS),
    **scanners.DECODERS,
    **pos.DECODERS,
    **lab.DECODERS,
    **streams.DECODERS,
    **modbus.DECODERS,
    **ble.DECODERS,
    **gauges.DECODERS,
    **mqtt.DECODERS,
    **profiles.DECODERS,
}
