"""The driver that docs/DRIVERS.md shows is a working one."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.api import Driver, Malformed, Reading

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "DRIVERS.md"
PACKAGE = DOCS / "examples" / "example-thermometer" / "example_thermometer.py"


@pytest.fixture
def example() -> Driver:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {"__name__": "example_thermometer"}
    exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - our own page
    driver = names["DRIVER"]
    assert isinstance(driver, Driver)
    return driver


def test_page_and_package_show_the_same_module() -> None:
    assert f"```python\n{PACKAGE.read_text(encoding='utf-8')}```" in PAGE.read_text(encoding="utf-8")


def test_example_reads_its_lines_and_nothing_else(example: Driver) -> None:
    cut, reading, rest = example.decode(b"1.5C\rT=21.5C\rT=-3", {})
    assert isinstance(cut, Malformed)
    assert isinstance(reading, Reading)
    assert (reading.value, reading.unit) == (Decimal("21.5"), "Cel")
    assert isinstance(rest, Malformed)


def test_example_is_silent_when_overdue(example: Driver) -> None:
    codec = example.make_codec(example.settings())
    codec.receive(b"T=21.5C\r", 0)
    assert not codec.overdue(2_000_000_000)
    assert codec.overdue(2_000_000_001)
