"""The catalogues and the templates: every word in both languages, every value isolated, no left or right in the styles."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import httpx
import pytest
from jinja2 import DictLoader

from cloud.receiving.machine import RECEIPT
from cloud.receiving.models import Receipt, ReceiptLine
from cloud.web import StaffDeps, create_staff_app, faults, i18n
from cloud.web.assets import OWN
from cloud.web.i18n import LOCALES, Catalogues
from cloud.web.rendering import TEMPLATES
from edge.jobs import reasons as receiving_reasons
from edge.jobs.movement import words as movement_words
from edge.kiosk.texts import catalogue
from sync_protocol.receiving.settings import CHECKS
from tests.unit.cloud_web.conftest import SignIn
from tests.unit.cloud_web.office import Refs

CATALOGUES = Catalogues.load()
KINDS = (
    "fault",
    "fault_title",
    "sign_in",
    "problem",
    "cannot_post",
    "check",
    "event",
    "reason",
    "flag",
    "clock",
    "box",
    "time_by",
    "side",
    "doubt",
    "gap_cause",
    "invalid",
    "list_fault",
    "field_mark",
    "type",
    "menu_group",
    "op",
    "system",
    "job",
    "job_group",
    "delivery_group",
    "hook_answer",
    "import_status",
    "import_outcome",
    "import_done",
    "import_dates",
    "import_numbers",
    "import_by",
    "import_mode",
    "import_policy",
    "import_trouble",
    "import_note",
    "lot_state",
    "queue_kind",
    "quick",
    "review_code",
    "step_fault",
    "usage",
)
"""Keys below these are made from codes at run time."""


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    english, hebrew = CATALOGUES.texts["en"], CATALOGUES.texts["he"]
    assert english.keys() == hebrew.keys()
    assert {key for key in english if _placeholders(english[key]) != _placeholders(hebrew[key])} == set()


def test_hebrew_is_hebrew() -> None:
    assert [
        key for key, text in CATALOGUES.texts["he"].items() if not re.search("[\u05d0-\u05ea]", text.replace("CSV", ""))
    ] == ["actor.at_box"]


def test_every_message_can_be_read_at_a_glance() -> None:
    assert [key for locale in LOCALES for key, text in CATALOGUES.texts[locale].items() if len(text.split()) > 15] == []


def _used() -> set[str]:
    found = set()
    for path in TEMPLATES.rglob("*.html"):
        found |= set(re.findall(r"\bt\('([a-z_0-9.]+)'", path.read_text()))
    return found


def test_every_key_that_a_template_names_exists() -> None:
    assert {key for key in _used() if not key.endswith(".") and not CATALOGUES.has(key)} == set()


def test_every_key_is_used() -> None:
    templates = "\n".join(path.read_text() for path in TEMPLATES.rglob("*.html"))
    code = "\n".join(path.read_text() for path in TEMPLATES.parent.rglob("*.py"))
    made = (
        *KINDS,
        "state",
        "group",
        "column",
        "field",
        "role",
        "order_state",
        "proof",
        "actor",
        "disk",
        "time",
        "time_by",
        "way",
        "action",
        "kind",
        "grant",
        "arrival",
        "bucket",
        "photo",
        "remainder",
    )
    unused = {
        key
        for key in CATALOGUES.texts["en"]
        if f"'{key}'" not in templates and f'"{key}"' not in code and key.partition(".")[0] not in made
    }
    made_of_names = ("abandon.", "review.", "stock.by.", "stock.field.", "stock.went", "stock.brought")
    assert {key for key in unused if not key.startswith(made_of_names)} == set()


def test_codes_of_the_core_have_words() -> None:
    assert {code for code in CHECKS if not CATALOGUES.has(f"check.{code}")} == set()
    actions = {row.action for row in RECEIPT.transitions} - {"count"}
    assert {action for action in actions if not CATALOGUES.has(f"event.{action}")} == set()
    states = RECEIPT.states
    assert {state for state in states if not CATALOGUES.has(f"state.{state}")} == set()
    reasons = {reason for each in (receiving_reasons, movement_words) for codes in each.REASONS.values() for reason in codes}
    reasons |= {
        value
        for each in (receiving_reasons, movement_words)
        for name, value in vars(each).items()
        if name.isupper() and isinstance(value, str)
    }
    assert {reason for reason in reasons if not CATALOGUES.has(f"reason.{reason}")} == set()
    assert {status for status in faults.TITLED if not CATALOGUES.has(f"fault_title.{status}")} == set()


PROBLEM = re.compile(r"(?:yield|append\(|return \[)\s*f?\"([a-z_]+)[:\"]")


def test_problems_of_the_verification_have_words() -> None:
    root = Path(__file__).resolve().parents[3]
    table = (root / "docs/EVIDENCE.md").read_text().partition("| part | compared | problem |")[2].partition("\n\n")[0]
    codes = {code for row in table.splitlines() for code in re.findall("`([a-z_]+)`", row.rpartition(" | ")[2])}
    parts = [root / "cloud/receiving/verify.py", *(root / "cloud/receiving/evidence").glob("*.py")]
    found = {code for path in parts for code in PROBLEM.findall(path.read_text())}
    columns = {column.name for kept in (Receipt, ReceiptLine) for column in kept.__table__.columns}
    assert len(found - columns) > 25
    assert found - columns - {"serials"} - codes == set()
    assert {code for code in codes if not CATALOGUES.has(f"problem.{code}")} == set()
    assert {key for key in CATALOGUES.texts["en"] if key.startswith("problem.") and key[8:] not in codes} == set()


def test_every_fault_of_a_step_has_words() -> None:
    core = Path(__file__).resolve().parents[3] / "cloud"
    codes = {code for path in core.rglob("*.py") for code in re.findall(r'StepFault\(\s*"([a-z_]+)"', path.read_text())}
    assert len(codes) > 20
    assert {code for code in codes if not CATALOGUES.has(f"step_fault.{code}")} == set()


@pytest.mark.parametrize(("code", "words"), [("step_again", "The same step twice"), ("of_tomorrow", "of_tomorrow")])
def test_a_step_that_does_not_fit_is_told_in_words_with_its_entry(deps: StaffDeps, code: str, words: str) -> None:
    page = DictLoader({"found.html": "{{ found_words('steps_contradict', found) }}"})
    whole = create_staff_app(deps).state.renderer
    renderer = replace(whole, environment=whole.environment.overlay(loader=page))
    said = renderer.text("found.html", "en", "", {"found": f"{code} 0f:3"})
    assert words in said
    assert "0f:3" in said


def test_why_somebody_has_to_look_is_said_at_the_box_as_well() -> None:
    codes = {key.partition(".")[2] for key in CATALOGUES.texts["en"] if key.startswith("review_code.")}
    codes |= {"exceptions_open", "journal_held", "line_unfit", "lot_differs", "move_differs", "new_findings", "policy_unmet"}
    box = catalogue("en")
    bare = {key.partition(".")[2] for key in box if key.startswith(("review.", "check.", "refused.")) and "{" not in box[key]}
    assert len(codes) > 30
    assert codes - bare == set()


def test_say_escapes_what_is_filled_in() -> None:
    said = CATALOGUES.say("en", "verdict.line", line="<b>")
    assert said == "Line &lt;b&gt;"


def test_unknown_key_is_an_error_of_ours() -> None:
    with pytest.raises(KeyError):
        CATALOGUES.say("en", "no.such")


@pytest.mark.parametrize("name", ["staff.css", "proof.css"])
def test_styles_know_no_left_and_right(name: str) -> None:
    style = re.sub(r"/\*.*?\*/", "", (OWN / name).read_text(), flags=re.DOTALL)
    sides = "left|right|top|bottom"
    physical = rf"(?:margin|padding|border)-(?:{sides})|(?<![-\w])(?:{sides}|float)\s*:|text-align:\s*(?:left|right)"
    assert re.findall(physical, style) == []
    assert re.findall(r"(?<!-)\b(?:width|height)\s*:", re.sub(r"\(m[axin]+-width[^)]*\)", "", style)) == []
    # Four-value shorthands set left and right apart.
    assert re.findall(r"(?:margin|padding):(?: [^\s;]+){4}", style) == []


def test_templates_hold_no_script_style_or_handler() -> None:
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|\|safe|<script(?![^>]*src=)", text), path.name


class Bare(HTMLParser):
    """Finds text with a digit that stands in no isolate."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, bool]] = []
        self.bare: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"meta", "link", "input", "br", "use"}:
            return
        given = dict(attrs)
        # The printable bytes have their direction from their class; a choice's text cannot hold elements.
        directed = given.get("dir") is not None and tag != "html"
        isolated = directed or tag in {"bdi", "title", "option"} or given.get("class") == "bytes"
        self.open.append((tag, isolated))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closed already."""

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if re.search(r"\d", data) and not any(isolated for _, isolated in self.open):
            self.bare.append(data.strip())


@pytest.mark.parametrize("login", ["noa", "tal"])
async def test_every_number_on_every_page_is_isolated(sign_in: SignIn, refs: Refs, login: str) -> None:
    client: httpx.AsyncClient = await sign_in(login)
    pages = ["/", "/receipts", "/boxes", "/receipts?q=L&order=2026&from=2026-11-22"]
    pages += [f"/receipts/{getattr(refs, name)}" for name in refs.__slots__]
    for path in pages:
        finder = Bare()
        finder.feed((await client.get(path)).text)
        assert finder.bare == [], path


def test_catalogues_say_which_language_they_are_in() -> None:
    for locale in LOCALES:
        text = (i18n.FOLDER / locale / "LC_MESSAGES" / "staff.po").read_text()
        assert f'"Language: {locale}\\n"' in text
