"""Single values as they stand on a page, and the filters' addresses."""

import datetime as dt
from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloud.web import marks
from cloud.web.export import receipts_csv
from cloud.web.filters import GROUPS, SORTABLE, After, Filters
from cloud.web.i18n import Locale
from cloud.web.rendering import finding
from cloud.web.views import Name, ReceiptRow, as_json
from sync_protocol.wiretext import BIDI_CONTROLS

ZONE = ZoneInfo("Asia/Jerusalem")
AT = dt.datetime(2026, 11, 22, 12, 5, 7, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "unit", "locale", "shown"),
    [
        (Decimal("12.340"), "kg", "he", '<span class="amount"><bdi dir="ltr">12.340</bdi>\u00a0ק״ג</span>'),
        (Decimal("12.340"), "kg", "en", '<span class="amount"><bdi dir="ltr">12.340\u00a0kg</bdi></span>'),
        ("-12.34", "kg", "he", '<span class="amount"><bdi dir="ltr">-12.34</bdi>\u00a0ק״ג</span>'),
        (Decimal(120), "{pcs}", "he", '<span class="amount"><bdi dir="ltr">120</bdi>\u00a0יח׳</span>'),
        (Decimal("4.0"), "Cel", "he", '<span class="amount"><bdi dir="ltr">4.0\u00a0°C</bdi></span>'),
        (Decimal("1E+3"), "g", "en", '<span class="amount"><bdi dir="ltr">1000\u00a0g</bdi></span>'),
        (Decimal(3), "1", "he", '<bdi dir="ltr">3</bdi>'),
        (Decimal(3), "[lb_av]", "he", '<span class="amount"><bdi dir="ltr">3\u00a0[lb_av]</bdi></span>'),
        (None, "kg", "he", str(marks.NOTHING)),
    ],
)
def test_amount_keeps_its_digits_beside_the_local_unit(
    value: Decimal | str | None, unit: str, locale: Locale, shown: str
) -> None:
    assert marks.amount(value, unit, locale) == shown


def test_time_is_the_sites_and_carries_the_exact_one() -> None:
    assert marks.moment(AT, "he", ZONE) == (
        '<time datetime="2026-11-22T12:05:07Z"><bdi dir="ltr">22.11.2026 14:05</bdi></time>'
    )
    assert "22 Nov 2026 14:05:07" in marks.moment(AT, "en", ZONE, form=marks.TIME)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("123.60 kg", '<span class="amount"><bdi dir="ltr">123.60</bdi>\u00a0ק״ג</span>'),
        ("2026-11-22", '<bdi dir="ltr">22.11.2026</bdi>'),
        ("SUP-014", '<bdi dir="ltr">SUP-014</bdi>'),
        ("damaged corner", '<bdi dir="auto">damaged corner</bdi>'),
    ],
)
def test_finding_is_shown_by_what_it_is(value: str, shown: str) -> None:
    assert finding(value, "he") == shown


@pytest.mark.parametrize(
    ("seconds", "locale", "shown"),
    [
        (None, "en", "–"),
        (0, "en", "0 seconds"),
        (90, "en", "90 seconds"),
        (5400, "en", "90 minutes"),
        (90_000, "en", "25 hours"),
        (5400, "he", "90 דקות"),
    ],
)
def test_span_is_said_in_its_largest_unit_that_is_more_than_one(seconds: int | None, locale: Locale, shown: str) -> None:
    assert marks.span(seconds, locale).striptags() == shown


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (3_200_000_000, "3.2 GB"),
        (2_000_000_000_000_000, "2000.0 TB"),
    ],
)
def test_storage_is_counted_in_powers_of_ten(size: int | None, shown: str) -> None:
    assert marks.storage(size).striptags() == shown


@given(st.text())
def test_text_from_a_wire_can_neither_open_a_tag_nor_turn_the_line(text: str) -> None:
    for shown in (marks.ltr(text), marks.words(text)):
        inside = str(shown).partition(">")[2].rpartition("</")[0]
        assert "<" not in inside
        assert not BIDI_CONTROLS & set(inside)


@given(st.binary(max_size=80))
def test_hex_dump_loses_no_byte(data: bytes) -> None:
    rows = marks.hex_dump(data)
    assert bytes.fromhex("".join(digits for _, digits, _ in rows)) == data
    assert all(len(digits) <= 47 for _, digits, _ in rows)


@given(st.text(max_size=60), st.integers(0, (1 << 63) - 1))
@example("\U00010000" * 60, 0)
@example("\x1f" * 60, 0)
def test_place_of_a_page_survives_the_address(value: str, number: int) -> None:
    assert After.parse(str(After(value, number))) == After(value, number)


@given(st.text(max_size=60))
def test_any_text_for_a_place_is_harmless(text: str) -> None:
    After.parse(text)


@given(
    st.sampled_from(GROUPS),
    st.text(max_size=20).map(str.strip),
    st.sampled_from([*SORTABLE, *(f"-{name}" for name in SORTABLE)]),
    st.none() | st.dates(),
)
def test_filters_survive_their_own_address(state: str, text: str, sort: str, day: dt.date | None) -> None:
    filters = Filters(state=state, supplier=text, order=text, q=text, since=day, until=day, sort=sort)
    assert Filters.of(dict(parse_qsl(urlsplit(filters.url()).query))) == filters


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_spreadsheet_runs_nothing(text: str) -> None:
    row = ReceiptRow("GR-1", "open", False, Name(text), text, text, "s", None, 0, 0, 0, False, None, AT)
    cells = receipts_csv([row]).decode("utf-8-sig").splitlines()[1].split(",")
    assert all(not cell.startswith(("=", "+", "-", "@", "\t")) for cell in cells)


def test_json_keeps_digits_and_instants() -> None:
    assert as_json({"a": (Decimal("12.340"), AT, b"\x01\xff", None, Name("x"))}) == {
        "a": ["12.340", "2026-11-22T12:05:07Z", "01ff", None, {"en": "x", "he": None}]
    }
