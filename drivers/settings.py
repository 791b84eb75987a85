"""From a mapping that a person wrote to a driver's settings, with the fault named by setting."""

from collections.abc import Mapping
from typing import Final, TypeVar

from pydantic import JsonValue, ValidationError

from drivers.api import Settings, SettingsFault

SettingsT = TypeVar("SettingsT", bound=Settings)

SECRET: Final[dict[str, JsonValue]] = {"secret": True}
"""Marks a setting that lets whoever knows it in: `Field(..., json_schema_extra=SECRET)`. It needs a default, because what is
kept of a device's settings is kept without it."""


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


def secrets_of(model: type[Settings]) -> frozenset[str]:
    """Names of the settings that are marked as SECRET."""
    return frozenset(name for name, field in model.model_fields.items() if _is_secret(field.json_schema_extra))


def without_secrets(settings: Settings) -> dict[str, object]:
    """All settings as JSON has them, for the journal and for screens."""
    return settings.model_dump(mode="json", exclude=set(secrets_of(type(settings))))


def _is_secret(extra: object) -> bool:
    return isinstance(extra, dict) and extra.get("secret") is True
