"""From a mapping that a person wrote to a driver's settings, with the fault named by setting."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError

from drivers.api import Settings, SettingsFault

SettingsT = TypeVar("SettingsT", bound=Settings)


def read_settings(model: type[SettingsT], values: Mapping[str, object]) -> SettingsT:
    """Check settings by name. Raises SettingsFault with `setting` naming the first one that does not fit."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or None
        raise SettingsFault(f"{name or 'settings'}: {first['msg']}", setting=name) from exc


def own_settings(model: type[SettingsT], settings: Settings) -> SettingsT:
    """The settings as the driver's own model. Raises SettingsFault for those of another driver."""
    if not isinstance(settings, model):
        raise SettingsFault(f"{model.__name__} expected, not {type(settings).__name__}")
    return settings
