"""Captures with their meaning, from TALLYBOX_VECTORS or ../shared/vectors beside the repository; skipped where absent."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROTOCOLS = {"mt-sics", "serial-scanner", "gs1-element-string", "ean-upc", "sscc"}
FRAMED = {"mt-sics", "serial-scanner"}


def _folder() -> Path:
    return Path(os.environ.get("TALLYBOX_VECTORS", ROOT.parent / "shared" / "vectors"))


def _vectors(protocols: set[str]) -> list[Any]:
    folder = _folder()
    files = [folder / "scales.jsonl", folder / "barcodes.jsonl"]
    if not all(file.is_file() for file in files):
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no vectors in {folder} (set TALLYBOX_VECTORS)"))]
    lines = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines() if line]
    return [
        pytest.param(line, id=f"{line['protocol']}-{number}")
        for number, line in enumerate(lines)
        if line["protocol"] in protocols
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "vector" in metafunc.fixturenames:
        metafunc.parametrize("vector", _vectors(PROTOCOLS))
    if "framed_vector" in metafunc.fixturenames:
        metafunc.parametrize("framed_vector", _vectors(FRAMED))


@pytest.fixture(scope="session")
def all_framed() -> list[dict[str, Any]]:
    """Every capture of the protocols that come as bytes."""
    found = [param.values[0] for param in _vectors(FRAMED)]
    if found == [None]:
        pytest.skip(f"no vectors in {_folder()} (set TALLYBOX_VECTORS)")
    return found
