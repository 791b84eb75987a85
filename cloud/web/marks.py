"""How single values stand on a page: isolated from the direction of the text around them, cleaned, with local unit names."""

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_timedelta
from markupsafe import Markup

from cloud.web.i18n import Locale
from sync_protocol.quantity import plain
from sync_protocol.wiretext import clean

THOUSAND = 1000.0

NOTHING = Markup('<span class="none">–</span>')

# UCUM code -> what people read. A Hebrew unit stands outside the isolate, so that it follows the number in reading order;
# a Latin one belongs to the number and goes inside (Unicode UAX 9: both runs would otherwise change sides).
UNIT_NAMES: dict[Locale, dict[str, str]] = {
    "en": {
        "g": "g",
        "mg": "mg",
        "ug": "µg",
        "kg": "kg",
        "t": "t",
        "mm": "mm",
        "cm": "cm",
        "m": "m",
        "{pcs}": "pcs",
        "1": "",
        "Cel": "°C",
    },
    "he": {
        "g": "גרם",
        "mg": "מ״ג",
        "kg": "ק״ג",
        "t": "טון",
        "mm": "מ״מ",
        "cm": "ס״מ",
        "m": "מ׳",
        "{pcs}": "יח׳",
        "1": "",
        "Cel": "°C",
    },
}

DATE: dict[Locale, str] = {"en": "d MMM yyyy", "he": "dd.MM.yyyy"}
TIME: dict[Locale, str] = {"en": "d MMM yyyy HH:mm:ss", "he": "dd.MM.yyyy HH:mm:ss"}
FINE_TIME: dict[Locale, str] = {"en": "d MMM yyyy HH:mm:ss.SSS", "he": "dd.MM.yyyy HH:mm:ss.SSS"}
SHORT_TIME: dict[Locale, str] = {"en": "d MMM yyyy HH:mm", "he": "dd.MM.yyyy HH:mm"}


def ltr(value: object) -> Markup:
    """A number, lot, code, ref or file name, isolated left to right; nothing is shown as a dash."""
    if value is None or value == "":
        return NOTHING
    text = plain(value) if isinstance(value, Decimal) else str(value)
    return Markup('<bdi dir="ltr">{}</bdi>').format(clean(text))


def words(value: object) -> Markup:
    """Free text of people or other systems: cleaned, isolated, in whatever direction its first letter has."""
    if value is None or value == "":
        return NOTHING
    return Markup('<bdi dir="auto">{}</bdi>').format(clean(str(value)))


def amount(value: Decimal | str | None, unit: str | None, locale: Locale) -> Markup:
    """A quantity with its unit's local name."""
    if value is None or value == "":
        return NOTHING
    digits = plain(value) if isinstance(value, Decimal) else value
    name = UNIT_NAMES[locale].get(unit or "", unit or "")
    if not name:
        return ltr(digits)
    if any("\u0590" <= char <= "\u05ff" for char in name):
        return Markup('<span class="amount">{}\u00a0{}</span>').format(ltr(digits), name)
    return Markup('<span class="amount">{}</span>').format(ltr(f"{digits}\u00a0{name}"))


def moment(value: dt.datetime | None, locale: Locale, zone: ZoneInfo, *, form: dict[Locale, str] = SHORT_TIME) -> Markup:
    """A point in time in the site's zone, its exact UTC form in the element."""
    if value is None:
        return NOTHING
    shown = format_datetime(value, form[locale], tzinfo=zone, locale=locale if locale == "en" else "he")
    return Markup('<time datetime="{}"><bdi dir="ltr">{}</bdi></time>').format(_utc(value), shown)


def _utc(value: dt.datetime) -> str:
    return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def exact(value: dt.datetime, err_ms: int, locale: Locale, zone: ZoneInfo) -> Markup:
    """A point in time with how far off it is at most; as many digits as the error leaves, what is cut off counted to it."""
    if err_ms < 1000:
        form, error = FINE_TIME, f"{err_ms}\u00a0ms"
    else:
        value = value.replace(microsecond=0)
        form, error = TIME, f"{err_ms // 1000 + 2}\u00a0s"
    shown = format_datetime(value, form[locale], tzinfo=zone, locale=locale if locale == "en" else "he")
    return Markup('<time datetime="{}"><bdi dir="ltr">{} ±\u00a0{}</bdi></time>').format(_utc(value), shown, error)


def day(value: dt.date | str | None, locale: Locale) -> Markup:
    """A calendar date. Text that is no ISO date is shown as it is."""
    if isinstance(value, str):
        try:
            value = dt.date.fromisoformat(value)
        except ValueError:
            return ltr(value)
    if value is None:
        return NOTHING
    return ltr(format_datetime(dt.datetime.combine(value, dt.time()), DATE[locale], locale="en" if locale == "en" else "he"))


def span(seconds: float | None, locale: Locale) -> Markup:
    """A length of time in its largest unit, in words."""
    if seconds is None:
        return NOTHING
    return words(format_timedelta(dt.timedelta(seconds=round(seconds)), threshold=2, locale="en" if locale == "en" else "he"))


def storage(size: int | None) -> Markup:
    """Bytes as people count them on disks: powers of ten, one digit behind the point."""
    if size is None:
        return NOTHING
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < THOUSAND:
            break
        value, unit = value / THOUSAND, larger
    return ltr(f"{value:.0f}\u00a0{unit}" if unit == "B" else f"{value:.1f}\u00a0{unit}")


def hex_dump(data: bytes) -> list[tuple[str, str, str]]:
    """Offset, hex and printable form of the bytes, 16 to a row."""
    rows = []
    for start in range(0, len(data), 16):
        part = data[start : start + 16]
        rows.append((f"{start:04x}", part.hex(" "), "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in part)))
    return rows
