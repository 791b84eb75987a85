"""Settings of the cloud core, read from the environment (`TALLYBOX_CLOUD_...`) and checked once at the start."""

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from cloud.db.engine import database_url
from cloud.errors import SettingsFault

PREFIX = "TALLYBOX_CLOUD_"


class CloudSettings(BaseSettings):
    """`database_url`: `sqlite:///path` or `postgresql://...`. Hosts are names under which the staff pages may be asked for."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    database_url: str = "sqlite:///tallybox.db"
    organisation: str = Field(default="Tallybox", min_length=1, max_length=80)
    staff_hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
    default_locale: str = Field(default="he", pattern="^(he|en)$")

    @field_validator("database_url")
    @classmethod
    def _is_supported(cls, value: str) -> str:
        try:
            database_url(value)
        except SettingsFault as exc:
            raise ValueError(str(exc)) from exc
        return value


def read_settings(**given: object) -> CloudSettings:
    """Settings from the environment and what is given over it. Raises SettingsFault naming the first one that does not fit."""
    try:
        return CloudSettings(**given)  # type: ignore[arg-type]
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "settings"
        raise SettingsFault(f"{name}: {first['msg']}") from exc
