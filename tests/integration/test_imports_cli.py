"""Imports, exports and templates at the command line, with the shipped kinds."""

import asyncio
import json
from pathlib import Path

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

import tallybox
from cloud import catalogue
from cloud.db.migrate import migrate
from cloud.imports.templates import in_order


@pytest.fixture
def url(tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path / 'cloud.db'}"
    asyncio.run(migrate(found))
    return found


def run(url: str, *words: str, code: int = 0) -> str:
    ended = CliRunner().invoke(tallybox.app, ["cloud", *words, "--db", url])
    assert ended.exit_code == code, ended.output
    return ended.output


def told(output: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(next(line for line in output.splitlines() if line.startswith('{"import"')))
    return found


def test_a_file_is_checked_written_exported_and_undone(url: str, tmp_path: Path) -> None:
    file, out = tmp_path / "units.csv", tmp_path / "products.xlsx"
    file.write_text("sku,Name,unit\nA-1,Oak,kg\nA-2,Elm,no such\n")
    checked = told(run(url, "import", "product", str(file), "--apply", "--json", code=1))
    assert checked["status"] == "checked"
    assert [(one["row"], one["field"], one["code"]) for one in checked["faults"]] == [(3, "unit", "unit_unknown")]  # type: ignore[attr-defined]
    file.write_text("sku,Name,unit\nA-1,Oak,kg\nA-2,Elm,g\n")
    applied = told(run(url, "import", "product", str(file), "--apply", "--json"))
    assert applied["counts"] == {"rows": 2, "outcome": {"new": 2}, "done": {"made": 2}}
    run(url, "export", "product", str(out))
    again = told(run(url, "import", "product", str(out), "--json"))
    assert again["counts"] == {"rows": 2, "outcome": {"same": 2}}
    assert "undone 2, kept 0" in run(url, "undo-import", str(applied["import"]))


def test_templates_come_in_the_order_of_import(url: str, tmp_path: Path) -> None:
    run(url, "template", str(tmp_path / "all.xlsx"))
    sheets = [one.title[3:] for one in load_workbook(tmp_path / "all.xlsx").worksheets if one.sheet_state == "visible"]
    definitions = catalogue.registry().plain().definitions
    assert sheets == [one.key for one in in_order(definitions.values()) if not one.read_only]
    for place, kind in enumerate(sheets):
        needed = {one.target for one in definitions[kind].live if one.target and one.required} - {kind}
        assert needed <= set(sheets[:place]), kind
