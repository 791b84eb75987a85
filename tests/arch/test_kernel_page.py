"""docs/KERNEL.md says what the code does: field types, words, hooks and diagrams."""

from dataclasses import fields
from pathlib import Path

from cloud.catalogue import SHIPPED
from cloud.objects.check import FIELD_CONDITIONS, check
from cloud.objects.definition import PHASES, TYPES, FieldDef
from cloud.objects.faults import BadDefinition
from cloud.objects.reading import read_object
from cloud.objects.registry import Registry
from cloud.objects.source import read_yaml
from tests.arch import kernel_tables
from tests.arch.pages import bare, missing, page, section, table

PAGE = page("docs/KERNEL.md")
EXAMPLE = PAGE.partition("```yaml\n")[2].partition("```")[0]


def test_every_field_type_is_described() -> None:
    assert [bare(row["type"]) for row in table(section(PAGE, "Fields"))] == list(TYPES)


def test_every_word_of_a_field_is_described() -> None:
    known = {one.name for one in fields(FieldDef)} - {"key", "type", "target", "column", "evidence", "portal"} | {"object"}
    assert not missing(known, section(PAGE, "Fields"))
    listed = table(section(PAGE, "Fields").partition("may have")[2])
    assert {bare(row["word"]) for row in listed} == {*FIELD_CONDITIONS, "where"}


def test_every_phase_is_named() -> None:
    assert not missing(set(PHASES), section(PAGE, "States and transitions"))


def test_the_example_is_a_definition_of_some_ten_lines() -> None:
    source = read_yaml(EXAMPLE)
    found = read_object(source)
    assert check(found, Registry(SHIPPED).plain().definitions, source) == []
    assert EXAMPLE.count("\n") <= 12


def test_the_fault_that_is_shown_is_the_one_that_comes() -> None:
    source = read_yaml(EXAMPLE.replace("[outcome]", "[outcom]"))
    faults = check(read_object(source), Registry(SHIPPED).plain().definitions, source)
    assert str(BadDefinition(faults)) in PAGE


def test_the_diagrams_are_those_of_the_machines() -> None:
    assert kernel_tables.page_with(PAGE) == PAGE


def test_every_shipped_definition_speaks_both_languages() -> None:
    silent = [
        f"{kind}.{one.key}"
        for kind, definition in Registry(SHIPPED).plain().definitions.items()
        for one in (*definition.fields, *definition.states, *definition.transitions, *definition.sections)
        if one.label.he is None
    ]
    assert silent == []


def test_shipped_definitions_lie_beside_their_code() -> None:
    for kind in SHIPPED.typed:
        assert kind.definition == Path(kind.definition.parent, f"{kind.key}.yaml")
