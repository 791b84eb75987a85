"""Imports point one way: the contracts of pyproject.toml hold."""

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from tests.arch.pages import ROOT


def test_import_contracts_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    result = lint_imports(no_logo=True)
    assert result == EXIT_STATUS_SUCCESS, capsys.readouterr().out
