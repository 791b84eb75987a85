"""Imports point one way: the contracts of pyproject.toml hold, and the narrower ones that docs/ARCHITECTURE.md names."""

import ast
from collections.abc import Iterator

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from tests.arch.pages import PACKAGES, ROOT, sources

ONLY = {
    "drivers/": {f"sync_protocol.{name}" for name in ("quantity", "ids", "wiretext", "errors")},
    "firmware_sim/": {f"sync_protocol.{name}" for name in ("quantity", "ids", "wiretext", "errors")},
}
NEVER = {
    "edge/jobs/": {"fastapi", "starlette", "jinja2", "httpx", "sqlite3", "aiosqlite", "edge.kiosk", "edge.uplink"},
    "edge/journal/": {"fastapi", "httpx", "drivers", "edge.jobs", "edge.kiosk", "edge.uplink"},
    "cloud/receiving/": {"fastapi", "starlette", "jinja2", "cloud.web"},
    "cloud/kernel/": {"fastapi", "starlette", "jinja2", "cloud.web", "cloud.receiving", "cloud.ingest"},
}


def imports(folder: str) -> Iterator[tuple[str, str]]:
    for path, module in sources().items():
        for node in ast.walk(module) if path.startswith(folder) else ():
            if isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module in PACKAGES:
                yield from ((path, f"{node.module}.{alias.name}") for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield path, node.module or ""


def test_import_contracts_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    result = lint_imports(no_logo=True)
    assert result == EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.mark.parametrize("folder", ONLY)
def test_little_of_the_contract_is_used(folder: str) -> None:
    assert not {pair for pair in imports(folder) if pair[1].startswith("sync_protocol") and pair[1] not in ONLY[folder]}


@pytest.mark.parametrize("folder", NEVER)
def test_inner_layers_know_no_outer_ones(folder: str) -> None:
    found = set(imports(folder))
    assert found
    assert not {pair for pair in found for name in NEVER[folder] if f"{pair[1]}.".startswith(f"{name}.")}
