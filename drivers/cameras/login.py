"""Where a network camera is and how the box signs in there. The password stands in a file or a variable, never in a setting."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import AfterValidator, Field, model_validator

from drivers.api import Settings, SettingsFault
from drivers.passwords import NAME, PasswordFault, from_environment, from_file

DEFAULT_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}


def address_of(*schemes: str) -> AfterValidator:
    """Checks an address: one of `schemes`, a host, and no login in it."""

    def check(text: str) -> str:
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as exc:
            raise ValueError("not an address") from exc
        if parts.scheme not in schemes or not parts.hostname or port == 0:
            raise ValueError(f"an address that begins with {' or '.join(f'{scheme}://' for scheme in schemes)} expected")
        if "@" in parts.netloc:
            raise ValueError("the login stands in the settings user, password_file and password_env, not in the address")
        if any(not char.isprintable() or char.isspace() for char in text):
            raise ValueError("no spaces or control characters in an address")
        return text

    return AfterValidator(check)


class LoginSettings(Settings):
    """What every network camera has."""

    user: str = Field(default="", max_length=64, description="Name to sign in with; empty where the camera asks for none.")
    password_file: Path | None = Field(
        default=None, description="File whose only line is the password; readable by the box alone."
    )
    password_env: str | None = Field(
        default=None, pattern=NAME, description="The password is in the environment variable TALLYBOX_SECRET_ with this name."
    )
    timeout_s: float = Field(default=10.0, gt=0, le=60, description="Seconds for a whole picture, sign-in included.")

    @model_validator(mode="after")
    def _one_password(self) -> "LoginSettings":
        if self.password_file is not None and self.password_env is not None:
            raise ValueError("password_file or password_env, not both")
        if not self.user and (self.password_file is not None or self.password_env is not None):
            raise ValueError("a password without a user")
        return self


class HttpSettings(LoginSettings):
    """What every camera spoken to over HTTP has."""

    address: Annotated[str, address_of("http", "https")] = Field(
        description="Where the picture is. {user} and {password} are filled in for cameras that want them in the address."
    )
    auth: Literal["digest", "basic"] = Field(
        default="digest",
        description="How to sign in. `basic` sends the password as it is: over https only, or on a wire you own.",
    )
    certificate_file: Path | None = Field(
        default=None,
        description="The camera's own certificate or its authority's (PEM): only it is trusted then, and no name is compared.",
    )

    @model_validator(mode="after")
    def _placeholders_where_they_are_dropped(self) -> "HttpSettings":
        parts = urlsplit(self.address)
        if "{" in f"{parts.netloc}{parts.path}" or "}" in f"{parts.netloc}{parts.path}":
            raise ValueError("{user} and {password} may stand behind the question mark only")
        return self


def password(settings: LoginSettings, environ: Mapping[str, str]) -> str:
    """The password, read anew for every picture; empty without one. Raises SettingsFault that names the setting."""
    try:
        if settings.password_env is not None:
            return from_environment(settings.password_env, environ)
        return "" if settings.password_file is None else from_file(settings.password_file)
    except PasswordFault as exc:
        setting = "password_env" if settings.password_env is not None else "password_file"
        raise SettingsFault(f"{setting}: {exc}", setting=setting) from exc


def filled(address: str, user: str, secret: str) -> str:
    """The address with its placeholders filled in. It must go on the wire and nowhere else."""
    return address.replace("{user}", quote(user, safe="")).replace("{password}", quote(secret, safe=""))


def public(address: str) -> str:
    """The address as it may be kept: without login, query and fragment, which is where cameras take passwords."""
    parts = urlsplit(address)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = "" if parts.port is None else f":{parts.port}"
    return urlunsplit((parts.scheme, f"{host}{port}", parts.path, "", ""))


def trust(settings: HttpSettings) -> ssl.SSLContext:
    """Whom a camera over https must be vouched for by. Raises SettingsFault."""
    if settings.certificate_file is None:
        return ssl.create_default_context()
    try:
        context = ssl.create_default_context(cafile=str(settings.certificate_file))
    except (OSError, ssl.SSLError) as exc:
        raise SettingsFault("certificate_file: no certificate can be read there", setting="certificate_file") from exc
    # Cameras make their certificate themselves, for whatever name they had in the factory. This very one is trusted instead.
    context.check_hostname = False
    return context
