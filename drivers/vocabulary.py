"""One decoded thing as a JSON object: the words in which captures are described, by `decode` and by test vectors alike.

Scales: `value unit stable tare overload kind`, and `underload zero gross net preset_tare power_up` where the frame says so.
Codes: `ais` with `derived`, `gtin` with `addon`, `sscc`, `text`, `no_read`; `symbology_id` where it came inside the data.
Faults: `error` with `reason`, and with `device_error` where the device itself reports one.
"""

from decimal import Decimal

from drivers.api import Acknowledged, Decoded, Flag, Identity, Kind, Malformed, Reading, Refused, Status
from drivers.scanners.codes import variable_of
from drivers.scanners.meaning import DIGITAL_LINK, Meaning
from sync_protocol.quantity import plain

Described = dict[str, object]

UNIT_WORDS = {
    "[lb_av]": "lb",
    "[oz_av]": "oz",
    "[oz_tr]": "ozt",
    "[car_m]": "ct",
    "[pwt_tr]": "dwt",
    "[gr]": "grain",
    "{pcs}": "pcs",
    "[in_i]": "in",
    "Cel": "C",
    "[degF]": "F",
}
"""UCUM to the words of captures; all others are the same in both."""

DERIVED = (
    "expiry",
    "best_before",
    "sell_by",
    "production",
    "packaging",
    "due",
    "net_weight_kg",
    "net_weight_lb",
    "gross_weight_kg",
    "price",
    "currency",
    "count",
)

DETAIL_TRUTHS = (
    "tare_active",
    "preset_tare",
    "high_resolution",
    "below_minimum",
    "print_request",
    "keyboard_tare",
    "off_scale",
)
"""Details that are `true` or `false`."""

DETAIL_TEXTS = (
    "comparator",
    "device_id",
    "address",
    "mode",
    "unit_price_raw",
    "price_raw",
    "timestamp",
    "tolerance",
    "pieces",
    "variable",
    "fault",
    "repaired",
    "company_internal",
    "width",
    "height",
)
"""Details that are text."""

DETAIL_NUMBERS = ("impedance", "user_id")
"""Details that are whole numbers."""

WORDS = frozenset(
    {
        "value",
        "unit",
        "stable",
        "tare",
        "overload",
        "kind",
        "text",
        "underload",
        "zero",
        "gross",
        "net",
        "power_up",
        "removed",
        "ais",
        "derived",
        "gtin",
        "addon",
        "sscc",
        "no_read",
        "symbology_id",
        "error",
        "reason",
        "device_error",
        "warning",
        "content",
        "unknown",
        *DETAIL_TRUTHS,
        *DETAIL_TEXTS,
        *DETAIL_NUMBERS,
    }
)
"""Every key that `describe` may give."""

_KINDS = {kind: kind.value for kind in Kind if kind not in {Kind.MASS, Kind.CODE}}
_NUMBERS = ("gross", "net")


def describe(decoded: Decoded) -> Described:
    """What one decoded thing is called."""
    match decoded:
        case Malformed(reason=reason):
            return fault(reason)
        case Refused(code=code, reason=reason):
            return {"error": True, "device_error": code, "reason": reason}
        case Acknowledged():
            return {"kind": "ack"}
        case Status(text=text, stable=stable):
            return {"kind": "status", "text": text} | ({} if stable is None else {"stable": stable})
        case Identity(text=text, power_up=power_up):
            return {"kind": "identity", "text": text} | ({"power_up": True} if power_up else {})
        case Reading(kind=Kind.CODE):
            return _code(decoded)
        case Reading():
            return _measured(decoded)


def fault(reason: str) -> Described:
    """Input that means nothing, and why."""
    return {"error": True, "reason": reason}


def describe_meaning(meaning: Meaning, text: str, *, symbology_id: str | None = None) -> Described:
    """What a code means. A trade item number that stands inside element strings is not said twice."""
    if meaning.fault is not None:
        return fault(meaning.fault)
    found: Described = {}
    if meaning.gtin is not None and meaning.gtin != meaning.ais.get("01"):
        found["gtin"] = meaning.gtin
    if meaning.sscc is not None and meaning.sscc != meaning.ais.get("00"):
        found["sscc"] = meaning.sscc
    if meaning.ais:
        found["ais"] = dict(meaning.ais)
    found = found or {"text": text}
    optional = {
        "derived": dict(meaning.derived) or None,
        "addon": meaning.addon,
        "variable": None if meaning.variable is None else meaning.variable.as_words(),
        "unknown": list(meaning.unknown) or None,
        "content": None if meaning.content == DIGITAL_LINK else meaning.content,
        "warning": meaning.warning,
    }
    found |= {name: value for name, value in optional.items() if value is not None}
    return found if symbology_id is None else {**found, "symbology_id": symbology_id}


def _code(reading: Reading) -> Described:
    if Flag.NO_READ in reading.flags:
        return {"no_read": True}
    details = reading.details
    variable = variable_of(details)
    inside = () if variable is None else ("net_weight_kg", "price", "currency", "count")
    meaning = Meaning(
        gtin=details.get("gtin"),
        sscc=details.get("sscc"),
        addon=details.get("addon"),
        ais={name.removeprefix("ai."): value for name, value in details.items() if name.startswith("ai.")},
        derived={name: details[name] for name in DERIVED if name in details and name not in inside},
        variable=variable,
        unknown=tuple(details["unknown"].split("\x1d")) if "unknown" in details else (),
        content=details.get("content"),
        warning=details.get("warning"),
        fault=details.get("fault"),
    )
    found = describe_meaning(meaning, str(reading.value), symbology_id=details.get("symbology_id"))
    return {**found, "repaired": details["repaired"]} if "repaired" in details else found


def _measured(reading: Reading) -> Described:
    # A range flag forbids the value, the unit and the state of rest alike, whatever digits the frame shows.
    usable = reading.value is not None
    found: Described = {
        "value": plain(reading.value) if isinstance(reading.value, Decimal) else reading.value,
        "unit": UNIT_WORDS.get(reading.unit, reading.unit) if usable and reading.unit is not None else None,
        "stable": reading.stable if usable or Flag.STATUS in reading.flags else None,
        "tare": reading.details.get("tare"),
        "overload": Flag.OVERLOAD in reading.flags,
        "kind": _kind(reading),
    }
    if Flag.UNDERLOAD in reading.flags:
        found["underload"] = True
    if Flag.ZERO in reading.flags:
        found["zero"] = True
    found |= {name: reading.details[name] for name in _NUMBERS if name in reading.details}
    if Flag.NOT_ZEROED in reading.flags:
        found["power_up"] = True
    if "removed" in reading.details:
        found["removed"] = reading.details["removed"] == "true"
    if Flag.STATUS in reading.flags and Flag.NET in reading.flags:
        found["net"] = True
    found |= {name: reading.details[name] == "true" for name in DETAIL_TRUTHS if name in reading.details}
    found |= {name: reading.details[name] for name in DETAIL_TEXTS if name in reading.details}
    found |= {name: int(reading.details[name]) for name in DETAIL_NUMBERS if name in reading.details}
    return found


def _kind(reading: Reading) -> str:
    if Flag.STATUS in reading.flags:
        return "status"
    if Flag.TOTAL in reading.flags:
        return "total"
    if reading.kind in _KINDS:
        return _KINDS[reading.kind]
    for flag in (Flag.TARE, Flag.NET, Flag.GROSS):
        if flag in reading.flags:
            return flag.value
    return "unknown"
