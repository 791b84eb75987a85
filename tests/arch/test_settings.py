"""Every setting of box and cloud is in docs/OPERATIONS.md, with its default; the examples there are read by the code."""

import dataclasses
import typing
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from cloud.runner import CloudSettings
from edge import settings as box_settings
from tests.arch.pages import bare, missing, page, section, table

OPERATIONS = page("docs/OPERATIONS.md")
EXAMPLE, _, TABLE = section(OPERATIONS, "The box").partition("```toml\n")[2].partition("```\n\n")


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, field in model.model_fields.items():
        inner = [field.annotation, *typing.get_args(field.annotation)]
        part = next((one for one in inner if isinstance(one, type) and issubclass(one, BaseModel)), None)
        if part is None or not isinstance(field.default, BaseModel):
            yield prefix + name, ... if field.is_required() else field.default
        if part is not None:
            yield from settings(part, f"{prefix}{name}.")


def shown(default: object) -> str:
    match default:
        case bool():
            return str(default).lower()
        case float():
            return f"{default:g}"
        case str() | int():
            return str(default)
    return "" if default is ... else "none"


def test_every_setting_of_the_box_is_described_with_its_default() -> None:
    said = {bare(row["setting"]): row["default"] for row in table(TABLE)}
    said["devices.settings"] = said["devices.settings"].replace("the driver's", "none")
    assert said == {name: shown(default) for name, default in settings(box_settings.BoxSettings)}


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text(EXAMPLE, encoding="utf-8")
    assert box_settings.read(tmp_path / "box.toml").data_dir == tmp_path / "box"


def test_every_setting_of_the_cloud_is_described() -> None:
    assert not missing({field.name for field in dataclasses.fields(CloudSettings)}, section(OPERATIONS, "The cloud"))
