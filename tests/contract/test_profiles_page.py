"""docs/PROFILES.md shows the shipped example, every key of the schema, and commands that answer as shown."""

import json
import re
import typing
from pathlib import Path

from pydantic import BaseModel

from drivers import registry
from drivers.profiles import decode_with
from drivers.profiles.offered import SHIPPED
from drivers.profiles.own import EXAMPLE
from drivers.profiles.schema import (
    CommandPart,
    ExamplePart,
    FramingPart,
    LinePart,
    PollPart,
    Profile,
    ReadingPart,
    RefusalPart,
    StatePart,
    StreamPart,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "PROFILES.md"

PARTS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("", Profile),
    ("[line]", LinePart),
    ("[framing]", FramingPart),
    ("[reading]", ReadingPart),
    ("[[states]]", StatePart),
    ("[[refusals]]", RefusalPart),
    ("[poll]", PollPart),
    ("[stream]", StreamPart),
    ("[commands.NAME]", CommandPart),
    ("[[examples]]", ExamplePart),
)


def keys_table() -> str:
    """Every key with its description; parts of the profile have their own rows."""
    rows = ["| in | key | needed | what to write |", "|---|---|---|---|"]
    for title, part in PARTS:
        for name, field in part.model_fields.items():
            if field.description is None:
                continue
            needed = "yes" if field.is_required() else ""
            text = field.description.replace("|", "\\|")
            rows.append(f"| {f'`{title}`' if title else ''} | `{name}` | {needed} | {text} |")
    return "\n".join(rows)


def shipped_table() -> str:
    rows = ["| driver | instrument | proved |", "|---|---|---|"]
    for path in sorted(SHIPPED.glob("*.toml")):
        info = registry.get(path.stem).info
        rows.append(f"| `{info.name}` | {info.title} | {info.tier} |")
    return "\n".join(rows)


def test_page_holds_the_example_and_the_tables() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"```toml\n{EXAMPLE.read_text(encoding='utf-8')}```" in page
    assert keys_table() in page
    assert shipped_table() in page


def test_commands_of_the_page_answer_as_shown(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (text,) = [block for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if block.startswith("name =")]
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    shown = re.findall(r"\$ printf '(.*?)' \| tallybox decode --profile mine\.toml\n(.*?)```", page, re.DOTALL)
    assert shown
    for capture, answers in shown:
        sent = capture.replace("\\r", "\r").replace("\\n", "\n").encode()
        assert decode_with(tmp_path / "mine.toml", sent) == [json.loads(line) for line in answers.splitlines()]


def test_every_part_of_the_schema_is_in_the_table() -> None:
    described = {part for _, part in PARTS}
    for field in Profile.model_fields.values():
        for one in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(one, type) and issubclass(one, BaseModel):
                assert one in described
    for _, part in PARTS[1:]:
        assert all(field.description for field in part.model_fields.values())
