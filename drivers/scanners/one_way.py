"""What all barcode readers share as codecs: they are never asked anything, owe nothing and take no commands."""

from drivers.api import SettingsFault


class OneWay:
    """The half of a codec that a device which only speaks does not need."""

    def poll(self, now_ns: int) -> bytes | None:  # noqa: ARG002 - the contract's signature
        """Readers are never asked."""
        return None

    def overdue(self, now_ns: int) -> bool:  # noqa: ARG002 - the contract's signature
        """A reader that says nothing has nothing to say."""
        return False

    def command(self, name: str, argument: str | None = None) -> bytes:  # noqa: ARG002 - the contract's signature
        """There are none: raises SettingsFault."""
        raise SettingsFault(f"a reader takes no commands, not {name[:40]!r}", setting="command")
