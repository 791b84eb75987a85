"""Where a device's password is read from: a file of one line, or an environment variable of a kind that holds nothing else.

A configuration may come from the cloud, and names the address that the password is sent to. So it can name no variable that was
not set for this purpose, and no file that holds more than one printable line.
"""

from collections.abc import Mapping
from pathlib import Path

PREFIX = "TALLYBOX_SECRET_"
"""`password_env = "DOCK"` means the variable TALLYBOX_SECRET_DOCK."""

NAME = r"^[A-Za-z0-9_]{1,64}$"

MAX_LENGTH = 1024
"""Bytes; passwords of brokers and cameras are far shorter, keys and certificates longer."""


class PasswordFault(ValueError):
    """There is no password, or what is there is none. The text never holds any of it."""


def from_environment(name: str, environ: Mapping[str, str]) -> str:
    """The variable `PREFIX` + `name`. Raises PasswordFault."""
    found = environ.get(PREFIX + name)
    if found is None:
        raise PasswordFault(f"the environment has no {PREFIX}{name}")
    return found


def from_file(path: Path) -> str:
    """The only line of a file, read anew each time. Raises PasswordFault."""
    try:
        data = _bytes(path)
        text = data.decode().rstrip("\r\n")
    except OSError as exc:
        raise PasswordFault(exc.strerror or "it cannot be read") from None
    except ValueError:  # no UTF-8, or a zero character in the path
        raise PasswordFault("it is not one line of UTF-8") from None
    if len(data) > MAX_LENGTH or not text.isprintable():
        raise PasswordFault("it is not one line of UTF-8")
    return text


def _bytes(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        # A pipe or a terminal would be waited for.
        raise OSError(0, "it is no file")
    with path.open("rb") as file:
        return file.read(MAX_LENGTH + 1)
