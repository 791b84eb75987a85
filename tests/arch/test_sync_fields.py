"""docs/SYNC.md names every field of every entry, header, answer, patch and row, and says rightly which may be absent."""

from typing import get_args

import pytest
from pydantic import BaseModel

from sync_protocol import answers, entries, frame, masters, mirror
from tests.arch.pages import bare, page, section, table, ticked

SYNC = page("docs/SYNC.md")
KINDS = {get_args(model.model_fields["t"].annotation)[0]: model for model in get_args(entries.Entry)[:-1]}


def named(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def optional(model: type[BaseModel]) -> set[str]:
    return {name for name, field in model.model_fields.items() if field.default is None}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_field_of_an_entry_is_described(kind: str) -> None:
    shared, own = table(section(SYNC, "Entries")), table(section(SYNC, f"`{kind}`"))
    rows = {bare(row["field"]): row for row in [*shared, *own]}
    assert rows.keys() == named(KINDS[kind])
    assert {name for name, row in rows.items() if row["present"] == "may be absent"} == optional(KINDS[kind])


@pytest.mark.parametrize(
    ("title", "after", "model"),
    [
        ("Frame", "The header's members", frame.Header),
        ("Answers", "**Position**", answers.Ack),
        ("Answers", "**Gap**", answers.Need),
        ("Answers", "**Refusal**", answers.Refused),
        ("Mirror", "gets a patch", mirror.Patch),
    ],
)
def test_every_member_is_described(title: str, after: str, model: type[BaseModel]) -> None:
    assert {bare(row["field"]) for row in table(section(SYNC, title).partition(after)[2])} == named(model)


def test_every_refusal_is_explained() -> None:
    rows = table(section(SYNC, "Answers").partition("own word for it, may be null |")[2])
    assert {bare(row["err"]) for row in rows} == set(get_args(answers.Refusal))


def test_every_table_of_the_mirror_is_described() -> None:
    rows = {bare(row["table"]): ticked(row["value"]) for row in table(section(SYNC, "Mirror"))}
    assert rows.keys() == masters.TABLES.keys()
    for name, model in masters.TABLES.items():
        assert set(model.model_fields) <= rows[name], name
