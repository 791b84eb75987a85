"""Writing one more field into a definition's text, so that nobody has to know YAML for it. The rest stays as it was typed."""

import json
import re
from dataclasses import dataclass

from cloud.objects.definition import CUSTOM

_TOP = re.compile(r"^[^\s#]")
_FIELDS = re.compile(r"^fields:\s*(#.*)?$")


@dataclass(frozen=True, slots=True)
class NewField:
    """What the small form says. `options` is one to a line: key, English, Hebrew with commas between."""

    key: str
    type: str
    en: str = ""
    he: str = ""
    object: str = ""
    options: str = ""
    required: bool = False
    indexed: bool = False
    searchable: bool = False


def with_field(text: str, kind: str, field: NewField, *, shipped: bool) -> str:
    """The text with the field at the end of its fields. In a shipped object a field of one's own begins with `x_`."""
    key = re.sub(r"[^a-z0-9_]+", "_", field.key.strip().lower()).strip("_") or "field"
    if shipped and not key.startswith(CUSTOM):
        key = CUSTOM + key
    line = f"  {key}: {_entry(field)}"
    lines = text.rstrip("\n").split("\n") if text.strip() else [f"key: {kind}"]
    at = next((number for number, one in enumerate(lines) if _FIELDS.match(one)), None)
    if at is None:
        return "\n".join([*lines, "fields:", line]) + "\n"
    end = next((number for number in range(at + 1, len(lines)) if _TOP.match(lines[number])), len(lines))
    while end > at + 1 and not lines[end - 1].strip():
        end -= 1
    return "\n".join([*lines[:end], line, *lines[end:]]) + "\n"


def _entry(field: NewField) -> str:
    parts = [f"type: {field.type}"]
    if field.object and field.type in {"ref", "refs"}:
        parts.append(f"object: {field.object}")
    parts += [f"{name}: true" for name in ("required", "indexed", "searchable") if getattr(field, name)]
    if field.type in {"choice", "choices"}:
        parts.append("options: {" + ", ".join(_options(field.options)) + "}")
    label = _label(field.en.strip(), field.he.strip())
    if label:
        parts.append(f"label: {label}")
    return "{" + ", ".join(parts) + "}"


def _options(text: str) -> list[str]:
    found = []
    for one in text.splitlines():
        key, *names = (part.strip() for part in one.split(","))
        if key:
            en, he = (*names, "", "")[:2]
            found.append(f"{_quoted(key)}: {_label(en or key, he)}")
    return found


def _label(en: str, he: str) -> str:
    parts = [f"{name}: {_quoted(text)}" for name, text in (("en", en), ("he", he)) if text]
    return "{" + ", ".join(parts) + "}" if parts else ""


def _quoted(text: str) -> str:
    # A JSON string is a quoted scalar of YAML (YAML 1.2, 1.3).
    return json.dumps(text, ensure_ascii=False)


STARTING = """key: x_visit
label: {en: Visit, he: ביקור}
plural: {en: Visits, he: ביקורים}
title: "{subject}"
number: "V-{year}-{n:04}"
columns: [subject, party, day, state]
states:
  planned: {phase: open, label: {en: Planned, he: מתוכנן}}
  held: {phase: done, label: {en: Held, he: התקיים}}
transitions:
  hold: {from: planned, to: held, when: "day is not None", label: {en: Held, he: התקיים}}
fields:
  subject: {type: text, required: true, searchable: true, label: {en: Subject, he: נושא}}
  party: {type: party, label: {en: Customer, he: לקוח}}
  day: {type: date, indexed: true, label: {en: Day, he: יום}}
"""
"""What the editor of a new object begins with: every part once, to be changed."""
