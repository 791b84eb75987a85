"""Words and pages: both catalogues alike, nothing bare that a right-to-left page would turn round, one primary action."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar, Final

import pytest

import edge.kiosk
from edge.jobs.awaiting import Awaits
from edge.jobs.engine import TABLE
from edge.jobs.movement import words
from edge.jobs.news import Sound
from edge.jobs.reasons import REASONS
from edge.jobs.scans import ScanKind
from edge.jobs.weighing import WeightState
from edge.kiosk.sounds import RATE, TONES, render
from edge.kiosk.texts import Words, catalogue, day, ltr
from sync_protocol.receiving.settings import CHECKS
from sync_protocol.steps import Arrival
from tests.unit.edge_jobs.station import BOLT_GTIN, ORDER, RICE_GTIN, oil_label
from tests.unit.edge_kiosk.conftest import PROGRAM, Kiosk

FOLDER: Final = Path(edge.kiosk.__file__).parent
HE, EN = catalogue("he"), catalogue("en")
SOURCES: Final = "".join(
    path.read_text()
    for folder in (FOLDER, FOLDER.parent / "jobs")
    for path in sorted(folder.rglob("*"))
    if path.suffix in {".py", ".html"}
)


def test_both_languages_have_the_same_keys() -> None:
    assert HE.keys() == EN.keys()


@pytest.mark.parametrize("key", sorted(EN))
def test_texts_are_short_filled_alike_and_whole(key: str) -> None:
    assert EN[key].strip()
    assert HE[key].strip()
    assert re.findall(r"\{(\w+)\}", EN[key]) == re.findall(r"\{(\w+)\}", HE[key]) or sorted(
        re.findall(r"\{(\w+)\}", EN[key])
    ) == sorted(re.findall(r"\{(\w+)\}", HE[key]))
    assert len(EN[key].split()) <= 12
    assert len(HE[key].split()) <= 12


FAMILIES: Final = {
    "ask": [awaited for awaited in Awaits if awaited is not Awaits.NOTHING],
    "awaits": list(Awaits),
    "next": list(Awaits),
    "kind": list(ScanKind),
    "weight": list(WeightState),
    "block": [state for state in WeightState if state is not WeightState.STABLE],
    "refused": [f"take_{state}" for state in WeightState if state is not WeightState.STABLE],
    "outcome": list(Sound),
    "reason": [code for each in (REASONS, words.REASONS) for codes in each.values() for code in codes],
    "check": list(CHECKS),
    "arrival": list(Arrival.model_fields),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_code_has_words(family: str) -> None:
    assert [f"{family}.{code}" for code in FAMILIES[family] if f"{family}.{code}" not in EN] == []


def test_every_refusal_that_the_code_can_raise_has_words() -> None:
    raised = set(re.findall(r'JobRefused\(\s*"(\w+)"', SOURCES))
    assert len(raised) > len(TABLE)
    assert {code for code in raised if f"refused.{code}" not in EN} == {"no_step"}


def test_every_literal_key_of_the_templates_exists() -> None:
    used = set(re.findall(r'w\.(?:t|plain)\(\s*["\']([a-z_.]+)["\']\s*[,)]', SOURCES))
    assert len(used) > 40
    assert used - EN.keys() == set()


def test_values_are_isolated_cleaned_and_escaped() -> None:
    assert ltr("-12.34<b>\u202e") == '<bdi dir="ltr">-12.34&lt;b&gt;</bdi>'
    assert day("2027-03-31") == "31/03/2027"
    assert Words("en").quantity("12.340", "kg") == '<bdi dir="ltr" class="qty">12.340\u00a0kg</bdi>'
    assert Words("he").quantity("12.340", "kg") == '<span class="qty"><bdi dir="ltr">12.340</bdi>\u00a0ק״ג</span>'
    assert '<bdi dir="ltr">DN&lt;1&gt;</bdi>' in Words("he").t("scan.unknown", text="DN<1>")
    assert Words("en").told("refused.strange", {}) == 'Not possible now. Code: <bdi dir="ltr">refused.strange</bdi>'


def test_no_physical_direction_in_the_style_sheet() -> None:
    css = re.sub(r"/\*.*?\*/", "", (FOLDER / "static" / "kiosk.css").read_text(), flags=re.DOTALL)
    sides = "(?:left|right|top|bottom)"
    edges = rf"(?:margin|padding|border)-{sides}\b|[\s;{{]{sides}\s*:|(?:text-align|float)\s*:\s*(?:left|right)"
    physical = edges + r"|[\s;{](?:min-|max-)?(?:width|height)\s*:"
    # A media query asks for the panel's own sides; it has no logical form.
    assert re.findall(physical, re.sub(r"@media[^{]*", "", css)) == []


def test_the_three_sounds_differ_and_rejected_is_longer_and_lower() -> None:
    length = {sound: sum(ms for _, ms in TONES[sound]) for sound in Sound}
    highest = {sound: max(hertz for hertz, _ in TONES[sound]) for sound in Sound}
    for sound in (Sound.ACCEPTED, Sound.LOOK_HERE):
        assert length[Sound.REJECTED] > 1.5 * length[sound]
        assert highest[Sound.REJECTED] < highest[sound] / 2
    for sound in Sound:
        wav = render(sound)
        assert wav == render(sound)
        assert abs((len(wav) - 44) / 2 - RATE * length[sound] / 1000) < 10


async def pages(kiosk: Kiosk) -> dict[str, str]:  # noqa: PLR0915 - one receipt, screen by screen
    """Every screen of a receipt, as it stands when the step is awaited."""
    found: dict[str, str] = {"signin": (await kiosk.client.get("/signin")).text}

    async def keep(name: str) -> None:
        found[name] = (await kiosk.client.get("/")).text

    await kiosk.sign_in()
    await keep("order")
    await kiosk.scan(ORDER)
    await keep("document")
    await kiosk.scan("DN-2291/7")
    await keep("item")
    await kiosk.scan(**oil_label())
    await keep("weight_no_data")
    kiosk.station.hub.weigh("12.340")
    await keep("weight")
    await kiosk.act("take")
    await keep("confirm")
    await kiosk.act("confirm")
    await keep("item_again")
    await kiosk.scan(**oil_label())
    await keep("again")
    await kiosk.act("again")
    kiosk.station.hub.weigh("-12.345")
    await keep("weight_negative")
    kiosk.station.hub.weigh("14.005")
    await kiosk.act("take")
    await keep("confirm_over")
    await kiosk.act("confirm", reason="checked_again")
    await kiosk.scan("0" + BOLT_GTIN, gtin=BOLT_GTIN)
    await keep("count")
    await kiosk.act("count", value="120")
    await keep("confirm_count")
    await kiosk.act("confirm")
    await kiosk.scan("0" + RICE_GTIN, gtin=RICE_GTIN)
    await keep("weight_may_be_typed")
    await kiosk.act("discard", reason="wrong_item")
    await kiosk.scan("01" + oil_label()["gtin"], gtin=oil_label()["gtin"])
    await keep("lot")
    await kiosk.act("lot", value="L-9", reason="unreadable")
    await keep("expiry")
    await kiosk.act("expiry", value="2020-01-31", reason="unreadable")
    await keep("weight_expired")
    return found


@pytest.mark.parametrize("locale", ["he", "en"])
async def test_every_screen(kiosk: Kiosk, locale: str) -> None:
    await kiosk.client.post("/api/locale", json={"locale": locale}, headers=PROGRAM)
    await kiosk.deps.store.prefer("omar", locale, "")
    found = await pages(kiosk)
    assert len(found) == 17
    for name, html in found.items():
        assert f'<html lang="{locale}" dir="{"rtl" if locale == "he" else "ltr"}">' in html, name
        assert html.count('class="primary"') == 1, name
        assert " style=" not in html, name
        assert not re.search(r"<script(?![^>]*(?: src=|application/json))", html), name
        assert _bare_values(html) == [], name


class _BareValues(HTMLParser):
    """Collects numbers, dates and codes whose text stands in no isolate: a right-to-left page would turn their parts round."""

    VOID: ClassVar = {"meta", "link", "input", "img", "br", "circle", "path"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[bool] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            safe = tag in {"bdi", "script", "style", "title"} or (tag != "html" and ("dir", "ltr") in attrs)
            self.open.append(safe)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self.open):
            self.found += re.findall(r"[-+]?\d[\d.,/:-]*", data)


def _bare_values(html: str) -> list[str]:
    parser = _BareValues()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser.found


def test_the_lint_sees_a_bare_value() -> None:
    assert _bare_values('<html dir="ltr"><p>12.340 kg</p></html>') == ["12.340"]
    assert _bare_values('<p><bdi dir="ltr">12.340 kg</bdi></p>') == []
